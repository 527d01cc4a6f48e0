/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/own_files.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/unit/sshd_world.h"

#define SSHD_CONFIG_D "/etc/ssh/sshd_config.d"

#define LOCK "/run/exc-instance-connect-sshd.lock"

static char why[SSHD_WHY_MAX];
static char one[] = "AuthorizedKeysCommand /bin/one\n", two[] = "AuthorizedKeysCommand /bin/two\n", bad[] = "Bad\n";

static void assert_file(const char *path, const char *expected) {
        char *text;

        if (!expected) {
                assert_false(world_has(path));
                return;
        }
        text = world_read(path);
        assert_string_equal(text, expected);
        free(text);
}

static void assert_no_other_file(const char *count) {
        char command[128];

        (void)snprintf(command, sizeof(command), "test $(find " SSHD_CONFIG_D " -type f | wc -l) = %s", count);
        assert_int_equal(system(command), 0);
}

static void files_are_written_and_taken_away(void **state) {
        struct own_files before = {.text = {NULL}}, after = {.text = {[0] = one, [4] = two}};
        struct stat st;

        (void)state;
        world_reset("");
        (void)umask(0077);
        assert_int_equal(own_files_change(&before, &after, why), 0);
        (void)umask(0022);
        assert_file(drop_in_paths[0], one);
        assert_file(drop_in_paths[4], two);
        assert_int_equal(stat(drop_in_paths[0], &st), 0);
        assert_int_equal(st.st_mode, S_IFREG | 0644);
        assert_int_equal(st.st_uid, 0);
        before = after;
        after = (struct own_files){.text = {[1] = one, [4] = one}};
        assert_int_equal(own_files_change(&before, &after, why), 0);
        assert_file(drop_in_paths[0], NULL);
        assert_file(drop_in_paths[1], one);
        assert_file(drop_in_paths[4], one);
        assert_no_other_file("2");
}

static void what_sshd_does_not_take_gets_no_name(void **state) {
        struct own_files before = {.text = {[0] = one}}, after = {.text = {[0] = two, [3] = bad}};

        (void)state;
        world_reset("");
        world_write(drop_in_paths[0], one);
        assert_int_equal(own_files_change(&before, &after, why), -EIO);
        assert_non_null(strstr(why, "Bad configuration option"));
        assert_file(drop_in_paths[0], one);
        assert_file(drop_in_paths[3], NULL);
        assert_no_other_file("1");
}

static void the_directory_is_made_and_must_be_roots(void **state) {
        struct own_files before = {.text = {NULL}}, after = {.text = {[0] = one}};
        struct stat st;

        (void)state;
        world_reset("");
        assert_int_equal(rmdir(SSHD_CONFIG_D), 0);
        assert_int_equal(own_files_change(&before, &before, why), 0);
        assert_false(world_has(SSHD_CONFIG_D));
        assert_int_equal(own_files_change(&before, &after, why), 0);
        assert_int_equal(stat(SSHD_CONFIG_D, &st), 0);
        assert_int_equal(st.st_mode, S_IFDIR | 0755);
        world_reset("");
        assert_int_equal(chmod(SSHD_CONFIG_D, 0775), 0);
        assert_int_equal(own_files_change(&before, &after, why), -EPERM);
        assert_string_equal(why, SSHD_CONFIG_D ": can be written by others than root");
        assert_int_equal(chown(SSHD_CONFIG_D, 60003, 0), 0);
        assert_int_equal(own_files_change(&before, &after, why), -EPERM);
        assert_string_equal(why, SSHD_CONFIG_D ": does not belong to root");
        assert_int_equal(rmdir(SSHD_CONFIG_D), 0);
        world_write(SSHD_CONFIG_D, "");
        assert_int_equal(own_files_change(&before, &after, why), -ENOTDIR);
}

