/* SPDX-License-Identifier: Apache-2.0 */
#include "authkeys-helper/chain.h"

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

#include "authkeys-helper/debug.h"
#include "authkeys-helper/identity.h"
#include "authkeys-helper/lookup.h"
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

/* The other command is this program under another name. It prints what it was given, and ends as its argument says. */
_Noreturn static void other_command(int argc, char *argv[]) {
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

_Noreturn static void hang(void) {
        sigset_t all;

        (void)sigfillset(&all);
        (void)sigprocmask(SIG_SETMASK, &all, NULL);
        for (;;)
                (void)pause();
}

/* exc-authorized-keys is this program too. What it does is in the environment. */
_Noreturn static void helper(int argc, char *argv[]) {
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

/* Two users in place of the machine's, within this mount namespace. */
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

static struct caller caller;
static const char *helper_path = HELPER;
static int64_t deadline_ns;

static void chain(const struct arguments *asked) {
        chain_run(asked, helper_path, &caller, deadline_ns);
}

static char *const other_words[] = {(char[]){OTHER}, (char[]){"5"}, (char[]){"a b"}, NULL};
static const struct arguments asks = {
        .runtime_dir = "/run/x", .user = "ada", .fingerprint = "SHA256:x", .chain = other_words};

static void run_chain(const char *helper_does, const struct arguments *asked) {
        assert_int_equal(setenv("HELPER_DOES", helper_does, 1), 0);
        caller = (struct caller){0, {4711, 812345}};
        deadline_ns = strstr(helper_does, "hang") ? SHORT_NS : LONG_NS;
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

static void a_key_of_ours_ends_the_chain(void **state) {
        (void)state;
        run_chain("print a line", &asks);
        assert_exit(0);
        assert_string_equal(outcome.out, "ssh-ed25519 OURS\n");
        assert_string_equal(outcome.err, "");
}

static void helper_gets_the_arguments_and_the_connection(void **state) {
        struct arguments asked = asks;

        (void)state;
        run_chain("print the arguments", &asks);
        assert_exit(0);
        assert_string_equal(outcome.out, "--connection 4711:812345 --runtime-dir /run/x ada SHA256:x\n");
        asked.expiry_time = asked.verbose = true;
        asked.type = "ssh-ed25519";
        asked.key_text = "AAAA";
        run_chain("print the arguments", &asked);
        assert_exit(0);
        assert_string_equal(outcome.out, "--connection 4711:812345 --runtime-dir /run/x --expiry-time --verbose "
                                         "ada SHA256:x ssh-ed25519 AAAA\n");
        caller = (struct caller){-EACCES, {0, 0}};
        run(chain, &asks);
        assert_exit(0);
        assert_string_equal(outcome.out, "--connection errno:13 --runtime-dir /run/x ada SHA256:x\n");
}

/* What is handed over is understood at the other end. */
static void the_arguments_are_read_back(void **state) {
        struct arguments asked = asks, back;
        char *words[32] = {(char[]){"exc-authorized-keys"}}, *save = NULL;
        const char *why = "";
        int n = 1;

        (void)state;
        asked.expiry_time = asked.verbose = true;
        run_chain("print the arguments", &asked);
        assert_exit(0);
        for (char *word = strtok_r(outcome.out, " \n", &save); word; word = strtok_r(NULL, " \n", &save))
                words[n++] = word;
        assert_int_equal(arguments_parse(n, words, &back, &why), ARGUMENTS_RUN);
        assert_true(back.has_caller && back.expiry_time && back.verbose);
        assert_int_equal(back.caller.id.pid, 4711);
        assert_int_equal(back.caller.id.start_ticks, 812345);
        assert_string_equal(back.runtime_dir, "/run/x");
        assert_string_equal(back.user, "ada");
}

static void the_longest_line_is_given_whole(void **state) {
        (void)state;
        run_chain("print the longest line", &asks);
        assert_exit(0);
        assert_int_equal(strlen(outcome.out), LOOKUP_LINE_MAX - 1);
        assert_int_equal(strspn(outcome.out, "x"), LOOKUP_LINE_MAX - 2);
}

static void without_a_line_the_other_command_runs(void **state) {
        static const char *const ways[] = {"print nothing",
                                           "fail",
                                           "be killed",
                                           "print half a line",
                                           "print more than a line can be",
                                           "hang",
                                           "print half a line and hang",
                                           "print a line and hang"};

        (void)state;
        for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
                run_chain(ways[i], &asks);
                assert_other_ran();
                assert_null(strstr(outcome.out, "AAAA"));
                assert_null(strstr(outcome.out, "OURS"));
        }
}

/* It exits 0 in any case, so nothing else can be meant by its status. */
static void a_line_counts_whatever_the_helpers_status_is(void **state) {
        (void)state;
        run_chain("print a line and fail", &asks);
        assert_exit(0);
        assert_string_equal(outcome.out, "ssh-ed25519 OURS\n");
}

static void without_the_helper_the_other_command_runs(void **state) {
        static const char *const paths[] = {TOP "/missing", TOP, TOP "/no-program"};

        (void)state;
        write_file(TOP "/no-program", "", 0644);
        for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
                helper_path = paths[i];
                run_chain("print a line", &asks);
                assert_other_ran();
        }
        helper_path = HELPER;
}

static void a_listing_shows_both(void **state) {
        struct arguments asked = asks;

        (void)state;
        asked.fingerprint = NULL;
        run_chain("print a line", &asked);
        assert_exit(5);
        assert_memory_equal(outcome.out, "ssh-ed25519 OURS\nother 5 a b\n", 29);
        /* Also one that is longer than a line. */
        run_chain("print more than a line can be", &asked);
        assert_exit(5);
        assert_int_equal(strspn(outcome.out, "x"), LOOKUP_LINE_MAX - 1);
        run_chain("hang", &asked);
        assert_other_ran();
}

static void the_other_command_finds_nothing_of_ours(void **state) {
        static const char *const ways[] = {"print nothing", "hang"};

        (void)state;
        for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
                run_chain(ways[i], &asks);
                assert_other_ran();
                assert_non_null(strstr(outcome.out, "\nSigBlk:\t0000000000000000\n"));
                assert_non_null(strstr(outcome.out, "\nSigIgn:\t0000000000000000\n"));
                assert_non_null(strstr(outcome.out, "\nNoNewPrivs:\t0\n"));
                assert_non_null(strstr(outcome.out, "\nalarm 0\n"));
                assert_non_null(strstr(outcome.out, " KEPT yes\n"));
                assert_non_null(strstr(outcome.out, "\nuid 0 0 gid 0 0 groups"));
                assert_null(strstr(outcome.out, "descriptor"));
        }
}

