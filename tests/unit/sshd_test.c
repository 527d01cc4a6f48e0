/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/sshd.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/sshd_world.h"

static char why[SSHD_WHY_MAX];

static void assert_command(char *const arguments[], const char *user, const char *command, const char *as) {
        struct sshd_keys_command said;

        assert_int_equal(sshd_keys_command(arguments, user, &said, why), 0);
        if (command)
                assert_string_equal(said.command, command);
        else
                assert_null(said.command);
        if (as)
                assert_string_equal(said.user, as);
        else
                assert_null(said.user);
        sshd_keys_command_clear(&said);
}

static void what_is_in_effect_is_read_in_either_spelling(void **state) {
        (void)state;
        world_reset("");
        assert_command(NULL, NULL, NULL, NULL);
        world_reset("AuthorizedKeysCommand /bin/x  'a b' %u\nAuthorizedKeysCommandUser nobody\n");
        assert_command(NULL, NULL, "/bin/x  'a b' %u", "nobody");
        world_write("/run/test/camel", "");
        assert_command(NULL, NULL, "/bin/x  'a b' %u", "nobody");
}

static void options_and_users_are_asked_about(void **state) {
        char file[] = "-f", path[] = "/etc/ssh/other", option[] = "-o", value[] = "AuthorizedKeysCommand /bin/o";
        char *arguments[] = {file, path, option, value, NULL};

        (void)state;
        world_reset("AuthorizedKeysCommand /bin/x\n");
        world_write(path, "AuthorizedKeysCommand /bin/y\nAuthorizedKeysCommandUser y\n");
        assert_command(arguments, NULL, "/bin/o", "y");
        arguments[2] = NULL;
        assert_command(arguments, NULL, "/bin/y", "y");
        world_write("/run/test/for-user", "authorizedkeyscommanduser u\nauthorizedkeyscommand /bin/z\n");
        assert_command(NULL, "alice", "/bin/z", "u");
        assert_command(NULL, NULL, "/bin/x", NULL);
}

/* One name for each thing that a Match line can ask about, or sshd does not answer. */
static void all_that_a_match_line_can_ask_is_said(void **state) {
        struct sshd_keys_command said = {.command = NULL};
        char *asked, name[600];

        (void)state;
        world_reset("");
        assert_command(NULL, "alice", NULL, NULL);
        asked = world_read("/run/test/asked");
        assert_non_null(
                strstr(asked, "-T -C user=alice,host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22,rdomain=\n"));
        free(asked);
        assert_int_equal(sshd_keys_command(NULL, "a,addr=192.0.2.1", &said, why), -EINVAL);
        memset(name, 'a', sizeof(name) - 1);
        name[sizeof(name) - 1] = '\0';
        assert_int_equal(sshd_keys_command(NULL, name, &said, why), -EINVAL);
        assert_null(said.command);
}

static void an_sshd_that_wants_a_port_gets_one(void **state) {
        char *asked;

        (void)state;
        world_reset("AuthorizedKeysCommand /bin/x\n");
        world_write("/run/test/needs-port", "");
        assert_command(NULL, NULL, "/bin/x", NULL);
        asked = world_read("/run/test/asked");
        assert_string_equal(asked, "-T\n-T -C lport=1\n");
        free(asked);
}

static void what_sshd_complains_of_is_one_line(void **state) {
        struct sshd_keys_command said = {.command = NULL};

        (void)state;
        world_reset("Bad\n");
        assert_int_equal(sshd_test(NULL, why), -EIO);
        assert_string_equal(why,
                            "/etc/ssh/sshd_config line 1: Bad configuration option; /etc/ssh/sshd_config: terminating");
        assert_int_equal(sshd_keys_command(NULL, NULL, &said, why), -EIO);
        assert_null(said.command);
        world_reset("");
        world_write("/run/test/silent", "");
        assert_int_equal(sshd_test(NULL, why), -EIO);
        assert_string_equal(why, "/usr/sbin/sshd -t failed and said nothing");
}

static void no_sshd_and_one_that_cannot_be_run_are_said(void **state) {
        (void)state;
        world_reset("");
        assert_int_equal(rename(SSHD_PROGRAM, SSHD_PROGRAM ".away"), 0);
        assert_int_equal(sshd_test(NULL, why), -ENOENT);
        assert_string_equal(why, "/usr/sbin/sshd is not installed");
        assert_int_equal(sshd_version(), -ENOENT);
        world_write(SSHD_PROGRAM, "no program");
        assert_int_equal(sshd_test(NULL, why), -EACCES);
        assert_non_null(strstr(why, "/usr/sbin/sshd cannot be run: "));
        assert_int_equal(rename(SSHD_PROGRAM ".away", SSHD_PROGRAM), 0);
}

