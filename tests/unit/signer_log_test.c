/* SPDX-License-Identifier: Apache-2.0 */
/* Linked with --wrap=fdatasync. */
#include "cloud/signer/signer_log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cloud/signer/signer_request.h"

static char directory[64];
static struct signer_log *log_;
static char why[LINE_LOG_WHY_MAX];

static int fdatasync_error;

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd) {
        if (fdatasync_error == 0)
                return __real_fdatasync(fd);
        errno = fdatasync_error;
        return -1;
}

static int setup(void **state) {
        (void)state;
        strcpy(directory, "/tmp/signer_log_test.XXXXXX");
        fdatasync_error = 0;
        if (!mkdtemp(directory))
                return -1;
        log_ = signer_log_new(directory);
        return log_ ? 0 : -1;
}

static int teardown(void **state) {
        char command[128];

        (void)state;
        signer_log_free(log_);
        (void)snprintf(command, sizeof(command), "rm -rf '%s'", directory);
        return system(command);
}

static json_t *line; /* the last one */
static unsigned n_lines;

static int on_line(void *context, const struct line_log_line *at) {
        (void)context;
        json_decref(line);
        line = json_incref(at->object);
        n_lines++;
        return 0;
}

static void on_fault(void *context, const char *file, uint64_t number, const char *what) {
        (void)context;
        (void)number;
        fail_msg("%s: %s", file, what);
}

static void read_log(void) {
        const struct line_log_reader reader = {.line = on_line, .fault = on_fault};

        n_lines = 0;
        line = NULL;
        assert_int_equal(line_log_read(directory, SIGNER_LOG_NAME, &reader, why), 0);
}

static void assert_text(const char *name, const char *value) {
        assert_string_equal(json_string_value(json_object_get(line, name)), value);
}

static struct signer_request some_request(void) {
        struct signer_request request = {.kind = SIGNER_PUSH, .connections = 0, .restricted = true, .n_sources = 1};

        strcpy(request.instance, "42");
        strcpy(request.user, "al\"ice");
        strcpy(request.principal, "op");
        strcpy(request.request_id, "r-1");
        strcpy(request.challenge, "secret");
        strcpy(request.audit_head, "ab");
        strcpy(request.fingerprints[0], "SHA256:a");
        strcpy(request.fingerprints[1], "SHA256:b");
        assert_true(source_from_text("192.0.2.0/24", &request.sources[0]));
        return request;
}

static void line_has_what_was_asked_and_done(void **state) {
        struct signer_request request = some_request();
        struct signer_log_entry entry = {
                .request = &request,
                .outcome = SIGNER_OUTCOME_SIGNED,
                .jti = "j",
                .pae_sha256 = "h",
                .iat = 7,
                .exp = 67,
                .ttl = 60,
                .uid = 5,
                .pid = 6,
        };

        (void)state;
        assert_int_equal(signer_log_write(log_, &entry, why), 0);
        read_log();
        assert_text("kind", "push");
        assert_text("outcome", "signed");
        assert_text("instance", "42");
        assert_text("user", "al\"ice");
        assert_text("principal", "op");
        assert_text("request_id", "r-1");
        assert_text("audit_head", "ab");
        assert_text("jti", "j");
        assert_text("pae_sha256", "h");
        assert_int_equal(json_array_size(json_object_get(line, "fingerprints")), 2);
        assert_int_equal(json_integer_value(json_object_get(line, "exp")), 67);
        assert_int_equal(json_integer_value(json_object_get(line, "ttl")), 60);
        assert_true(json_is_integer(json_object_get(line, "connections")));
        assert_int_equal(json_integer_value(json_object_get(line, "uid")), 5);
        assert_true(json_is_true(json_object_get(line, "restrict")));
        /* That there was one, not which. */
        assert_true(json_is_true(json_object_get(line, "challenge")));
        assert_null(json_object_get(line, "error"));
        json_decref(line);
}

static void refusal_has_its_reason(void **state) {
        struct signer_request request = {.kind = SIGNER_REVOKE, .connections = -1, .all = true};
        struct signer_log_entry entry = {
                .request = &request,
                .outcome = SIGNER_OUTCOME_REFUSED,
                .error = "Denied",
                .field = "instance",
                .message = "no",
                .unlogged = 3,
        };

        (void)state;
        assert_int_equal(signer_log_write(log_, &entry, why), 0);
        read_log();
        assert_text("kind", "revoke");
        assert_text("error", "Denied");
        assert_text("field", "instance");
        assert_text("message", "no");
        assert_true(json_is_true(json_object_get(line, "all")));
        assert_int_equal(json_integer_value(json_object_get(line, "unlogged")), 3);
        assert_null(json_object_get(line, "user"));
        assert_null(json_object_get(line, "connections"));
        json_decref(line);
}

static void largest_line_fits(void **state) {
        struct signer_request request = some_request();
        struct signer_log_entry entry = {.request = &request, .outcome = SIGNER_OUTCOME_REFUSED};

        (void)state;
        for (size_t i = 0; i < SIGNER_LABEL_MAX / 4; i++) {
                memcpy(request.principal + 4 * i, "\xf0\x9f\x94\x91", 5);
                memcpy(request.request_id + 4 * i, "\xf0\x9f\x94\x91", 5);
        }
        request.n_sources = PUSH_MADE_SOURCES_MAX;
        for (size_t i = 0; i < PUSH_MADE_SOURCES_MAX; i++)
                assert_true(source_from_text("2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff", &request.sources[i]));
        assert_int_equal(signer_log_write(log_, &entry, why), 0);
        read_log();
        assert_int_equal(n_lines, 1);
        json_decref(line);
}

static void failure_is_reported_and_passes(void **state) {
        struct signer_request request = some_request();
        struct signer_log_entry entry = {.request = &request, .outcome = SIGNER_OUTCOME_SIGNED};

        (void)state;
        assert_int_equal(signer_log_write(log_, &entry, why), 0);
        fdatasync_error = ENOSPC;
        assert_int_equal(signer_log_write(log_, &entry, why), -ENOSPC);
        assert_non_null(strstr(why, "No space left"));
        fdatasync_error = 0;
        assert_int_equal(signer_log_write(log_, &entry, why), 0);
        read_log();
        assert_int_equal(n_lines, 2);
        json_decref(line);
}

static void directory_that_comes_later_is_used(void **state) {
        struct signer_request request = some_request();
        struct signer_log_entry entry = {.request = &request, .outcome = SIGNER_OUTCOME_SIGNED};

        (void)state;
        assert_int_equal(rmdir(directory), 0);
        assert_int_equal(signer_log_open(log_, why), -ENOENT);
        assert_int_equal(signer_log_write(log_, &entry, why), -ENOENT);
        assert_int_equal(mkdir(directory, 0700), 0);
        assert_int_equal(signer_log_write(log_, &entry, why), 0);
        read_log();
        assert_int_equal(n_lines, 1);
        json_decref(line);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(line_has_what_was_asked_and_done),
                TEST(refusal_has_its_reason),
                TEST(largest_line_fits),
                TEST(failure_is_reported_and_passes),
                TEST(directory_that_comes_later_is_used),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
