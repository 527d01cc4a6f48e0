/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/sshd_config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/sshd_world.h"

static const struct own_files none;
static char why[SSHD_WHY_MAX];

static struct sshd_config *read_config(char *const arguments[], const struct own_files *own) {
        struct sshd_config *config;

        assert_int_equal(sshd_config_read(arguments, own, &config, why), 0);
        return config;
}

static void assert_value(const struct config_place *place, const char *value) {
        if (value) {
                assert_non_null(place);
                assert_string_equal(place->value, value);
        } else
                assert_null(place);
}

static void assert_pair(const struct sshd_config *config, int block, const char *command, const char *user) {
        struct config_pair pair = sshd_config_pair(config, block, false);

        assert_value(pair.command, command);
        assert_value(pair.user, user);
}

/* What holds for all, of a main file that is just this. */
static void assert_all(const char *text, const char *command, const char *user) {
        struct sshd_config *config;

        world_write("/etc/ssh/sshd_config", text);
        config = read_config(NULL, &none);
        assert_pair(config, -1, command, user);
        sshd_config_free(config);
}

static void lines_are_read_as_sshd_reads_them(void **state) {
        (void)state;
        world_reset("");
        assert_all("", NULL, NULL);
        assert_all("AuthorizedKeysCommand /bin/x %u\nAuthorizedKeysCommandUser u\n", "/bin/x %u", "u");
        assert_all("\t authorizedKEYSCommand\t/bin/x  a \t\r\f\nAuthorizedKeysCommandUser=u", "/bin/x  a", "u");
        assert_all("AuthorizedKeysCommand = /bin/x=y\nAuthorizedKeysCommandUser =u x\n", "/bin/x=y", "u");
        assert_all("\"AuthorizedKeysCommand\" /bin/x\nAuthorized\"KeysCommandUser\"  \"a b\" # c\n", "/bin/x", "a b");
        assert_all("AuthorizedKeysCommand /bin/x # no comment\nAuthorizedKeysCommandUser o\\'n\n",
                   "/bin/x # no comment", "o'n");
        assert_all("#AuthorizedKeysCommand /bin/x\n # \"AuthorizedKeysCommandUser u\n", NULL, NULL);
        assert_all("\"AuthorizedKeysCommand /bin/x\nAuthorizedKeysCommands /bin/y\n\n\n", NULL, NULL);
        assert_all("AuthorizedKeysCommandUser 'u v\\\\'w\nAuthorizedKeysCommand none\n", "none", "u v\\w");
        /* The first counts. */
        assert_all("AuthorizedKeysCommand /bin/x\nAuthorizedKeysCommand /bin/y\n", "/bin/x", NULL);
}

static void included_files_are_read_in_their_place_and_order(void **state) {
        struct sshd_config *config;
        struct config_pair pair;

        (void)state;
        world_reset("");
        world_write("/etc/ssh/sshd_config.d/20-b.conf", "AuthorizedKeysCommand /bin/b\nAuthorizedKeysCommandUser b\n");
        world_write("/etc/ssh/sshd_config.d/10-a.conf", "\nAuthorizedKeysCommand /bin/a\n");
        world_write("/etc/ssh/sshd_config.d/.5-c.conf", "AuthorizedKeysCommand /bin/c\n");
        world_write("/etc/ssh/sshd_config.d/5-d.txt", "AuthorizedKeysCommand /bin/d\n");
        world_write("/etc/ssh/more", "AuthorizedKeysCommandUser more\n");
        assert_all("Include \"/etc/ssh/sshd_config.d/*.conf\" # all\n", "/bin/a", "b");
        assert_all("Include more /etc/ssh/sshd_config.d/2*.conf\n", "/bin/b", "more");
        assert_all("AuthorizedKeysCommand /bin/m\nInclude sshd_config.d/*.conf nothing-there\n", "/bin/m", "b");
        config = read_config(NULL, &none);
        pair = sshd_config_pair(config, -1, false);
        assert_string_equal(pair.command->file, "/etc/ssh/sshd_config");
        assert_int_equal(pair.command->line, 1);
        assert_string_equal(pair.user->file, "/etc/ssh/sshd_config.d/20-b.conf");
        assert_int_equal(pair.user->line, 2);
        assert_string_equal(config->root, "/etc/ssh/sshd_config");
        sshd_config_free(config);
}

