/* SPDX-License-Identifier: Apache-2.0 */
/* Runs as root, in a directory that is root's alone up to /: nothing below /tmp is. */
#include "common/safe_path.h"

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
#include <unistd.h>

#include <cmocka.h>

static char directory[64], program[128], bin[96], other[128];

static int setup(void **state) {
        int fd;

        (void)state;
        strcpy(directory, "/root/safe_path.XXXXXX");
        if (!mkdtemp(directory) || chmod(directory, 0755) < 0)
                return -1;
        (void)snprintf(bin, sizeof(bin), "%s/bin", directory);
        (void)snprintf(program, sizeof(program), "%s/program", bin);
        (void)snprintf(other, sizeof(other), "%s/other", directory);
        fd = mkdir(bin, 0755) < 0 ? -1 : open(program, O_WRONLY | O_CREAT | O_CLOEXEC, 0711);
        return fd < 0 || close(fd) < 0 || chmod(program, 0711) < 0 ? -1 : 0;
}

static int teardown(void **state) {
        char command[128];

        (void)state;
        (void)snprintf(command, sizeof(command), "rm -rf '%s'", directory);
        return system(command);
}

static void assert_fault(const char *path, enum safe_path_fault fault, const char *at) {
        struct safe_path result;

        assert_int_equal(safe_path(path, &result), fault == SAFE_PATH_OK || fault == SAFE_PATH_ROOT_GROUP);
        assert_int_equal(result.fault, fault);
        assert_string_equal(result.at, at);
        assert_true(strlen(safe_path_text(&result)) > 0);
}

static void program_of_root_is_safe(void **state) {
        struct safe_path result;

        (void)state;
        assert_true(safe_path(program, &result));
        assert_int_equal(result.fault, SAFE_PATH_OK);
        assert_string_equal(result.at, program);
        assert_string_equal(result.program, program);
        assert_int_equal(result.mode, 0711);
        assert_int_equal(result.program_mode, 0711);
}

static void program_that_others_own_or_write_is_unsafe(void **state) {
        (void)state;
        assert_int_equal(chmod(program, 0757), 0);
        assert_fault(program, SAFE_PATH_WRITABLE, program);
        assert_int_equal(chmod(program, 0775), 0);
        assert_int_equal(chown(program, 0, 1), 0);
        assert_fault(program, SAFE_PATH_WRITABLE, program);
        assert_int_equal(chown(program, 1, 0), 0);
        assert_fault(program, SAFE_PATH_FOREIGN, program);
}

/* As Debian's sshd: it runs such a command, so what runs in its place must run it too. */
static void group_root_may_write(void **state) {
        struct safe_path result;

        (void)state;
        assert_int_equal(chmod(program, 0775), 0);
        assert_fault(program, SAFE_PATH_ROOT_GROUP, program);
        assert_int_equal(chmod(program, 0711), 0);
        assert_int_equal(chmod(bin, 0775), 0);
        assert_true(safe_path(program, &result));
        assert_string_equal(result.at, bin);
        assert_int_equal(result.mode, 0775);
        assert_string_equal(result.program, program);
        assert_int_equal(result.program_mode, 0711);
        /* A worse fault further up is the one that counts. */
        assert_int_equal(chmod(directory, 0757), 0);
        assert_fault(program, SAFE_PATH_WRITABLE, directory);
}

static void directories_above_are_checked(void **state) {
        (void)state;
        assert_int_equal(chmod(directory, 0777), 0);
        assert_fault(program, SAFE_PATH_WRITABLE, directory);
        assert_int_equal(chown(bin, 1, 0), 0);
        assert_fault(program, SAFE_PATH_FOREIGN, bin);
}

static void link_is_checked_by_its_target(void **state) {
        (void)state;
        assert_int_equal(symlink(program, other), 0);
        assert_fault(other, SAFE_PATH_OK, program);
        assert_int_equal(chmod(bin, 0777), 0);
        assert_fault(other, SAFE_PATH_WRITABLE, bin);
}

static void missing_program_has_an_errno(void **state) {
        struct safe_path result;

        (void)state;
        assert_false(safe_path(other, &result));
        assert_int_equal(result.fault, SAFE_PATH_MISSING);
        assert_int_equal(result.error, ENOENT);
        assert_string_equal(result.at, other);
        assert_string_equal(result.program, "");
        assert_string_equal(safe_path_text(&result), strerror(ENOENT));
        assert_fault("program", SAFE_PATH_RELATIVE, "program");
        assert_fault("", SAFE_PATH_RELATIVE, "");
}

/* And none of them is opened: a FIFO would hang. */
static void only_a_regular_file_is_a_program(void **state) {
        (void)state;
        assert_fault(bin, SAFE_PATH_NOT_REGULAR, bin);
        assert_int_equal(mkfifo(other, 0755), 0);
        assert_fault(other, SAFE_PATH_NOT_REGULAR, other);
        assert_fault("/dev/null", SAFE_PATH_NOT_REGULAR, "/dev/null");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(program_of_root_is_safe, setup, teardown),
                cmocka_unit_test_setup_teardown(program_that_others_own_or_write_is_unsafe, setup, teardown),
                cmocka_unit_test_setup_teardown(group_root_may_write, setup, teardown),
                cmocka_unit_test_setup_teardown(directories_above_are_checked, setup, teardown),
                cmocka_unit_test_setup_teardown(link_is_checked_by_its_target, setup, teardown),
                cmocka_unit_test_setup_teardown(missing_program_has_an_errno, setup, teardown),
                cmocka_unit_test_setup_teardown(only_a_regular_file_is_a_program, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
