/* SPDX-License-Identifier: Apache-2.0 */
/* How the other command is run, and when it is not. */
#include "tests/unit/chain_fixture.h"

static void run_other(const struct arguments *asked) {
        static const struct caller unknown = {.result = -ESRCH};

        chain_other(asked, &unknown);
}

static void other_command_runs_as_its_user(void **state) {
        struct arguments asked = asks;

        (void)state;
        asked.chain_user = "svc";
        run_chain("print nothing", &asked);
        assert_other_ran();
        assert_non_null(strstr(outcome.out, "\nuid 60003 60003 gid 60004 60004 groups 60004 60005\n"));
        assert_non_null(strstr(outcome.out, "\nUSER svc LOGNAME svc HOME /var/svc KEPT yes\n"));
        run(run_other, &asked);
        assert_other_ran();
        assert_non_null(strstr(outcome.out, "\nuid 60003 60003 gid 60004 60004 groups 60004 60005\n"));
}

static void other_command_without_its_user_is_not_run(void **state) {
        static const char *const names[] = {"nobody-of-that-name", "", "svc\n", "60003"};
        struct arguments asked = asks;

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                asked.chain_user = names[i];
                run_chain("print nothing", &asked);
                assert_exit(1);
                assert_string_equal(outcome.out, "");
                assert_non_null(strstr(outcome.err, OTHER ": not run: cannot become"));
        }
        /* It is not needed for a key of ours. */
        run_chain("print a line", &asked);
        assert_exit(0);
        assert_string_equal(outcome.out, "ssh-ed25519 OURS\n");
}

static void run_as_another(const struct arguments *asked) {
        if (setgroups(0, NULL) < 0 || setresgid(60003, 60003, 60003) < 0 || setresuid(60003, 60003, 60003) < 0)
                _exit(97);
        run_other(asked);
}

static void without_root_only_the_own_user_is_possible(void **state) {
        struct arguments asked = asks;

        (void)state;
        asked.chain_user = "svc";
        run(run_as_another, &asked);
        assert_other_ran();
        assert_non_null(strstr(outcome.out, "\nuid 60003 60003 gid 60003 60003 groups\n"));
        asked.chain_user = "root";
        run(run_as_another, &asked);
        assert_exit(1);
        assert_string_equal(outcome.out, "");
        assert_non_null(strstr(outcome.err, "Operation not permitted"));
}

static void exit_status_is_that_of_the_other_command(void **state) {
        char *killed[] = {(char[]){OTHER}, (char[]){"killed"}, NULL}, *fine[] = {(char[]){OTHER}, NULL};
        struct arguments asked = asks;

        (void)state;
        asked.chain = killed;
        run_chain("print nothing", &asked);
        assert_true(WIFSIGNALED(outcome.status));
        assert_int_equal(WTERMSIG(outcome.status), SIGKILL);
        asked.chain = fine;
        run_chain("print nothing", &asked);
        assert_exit(0);
        assert_memory_equal(outcome.out, "other\n", 6);
}

static void run_path(const char *path) {
        char copy[4200];
        char *command[] = {copy, (char[]){"5"}, (char[]){"a b"}, NULL};
        struct arguments asked = asks;

        (void)snprintf(copy, sizeof(copy), "%s", path);
        asked.chain = command;
        run_chain("print nothing", &asked);
}

static void assert_not_run(const char *path) {
        run_path(path);
        assert_exit(1);
        assert_string_equal(outcome.out, "");
        assert_non_null(strstr(outcome.err, ": not run: "));
}

