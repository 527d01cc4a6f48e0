/* SPDX-License-Identifier: Apache-2.0 */
/* enable and disable, with all that they are made of, on a machine of the test's own. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "admin/command.h"
#include "admin/sshd/drop_in.h"
#include "admin/sshd/own_files.h"
#include "admin/sshd/sshd_reload.h"
#include "tests/unit/fake_systemd.h"
#include "tests/unit/sshd_world.h"
#include "wire/refusal.h"

#define OURS "AuthorizedKeysCommand " HELPER_PROGRAM " --expiry-time "
#define TOKENS "%u %f %t %k"
#define ALONE OURS TOKENS "\nAuthorizedKeysCommandUser " HELPER_USER "\n"
#define CHAIN_1 SSHD_DROP_IN_DIR "/exc-instance-connect.chain-1"
#define CHAIN_1_ASIDE SSHD_DROP_IN_DIR "/.exc-instance-connect.chain-1.disabled"
#define CHAIN_2 SSHD_DROP_IN_DIR "/exc-instance-connect.chain-2"
#define THEIRS "AuthorizedKeysCommand /bin/x %u\nAuthorizedKeysCommandUser nobody\n"
#define CHAINED "AuthorizedKeysCommand " CHAIN_PROGRAM " --expiry-time "
#define BEHIND CHAINED "--chain-user nobody " TOKENS " -- /bin/x %u\nAuthorizedKeysCommandUser root\n"

static char said[65536];

/* Runs one of the two; what it prints is in `said`. */
static int run(const struct cli_command *command, bool dry_run) {
        const struct cli_line line = {.cli = &admin_cli, .command = command};
        const struct options options = {.dry_run = dry_run};
        int out = memfd_create("said", MFD_CLOEXEC), saved[2], status;
        ssize_t n;

        assert_true(out >= 0);
        (void)fflush(NULL);
        for (int i = 0; i < 2; i++) {
                saved[i] = dup(i + 1);
                assert_true(saved[i] >= 0 && dup2(out, i + 1) >= 0);
        }
        status = command->run(&line, &options);
        (void)fflush(NULL);
        for (int i = 0; i < 2; i++)
                assert_true(dup2(saved[i], i + 1) >= 0 && close(saved[i]) == 0);
        n = pread(out, said, sizeof(said) - 1, 0);
        assert_true(n >= 0);
        said[n] = '\0';
        assert_int_equal(close(out), 0);
        return status;
}

static void assert_said(const char *text) {
        if (!strstr(said, text))
                fail_msg("not said: %s\nbut: %s", text, said);
}

static void enable(void) {
        int status = run(&enable_command, false);

        if (status != EXIT_DONE)
                fail_msg("enable: %d, %s", status, said);
}

static void disable(void) {
        int status = run(&disable_command, false);

        if (status != EXIT_DONE)
                fail_msg("disable: %d, %s", status, said);
}

/* The settings in a file, behind its comments. NULL: there is none. */
static void assert_settings(const char *path, const char *expected) {
        char *text, *at;

        if (!expected) {
                assert_false(world_has(path));
                return;
        }
        assert_true(world_has(path));
        text = at = world_read(path);
        while (*at == '#')
                at += strcspn(at, "\n") + 1;
        assert_string_equal(at, expected);
        free(text);
}

/* All of it. */
static void assert_text(const char *path, const char *expected) {
        char *text;

        assert_true(world_has(path));
        text = world_read(path);
        assert_string_equal(text, expected);
        free(text);
}

static void assert_nothing_of_ours(void) {
        assert_int_equal(system("test -z \"$(find /etc/ssh /run -name '*exc-*')\""), 0);
}

static void refused(const char *why) {
        assert_int_equal(run(&enable_command, false), EXIT_OWN_FAILURE);
        assert_said("nothing is changed");
        assert_said(why);
        assert_nothing_of_ours();
}

static void where_there_is_no_command_ours_stands_alone(void **state) {
        (void)state;
        world_reset("");
        enable();
        assert_said("Found: sshd runs no other AuthorizedKeysCommand.\n");
        assert_said("Written: /etc/ssh/sshd_config.d/10-exc-instance-connect.conf\n");
        assert_said("To undo it: exc-instance-connect disable\n");
        assert_settings(drop_in_paths[0], ALONE);
        enable();
        assert_said("Nothing to change.\n");
        disable();
        assert_said("Removed: /etc/ssh/sshd_config.d/10-exc-instance-connect.conf\n");
        assert_nothing_of_ours();
        disable();
        assert_said("Nothing to take away.\n");
}

static void an_old_sshd_gets_no_expiry_time_and_a_new_one_later(void **state) {
        (void)state;
        world_reset("");
        world_write("/run/test/version", "OpenSSH_8.9p1\n");
        enable();
        assert_settings(drop_in_paths[0], "AuthorizedKeysCommand " HELPER_PROGRAM " " TOKENS
                                          "\nAuthorizedKeysCommandUser " HELPER_USER "\n");
        world_write("/run/test/version", "OpenSSH_9.6p1\n");
        enable();
        assert_settings(drop_in_paths[0], ALONE);
        world_write("/run/test/version", "what?\n");
        enable();
        assert_said("Written: ");
}

static void a_command_is_chained_wherever_it_stands(void **state) {
        (void)state;
        world_reset(THEIRS);
        enable();
        assert_said("Found: sshd runs \"/bin/x %u\" as nobody (/etc/ssh/sshd_config line 2).\n");
        assert_settings(drop_in_paths[0], BEHIND);
        disable();
        assert_nothing_of_ours();

        world_reset("");
        world_write(SSHD_DROP_IN_DIR "/20-x.conf", THEIRS);
        enable();
        assert_settings(drop_in_paths[0], BEHIND);

        /* It moves before ours, and before the next name, and then nothing is before it. */
        assert_int_equal(rename(SSHD_DROP_IN_DIR "/20-x.conf", SSHD_DROP_IN_DIR "/05-x.conf"), 0);
        enable();
        assert_settings(drop_in_paths[0], NULL);
        assert_settings(drop_in_paths[1], BEHIND);
        assert_int_equal(rename(SSHD_DROP_IN_DIR "/05-x.conf", SSHD_DROP_IN_DIR "/00-a.conf"), 0);
        enable();
        assert_settings(drop_in_paths[1], NULL);
        assert_settings(drop_in_paths[2], BEHIND);
        disable();
        assert_int_equal(rename(SSHD_DROP_IN_DIR "/00-a.conf", SSHD_DROP_IN_DIR "/#.conf"), 0);
        refused("\n/etc/ssh/sshd_config.d/#.conf line 1 sets AuthorizedKeysCommand before a file of ours is read.\n"
                "Put this line at the top of /etc/ssh/sshd_config:\n\n"
                "    Include /etc/ssh/sshd_config.d/10-exc-instance-connect.conf\n\n"
                "Then run: exc-instance-connect enable\n");
}

static void a_command_that_comes_changes_or_goes_is_followed(void **state) {
        (void)state;
        world_reset("");
        enable();
        world_write(SSHD_DROP_IN_DIR "/20-x.conf", THEIRS);
        enable();
        assert_settings(drop_in_paths[0], BEHIND);
        world_write(SSHD_DROP_IN_DIR "/20-x.conf", "AuthorizedKeysCommand /bin/y\nAuthorizedKeysCommandUser root\n");
        enable();
        assert_settings(drop_in_paths[0], CHAINED TOKENS " -- /bin/y %u\nAuthorizedKeysCommandUser root\n");
        world_remove(SSHD_DROP_IN_DIR "/20-x.conf");
        enable();
        assert_settings(drop_in_paths[0], ALONE);
}

