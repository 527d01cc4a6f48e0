/* SPDX-License-Identifier: Apache-2.0 */
#include "authkeys-helper/chain.h"

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

#include "authkeys-helper/identity.h"
#include "authkeys-helper/lookup.h"
#include "tests/unit/scratch.h"

/* A tmpfs below folders that are all root's, as /tmp is not. */
#define TOP "/mnt"
#define OTHER TOP "/other"

static struct outcome {
        int status; /* as waitpid() has it */
        char out[16384], err[16384];
} outcome;

/* The other command is this very program, called by this name. It tells what it was given, and ends as it is told to. */
_Noreturn static void be_the_other_command(int argc, char *argv[]) {
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

static void copy_self(const char *to) {
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

static void write_file(const char *path, const char *text, mode_t mode) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, mode) < 0 || close(fd) < 0)
                abort();
}

/* Two users of our own, in place of the machine's, within this mount namespace. */
static void make_users(void) {
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

static void read_back(int fd, char *text, size_t size) {
        ssize_t n = pread(fd, text, size - 1, 0);

        assert_true(n >= 0);
        text[n] = '\0';
        assert_int_equal(close(fd), 0);
}

/* Runs `body` in a child, whose output is kept. */
static void run(void (*body)(const struct arguments *asked), const struct arguments *asked) {
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

/* How our own part may go. */

static char line[LOOKUP_LINE_MAX + 1];

static void give_line(void *context, int out_fd) {
        (void)context;
        assert_int_equal(write(out_fd, line, strlen(line)), strlen(line));
}

static void give_nothing(void *context, int out_fd) {
        (void)context;
        (void)out_fd;
}

static void give_context(void *context, int out_fd) {
        assert_true(dprintf(out_fd, "%s\n", (const char *)context) > 0);
}

static void exit_with_17(void *context, int out_fd) {
        (void)context;
        (void)out_fd;
        _exit(17);
}

static void be_killed(void *context, int out_fd) {
        (void)context;
        (void)out_fd;
        (void)raise(SIGKILL);
}

static void end_at_the_alarm(int signal) {
        (void)signal;
        _exit(EXIT_SUCCESS);
}

/* As the real one does it, in less time, and with every other trace that it could leave. */
static void hang_until_the_alarm(void *context, int out_fd) {
        const struct sigaction at_alarm = {.sa_handler = end_at_the_alarm}, ignored = {.sa_handler = SIG_IGN};
        sigset_t all;

        (void)context;
        (void)out_fd;
        (void)sigaction(SIGALRM, &at_alarm, NULL);
        (void)sigaction(SIGPIPE, &ignored, NULL);
        (void)sigaction(SIGTERM, &ignored, NULL);
        (void)sigfillset(&all);
        (void)sigdelset(&all, SIGALRM);
        (void)sigprocmask(SIG_SETMASK, &all, NULL);
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        scratch_become(SCRATCH_HELPER);
        (void)alarm(1);
        for (;;)
                (void)pause();
}

static void hang_for_good(void *context, int out_fd) {
        sigset_t all;

        (void)context;
        (void)out_fd;
        (void)sigfillset(&all);
        (void)sigprocmask(SIG_SETMASK, &all, NULL);
        for (;;)
                (void)pause();
}

static void give_half_a_line(void *context, int out_fd) {
        (void)context;
        (void)!write(out_fd, "ssh-ed25519 AAAA", 16);
}

static void give_half_a_line_and_hang(void *context, int out_fd) {
        give_half_a_line(context, out_fd);
        hang_for_good(context, out_fd);
}

static void give_a_whole_line_and_hang(void *context, int out_fd) {
        give_context(context, out_fd);
        hang_for_good(context, out_fd);
}

static void give_more_than_a_line_can_be(void *context, int out_fd) {
        char text[2 * LOOKUP_LINE_MAX];

        (void)context;
        memset(text, '\n', sizeof(text));
        (void)!write(out_fd, text, sizeof(text));
}

static void (*own)(void *context, int out_fd);

static void chain(const struct arguments *asked) {
        static char context[] = "ssh-ed25519 OURS";

        chain_run(asked, own, context);
}

static char *const other_command[] = {(char[]){OTHER}, (char[]){"5"}, (char[]){"a b"}, NULL};
static const struct arguments asks = {.user = "ada", .fingerprint = "SHA256:x", .chain = other_command};

static void run_chain(void (*own_part)(void *context, int out_fd), const struct arguments *asked) {
        own = own_part;
        run(chain, asked);
}

static void assert_exit(int status) {
        if (!WIFEXITED(outcome.status) || WEXITSTATUS(outcome.status) != status)
                fail_msg("status %x, output \"%s\", error \"%s\"", (unsigned)outcome.status, outcome.out, outcome.err);
}

static void assert_other_ran(void) {
        assert_exit(5);
        assert_memory_equal(outcome.out, "other 5 a b\n", 12);
        /* gcc's counters cannot be written as another user, and say so before. */
        assert_non_null(strstr(outcome.err, "other's error\n"));
}

static void our_key_is_given_and_the_other_command_is_not_run(void **state) {
        (void)state;
        run_chain(give_context, &asks);
        assert_exit(0);
        assert_string_equal(outcome.out, "ssh-ed25519 OURS\n");
        assert_string_equal(outcome.err, "");
}

static void our_longest_line_is_given_whole(void **state) {
        (void)state;
        memset(line, 'x', sizeof(line));
        line[LOOKUP_LINE_MAX - 2] = '\n';
        line[LOOKUP_LINE_MAX - 1] = '\0';
        run_chain(give_line, &asks);
        assert_exit(0);
        assert_string_equal(outcome.out, line);
}

static void whatever_becomes_of_ours_the_other_command_is_run(void **state) {
        void (*const ways[])(void *, int) = {
                give_nothing,        exit_with_17, be_killed, give_half_a_line, give_more_than_a_line_can_be,
                hang_until_the_alarm};

        (void)state;
        for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
                run_chain(ways[i], &asks);
                assert_other_ran();
                assert_null(strstr(outcome.out, "AAAA"));
        }
}

static void ours_that_hangs_for_good_is_ended(void **state) {
        (void)state;
        run_chain(hang_for_good, &asks);
        assert_other_ran();
        run_chain(give_half_a_line_and_hang, &asks);
        assert_other_ran();
        assert_null(strstr(outcome.out, "AAAA"));
        /* What comes after its deadline is not waited for, and so not given. */
        run_chain(give_a_whole_line_and_hang, &asks);
        assert_other_ran();
        assert_null(strstr(outcome.out, "OURS"));
}

static void a_listing_shows_both(void **state) {
        struct arguments asked = asks;

        (void)state;
        asked.fingerprint = NULL;
        run_chain(give_context, &asked);
        assert_exit(5);
        assert_memory_equal(outcome.out, "ssh-ed25519 OURS\nother 5 a b\n", 29);
}

static void the_other_command_finds_nothing_of_ours(void **state) {
        (void)state;
        run_chain(hang_until_the_alarm, &asks);
        assert_other_ran();
        assert_non_null(strstr(outcome.out, "\nSigBlk:\t0000000000000000\n"));
        assert_non_null(strstr(outcome.out, "\nSigIgn:\t0000000000000000\n"));
        assert_non_null(strstr(outcome.out, "\nNoNewPrivs:\t0\n"));
        assert_non_null(strstr(outcome.out, "\nalarm 0\n"));
        assert_non_null(strstr(outcome.out, " KEPT yes\n"));
        assert_non_null(strstr(outcome.out, "\nuid 0 0 gid 0 0 groups"));
        assert_null(strstr(outcome.out, "descriptor"));
}

static void the_other_command_gets_the_rights_of_its_user(void **state) {
        struct arguments asked = asks;

        (void)state;
        asked.chain_user = "svc";
        run_chain(give_nothing, &asked);
        assert_other_ran();
        assert_non_null(strstr(outcome.out, "\nuid 60003 60003 gid 60004 60004 groups 60004 60005\n"));
        assert_non_null(strstr(outcome.out, "\nUSER svc LOGNAME svc HOME /var/svc KEPT yes\n"));
        run(chain_other, &asked);
        assert_other_ran();
        assert_non_null(strstr(outcome.out, "\nuid 60003 60003 gid 60004 60004 groups 60004 60005\n"));
}

static void without_its_user_the_other_command_is_not_run(void **state) {
        static const char *const names[] = {"nobody-of-that-name", "", "svc\n", "60003"};
        struct arguments asked = asks;

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                asked.chain_user = names[i];
                run_chain(give_nothing, &asked);
                assert_exit(1);
                assert_string_equal(outcome.out, "");
                assert_non_null(strstr(outcome.err, OTHER " is not run: cannot become"));
        }
        /* A key of ours does not need it. */
        run_chain(give_context, &asked);
        assert_exit(0);
        assert_string_equal(outcome.out, "ssh-ed25519 OURS\n");
}

