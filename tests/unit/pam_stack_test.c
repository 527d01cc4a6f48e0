/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/pam_stack.h"

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

/* /etc/pam.d/common-account of Debian, without its comments. */
#define COMMON                                                                                                         \
        "account\t[success=1 new_authtok_reqd=done default=ignore]\tpam_unix.so \n"                                    \
        "account\trequisite\t\t\tpam_deny.so\n"                                                                        \
        "account\trequired\t\t\tpam_permit.so\n"

static char directory[] = "/tmp/pam_stack_test.XXXXXX", second[sizeof(directory) + 8];
static const char *const directories[] = {directory, second, NULL};
static struct pam_stack stack;
static char why[PAM_WHY_MAX];

static int setup(void **state) {
        (void)state;
        (void)snprintf(directory, sizeof(directory), "/tmp/pam_stack_test.XXXXXX");
        if (!mkdtemp(directory))
                return -1;
        (void)snprintf(second, sizeof(second), "%s/second", directory);
        return mkdir(second, 0700);
}

static int teardown(void **state) {
        char command[sizeof(directory) + 16];

        (void)state;
        (void)snprintf(command, sizeof(command), "rm -r %s", directory);
        return system(command); /* NOLINT(cert-env33-c): a path of ours */
}

static void write_bytes(const char *name, const char *bytes, size_t n) {
        char path[256];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, bytes, n), n);
        (void)close(fd);
}

static void write_file(const char *name, const char *text) {
        write_bytes(name, text, strlen(text));
}

static void read_stack(void) {
        assert_int_equal(pam_stack_read(directories, "sshd", &stack, why), 0);
}

static void read_text(const char *text) {
        write_file("sshd", text);
        read_stack();
}

/* Its modules, with a blank behind each. */
static void assert_modules(const char *expected) {
        char modules[1024] = "";

        for (size_t i = 0; i < stack.n; i++)
                (void)snprintf(modules + strlen(modules), sizeof(modules) - strlen(modules), "%s ",
                               stack.entry[i].module);
        assert_string_equal(modules, expected);
}

static void account_lines_are_read_in_order(void **state) {
        char path[256];

        (void)state;
        write_file("common-auth", "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\n");
        write_file("common-account", "# comment\n\n" COMMON);
        read_text("@include common-auth\naccount    required     pam_nologin.so\n"
                  "# account  required     pam_access.so\n@include common-account\n"
                  "session [success=ok default=bad] pam_selinux.so close\n-session optional pam_systemd.so\n");
        assert_modules("pam_nologin.so pam_unix.so pam_deny.so pam_permit.so ");
        (void)snprintf(path, sizeof(path), "%s/common-account", directory);
        assert_string_equal(stack.entry[1].file, path);
        assert_int_equal(stack.entry[1].line, 3);
        assert_int_equal(stack.entry[0].line, 2);
}

static void comments_joined_lines_and_odd_blanks_are_libpams(void **state) {
        (void)state;
        read_text("  account\trequired pam_a.so one two # three\n"
                  "account \\\n  required \\\n\tpam_b.so last\\\n"
                  "# comment \\\n"
                  "-ACCOUNT Required pam_c.so\n"
                  "account required pam_d.so#e\n"
                  "accounts required pam_f.so\n"
                  "account required pam_g.so \\");
        assert_modules("pam_a.so pam_b.so pam_c.so pam_d.so pam_g.so ");
        assert_string_equal(stack.entry[0].arguments, "one two");
        assert_string_equal(stack.entry[1].arguments, "last ");
        assert_int_equal(stack.entry[2].line, 6);
        assert_int_equal(stack.entry[2].action[PAM_AUTH_ERR], PAM_ACTION_BAD);
}

static void files_are_included_for_the_stage_alone(void **state) {
        char text[512];

        (void)state;
        write_file("second/vendor", "account required pam_vendor.so\n");
        write_file("both", "auth required pam_x.so\naccount required pam_y.so\n");
        write_file("deep", "account include both\nsession include both\n");
        (void)snprintf(text, sizeof(text),
                       "auth include both\naccount include deep\naccount substack %s/both\n@include both\n"
                       "account include vendor\n",
                       directory);
        read_text(text);
        assert_modules("pam_y.so pam_y.so pam_y.so pam_vendor.so ");
}

/* PAM refuses there, so it is a module that fails. */
static void lines_that_pam_cannot_use_are_modules_that_fail(void **state) {
        (void)state;
        write_file("loop", "account include loop\n");
        read_text("account\naccount required\naccount include missing\naccount include loop\naccount include\n"
                  "account required pam_a.so\n");
        assert_modules("     pam_a.so ");
        for (size_t i = 0; i < 5; i++)
                assert_int_equal(stack.entry[i].action[PAM_SUCCESS], PAM_ACTION_BAD);
        assert_ptr_equal(pam_stack_with_effects(&stack), &stack.entry[5]);
}