static void what_comes_before_the_include_is_not_overridden(void **state) {
        (void)state;
        world_reset("");
        world_write("/etc/ssh/sshd_config",
                    "# first\nAuthorizedKeysCommand none\nInclude /etc/ssh/sshd_config.d/*.conf\n");
        refused("/etc/ssh/sshd_config line 2 sets AuthorizedKeysCommand before a file of ours is read.");
        world_write("/etc/ssh/sshd_config", "AuthorizedKeysCommandUser bin\nInclude /etc/ssh/sshd_config.d/*.conf\n");
        refused("/etc/ssh/sshd_config line 1 sets AuthorizedKeysCommandUser before a file of ours is read.");
        world_write("/etc/ssh/sshd_config", "");
        refused("/etc/ssh/sshd_config does not include the files in /etc/ssh/sshd_config.d.");
        /* What is asked for is for all that read that file: nobody is told that one of them is left as it is. */
        world_write(WORLD_UNITS "/second.service", "[Service]\nExecStart=/usr/sbin/sshd -D -p 2222\n");
        refused("/etc/ssh/sshd_config does not include the files in /etc/ssh/sshd_config.d.");
        assert_null(strstr(said, "left alone"));
        world_remove(WORLD_UNITS "/second.service");
        world_write("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/10-exc-instance-connect.conf\n" THEIRS);
        enable();
        assert_settings(drop_in_paths[0], BEHIND);
}

static void a_match_block_is_asked_for_one_line(void **state) {
        (void)state;
        world_reset(THEIRS "Match User a\n  AuthorizedKeysCommand /bin/a\nMatch User b\nAuthorizedKeysCommandUser b\n");
        refused("\n/etc/ssh/sshd_config line 5 sets AuthorizedKeysCommand for \"Match User a\".\n"
                "Put this line into /etc/ssh/sshd_config, right above line 5, which is AuthorizedKeysCommand:\n\n"
                "    Include /etc/ssh/sshd_config.d/exc-instance-connect.chain-1\n\n"
                "Then run: exc-instance-connect enable\n");
        assert_said("    Include /etc/ssh/sshd_config.d/exc-instance-connect.chain-2\n");
        world_reset(THEIRS "Match User a\nInclude " CHAIN_1 "\n  AuthorizedKeysCommand /bin/a\n"
                           "Match User b\nInclude " CHAIN_2 "\nAuthorizedKeysCommandUser b\n"
                           "Match User c\nAuthorizedKeysCommand none\n");
        enable();
        assert_said("line 11: for \"Match User c\" sshd runs no command");
        assert_settings(drop_in_paths[0], BEHIND);
        assert_settings(CHAIN_1,
                        CHAINED "--chain-user nobody " TOKENS " -- /bin/a %u\nAuthorizedKeysCommandUser root\n");
        assert_settings(CHAIN_2, CHAINED "--chain-user b " TOKENS " -- /bin/x %u\nAuthorizedKeysCommandUser root\n");
        disable();
        assert_nothing_of_ours();
        /* The lines may stay when the block sets nothing any more. */
        world_reset("Match User a\nInclude " CHAIN_1 "\n");
        enable();
        assert_settings(CHAIN_1, NULL);
        /* A line of ours that comes too late. */
        world_reset("Match User a\nAuthorizedKeysCommand /bin/a\nInclude " CHAIN_1 "\nAuthorizedKeysCommandUser a\n");
        refused("right above line 3");
        /* One that is for all. */
        world_reset("Match all\n" THEIRS);
        world_write("/run/test/says", "authorizedkeyscommand /bin/x %u\nauthorizedkeyscommanduser nobody\n");
        refused("right above line 3, which is AuthorizedKeysCommand:\n\n    Include " CHAIN_1 "\n");
        /* One for two commands. */
        world_reset("Match User a\nInclude " CHAIN_1 "\nAuthorizedKeysCommand /bin/a\nAuthorizedKeysCommandUser a\n"
                    "Match User b\nInclude " CHAIN_1 "\nAuthorizedKeysCommand /bin/b\nAuthorizedKeysCommandUser b\n");
        refused(CHAIN_1
                " is included where different commands are set, /etc/ssh/sshd_config line 7 is one of these places.");
        /* The same for two blocks with the same. */
        world_reset("Match User a\n" THEIRS "Match User b\n" THEIRS);
        refused("    Include " CHAIN_1 "\n");
        assert_null(strstr(said, "chain-2"));
}

static void more_commands_than_there_are_files_are_refused(void **state) {
        char text[4096] = "";

        (void)state;
        for (int i = 0; i <= DROP_IN_CHAINS; i++)
                (void)snprintf(text + strlen(text), 128,
                               "Match User a%d\nAuthorizedKeysCommand /bin/a%d\nAuthorizedKeysCommandUser a\n", i, i);
        world_reset(text);
        refused("More than 8 different commands are set");
}

static void a_command_that_sshd_cannot_run_is_not_chained(void **state) {
        (void)state;
        world_reset("AuthorizedKeysCommand /bin/x # don't\nAuthorizedKeysCommandUser nobody\n");
        refused("/etc/ssh/sshd_config line 2: sshd cannot run this command");
        world_reset("Match User a\nAuthorizedKeysCommand /bin/x '\nAuthorizedKeysCommandUser nobody\n");
        refused("/etc/ssh/sshd_config line 3: sshd cannot run this command");
        world_reset("Match User a\nInclude " CHAIN_1 "\nAuthorizedKeysCommand /bin/x\n");
        refused("/etc/ssh/sshd_config line 4: sshd cannot run this command");
}

static void ours_written_by_hand_is_enough(void **state) {
        (void)state;
        world_reset(ALONE);
        enable();
        assert_said("line 2 asks exc-authorized-keys already");
        assert_said("Nothing to change.");
        assert_nothing_of_ours();
        assert_int_equal(run(&disable_command, false), EXIT_OWN_FAILURE);
        assert_said("/etc/ssh/sshd_config line 2 still has sshd run exc-authorized-keys: take it out by hand");
        world_reset("AuthorizedKeysCommand " HELPER_PROGRAM " %u %f\nAuthorizedKeysCommandUser nobody\n");
        refused("line 2 runs exc-authorized-keys as nobody");
}

static void an_edited_file_is_kept_and_put_aside_and_brought_back(void **state) {
        static const char edit[] = "# mine\n" BEHIND;

        (void)state;
        world_reset(THEIRS);
        world_write(drop_in_paths[1], edit);
        enable();
        assert_said(
                "Note: /etc/ssh/sshd_config.d/00-exc-instance-connect.conf has been edited, and is kept as it is.\n");
        assert_said("Nothing to change.");
        assert_int_equal(run(&disable_command, true), EXIT_DONE);
        assert_said("would be kept as /etc/ssh/sshd_config.d/.00-exc-instance-connect.conf.disabled.");
        disable();
        assert_said(
                "Put aside, since it has been edited: /etc/ssh/sshd_config.d/.00-exc-instance-connect.conf.disabled\n");
        assert_settings(drop_in_paths[1], NULL);
        enable();
        assert_said("was put aside, and is put back");
        assert_settings(drop_in_paths[1], BEHIND);
        assert_false(world_has(SSHD_DROP_IN_DIR "/.00-exc-instance-connect.conf.disabled"));
        /* It is told when theirs is not run by it. */
        world_reset("AuthorizedKeysCommand /bin/z\nAuthorizedKeysCommandUser root\n");
        world_write(drop_in_paths[0], edit);
        enable();
        assert_said("It does not run \"/bin/z\"");
        /* Two of them, and one that is no use. */
        world_write(drop_in_paths[1], edit);
        assert_int_equal(run(&enable_command, false), EXIT_OWN_FAILURE);
        assert_said("were both edited");
        world_remove(drop_in_paths[1]);
        world_reset("");
        world_write(drop_in_paths[0], "# nothing\n");
        assert_int_equal(run(&enable_command, false), EXIT_OWN_FAILURE);
        assert_said("has been edited, and does not let sshd ask");
        /* One of a block. */
        world_reset("Match User a\nInclude " CHAIN_1 "\n" THEIRS);
        world_write(CHAIN_1, edit);
        enable();
        assert_settings(CHAIN_1, BEHIND);
        disable();
        enable();
        assert_settings(CHAIN_1, BEHIND);
        /* One that was edited, and must move. */
        world_reset("");
        world_write(SSHD_DROP_IN_DIR "/05-x.conf", THEIRS);
        world_write(drop_in_paths[0], edit);
        enable();
        assert_settings(drop_in_paths[0], NULL);
        assert_settings(drop_in_paths[1], BEHIND);
}

