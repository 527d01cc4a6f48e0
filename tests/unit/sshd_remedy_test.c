/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/sshd_remedy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/sshd_world.h"

#define OF_X "-o 'AuthorizedKeysCommand /bin/x %u' -oAuthorizedKeysCommandUser=nobody"

/* What is told of a service whose variable has that value: the lines about the variable. */
static void assert_told(const char *value, const char *expected) {
        char name[] = "ssh.service", root[] = "/etc/ssh/sshd_config", text[1024], *told;
        struct sshd_service service = {.name = name};
        struct sshd_config *config = calloc(1, sizeof(*config));
        struct config_pair pair = {.command = NULL};
        char *from, *to;

        assert_non_null(config);
        config->root = root;
        world_reset("");
        world_write(WORLD_UNITS "/ssh.service",
                    "[Service]\nEnvironmentFile=/run/default\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n");
        (void)snprintf(text, sizeof(text), "SSHD_OPTS=%s\n", value);
        world_write("/run/default", text);
        told = remedy_option(&service, config, &pair, "ours.conf");
        assert_non_null(told);
        from = strstr(told, "\nIn /run/default");
        assert_non_null(from);
        to = strstr(from, "Then run: systemctl daemon-reload");
        assert_non_null(to);
        assert_int_equal(to - from, strlen(expected));
        assert_memory_equal(from, expected, strlen(expected));
        free(told);
        free(config);
}

static void a_variable_is_written_anew_without_the_two(void **state) {
        (void)state;
        assert_told("\"" OF_X "\"", "\nIn /run/default, change SSHD_OPTS to:\n\n    SSHD_OPTS=\"\"\n\n");
        assert_told("\"-4 " OF_X " -o 'Banner /a b' -o ''\"",
                    "\nIn /run/default, change SSHD_OPTS to:\n\n    SSHD_OPTS=\"-4 -o 'Banner /a b' -o ''\"\n\n");
}

/* Two readers take quotes away: that of the file, and that of the command line. */
static void what_quotes_are_in_is_not_written_anew(void **state) {
        static const char *const kept[] = {
                "-o 'ForceCommand echo \\\"a  b\\\"'",
                "-o \\\"Banner /etc/it's\\\"",
                "-o 'Banner /a\\\\\\\\b'",
        };
        char value[512];

        (void)state;
        for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
                (void)snprintf(value, sizeof(value), "\"-4 %s %s\"", OF_X, kept[i]);
                assert_told(value, "\nIn /run/default, take out of SSHD_OPTS:\n\n"
                                   "    -o AuthorizedKeysCommand /bin/x %u\n"
                                   "    -oAuthorizedKeysCommandUser=nobody\n\n");
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_variable_is_written_anew_without_the_two),
                cmocka_unit_test(what_quotes_are_in_is_not_written_anew),
        };

        world_make();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
