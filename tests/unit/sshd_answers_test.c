/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/sshd_answers.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/sshd_world.h"

#define HELPER_LINES "AuthorizedKeysCommand " HELPER_PROGRAM " %u\nAuthorizedKeysCommandUser root\n"
#define PRINCIPALS "AuthorizedPrincipalsCommand /bin/p %u\nAuthorizedPrincipalsCommandUser nobody\n"

static const struct sshd_specs none_asked;
static char why[SSHD_WHY_MAX];

static void assert_change(const char *without, const char *with, const char *name, const char *from, const char *to) {
        struct sshd_change change;

        assert_int_equal(sshd_change_find(without, with, &change), 1);
        assert_string_equal(change.name, name);
        assert_string_equal(change.without, from);
        assert_string_equal(change.with, to);
        sshd_change_clear(&change);
}

static void assert_no_change(const char *without, const char *with) {
        struct sshd_change change;

        assert_int_equal(sshd_change_find(without, with, &change), 0);
}

static void only_our_two_settings_may_change(void **state) {
        (void)state;
        assert_no_change("", "");
        assert_no_change("port 22\nx y\n", "port 22\nx y\n");
        assert_no_change("authorizedkeyscommand none\nauthorizedkeyscommanduser none\nport 22\n",
                         "authorizedkeyscommand /bin/x\nauthorizedkeyscommanduser root\nport 22\n");
        assert_no_change("AuthorizedKeysCommand none\nPort 22\n", "Port 22\nAuthorizedKeysCommandUser root\n");
        assert_change("authorizedkeyscommands none\n", "authorizedkeyscommands x\n", "authorizedkeyscommands", "none",
                      "x");
        assert_change("authorizedprincipalscommand /bin/p %u\n", "authorizedprincipalscommand none\n",
                      "authorizedprincipalscommand", "/bin/p %u", "none");
        assert_change("AuthorizedPrincipalsCommand /bin/p\n", "AuthorizedPrincipalsCommand /bin/P\n",
                      "AuthorizedPrincipalsCommand", "/bin/p", "/bin/P");
}

static void order_and_repeated_lines_are_compared_as_printed(void **state) {
        (void)state;
        assert_change("port 22\nport 23\n", "port 23\nport 22\n", "port", "22, 23", "23, 22");
        assert_change("port 22\nport 23\n", "port 22\n", "port", "22, 23", "22");
        assert_change("port 22\nusepam no\n", "port 22\nport 23\nusepam no\n", "port", "22", "22, 23");
        assert_change("acceptenv A\nacceptenv B\nusepam no\n", "acceptenv A\nusepam no\n", "acceptenv", "A, B", "A");
        assert_change("acceptenv A\nusepam no\n", "usepam no\n", "acceptenv", "A", "");
        assert_change("usepam no\n", "usepam no\nsubsystem sftp internal-sftp", "subsystem", "", "sftp internal-sftp");
        assert_change("usepam no\nport 22\n", "port 22\nusepam no\n", "port", "22", "22");
        assert_change("chrootdirectory\n", "chrootdirectory x\n", "chrootdirectory", "", "x");
}

static void change_is_said_with_its_sshd_and_user(void **state) {
        char name[] = "port", from[] = "22", to[] = "23";
        struct sshd_change change = {.name = name, .without = from, .with = to};

        (void)state;
        sshd_change_say("ssh.service", &change, why);
        assert_string_equal(why, "ssh.service: port is \"23\" with exc-instance-connect, and \"22\" without");
        change.about = "user alice";
        sshd_change_say("ssh.service", &change, why);
        assert_string_equal(why,
                            "ssh.service, user alice: port is \"23\" with exc-instance-connect, and \"22\" without");
}

static void assert_nothing_left(void) {
        assert_int_equal(system("test -z \"$(find /run /tmp -maxdepth 1 -name 'exc-sshd-*')\""), 0);
}

/* What is said without ours; NULL: nothing. */
static void assert_without(char *const arguments[], const struct own_files *own, const char *expected) {
        struct sshd_answers answers;

        assert_int_equal(sshd_answers_ask_without(arguments, own, &none_asked, &answers, why), 0);
        if (expected)
                assert_string_equal(answers.text[0], expected);
        else
                assert_null(answers.text[0]);
        sshd_answers_clear(&answers);
        assert_nothing_left();
}

static void without_ours_no_line_that_names_it_counts(void **state) {
        static const char none[] = "port 22\nauthorizedkeyscommand none\nauthorizedkeyscommanduser none\n",
                          theirs[] = "port 22\nauthorizedkeyscommand /bin/x\nauthorizedkeyscommanduser nobody\n";
        char alone[] = "# x\n" HELPER_LINES, edited[] = "# x\n" HELPER_LINES "AuthorizedPrincipalsCommandUser bin\n";
        struct drop_in drop_in = {.expiry_time = true};
        struct own_files own = {.text = {drop_in_render(&drop_in)}};
        char *unedited = own.text[0];

        (void)state;
        world_reset("");
        world_write(drop_in_paths[0], unedited);
        assert_without(NULL, &own, none);
        world_reset("AuthorizedKeysCommand /bin/x\nAuthorizedKeysCommandUser nobody\n");
        world_write(drop_in_paths[0], unedited);
        assert_without(NULL, &own, theirs);
        /* By hand, in a file of the administrator's. */
        world_reset(HELPER_LINES);
        own.text[0] = NULL;
        assert_without(NULL, &own, "port 22\nauthorizedkeyscommand none\nauthorizedkeyscommanduser root\n");
        /* What an administrator added to ours is theirs. */
        world_reset("");
        own.text[0] = alone;
        assert_without(NULL, &own, "port 22\nauthorizedkeyscommand none\nauthorizedkeyscommanduser root\n");
        own.text[0] = edited;
        assert_without(NULL, &own,
                       "port 22\nauthorizedkeyscommand none\nauthorizedkeyscommanduser root\n"
                       "authorizedprincipalscommand none\nauthorizedprincipalscommanduser bin\n");
        free(unedited);
}