/* As in an upgrade: text of an earlier version is rewritten, what somebody edited stays. */
static void drop_in_of_an_earlier_version_is_rewritten(void **state) {
        char command[] = "/bin/x %u", user[] = "nobody";
        struct drop_in drop_in = {.expiry_time = true, .command = command, .user = user};
        char *text = drop_in_render(&drop_in), *program, edit[4096];

        (void)state;
        assert_non_null(text);
        program = strstr(text, CHAIN_PROGRAM);
        assert_non_null(program);
        memmove(program + strlen(HELPER_PROGRAM), program + strlen(CHAIN_PROGRAM),
                strlen(program + strlen(CHAIN_PROGRAM)) + 1);
        world_reset(THEIRS);
        world_write(drop_in_paths[0], text);
        enable();
        assert_settings(drop_in_paths[0], BEHIND);
        world_reset("Match User a\nInclude " CHAIN_1 "\n" THEIRS);
        world_write(CHAIN_1, text);
        enable();
        assert_settings(CHAIN_1, BEHIND);
        world_reset(THEIRS);
        (void)snprintf(edit, sizeof(edit), "# mine\n%s", text);
        world_write(drop_in_paths[0], edit);
        enable();
        assert_text(drop_in_paths[0], edit);
        free(text);
}

static void what_was_put_aside_is_out_of_effect(void **state) {
        static const char edit[] = "# mine\n" ALONE;

        (void)state;
        world_reset("");
        world_write("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*\n");
        world_write(drop_in_paths[0], edit);
        disable();
        assert_settings(drop_in_paths[0], NULL);
        enable();
        assert_text(drop_in_paths[0], edit);
        /* Another sshd's. */
        world_write(WORLD_UNITS "/second.service", "[Service]\nExecStart=/usr/sbin/sshd -D -f /etc/ssh/second\n");
        world_write("/etc/ssh/second",
                    "Include /etc/ssh/sshd_config.d/*.conf\nInclude /etc/ssh/sshd_config.d/.[0-9]*\n");
        assert_int_equal(run(&disable_command, false), EXIT_OWN_FAILURE);
        assert_said("put back: some of it is still in effect for second.service");
        assert_said("take that Include out, then run: exc-instance-connect disable\n");
        assert_text(drop_in_paths[0], edit);
        assert_false(world_has(SSHD_DROP_IN_DIR "/.10-exc-instance-connect.conf.disabled"));
}

static void what_comes_back_under_another_name_leaves_nothing_to_come_back_later(void **state) {
        (void)state;
        world_reset(THEIRS);
        world_write(drop_in_paths[0], "# first\n" BEHIND);
        disable();
        world_write(SSHD_DROP_IN_DIR "/05-x.conf", THEIRS);
        enable();
        assert_settings(drop_in_paths[1], BEHIND);
        assert_false(world_has(SSHD_DROP_IN_DIR "/.10-exc-instance-connect.conf.disabled"));
        world_write(drop_in_paths[1], "# second\n" BEHIND);
        disable();
        enable();
        assert_text(drop_in_paths[1], "# second\n" BEHIND);
}

static void an_edited_file_of_a_block_waits_for_the_block(void **state) {
        static const char edit[] = "# mine\n" BEHIND;

        (void)state;
        world_reset("Match User a\nInclude " CHAIN_1 "\n" THEIRS);
        world_write(CHAIN_1, edit);
        enable();
        world_write("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\n");
        enable();
        assert_text(CHAIN_1, edit);
        /* Another place does not get it. */
        world_write("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\n"
                                            "Match User b\nAuthorizedKeysCommand /bin/b\n"
                                            "AuthorizedKeysCommandUser b\n");
        assert_int_equal(run(&enable_command, false), EXIT_OWN_FAILURE);
        assert_said("    Include " CHAIN_2 "\n");
        disable();
        assert_text(CHAIN_1_ASIDE, edit);
        assert_int_equal(run(&enable_command, false), EXIT_OWN_FAILURE);
        assert_said("    Include " CHAIN_2 "\n");
        assert_text(CHAIN_1_ASIDE, edit);
}

static void an_edited_file_is_not_put_over_what_sshd_runs_now(void **state) {
        static const char edit[] = "# mine\n" ALONE, directory[] = SSHD_DROP_IN_DIR "/50-directory.conf",
                          told[] = " has been edited, and does not run \"/bin/x %u\", which sshd runs now.\n"
                                   "Put these lines into it, in the place of its own, or remove it:\n\n"
                                   "    AuthorizedKeysCommand " CHAIN_PROGRAM
                                   " --expiry-time --chain-user nobody %u %f %t %k -- /bin/x %u\n"
                                   "    AuthorizedKeysCommandUser root\n\n"
                                   "Then run: exc-instance-connect enable\n";

        (void)state;
        /* It was put aside before theirs came. */
        world_reset("");
        world_write(drop_in_paths[0], edit);
        disable();
        world_write(directory, THEIRS);
        assert_int_equal(run(&enable_command, false), EXIT_OWN_FAILURE);
        assert_said("nothing is changed: it would not be safe here.");
        assert_said("\n/etc/ssh/sshd_config.d/.10-exc-instance-connect.conf.disabled has been edited");
        assert_null(strstr(said, "is put back"));
        assert_said(told);
        assert_settings(drop_in_paths[0], NULL);
        /* With what it was told, and without. */
        world_write(SSHD_DROP_IN_DIR "/.10-exc-instance-connect.conf.disabled", "# mine\n" BEHIND);
        enable();
        assert_text(drop_in_paths[0], "# mine\n" BEHIND);
        world_write(drop_in_paths[0], edit);
        disable();
        world_remove(SSHD_DROP_IN_DIR "/.10-exc-instance-connect.conf.disabled");
        enable();
        assert_settings(drop_in_paths[0], BEHIND);
        /* What is in a comment is not run. */
        disable();
        world_write(SSHD_DROP_IN_DIR "/.10-exc-instance-connect.conf.disabled", "# was " BEHIND ALONE);
        assert_int_equal(run(&enable_command, false), EXIT_OWN_FAILURE);
        assert_said(told);
        /* It is in effect already: nothing changes. */
        assert_int_equal(rename(SSHD_DROP_IN_DIR "/.10-exc-instance-connect.conf.disabled", drop_in_paths[0]), 0);
        enable();
        assert_said("It does not run \"/bin/x %u\"");
        assert_said("Nothing to change.");
        /* Theirs was put before it, and it must move. */
        world_write(drop_in_paths[0], edit);
        assert_int_equal(rename(directory, SSHD_DROP_IN_DIR "/05-x.conf"), 0);
        assert_int_equal(run(&enable_command, false), EXIT_OWN_FAILURE);
        assert_said("\n/etc/ssh/sshd_config.d/10-exc-instance-connect.conf has been edited");
        assert_said(told);
        assert_text(drop_in_paths[0], edit);
        assert_settings(drop_in_paths[1], NULL);
        /* No name of ours comes before it: nobody is asked for a line that would do it. */
        assert_int_equal(rename(SSHD_DROP_IN_DIR "/05-x.conf", SSHD_DROP_IN_DIR "/#.conf"), 0);
        assert_int_equal(run(&enable_command, false), EXIT_OWN_FAILURE);
        assert_said(told);
        assert_null(strstr(said, "Include"));
        assert_int_equal(rename(SSHD_DROP_IN_DIR "/#.conf", SSHD_DROP_IN_DIR "/05-x.conf"), 0);
        /* It was hidden by another of ours, which would go. */
        world_write(drop_in_paths[1], BEHIND);
        assert_int_equal(run(&disable_command, false), EXIT_DONE);
        world_remove(SSHD_DROP_IN_DIR "/.00-exc-instance-connect.conf.disabled");
        world_remove(SSHD_DROP_IN_DIR "/.10-exc-instance-connect.conf.disabled");
        enable();
        assert_settings(drop_in_paths[1], BEHIND);
        world_write(drop_in_paths[0], edit);
        world_remove(SSHD_DROP_IN_DIR "/05-x.conf");
        world_write(directory, THEIRS);
        assert_int_equal(run(&enable_command, false), EXIT_OWN_FAILURE);
        assert_said(told);
        assert_settings(drop_in_paths[1], BEHIND);
}

