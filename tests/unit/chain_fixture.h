/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of exc-authorized-keys-chain share. The other command and exc-authorized-keys are copies of the test
 * program itself; what they do is in their arguments and in the environment.
 */
#ifndef EXC_CHAIN_FIXTURE_H
#define EXC_CHAIN_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "authkeys-helper/chain.h"
#include "authkeys-helper/identity.h"
#include "authkeys-helper/lookup.h"
#include "common/debug.h"
#include "common/lifetime.h"
#include "tests/unit/scratch.h"

/* A tmpfs below directories that are all root's, as /tmp is not. */
#define TOP "/mnt"
#define OTHER TOP "/other"
#define HELPER TOP "/helper"

#define LONG_NS (300 * NS_PER_S) /* nothing waits for that long: the helper ends, or is one that hangs */
#define SHORT_NS (NS_PER_S / 10) /* for a helper that hangs */

static struct outcome {
        int status; /* as waitpid() has it */
        char out[16384], err[16384];
} outcome;

/* The other command prints what it was given, and ends as its argument says. */
_Noreturn static inline void other_command(int argc, char *argv[]) {
        char line[256];
        gid_t groups[32];
        int n = getgroups(32, groups);
        FILE *status = fopen("/proc/self/status", "re");

        printf("other");
        for (int i = 1; i < argc; i++)
                printf(" %s", argv[i]);
        printf("\nuid %u %u gid %u %u groups", getuid(), geteuid(), getgid(), getegid());
        for (int i = 0; i < n; i++)
                printf(" %u", groups[i]);
        printf("\nUSER %s LOGNAME %s HOME %s KEPT %s\n", getenv("USER"), getenv("LOGNAME"), getenv("HOME"),
               getenv("KEPT"));
        while (status && fgets(line, sizeof(line), status))
                if (strncmp(line, "SigIgn", 6) == 0 || strncmp(line, "SigBlk", 6) == 0 ||
                    strncmp(line, "NoNewPrivs", 10) == 0)
                        fputs(line, stdout);
        printf("alarm %u\n", alarm(0));
        for (int fd = 3; fd < 20; fd++)
                if (fcntl(fd, F_GETFD) >= 0 && (!status || fd != fileno(status)))
                        printf("descriptor %d is open\n", fd);
        if (status)
                (void)fclose(status);
        (void)fflush(stdout);
        (void)fputs("other's error\n", stderr);
        if (argc > 1 && strcmp(argv[1], "killed") == 0)
                (void)raise(SIGKILL);
        _exit(argc > 1 ? atoi(argv[1]) : 0);
}

_Noreturn static inline void hang(void) {
        sigset_t all;

        (void)sigfillset(&all);
        (void)sigprocmask(SIG_SETMASK, &all, NULL);
        for (;;)
                (void)pause();
}

/* exc-authorized-keys does what HELPER_DOES says. */
_Noreturn static inline void helper(int argc, char *argv[]) {
        static const char whole[] = "ssh-ed25519 OURS\n", half[] = "ssh-ed25519 AAAA";
        const char *does = getenv("HELPER_DOES");
        char text[2 * LOOKUP_LINE_MAX];

        memset(text, 'x', sizeof(text));
        if (strcmp(does, "print the arguments") == 0)
                for (int i = 1; i < argc; i++)
                        printf("%s%c", argv[i], i + 1 < argc ? ' ' : '\n');
        else if (strcmp(does, "print a line") == 0)
                (void)fputs(whole, stdout);
        else if (strcmp(does, "print the longest line") == 0)
                printf("%.*s\n", LOOKUP_LINE_MAX - 2, text);
        else if (strcmp(does, "print more than a line can be") == 0)
                printf("%.*s\n", LOOKUP_LINE_MAX - 1, text);
        else if (strcmp(does, "print half a line") == 0)
                (void)fputs(half, stdout);
        else if (strcmp(does, "print a line and fail") == 0)
                (void)fputs(whole, stdout);
        (void)fflush(stdout);
        if (strcmp(does, "be killed") == 0)
                (void)raise(SIGKILL);
        if (strcmp(does, "print half a line and hang") == 0) {
                (void)!write(STDOUT_FILENO, half, strlen(half));
                hang();
        }
        if (strcmp(does, "print a line and hang") == 0) {
                (void)!write(STDOUT_FILENO, whole, strlen(whole));
                hang();
        }
        if (strcmp(does, "hang") == 0)
                hang();
        _exit(strstr(does, "fail") ? 17 : 0);
}