static void service_without_account_lines_has_those_of_other(void **state) {
        (void)state;
        read_stack();
        assert_int_equal(stack.n, 0);
        write_file("second/other", "account required pam_deny.so\n");
        read_stack();
        assert_modules("pam_deny.so ");
        read_text("auth required pam_permit.so\n");
        assert_modules("pam_deny.so ");
        read_text("account required pam_permit.so\n");
        assert_modules("pam_permit.so ");
}

static void assert_actions(const char *control, int success, int change, int ignore, int refused) {
        char text[256];

        (void)snprintf(text, sizeof(text), "account %s pam_a.so\n", control);
        read_text(text);
        assert_modules("pam_a.so ");
        assert_int_equal(stack.entry[0].action[PAM_SUCCESS], success);
        assert_int_equal(stack.entry[0].action[PAM_NEW_AUTHTOK_REQD], change);
        assert_int_equal(stack.entry[0].action[PAM_IGNORE], ignore);
        assert_int_equal(stack.entry[0].action[PAM_AUTHTOK_EXPIRED], refused);
}

static void controls_are_what_pam_makes_of_them(void **state) {
        enum { IGNORE, OK = PAM_ACTION_OK, DONE = PAM_ACTION_DONE, BAD = PAM_ACTION_BAD, DIE = PAM_ACTION_DIE };

        (void)state;
        assert_actions("required", OK, OK, IGNORE, BAD);
        assert_actions("REQUISITE", OK, OK, IGNORE, DIE);
        assert_actions("optional", OK, OK, IGNORE, IGNORE);
        assert_actions("sufficient", DONE, DONE, IGNORE, IGNORE);
        assert_actions("[success=1 new_authtok_reqd=done default=ignore]", 1, DONE, IGNORE, IGNORE);
        assert_actions("[ success = ok\tignore=ignore default=bad ]", OK, BAD, IGNORE, BAD);
        assert_actions("[default=reset success=12]", 12, PAM_ACTION_RESET, PAM_ACTION_RESET, PAM_ACTION_RESET);
        assert_actions("[success=okauthtok_expired=die]", OK, BAD, BAD, DIE);
        assert_actions("[success=ok]", OK, BAD, BAD, BAD);
        assert_actions("[]", BAD, BAD, BAD, BAD);
        /* None of these is understood, and then all is bad. */
        assert_actions("[success=0 default=ignore]", BAD, BAD, BAD, BAD);
        assert_actions("[success=okay]", BAD, BAD, BAD, BAD);
        assert_actions("[success ok]", BAD, BAD, BAD, BAD);
        assert_actions("[success=]", BAD, BAD, BAD, BAD);
        assert_actions("[success=99999999999999999999]", BAD, BAD, BAD, BAD);
        assert_actions("needed", BAD, BAD, BAD, BAD);
}

static void assert_effects(const char *text, const char *module) {
        const struct pam_entry *entry;

        read_text(text);
        entry = pam_stack_with_effects(&stack);
        assert_string_equal(entry ? entry->module : "none", module);
}

static void module_with_effects_is_named(void **state) {
        (void)state;
        assert_effects("account required pam_nologin.so\n" COMMON "account required pam_access.so\n", "none");
        assert_effects(COMMON "account required pam_faillock.so\naccount required pam_exec.so /bin/x\n",
                       "pam_faillock.so");
        assert_effects(COMMON "account required pam_tally2.so\n", "pam_tally2.so");
        assert_effects(COMMON "account [default=bad success=ok user_unknown=ignore] pam_sss.so\n", "pam_sss.so");
        assert_effects("account required /opt/pam_unix.so\n", "/opt/pam_unix.so");
        assert_effects("account required pam_unix.so.1\n", "pam_unix.so.1");
}

static void assert_about_client(const char *line, bool expected) {
        read_text(line);
        assert_int_equal(pam_stack_about_client(&stack) != NULL, expected);
}

static void module_that_looks_at_the_client_is_named(void **state) {
        (void)state;
        assert_about_client(COMMON, false);
        assert_about_client("account required pam_access.so accessfile=/etc/a\n", true);
        assert_about_client("account required pam_succeed_if.so rhost = 192.0.2.1\n", true);
        assert_about_client("account required pam_succeed_if.so uid >= 1000\n", false);
        assert_about_client("account required pam_listfile.so item=rhost sense=allow file=/etc/a\n", true);
        assert_about_client("account required pam_listfile.so item=user sense=allow file=/etc/a\n", false);
}