static void an_edited_file_of_a_block_is_not_put_over_its_command(void **state) {
        (void)state;
        world_reset("Match User a\nInclude " CHAIN_1 "\n" THEIRS);
        world_write(CHAIN_1_ASIDE, "# mine\n" ALONE);
        assert_int_equal(run(&enable_command, false), EXIT_OWN_FAILURE);
        assert_said("\n" CHAIN_1_ASIDE " has been edited, and does not run \"/bin/x %u\", which sshd runs now.\n");
        assert_settings(CHAIN_1, NULL);
        /* In effect already. */
        assert_int_equal(rename(CHAIN_1_ASIDE, CHAIN_1), 0);
        enable();
        assert_said("It does not run \"/bin/x %u\"");
        /* Another sshd needs a file of its own, where that for all was edited. */
        world_reset("");
        world_write(WORLD_UNITS "/second.service", "[Service]\nExecStart=/usr/sbin/sshd -D -f /etc/ssh/second\n");
        world_write("/etc/ssh/second", "Include /etc/ssh/sshd_config.d/*.conf\n" THEIRS);
        world_write(SSHD_DROP_IN_DIR "/.10-exc-instance-connect.conf.disabled", "# mine\n" ALONE);
        assert_int_equal(run(&enable_command, false), EXIT_OWN_FAILURE);
        assert_said("Put this line at the top of /etc/ssh/second:\n\n    Include " CHAIN_1 "\n");
        world_write("/etc/ssh/second", "Include " CHAIN_1 "\nInclude /etc/ssh/sshd_config.d/*.conf\n" THEIRS);
        enable();
        assert_settings(drop_in_paths[0], ALONE);
        assert_settings(CHAIN_1, BEHIND);
}

static void a_dry_run_shows_a_difference_and_changes_nothing(void **state) {
        (void)state;
        world_reset(THEIRS);
        assert_int_equal(run(&enable_command, true), EXIT_DONE);
        assert_said("--- /dev/null\n+++ /etc/ssh/sshd_config.d/10-exc-instance-connect.conf\n@@ -0,0 +1,5 @@\n+# ");
        assert_said("+AuthorizedKeysCommandUser root\n");
        assert_nothing_of_ours();
        enable();
        assert_int_equal(run(&disable_command, true), EXIT_DONE);
        assert_said("--- /etc/ssh/sshd_config.d/10-exc-instance-connect.conf\n+++ /dev/null\n@@ -1,5 +0,0 @@\n-# ");
        assert_settings(drop_in_paths[0], BEHIND);
        assert_int_equal(run(&enable_command, true), EXIT_DONE);
        assert_null(strstr(said, "---"));
}

static void a_broken_configuration_is_left_alone(void **state) {
        (void)state;
        world_reset("Bad\n");
        refused("Bad configuration option");
        assert_said("fix this and run: exc-instance-connect enable");
        world_reset("");
        world_write("/run/test/says", "authorizedkeyscommand /bin/unknown\nauthorizedkeyscommanduser x\n");
        refused("sshd -T says AuthorizedKeysCommand /bin/unknown, and its files say none");
        world_reset("");
        assert_int_equal(rename(SSHD_PROGRAM, SSHD_PROGRAM ".away"), 0);
        refused("/usr/sbin/sshd is not installed");
        assert_int_equal(rename(SSHD_PROGRAM ".away", SSHD_PROGRAM), 0);
        world_reset("");
        assert_int_equal(symlink("/etc/passwd", drop_in_paths[0]), 0);
        assert_int_equal(run(&enable_command, false), EXIT_OWN_FAILURE);
        assert_said("is not a regular file");
        assert_int_equal(run(&disable_command, false), EXIT_OWN_FAILURE);
        assert_said("is not a regular file");
}

static void ours_goes_also_where_sshd_is_broken_or_gone(void **state) {
        (void)state;
        world_reset("");
        enable();
        world_write("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nBad\n");
        assert_int_equal(run(&disable_command, false), EXIT_OWN_FAILURE);
        assert_said("sshd's configuration is broken, as it was before");
        assert_nothing_of_ours();
        world_reset("");
        enable();
        assert_int_equal(rename(SSHD_PROGRAM, SSHD_PROGRAM ".away"), 0);
        disable();
        assert_nothing_of_ours();
        assert_int_equal(rename(SSHD_PROGRAM ".away", SSHD_PROGRAM), 0);
        world_reset("");
        assert_int_equal(umount2("/etc/ssh", MNT_DETACH), 0);
        world_mount("/etc/ssh");
        disable();
        assert_said("Nothing to take away.");
}

/* A stand-in for sshd that finds a fault as soon as ours is there, or only then finds none. */
static void with_a_check(const char *check) {
        char *text = NULL;

        assert_true(asprintf(&text, "#!/bin/sh\nif [ -e %s ]; then there=1; fi\n%s\nexec /usr/sbin/sshd.real \"$@\"\n",
                             drop_in_paths[0], check) > 0);
        assert_int_equal(rename(SSHD_PROGRAM, SSHD_PROGRAM ".real"), 0);
        world_write(SSHD_PROGRAM, text);
        free(text);
}

static void without_a_check(void) {
        assert_int_equal(rename(SSHD_PROGRAM ".real", SSHD_PROGRAM), 0);
}

static void what_sshd_does_not_take_or_follow_is_taken_back(void **state) {
        (void)state;
        world_reset("");
        with_a_check("if [ -n \"$there\" ] && [ $1 = -t ]; then echo 'not so' >&2; exit 1; fi");
        refused("what was written is taken back: not so");
        without_a_check();
        with_a_check("if [ -n \"$there\" ] && [ $1 = -T ]; then echo authorizedkeyscommand /bin/z; exit 0; fi");
        refused("what was written is taken back: sshd asks \"/bin/z\" as nobody all the same");
        without_a_check();
        with_a_check("if [ -n \"$there\" ] && [ $1 = -T ]; then echo 'no answer' >&2; exit 1; fi");
        refused("what was written is taken back: no answer");
        without_a_check();
        world_reset("Match User bob\n");
        with_a_check("if [ -n \"$there\" ] && [ \"$2\" = -C ]; then printf 'authorizedkeyscommand /bin/z\\n"
                     "authorizedkeyscommanduser u\\n'; exit 0; fi");
        refused("what was written is taken back: for user root sshd asks \"/bin/z\" as u all the same");
        without_a_check();
        with_a_check("if [ -n \"$there\" ] && [ \"$2\" = -C ]; then exit 1; fi");
        refused("what was written is taken back: /usr/sbin/sshd -T failed and said nothing");
        without_a_check();
        /* Who cannot be asked about before is not asked about afterwards. */
        with_a_check("case \" $* \" in *' -C '*) exit 1 ;; esac");
        enable();
        without_a_check();
        /* What was there before comes back. */
        world_write(SSHD_DROP_IN_DIR "/05-x.conf", THEIRS);
        with_a_check("if [ -z \"$there\" ] && [ $1 = -t ] && [ -z \"$2\" ]; then echo 'not so' >&2; exit 1; fi");
        assert_int_equal(run(&enable_command, false), EXIT_OWN_FAILURE);
        assert_said("what was written is taken back");
        assert_settings(drop_in_paths[0], ALONE);
        assert_settings(drop_in_paths[1], NULL);
        /* sshd would not start without ours: it stays. */
        world_remove(SSHD_DROP_IN_DIR "/05-x.conf");
        assert_int_equal(run(&disable_command, false), EXIT_OWN_FAILURE);
        assert_said("what was taken away is put back, since without it sshd's configuration is broken: not so");
        assert_settings(drop_in_paths[0], ALONE);
        without_a_check();
}

