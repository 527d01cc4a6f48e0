/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the audit log share: audit logs and a signer's log in a directory of their own, their files, and what
 * audit_verify() reports. Linked with --wrap=time.
 */
#ifndef EXC_CLOUD_AUDIT_FIXTURE_H
#define EXC_CLOUD_AUDIT_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cloud/audit/audit.h"
#include "cloud/signer/signer_log.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

enum { LOG_MAX = 1024 * 1024, FAULTS_MAX = 32 };

static char root[64], audit_dir[96], signer_dir[96];
static struct audit *audit;
static struct line_log *signer;

/* --- what a test brings about --------------------------------------------------------------------------------------- */

static int64_t later_s; /* verification is so much later */

time_t __real_time(time_t *ret);
time_t __wrap_time(time_t *ret);
time_t __wrap_time(time_t *ret) {
        time_t now = __real_time(NULL) + later_s;

        if (ret)
                *ret = now;
        return now;
}

/* --- logs ----------------------------------------------------------------------------------------------------------- */

static inline struct audit *open_node(const char *node) {
        char why[AUDIT_WHY_MAX] = "";
        struct audit *opened = NULL;

        if (audit_open(audit_dir, node, &opened, why) < 0)
                fail_msg("%s", why);
        return opened;
}

static inline int set_up(void **state) {
        char why[LINE_LOG_WHY_MAX];

        (void)state;
        (void)snprintf(root, sizeof(root), "/tmp/exc-audit-XXXXXX");
        if (!mkdtemp(root))
                return -1;
        (void)snprintf(audit_dir, sizeof(audit_dir), "%s/audit", root);
        (void)snprintf(signer_dir, sizeof(signer_dir), "%s/signer", root);
        if (mkdir(audit_dir, 0700) < 0 || mkdir(signer_dir, 0700) < 0)
                return -1;
        audit = open_node("node-1");
        later_s = 3600;
        return line_log_open(signer_dir, SIGNER_LOG_NAME, LINE_LOG_FILE_SIZE, &signer, why);
}

static inline void remove_all(const char *directory) {
        DIR *dir = opendir(directory);
        struct dirent *entry;

        assert_non_null(dir);
        while ((entry = readdir(dir)))
                (void)unlinkat(dirfd(dir), entry->d_name, 0);
        (void)closedir(dir);
        assert_int_equal(rmdir(directory), 0);
}

static inline int tear_down(void **state) {
        (void)state;
        audit_close(audit);
        line_log_close(signer);
        remove_all(audit_dir);
        remove_all(signer_dir);
        return rmdir(root);
}

static char head[AUDIT_HASH_MAX]; /* of the latest line */

static inline void write_event(struct audit *to, const struct audit_event *event) {
        assert_int_equal(audit_write(to, event, head), 0);
}

static inline void decide(struct audit *to, const char *request, const char *vm_id, const char *effect) {
        const struct audit_event event = {.kind = AUDIT_DECISION,
                                          .request_id = request,
                                          .account = "ada",
                                          .action = "compute:instance:connect",
                                          .vm_id = vm_id,
                                          .effect = effect};

        write_event(to, &event);
}

static inline void finish(struct audit *to, const char *request, int status) {
        const struct audit_event event = {
                .kind = AUDIT_OUTCOME, .request_id = request, .action = "compute:instance:connect", .status = status};

        write_event(to, &event);
}

static inline void sign(const char *kind, const char *request, const char *instance, const char *audit_head,
                        const char *outcome) {
        json_t *line = json_pack("{ss ss ss ss}", "kind", kind, "outcome", outcome, "request_id", request, "instance",
                                 instance);

        if (audit_head)
                (void)json_object_set_new(line, "audit_head", json_string(audit_head));
        assert_int_equal(line_log_append(signer, line, NULL), 0);
        json_decref(line);
}

/* A connect that went well. */
static inline void connect_to(struct audit *to, const char *request, const char *vm_id) {
        decide(to, request, vm_id, "Allow");
        sign("push", request, vm_id, head, "signed");
        finish(to, request, 200);
}

/* --- files ---------------------------------------------------------------------------------------------------------- */

static char content[LOG_MAX];
static size_t content_length;

static inline const char *path_of(const char *directory, const char *name) {
        static char path[160];

        (void)snprintf(path, sizeof(path), "%s/%s-0000000000000001.jsonl", directory, name);
        return path;
}

static inline void load(const char *path) {
        FILE *file = fopen(path, "re");

        assert_non_null(file);
        content_length = fread(content, 1, sizeof(content) - 1, file);
        content[content_length] = '\0';
        (void)fclose(file);
}

static inline void save(const char *path) {
        FILE *file = fopen(path, "we");

        assert_non_null(file);
        assert_int_equal(fwrite(content, 1, content_length, file), content_length);
        assert_int_equal(fclose(file), 0);
}

/* Where line `number` begins; one after the last is the end. */
static inline char *line_at(int number) {
        char *at = content;

        for (int i = 1; i < number; i++) {
                at = strchr(at, '\n');
                assert_non_null(at);
                at++;
        }
        return at;
}

static inline void remove_lines(int first, int after) {
        char *from = line_at(first), *to = line_at(after);

        memmove(from, to, (size_t)(content + content_length + 1 - to));
        content_length -= (size_t)(to - from);
}

/* --- verification --------------------------------------------------------------------------------------------------- */

static struct audit_fault faults[FAULTS_MAX];
static size_t n_faults;
static struct audit_report result;

static inline void keep(void *context, const struct audit_fault *fault) {
        assert_ptr_equal(context, faults);
        if (n_faults < FAULTS_MAX)
                faults[n_faults] = *fault;
        n_faults++;
}

static inline void verify(bool with_signer) {
        char why[AUDIT_WHY_MAX] = "";

        n_faults = 0;
        memset(&result, 0xa5, sizeof(result));
        if (audit_verify(audit_dir, with_signer ? signer_dir : NULL, keep, faults, &result, why) < 0)
                fail_msg("%s", why);
        assert_int_equal(result.faults, n_faults);
}

static inline void assert_clean(bool with_signer) {
        verify(with_signer);
        if (n_faults > 0)
                fail_msg("%s:%llu: %s", faults[0].file, (unsigned long long)faults[0].line, faults[0].what);
}

static inline void assert_fault(size_t i, uint64_t line, const char *phrase) {
        assert_true(i < n_faults);
        if (faults[i].line != line || !strstr(faults[i].what, phrase))
                fail_msg("%s:%llu: %s", faults[i].file, (unsigned long long)faults[i].line, faults[i].what);
}

static inline void assert_one_fault(bool with_signer, uint64_t line, const char *phrase) {
        verify(with_signer);
        assert_fault(0, line, phrase);
        assert_int_equal(n_faults, 1);
}

#endif
