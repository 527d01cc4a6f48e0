/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/drop_in.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/sshd/keys_command.h"

#define ALONE "AuthorizedKeysCommand " HELPER_PROGRAM
#define CHAIN "AuthorizedKeysCommand " CHAIN_PROGRAM

static char *render(bool expiry_time, const char *command, const char *user) {
        struct drop_in drop_in = {.expiry_time = expiry_time};
        char *text, *name = NULL;

        if (command)
                assert_int_equal(drop_in_chain(command, &drop_in.command), 0);
        if (user) {
                name = strdup(user);
                assert_non_null(name);
        }
        drop_in.user = name;
        text = drop_in_render(&drop_in);
        assert_non_null(text);
        free(drop_in.command);
        free(name);
        return text;
}

/* The two settings are the last two lines, and all before are comments. */
static void assert_settings(bool expiry_time, const char *command, const char *user, const char *settings) {
        char *text = render(expiry_time, command, user);
        const char *at = text;

        while (*at == '#')
                at += strcspn(at, "\n") + 1;
        assert_string_equal(at, settings);
        assert_true(drop_in_unedited(text));
        free(text);
}

static void without_another_command_ours_runs_as_its_own_user(void **state) {
        (void)state;
        assert_settings(true, NULL, NULL,
                        ALONE " --expiry-time %u %f %t %k\nAuthorizedKeysCommandUser " HELPER_USER "\n");
        assert_settings(false, NULL, NULL, ALONE " %u %f %t %k\nAuthorizedKeysCommandUser " HELPER_USER "\n");
}

static void another_command_stands_behind_ours_as_it_was(void **state) {
        (void)state;
        assert_settings(true, "/usr/bin/sss_ssh_authorizedkeys %u", "nobody",
                        CHAIN " --expiry-time --chain-user nobody %u %f %t %k -- /usr/bin/sss_ssh_authorizedkeys %u\n"
                              "AuthorizedKeysCommandUser root\n");
        assert_settings(true, "/a 'b  c' \"d\\\"e\" f\\ g %% \\\\ # h", "n",
                        CHAIN " --expiry-time --chain-user n %u %f %t %k -- /a 'b  c' \"d\\\"e\" f\\ g %% \\\\ # h\n"
                              "AuthorizedKeysCommandUser root\n");
}

static void what_ran_as_root_goes_on_as_root(void **state) {
        (void)state;
        assert_settings(false, "/usr/bin/userdbctl ssh-authorized-keys %u", "root",
                        CHAIN " %u %f %t %k -- /usr/bin/userdbctl ssh-authorized-keys %u\n"
                              "AuthorizedKeysCommandUser root\n");
}

static void a_command_without_arguments_gets_the_user_as_before(void **state) {
        (void)state;
        assert_settings(true, "/usr/bin/keys", "%u",
                        CHAIN " --expiry-time --chain-user %u %u %f %t %k -- /usr/bin/keys %u\n"
                              "AuthorizedKeysCommandUser root\n");
        assert_settings(true, "\t/usr/bin/\"with blank\"  ", "k",
                        CHAIN " --expiry-time --chain-user k %u %f %t %k -- /usr/bin/\"with blank\" %u\n"
                              "AuthorizedKeysCommandUser root\n");
}

static void percent_signs_of_a_path_that_sshd_left_alone_stay(void **state) {
        char *chain;

        (void)state;
        assert_int_equal(drop_in_chain("/opt/100%/k%u %u 5%%", &chain), 0);
        assert_string_equal(chain, "/opt/100%%/k%%u %u 5%%");
        free(chain);
        assert_int_equal(drop_in_chain("/opt/'a %b'\\ c%d %u", &chain), 0);
        assert_string_equal(chain, "/opt/'a %%b'\\ c%%d %u");
        free(chain);
}

static void what_sshd_cannot_run_is_not_chained(void **state) {
        char *chain;

        (void)state;
        assert_int_equal(drop_in_chain("/bin/x %u # don't", &chain), -EINVAL);
        assert_int_equal(drop_in_chain("/bin/x \"%u", &chain), -EINVAL);
        assert_int_equal(drop_in_chain("  ", &chain), -EINVAL);
}