static void another_setting_that_changes_is_taken_back(void **state) {
        (void)state;
        world_reset("");
        with_a_check("if [ -n \"$there\" ] && [ $1 = -T ]; then /usr/sbin/sshd.real \"$@\" | sed 's/port 22/port 23/'; "
                     "exit; fi");
        refused("what was written is taken back: /usr/sbin/sshd: port is \"23\" with exc-instance-connect, and \"22\" "
                "without");
        without_a_check();
        world_reset("Match User bob\n");
        with_a_check("case \"$there $*\" in '1 '*user=alice,*) echo port 22; echo AcceptEnv X; exit ;; esac");
        refused("what was written is taken back: /usr/sbin/sshd, user alice: ");
        without_a_check();
        /* It is seen before anything is written, too. */
        with_a_check("case $2 in /run/exc-sshd-*) ! grep -rq " HELPER_PROGRAM
                     " ${2%/*} || { /usr/sbin/sshd.real \"$@\"; "
                     "echo AcceptEnv X; exit; } ;; esac");
        refused("\n/usr/sbin/sshd: AcceptEnv is \"X\" with exc-instance-connect, and \"\" without.\n");
        assert_int_equal(run(&enable_command, true), EXIT_OWN_FAILURE);
        assert_said("AcceptEnv");
        without_a_check();
        with_a_check("case $2 in /run/exc-sshd-*) ! grep -rq " HELPER_PROGRAM
                     " ${2%/*} || { echo no >&2; exit 1; } ;; esac");
        refused("\n/usr/sbin/sshd: no\n");
        without_a_check();
}

#define PRINCIPALS(command) "AuthorizedPrincipalsCommand " command "\nAuthorizedPrincipalsCommandUser nobody\n"

/* As OpenSSH before 9.4. */
static void world_reset_before_9_4(const char *lines) {
        world_reset(lines);
        world_write("/run/test/before-9.4", "");
}

static void principals_command_is_repeated_where_sshd_ignores_it(void **state) {
        (void)state;
        world_reset(PRINCIPALS("/bin/p %u"));
        enable();
        assert_settings(drop_in_paths[0], ALONE);
        world_reset_before_9_4(PRINCIPALS("/bin/p %u"));
        enable();
        assert_said(
                "Note: sshd would ignore its AuthorizedPrincipalsCommand behind ours, so our file repeats it. When it "
                "changes, run: exc-instance-connect enable\n");
        assert_settings(drop_in_paths[0], PRINCIPALS("/bin/p %u") ALONE);
        enable();
        assert_said("Nothing to change.");
        disable();
        assert_nothing_of_ours();
        /* Before a command that is chained; and of two, the one that this sshd runs. */
        world_reset_before_9_4(PRINCIPALS("/bin/p %u") PRINCIPALS("/bin/q %u") THEIRS);
        enable();
        assert_settings(drop_in_paths[0], PRINCIPALS("/bin/q %u") BEHIND);
        /* What it did not run is not run now. */
        world_reset_before_9_4(THEIRS PRINCIPALS("/bin/p %u"));
        enable();
        assert_settings(drop_in_paths[0], BEHIND);
}

static void repeated_principals_command_follows_the_original(void **state) {
        (void)state;
        world_reset_before_9_4("");
        enable();
        assert_settings(drop_in_paths[0], ALONE);
        /* It came later, as to a machine with a file of an earlier version. */
        world_write(SSHD_DROP_IN_DIR "/20-x.conf", PRINCIPALS("/bin/p %u"));
        enable();
        assert_settings(drop_in_paths[0], PRINCIPALS("/bin/p %u") ALONE);
        world_write(SSHD_DROP_IN_DIR "/20-x.conf", PRINCIPALS("/bin/q %u"));
        enable();
        assert_settings(drop_in_paths[0], PRINCIPALS("/bin/q %u") ALONE);
        world_remove("/run/test/before-9.4");
        enable();
        assert_settings(drop_in_paths[0], ALONE);
        world_write("/run/test/before-9.4", "");
        enable();
        world_remove(SSHD_DROP_IN_DIR "/20-x.conf");
        enable();
        assert_settings(drop_in_paths[0], ALONE);
}

static void principals_command_is_not_hidden_by_what_others_wrote(void **state) {
        static const char told[] =
                "authorizedprincipalscommand is \"none\" with exc-instance-connect, and \"/bin/p %u\" "
                "without.\n"
                "This sshd ignores an AuthorizedPrincipalsCommand that comes after an "
                "AuthorizedKeysCommand.\n"
                "Put these lines at the top of /etc/ssh/sshd_config:\n\n"
                "    AuthorizedPrincipalsCommand /bin/p %u\n"
                "    AuthorizedPrincipalsCommandUser nobody\n\n"
                "Then run: exc-instance-connect enable\n";

        (void)state;
        /* Ours, edited, and in place; and put aside. */
        world_reset_before_9_4(PRINCIPALS("/bin/p %u"));
        world_write(drop_in_paths[0], "# mine\n" ALONE "X11Forwarding no\n");
        assert_int_equal(run(&enable_command, false), EXIT_OWN_FAILURE);
        assert_said(told);
        disable();
        assert_int_equal(run(&enable_command, false), EXIT_OWN_FAILURE);
        assert_said(told);
        assert_settings(drop_in_paths[0], NULL);
        /* As told. */
        world_write("/etc/ssh/sshd_config", PRINCIPALS("/bin/p %u") "Include " SSHD_DROP_IN_DIR "/*.conf\n");
        enable();
        assert_settings(drop_in_paths[0], ALONE "X11Forwarding no\n");
        /* Ours, in a file of the administrator's. */
        world_reset_before_9_4(ALONE PRINCIPALS("/bin/p %u"));
        refused(told);
}

static void another_sshd_keeps_its_principals_command(void **state) {
        (void)state;
        world_reset_before_9_4(PRINCIPALS("/bin/p %u"));
        world_write(WORLD_UNITS "/second.service", "[Service]\nExecStart=/usr/sbin/sshd -D -f /etc/ssh/second\n");
        world_write("/etc/ssh/second", "Include " SSHD_DROP_IN_DIR "/*.conf\n" PRINCIPALS("/bin/q %u"));
        refused("second.service: authorizedprincipalscommand is \"/bin/p %u\" with exc-instance-connect, and "
                "\"/bin/q %u\" without.\n");
        assert_said("Put these lines at the top of /etc/ssh/second:\n\n"
                    "    AuthorizedPrincipalsCommand /bin/q %u\n"
                    "    AuthorizedPrincipalsCommandUser nobody\n"
                    "    Include " CHAIN_1 "\n\n");
        world_write("/etc/ssh/second",
                    PRINCIPALS("/bin/q %u") "Include " CHAIN_1 "\nInclude " SSHD_DROP_IN_DIR "/*.conf\n");
        enable();
        assert_settings(drop_in_paths[0], PRINCIPALS("/bin/p %u") ALONE);
        assert_settings(CHAIN_1, ALONE);
        disable();
        assert_nothing_of_ours();
}