static void match_blocks_hold_for_some_and_end_with_their_file(void **state) {
        struct sshd_config *config;

        (void)state;
        world_reset("AuthorizedKeysCommandUser all\n"
                    "Match User git,a Address 10.0.0.0/8\n  AuthorizedKeysCommand /bin/git\n"
                    "match all\nAuthorizedKeysCommand /bin/all\n"
                    "Match Group g\nInclude inner\nAuthorizedKeysCommandUser g\n");
        world_write("/etc/ssh/sshd_config.d/1.conf", "Match User x\nAuthorizedKeysCommand /bin/x\n");
        world_write("/etc/ssh/inner", "AuthorizedKeysCommand /bin/g\nMatch all\nAuthorizedKeysCommand /bin/inner\n"
                                      "Match Host h\nAuthorizedKeysCommand /bin/h\n");
        config = read_config(NULL, &none);
        assert_int_equal(config->n_blocks, 6);
        assert_pair(config, -1, "/bin/all", "all");
        assert_string_equal(config->block[0].condition, "User x");
        assert_string_equal(config->block[0].file, "/etc/ssh/sshd_config.d/1.conf");
        assert_pair(config, 0, "/bin/x", "all");
        assert_string_equal(config->block[1].condition, "User git,a Address 10.0.0.0/8");
        assert_int_equal(config->block[1].line, 3);
        assert_pair(config, 1, "/bin/git", "all");
        assert_pair(config, 2, "/bin/all", "all");
        /* What is included in a block belongs to it, and "Match all" in there is not for all. */
        assert_pair(config, 3, "/bin/g", "g");
        assert_pair(config, 4, "/bin/inner", "all");
        assert_pair(config, 5, "/bin/h", "all");
        /* sshd -T looks for blocks that are for all, and there it finds that one first. */
        assert_value(sshd_config_plain(config, false).command, "/bin/all");
        assert_value(sshd_config_plain(config, false).user, "all");
        sshd_config_free(config);
}

static void a_block_for_all_counts_before_what_is_in_none(void **state) {
        struct sshd_config *config;

        (void)state;
        world_reset("AuthorizedKeysCommand /bin/first\nAuthorizedKeysCommandUser first\nInclude inner\n"
                    "Match User a\nAuthorizedKeysCommandUser a\n");
        world_write("/etc/ssh/inner", "Match All # of them\nAuthorizedKeysCommand /bin/all\n");
        config = read_config(NULL, &none);
        assert_pair(config, -1, "/bin/first", "first");
        assert_value(sshd_config_plain(config, false).command, "/bin/all");
        assert_value(sshd_config_plain(config, false).user, "first");
        assert_pair(config, 0, "/bin/all", "first");
        assert_pair(config, 1, "/bin/all", "a");
        sshd_config_free(config);
}

static void options_come_before_all_files(void **state) {
        char file[] = "-f", path[] = "/etc/ssh/other", option[] = "-o", command[] = "AuthorizedKeysCommand=/bin/o %u",
             banner[] = "Banner none", *arguments[] = {option, command, file, path, option, banner, NULL};
        struct sshd_config *config;
        struct config_pair pair;

        (void)state;
        world_reset("AuthorizedKeysCommand /bin/x\n");
        world_write(path, "AuthorizedKeysCommand /bin/y\nAuthorizedKeysCommandUser y\n");
        config = read_config(arguments, &none);
        assert_pair(config, -1, "/bin/o %u", "y");
        pair = sshd_config_pair(config, -1, false);
        assert_null(pair.command->file);
        assert_string_equal(config->root, path);
        sshd_config_free(config);
}

