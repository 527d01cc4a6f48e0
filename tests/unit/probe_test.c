/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/probe.h"

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
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Shared by the child and the test. */
struct shared {
        int step;
        pid_t pid;
};

enum {
        LONG_MS = 60 * 1000,
        SHORT_MS = 50,
};

static struct shared *shared;

static int setup(void **state) {
        (void)state;
        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        return shared == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state) {
        (void)state;
        return munmap(shared, sizeof(*shared));
}

static void probe(void *context) {
        struct shared *to = context;

        to->pid = getpid();
        to->step = 1;
}

static void result_of_a_probe_is_shared(void **state) {
        (void)state;
        assert_int_equal(probe_run(probe, shared, LONG_MS), 0);
        assert_int_equal(shared->step, 1);
        assert_int_not_equal(shared->pid, getpid());
}

static void wait_for_tick(void *context) {
        const struct shared *from = context;

        while (*(const volatile int *)&from->step < 2)
                (void)usleep(1000);
}

static void count(void *context) {
        struct shared *to = context;

        to->pid = getpid();
        to->step++;
}

static void while_a_probe_runs_its_caller_is_called(void **state) {
        (void)state;
        assert_int_equal(probe_watch(wait_for_tick, count, shared, LONG_MS), 0);
        assert_true(shared->step >= 2);
        assert_int_equal(shared->pid, getpid());
}

static void hang(void *context) {
        struct shared *to = context;

        to->pid = getpid();
        to->step = 1;
        for (;;)
                (void)pause();
}

/* With a deadline that leaves it the time to start, however busy the machine is. */
static void assert_times_out(void (*run)(void *context)) {
        shared->step = 0;
        for (int timeout_ms = SHORT_MS; shared->step == 0 && timeout_ms < LONG_MS; timeout_ms *= 2)
                assert_int_equal(probe_run(run, shared, timeout_ms), -ETIMEDOUT);
        assert_int_equal(shared->step, 1);
}

static void hanging_probe_is_killed_and_its_result_kept(void **state) {
        (void)state;
        assert_times_out(hang);
        assert_int_equal(kill(shared->pid, 0), -1);
        assert_int_equal(errno, ESRCH);
}

static void hang_deaf(void *context) {
        sigset_t all;

        (void)sigfillset(&all);
        (void)sigprocmask(SIG_BLOCK, &all, NULL);
        hang(context);
}

static void probe_that_blocks_signals_is_killed(void **state) {
        (void)state;
        assert_times_out(hang_deaf);
        assert_int_equal(kill(shared->pid, 0), -1);
}

/* In a group of its own, as admin/program.h starts programs. */
static void start_and_hang(void *context) {
        pid_t child = fork();

        if (child == 0) {
                (void)setpgid(0, 0);
                hang(context);
        }
        for (;;)
                (void)pause();
}

static void child_of_a_probe_is_killed_with_it(void **state) {
        (void)state;
        assert_times_out(start_and_hang);
        assert_int_equal(kill(shared->pid, 0), -1);
        assert_int_equal(errno, ESRCH);
}

static void crash(void *context) {
        (void)context;
        (void)kill(getpid(), SIGKILL);
}

static void leave(void *context) {
        (void)context;
        _exit(EXIT_FAILURE);
}

static void probe_that_crashes_or_exits_early_fails(void **state) {
        (void)state;
        assert_int_equal(probe_run(crash, shared, LONG_MS), -EIO);
        assert_int_equal(probe_run(leave, shared, LONG_MS), -EIO);
        assert_int_equal(probe_run(probe, shared, LONG_MS), 0);
}

/* doctor may be started so, and the kernel then keeps no exit status of children. */
static void ignored_sigchld_changes_nothing(void **state) {
        (void)state;
        assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
        assert_int_equal(probe_run(probe, shared, LONG_MS), 0);
        assert_int_equal(shared->step, 1);
        assert_int_equal(probe_run(leave, shared, LONG_MS), -EIO);
        assert_true(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
}

static void become_and_hang(void *context) {
        struct shared *to = context;

        if (probe_become("nobody") < 0)
                _exit(EXIT_FAILURE);
        if (geteuid() != 0)
                hang(to);
}

/* Also after it changed its user, which clears PR_SET_PDEATHSIG. */
static void probe_ends_with_its_caller(void **state) {
        static void (*const probes[])(void *context) = {hang, become_and_hang};

        (void)state;
        for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
                volatile struct shared *seen = shared;
                pid_t caller;

                seen->step = 0;
                caller = fork();
                assert_true(caller >= 0);
                if (caller == 0) {
                        (void)probe_run(probes[i], shared, LONG_MS);
                        _exit(EXIT_FAILURE);
                }
                for (int n = 0; seen->step != 1 && n < LONG_MS; n++)
                        (void)usleep(1000);
                assert_int_equal(seen->step, 1);
                assert_int_equal(kill(caller, SIGKILL), 0);
                assert_int_equal(waitpid(caller, NULL, 0), caller);
                /* This process is its new parent, because probe_run() has made it a subreaper. */
                for (int n = 0; waitpid(seen->pid, NULL, WNOHANG) == 0 && n < LONG_MS; n++)
                        (void)usleep(1000);
                assert_int_equal(kill(seen->pid, 0), -1);
                assert_int_equal(errno, ESRCH);
        }
}

static void run_another(void *context) {
        struct shared *to = context;

        if (probe_run(hang, context, SHORT_MS) == -ETIMEDOUT)
                to->step = 2;
}

static void probe_may_run_a_probe(void **state) {
        (void)state;
        assert_int_equal(probe_run(run_another, shared, LONG_MS), 0);
        assert_int_equal(shared->step, 2);
}

/* The child inherits what stdio has buffered, and must not write it. */
static void buffered_output_is_written_once(void **state) {
        char path[] = "/tmp/probe_test.XXXXXX", text[64];
        int fd = mkstemp(path), saved;
        ssize_t n;

        (void)state;
        assert_true(fd >= 0);
        (void)fflush(stdout);
        saved = dup(STDOUT_FILENO);
        assert_true(saved >= 0 && dup2(fd, STDOUT_FILENO) >= 0);
        (void)fputs("once", stdout);
        assert_int_equal(probe_run(probe, shared, LONG_MS), 0);
        (void)fflush(stdout);
        assert_true(dup2(saved, STDOUT_FILENO) >= 0);
        (void)close(saved);
        n = pread(fd, text, sizeof(text), 0);
        assert_int_equal(n, strlen("once"));
        (void)close(fd);
        assert_int_equal(unlink(path), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(result_of_a_probe_is_shared, setup, teardown),
                cmocka_unit_test_setup_teardown(while_a_probe_runs_its_caller_is_called, setup, teardown),
                cmocka_unit_test_setup_teardown(hanging_probe_is_killed_and_its_result_kept, setup, teardown),
                cmocka_unit_test_setup_teardown(probe_that_blocks_signals_is_killed, setup, teardown),
                cmocka_unit_test_setup_teardown(child_of_a_probe_is_killed_with_it, setup, teardown),
                cmocka_unit_test_setup_teardown(probe_that_crashes_or_exits_early_fails, setup, teardown),
                cmocka_unit_test_setup_teardown(ignored_sigchld_changes_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(probe_ends_with_its_caller, setup, teardown),
                cmocka_unit_test_setup_teardown(probe_may_run_a_probe, setup, teardown),
                cmocka_unit_test_setup_teardown(buffered_output_is_written_once, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
