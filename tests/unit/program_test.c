/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/program.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { LONG_MS = 20 * 1000 };

/* A shell's script. */
static int run(const char *script, const char *user, int timeout_ms, struct program_result *ret) {
        char shell[] = "/bin/sh", flag[] = "-c", *text = strdup(script), *argv[] = {shell, flag, text, NULL};
        int r;

        assert_non_null(text);
        r = program_run(argv, user, timeout_ms, ret);
        free(text);
        return r;
}

static void what_it_prints_and_how_it_ends_is_handed_back(void **state) {
        struct program_result result;

        (void)state;
        assert_int_equal(run("echo out; echo err >&2", NULL, LONG_MS, &result), 0);
        assert_true(program_succeeded(&result));
        assert_string_equal(result.output, "out\n");
        assert_string_equal(result.complaint, "err\n");
        program_result_clear(&result);
        assert_null(result.output);

        assert_int_equal(run("exit 3", NULL, LONG_MS, &result), 0);
        assert_false(program_succeeded(&result));
        assert_int_equal(WEXITSTATUS(result.status), 3);
        assert_string_equal(result.output, "");
        assert_string_equal(result.complaint, "");
        program_result_clear(&result);

        assert_int_equal(run("kill -KILL $$", NULL, LONG_MS, &result), 0);
        assert_false(program_succeeded(&result));
        assert_true(WIFSIGNALED(result.status));
        program_result_clear(&result);
}

static void it_finds_nothing_of_ours(void **state) {
        int fd = open("/dev/null", O_RDONLY); /* stays open in what is executed, by itself */
        struct program_result result;
        sigset_t some, before;

        (void)state;
        assert_true(fd > 2);
        assert_int_equal(setenv("SECRET", "1", 1), 0);
        assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
        (void)sigemptyset(&some);
        (void)sigaddset(&some, SIGTERM);
        assert_int_equal(sigprocmask(SIG_BLOCK, &some, &before), 0);
        assert_int_equal(
                run("read -r line; echo $? $line; pwd; umask; env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD=; "
                    "ls /proc/self/fd | wc -l; grep -e SigBlk -e SigIgn /proc/self/status",
                    NULL, LONG_MS, &result),
                0);
        assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
        assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
        (void)close(fd);
        assert_string_equal(result.complaint, "");
        assert_non_null(strstr(result.output, "1\n/\n0022\n"));
        assert_null(strstr(result.output, "SECRET"));
        assert_non_null(strstr(result.output, "PATH=/"));
        assert_non_null(strstr(result.output, "LC_ALL=C\n"));
        /* 0, 1, 2, and the folder that ls lists. */
        assert_non_null(strstr(result.output, "\n4\n"));
        assert_non_null(strstr(result.output, "SigBlk:\t0000000000000000"));
        assert_null(strstr(strstr(result.output, "SigIgn:"), "1000\n"));
        program_result_clear(&result);
}

static void it_becomes_the_user_with_its_groups(void **state) {
        struct program_result result;

        (void)state;
        assert_int_equal(run("id -un; id -rn -u; id -G", "daemon", LONG_MS, &result), 0);
        assert_non_null(strstr(result.output, "daemon\ndaemon\n"));
        assert_null(strstr(result.output, "\n0"));
        program_result_clear(&result);
}

static void what_cannot_be_run_is_an_error_and_no_status(void **state) {
        char missing[] = "/no/such/program", folder[] = "/", *argv[] = {missing, NULL};
        struct program_result result = {.status = 42};

        (void)state;
        assert_int_equal(program_run(argv, NULL, LONG_MS, &result), -ENOENT);
        assert_int_equal(program_run(argv, "no-such-user", LONG_MS, &result), -ESRCH);
        argv[0] = folder;
        assert_int_equal(program_run(argv, NULL, LONG_MS, &result), -EACCES);
        assert_int_equal(result.status, 42);
}

static void more_output_than_fits_is_read_and_dropped(void **state) {
        struct program_result result;

        (void)state;
        assert_int_equal(run("head -c 3000000 /dev/zero | tr '\\0' x; echo end >&2", NULL, LONG_MS, &result), 0);
        assert_true(program_succeeded(&result));
        assert_int_equal(strlen(result.output), PROGRAM_OUTPUT_MAX);
        assert_string_equal(result.complaint, "end\n");
        program_result_clear(&result);
}

