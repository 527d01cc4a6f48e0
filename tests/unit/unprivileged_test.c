/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/unprivileged.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

enum { NOBODY = 65534, NOT_GIVEN_UP = 200 };

static uid_t caller; /* who gives up its rights */

/* Errno of `act` in a child of the caller's that gave up its rights, or 0. */
static int tries(int (*act)(void)) {
        pid_t pid = scratch_fork();
        const char *what;
        int status;

        if (pid == 0) {
                if (caller != 0 && (setgroups(0, NULL) < 0 || setresuid(caller, caller, caller) < 0))
                        _exit(NOT_GIVEN_UP);
                _exit(unprivileged(&what) == 0 ? act() : NOT_GIVEN_UP);
        }
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

/* Of root and of another user. */
static void gives(int (*act)(void), int error) {
        static const uid_t callers[] = {0, SCRATCH_OTHER};

        for (size_t i = 0; i < sizeof(callers) / sizeof(callers[0]); i++) {
                caller = callers[i];
                assert_int_equal(tries(act), error);
        }
}

static int open_shadow(void) {
        return open("/etc/shadow", O_RDONLY | O_CLOEXEC) < 0 ? errno : 0;
}

static int be_root_again(void) {
        return setresuid(0, 0, 0) < 0 ? errno : 0;
}

static int make_process(void) {
        pid_t pid = fork();

        if (pid == 0)
                _exit(0);
        return pid < 0 ? errno : 0;
}

static int execute(void) {
        (void)execl("/bin/true", "true", NULL);
        return errno;
}

static int trace(void) {
        return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? errno : 0;
}

static int read_memory(void) {
        char byte, other = 'x';
        struct iovec to = {&byte, 1}, from = {&other, 1};

        return process_vm_readv(getpid(), &to, 1, &from, 1, 0) < 0 ? errno : 0;
}

/* Without the filter it fails too, as there is no such descriptor, but differently. */
static int put_into_terminal(void) {
        return ioctl(-1, TIOCSTI, "x") < 0 ? errno : 0;
}

static int paste_into_terminal(void) {
        return ioctl(-1, TIOCLINUX, "\3") < 0 ? errno : 0;
}

static int ask_terminal(void) {
        struct winsize size;

        return ioctl(-1, TIOCGWINSZ, &size) < 0 ? errno : 0;
}

static int signal_parent(void) {
        return kill(getppid(), 0) < 0 ? errno : 0;
}

static int open_world_readable(void) {
        return open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 ? errno : 0;
}

/* 0: the ids and the one group are what they have to be. */
static int other_ids(void) {
        const struct group *journal = getgrnam("systemd-journal");
        gid_t groups[8], gids[3];
        uid_t uids[3];
        int n = getgroups(8, groups);

        if (getresuid(&uids[0], &uids[1], &uids[2]) < 0 || getresgid(&gids[0], &gids[1], &gids[2]) < 0)
                return 1;
        for (size_t i = 0; i < 3; i++)
                if (uids[i] != (caller ? caller : NOBODY) || (caller == 0 && gids[i] != NOBODY))
                        return 2;
        if (caller != 0 || !journal)
                return n == 0 ? 0 : 3;
        return n == 1 && groups[0] == journal->gr_gid ? 0 : 4;
}

/* 0: /proc/self/status has no capability, and no_new_privs. */
static int other_status(void) {
        FILE *file = fopen("/proc/self/status", "re");
        char line[256];
        int n = 0;

        while (file && fgets(line, sizeof(line), file))
                n += strcmp(line, "CapEff:\t0000000000000000\n") == 0 ||
                     strcmp(line, "CapPrm:\t0000000000000000\n") == 0 ||
                     strcmp(line, "CapInh:\t0000000000000000\n") == 0 || strcmp(line, "NoNewPrivs:\t1\n") == 0;
        return n == 4 ? 0 : 1;
}

static void nothing_of_root_s_is_left(void **state) {
        (void)state;
        gives(open_shadow, EACCES);
        gives(be_root_again, EPERM);
        gives(signal_parent, EPERM);
        gives(other_ids, 0);
        gives(other_status, 0);
}

static void programs_and_terminals_are_refused(void **state) {
        (void)state;
        gives(execute, EPERM);
        gives(trace, EPERM);
        gives(read_memory, EPERM);
        gives(put_into_terminal, EPERM);
        gives(paste_into_terminal, EPERM);
}

static void what_the_name_service_needs_is_left(void **state) {
        (void)state;
        gives(ask_terminal, EBADF);
        gives(make_process, 0);
        gives(open_world_readable, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_of_root_s_is_left),
                cmocka_unit_test(programs_and_terminals_are_refused),
                cmocka_unit_test(what_the_name_service_needs_is_left),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
