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

#include "common/debug.h"

enum { LONG_MS = 60 * 1000 };

/* A shell's script. */
static int run(const char *script, const char *user, int timeout_ms, struct program_result *ret) {
        char shell[] = "/bin/sh", flag[] = "-c", *text = strdup(script), *argv[] = {shell, flag, text, NULL};
        int r;

        assert_non_null(text);
        r = program_run(argv, user, timeout_ms, ret);
        free(text);
        return r;
}

static void output_and_status_are_returned(void **state) {
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

static void environment_and_descriptors_are_clean(void **state) {
        int fd = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, so the program would inherit it */
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
        /* 0, 1, 2, and the directory that ls reads. */
        assert_non_null(strstr(result.output, "\n4\n"));
        assert_non_null(strstr(result.output, "SigBlk:\t0000000000000000"));
        assert_null(strstr(strstr(result.output, "SigIgn:"), "1000\n"));
        program_result_clear(&result);
}

static void program_runs_as_the_user_with_its_groups(void **state) {
        struct program_result result;

        (void)state;
        assert_int_equal(run("id -un; id -rn -u; id -G", "daemon", LONG_MS, &result), 0);
        assert_non_null(strstr(result.output, "daemon\ndaemon\n"));
        assert_null(strstr(result.output, "\n0"));
        program_result_clear(&result);
}

static void program_that_cannot_be_executed_is_an_error(void **state) {
        char missing[] = "/no/such/program", directory[] = "/", *argv[] = {missing, NULL};
        struct program_result result = {.status = 42};

        (void)state;
        assert_int_equal(program_run(argv, NULL, LONG_MS, &result), -ENOENT);
        assert_int_equal(program_run(argv, "no-such-user", LONG_MS, &result), -ESRCH);
        argv[0] = directory;
        assert_int_equal(program_run(argv, NULL, LONG_MS, &result), -EACCES);
        assert_int_equal(result.status, 42);
}

static void output_beyond_the_limit_is_dropped(void **state) {
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
        /* It has been killed; its new parent may need some time to reap it. */
        for (int i = 0; i < 6000; i++) {
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

/* The script writes the process that must be killed with it to $pid_file. */
static void assert_killed_at_the_deadline(const char *body) {
        char path[] = "/tmp/exc-program-XXXXXX", script[256];
        struct program_result result;
        struct stat st = {.st_size = 0};
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        (void)snprintf(script, sizeof(script), "pid_file=%s; %s", path, body);
        /* With a deadline that leaves it the time to start, however busy the machine is. */
        for (int timeout_ms = 100; st.st_size == 0 && timeout_ms < LONG_MS; timeout_ms *= 2) {
                assert_int_equal(run(script, NULL, timeout_ms, &result), -ETIMEDOUT);
                assert_int_equal(fstat(fd, &st), 0);
        }
        assert_true(is_gone(path));
        (void)close(fd);
        assert_int_equal(unlink(path), 0);
}

static void process_group_is_killed_at_the_deadline(void **state) {
        (void)state;
        assert_killed_at_the_deadline("trap '' TERM; sleep 1000 & echo $! >$pid_file; wait");
        /* It exits, and a child keeps its output open. */
        assert_killed_at_the_deadline("sleep 1000 & echo $! >$pid_file; exit 0");
        /* It closes its output, and does not exit. */
        assert_killed_at_the_deadline("echo $$ >$pid_file; exec sleep 1000 >/dev/null 2>&1");
}

static void ignored_sigchld_changes_nothing(void **state) {
        struct program_result result;

        (void)state;
        assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
        assert_int_equal(run("exit 7", NULL, LONG_MS, &result), 0);
        assert_int_equal(WEXITSTATUS(result.status), 7);
        program_result_clear(&result);
}

static void program_ends_with_its_caller(void **state) {
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

static void each_run_is_a_line_for_debugging(void **state) {
        char shell[] = "/bin/sh", flag[] = "-c", script[] = "exit 3 # \033[2J", key[] = "AAAAC3NzaC1lZDI1NTE5";
        char *argv[] = {shell, flag, script, key, NULL};
        struct program_result result;
        int ends[2], old = dup(STDERR_FILENO);
        char text[1024];
        ssize_t n;

        (void)state;
        assert_true(old >= 0 && pipe2(ends, O_CLOEXEC) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
        debug_init("test", true);
        assert_int_equal(program_run(argv, NULL, LONG_MS, &result), 0);
        debug_init("test", false);
        assert_int_equal(dup2(old, STDERR_FILENO), STDERR_FILENO);
        program_result_clear(&result);
        (void)close(old);
        (void)close(ends[1]);
        n = read(ends[0], text, sizeof(text) - 1);
        assert_true(n > 0);
        text[n] = '\0';
        (void)close(ends[0]);
        assert_non_null(strstr(text, "test: ran: /bin/sh -c exit 3 # ?[2J ...: exit status 3, after "));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(output_and_status_are_returned),
                cmocka_unit_test(environment_and_descriptors_are_clean),
                cmocka_unit_test(program_runs_as_the_user_with_its_groups),
                cmocka_unit_test(program_that_cannot_be_executed_is_an_error),
                cmocka_unit_test(output_beyond_the_limit_is_dropped),
                cmocka_unit_test(process_group_is_killed_at_the_deadline),
                cmocka_unit_test(program_ends_with_its_caller),
                cmocka_unit_test(ignored_sigchld_changes_nothing),
                cmocka_unit_test(each_run_is_a_line_for_debugging),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