static void verbose_prints_a_line_per_stage(void **state) {
        (void)state;
        debug_init("exc-authorized-keys-chain", true);
        run_chain("print nothing", &asks);
        debug_init("exc-authorized-keys-chain", false);
        assert_other_ran();
        assert_non_null(strstr(outcome.err, "exc-authorized-keys-chain: exc-authorized-keys: no line for the key\n"));
        assert_non_null(
                strstr(outcome.err, "exc-authorized-keys-chain: other command: " OTHER ", executed as user id 0\n"));
}

static void other_command_runs_as_its_user(void **state) {
        struct arguments asked = asks;

        (void)state;
        asked.chain_user = "svc";
        run_chain("print nothing", &asked);
        assert_other_ran();
        assert_non_null(strstr(outcome.out, "\nuid 60003 60003 gid 60004 60004 groups 60004 60005\n"));
        assert_non_null(strstr(outcome.out, "\nUSER svc LOGNAME svc HOME /var/svc KEPT yes\n"));
        run(chain_other, &asked);
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
        chain_other(asked);
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
                cmocka_unit_test(a_key_of_ours_ends_the_chain),
                cmocka_unit_test(helper_gets_the_arguments_and_the_connection),
                cmocka_unit_test(the_arguments_are_read_back),
                cmocka_unit_test(the_longest_line_is_given_whole),
                cmocka_unit_test(without_a_line_the_other_command_runs),
                cmocka_unit_test(a_line_counts_whatever_the_helpers_status_is),
                cmocka_unit_test(without_the_helper_the_other_command_runs),
                cmocka_unit_test(a_listing_shows_both),
                cmocka_unit_test(the_other_command_finds_nothing_of_ours),
                cmocka_unit_test(verbose_prints_a_line_per_stage),
                cmocka_unit_test(other_command_runs_as_its_user),
                cmocka_unit_test(other_command_without_its_user_is_not_run),
                cmocka_unit_test(without_root_only_the_own_user_is_possible),
                cmocka_unit_test(exit_status_is_that_of_the_other_command),
                cmocka_unit_test(path_that_others_can_change_is_not_run),
                cmocka_unit_test(symlink_is_checked_by_its_target),
                cmocka_unit_test(command_that_cannot_be_executed_ends_with_127),
        };
        static const uint64_t default_action[8]; /* more than the kernel's struct sigaction has anywhere */
        sigset_t none;

        if (strcmp(argv[0], "exc-authorized-keys") == 0)
                helper(argc, argv);
        if (strncmp(argv[0], TOP "/", strlen(TOP) + 1) == 0)
                other_command(argc, argv);
        /* As sshd starts a command. */
        (void)sigemptyset(&none);
        if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
                return EXIT_FAILURE;
        /* By the system call: glibc keeps two to itself, and its posix_spawn() lets make hand these down ignored. */
        for (int number = 1; number < NSIG; number++)
                (void)syscall(SYS_rt_sigaction, number, default_action, NULL, sizeof(uint64_t));
        (void)close_range(3, ~0U, 0); /* what make left open */
        (void)umask(022);
        scratch_mount_namespace();
        if (mount("tmpfs", TOP, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
                return EXIT_FAILURE;
        copy_self(OTHER);
        copy_self(HELPER);
        make_users();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