/* The answer for a user is of a Match block, which the stand-in for sshd does not know. */
static void principals_command_of_a_match_block_is_not_hidden(void **state) {
        (void)state;
        world_reset("Match User alice\nInclude " CHAIN_1 "\n" PRINCIPALS("/bin/p %u") THEIRS);
        with_a_check("case \"$2 $*\" in /run/exc-sshd-*user=alice,*)\n"
                     "if grep -rq " HELPER_PROGRAM " ${2%/*}; then echo authorizedprincipalscommand none\n"
                     "else echo authorizedprincipalscommand /bin/p %u; fi; exit ;; esac");
        refused("/usr/sbin/sshd, Match User alice: authorizedprincipalscommand is \"none\" with exc-instance-connect, "
                "and "
                "\"/bin/p %u\" without.\n");
        assert_said("/etc/ssh/sshd_config line 3 includes " CHAIN_1 ".\n"
                    "Move that line below AuthorizedPrincipalsCommand in \"Match User alice\".\n"
                    "Then run: exc-instance-connect enable\n");
        /* Behind ours, which the administrator wrote there. */
        world_write("/etc/ssh/sshd_config", "Include " SSHD_DROP_IN_DIR "/*.conf\n"
                                            "Match User alice\n" ALONE PRINCIPALS("/bin/p %u"));
        refused("In the Match block, move AuthorizedPrincipalsCommand above AuthorizedKeysCommand.\n"
                "Then run: exc-instance-connect enable\n");
        without_a_check();
}

#define SSH_SERVICE WORLD_UNITS "/ssh.service"

static void a_match_line_that_cannot_be_met_is_told(void **state) {
        char *asked;

        (void)state;
        world_reset("Match Address 192.0.2.0/24 LocalPort 2222\nX11Forwarding no\nMatch User !alice\n");
        enable();
        assert_said("Note: not compared: /etc/ssh/sshd_config line 4: \"Match User !alice\": it has no name to try.\n");
        assert_null(strstr(said, "line 2"));
        asked = world_read("/run/test/asked");
        assert_non_null(
                strstr(asked, "-T -C user=root,host=localhost,addr=192.0.2.0,laddr=127.0.0.1,lport=2222,rdomain=\n"));
        free(asked);
        disable();
}

static void options_of_a_unit_are_to_be_moved_into_a_file(void **state) {
        (void)state;
        world_reset("");
        world_write(SSH_SERVICE, "[Service]\nEnvironmentFile=/run/default\nExecStart=/usr/sbin/sshd -D $SSHD_OPTS\n");
        world_write("/run/default", "SSHD_OPTS='-4'\n");
        world_write(WORLD_UNITS "/ssh.service.d/x.conf",
                    "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D -o \"AuthorizedKeysCommand /bin/x %%u\" \\\n"
                    "  '-oAuthorizedKeysCommandUser nobody'  $SSHD_OPTS -e\n");
        refused("\nssh.service starts sshd with -o AuthorizedKeysCommand (" WORLD_UNITS
                "/ssh.service.d/x.conf), which counts "
                "before every file.\n"
                "Move it into a file. Put these lines at the top of /etc/ssh/sshd_config:\n\n"
                "    Include /etc/ssh/sshd_config.d/10-exc-instance-connect.conf\n"
                "    AuthorizedKeysCommand /bin/x %u\n"
                "    AuthorizedKeysCommandUser nobody\n\n"
                "In " WORLD_UNITS "/ssh.service.d/x.conf, take out of the command line:\n\n"
                "    -o AuthorizedKeysCommand /bin/x %u\n"
                "    -o AuthorizedKeysCommandUser nobody\n\n"
                "Then run: systemctl daemon-reload\n"
                "Then run: systemctl try-restart ssh.service\n"
                "Then run: exc-instance-connect enable\n");
        world_remove(WORLD_UNITS "/ssh.service.d/x.conf");
        world_write("/run/default", "SSHD_OPTS='-o \"AuthorizedKeysCommand /bin/x\" -4 -o \"Banner /a b\" "
                                    "-oAuthorizedKeysCommandUser=nobody'\n");
        refused("\nIn /run/default, take out of the command line:\n\n    -o AuthorizedKeysCommand /bin/x\n"
                "    -o AuthorizedKeysCommandUser=nobody\n\nThen run: systemctl daemon-reload\n");
        /* With ours on the command line, by hand, all is well; but it would stay. */
        world_write("/run/default", "SSHD_OPTS='-o \"AuthorizedKeysCommand " HELPER_PROGRAM " %u %f -- /bin/x\" "
                                    "-o \"AuthorizedKeysCommandUser root\"'\n");
        enable();
        assert_int_equal(run(&disable_command, false), EXIT_OWN_FAILURE);
        assert_said("ssh.service still has sshd run exc-authorized-keys, by its command line");
        world_remove(SSH_SERVICE);
        world_write(WORLD_UNITS "/inetd@.service",
                    "[Service]\nExecStart=/usr/sbin/sshd -i -oAuthorizedKeysCommand=/bin/x "
                    "-oAuthorizedKeysCommandUser=nobody\n");
        refused("\nIn " WORLD_UNITS "/inetd@.service, take out of the command line:\n\n"
                "    -o AuthorizedKeysCommand=/bin/x\n    -o AuthorizedKeysCommandUser=nobody\n\n"
                "Then run: systemctl daemon-reload\nThen run: exc-instance-connect enable\n");
}

static void another_sshd_is_seen_to_as_well(void **state) {
        static const char unit[] = "[Service]\nExecStart=/usr/sbin/sshd -D -f /etc/ssh/second\n";

        (void)state;
        world_reset("");
        world_write(WORLD_UNITS "/second.service", unit);
        enable();
        assert_said(
                "Note: second.service is left alone: its configuration cannot be read: /etc/ssh/second: No such file");
        world_write("/etc/ssh/second", THEIRS);
        enable();
        assert_said("Note: second.service is left alone: its configuration does not include " SSHD_DROP_IN_DIR
                    "/10-exc-instance-connect.conf.");
        world_write("/etc/ssh/second", "Include /etc/ssh/sshd_config.d/*.conf\n");
        disable();
        enable();
        disable();
        /* With another command, it needs a file of its own. */
        world_write("/etc/ssh/second", "Include /etc/ssh/sshd_config.d/*.conf\n" THEIRS);
        refused("/etc/ssh/second line 2 sets AuthorizedKeysCommand before a file of ours is read.\n"
                "Put this line at the top of /etc/ssh/second:\n\n    Include " CHAIN_1 "\n");
        world_write("/etc/ssh/second", "Include " CHAIN_1 "\nInclude /etc/ssh/sshd_config.d/*.conf\n" THEIRS);
        enable();
        assert_settings(drop_in_paths[0], ALONE);
        assert_settings(CHAIN_1, BEHIND);
        disable();
        /* With none, where the first has one. */
        world_write("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\n" THEIRS);
        world_write("/etc/ssh/second", "Include /etc/ssh/sshd_config.d/*.conf\n");
        refused("/etc/ssh/second includes the files in /etc/ssh/sshd_config.d, and would run a command that it does "
                "not run "
                "now.\nPut this line at the top of /etc/ssh/second:\n\n    Include " CHAIN_1 "\n");
        world_write("/etc/ssh/second", "Include " CHAIN_1 "\nInclude /etc/ssh/sshd_config.d/*.conf\n");
        enable();
        assert_settings(drop_in_paths[0], BEHIND);
        assert_settings(CHAIN_1, ALONE);
        disable();
        /* With none by a line of its own, it gets nothing. */
        world_write("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\n");
        world_write("/etc/ssh/none.conf", "AuthorizedKeysCommand none\n");
        world_write("/etc/ssh/second", "Include /etc/ssh/none.conf /etc/ssh/sshd_config.d/*.conf\n");
        enable();
        assert_said(
                "Note: /etc/ssh/none.conf line 1: second.service runs no command, and so no pushed key logs in there.");
        assert_settings(drop_in_paths[0], ALONE);
        enable();
        assert_said("Nothing to change.");
        disable();
        world_write("/etc/ssh/second", "Include /etc/ssh/sshd_config.d/*.conf\n");
        world_write(WORLD_UNITS "/second.service",
                    "[Service]\nExecStart=/usr/sbin/sshd -D -f /etc/ssh/second -o 'AuthorizedKeysCommand none'\n");
        enable();
        assert_said("Note: second.service runs no command, by its command line, and so no pushed key logs in there.");
        disable();
        world_write(WORLD_UNITS "/second.service", unit);
        /* One that is broken by itself judges nothing. */
        world_write("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\n");
        world_write("/etc/ssh/second", "Include /etc/ssh/sshd_config.d/*.conf\nBad\n");
        enable();
        disable();
}

