/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/config/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
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

/* Linked with --wrap=fsync, --wrap=write. */
static bool no_sync, short_writes;

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd) {
        errno = EIO;
        return no_sync ? -1 : __real_fsync(fd);
}

ssize_t __real_write(int fd, const void *data, size_t n);
ssize_t __wrap_write(int fd, const void *data, size_t n);
ssize_t __wrap_write(int fd, const void *data, size_t n) {
        return __real_write(fd, data, short_writes && n > 1 ? 1 : n);
}

static char root[64], parent[80];
static struct config_dir dir;

static const char *path_of(const char *name) {
        static char path[256];

        (void)snprintf(path, sizeof(path), "%s/%s", root, name);
        return path;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
        (void)st;
        (void)flag;
        (void)ftw;
        return remove(path);
}

static int setup(void **state) {
        (void)state;
        (void)snprintf(root, sizeof(root), "/tmp/config_file_test.XXXXXX");
        if (!mkdtemp(root))
                return -1;
        (void)snprintf(parent, sizeof(parent), "%s/etc", root);
        (void)umask(077);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        no_sync = short_writes = false;
        return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void open_made(void) {
        assert_int_equal(config_dir_open(parent, "trust.d", true, &dir), 0);
}

static void assert_mode(const char *name, mode_t mode) {
        struct stat st;

        assert_int_equal(lstat(path_of(name), &st), 0);
        assert_int_equal(st.st_mode & 07777, mode);
        assert_int_equal(st.st_uid, 0);
        assert_int_equal(st.st_gid, 0);
}

static void assert_content(const char *name, const char *text) {
        char read_text[64] = "";
        FILE *file = fopen(path_of(name), "re");

        assert_non_null(file);
        read_text[fread(read_text, 1, sizeof(read_text) - 1, file)] = '\0';
        assert_int_equal(fclose(file), 0);
        assert_string_equal(read_text, text);
}

static size_t files_in(const char *name) {
        char command[300];
        size_t n = 0;
        FILE *pipe;

        (void)snprintf(command, sizeof(command), "ls -A %s", path_of(name));
        pipe = popen(command, "re");
        assert_non_null(pipe);
        for (int c; (c = fgetc(pipe)) != EOF;)
                n += c == '\n';
        assert_int_equal(pclose(pipe), 0);
        return n;
}

static void modes_do_not_depend_on_the_umask(void **state) {
        (void)state;
        open_made();
        assert_string_equal(dir.path, path_of("etc/trust.d"));
        assert_int_equal(config_file_write(&dir, "a.pem", "text\n", 5, false), 0);
        assert_mode("etc", 0755);
        assert_mode("etc/trust.d", 0755);
        assert_mode("etc/trust.d/a.pem", 0644);
        assert_content("etc/trust.d/a.pem", "text\n");
        assert_int_equal(files_in("etc/trust.d"), 1);
        config_dir_close(&dir);
        assert_int_equal(config_dir_open(parent, NULL, false, &dir), 0);
        assert_string_equal(dir.path, parent);
        config_dir_close(&dir);
}

static void missing_directory_is_made_only_where_asked(void **state) {
        (void)state;
        assert_int_equal(config_dir_open(parent, "trust.d", false, &dir), -ENOENT);
        assert_int_equal(access(parent, F_OK), -1);
        assert_int_equal(config_dir_open(parent, NULL, true, &dir), 0);
        config_dir_close(&dir);
        assert_int_equal(config_dir_open(parent, "trust.d", false, &dir), -ENOENT);
        assert_int_equal(access(path_of("etc/trust.d"), F_OK), -1);
}

static void file_is_replaced_only_where_asked(void **state) {
        (void)state;
        open_made();
        assert_int_equal(config_file_write(&dir, "a.pem", "old", 3, false), 0);
        assert_int_equal(config_file_write(&dir, "a.pem", "new", 3, false), -EEXIST);
        assert_content("etc/trust.d/a.pem", "old");
        assert_int_equal(chmod(path_of("etc/trust.d/a.pem"), 0666), 0);
        assert_int_equal(config_file_write(&dir, "a.pem", "new", 3, true), 0);
        assert_content("etc/trust.d/a.pem", "new");
        assert_mode("etc/trust.d/a.pem", 0644);
        assert_int_equal(files_in("etc/trust.d"), 1);
        config_dir_close(&dir);
}

/* Not what it points to. */
static void link_is_replaced(void **state) {
        (void)state;
        open_made();
        assert_int_equal(symlink("../../elsewhere", path_of("etc/trust.d/a.pem")), 0);
        assert_true(config_file_exists(&dir, "a.pem"));
        assert_int_equal(config_file_write(&dir, "a.pem", "new", 3, true), 0);
        assert_mode("etc/trust.d/a.pem", 0644);
        assert_int_equal(access(path_of("elsewhere"), F_OK), -1);
        config_dir_close(&dir);
}

static void failed_write_changes_nothing(void **state) {
        (void)state;
        open_made();
        assert_int_equal(config_file_write(&dir, "a.pem", "old", 3, false), 0);
        no_sync = true;
        assert_int_equal(config_file_write(&dir, "a.pem", "new", 3, true), -EIO);
        assert_int_equal(config_file_write(&dir, "b.pem", "new", 3, false), -EIO);
        no_sync = false;
        assert_content("etc/trust.d/a.pem", "old");
        assert_int_equal(files_in("etc/trust.d"), 1);
        config_dir_close(&dir);
}

static void short_write_is_continued(void **state) {
        (void)state;
        open_made();
        short_writes = true;
        assert_int_equal(config_file_write(&dir, "a.pem", "text\n", 5, false), 0);
        assert_content("etc/trust.d/a.pem", "text\n");
        config_dir_close(&dir);
}

static void temporary_file_of_a_dead_process_is_no_obstacle(void **state) {
        char name[64];
        int fd;

        (void)state;
        open_made();
        (void)snprintf(name, sizeof(name), ".new-%d", (int)getpid());
        fd = openat(dir.fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0 && close(fd) == 0);
        assert_int_equal(config_file_write(&dir, "a.pem", "text", 4, false), 0);
        assert_int_equal(files_in("etc/trust.d"), 1);
        config_dir_close(&dir);
}

static void unsafe_directory_is_refused(void **state) {
        static const char *const names[] = {"etc", "etc/trust.d"};

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                open_made();
                config_dir_close(&dir);
                assert_int_equal(chmod(path_of(names[i]), 0775), 0);
                assert_int_equal(config_dir_open(parent, "trust.d", true, &dir), -EPERM);
                assert_int_equal(chmod(path_of(names[i]), 0755), 0);
                assert_int_equal(chown(path_of(names[i]), 60001, 0), 0);
                assert_int_equal(config_dir_open(parent, "trust.d", true, &dir), -EPERM);
                assert_int_equal(chown(path_of(names[i]), 0, 0), 0);
        }
}

