/* SPDX-License-Identifier: Apache-2.0 */
/* What the filter of system calls refuses by itself, and what becomes of a call that it refuses. */
#include "confine/syscall_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/events.h"
#include "confine/syscall_trap.h"
#include "tests/unit/journal_socket.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#define ARCHITECTURE_TEXT "c000003e"
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#define ARCHITECTURE_TEXT "c00000b7"
#endif

enum { NEWER_CALL = 500, NOT_INSTALLED = 200 };

static const char *const own[] = {"getpriority", "mkdirat", NULL};
static const int families[] = {AF_UNIX, AF_UNSPEC};
static struct syscall_filter filter = {
        .program = "test-program", .advice = "see the test", .calls = own, .families = families, .loads_modules = true};

/* --- in a child --------------------------------------------------------------------------------------------------- */

/* Not declared as one that does not return: before such a call, a sanitizer makes others. */
static void end(int status) {
        (void)syscall(SYS_exit_group, status);
}

/* The status that waitpid(2) returns of a child that acts, with standard error in `err` unless that is NULL. */
static int status_of(int (*act)(void), FILE *err) {
        pid_t pid = scratch_fork();
        int status;

        if (pid == 0) {
                if (err)
                        (void)dup2(fileno(err), STDERR_FILENO);
                end(syscall_filter_install(&filter) < 0 ? NOT_INSTALLED : act());
        }
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status;
}

