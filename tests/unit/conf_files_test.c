/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Needs root, for other owners. Linked with --wrap=clock_gettime, --wrap=fdopendir, --wrap=fstatat, --wrap=readdir,
 * --wrap=strdup.
 */
#include "conf/conf_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/file_time.h"

static struct {
        time_t ahead_s; /* of the clock, as if so much time had passed since the last change */
        time_t now_s;   /* where the clock stands still; 0: it does not */
        bool no_copy, no_dir, no_entry;
        bool no_times; /* files have no time stamps */
} fake;
static char root[64];
static struct conf_files files;

int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret) {
        int r = __real_clock_gettime(id, ret);

        ret->tv_sec = (fake.now_s != 0 ? fake.now_s : ret->tv_sec) + fake.ahead_s;
        return r;
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text) {
        return fake.no_copy ? NULL : __real_strdup(text);
}

DIR *__real_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd) {
        errno = ENOMEM;
        return fake.no_dir ? NULL : __real_fdopendir(fd);
}

struct dirent *__real_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir);
struct dirent *__wrap_readdir(DIR *dir) {
        if (!fake.no_entry)
                return __real_readdir(dir);
        errno = EIO;
        return NULL;
}

int __real_fstatat(int fd, const char *name, struct stat *ret, int flags);
int __wrap_fstatat(int fd, const char *name, struct stat *ret, int flags);
int __wrap_fstatat(int fd, const char *name, struct stat *ret, int flags) {
        int r = __real_fstatat(fd, name, ret, flags);

        if (r == 0 && fake.no_times)
                ret->st_mtim = ret->st_ctim = (struct timespec){.tv_sec = 0};
        return r;
}

static const char *path_of(const char *name) {
        static char paths[4][128];
        static unsigned next;
        char *path = paths[next++ % 4];

        (void)snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
        return path;
}

static int set_up(void **state) {
        (void)state;
        memset(&fake, 0, sizeof(fake));
        files = (struct conf_files){.hash = 0};
        (void)snprintf(root, sizeof(root), "/tmp/conf_files_test.XXXXXX");
        return mkdtemp(root) && mkdir(path_of("dir"), 0755) == 0 ? 0 : -1;
}

static int tear_down(void **state) {
        char command[128];

        (void)state;
        conf_files_clear(&files);
        (void)snprintf(command, sizeof(command), "rm -rf '%s'", root);
        return system(command);
}

static void write_file(const char *name, const char *text) {
        int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        assert_int_equal(close(fd), 0);
}