static void the_directory_that_sshd_wants_is_there_while_it_is_asked(void **state) {
        (void)state;
        world_reset("AuthorizedKeysCommand /bin/x\n");
        world_write("/run/test/privsep", "");
        assert_int_equal(sshd_test(NULL, why), 0);
        assert_command(NULL, NULL, "/bin/x", NULL);
        assert_false(world_has("/run/sshd"));
        world_directory("/run/sshd");
        assert_int_equal(sshd_test(NULL, why), 0);
        assert_true(world_has("/run/sshd"));
        /* Where it can be made neither. */
        assert_int_equal(rmdir("/run/sshd"), 0);
        world_write("/run/sshd", "");
        assert_int_equal(sshd_test(NULL, why), -EIO);
}

/* An sshd that systemd starts meanwhile counts on it. */
static void where_systemd_runs_the_directory_is_not_taken_from_an_sshd_that_starts(void **state) {
        (void)state;
        world_reset("AuthorizedKeysCommand /bin/x\n");
        world_write("/run/test/privsep", "");
        world_directory("/run/systemd/system");
        assert_int_equal(sshd_test(NULL, why), 0);
        assert_true(world_has("/run/sshd"));
        assert_command(NULL, NULL, "/bin/x", NULL);
        assert_true(world_has("/run/sshd"));
}

static void all_that_sshd_tells_is_there_also_before_the_first_was_started(void **state) {
        char *text = NULL;

        (void)state;
        world_reset("AuthorizedKeysCommand /bin/x\n");
        world_write("/run/test/privsep", "");
        assert_int_equal(sshd_effective(NULL, "alice", &text, why), 0);
        assert_string_equal(text, "port 22\nauthorizedkeyscommand /bin/x\nauthorizedkeyscommanduser none\n");
        free(text);
        text = NULL;
        world_write("/run/test/silent", "");
        assert_int_equal(sshd_effective(NULL, "alice", &text, why), -EIO);
        assert_null(text);
        assert_string_equal(why, "/usr/sbin/sshd -T failed and said nothing");
}

static void without_host_keys_sshd_gets_one_that_is_thrown_away(void **state) {
        char *asked;

        (void)state;
        world_reset("AuthorizedKeysCommand /bin/x\n");
        world_write("/run/test/no-key", "");
        assert_command(NULL, NULL, "/bin/x", NULL);
        asked = world_read("/run/test/asked");
        assert_non_null(strstr(asked, "-T -h /run/exc-host-key-"));
        free(asked);
        assert_int_equal(system("test -z \"$(find /run -name 'exc-host-key*')\""), 0);
}

static void the_version_is_read_wherever_it_is_said(void **state) {
        static const struct {
                const char *text;
                int version;
        } cases[] = {
                {"OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.17 1 Jul 2025\n", 902},
                {"sshd: unknown option -- V\nOpenSSH_8.9p1 Ubuntu-3ubuntu0.10, OpenSSL 3.0.2 15 Mar 2022\nusage: "
                 "sshd\n",
                 809},
                {"OpenSSH_10.0p2 Debian-7, OpenSSL 3.5.1\n", 1000},
                {"OpenSSH_10.12\n", 1012},
                {"OpenSSH_", -EBADMSG},
                {"OpenSSH_9", -EBADMSG},
                {"OpenSSH_9.", -EBADMSG},
                {"OpenSSH_x.1", -EBADMSG},
                {"OpenSSH_999999999999.1", -EBADMSG},
                {"", -EBADMSG},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                world_reset("");
                world_write("/run/test/version", cases[i].text);
                assert_int_equal(sshd_version(), cases[i].version);
        }
}

static void more_arguments_than_fit_are_refused(void **state) {
        char option[] = "-o", *arguments[SSHD_ARGUMENTS_MAX + 2];

        (void)state;
        world_reset("");
        for (size_t i = 0; i <= SSHD_ARGUMENTS_MAX; i++)
                arguments[i] = option;
        arguments[SSHD_ARGUMENTS_MAX + 1] = NULL;
        assert_int_equal(sshd_test(arguments, why), -E2BIG);
}

