/* SPDX-License-Identifier: Apache-2.0 */
/* Linked with --wrap=glob, so that the machine's own host keys play no part. */
#include "agent/host_keys.h"

#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/keys.h"

enum { FILES_MAX = 32 };

static char dir[64];
static char paths[FILES_MAX][128];
static char *words[FILES_MAX];
static struct config config;
static json_t *list;
static struct host_keys kept;
static unsigned globbed;

int __real_glob(const char *pattern, int flags, int (*on_error)(const char *, int), glob_t *ret);
int __wrap_glob(const char *pattern, int flags, int (*on_error)(const char *, int), glob_t *ret);
int __wrap_glob(const char *pattern, int flags, int (*on_error)(const char *, int), glob_t *ret) {
        char here[128];

        globbed++;
        assert_string_equal(pattern, "/etc/ssh/ssh_host_*_key.pub");
        (void)snprintf(here, sizeof(here), "%s/ssh_host_*_key.pub", dir);
        return __real_glob(here, flags, on_error, ret);
}

static int setup(void **state) {
        (void)state;
        strcpy(dir, "/tmp/host_keys_test.XXXXXX");
        config = (struct config){.host_key_files = {.item = words}};
        list = NULL;
        kept = (struct host_keys){.list = NULL};
        globbed = 0;
        return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state) {
        char command[128];

        (void)state;
        json_decref(list);
        host_keys_clear(&kept);
        (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
        return system(command);
}

static const char *path_of(const char *name) {
        static char path[128];

        (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
        return path;
}

/* Names a file in the configuration, whatever it is. */
static void name_file(const char *name) {
        size_t i = config.host_key_files.n++;

        assert_true(i < FILES_MAX);
        (void)snprintf(paths[i], sizeof(paths[i]), "%s", path_of(name));
        words[i] = paths[i];
}

static void write_file(const char *name, const char *text, size_t n) {
        int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, n), n);
        assert_int_equal(close(fd), 0);
}

static void write_key(const char *name, size_t i, const char *after) {
        char line[8192];
        int n = snprintf(line, sizeof(line), "%s%s", known_keys[i].text, after);

        write_file(name, line, (size_t)n);
}

static size_t found(void) {
        json_decref(list);
        list = host_keys(&config);
        assert_true(json_is_array(list));
        return json_array_size(list);
}

static const char *member(size_t i, const char *name) {
        const char *value = json_string_value(json_object_get(json_array_get(list, i), name));

        assert_non_null(value);
        return value;
}

static void assert_key(size_t i, size_t known) {
        char line[8192];

        (void)snprintf(line, sizeof(line), "%s %s", member(i, "type"), member(i, "key"));
        assert_string_equal(line, known_keys[known].text);
        assert_string_equal(member(i, "fingerprint"), known_keys[known].fingerprint);
        assert_int_equal(json_object_size(json_array_get(list, i)), 3);
}

static void the_keys_of_the_files_are_listed_in_their_order(void **state) {
        (void)state;
        write_key("b.pub", 1, "\n");
        write_key("a.pub", 0, "\n");
        name_file("b.pub");
        name_file("a.pub");
        assert_int_equal(found(), 2);
        assert_key(0, 1);
        assert_key(1, 0);
        assert_int_equal(globbed, 0);
}

static void the_comment_is_left_out(void **state) {
        static const char *const ends[] = {
                "", "\n", "\r\n", " root@host\n", " a comment of words\n", "\tcomment\n", "\nmore\n"};

        (void)state;
        for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
                char name[16];

                (void)snprintf(name, sizeof(name), "%zu.pub", i);
                write_key(name, 0, ends[i]);
                name_file(name);
        }
        assert_int_equal(found(), sizeof(ends) / sizeof(ends[0]));
        for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
                assert_key(i, 0);
}

static void where_no_file_is_named_sshds_own_are_taken(void **state) {
        (void)state;
        write_key("ssh_host_ecdsa_key.pub", 1, " root@host\n");
        write_key("ssh_host_ed25519_key.pub", 0, " root@host\n");
        write_key("ssh_host_ed25519_key", 2, "\n");
        write_key("other.pub", 3, "\n");
        assert_int_equal(found(), 2);
        assert_int_equal(globbed, 1);
        assert_key(0, 1);
        assert_key(1, 0);
}

static void a_machine_without_host_keys_has_an_empty_list(void **state) {
        (void)state;
        assert_int_equal(found(), 0);
}

static void a_file_that_is_missing_or_no_key_is_left_out(void **state) {
        static const char *const contents[] = {
                "",
                "\n",
                " ",
                "ssh-ed25519",
                "ssh-ed25519 \n",
                "ssh-ed25519 AAAA\n",
                "-----BEGIN OPENSSH PRIVATE KEY-----\n",
                "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIKj9Ne19cX0N0GriPChvaudeZoS7d4sWrB72aqPpTape\n",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
                char name[16];

                (void)snprintf(name, sizeof(name), "%zu.pub", i);
                write_file(name, contents[i], strlen(contents[i]));
                name_file(name);
        }
        name_file("missing.pub");
        write_key("good.pub", 0, "\n");
        name_file("good.pub");
        assert_int_equal(found(), 1);
        assert_key(0, 0);
}