static void our_files_are_those_that_are_handed_in(void **state) {
        char first[] = "AuthorizedKeysCommand /bin/first\n", chain[] = "AuthorizedKeysCommand /bin/chain\n";
        struct own_files own = {.text = {[0] = first, [DROP_IN_NAMES + 1] = chain}};
        struct sshd_config *config;

        (void)state;
        world_reset("AuthorizedKeysCommandUser u\nMatch User a\nInclude "
                    "/etc/ssh/sshd_config.d/exc-instance-connect.chain-2\n"
                    "AuthorizedKeysCommand /bin/a\n"
                    "Match User b\nInclude sshd_config.d/exc-instance-connect.chain-3 "
                    "sshd_config.d/exc-instance-connect.c*\n");
        for (int i = 0; i < DROP_IN_FILES; i++)
                world_write(drop_in_paths[i], "AuthorizedKeysCommand /bin/disk\n");
        world_write("/etc/ssh/sshd_config.d/05-x.conf", "AuthorizedKeysCommand /bin/five\n");
        config = read_config(NULL, &none);
        assert_pair(config, -1, "/bin/five", "u");
        assert_pair(config, 0, "/bin/a", "u");
        assert_false(config->reads_own[0]);
        sshd_config_free(config);

        config = read_config(NULL, &own);
        assert_pair(config, -1, "/bin/five", "u");
        assert_pair(config, 0, "/bin/chain", "u");
        assert_true(config->reads_own[0]);
        assert_true(config->reads_own[DROP_IN_NAMES + 1]);
        assert_false(config->reads_own[1]);
        assert_value(sshd_config_pair(config, 0, true).command, "/bin/a");
        /* An Include that names one is known, whether that is there or not; a pattern that meets it is none. */
        assert_int_equal(config->n_places, 8);
        for (size_t i = 0, includes = 0; i < config->n_places; i++)
                if (config->place[i].word == CONFIG_OWN_INCLUDE) {
                        assert_int_equal(config->place[i].own, DROP_IN_NAMES + 1 + (int)includes);
                        assert_int_equal(config->place[i].block, includes++);
                }
        sshd_config_free(config);

        own.text[0] = NULL;
        own.text[2] = first;
        config = read_config(NULL, &own);
        assert_pair(config, -1, "/bin/first", "u");
        assert_int_equal(sshd_config_pair(config, -1, false).command->own, 2);
        assert_value(sshd_config_pair(config, -1, true).command, "/bin/five");
        sshd_config_free(config);
}

/* What sshd would have to be reloaded for. */
static void assert_newest(const char *path) {
        struct sshd_config *config = read_config(NULL, NULL);

        assert_string_equal(config->newest, path);
        sshd_config_free(config);
        /* So that what comes next has another time. */
        assert_int_equal(usleep(20 * 1000), 0);
}

static void what_was_changed_last_is_found(void **state) {
        (void)state;
        world_reset("Include more.d/*/deep\nInclude none.d/there\nMatch User a\nInclude one\n");
        world_write("/etc/ssh/more.d/a/deep", "");
        world_directory("/etc/ssh/none.d");
        world_write("/etc/ssh/one", "");
        world_write("/etc/ssh/two", "");
        world_write("/etc/ssh/inner", "");
        world_write(drop_in_paths[0], "Include inner\n");
        assert_int_equal(usleep(20 * 1000), 0);
        world_write("/etc/ssh/sshd_config.d/other", "");
        assert_newest("/etc/ssh/sshd_config.d");
        world_write("/etc/ssh/one", "# one\n");
        assert_newest("/etc/ssh/one");
        world_write("/etc/ssh/inner", "# inner\n");
        assert_newest("/etc/ssh/inner");
        assert_int_equal(rename("/etc/ssh/two", "/etc/ssh/one"), 0);
        assert_newest("/etc/ssh/one");
        /* One that is gone has changed its directory. */
        world_remove("/etc/ssh/more.d/a/deep");
        assert_newest("/etc/ssh/more.d/a");
        world_remove(drop_in_paths[0]);
        assert_newest("/etc/ssh/sshd_config.d");
        assert_int_equal(rmdir("/etc/ssh/more.d/a"), 0);
        assert_newest("/etc/ssh/more.d");
        world_remove("/etc/ssh/one");
        assert_newest("/etc/ssh");
        /* One that is not there is looked for where it would be. */
        world_write("/etc/ssh/none.d/other", "");
        assert_newest("/etc/ssh/none.d");
        /* A link, and what it points to. */
        world_write("/run/target", "");
        assert_int_equal(symlink("/run/target", "/etc/ssh/one"), 0);
        assert_int_equal(usleep(20 * 1000), 0);
        world_write("/etc/ssh/sshd_config", "Include one\n");
        assert_newest("/etc/ssh/sshd_config");
        world_write("/run/target", "# changed\n");
        assert_newest("/etc/ssh/one");
        world_write("/etc/ssh/sshd_config", "Include one\n");
        assert_newest("/etc/ssh/sshd_config");
        world_remove("/etc/ssh/one");
        assert_int_equal(symlink("/run/target", "/etc/ssh/one"), 0);
        assert_newest("/etc/ssh/one");
}