static const struct sshd_service *find(const struct sshd_service *services, int n, const char *name) {
        for (int i = 0; i < n; i++)
                if (strcmp(services[i].name, name) == 0)
                        return services + i;
        return NULL;
}

static void services_that_run_sshd_are_found_with_their_options(void **state) {
        struct sshd_service services[SSHD_SERVICES_MAX];
        const struct sshd_service *one;
        int n;

        (void)state;
        world_reset("");
        assert_int_equal(sshd_services(services), 0);
        world_write(WORLD_UNITS "/ssh.service",
                    "[Service]\nEnvironmentFile=-/run/defaults\nExecStartPre=/usr/sbin/sshd -t\n"
                    "ExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n");
        world_write("/run/defaults", "SSHD_OPTS=\"-o 'Banner /a b' -p2222 -4o Port=1\"\n");
        world_write(WORLD_UNITS "/second.service",
                    "[Service]\nExecStart=-/usr/sbin/sshd -Df/etc/ssh/second -E /log -oUsePAM=no -- -o not\n");
        world_write(WORLD_UNITS "/inetd@.service", "[Service]\nExecStart=-/usr/sbin/sshd -i -e\n");
        world_write(WORLD_UNITS "/keygen.service", "[Service]\nExecStart=/usr/bin/ssh-keygen -A # for sshd\n");
        world_write(WORLD_UNITS "/instances@.service", "[Service]\nExecStart=/usr/sbin/sshd -D -f /etc/ssh/%i\n");
        n = sshd_services(services);
        assert_int_equal(n, 3);
        one = find(services, n, "ssh.service");
        assert_non_null(one);
        assert_string_equal(one->arguments[0], "-o");
        assert_string_equal(one->arguments[1], "Banner /a b");
        assert_string_equal(one->arguments[2], "-o");
        assert_string_equal(one->arguments[3], "Port=1");
        assert_null(one->arguments[4]);
        assert_false(one->active);
        assert_false(one->per_connection);
        one = find(services, n, "second.service");
        assert_non_null(one);
        assert_string_equal(one->arguments[0], "-f");
        assert_string_equal(one->arguments[1], "/etc/ssh/second");
        assert_string_equal(one->arguments[3], "UsePAM=no");
        assert_null(one->arguments[4]);
        one = find(services, n, "inetd@.service");
        assert_non_null(one);
        assert_true(one->per_connection);
        assert_null(one->arguments[0]);
        sshd_services_clear(services, (size_t)n);
}

static void too_many_services_or_options_are_refused(void **state) {
        struct sshd_service services[SSHD_SERVICES_MAX];
        char text[512] = "[Service]\nExecStart=/usr/sbin/sshd", path[128];

        (void)state;
        world_reset("");
        for (int i = 0; i <= SSHD_SERVICES_MAX; i++) {
                (void)snprintf(path, sizeof(path), WORLD_UNITS "/s%d%s.service", i, i % 2 == 0 ? "@" : "");
                world_write(path, "[Service]\nExecStart=/usr/sbin/sshd -i\n");
        }
        assert_int_equal(sshd_services(services), -E2BIG);
        world_reset("");
        for (int i = 0; i <= SSHD_ARGUMENTS_MAX / 2; i++)
                (void)strcat(text, " -o A=b");
        world_write(WORLD_UNITS "/ssh.service", text);
        assert_int_equal(sshd_services(services), -E2BIG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_in_effect_is_read_in_either_spelling),
                cmocka_unit_test(options_and_users_are_asked_about),
                cmocka_unit_test(all_that_a_match_line_can_ask_is_said),
                cmocka_unit_test(an_sshd_that_wants_a_port_gets_one),
                cmocka_unit_test(what_sshd_complains_of_is_one_line),
                cmocka_unit_test(no_sshd_and_one_that_cannot_be_run_are_said),
                cmocka_unit_test(the_directory_that_sshd_wants_is_there_while_it_is_asked),
                cmocka_unit_test(where_systemd_runs_the_directory_is_not_taken_from_an_sshd_that_starts),
                cmocka_unit_test(all_that_sshd_tells_is_there_also_before_the_first_was_started),
                cmocka_unit_test(without_host_keys_sshd_gets_one_that_is_thrown_away),
                cmocka_unit_test(the_version_is_read_wherever_it_is_said),
                cmocka_unit_test(more_arguments_than_fit_are_refused),
                cmocka_unit_test(services_that_run_sshd_are_found_with_their_options),
                cmocka_unit_test(too_many_services_or_options_are_refused),
        };

        world_make();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