static void a_file_with_a_nul_in_its_key_is_left_out(void **state) {
        char line[512];
        int n = snprintf(line, sizeof(line), "%s\n", known_keys[0].text);

        (void)state;
        line[30] = '\0';
        write_file("a.pub", line, (size_t)n);
        name_file("a.pub");
        assert_int_equal(found(), 0);
}

/* A fifo without a writer would hold up the whole agent. */
static void what_is_no_regular_file_is_left_out_at_once(void **state) {
        int full_fd;

        (void)state;
        assert_int_equal(mkfifo(path_of("full.pub"), 0600), 0);
        full_fd = open(path_of("full.pub"), O_RDWR | O_CLOEXEC);
        assert_true(full_fd >= 0);
        assert_true(write(full_fd, known_keys[0].text, strlen(known_keys[0].text)) > 0);
        name_file("full.pub");
        assert_int_equal(mkfifo(path_of("fifo.pub"), 0600), 0);
        assert_int_equal(mkdir(path_of("folder.pub"), 0700), 0);
        assert_int_equal(symlink("/dev/zero", path_of("zero.pub")), 0);
        name_file("fifo.pub");
        name_file("folder.pub");
        name_file("zero.pub");
        assert_int_equal(found(), 0);
        (void)close(full_fd);
}

static void a_file_of_any_size_is_read_for_its_first_line(void **state) {
        char *text = malloc(1024 * 1024);
        size_t n = strlen(known_keys[0].text);

        (void)state;
        assert_non_null(text);
        memset(text, 'A', 1024 * 1024);
        write_file("no-end.pub", text, 1024 * 1024);
        memcpy(text, known_keys[0].text, n);
        text[n] = ' ';
        write_file("long-comment.pub", text, 1024 * 1024);
        free(text);
        name_file("no-end.pub");
        name_file("long-comment.pub");
        assert_int_equal(found(), 1);
        assert_key(0, 0);
}

static void no_more_keys_than_the_limit_are_listed(void **state) {
        (void)state;
        for (size_t i = 0; i < HOST_KEYS_MAX + 1; i++) {
                char name[16];

                (void)snprintf(name, sizeof(name), "%zu.pub", i);
                write_key(name, i % N_KNOWN_KEYS, "\n");
                name_file(name);
        }
        assert_int_equal(found(), HOST_KEYS_MAX);
}

/* The kept list; whether it was read anew. */
static bool read_anew(void) {
        json_t *before = list;

        list = host_keys_kept(&kept, &config);
        assert_true(json_is_array(list));
        json_decref(before);
        return list != before;
}

/* As if the files had been like that for long. */
static void let_time_pass(void) {
        kept.stamp.settled = true;
}

static void a_kept_list_is_read_anew_when_a_file_changes(void **state) {
        (void)state;
        name_file("one.pub");
        name_file("two.pub");
        write_key("one.pub", 0, "\n");
        assert_true(read_anew());
        assert_int_equal(json_array_size(list), 1);
        let_time_pass();
        assert_false(read_anew());
        assert_key(0, 0);

        write_key("two.pub", 1, "\n");
        assert_true(read_anew());
        assert_int_equal(json_array_size(list), 2);
        assert_key(1, 1);
        let_time_pass();
        assert_false(read_anew());

        assert_int_equal(unlink(path_of("one.pub")), 0);
        assert_true(read_anew());
        assert_int_equal(json_array_size(list), 1);
        assert_key(0, 1);
}

static void a_kept_list_is_read_anew_while_a_change_could_look_like_none(void **state) {
        (void)state;
        name_file("one.pub");
        write_key("one.pub", 0, "\n");
        assert_true(read_anew());
        kept.stamp.settled = false;
        assert_true(read_anew());
}

static void a_kept_list_is_that_of_sshds_own_where_no_file_is_named(void **state) {
        (void)state;
        write_key("ssh_host_ed25519_key.pub", 0, "\n");
        assert_true(read_anew());
        assert_int_equal(globbed, 1);
        assert_int_equal(json_array_size(list), 1);
        assert_key(0, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(the_keys_of_the_files_are_listed_in_their_order, setup, teardown),
                cmocka_unit_test_setup_teardown(the_comment_is_left_out, setup, teardown),
                cmocka_unit_test_setup_teardown(where_no_file_is_named_sshds_own_are_taken, setup, teardown),
                cmocka_unit_test_setup_teardown(a_machine_without_host_keys_has_an_empty_list, setup, teardown),
                cmocka_unit_test_setup_teardown(a_file_that_is_missing_or_no_key_is_left_out, setup, teardown),
                cmocka_unit_test_setup_teardown(a_file_with_a_nul_in_its_key_is_left_out, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_no_regular_file_is_left_out_at_once, setup, teardown),
                cmocka_unit_test_setup_teardown(a_file_of_any_size_is_read_for_its_first_line, setup, teardown),
                cmocka_unit_test_setup_teardown(no_more_keys_than_the_limit_are_listed, setup, teardown),
                cmocka_unit_test_setup_teardown(a_kept_list_is_read_anew_when_a_file_changes, setup, teardown),
                cmocka_unit_test_setup_teardown(a_kept_list_is_read_anew_while_a_change_could_look_like_none, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(a_kept_list_is_that_of_sshds_own_where_no_file_is_named, setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