static void link_in_place_of_a_directory_is_refused(void **state) {
        (void)state;
        assert_int_equal(mkdir(path_of("real"), 0755), 0);
        assert_int_equal(symlink("real", parent), 0);
        assert_int_equal(config_dir_open(parent, NULL, true, &dir), -ENOTDIR);
        assert_int_equal(unlink(parent), 0);
        assert_int_equal(mkdir(parent, 0755), 0);
        assert_int_equal(symlink("../real", path_of("etc/trust.d")), 0);
        assert_int_equal(config_dir_open(parent, "trust.d", true, &dir), -ENOTDIR);
        assert_int_equal(files_in("real"), 0);
}

static void file_is_removed(void **state) {
        (void)state;
        open_made();
        assert_int_equal(config_file_remove(&dir, "a.pem"), -ENOENT);
        assert_int_equal(config_file_write(&dir, "a.pem", "", 0, false), 0);
        assert_int_equal(config_file_remove(&dir, "a.pem"), 0);
        assert_false(config_file_exists(&dir, "a.pem"));
        config_dir_close(&dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(modes_do_not_depend_on_the_umask),
                TEST(missing_directory_is_made_only_where_asked),
                TEST(file_is_replaced_only_where_asked),
                TEST(link_is_replaced),
                TEST(failed_write_changes_nothing),
                TEST(short_write_is_continued),
                TEST(temporary_file_of_a_dead_process_is_no_obstacle),
                TEST(unsafe_directory_is_refused),
                TEST(link_in_place_of_a_directory_is_refused),
                TEST(file_is_removed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
