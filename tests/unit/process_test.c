/* SPDX-License-Identifier: Apache-2.0 */
/* What the relay, the metadata program, exc-signer, exc-host and exc-compute-api may do, and that each layer alone refuses the rest. */
#include "confine/process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cloud/api/api_confine.h"
#include "cloud/signer/signer_confine.h"
#include "confine/sanitized.h"
#include "host/host_confine.h"
#include "metadata/metadata_confine.h"
#include "relay/relay_confine.h"
#include "tests/unit/scratch.h"

enum { TRAPPED = 201, NOT_CONFINED };

static char directory[] = "/tmp/process-XXXXXX", own[64], other[64];
static struct api_config api_config;
static struct api_confinement api;

/* --- acts: errno, or 0 -------------------------------------------------------------------------------------------- */

static int opens(const char *in, const char *name, int flags) {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/%s", in, name);
        return open(path, flags | O_CLOEXEC, 0600) < 0 ? errno : 0;
}

static int read_own(void) {
        return opens(own, "file", O_RDONLY);
}

static int write_own(void) {
        return opens(own, "file", O_WRONLY | O_TRUNC);
}

static int make_own(void) {
        return opens(own, "new", O_WRONLY | O_CREAT);
}

static int remove_own(void) {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/new", own);
        return unlinkat(AT_FDCWD, path, 0) < 0 ? errno : 0;
}

static int read_other(void) {
        return opens(other, "file", O_RDONLY);
}

static int write_other(void) {
        return opens(other, "file", O_WRONLY);
}

static int make_other(void) {
        return opens(other, "new", O_WRONLY | O_CREAT);
}

static int read_null(void) {
        return opens("/dev", "null", O_RDONLY);
}

static int list_root(void) {
        return opens("", "", O_RDONLY | O_DIRECTORY);
}

static int execute(void) {
        (void)execl("/bin/true", "true", (char *)NULL);
        return errno;
}

static int make_process(void) {
        pid_t pid = fork();

        if (pid == 0)
                _exit(0);
        return pid < 0 ? errno : 0;
}

static int trace(void) {
        return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? errno : 0;
}

static int mount_something(void) {
        return mount("none", directory, "tmpfs", 0, NULL) < 0 ? errno : 0;
}

static int make_user_namespace(void) {
        return unshare(CLONE_NEWUSER) < 0 ? errno : 0;
}

static int signal_parent(void) {
        return kill(getppid(), 0) < 0 ? errno : 0;
}

static int makes_socket(int family) {
        return socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 ? errno : 0;
}

static int open_unix_socket(void) {
        return makes_socket(AF_UNIX);
}

static int open_internet_socket(void) {
        return makes_socket(AF_INET);
}

static int open_vsock(void) {
        return makes_socket(AF_VSOCK);
}

/* --- trying ------------------------------------------------------------------------------------------------------- */

/* Not declared as one that does not return: before such a call, a sanitizer makes one that the filter refuses. */
static void end(int status) {
        (void)syscall(SYS_exit_group, status);
}

static int confine_files(const struct process_limits *limits) {
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : process_limit_files(limits);
}

static int confine_calls(const struct process_limits *limits) {
        return syscall_filter_install(&limits->filter);
}

static unsigned n_reports;

static void count_report(const char *text) {
        (void)text;
        n_reports++;
}

static int confine_all(const struct process_limits *limits) {
        process_confine(limits, count_report);
        return n_reports > 0 ? -EIO : SANITIZED ? confine_calls(limits) : 0;
}