static void chain_as_another(const struct arguments *asked) {
        if (setgroups(0, NULL) < 0 || setresgid(60003, 60003, 60003) < 0 || setresuid(60003, 60003, 60003) < 0)
                _exit(97);
        chain_other(asked);
}

static void who_is_not_root_runs_it_as_nobody_else(void **state) {
        struct arguments asked = asks;

        (void)state;
        asked.chain_user = "svc";
        run(chain_as_another, &asked);
        assert_other_ran();
        assert_non_null(strstr(outcome.out, "\nuid 60003 60003 gid 60003 60003 groups\n"));
        asked.chain_user = "root";
        run(chain_as_another, &asked);
        assert_exit(1);
        assert_string_equal(outcome.out, "");
        assert_non_null(strstr(outcome.err, "Operation not permitted"));
}

static void the_other_commands_end_is_passed_on(void **state) {
        char *killed[] = {(char[]){OTHER}, (char[]){"killed"}, NULL}, *fine[] = {(char[]){OTHER}, NULL};
        struct arguments asked = asks;

        (void)state;
        asked.chain = killed;
        run_chain(give_nothing, &asked);
        assert_true(WIFSIGNALED(outcome.status));
        assert_int_equal(WTERMSIG(outcome.status), SIGKILL);
        asked.chain = fine;
        run_chain(give_nothing, &asked);
        assert_exit(0);
        assert_memory_equal(outcome.out, "other\n", 6);
}