static void assert_asked(const char *expected) {
        char *asked = world_has("/run/test/systemctl") ? world_read("/run/test/systemctl") : strdup("");

        assert_non_null(asked);
        if (expected)
                assert_non_null(strstr(asked, expected));
        else
                assert_null(strstr(asked, "reload"));
        free(asked);
        if (world_has("/run/test/systemctl"))
                world_remove("/run/test/systemctl");
}

#define NO_PROCESS "2147483647" /* that is not waited for */

/* As the sshd does it: at a time that is later than that of all files before. */
static void has_read(void) {
        (void)nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
        world_write("/run/sshd.pid", NO_PROCESS "\n");
        (void)nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
}

static void those_that_run_are_reloaded(void **state) {
        (void)state;
        world_reset("");
        fake_systemd();
        world_write(SSH_SERVICE, "[Service]\nExecStart=/usr/sbin/sshd -D\n");
        enable();
        assert_asked(NULL);
        disable();
        world_write("/run/test/state-ssh.service", "ActiveState=active\nMainPID=0\n");
        enable();
        assert_said("Reloaded: ssh.service\n");
        assert_asked("reload -- ssh.service\n");
        /* Nothing has changed, and it has read its files since: not again. */
        world_write("/run/test/state-ssh.service", "ActiveState=active\nMainPID=" NO_PROCESS "\n");
        world_write("/run/test/says-too", "pidfile /run/sshd.pid\n");
        has_read();
        enable();
        assert_asked(NULL);
        /* Any of them was changed. */
        world_write("/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nInclude more.d/*\n");
        enable();
        assert_said("Nothing to change.\n");
        assert_asked("reload -- ssh.service\n");
        world_write("/etc/ssh/more.d/file", "# file\n");
        has_read();
        enable();
        assert_asked(NULL);
        world_remove("/etc/ssh/more.d/file");
        enable();
        assert_asked("reload -- ssh.service\n");
        /* It may not have read them. */
        world_remove("/run/sshd.pid");
        enable();
        assert_asked("reload -- ssh.service\n");
        world_write("/run/test/reload-fails", "Job for ssh.service failed.\nSee \"systemctl status\".\n");
        assert_int_equal(run(&disable_command, false), EXIT_OWN_FAILURE);
        assert_said("ssh.service could not be reloaded: Job for ssh.service failed.\n");
        assert_said("run: systemctl reload ssh.service");
        assert_nothing_of_ours();
        world_remove("/run/test/reload-fails");
        /* A reload would end one that is broken. */
        world_write(SSH_SERVICE, "[Service]\nExecStart=/usr/sbin/sshd -D -oBad=1\n");
        assert_int_equal(run(&enable_command, false), EXIT_OWN_FAILURE);
        assert_said("ssh.service is not reloaded, since its configuration is broken: ");
        world_write("/run/test/state-ssh.service", "ActiveState=reloading\nMainPID=0\n");
        world_write(SSH_SERVICE, "[Service]\nExecStart=/usr/sbin/sshd -D\n");
        disable();
        assert_said("Reloaded: ssh.service\n");
        assert_asked("reload -- ssh.service\n");
}

static void host_keys_that_the_agent_does_not_read_are_told(void **state) {
        static const char note[] = "Note: sshd has host keys that the agent does not read for the answer to a push. In "
                                   "/etc/exc-instance-connect/agent.conf, put this line below [Agent], and then run "
                                   "systemctl restart exc-instance-connect.service: HostKeyFiles=";

        (void)state;
        world_reset("");
        world_write("/etc/ssh/ssh_host_rsa_key", "");
        world_write("/run/test/says-too", "hostkey /etc/ssh/ssh_host_rsa_key\nhostkey /etc/ssh/keys/none\n");
        enable();
        assert_null(strstr(said, note));
        world_write("/etc/ssh/keys/a", "");
        world_write("/etc/ssh/keys/b.pub", "");
        world_write("/run/test/says-too", "hostkey /etc/ssh/keys/a\nhostkey /etc/ssh/keys/b\nhostkey "
                                          "/etc/ssh/keys/b.pub\nhostkey /etc/ssh/ssh_host_rsa_key\n");
        enable();
        assert_said(note);
        assert_said("=/etc/ssh/keys/a.pub /etc/ssh/keys/b.pub /etc/ssh/ssh_host_rsa_key.pub\n");
        /* With what it was told; and with some of them, as an administrator may want it. */
        world_write("/etc/exc-instance-connect/agent.conf", "[Agent]\nHostKeyFiles=/etc/ssh/keys/a.pub\n");
        enable();
        assert_null(strstr(said, note));
        world_write("/etc/exc-instance-connect/agent.conf", "[Agent]\nHostKeyFiles=/etc/ssh/other.pub\n");
        enable();
        assert_said(note);
        world_remove("/etc/exc-instance-connect/agent.conf");
}

static void one_whose_socket_systemd_holds_is_restarted(void **state) {
        (void)state;
        world_reset("");
        fake_systemd();
        world_write(SSH_SERVICE, "[Service]\nExecStart=/usr/sbin/sshd -D\n");
        world_write("/run/test/state-ssh.service",
                    "ActiveState=active\nMainPID=0\nTriggeredBy=ssh.path ssh.socket\nKillMode=process\n");
        world_write("/run/test/state-ssh.socket", "ActiveState=active\n");
        enable();
        assert_said("Restarted: ssh.service, whose socket systemd holds; its connections stay\n");
        assert_asked("try-restart -- ssh.service\n");
        /* Where the socket is not there, or the connections would end with it, it is reloaded as any other. */
        world_write("/run/test/state-ssh.socket", "ActiveState=inactive\n");
        disable();
        assert_said("Reloaded: ssh.service\n");
        world_write("/run/test/state-ssh.socket", "ActiveState=active\n");
        world_write("/run/test/state-ssh.service",
                    "ActiveState=active\nMainPID=0\nTriggeredBy=ssh.socket\nKillMode=control-group\n");
        enable();
        assert_said("Reloaded: ssh.service\n");
        disable();
}

/* A process that says what it was told by a signal. */
static pid_t start_listener(const char *title) {
        pid_t child = scratch_fork();

        if (child == 0) {
                (void)execl("/bin/sh", "sh", "-c",
                            "trap 'echo told >/run/test/told' HUP; echo >/run/test/ready; while :; do sleep 0.05; done",
                            title, (char *)NULL);
                _exit(127);
        }
        assert_true(child > 0);
        while (!world_has("/run/test/ready"))
                (void)usleep(10000);
        return child;
}