/* What the act says in a child that is confined so. TRAPPED: the filter ended it. */
static int tries(const struct process_limits *limits, int (*confine)(const struct process_limits *), int (*act)(void)) {
        pid_t pid = scratch_fork();
        int status;

        if (pid == 0) {
                (void)close(STDERR_FILENO); /* the trap's message */
                end(confine(limits) >= 0 ? act() : NOT_CONFINED);
        }
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
                return TRAPPED;
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static struct process_limits limits_of(size_t i) {
        switch (i) {
        case 0:
                return relay_limits(SYSCALL_FILTER_ON);
        case 1:
                return signer_limits(own, SYSCALL_FILTER_ON);
        case 2:
                return host_confinement("/nonexistent", own, SYSCALL_FILTER_ON);
        case 3:
                return api.limits;
        default:
                return metadata_limits(SYSCALL_FILTER_ON);
        }
}

enum { RELAY, SIGNER, HOST, API, METADATA, PROGRAMS };

static void no_program_opens_files_of_others(void **state) {
        static int (*const acts[])(void) = {read_other, write_other, make_other, list_root, execute};

        (void)state;
        for (size_t program = 0; program < PROGRAMS; program++) {
                const struct process_limits limits = limits_of(program);

                for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
                        assert_int_equal(tries(&limits, confine_files, acts[i]), EACCES);
                assert_int_equal(tries(&limits, confine_files, mount_something), EPERM);
        }
        assert_int_equal(read_other(), 0);
}

static void no_program_makes_processes_or_executes(void **state) {
        static int (*const acts[])(void) = {execute,         make_process,        trace,
                                            mount_something, make_user_namespace, signal_parent};

        (void)state;
        for (size_t program = 0; program < PROGRAMS; program++) {
                const struct process_limits limits = limits_of(program);

                for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
                        assert_int_equal(tries(&limits, confine_calls, acts[i]), TRAPPED);
                assert_int_equal(tries(&limits, confine_calls, open_unix_socket), 0);
                assert_int_equal(tries(&limits, confine_calls, open_internet_socket),
                                 program == METADATA ? 0 : TRAPPED);
        }
}

static void relay_opens_no_file(void **state) {
        const struct process_limits limits = limits_of(RELAY);

        (void)state;
        assert_int_equal(tries(&limits, confine_all, read_own), EACCES);
        assert_int_equal(tries(&limits, confine_all, read_null), EACCES);
        assert_int_equal(tries(&limits, confine_all, open_unix_socket), 0);
        assert_int_equal(tries(&limits, confine_all, open_vsock), TRAPPED);
}

static void host_reads_its_configuration_alone(void **state) {
        const struct process_limits limits = limits_of(HOST);

        (void)state;
        assert_int_equal(tries(&limits, confine_all, read_own), 0);
        assert_int_equal(tries(&limits, confine_all, read_null), 0);
        assert_int_equal(tries(&limits, confine_all, write_own), EACCES);
        assert_int_equal(tries(&limits, confine_all, make_own), EACCES);
        /* Where the kernel has no vsock, another error. */
        assert_int_not_equal(tries(&limits, confine_all, open_vsock), TRAPPED);
}

static void signer_and_api_keep_their_files(void **state) {
        static int (*const acts[])(void) = {read_own, write_own, make_own, remove_own};

        (void)state;
        for (size_t program = SIGNER; program <= API; program += API - SIGNER) {
                const struct process_limits limits = limits_of(program);

                for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
                        assert_int_equal(tries(&limits, confine_all, acts[i]), 0);
                assert_int_equal(tries(&limits, confine_all, open_vsock), TRAPPED);
        }
}

/* Refused by the peer, not by Landlock: nothing listens there. */
static int connects(uint16_t port) {
        struct sockaddr_in to = {
                .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        return fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
}

static int connect_to_http(void) {
        return connects(80);
}

static int connect_to_another_port(void) {
        return connects(81);
}

static void metadata_program_opens_no_file_and_connects_to_one_port(void **state) {
        const struct process_limits limits = limits_of(METADATA);
        struct landlock landlock;

        (void)state;
        assert_int_equal(tries(&limits, confine_all, read_own), EACCES);
        assert_int_equal(tries(&limits, confine_all, read_null), EACCES);
        assert_int_equal(tries(&limits, confine_all, open_vsock), TRAPPED);
        assert_int_not_equal(tries(&limits, confine_all, connect_to_http), EACCES);
        /* Since version 4 of Landlock's ABI. */
        assert_true(landlock_begin(LANDLOCK_LIMIT_TCP, &landlock) >= 0);
        assert_int_equal(tries(&limits, confine_all, connect_to_another_port), landlock.tcp ? EACCES : ECONNREFUSED);
        assert_int_equal(close(landlock.fd), 0);
}

static int make_missing(void) {
        char path[96];

        (void)snprintf(path, sizeof(path), "%s/missing", directory);
        return opens(path, "new", O_WRONLY | O_CREAT);
}

/* As a log's, which an administrator makes later. */
static void missing_directory_may_be_made_yet(void **state) {
        char path[96], file[128];
        struct process_limits limits;

        (void)state;
        (void)snprintf(path, sizeof(path), "%s/missing", directory);
        (void)snprintf(file, sizeof(file), "%s/new", path);
        limits = signer_limits(path, SYSCALL_FILTER_ON);
        assert_int_equal(tries(&limits, confine_all, make_missing), ENOENT);
        assert_int_equal(tries(&limits, confine_all, read_null), EACCES);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_int_equal(tries(&limits, confine_all, make_missing), 0);
        assert_int_equal(unlink(file), 0);
        assert_int_equal(rmdir(path), 0);
}

static int has_privileges(void) {
        return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_CAPBSET_READ, 0, 0, 0, 0) == 1;
}

static void no_privilege_is_left(void **state) {
        const struct process_limits limits = limits_of(RELAY);

        (void)state;
        if (geteuid() == 0)
                assert_int_equal(tries(&limits, confine_all, has_privileges), 0);
}

static void without_the_filter_the_other_layers_stay(void **state) {
        struct process_limits limits = limits_of(RELAY);

        (void)state;
        limits.filter.mode = SYSCALL_FILTER_OFF;
        assert_int_equal(tries(&limits, confine_all, make_process), 0);
        assert_int_equal(tries(&limits, confine_all, read_other), EACCES);
}

/* --- what is there ------------------------------------------------------------------------------------------------ */

static int make_file(const char *in) {
        char path[128];
        int fd;

        assert_int_equal(mkdir(in, 0700), 0);
        (void)snprintf(path, sizeof(path), "%s/file", in);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        return close(fd);
}

static int make_files(void **state) {
        (void)state;
        assert_non_null(mkdtemp(directory));
        (void)snprintf(own, sizeof(own), "%s/own", directory);
        (void)snprintf(other, sizeof(other), "%s/other", directory);
        (void)snprintf(api_config.database, sizeof(api_config.database), "%s/compute.db", own);
        (void)snprintf(api_config.audit, sizeof(api_config.audit), "%s", own);
        (void)snprintf(api_config.docs, sizeof(api_config.docs), "/nonexistent");
        api_confinement(&api_config, SYSCALL_FILTER_ON, &api);
        return make_file(own) + make_file(other);
}

static int remove_files(void **state) {
        const char *const directories[] = {own, other};
        char path[128];

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                (void)snprintf(path, sizeof(path), "%s/file", directories[i]);
                (void)unlink(path);
                (void)rmdir(directories[i]);
        }
        return rmdir(directory);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(no_program_opens_files_of_others),
                cmocka_unit_test(no_program_makes_processes_or_executes),
                cmocka_unit_test(relay_opens_no_file),
                cmocka_unit_test(host_reads_its_configuration_alone),
                cmocka_unit_test(signer_and_api_keep_their_files),
                cmocka_unit_test(metadata_program_opens_no_file_and_connects_to_one_port),
                cmocka_unit_test(missing_directory_may_be_made_yet),
                cmocka_unit_test(no_privilege_is_left),
                cmocka_unit_test(without_the_filter_the_other_layers_stay),
        };

        return cmocka_run_group_tests(tests, make_files, remove_files);
}