static void assert_refused(int error, const char *said) {
        struct sshd_config *config = NULL;

        assert_int_equal(sshd_config_read(NULL, &none, &config, why), error);
        assert_null(config);
        assert_non_null(strstr(why, said));
}

static void what_is_too_much_or_cannot_be_read_is_refused(void **state) {
        char line[256];
        FILE *file;

        (void)state;
        world_reset("Include loop\n");
        world_write("/etc/ssh/loop", "Include loop\n");
        assert_refused(-ELOOP, "/etc/ssh/loop: files are included too deep");
        world_reset("Include two two\n");
        world_write("/etc/ssh/two", "Include three three three three three three three three\n");
        world_write("/etc/ssh/three", "Include four four four four four four four four\n");
        world_write("/etc/ssh/four", "Include five five five five five five five five\n");
        world_write("/etc/ssh/five", "\n");
        assert_refused(-E2BIG, "too many files are included");
        world_reset("");
        for (int i = 0; i <= SSHD_CONFIG_FILES_MAX; i++) {
                (void)snprintf(line, sizeof(line), "/etc/ssh/sshd_config.d/%d.conf", i);
                world_write(line, "");
        }
        assert_refused(-E2BIG, "/etc/ssh/sshd_config line 1: includes too many files");
        for (int k = 0; k < 2; k++) {
                world_reset("");
                file = fopen("/etc/ssh/sshd_config", "we");
                assert_non_null(file);
                for (int i = 0; i <= CONFIG_PLACES_MAX; i++)
                        (void)fputs(k == 0 ? "AuthorizedKeysCommand /bin/x\n" : "Match all\n", file);
                assert_int_equal(fclose(file), 0);
                assert_refused(-E2BIG,
                               k == 0 ? "line 513: too many lines that set" : "line 513: too many Match blocks");
        }
        world_reset("");
        world_directory("/etc/ssh/sshd_config.d/directory.conf");
        assert_refused(-EBADF, "/etc/ssh/sshd_config.d/directory.conf: is no file");
        world_reset("");
        file = fopen("/etc/ssh/sshd_config.d/nul.conf", "we");
        assert_non_null(file);
        assert_int_equal(fwrite("a\0b\n", 1, 4, file), 4);
        assert_int_equal(fclose(file), 0);
        assert_refused(-EBADMSG, "/etc/ssh/sshd_config.d/nul.conf: has a NUL in it");
        file = fopen("/etc/ssh/sshd_config.d/nul.conf", "we");
        assert_non_null(file);
        for (int i = 0; i < 1024 * 1024 / 16; i++)
                (void)fputs("# sixteen bytes\n", file);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(truncate("/etc/ssh/sshd_config.d/nul.conf", 1024 * 1024 + 1), 0);
        assert_refused(-EFBIG, "/etc/ssh/sshd_config.d/nul.conf: File too large");
        world_remove("/etc/ssh/sshd_config");
        assert_refused(-ENOENT, "/etc/ssh/sshd_config: No such file or directory");
}