/* The same is said of files of ours that are on disk, and that would be. */
static void files_that_would_be_are_asked_about_as_if_they_were(void **state) {
        char text[] = HELPER_LINES PRINCIPALS, flag[] = "-f", second[] = "/etc/ssh/second";
        char *arguments[] = {flag, second, NULL};
        struct own_files own = {.text = {text}};
        struct sshd_answers all = {.text = {flag}}, would, is;

        (void)state;
        world_reset("Include /etc/ssh/extra-*.conf");
        world_write("/etc/ssh/extra-1.conf",
                    "# comment\n\nInclude deep.conf none.conf\nAuthorizedKeysCommandUser bin\n");
        world_write("/etc/ssh/deep.conf", "AuthorizedPrincipalsCommand /bin/deep\n");
        world_write(second, "AuthorizedPrincipalsCommandUser bin\nInclude " SSHD_DROP_IN_DIR "/*.conf\n");
        for (int i = 0; i < 2; i++) {
                char *const *with = i == 0 ? NULL : arguments;

                assert_int_equal(sshd_answers_ask_with(with, &own, &none_asked, &all, &would, why), 0);
                world_write(drop_in_paths[0], text);
                assert_int_equal(sshd_answers_ask(with, &none_asked, &all, &is, why), 0);
                world_remove(drop_in_paths[0]);
                assert_string_equal(would.text[0], is.text[0]);
                assert_non_null(strstr(is.text[0], i == 0 ? "commanduser nobody\n" : "commanduser bin\n"));
                assert_non_null(strstr(is.text[0], "authorizedprincipalscommand /bin/p %u\n"));
                sshd_answers_clear(&would);
                sshd_answers_clear(&is);
        }
        assert_nothing_left();
        own.text[0] = NULL;
        assert_without(NULL, &own, "port 22\nauthorizedkeyscommand none\nauthorizedkeyscommanduser bin\n");
}

static void what_has_no_answer_without_ours_is_not_compared(void **state) {
        static const struct own_files none;
        struct sshd_answers without, with, all = {.text = {why}};
        struct sshd_specs users = {.text = {.n = 0}};
        struct sshd_change change;

        (void)state;
        world_reset("Bad\n");
        assert_without(NULL, &none, NULL);
        assert_int_equal(sshd_answers_ask(NULL, &none_asked, &all, &with, why), -EIO);
        assert_non_null(strstr(why, "Bad configuration option"));
        /* For one of them there is none. */
        world_reset("Match User bob\n");
        for (int i = 0; i < 3; i++) {
                assert_int_equal(strv_add(&users.about, (const char *const[]){"user root", "Match x", "user a"}[i]), 0);
                assert_int_equal(strv_add(&users.text, (const char *const[]){"user=root", "refused", "user=a"}[i]), 0);
        }
        assert_int_equal(sshd_answers_ask_without(NULL, &none, &users, &without, why), 0);
        assert_non_null(without.text[0]);
        assert_non_null(without.text[1]);
        assert_null(without.text[2]);
        assert_non_null(without.text[3]);
        world_write("/run/test/for-user", "port 23\n");
        assert_int_equal(sshd_answers_ask(NULL, &users, &without, &with, why), 0);
        assert_null(with.text[2]);
        assert_int_equal(sshd_answers_compare(&without, &with, &users, &change), 1);
        assert_string_equal(change.about, "user root");
        assert_string_equal(change.name, "port");
        sshd_change_clear(&change);
        sshd_answers_clear(&without);
        sshd_answers_clear(&with);
        /* What cannot be read at all. */
        world_remove("/etc/ssh/sshd_config");
        assert_int_equal(sshd_answers_ask_without(NULL, &none, &users, &without, why), -ENOENT);
        sshd_specs_clear(&users);
        assert_nothing_left();
}

/* sshd gets a throw-away key each time, of another name. */
static void missing_host_key_is_no_change(void **state) {
        static const struct own_files none;
        struct sshd_answers without, with;
        struct sshd_change change;

        (void)state;
        world_reset("");
        world_write("/run/test/no-key", "");
        assert_int_equal(sshd_answers_ask_without(NULL, &none, &none_asked, &without, why), 0);
        assert_int_equal(sshd_answers_ask(NULL, &none_asked, &without, &with, why), 0);
        assert_int_equal(sshd_answers_compare(&without, &with, &none_asked, &change), 0);
        sshd_answers_clear(&without);
        sshd_answers_clear(&with);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(only_our_two_settings_may_change),
                cmocka_unit_test(order_and_repeated_lines_are_compared_as_printed),
                cmocka_unit_test(change_is_said_with_its_sshd_and_user),
                cmocka_unit_test(without_ours_no_line_that_names_it_counts),
                cmocka_unit_test(files_that_would_be_are_asked_about_as_if_they_were),
                cmocka_unit_test(what_has_no_answer_without_ours_is_not_compared),
                cmocka_unit_test(missing_host_key_is_no_change),
        };

        world_make();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