static void a_unit_that_cannot_be_reloaded_gets_the_signal(void **state) {
        char text[128];
        pid_t child;

        (void)state;
        world_reset("");
        fake_systemd();
        world_write(WORLD_UNITS "/own@.service", "[Service]\nExecStart=/usr/sbin/sshd -D -f /etc/ssh/%i\n");
        world_write("/etc/ssh/one", "Include /etc/ssh/sshd_config.d/*.conf\n");
        world_write("/run/test/list", "own@one.service\n");
        child = start_listener("sshd: [listener]");
        (void)snprintf(text, sizeof(text),
                       "FragmentPath=" WORLD_UNITS "/own@.service\nActiveState=active\nMainPID=%d\n", (int)child);
        world_write("/run/test/state-own@one.service", text);
        world_write("/run/test/reload-fails",
                    "Failed to reload own@one.service: Job type reload is not applicable for unit.\n");
        enable();
        assert_said("Reloaded: own@one.service\n");
        while (!world_has("/run/test/told"))
                (void)usleep(10000);
        disable();
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_process_with_options_that_its_unit_lacks_is_seen(void **state) {
        char text[128];
        pid_t child;

        (void)state;
        world_reset("");
        fake_systemd();
        world_write(SSH_SERVICE, "[Service]\nExecStart=/usr/sbin/sshd -D\n");
        child = start_listener(
                "sshd: /usr/sbin/sshd -D -o authorizedkeyscommand /bin/x [listener] 0 of 10-100 startups");
        (void)snprintf(text, sizeof(text), "ActiveState=active\nMainPID=%d\n", (int)child);
        world_write("/run/test/state-ssh.service", text);
        refused("ssh.service runs with an AuthorizedKeysCommand on its command line that its unit does not have.\n"
                "Then run: systemctl try-restart ssh.service\nThen run: exc-instance-connect enable\n");
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
}

static void without_systemd_the_pid_file_is_believed_only_for_an_sshd(void **state) {
        char text[32];
        pid_t child;

        (void)state;
        world_reset("");
        assert_int_equal(sshd_reload_by_pid_file(), -ENOENT);
        world_write("/run/sshd.pid", "1\n");
        assert_int_equal(sshd_reload_by_pid_file(), -ENOENT);
        world_write("/run/sshd.pid", "99999999999\n");
        assert_int_equal(sshd_reload_by_pid_file(), -ENOENT);
        child = start_listener("x");
        (void)snprintf(text, sizeof(text), "%d\n", (int)child);
        world_write("/run/sshd.pid", text);
        assert_int_equal(sshd_reload_by_pid_file(), -ENOENT);
        enable();
        assert_null(strstr(said, "Reloaded"));
        disable();
        /* As if the shell were the sshd. */
        assert_int_equal(rename(SSHD_PROGRAM, SSHD_PROGRAM ".real"), 0);
        assert_int_equal(symlink("/bin/sh", SSHD_PROGRAM), 0);
        assert_int_equal(sshd_reload_by_pid_file(), 0);
        while (!world_has("/run/test/told"))
                (void)usleep(10000);
        assert_int_equal(rename(SSHD_PROGRAM ".real", SSHD_PROGRAM), 0);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
}

static void without_the_helper_or_its_user_nothing_is_written(void **state) {
        (void)state;
        world_reset("");
        assert_int_equal(chmod(HELPER_PROGRAM, 0600), 0);
        refused(HELPER_PROGRAM " cannot be run: Permission denied");
        assert_int_equal(chmod(HELPER_PROGRAM, 0711), 0);
        assert_int_equal(chmod(CHAIN_PROGRAM, 0600), 0);
        refused(CHAIN_PROGRAM " cannot be run: Permission denied");
        assert_int_equal(chmod(CHAIN_PROGRAM, 0711), 0);
        world_write("/usr/sbin/none", "root:x:0:0:root:/root:/bin/sh\n");
        assert_int_equal(mount("/usr/sbin/none", "/etc/passwd", NULL, MS_BIND, NULL), 0);
        refused("there is no user " HELPER_USER);
        assert_int_equal(umount("/etc/passwd"), 0);
        enable();
}

static void services_that_cannot_be_read_keep_nothing_from_going(void **state) {
        char text[2048] = "[Service]\nExecStart=/usr/sbin/sshd";

        (void)state;
        world_reset("");
        enable();
        for (int i = 0; i < SSHD_ARGUMENTS_MAX; i++)
                (void)strcat(text, " -oA=b");
        world_write(SSH_SERVICE, text);
        assert_int_equal(run(&enable_command, false), EXIT_OWN_FAILURE);
        assert_said("nothing is changed: this machine's services cannot be read: ");
        disable();
        assert_said("Reload sshd by hand.");
        assert_nothing_of_ours();
}

static void only_root_is_served(void **state) {
        (void)state;
        world_reset("");
        assert_int_equal(seteuid(SCRATCH_OTHER), 0);
        assert_int_equal(run(&enable_command, false), EXIT_OWN_FAILURE);
        assert_said("only root can");
        assert_int_equal(run(&disable_command, false), EXIT_OWN_FAILURE);
        assert_int_equal(seteuid(0), 0);
        assert_nothing_of_ours();
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(where_there_is_no_command_ours_stands_alone),
                cmocka_unit_test(an_old_sshd_gets_no_expiry_time_and_a_new_one_later),
                cmocka_unit_test(a_command_is_chained_wherever_it_stands),
                cmocka_unit_test(a_command_that_comes_changes_or_goes_is_followed),
                cmocka_unit_test(what_comes_before_the_include_is_not_overridden),
                cmocka_unit_test(a_match_block_is_asked_for_one_line),
                cmocka_unit_test(more_commands_than_there_are_files_are_refused),
                cmocka_unit_test(a_command_that_sshd_cannot_run_is_not_chained),
                cmocka_unit_test(ours_written_by_hand_is_enough),
                cmocka_unit_test(an_edited_file_is_kept_and_put_aside_and_brought_back),
                cmocka_unit_test(drop_in_of_an_earlier_version_is_rewritten),
                cmocka_unit_test(what_was_put_aside_is_out_of_effect),
                cmocka_unit_test(what_comes_back_under_another_name_leaves_nothing_to_come_back_later),
                cmocka_unit_test(an_edited_file_of_a_block_waits_for_the_block),
                cmocka_unit_test(an_edited_file_is_not_put_over_what_sshd_runs_now),
                cmocka_unit_test(an_edited_file_of_a_block_is_not_put_over_its_command),
                cmocka_unit_test(a_dry_run_shows_a_difference_and_changes_nothing),
                cmocka_unit_test(a_broken_configuration_is_left_alone),
                cmocka_unit_test(ours_goes_also_where_sshd_is_broken_or_gone),
                cmocka_unit_test(what_sshd_does_not_take_or_follow_is_taken_back),
                cmocka_unit_test(another_setting_that_changes_is_taken_back),
                cmocka_unit_test(principals_command_is_repeated_where_sshd_ignores_it),
                cmocka_unit_test(repeated_principals_command_follows_the_original),
                cmocka_unit_test(principals_command_is_not_hidden_by_what_others_wrote),
                cmocka_unit_test(another_sshd_keeps_its_principals_command),
                cmocka_unit_test(principals_command_of_a_match_block_is_not_hidden),
                cmocka_unit_test(a_match_line_that_cannot_be_met_is_told),
                cmocka_unit_test(options_of_a_unit_are_to_be_moved_into_a_file),
                cmocka_unit_test(another_sshd_is_seen_to_as_well),
                cmocka_unit_test(those_that_run_are_reloaded),
                cmocka_unit_test(host_keys_that_the_agent_does_not_read_are_told),
                cmocka_unit_test(one_whose_socket_systemd_holds_is_restarted),
                cmocka_unit_test(a_unit_that_cannot_be_reloaded_gets_the_signal),
                cmocka_unit_test(a_process_with_options_that_its_unit_lacks_is_seen),
                cmocka_unit_test(without_systemd_the_pid_file_is_believed_only_for_an_sshd),
                cmocka_unit_test(without_the_helper_or_its_user_nothing_is_written),
                cmocka_unit_test(services_that_cannot_be_read_keep_nothing_from_going),
                cmocka_unit_test(only_root_is_served),
        };

        world_make();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
