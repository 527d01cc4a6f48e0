/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/probe.h"

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

/* What the child and the test share. */
struct shared {
        int step;
        pid_t pid, started;
};

enum {
        LONG_MS = 60 * 1000,
        SHORT_MS = 50,
        DYING_MS = 5 * 1000,
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

static void look(void *context) {
        struct shared *to = context;

        to->pid = getpid();
        to->step = 1;
}

static void what_it_learns_is_there_afterwards(void **state) {
        (void)state;
        assert_int_equal(probe_run(look, shared, LONG_MS), 0);
        assert_int_equal(shared->step, 1);
        assert_int_not_equal(shared->pid, getpid());
}

static void hang(void *context) {
        struct shared *to = context;

        to->pid = getpid();
        to->step = 1;
        for (;;)
                (void)pause();
}

static void one_that_hangs_is_ended_and_keeps_what_it_had(void **state) {
        (void)state;
        assert_int_equal(probe_run(hang, shared, SHORT_MS), -ETIMEDOUT);
        assert_int_equal(shared->step, 1);
        assert_int_equal(kill(shared->pid, 0), -1);
        assert_int_equal(errno, ESRCH);
}

static void hang_deaf(void *context) {
        sigset_t all;

        (void)sigfillset(&all);
        (void)sigprocmask(SIG_BLOCK, &all, NULL);
        hang(context);
}

static void so_is_one_that_blocks_signals(void **state) {
        (void)state;
        assert_int_equal(probe_run(hang_deaf, shared, SHORT_MS), -ETIMEDOUT);
        assert_int_equal(kill(shared->pid, 0), -1);
}

/* In a group of its own, as admin/program.h starts programs. */
static void start_and_hang(void *context) {
        struct shared *to = context;
        pid_t child = fork();

        if (child == 0) {
                (void)setpgid(0, 0);
                to->started = getpid();
                for (;;)
                        (void)pause();
        }
        hang(context);
}

static void what_it_had_started_ends_with_it(void **state) {
        (void)state;
        assert_int_equal(probe_run(start_and_hang, shared, SHORT_MS), -ETIMEDOUT);
        assert_int_not_equal(shared->started, 0);
        assert_int_equal(kill(shared->started, 0), -1);
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

static void one_that_does_not_come_to_its_end_is_told_from_one_that_does(void **state) {
        (void)state;
        assert_int_equal(probe_run(crash, shared, LONG_MS), -EIO);
        assert_int_equal(probe_run(leave, shared, LONG_MS), -EIO);
        assert_int_equal(probe_run(look, shared, LONG_MS), 0);
}

/* Whoever starts doctor may have it so, and the kernel then forgets how a child ended. */
static void who_ignores_the_end_of_children_is_told_all_the_same(void **state) {
        (void)state;
        assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
        assert_int_equal(probe_run(look, shared, LONG_MS), 0);
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

/* Also where it has become another user, by which the kernel forgets that it is to end with its parent. */
static void a_look_ends_with_who_takes_it(void **state) {
        static void (*const looks[])(void *context) = {hang, become_and_hang};

        (void)state;
        for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
                volatile struct shared *seen = shared;
                pid_t taker;

                seen->step = 0;
                taker = fork();
                assert_true(taker >= 0);
                if (taker == 0) {
                        (void)probe_run(looks[i], shared, LONG_MS);
                        _exit(EXIT_FAILURE);
                }
                for (int n = 0; seen->step != 1 && n < LONG_MS; n++)
                        (void)usleep(1000);
                assert_int_equal(seen->step, 1);
                assert_int_equal(kill(taker, SIGKILL), 0);
                assert_int_equal(waitpid(taker, NULL, 0), taker);
                /* It is ours now, as we take looks too, and then it can be waited for. */
                for (int n = 0; waitpid(seen->pid, NULL, WNOHANG) == 0 && n < DYING_MS; n++)
                        (void)usleep(1000);
                assert_int_equal(kill(seen->pid, 0), -1);
                assert_int_equal(errno, ESRCH);
        }
}

static void look_deeper(void *context) {
        struct shared *to = context;

        if (probe_run(hang, context, SHORT_MS) == -ETIMEDOUT)
                to->step = 2;
}

static void a_look_may_take_another(void **state) {
        (void)state;
        assert_int_equal(probe_run(look_deeper, shared, LONG_MS), 0);
        assert_int_equal(shared->step, 2);
}

/* What stands in a buffer of the parent's must not be written by both. */
static void nothing_is_written_twice(void **state) {
        char path[] = "/tmp/probe_test.XXXXXX", text[64];
        int fd = mkstemp(path), saved;
        ssize_t n;

        (void)state;
        assert_true(fd >= 0);
        (void)fflush(stdout);
        saved = dup(STDOUT_FILENO);
        assert_true(saved >= 0 && dup2(fd, STDOUT_FILENO) >= 0);
        (void)fputs("once", stdout);
        assert_int_equal(probe_run(look, shared, LONG_MS), 0);
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
                cmocka_unit_test_setup_teardown(what_it_learns_is_there_afterwards, setup, teardown),
                cmocka_unit_test_setup_teardown(one_that_hangs_is_ended_and_keeps_what_it_had, setup, teardown),
                cmocka_unit_test_setup_teardown(so_is_one_that_blocks_signals, setup, teardown),
                cmocka_unit_test_setup_teardown(what_it_had_started_ends_with_it, setup, teardown),
                cmocka_unit_test_setup_teardown(one_that_does_not_come_to_its_end_is_told_from_one_that_does, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(who_ignores_the_end_of_children_is_told_all_the_same, setup, teardown),
                cmocka_unit_test_setup_teardown(a_look_ends_with_who_takes_it, setup, teardown),
                cmocka_unit_test_setup_teardown(a_look_may_take_another, setup, teardown),
                cmocka_unit_test_setup_teardown(nothing_is_written_twice, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
