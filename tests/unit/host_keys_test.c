/* SPDX-License-Identifier: Apache-2.0 */
/* Linked with --wrap=fstatat and --wrap=glob: /etc/ssh is a directory of the test's own. */
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

#include "tests/unit/file_time.h"
#include "tests/unit/keys.h"

enum { FILES_MAX = 32 };

static char dir[64];
static char paths[FILES_MAX][128];
static char *words[FILES_MAX];
static struct config config;
static json_t *list;
static struct host_keys keys;
static unsigned globbed;
static bool glob_fails;

int __real_glob(const char *pattern, int flags, int (*on_error)(const char *, int), glob_t *ret);
int __wrap_glob(const char *pattern, int flags, int (*on_error)(const char *, int), glob_t *ret);
int __wrap_glob(const char *pattern, int flags, int (*on_error)(const char *, int), glob_t *ret) {
        char here[128];

        globbed++;
        if (glob_fails)
                return GLOB_NOSPACE;
        assert_string_equal(pattern, "/etc/ssh/ssh_host_*_key.pub");
        (void)snprintf(here, sizeof(here), "%s/ssh_host_*_key.pub", dir);
        return __real_glob(here, flags, on_error, ret);
}

int __real_fstatat(int fd, const char *name, struct stat *ret, int flags);
int __wrap_fstatat(int fd, const char *name, struct stat *ret, int flags);
int __wrap_fstatat(int fd, const char *name, struct stat *ret, int flags) {
        return __real_fstatat(fd, strcmp(name, "/etc/ssh") == 0 ? dir : name, ret, flags);
}