/* Reads the directory and its files, as a loader does, long after the last change. */
static void load(void) {
        struct strv names;
        char name[64];
        int fd;

        file_time_tick();
        fake.ahead_s = 60;
        conf_files_clear(&files);
        conf_files_add(&files, path_of("dir"));
        fd = open(path_of("dir"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return;
        assert_int_equal(conf_files_list(fd, ".conf", &names), 0);
        for (size_t i = 0; i < names.n; i++) {
                (void)snprintf(name, sizeof(name), "dir/%s", names.item[i]);
                conf_files_add(&files, path_of(name));
        }
        strv_clear(&names);
        assert_int_equal(close(fd), 0);
}

static void load_settled(void) {
        load();
        assert_false(conf_files_changed(&files));
        assert_false(conf_files_changed(&files));
}

static void assert_changed(void) {
        assert_true(conf_files_changed(&files));
        assert_false(conf_files_look_same(&files));
        load_settled();
}

static void names_are_listed_in_byte_order(void **state) {
        struct strv names;
        int fd;

        (void)state;
        write_file("dir/b.conf", "");
        write_file("dir/a.conf", "");
        write_file("dir/Z.conf", "");
        write_file("dir/.hidden.conf", "");
        write_file("dir/.conf", "");
        write_file("dir/a.config", "");
        write_file("dir/conf", "");
        fd = open(path_of("dir"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (int again = 0; again < 2; again++) {
                assert_int_equal(conf_files_list(fd, ".conf", &names), 0);
                assert_int_equal(names.n, 3);
                assert_string_equal(names.item[0], "Z.conf");
                assert_string_equal(names.item[1], "a.conf");
                assert_string_equal(names.item[2], "b.conf");
                strv_clear(&names);
        }
        assert_int_equal(close(fd), 0);
}

static void failed_listing_returns_no_names(void **state) {
        struct strv names = {.n = 7};
        int fd = open(path_of("dir"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        (void)state;
        write_file("dir/a.conf", "");
        assert_int_equal(conf_files_list(-1, ".conf", &names), -EBADF);
        fake.no_dir = true;
        assert_int_equal(conf_files_list(fd, ".conf", &names), -ENOMEM);
        fake.no_dir = false;
        fake.no_entry = true;
        assert_int_equal(conf_files_list(fd, ".conf", &names), -EIO);
        fake.no_entry = false;
        fake.no_copy = true;
        assert_int_equal(conf_files_list(fd, ".conf", &names), -ENOMEM);
        assert_int_equal(names.n, 7);
        assert_int_equal(close(fd), 0);
}

static void empty_set_has_changed(void **state) {
        (void)state;
        assert_true(conf_files_changed(&files));
}

static void edit_in_place_is_seen(void **state) {
        static const struct timespec then[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

        (void)state;
        write_file("dir/a.conf", "one");
        assert_int_equal(utimensat(AT_FDCWD, path_of("dir/a.conf"), then, 0), 0);
        load_settled();
        /* Only the change time differs then. */
        write_file("dir/a.conf", "two");
        assert_int_equal(utimensat(AT_FDCWD, path_of("dir/a.conf"), then, 0), 0);
        assert_changed();
        write_file("dir/a.conf", "longer");
        assert_changed();
}

static void replaced_file_is_seen(void **state) {
        static const struct timespec then[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

        (void)state;
        write_file("dir/a.conf", "one");
        write_file("other", "two");
        assert_int_equal(utimensat(AT_FDCWD, path_of("dir/a.conf"), then, 0), 0);
        assert_int_equal(utimensat(AT_FDCWD, path_of("other"), then, 0), 0);
        load_settled();
        assert_int_equal(rename(path_of("other"), path_of("dir/a.conf")), 0);
        assert_changed();
}

static void new_and_removed_names_are_seen(void **state) {
        (void)state;
        load_settled();
        write_file("dir/a.conf", "");
        assert_changed();
        assert_int_equal(link(path_of("dir/a.conf"), path_of("dir/b.conf")), 0);
        assert_changed();
        assert_int_equal(symlink("/dev/null", path_of("dir/c.conf")), 0);
        assert_changed();
        assert_int_equal(rename(path_of("dir/b.conf"), path_of("dir/d.conf")), 0);
        assert_changed();
        assert_int_equal(unlink(path_of("dir/d.conf")), 0);
        assert_changed();
        assert_int_equal(unlink(path_of("dir/a.conf")), 0);
        assert_changed();
        assert_int_equal(unlink(path_of("dir/c.conf")), 0);
        assert_changed();
}

static void missing_path_that_appears_is_seen(void **state) {
        (void)state;
        assert_int_equal(rmdir(path_of("dir")), 0);
        load_settled();
        assert_int_equal(mkdir(path_of("dir"), 0755), 0);
        assert_changed();
        assert_int_equal(symlink("../missing", path_of("dir/a.conf")), 0);
        assert_changed();
        write_file("missing", "");
        assert_changed();
        assert_int_equal(unlink(path_of("missing")), 0);
        assert_changed();
        assert_int_equal(unlink(path_of("dir/a.conf")), 0);
        assert_int_equal(rmdir(path_of("dir")), 0);
        assert_changed();
}

static void changed_link_target_is_seen(void **state) {
        (void)state;
        assert_int_equal(mkdir(path_of("one"), 0755), 0);
        assert_int_equal(mkdir(path_of("two"), 0755), 0);
        write_file("one/a.conf", "text");
        write_file("two/a.conf", "text");
        assert_int_equal(symlink("one", path_of("current")), 0);
        assert_int_equal(symlink("../current/a.conf", path_of("dir/a.conf")), 0);
        load_settled();
        /* The file that it leads to */
        write_file("one/a.conf", "else");
        assert_changed();
        /* a link on the way to it */
        assert_int_equal(symlink("two", path_of("next")), 0);
        assert_int_equal(rename(path_of("next"), path_of("current")), 0);
        assert_changed();
        /* the link itself. */
        assert_int_equal(symlink("../one/a.conf", path_of("next")), 0);
        assert_int_equal(rename(path_of("next"), path_of("dir/a.conf")), 0);
        assert_changed();
}

static void chmod_and_chown_are_seen(void **state) {
        static const char *const names[] = {"dir/a.conf", "dir"};

        (void)state;
        write_file("dir/a.conf", "");
        load_settled();
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                assert_int_equal(chmod(path_of(names[i]), 0777), 0);
                assert_changed();
                assert_int_equal(chown(path_of(names[i]), 12345, 0), 0);
                assert_changed();
                assert_int_equal(chown(path_of(names[i]), 12345, 12345), 0);
                assert_changed();
        }
}

static void replaced_directory_is_seen(void **state) {
        (void)state;
        write_file("dir/a.conf", "");
        load_settled();
        assert_int_equal(rename(path_of("dir"), path_of("old")), 0);
        assert_int_equal(mkdir(path_of("dir"), 0755), 0);
        assert_int_equal(link(path_of("old/a.conf"), path_of("dir/a.conf")), 0);
        assert_changed();
}

static bool is_settled_after(time_t ahead_s) {
        struct stat st;

        write_file("a", "text");
        assert_int_equal(stat(path_of("a"), &st), 0);
        fake.now_s = st.st_ctim.tv_sec + ahead_s;
        conf_files_clear(&files);
        conf_files_add(&files, path_of("a"));
        assert_true(conf_files_look_same(&files));
        return !conf_files_changed(&files);
}

/* The kernel's time stamps stand still for milliseconds, and on some file systems for two seconds. */
static void recent_change_leaves_set_unsettled(void **state) {
        (void)state;
        for (time_t ahead_s = -2; ahead_s <= 2; ahead_s++)
                assert_false(is_settled_after(ahead_s));
        assert_true(is_settled_after(-3));
        assert_true(is_settled_after(3));
}

/* As the root directory of a FAT file system. */
static void directory_without_times_leaves_set_unsettled(void **state) {
        (void)state;
        fake.no_times = true;
        conf_files_add(&files, path_of("dir"));
        assert_true(conf_files_changed(&files));
}

static void path_that_is_not_added_leaves_set_unsettled(void **state) {
        (void)state;
        load_settled();
        fake.no_copy = true;
        conf_files_add(&files, path_of("a"));
        assert_true(conf_files_changed(&files));
        conf_files_clear(&files);
        fake.no_copy = false;
        load_settled();
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(names_are_listed_in_byte_order),
                TEST(failed_listing_returns_no_names),
                TEST(empty_set_has_changed),
                TEST(edit_in_place_is_seen),
                TEST(replaced_file_is_seen),
                TEST(new_and_removed_names_are_seen),
                TEST(missing_path_that_appears_is_seen),
                TEST(changed_link_target_is_seen),
                TEST(chmod_and_chown_are_seen),
                TEST(replaced_directory_is_seen),
                TEST(recent_change_leaves_set_unsettled),
                TEST(directory_without_times_leaves_set_unsettled),
                TEST(path_that_is_not_added_leaves_set_unsettled),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