static void run_path(const char *path) {
        char copy[4200];
        char *command[] = {copy, (char[]){"5"}, (char[]){"a b"}, NULL};
        struct arguments asked = asks;

        (void)snprintf(copy, sizeof(copy), "%s", path);
        asked.chain = command;
        run_chain(give_nothing, &asked);
}

static void assert_not_run(const char *path) {
        run_path(path);
        assert_exit(1);
        assert_string_equal(outcome.out, "");
        assert_non_null(strstr(outcome.err, ": not run: "));
}

static void a_path_that_others_can_change_is_not_run(void **state) {
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

        assert_int_equal(mkdir(TOP "/folder", 0755), 0);
        copy_self(TOP "/folder/command");
        run_path(TOP "/folder/command");
        assert_other_ran();
        assert_int_equal(chmod(TOP "/folder/command", 0757), 0);
        assert_not_run(TOP "/folder/command");
        assert_int_equal(chmod(TOP "/folder/command", 0755), 0);
        assert_int_equal(chown(TOP "/folder/command", 60003, 0), 0);
        assert_not_run(TOP "/folder/command");
        assert_int_equal(chown(TOP "/folder/command", 0, 60004), 0);
        assert_int_equal(chmod(TOP "/folder/command", 0775), 0);
        assert_not_run(TOP "/folder/command");
        assert_int_equal(chown(TOP "/folder/command", 0, 0), 0);
        assert_int_equal(chmod(TOP "/folder/command", 0775), 0);
        run_path(TOP "/folder/command");
        assert_other_ran();

        assert_int_equal(chmod(TOP "/folder", 01777), 0);
        assert_not_run(TOP "/folder/command");
        assert_int_equal(chmod(TOP "/folder", 0755), 0);
        assert_int_equal(chown(TOP "/folder", 60003, 0), 0);
        assert_not_run(TOP "/folder/command");
        assert_int_equal(chown(TOP "/folder", 0, 60004), 0);
        assert_int_equal(chmod(TOP "/folder", 0775), 0);
        assert_not_run(TOP "/folder/command");
        assert_int_equal(chown(TOP "/folder", 0, 0), 0);
        assert_int_equal(chmod(TOP "/folder", 0755), 0);
        assert_int_equal(chmod(TOP, 0777), 0);
        assert_not_run(TOP "/folder/command");
        assert_int_equal(chmod(TOP, 0755), 0);
        run_path(TOP "/folder/command");
        assert_other_ran();
        assert_int_equal(mknod(TOP "/fifo", S_IFIFO | 0755, 0), 0);
        assert_not_run(TOP "/fifo");
}