/* sshd's own reading of the line gives the same words behind "--", and the user's name as it is. */
static void a_user_of_any_name_is_read_back(void **state) {
        static const char *const users[] = {"svc",      "DOMAIN\\svc", "a b",           "o'neill",
                                            "quote\"d", "#1",          "back\\\\slash", "%u"};

        (void)state;
        for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
                char *text = render(true, "/bin/x %u", users[i]), *line = strstr(text, CHAIN);
                struct keys_command words;

                assert_non_null(line);
                line += strlen("AuthorizedKeysCommand ");
                line[strcspn(line, "\n")] = '\0';
                assert_true(keys_command_split(line, &words));
                assert_string_equal(words.word[2], "--chain-user");
                assert_string_equal(words.word[3], users[i]);
                assert_string_equal(words.word[9], "/bin/x");
                free(text);
                text = render(true, "/bin/x %u", users[i]);
                assert_true(drop_in_unedited(text));
                free(text);
        }
}

static void principals_command_stands_before_ours_and_is_no_edit(void **state) {
        static const char *const users[] = {"nobody", "a b", "quote\"d"};
        static const char lines[] =
                "\nAuthorizedPrincipalsCommand /bin/p  'a b' %u # x\nAuthorizedPrincipalsCommandUser ";
        char command[] = "/bin/p  'a b' %u # x", other[] = "/bin/x %u", user[32], *text, *at;

        (void)state;
        for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
                for (int chained = 0; chained < 2; chained++) {
                        struct drop_in drop_in = {.expiry_time = true,
                                                  .command = chained ? other : NULL,
                                                  .user = user,
                                                  .principals_command = command,
                                                  .principals_user = user};

                        (void)snprintf(user, sizeof(user), "%s", users[i]);
                        text = drop_in_render(&drop_in);
                        assert_non_null(text);
                        at = strstr(text, lines);
                        assert_non_null(at);
                        assert_true(at < strstr(text, "\nAuthorizedKeysCommand " PKGLIBEXECDIR));
                        assert_true(drop_in_unedited(text));
                        /* Without its user it is. */
                        at = strstr(text, "AuthorizedPrincipalsCommandUser");
                        memmove(at, strchr(at, '\n') + 1, strlen(strchr(at, '\n')));
                        assert_false(drop_in_unedited(text));
                        free(text);
                }
}

static void whatever_else_stands_in_it_is_an_edit(void **state) {
        static const char *const texts[] = {
                "",
                "# only a comment\n",
                ALONE " --expiry-time %u %f %t %k\nAuthorizedKeysCommandUser " HELPER_USER "\n",
                "AuthorizedKeysCommand /bin/other\nAuthorizedKeysCommandUser nobody\n",
                ALONE " \"\n",
        };
        char *text = render(true, "/bin/x %u", "nobody"), *longer;
        size_t n = strlen(text);

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                assert_false(drop_in_unedited(texts[i]));
        longer = calloc(1, n + 2);
        assert_non_null(longer);
        for (size_t i = 0; i <= n; i++) {
                memcpy(longer, text, i);
                longer[i] = '#';
                memcpy(longer + i + 1, text + i, n - i);
                /* A character more in the command that is chained is another command, which could be one that was there. */
                if (drop_in_unedited(longer)) {
                        assert_true(strstr(text, " -- ") && text + i > strstr(text, "--chain-user"));
                        assert_true(text + i <= strstr(text, "\nAuthorizedKeysCommandUser"));
                }
        }
        free(longer);
        free(text);
        /* The option taken away by hand, which an old sshd would have needed so. */
        text = render(true, NULL, NULL);
        longer = strstr(text, " --expiry-time");
        assert_non_null(longer);
        memmove(longer, longer + strlen(" --expiry-time"), strlen(longer + strlen(" --expiry-time")) + 1);
        assert_false(drop_in_unedited(text));
        free(text);
}