static void on_a_full_disk_nothing_changes(void **state) {
        struct own_files before = {.text = {[0] = one}}, after = {.text = {[0] = two, [3] = one}};

        (void)state;
        world_reset("");
        assert_int_equal(mount("tmpfs", SSHD_CONFIG_D, "tmpfs", 0, "mode=0755,nr_inodes=3"), 0);
        world_write(drop_in_paths[0], one);
        world_write(SSHD_CONFIG_D "/other", "");
        assert_int_equal(own_files_change(&before, &after, why), -ENOSPC);
        assert_file(drop_in_paths[0], one);
        assert_no_other_file("2");
        assert_int_equal(mount(NULL, SSHD_CONFIG_D, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
        assert_int_equal(own_files_change(&before, &after, why), -EROFS);
        after = (struct own_files){.text = {NULL}};
        assert_int_equal(own_files_change(&before, &after, why), -EROFS);
        assert_file(drop_in_paths[0], one);
        assert_int_equal(umount2(SSHD_CONFIG_D, MNT_DETACH), 0);
}

static void what_is_on_disk_is_loaded(void **state) {
        struct own_files files, disabled, copy;

        (void)state;
        world_reset("");
        world_write(drop_in_paths[1], one);
        world_write(SSHD_CONFIG_D "/.exc-instance-connect.chain-8.disabled", two);
        assert_int_equal(own_files_load(&files, &disabled, why), 0);
        assert_string_equal(files.text[1], one);
        assert_string_equal(disabled.text[DROP_IN_FILES - 1], two);
        assert_null(files.text[0]);
        assert_true(own_files_copy(&files, &copy));
        assert_string_equal(copy.text[1], one);
        own_files_clear(&files);
        own_files_clear(&disabled);
        own_files_clear(&copy);
        assert_int_equal(rmdir(SSHD_CONFIG_D), -1);
        world_reset("");
        assert_int_equal(rmdir(SSHD_CONFIG_D), 0);
        assert_int_equal(own_files_load(&files, &disabled, why), 0);
        world_write(SSHD_CONFIG_D, "");
        assert_int_equal(own_files_load(&files, &disabled, why), 0);
}

static void assert_not_loaded(int error, const char *said) {
        struct own_files files, disabled;

        assert_int_equal(own_files_load(&files, &disabled, why), error);
        assert_non_null(strstr(why, said));
}

static void what_root_did_not_write_is_refused(void **state) {
        (void)state;
        world_reset("");
        assert_int_equal(symlink("/etc/passwd", drop_in_paths[0]), 0);
        assert_not_loaded(-EPERM, "10-exc-instance-connect.conf: is not a regular file");
        world_remove(drop_in_paths[0]);
        world_write(drop_in_paths[0], one);
        assert_int_equal(chmod(drop_in_paths[0], 0664), 0);
        assert_not_loaded(-EPERM, "can be written by others than root");
        assert_int_equal(chown(drop_in_paths[0], 60003, 0), 0);
        assert_not_loaded(-EPERM, "does not belong to root");
        world_remove(drop_in_paths[0]);
        assert_int_equal(mkfifo(SSHD_CONFIG_D "/.exc-instance-connect.chain-1.disabled", 0600), 0);
        assert_not_loaded(-EPERM, "chain-1.disabled: is not a regular file");
        world_remove(SSHD_CONFIG_D "/.exc-instance-connect.chain-1.disabled");
        world_write(drop_in_paths[0], "x");
        assert_int_equal(truncate(drop_in_paths[0], 2), 0);
        assert_not_loaded(-EBADMSG, "has a NUL in it");
        assert_int_equal(truncate(drop_in_paths[0], 2 * 1024 * 1024), 0);
        assert_not_loaded(-EFBIG, "File too large");
}

static void one_at_a_time_and_what_was_left_is_swept(void **state) {
        int fd, status;
        pid_t child;

        (void)state;
        world_reset("");
        world_write(SSHD_CONFIG_D "/.exc-instance-connect-abcdef", "half");
        fd = own_files_lock(why);
        assert_true(fd >= 0);
        assert_false(world_has(SSHD_CONFIG_D "/.exc-instance-connect-abcdef"));
        child = scratch_fork();
        if (child == 0) {
                /* Else it would hold the lock itself. */
                (void)close(fd);
                fd = own_files_lock(why);
                own_files_unlock(fd);
                scratch_exit(fd >= 0 ? 42 : 1);
        }
        assert_true(child > 0);
        assert_int_equal(usleep(300 * 1000), 0);
        assert_int_equal(waitpid(child, &status, WNOHANG), 0);
        own_files_unlock(fd);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(WEXITSTATUS(status), 42);
        assert_false(world_has(LOCK));
        /* Left by one that was killed. */
        world_write(LOCK, "");
        fd = own_files_lock(why);
        assert_true(fd >= 0);
        own_files_unlock(fd);
        assert_false(world_has(LOCK));
        own_files_unlock(-EBADF);
}

static void who_is_not_root_cannot_hold_it(void **state) {
        struct stat st;
        int fd;

        (void)state;
        world_reset("");
        fd = own_files_lock(why);
        assert_int_equal(stat(LOCK, &st), 0);
        assert_int_equal(st.st_mode, S_IFREG | 0600);
        own_files_unlock(fd);
        assert_int_equal(symlink("/run/elsewhere", LOCK), 0);
        assert_int_equal(own_files_lock(why), -ELOOP);
        assert_false(world_has("/run/elsewhere"));
}

static void nothing_that_was_put_aside_is_lost(void **state) {
        char path[256];

        (void)state;
        world_reset("");
        for (int i = 0; i < 3; i++) {
                world_write(drop_in_paths[0], i == 0 ? "first\n" : i == 1 ? "second\n" : "third\n");
                assert_int_equal(own_files_put_aside(0, why), 0);
        }
        (void)snprintf(path, sizeof(path), "%s/.%s.disabled", SSHD_CONFIG_D, drop_in_paths[0] + sizeof(SSHD_CONFIG_D));
        assert_file(path, "third\n");
        (void)snprintf(path, sizeof(path), "%s/.%s.disabled.1", SSHD_CONFIG_D,
                       drop_in_paths[0] + sizeof(SSHD_CONFIG_D));
        assert_file(path, "first\n");
        (void)snprintf(path, sizeof(path), "%s/.%s.disabled.2", SSHD_CONFIG_D,
                       drop_in_paths[0] + sizeof(SSHD_CONFIG_D));
        assert_file(path, "second\n");
        assert_int_equal(own_files_put_aside(0, why), -ENOENT);
        assert_int_equal(own_files_forget_disabled(0), 0);
        assert_int_equal(own_files_forget_disabled(0), 0);
        (void)snprintf(path, sizeof(path), "%s/.%s.disabled", SSHD_CONFIG_D, drop_in_paths[0] + sizeof(SSHD_CONFIG_D));
        assert_file(path, NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(files_are_written_and_taken_away),
                cmocka_unit_test(what_sshd_does_not_take_gets_no_name),
                cmocka_unit_test(the_directory_is_made_and_must_be_roots),
                cmocka_unit_test(on_a_full_disk_nothing_changes),
                cmocka_unit_test(what_is_on_disk_is_loaded),
                cmocka_unit_test(what_root_did_not_write_is_refused),
                cmocka_unit_test(one_at_a_time_and_what_was_left_is_swept),
                cmocka_unit_test(who_is_not_root_cannot_hold_it),
                cmocka_unit_test(nothing_that_was_put_aside_is_lost),
        };

        world_make();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
