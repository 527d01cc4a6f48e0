/* SPDX-License-Identifier: Apache-2.0 */
/* Runs as root, in a folder that is root's alone up to /: nothing below /tmp is. */
#include "admin/doctor/path_check.h"

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

static char folder[64], program[128], bin[96], other[128];

static int setup(void **state) {
        int fd;

        (void)state;
        strcpy(folder, "/root/path_check.XXXXXX");
        if (!mkdtemp(folder) || chmod(folder, 0755) < 0)
                return -1;
        (void)snprintf(bin, sizeof(bin), "%s/bin", folder);
        (void)snprintf(program, sizeof(program), "%s/program", bin);
        (void)snprintf(other, sizeof(other), "%s/other", folder);
        fd = mkdir(bin, 0755) < 0 ? -1 : open(program, O_WRONLY | O_CREAT | O_CLOEXEC, 0711);
        return fd < 0 || close(fd) < 0 || chmod(program, 0711) < 0 ? -1 : 0;
}

static int teardown(void **state) {
        char command[128];

        (void)state;
        (void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
        return system(command);
}

static void assert_fault(const char *path, enum path_fault fault, const char *at) {
        struct path_check check;

        path_check(path, &check);
        assert_int_equal(check.fault, fault);
        assert_string_equal(check.at, at);
}

static void what_only_root_can_change_is_safe(void **state) {
        struct path_check check;

        (void)state;
        path_check(program, &check);
        assert_int_equal(check.fault, PATH_SAFE);
        assert_string_equal(check.at, program);
        assert_int_equal(check.mode, 0711);
}

static void a_program_that_others_own_or_write_is_named(void **state) {
        (void)state;
        assert_int_equal(chmod(program, 0775), 0);
        assert_fault(program, PATH_WRITABLE, program);
        assert_int_equal(chmod(program, 0757), 0);
        assert_fault(program, PATH_WRITABLE, program);
        assert_int_equal(chown(program, 1, 0), 0);
        assert_fault(program, PATH_FOREIGN, program);
}

static void so_is_a_folder_above_it(void **state) {
        (void)state;
        assert_int_equal(chmod(folder, 0777), 0);
        assert_fault(program, PATH_WRITABLE, folder);
        assert_int_equal(chown(bin, 1, 0), 0);
        assert_fault(program, PATH_FOREIGN, bin);
}

static void a_link_is_judged_by_what_it_leads_to(void **state) {
        (void)state;
        assert_int_equal(symlink(program, other), 0);
        assert_fault(other, PATH_SAFE, program);
        assert_int_equal(chmod(bin, 0777), 0);
        assert_fault(other, PATH_WRITABLE, bin);
}

static void what_is_missing_is_told_with_its_reason(void **state) {
        struct path_check check;

        (void)state;
        path_check(other, &check);
        assert_int_equal(check.fault, PATH_MISSING);
        assert_int_equal(check.error, ENOENT);
        assert_string_equal(check.at, other);
        path_check("program", &check);
        assert_int_equal(check.fault, PATH_RELATIVE);
}

/* And none of them is opened: a FIFO would hang. */
static void only_a_regular_file_is_a_program(void **state) {
        (void)state;
        assert_fault(bin, PATH_NOT_REGULAR, bin);
        assert_int_equal(mkfifo(other, 0755), 0);
        assert_fault(other, PATH_NOT_REGULAR, other);
        assert_fault("/dev/null", PATH_NOT_REGULAR, "/dev/null");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_only_root_can_change_is_safe, setup, teardown),
                cmocka_unit_test_setup_teardown(a_program_that_others_own_or_write_is_named, setup, teardown),
                cmocka_unit_test_setup_teardown(so_is_a_folder_above_it, setup, teardown),
                cmocka_unit_test_setup_teardown(a_link_is_judged_by_what_it_leads_to, setup, teardown),
                cmocka_unit_test_setup_teardown(what_is_missing_is_told_with_its_reason, setup, teardown),
                cmocka_unit_test_setup_teardown(only_a_regular_file_is_a_program, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