/* Text of earlier versions: enable rewrites it, and keeps only what somebody has edited. */
static void text_of_an_earlier_version_is_no_edit(void **state) {
        static const struct {
                const char *command, *user;
        } cases[] = {{"/bin/x %u", "nobody"}, {"/bin/x 'a -- b' %u", "root"}, {"/bin/x %u", "a b"}, {NULL, NULL}};

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                char *text = render(true, cases[i].command, cases[i].user), *program = strstr(text, CHAIN_PROGRAM);

                if (program)
                        memmove(program + strlen(HELPER_PROGRAM), program + strlen(CHAIN_PROGRAM),
                                strlen(program + strlen(CHAIN_PROGRAM)) + 1);
                assert_non_null(strstr(text, HELPER_PROGRAM " --expiry-time "));
                assert_true(drop_in_unedited(text));
                free(text);
        }
}

static void who_runs_what_decides_whether_it_is_ours(void **state) {
        static const struct {
                const char *command, *user;
                enum keys_command_kind kind;
        } cases[] = {
                {NULL, NULL, KEYS_COMMAND_NONE},
                {"none", "root", KEYS_COMMAND_NONE},
                {"/bin/x %u", "root", KEYS_COMMAND_THEIRS},
                {"/bin/x " HELPER_PROGRAM, "root", KEYS_COMMAND_THEIRS},
                {HELPER_PROGRAM "2 %u", "root", KEYS_COMMAND_THEIRS},
                {"/bin/x \"", "root", KEYS_COMMAND_THEIRS},
                {HELPER_PROGRAM " %u %f", HELPER_USER, KEYS_COMMAND_OURS},
                {"\"" HELPER_PROGRAM "\" %u %f", HELPER_USER, KEYS_COMMAND_OURS},
                {HELPER_PROGRAM " %u %f", "root", KEYS_COMMAND_OURS},
                {HELPER_PROGRAM " %u %f", "nobody", KEYS_COMMAND_OURS_WRONG_USER},
                {HELPER_PROGRAM " %u %f", NULL, KEYS_COMMAND_OURS_WRONG_USER},
                {HELPER_PROGRAM " %u %f -- /bin/x --chain-user a", HELPER_USER, KEYS_COMMAND_OURS},
                {HELPER_PROGRAM " --chain-user a %u %f -- /bin/x", "root", KEYS_COMMAND_OURS},
                {HELPER_PROGRAM " --chain-user a %u %f -- /bin/x", HELPER_USER, KEYS_COMMAND_OURS_WRONG_USER},
                {CHAIN_PROGRAM " %u %f -- /bin/x", "root", KEYS_COMMAND_OURS},
                {CHAIN_PROGRAM " --chain-user a %u %f -- /bin/x", "root", KEYS_COMMAND_OURS},
                {CHAIN_PROGRAM " --chain-user a %u %f -- /bin/x", HELPER_USER, KEYS_COMMAND_OURS_WRONG_USER},
                {CHAIN_PROGRAM "s %u", "root", KEYS_COMMAND_THEIRS},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                assert_int_equal(keys_command_kind(cases[i].command, cases[i].user), cases[i].kind);
}

static void each_name_for_all_sorts_before_the_one_before_it(void **state) {
        (void)state;
        for (int i = 1; i < DROP_IN_NAMES; i++)
                assert_true(strcmp(drop_in_paths[i], drop_in_paths[i - 1]) < 0);
        for (int i = 0; i < DROP_IN_FILES; i++) {
                const char *end = drop_in_paths[i] + strlen(drop_in_paths[i]) - strlen(".conf");

                assert_int_equal(strcmp(end, ".conf") == 0, i < DROP_IN_NAMES);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(without_another_command_ours_runs_as_its_own_user),
                cmocka_unit_test(another_command_stands_behind_ours_as_it_was),
                cmocka_unit_test(what_ran_as_root_goes_on_as_root),
                cmocka_unit_test(a_command_without_arguments_gets_the_user_as_before),
                cmocka_unit_test(percent_signs_of_a_path_that_sshd_left_alone_stay),
                cmocka_unit_test(what_sshd_cannot_run_is_not_chained),
                cmocka_unit_test(a_user_of_any_name_is_read_back),
                cmocka_unit_test(principals_command_stands_before_ours_and_is_no_edit),
                cmocka_unit_test(whatever_else_stands_in_it_is_an_edit),
                cmocka_unit_test(text_of_an_earlier_version_is_no_edit),
                cmocka_unit_test(who_runs_what_decides_whether_it_is_ours),
                cmocka_unit_test(each_name_for_all_sorts_before_the_one_before_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