static int setup(void **state) {
        (void)state;
        strcpy(dir, "/tmp/host_keys_test.XXXXXX");
        config = (struct config){.host_key_files = {.item = words}};
        list = NULL;
        keys = (struct host_keys){.list = NULL};
        globbed = 0;
        glob_fails = false;
        return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state) {
        char command[128];

        (void)state;
        json_decref(list);
        host_keys_clear(&keys);
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
        host_keys_clear(&keys);
        list = host_keys_get(&keys, &config);
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

static void keys_are_listed_in_order_of_files(void **state) {
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

static void comment_is_left_out(void **state) {
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

static void default_is_sshds_own_files(void **state) {
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

static void no_host_key_means_empty_list(void **state) {
        (void)state;
        assert_int_equal(found(), 0);
}

static void missing_and_malformed_files_are_left_out(void **state) {
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

static void file_with_nul_in_key_is_left_out(void **state) {
        char line[512];
        int n = snprintf(line, sizeof(line), "%s\n", known_keys[0].text);

        (void)state;
        line[30] = '\0';
        write_file("a.pub", line, (size_t)n);
        name_file("a.pub");
        assert_int_equal(found(), 0);
}

/* A fifo without a writer would hold up the whole agent. */
static void special_file_is_left_out_at_once(void **state) {
        int full_fd;

        (void)state;
        assert_int_equal(mkfifo(path_of("full.pub"), 0600), 0);
        full_fd = open(path_of("full.pub"), O_RDWR | O_CLOEXEC);
        assert_true(full_fd >= 0);
        assert_true(write(full_fd, known_keys[0].text, strlen(known_keys[0].text)) > 0);
        name_file("full.pub");
        assert_int_equal(mkfifo(path_of("fifo.pub"), 0600), 0);
        assert_int_equal(mkdir(path_of("directory.pub"), 0700), 0);
        assert_int_equal(symlink("/dev/zero", path_of("zero.pub")), 0);
        name_file("fifo.pub");
        name_file("directory.pub");
        name_file("zero.pub");
        assert_int_equal(found(), 0);
        (void)close(full_fd);
}

static void only_first_line_is_read(void **state) {
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

static void number_of_keys_is_limited(void **state) {
        (void)state;
        for (size_t i = 0; i < HOST_KEYS_MAX + 1; i++) {
                char name[16];

                (void)snprintf(name, sizeof(name), "%zu.pub", i);
                write_key(name, i % N_KNOWN_KEYS, "\n");
                name_file(name);
        }
        assert_int_equal(found(), HOST_KEYS_MAX);
}

/* Whether the files were read again. */
static bool read_again(void) {
        json_t *before = list;
        bool again;

        list = host_keys_get(&keys, &config);
        assert_true(json_is_array(list));
        again = list != before;
        json_decref(before);
        return again;
}

/* As if the files had been like that for long. */
static void settle(void) {
        keys.files.unsettled = false;
        file_time_tick();
}

static void settled_list_is_kept(void **state) {
        (void)state;
        name_file("one.pub");
        write_key("one.pub", 0, "\n");
        assert_true(read_again());
        settle();
        assert_false(read_again());
        assert_false(read_again());
        assert_key(0, 0);
        keys.files.unsettled = true;
        assert_true(read_again());
}

static void changed_file_is_read_again(void **state) {
        (void)state;
        name_file("one.pub");
        name_file("two.pub");
        write_key("one.pub", 0, "\n");
        assert_true(read_again());
        assert_int_equal(json_array_size(list), 1);
        settle();

        write_key("two.pub", 1, "\n");
        assert_true(read_again());
        assert_int_equal(json_array_size(list), 2);
        assert_key(1, 1);
        settle();
        assert_false(read_again());

        write_key("two.pub", 2, "\n");
        assert_true(read_again());
        assert_key(1, 2);
        settle();

        assert_int_equal(chmod(path_of("one.pub"), 0600), 0);
        assert_true(read_again());
        settle();

        assert_int_equal(unlink(path_of("one.pub")), 0);
        assert_true(read_again());
        assert_int_equal(json_array_size(list), 1);
        assert_key(0, 2);
}

static void changed_default_files_are_read_again(void **state) {
        char from[128];

        (void)state;
        write_key("ssh_host_ed25519_key.pub", 0, "\n");
        assert_true(read_again());
        assert_int_equal(json_array_size(list), 1);
        settle();
        assert_false(read_again());
        assert_int_equal(globbed, 1);

        write_key("ssh_host_ecdsa_key.pub", 1, "\n");
        assert_true(read_again());
        assert_int_equal(json_array_size(list), 2);
        assert_key(0, 1);
        settle();

        write_key("new", 2, "\n");
        assert_true(read_again()); /* the directory's time stamps do not say which name is new */
        settle();
        (void)snprintf(from, sizeof(from), "%s", path_of("new"));
        assert_int_equal(rename(from, path_of("ssh_host_ecdsa_key.pub")), 0);
        assert_true(read_again());
        assert_key(0, 2);
        settle();

        assert_int_equal(unlink(path_of("ssh_host_ecdsa_key.pub")), 0);
        assert_true(read_again());
        assert_int_equal(json_array_size(list), 1);
        assert_key(0, 0);
}

static void failed_search_is_repeated(void **state) {
        (void)state;
        write_key("ssh_host_ed25519_key.pub", 0, "\n");
        glob_fails = true;
        assert_true(read_again());
        assert_int_equal(json_array_size(list), 0);
        glob_fails = false;
        assert_true(read_again());
        assert_int_equal(json_array_size(list), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(keys_are_listed_in_order_of_files),
                TEST(comment_is_left_out),
                TEST(default_is_sshds_own_files),
                TEST(no_host_key_means_empty_list),
                TEST(missing_and_malformed_files_are_left_out),
                TEST(file_with_nul_in_key_is_left_out),
                TEST(special_file_is_left_out_at_once),
                TEST(only_first_line_is_read),
                TEST(number_of_keys_is_limited),
                TEST(settled_list_is_kept),
                TEST(changed_file_is_read_again),
                TEST(changed_default_files_are_read_again),
                TEST(failed_search_is_repeated),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
