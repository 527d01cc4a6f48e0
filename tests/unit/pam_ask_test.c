/* SPDX-License-Identifier: Apache-2.0 */
/* With this machine's PAM, and services of our own. */
#include "admin/doctor/pam_ask.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/doctor/pam_stack.h"
#include "tests/unit/sshd_world.h"

enum {
        LONG_MS = 60 * 1000,
        SHORT_MS = 1000,
};

static struct pam_answer answer;

/* A tmpfs where PAM looks for services, in a mount namespace of this process. */
static int setup_once(void **state) {
        (void)state;
        scratch_mount_namespace();
        return mount("tmpfs", "/etc/pam.d", "tmpfs", 0, NULL);
}

static int ask(const char *text, int timeout_ms) {
        world_write("/etc/pam.d/test", text);
        world_write("/etc/pam.d/other", "account required pam_deny.so\n");
        memset(&answer, 0, sizeof(answer));
        return pam_ask("test", "root", "192.0.2.7", timeout_ms, &answer);
}

static void answer_is_pams(void **state) {
        (void)state;
        assert_int_equal(ask("account required pam_permit.so\n", LONG_MS), 0);
        assert_int_equal(answer.code, PAM_SUCCESS);
        assert_int_equal(ask("account required pam_deny.so\n", LONG_MS), 0);
        assert_int_equal(answer.code, PAM_AUTH_ERR);
        assert_string_equal(answer.text, "Authentication failure");
        assert_int_equal(ask("auth required pam_permit.so\n", LONG_MS), 0);
        assert_int_equal(answer.code, PAM_AUTH_ERR);
}

static void user_client_and_tty_are_sshds(void **state) {
        (void)state;
        assert_int_equal(ask("account required pam_succeed_if.so user = root rhost = 192.0.2.7 tty = ssh\n", LONG_MS),
                         0);
        assert_int_equal(answer.code, PAM_SUCCESS);
        assert_int_equal(ask("account required pam_succeed_if.so rhost = 192.0.2.8\n", LONG_MS), 0);
        assert_int_not_equal(answer.code, PAM_SUCCESS);
}

static void message_of_a_module_is_kept(void **state) {
        (void)state;
        assert_int_equal(ask("account optional pam_exec.so stdout /bin/echo closed today\n"
                             "account required pam_deny.so\n",
                             LONG_MS),
                         0);
        assert_int_equal(answer.code, PAM_AUTH_ERR);
        assert_non_null(strstr(answer.message, "closed today"));
}

static void module_that_hangs_is_not_waited_for(void **state) {
        (void)state;
        assert_int_equal(ask("account required pam_exec.so /bin/sleep 1000\n", SHORT_MS), -ETIMEDOUT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(answer_is_pams),
                cmocka_unit_test(user_client_and_tty_are_sshds),
                cmocka_unit_test(message_of_a_module_is_kept),
                cmocka_unit_test(module_that_hangs_is_not_waited_for),
        };

        return cmocka_run_group_tests(tests, setup_once, NULL);
}