/* Whatever stands in a file, it is read to its end or refused. */
static void any_bytes_are_got_along_with(void **state) {
        static const char *const parts[] = {"AuthorizedKeysCommand",
                                            "AuthorizedKeysCommandUser",
                                            "Match",
                                            "all",
                                            "Include",
                                            " ",
                                            "\t",
                                            "\"",
                                            "'",
                                            "\\",
                                            "=",
                                            "\n",
                                            "#",
                                            "/bin/x",
                                            "*",
                                            "\r",
                                            "\f",
                                            "x[",
                                            "%"};
        unsigned seed = 1;

        (void)state;
        for (int round = 0; round < 3000; round++) {
                struct sshd_config *config;
                char text[512] = "";

                for (int i = rand_r(&seed) % 24; i > 0; i--)
                        (void)strcat(text, parts[(size_t)rand_r(&seed) % (sizeof(parts) / sizeof(parts[0]))]);
                if (round % 100 == 0)
                        world_reset("");
                world_write("/etc/ssh/sshd_config", text);
                if (sshd_config_read(NULL, &none, &config, why) < 0)
                        continue;
                for (size_t i = 0; i < config->n_places; i++)
                        assert_true(config->place[i].word == CONFIG_OWN_INCLUDE || config->place[i].value);
                for (int i = -1; i < (int)config->n_blocks; i++)
                        (void)sshd_config_pair(config, i, false);
                sshd_config_free(config);
        }
}

static void assert_text(const char *path, const char *expected) {
        char *text = world_read(path);

        assert_string_equal(text, expected);
        free(text);
}

static void copy_keeps_the_lines_and_names_the_copies(void **state) {
        char ours[] = "AuthorizedKeysCommand " HELPER_PROGRAM " %u";
        struct own_files own = {.text = {ours}};
        struct config_copy copy;

        (void)state;
        world_reset("");
        world_write("/etc/ssh/sshd_config",
                    "Include none.conf " SSHD_DROP_IN_DIR "/*.conf # all\n\nPort=22\n AuthorizedKeysCommand  "
                    "\"" HELPER_PROGRAM "\" %u\nAuthorizedKeysCommand /bin/x\nMatch User a\n\tInclude none.conf");
        world_write(SSHD_DROP_IN_DIR "/20-x.conf", "Banner \"a b\" # c\nInclude /etc/ssh/deep.conf");
        world_write("/etc/ssh/deep.conf", "# deep\n");
        world_write("/run/copies/.keep", "");
        assert_int_equal(sshd_config_copy(NULL, &own, true, "/run/copies", &copy, why), 0);
        assert_int_equal(copy.n, 4);
        assert_string_equal(copy.root, "/run/copies/0");
        assert_text(copy.root, "Include /run/copies/none /run/copies/1 /run/copies/2\n\nPort=22\n\n"
                               "AuthorizedKeysCommand /bin/x\nMatch User a\nInclude /run/copies/none\n");
        assert_text("/run/copies/1", "\n");
        assert_text("/run/copies/2", "Banner \"a b\" # c\nInclude /run/copies/none /run/copies/3\n");
        assert_text("/run/copies/3", "# deep\n");
        /* Never over what is there. */
        assert_int_equal(sshd_config_copy(NULL, &own, false, "/run/copies", &copy, why), -EEXIST);
        assert_int_equal(system("rm /run/copies/*"), 0);
        assert_int_equal(sshd_config_copy(NULL, &own, false, "/run/copies", &copy, why), 0);
        assert_text("/run/copies/1", "AuthorizedKeysCommand " HELPER_PROGRAM " %u\n");
        assert_int_equal(sshd_config_copy(NULL, &own, false, "/run/nowhere", &copy, why), -ENOENT);
        assert_string_equal(why, "/run/nowhere: No such file or directory");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(lines_are_read_as_sshd_reads_them),
                cmocka_unit_test(included_files_are_read_in_their_place_and_order),
                cmocka_unit_test(match_blocks_hold_for_some_and_end_with_their_file),
                cmocka_unit_test(a_block_for_all_counts_before_what_is_in_none),
                cmocka_unit_test(options_come_before_all_files),
                cmocka_unit_test(our_files_are_those_that_are_handed_in),
                cmocka_unit_test(what_was_changed_last_is_found),
                cmocka_unit_test(what_is_too_much_or_cannot_be_read_is_refused),
                cmocka_unit_test(any_bytes_are_got_along_with),
                cmocka_unit_test(copy_keeps_the_lines_and_names_the_copies),
        };

        world_make();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