static int tries(int (*act)(void)) {
        int status = status_of(act, NULL);

        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

/* Whether the next datagram of the journal has this field. */
static bool has(const char *name, const char *value, ssize_t length) {
        struct bytes from = {(const uint8_t *)journal_datagram, (size_t)length}, found, content;

        while (journal_socket_field(&from, &found, &content))
                if (bytes_equal(found, name, strlen(name)) && content.left >= strlen(value) &&
                    memcmp(content.at, value, strlen(value)) == 0)
                        return true;
        return false;
}

static void assert_reported(int number, const char *priority) {
        ssize_t n = journal_socket_read();
        char text[16];

        assert_true(n > 0);
        (void)snprintf(text, sizeof(text), "%d", number);
        assert_true(has("MESSAGE_ID", EVENT_CALL_REFUSED, n));
        assert_true(has("MESSAGE", "system call ", n));
        assert_true(has("SYSLOG_IDENTIFIER", "test-program", n));
        assert_true(has("PRIORITY", priority, n));
        assert_true(has(FIELD_CALL, text, n));
        assert_true(has(FIELD_ARCHITECTURE, ARCHITECTURE_TEXT, n));
}

/* --- acts: errno, or 0 -------------------------------------------------------------------------------------------- */

static int execute(void) {
        return execl("/bin/true", "true", NULL) < 0 ? errno : 0;
}

static int execute_descriptor(void) {
        return (int)syscall(SYS_execveat, AT_FDCWD, "/bin/true", NULL, NULL, 0);
}

static int make_process(void) {
        pid_t pid = fork();

        if (pid == 0)
                end(0);
        return pid < 0 ? errno : 0;
}

static int clone_process(void) {
        pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

        if (pid == 0)
                end(0);
        return pid < 0 ? errno : 0;
}

static int spawn_process(void) {
        char *const argv[] = {(char[]){"true"}, NULL};
        pid_t pid;

        return posix_spawn(&pid, "/bin/true", NULL, NULL, argv, NULL);
}

static int make_internet_socket(void) {
        return socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0;
}

static int make_vsock_socket(void) {
        return socket(AF_VSOCK, SOCK_STREAM, 0) < 0 ? errno : 0;
}

/* The kernel reads the low half of the family alone. */
static int make_hidden_socket(void) {
        return syscall(SYS_socket, AF_INET | 1L << 32, SOCK_STREAM, 0) < 0 ? errno : 0;
}

static int trace(void) {
        return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? errno : 0;
}

static int read_memory(void) {
        return (int)syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static int mount_something(void) {
        return mount("none", "/tmp", "tmpfs", 0, NULL) < 0 ? errno : 0;
}

static int make_user_namespace(void) {
        return unshare(CLONE_NEWUSER) < 0 ? errno : 0;
}

static int join_namespace(void) {
        return setns(0, 0) < 0 ? errno : 0;
}

static int signal_parent(void) {
        return kill(getppid(), 0) < 0 ? errno : 0;
}

static int signal_thread_of_parent(void) {
        return (int)syscall(SYS_tgkill, getppid(), getppid(), 0);
}

static int signal_by_descriptor(void) {
        return (int)syscall(SYS_pidfd_send_signal, -1, 0, NULL, 0);
}

static int limit_parent(void) {
        return (int)syscall(SYS_prlimit64, getppid(), 0, NULL, NULL);
}

static int make_ring(void) {
        return (int)syscall(SYS_io_uring_setup, 1, NULL);
}

static int use_keyring(void) {
        return (int)syscall(SYS_keyctl, 0, 0, 0, 0, 0);
}

static int load_bpf(void) {
        return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static int measure(void) {
        return (int)syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0);
}

static int become(void) {
        return (int)syscall(SYS_setresuid, 0, 0, 0);
}

static int change_mode(void) {
        return (int)syscall(SYS_fchmodat, AT_FDCWD, "/tmp", 01777, 0);
}

static int remove_file(void) {
        return unlinkat(AT_FDCWD, "/dev/null/nonexistent", 0) < 0 ? errno : 0;
}

static int set_clock(void) {
        return (int)syscall(SYS_clock_settime, 0, NULL);
}

static int handle_faults(void) {
        return (int)syscall(SYS_userfaultfd, 0);
}

#ifdef __x86_64__
/* getpid(2) as the x32 ABI has it. */
static int call_of_another_abi(void) {
        return (int)syscall(0x40000000 | SYS_getpid);
}
#endif

static const struct {
        int (*act)(void);
        int number;
} forbidden[] = {
        {execute, SYS_execve},
        {execute_descriptor, SYS_execveat},
        {make_process, SYS_clone},
        {make_internet_socket, SYS_socket},
        {make_vsock_socket, SYS_socket},
        {make_hidden_socket, SYS_socket},
        {trace, SYS_ptrace},
        {read_memory, SYS_process_vm_readv},
        {mount_something, SYS_mount},
        {make_user_namespace, SYS_unshare},
        {join_namespace, SYS_setns},
        {signal_parent, SYS_kill},
        {signal_thread_of_parent, SYS_tgkill},
        {signal_by_descriptor, SYS_pidfd_send_signal},
        {limit_parent, SYS_prlimit64},
        {make_ring, SYS_io_uring_setup},
        {use_keyring, SYS_keyctl},
        {load_bpf, SYS_bpf},
        {measure, SYS_perf_event_open},
        {become, SYS_setresuid},
        {change_mode, SYS_fchmodat},
        {remove_file, SYS_unlinkat},
        {set_clock, SYS_clock_settime},
        {handle_faults, SYS_userfaultfd},
#ifdef __x86_64__
        {call_of_another_abi, 0x40000000 | SYS_getpid},
#endif
};

static void *nothing(void *argument) {
        return argument;
}

static int do_what_is_allowed(void) {
        stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
        struct passwd *entry = getpwnam("root");
        struct rlimit limit;
        int pair[2];
        pthread_t thread;

        if (!entry || entry->pw_uid != 0)
                return 1;
        if (pthread_create(&thread, NULL, nothing, NULL) != 0 || pthread_join(thread, NULL) != 0)
                return 2;
        if (socket(AF_UNIX, SOCK_DGRAM, 0) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
                return 3;
        if (mkdirat(AT_FDCWD, "/", 0700) == 0 || errno != EEXIST)
                return 4;
        if (kill(getpid(), 0) < 0 || raise(SIGCONT) < 0)
                return 5;
        if (sigaltstack(&stack, NULL) < 0)
                return 6;
        if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
                return 7;
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return 8;
        return open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 ? 9 : 0;
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void what_a_program_does_is_allowed(void **state) {
        (void)state;
        assert_int_equal(tries(do_what_is_allowed), 0);
        assert_int_equal(journal_socket_read(), -1);
}

static void a_forbidden_call_ends_the_program_with_an_event(void **state) {
        (void)state;
        for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
                int status = status_of(forbidden[i].act, NULL);

                assert_true(WIFSIGNALED(status));
                assert_int_equal(WTERMSIG(status), SIGSYS);
                assert_reported(forbidden[i].number, "3");
                assert_int_equal(journal_socket_read(), -1);
        }
}

static void the_event_names_the_call(void **state) {
        ssize_t n;

        (void)state;
        (void)status_of(execute, NULL);
        n = journal_socket_read();
        assert_true(n > 0);
        assert_true(has("MESSAGE", "system call execve (", n));
}

static void without_a_journal_the_message_is_on_standard_error(void **state) {
        FILE *err = tmpfile();
        char line[512] = "";

        (void)state;
        assert_non_null(err);
        (void)journal_socket_stop(NULL);
        assert_true(WIFSIGNALED(status_of(trace, err)));
        rewind(err);
        assert_non_null(fgets(line, sizeof(line), err));
        assert_non_null(strstr(line, "test-program: system call ptrace ("));
        assert_non_null(strstr(line, "; see the test\n"));
        (void)fclose(err);
}

static void the_last_words_wait_for_a_busy_journal(void **state) {
        bool found = false;
        pid_t pid, ended = 0;
        ssize_t n;
        int status;

        (void)state;
        assert_true(journal_socket_fill() > 0);
        pid = scratch_fork();
        if (pid == 0)
                end(syscall_filter_install(&filter) < 0 ? NOT_INSTALLED : trace());
        assert_true(pid > 0);
        /* What is there when it has ended, there is no more after. */
        while (ended == 0) {
                ended = waitpid(pid, &status, WNOHANG);
                for (n = journal_socket_read(); n > 0; n = journal_socket_read())
                        found = found || has("MESSAGE_ID", EVENT_CALL_REFUSED, n);
        }
        assert_int_equal(ended, pid);
        assert_true(found);
}

/* --- on a thread that is spared ----------------------------------------------------------------------------------- */

static void *spared(void *result) {
        int *r = result;
        struct syscall_refused refused;
        char text[SYSCALL_TEXT_MAX];

        syscall_trap_spare_thread();
        *r = syscall_trap_take().architecture == 0 ? 0 : 1;
        for (int i = 0; i < 2; i++)
                if (execute() != EPERM || make_process() != EPERM || make_internet_socket() != EPERM)
                        *r = 2;
        refused = syscall_trap_take();
        syscall_text(refused, text);
        if (refused.architecture != ARCHITECTURE || refused.number != SYS_execve || strncmp(text, "execve (", 8) != 0)
                *r = 3;
        if (syscall_trap_take().architecture != 0)
                *r = 4;
        return NULL;
}

static int act_on_a_spared_thread(void) {
        pthread_t thread;
        int r = 9;

        if (pthread_create(&thread, NULL, spared, &r) != 0 || pthread_join(thread, NULL) != 0)
                return 8;
        return r;
}

static int act_beside_a_spared_thread(void) {
        return act_on_a_spared_thread() == 0 ? trace() : 1;
}

static void a_spared_thread_gets_an_error_and_each_call_one_event(void **state) {
        (void)state;
        assert_int_equal(tries(act_on_a_spared_thread), 0);
        assert_reported(SYS_execve, "4");
        assert_reported(SYS_clone, "4");
        assert_reported(SYS_socket, "4");
        assert_int_equal(journal_socket_read(), -1);
}

static void other_threads_are_not_spared(void **state) {
        int status;

        (void)state;
        status = status_of(act_beside_a_spared_thread, NULL);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSYS);
}

static int be_signalled(void) {
        return kill(getpid(), SIGSYS);
}

static void a_signal_from_elsewhere_ends_the_program_without_an_event(void **state) {
        (void)state;
        assert_true(WIFSIGNALED(status_of(be_signalled, NULL)));
        assert_int_equal(journal_socket_read(), -1);
}

/* --- errors that libraries expect --------------------------------------------------------------------------------- */

/* Not mlock(3), which a sanitizer makes do nothing. */
static int lock_memory(void) {
        return syscall(SYS_mlock, &filter, 1) < 0 ? errno : 0;
}

static int write_and_execute_memory(void) {
        void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        return at == MAP_FAILED ? errno : 0;
}

static int make_memory_executable(void) {
        void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        return at == MAP_FAILED ? 1 : mprotect(at, 4096, PROT_READ | PROT_EXEC) < 0 ? errno : 0;
}

static int map_executable_memory(void) {
        void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        return at == MAP_FAILED ? errno : 0;
}

static int make_netlink_socket(void) {
        return socket(AF_NETLINK, SOCK_RAW, 0) < 0 ? errno : 0;
}

static int clone_by_structure(void) {
        return syscall(SYS_clone3, NULL, 0) < 0 ? errno : 0;
}

static int call_newer(void) {
        return syscall(NEWER_CALL) < 0 ? errno : 0;
}

static void calls_that_libraries_try_fail_quietly(void **state) {
        (void)state;
        assert_int_equal(tries(lock_memory), EPERM);
        assert_int_equal(tries(write_and_execute_memory), EPERM);
        assert_int_equal(tries(make_memory_executable), EPERM);
        assert_int_equal(tries(map_executable_memory), 0);
        assert_int_equal(tries(make_netlink_socket), EAFNOSUPPORT);
        assert_int_equal(tries(clone_by_structure), ENOSYS);
        assert_int_equal(tries(call_newer), ENOSYS);
        assert_int_equal(journal_socket_read(), -1);
}

static void a_program_without_modules_has_no_new_executable_memory(void **state) {
        (void)state;
        filter.loads_modules = false;
        assert_int_equal(tries(map_executable_memory), EPERM);
        assert_int_equal(tries(write_and_execute_memory), EPERM);
        filter.loads_modules = true;
}

static void a_program_has_the_calls_and_families_that_it_lists(void **state) {
        static const char *const more[] = {"mlock", "socket", "unlinkat", NULL};
        static const int internet[] = {AF_INET, AF_NETLINK, AF_UNSPEC};

        (void)state;
        filter.families = internet;
        assert_int_equal(tries(make_internet_socket), 0);
        assert_int_equal(tries(make_netlink_socket), 0);
        filter.families = families;
        filter.calls = more;
        assert_int_equal(tries(lock_memory), 0);
        assert_int_equal(tries(make_internet_socket), 0);
        assert_int_equal(tries(remove_file), ENOTDIR);
        filter.calls = own;
}

/* The C library blocks all signals around it: a trap would end the program without an event. */
static void a_process_is_not_made_whatever_blocks_signals(void **state) {
        (void)state;
        assert_int_equal(tries(clone_process), EPERM);
        assert_int_equal(tries(spawn_process), EPERM);
        assert_int_equal(journal_socket_read(), -1);
}

/* --- modes -------------------------------------------------------------------------------------------------------- */

static void in_the_mode_log_everything_is_allowed(void **state) {
        (void)state;
        filter.mode = SYSCALL_FILTER_LOG;
        assert_int_equal(tries(make_process), 0);
        assert_int_equal(tries(make_internet_socket), 0);
        assert_int_equal(tries(write_and_execute_memory), 0);
        filter.mode = SYSCALL_FILTER_ON;
}

static int seccomp_mode(void) {
        char line[128];
        FILE *status = fopen("/proc/self/status", "re");
        int mode = 100;

        while (status && fgets(line, sizeof(line), status))
                (void)sscanf(line, "Seccomp: %d", &mode);
        return mode;
}

static void in_the_mode_off_there_is_no_filter(void **state) {
        int before = seccomp_mode();

        (void)state;
        filter.mode = SYSCALL_FILTER_OFF;
        assert_int_equal(tries(seccomp_mode), before);
        assert_int_equal(tries(make_process), 0);
        filter.mode = SYSCALL_FILTER_ON;
        assert_int_equal(tries(seccomp_mode), 2);
}

static void modes_are_read(void **state) {
        enum syscall_filter_mode mode = SYSCALL_FILTER_OFF;

        (void)state;
        assert_true(syscall_filter_mode_take("on", &mode) && mode == SYSCALL_FILTER_ON);
        assert_true(syscall_filter_mode_take("log", &mode) && mode == SYSCALL_FILTER_LOG);
        assert_true(syscall_filter_mode_take("off", &mode) && mode == SYSCALL_FILTER_OFF);
        assert_false(syscall_filter_mode_take("", &mode) || syscall_filter_mode_take("ON", &mode));
}

static void calls_without_a_name_are_numbers(void **state) {
        char text[SYSCALL_TEXT_MAX];

        (void)state;
        syscall_text((struct syscall_refused){ARCHITECTURE, SYS_ptrace}, text);
        assert_int_equal(strncmp(text, "ptrace (", 8), 0);
        syscall_text((struct syscall_refused){ARCHITECTURE, 0x7fffffff}, text);
        assert_string_equal(text, "number 2147483647 of architecture " ARCHITECTURE_TEXT);
        syscall_text((struct syscall_refused){AUDIT_ARCH_I386, 11}, text);
        assert_string_equal(text, "number 11 of architecture 40000003");
}

int main(void) {
#define WITH_JOURNAL(test) cmocka_unit_test_setup_teardown(test, journal_socket_listen, journal_socket_stop)
        const struct CMUnitTest tests[] = {
                WITH_JOURNAL(what_a_program_does_is_allowed),
                WITH_JOURNAL(a_forbidden_call_ends_the_program_with_an_event),
                WITH_JOURNAL(the_event_names_the_call),
                WITH_JOURNAL(without_a_journal_the_message_is_on_standard_error),
                WITH_JOURNAL(the_last_words_wait_for_a_busy_journal),
                WITH_JOURNAL(a_spared_thread_gets_an_error_and_each_call_one_event),
                WITH_JOURNAL(other_threads_are_not_spared),
                WITH_JOURNAL(a_signal_from_elsewhere_ends_the_program_without_an_event),
                WITH_JOURNAL(calls_that_libraries_try_fail_quietly),
                WITH_JOURNAL(a_program_without_modules_has_no_new_executable_memory),
                WITH_JOURNAL(a_program_has_the_calls_and_families_that_it_lists),
                WITH_JOURNAL(a_process_is_not_made_whatever_blocks_signals),
                WITH_JOURNAL(in_the_mode_log_everything_is_allowed),
                WITH_JOURNAL(in_the_mode_off_there_is_no_filter),
                cmocka_unit_test(modes_are_read),
                cmocka_unit_test(calls_without_a_name_are_numbers),
        };

        journal_socket_prepare();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