static void path_that_others_can_change_is_not_run(void **state) {
        char path[4200];

        (void)state;
        assert_int_equal(chdir(TOP), 0);
        assert_not_run("other");
        assert_not_run("./other");
        assert_not_run("");
        assert_not_run(TOP "/missing");
        assert_not_run(TOP);
        assert_not_run("/");
        memset(path, '/', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        assert_not_run(path);

        assert_int_equal(mkdir(TOP "/directory", 0755), 0);
        copy_self(TOP "/directory/command");
        run_path(TOP "/directory/command");
        assert_other_ran();
        assert_int_equal(chmod(TOP "/directory/command", 0757), 0);
        assert_not_run(TOP "/directory/command");
        assert_int_equal(chmod(TOP "/directory/command", 0755), 0);
        assert_int_equal(chown(TOP "/directory/command", 60003, 0), 0);
        assert_not_run(TOP "/directory/command");
        assert_int_equal(chown(TOP "/directory/command", 0, 60004), 0);
        assert_int_equal(chmod(TOP "/directory/command", 0775), 0);
        assert_not_run(TOP "/directory/command");
        assert_int_equal(chown(TOP "/directory/command", 0, 0), 0);
        assert_int_equal(chmod(TOP "/directory/command", 0775), 0);
        run_path(TOP "/directory/command");
        assert_other_ran();

        assert_int_equal(chmod(TOP "/directory", 01777), 0);
        assert_not_run(TOP "/directory/command");
        assert_int_equal(chmod(TOP "/directory", 0755), 0);
        assert_int_equal(chown(TOP "/directory", 60003, 0), 0);
        assert_not_run(TOP "/directory/command");
        assert_int_equal(chown(TOP "/directory", 0, 60004), 0);
        assert_int_equal(chmod(TOP "/directory", 0775), 0);
        assert_not_run(TOP "/directory/command");
        assert_int_equal(chown(TOP "/directory", 0, 0), 0);
        assert_int_equal(chmod(TOP "/directory", 0755), 0);
        assert_int_equal(chmod(TOP, 0777), 0);
        assert_not_run(TOP "/directory/command");
        assert_int_equal(chmod(TOP, 0755), 0);
        run_path(TOP "/directory/command");
        assert_other_ran();
        assert_int_equal(mknod(TOP "/fifo", S_IFIFO | 0755, 0), 0);
        assert_not_run(TOP "/fifo");
}

static void symlink_is_checked_by_its_target(void **state) {
        (void)state;
        assert_int_equal(symlink("other", TOP "/link"), 0);
        run_path(TOP "/link");
        assert_other_ran();
        assert_int_equal(mkdir(TOP "/open", 0777), 0);
        assert_int_equal(chmod(TOP "/open", 0777), 0);
        copy_self(TOP "/open/command");
        assert_int_equal(symlink("open/command", TOP "/trap"), 0);
        assert_not_run(TOP "/trap");
        assert_int_equal(symlink("nowhere", TOP "/broken"), 0);
        assert_not_run(TOP "/broken");
        assert_int_equal(symlink("loop", TOP "/loop"), 0);
        assert_not_run(TOP "/loop");
}

static void command_that_cannot_be_executed_ends_with_127(void **state) {
        (void)state;
        write_file(TOP "/plain", "not a program\n", 0644);
        run_path(TOP "/plain");
        assert_exit(127);
        assert_non_null(strstr(outcome.err, "cannot be executed: Permission denied"));
        write_file(TOP "/script", "#!" TOP "/no-interpreter\n", 0755);
        run_path(TOP "/script");
        assert_exit(127);
        assert_non_null(strstr(outcome.err, "cannot be executed: No such file"));
}

int main(int argc, char *argv[]) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(other_command_runs_as_its_user),
                cmocka_unit_test(other_command_without_its_user_is_not_run),
                cmocka_unit_test(without_root_only_the_own_user_is_possible),
                cmocka_unit_test(exit_status_is_that_of_the_other_command),
                cmocka_unit_test(path_that_others_can_change_is_not_run),
                cmocka_unit_test(symlink_is_checked_by_its_target),
                cmocka_unit_test(command_that_cannot_be_executed_ends_with_127),
        };

        set_up_chain(argc, argv);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