static void a_symlink_is_judged_by_what_it_leads_to(void **state) {
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

static void a_command_that_cannot_be_executed_ends_with_127(void **state) {
        (void)state;
        write_file(TOP "/plain", "no program\n", 0644);
        run_path(TOP "/plain");
        assert_exit(127);
        assert_non_null(strstr(outcome.err, "cannot be run: Permission denied"));
        write_file(TOP "/script", "#!" TOP "/no-interpreter\n", 0755);
        run_path(TOP "/script");
        assert_exit(127);
        assert_non_null(strstr(outcome.err, "cannot be run: No such file"));
}

int main(int argc, char *argv[]) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(our_key_is_given_and_the_other_command_is_not_run),
                cmocka_unit_test(our_longest_line_is_given_whole),
                cmocka_unit_test(whatever_becomes_of_ours_the_other_command_is_run),
                cmocka_unit_test(ours_that_hangs_for_good_is_ended),
                cmocka_unit_test(a_listing_shows_both),
                cmocka_unit_test(the_other_command_finds_nothing_of_ours),
                cmocka_unit_test(the_other_command_gets_the_rights_of_its_user),
                cmocka_unit_test(without_its_user_the_other_command_is_not_run),
                cmocka_unit_test(who_is_not_root_runs_it_as_nobody_else),
                cmocka_unit_test(the_other_commands_end_is_passed_on),
                cmocka_unit_test(a_path_that_others_can_change_is_not_run),
                cmocka_unit_test(a_symlink_is_judged_by_what_it_leads_to),
                cmocka_unit_test(a_command_that_cannot_be_executed_ends_with_127),
        };
        static const uint64_t default_action[8]; /* more than the kernel's struct sigaction has anywhere */
        sigset_t none;

        if (strncmp(argv[0], TOP "/", strlen(TOP) + 1) == 0)
                be_the_other_command(argc, argv);
        /* As sshd starts a command. */
        (void)sigemptyset(&none);
        if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
                return EXIT_FAILURE;
        /* By the system call: glibc keeps two to itself, and its posix_spawn() lets make hand these down ignored. */
        for (int number = 1; number < NSIG; number++)
                (void)syscall(SYS_rt_sigaction, number, default_action, NULL, sizeof(uint64_t));
        (void)close_range(3, ~0U, 0); /* what make left open is not of ours */
        (void)umask(022);
        scratch_mount_namespace();
        if (mount("tmpfs", TOP, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
                return EXIT_FAILURE;
        copy_self(OTHER);
        make_users();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