static bool is_gone(const char *path) {
        const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
        char text[32] = "", *end;
        long pid;
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_true(read(fd, text, sizeof(text) - 1) > 0);
        (void)close(fd);
        pid = strtol(text, &end, 10);
        assert_true(pid > 1);
        /* It is killed already; whoever inherits it may take a moment. */
        for (int i = 0; i < 1000; i++) {
                char status[64], line[256] = "";
                FILE *file;

                (void)snprintf(status, sizeof(status), "/proc/%ld/stat", pid);
                file = fopen(status, "re");
                if (!file || !fgets(line, sizeof(line), file) || strstr(line, ") Z")) {
                        if (file)
                                (void)fclose(file);
                        return true;
                }
                (void)fclose(file);
                (void)nanosleep(&pause, NULL);
        }
        return false;
}

static void at_the_deadline_all_that_it_started_is_killed(void **state) {
        struct program_result result;
        char path[] = "/tmp/exc-program-XXXXXX", script[256];
        int fd = mkstemp(path);

        (void)state;
        assert_true(fd >= 0);
        (void)close(fd);
        (void)snprintf(script, sizeof(script), "trap '' TERM; sleep 1000 & echo $! >%s; wait", path);
        assert_int_equal(run(script, NULL, 500, &result), -ETIMEDOUT);
        assert_true(is_gone(path));

        /* It ends, and leaves something that keeps its output open. */
        (void)snprintf(script, sizeof(script), "sleep 1000 & echo $! >%s; exit 0", path);
        assert_int_equal(run(script, NULL, 500, &result), -ETIMEDOUT);
        assert_true(is_gone(path));

        /* It closes its output, and does not end. */
        (void)snprintf(script, sizeof(script), "echo $$ >%s; exec sleep 1000 >/dev/null 2>&1", path);
        assert_int_equal(run(script, NULL, 500, &result), -ETIMEDOUT);
        assert_true(is_gone(path));
        assert_int_equal(unlink(path), 0);
}

static void children_that_are_ignored_are_waited_for_all_the_same(void **state) {
        struct program_result result;

        (void)state;
        assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
        assert_int_equal(run("exit 7", NULL, LONG_MS, &result), 0);
        assert_int_equal(WEXITSTATUS(result.status), 7);
        program_result_clear(&result);
}

static void it_ends_with_its_caller(void **state) {
        static const char *const users[] = {NULL, "nobody"};

        (void)state;
        for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
                char path[] = "/tmp/exc-program-XXXXXX", script[256];
                const struct timespec pause = {.tv_nsec = 1000000};
                int fd = mkstemp(path);
                struct stat st;
                pid_t caller;

                assert_true(fd >= 0);
                assert_int_equal(fchown(fd, users[i] ? 65534 : 0, (gid_t)-1), 0);
                (void)snprintf(script, sizeof(script), "echo $$ >%s; exec sleep 1000", path);
                caller = fork();
                assert_true(caller >= 0);
                if (caller == 0) {
                        struct program_result result;

                        (void)run(script, users[i], LONG_MS, &result);
                        _exit(EXIT_FAILURE);
                }
                for (int n = 0; fstat(fd, &st) == 0 && st.st_size == 0 && n < LONG_MS; n++)
                        (void)nanosleep(&pause, NULL);
                assert_int_equal(kill(caller, SIGKILL), 0);
                assert_int_equal(waitpid(caller, NULL, 0), caller);
                assert_true(is_gone(path));
                assert_int_equal(unlink(path), 0);
                (void)close(fd);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_it_prints_and_how_it_ends_is_handed_back),
                cmocka_unit_test(it_finds_nothing_of_ours),
                cmocka_unit_test(it_becomes_the_user_with_its_groups),
                cmocka_unit_test(what_cannot_be_run_is_an_error_and_no_status),
                cmocka_unit_test(more_output_than_fits_is_read_and_dropped),
                cmocka_unit_test(at_the_deadline_all_that_it_started_is_killed),
                cmocka_unit_test(it_ends_with_its_caller),
                cmocka_unit_test(children_that_are_ignored_are_waited_for_all_the_same),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