static inline void copy_self(const char *to) {
        int from_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
            to_fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
        struct stat st;

        if (from_fd < 0 || to_fd < 0 || fstat(from_fd, &st) < 0)
                abort();
        for (off_t left = st.st_size; left > 0;) {
                static char buffer[65536];
                ssize_t n = read(from_fd, buffer, sizeof(buffer));

                if (n <= 0 || write(to_fd, buffer, (size_t)n) != n)
                        abort();
                left -= n;
        }
        if (fchmod(to_fd, 0755) < 0 || close(to_fd) < 0 || close(from_fd) < 0)
                abort();
}

static inline void write_file(const char *path, const char *text, mode_t mode) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, mode) < 0 || close(fd) < 0)
                abort();
}

/* Two users in place of the machine's, within this mount namespace. */
static inline void make_users(void) {
        write_file(TOP "/passwd", "root:x:0:0:root:/root:/bin/sh\nsvc:x:60003:60004:other:/var/svc:/bin/sh\n", 0644);
        write_file(TOP "/group", "root:x:0:\nsvc:x:60004:\nmore:x:60005:svc\n", 0644);
        write_file(TOP "/nsswitch.conf", "passwd: files\ngroup: files\ninitgroups: files\n", 0644);
        if (mount(TOP "/passwd", "/etc/passwd", NULL, MS_BIND, NULL) < 0 ||
            mount(TOP "/group", "/etc/group", NULL, MS_BIND, NULL) < 0)
                abort();
        if (access("/etc/nsswitch.conf", F_OK) == 0 &&
            mount(TOP "/nsswitch.conf", "/etc/nsswitch.conf", NULL, MS_BIND, NULL) < 0)
                abort();
}

static inline void read_back(int fd, char *text, size_t size) {
        ssize_t n = pread(fd, text, size - 1, 0);

        assert_true(n >= 0);
        text[n] = '\0';
        assert_int_equal(close(fd), 0);
}

/* Runs `body` in a child, whose output is kept. */
static inline void run(void (*body)(const struct arguments *asked), const struct arguments *asked) {
        int out = memfd_create("stdout", MFD_CLOEXEC), err = memfd_create("stderr", MFD_CLOEXEC);
        pid_t child;

        assert_true(out >= 0 && err >= 0);
        child = scratch_fork();
        if (child == 0) {
                if (dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0 || setenv("KEPT", "yes", 1) < 0)
                        scratch_exit(99);
                body(asked);
                scratch_exit(98);
        }
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &outcome.status, 0), child);
        read_back(out, outcome.out, sizeof(outcome.out));
        read_back(err, outcome.err, sizeof(outcome.err));
}

static struct caller caller;
static const char *helper_path = HELPER;
static int64_t deadline_ns;

static inline void chain(const struct arguments *asked) {
        chain_run(asked, helper_path, &caller, deadline_ns);
}

static char *const other_words[] = {(char[]){OTHER}, (char[]){"5"}, (char[]){"a b"}, NULL};
static const struct arguments asks = {
        .runtime_dir = "/run/x", .user = "ada", .fingerprint = "SHA256:x", .chain = other_words};

static inline void run_chain(const char *helper_does, const struct arguments *asked) {
        assert_int_equal(setenv("HELPER_DOES", helper_does, 1), 0);
        caller = (struct caller){0, {4711, 812345}};
        deadline_ns = strstr(helper_does, "hang") ? SHORT_NS : LONG_NS;
        run(chain, asked);
}

static inline void assert_exit(int status) {
        if (!WIFEXITED(outcome.status) || WEXITSTATUS(outcome.status) != status)
                fail_msg("status %x, output \"%s\", error \"%s\"", (unsigned)outcome.status, outcome.out, outcome.err);
}

static inline void assert_other_ran(void) {
        assert_exit(5);
        assert_memory_equal(outcome.out, "other 5 a b\n", 12);
        /* gcc's counters cannot be written as another user, and say so before. */
        assert_non_null(strstr(outcome.err, "other's error\n"));
}

/* What each main() does first. */
static inline void set_up_chain(int argc, char *argv[]) {
        static const uint64_t default_action[8]; /* more than the kernel's struct sigaction has anywhere */
        sigset_t none;

        if (strcmp(argv[0], HELPER) == 0)
                helper(argc, argv);
        if (strncmp(argv[0], TOP "/", strlen(TOP) + 1) == 0)
                other_command(argc, argv);
        /* As sshd starts a command. */
        (void)sigemptyset(&none);
        if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
                abort();
        /* By the system call: glibc keeps two to itself, and its posix_spawn() lets make hand these down ignored. */
        for (int number = 1; number < NSIG; number++)
                (void)syscall(SYS_rt_sigaction, number, default_action, NULL, sizeof(uint64_t));
        (void)close_range(3, ~0U, 0); /* what make left open */
        (void)umask(022);
        scratch_mount_namespace();
        if (mount("tmpfs", TOP, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
                abort();
        copy_self(OTHER);
        copy_self(HELPER);
        make_users();
}

#endif