static void assert_heeds(const char *text, bool change, bool refused) {
        read_text(text);
        assert_int_equal(pam_stack_heeds(&stack, PAM_NEW_AUTHTOK_REQD), change);
        assert_int_equal(pam_stack_heeds(&stack, PAM_AUTHTOK_EXPIRED), refused);
}

static void what_pam_unix_says_counts_where_nothing_can_outdo_it(void **state) {
        (void)state;
        assert_heeds("account required pam_nologin.so\n" COMMON "account required pam_faillock.so\n", true, true);
        assert_heeds("account required pam_unix.so\naccount sufficient pam_localuser.so\n", true, true);
        assert_heeds("account requisite pam_unix.so\n", true, true);
        assert_heeds("account optional pam_unix.so\n", true, false);
        assert_heeds("account sufficient pam_unix.so\naccount required pam_permit.so\n", true, false);
        assert_heeds("account sufficient pam_unix.so\naccount required pam_deny.so\n", true, true);
        assert_heeds("account sufficient pam_unix.so\naccount optional pam_deny.so\n", true, false);
        /* Another module may let the user in, before or after. */
        assert_heeds("account sufficient pam_sss.so\n" COMMON, false, false);
        assert_heeds("account [success=3 default=ignore] pam_sss.so\n" COMMON, false, false);
        assert_heeds("account [success=2 new_authtok_reqd=done default=ignore] pam_unix.so\n"
                     "account [success=1 default=ignore] pam_ldap.so\naccount requisite pam_deny.so\n",
                     true, false);
        assert_heeds("account [success=ok default=1] pam_unix.so\naccount required pam_deny.so\n", false, false);
        assert_heeds("account required pam_unix.so\naccount [success=reset default=ignore] pam_a.so\n", false, false);
        assert_heeds("account required /opt/pam_unix.so\n", false, false);
        assert_heeds("account required pam_permit.so\n", false, false);
        assert_heeds("", false, false);
}

static void what_does_not_fit_or_hides_a_line_is_an_error(void **state) {
        static const char nul[] = "account required pam_permit.so\n\0\naccount required pam_exec.so\n";
        static char text[64 * 1024];

        (void)state;
        for (int i = 0; i < PAM_ENTRIES_MAX; i++)
                (void)snprintf(text + strlen(text), 64, "account required pam_permit.so\n");
        read_text(text);
        assert_int_equal(stack.n, PAM_ENTRIES_MAX);
        (void)snprintf(text + strlen(text), 64, "account required pam_exec.so\n");
        write_file("sshd", text);
        assert_int_equal(pam_stack_read(directories, "sshd", &stack, why), -E2BIG);
        assert_non_null(strstr(why, "/sshd line 65: too many modules"));
        (void)snprintf(text, sizeof(text), "account required pam_%0200d.so\n", 0);
        write_file("sshd", text);
        assert_int_equal(pam_stack_read(directories, "sshd", &stack, why), -E2BIG);
        (void)snprintf(text, sizeof(text), "account required pam_a.so %0600d\n", 0);
        write_file("sshd", text);
        assert_int_equal(pam_stack_read(directories, "sshd", &stack, why), -E2BIG);
        write_bytes("sshd", nul, sizeof(nul) - 1);
        assert_int_equal(pam_stack_read(directories, "sshd", &stack, why), -EBADMSG);
        assert_int_equal(pam_stack_read(directories, "second", &stack, why), -EBADF);
        assert_non_null(strstr(why, "/second: is no file"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(account_lines_are_read_in_order, setup, teardown),
                cmocka_unit_test_setup_teardown(comments_joined_lines_and_odd_blanks_are_libpams, setup, teardown),
                cmocka_unit_test_setup_teardown(files_are_included_for_the_stage_alone, setup, teardown),
                cmocka_unit_test_setup_teardown(lines_that_pam_cannot_use_are_modules_that_fail, setup, teardown),
                cmocka_unit_test_setup_teardown(service_without_account_lines_has_those_of_other, setup, teardown),
                cmocka_unit_test_setup_teardown(controls_are_what_pam_makes_of_them, setup, teardown),
                cmocka_unit_test_setup_teardown(module_with_effects_is_named, setup, teardown),
                cmocka_unit_test_setup_teardown(module_that_looks_at_the_client_is_named, setup, teardown),
                cmocka_unit_test_setup_teardown(what_pam_unix_says_counts_where_nothing_can_outdo_it, setup, teardown),
                cmocka_unit_test_setup_teardown(what_does_not_fit_or_hides_a_line_is_an_error, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
