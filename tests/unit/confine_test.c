/* SPDX-License-Identifier: Apache-2.0 */
/* What each layer of the helper's confinement refuses by itself. */
#include "authkeys-helper/confine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

static char runtime_dir[] = "/tmp/confine-XXXXXX", other_file[64];

/* Errno, or 0. */
static int opens(const char *path, int flags) {
        int fd = open(path, flags | O_CLOEXEC, 0600), r = fd < 0 ? errno : 0;

        if (fd >= 0)
                (void)close(fd);
        return r;
}

static int opens_in_store(const char *name, int flags) {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/%s", runtime_dir, name);
        return opens(path, flags);
}

static int read_key(void) {
        return opens_in_store("keys/k", O_RDONLY);
}

static int list_keys(void) {
        return opens_in_store("keys", O_RDONLY | O_DIRECTORY);
}

static int take_slot(void) {
        return opens_in_store("claims/c", O_RDWR);
}

static int write_to_stdout(void) {
        return write(STDOUT_FILENO, "", 0) < 0 ? errno : 0;
}

static int send_event(void) {
        struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/journal"};
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return errno;
        return connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno == ENOENT ? 0 : errno;
}

static int write_key(void) {
        return opens_in_store("keys/k", O_WRONLY);
}

static int make_key(void) {
        return opens_in_store("keys/new", O_WRONLY | O_CREAT);
}

static int make_claim(void) {
        return opens_in_store("claims/new", O_RDWR | O_CREAT);
}

static int read_shadow(void) {
        return opens("/etc/shadow", O_RDONLY);
}

static int write_other_file(void) {
        return opens(other_file, O_WRONLY);
}

static int remove_key(void) {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/keys/k", runtime_dir);
        return unlink(path) < 0 ? errno : 0;
}

static int execute(void) {
        (void)execl("/bin/true", "true", NULL);
        return errno;
}

static int make_process(void) {
        pid_t pid = fork();

        if (pid == 0)
                _exit(0);
        return pid < 0 ? errno : 0;
}

static int open_internet_socket(void) {
        return socket(AF_INET, SOCK_DGRAM, 0) < 0 ? errno : 0;
}

static int connect_by_tcp(void) {
        struct sockaddr_in to = {
                .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        if (fd < 0)
                return errno;
        return connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
}

static int trace(void) {
        return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? errno : 0;
}

static int mount_something(void) {
        return mount("none", runtime_dir, "tmpfs", 0, NULL) < 0 ? errno : 0;
}

static int make_user_namespace(void) {
        return unshare(CLONE_NEWUSER) < 0 ? errno : 0;
}

static int signal_parent(void) {
        return kill(getppid(), 0) < 0 ? errno : 0;
}

static int execute_memory(void) {
        return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}

/* Not declared as one that does not return: before such a call, a sanitizer makes one that the filter refuses. */
static void end(int status) {
        (void)syscall(SYS_exit_group, status);
}

/* Errno in a child that is confined by these layers; 200 where they are not in effect. */
static int tries(unsigned layers, int (*act)(void)) {
        pid_t pid = scratch_fork();
        int status;

        if (pid == 0)
                end(confine(runtime_dir, layers) == (int)layers ? act() : 200);
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void what_the_helper_does_is_allowed(void **state) {
        static int (*const acts[])(void) = {read_key, list_keys, take_slot, write_to_stdout, send_event};

        (void)state;
        for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
                assert_int_equal(tries(CONFINE_FILES | CONFINE_CALLS, acts[i]), 0);
}

static void files_of_others_are_refused_by_landlock(void **state) {
        static int (*const acts[])(void) = {write_key, make_key, make_claim, read_shadow, write_other_file, remove_key};

        (void)state;
        for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
                assert_int_equal(tries(CONFINE_FILES, acts[i]), EACCES);
        assert_int_equal(tries(CONFINE_CALLS, remove_key), ENOSYS);
        assert_int_equal(read_key(), 0);
}

static void programs_and_processes_are_refused_by_seccomp(void **state) {
        static int (*const acts[])(void) = {execute,       make_process,    open_internet_socket, connect_by_tcp,
                                            trace,         mount_something, make_user_namespace,  signal_parent,
                                            execute_memory};

        (void)state;
        for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
                assert_int_equal(tries(CONFINE_CALLS, acts[i]), ENOSYS);
        assert_int_equal(tries(CONFINE_FILES, execute), EACCES);
        assert_int_equal(tries(CONFINE_FILES, mount_something), EPERM);
}

static int limit_of_processes(void) {
        struct rlimit limit;

        return getrlimit(RLIMIT_NPROC, &limit) < 0 || limit.rlim_max != 0;
}

static void no_process_is_allowed_by_its_limit(void **state) {
        (void)state;
        assert_int_equal(tries(CONFINE_FILES, limit_of_processes), 0);
}

static void missing_store_is_no_failure(void **state) {
        pid_t pid = scratch_fork();
        int status;

        (void)state;
        if (pid == 0)
                end(confine("/nonexistent", CONFINE_FILES | CONFINE_CALLS) == (CONFINE_FILES | CONFINE_CALLS)
                            ? opens("/etc/passwd", O_RDONLY)
                            : 200);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status), EACCES);
}

static void make(const char *name) {
        char path[128];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/%s", runtime_dir, name);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
}

static int make_store(void **state) {
        char path[128];
        int fd;

        (void)state;
        assert_non_null(mkdtemp(runtime_dir));
        (void)snprintf(path, sizeof(path), "%s/keys", runtime_dir);
        assert_int_equal(mkdir(path, 0700), 0);
        (void)snprintf(path, sizeof(path), "%s/claims", runtime_dir);
        assert_int_equal(mkdir(path, 0700), 0);
        make("keys/k");
        make("claims/c");
        (void)snprintf(other_file, sizeof(other_file), "%s.other", runtime_dir);
        fd = open(other_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        return close(fd);
}

static int remove_store(void **state) {
        static const char *const names[] = {"keys/k", "claims/c"}, *const dirs[] = {"keys", "claims", "."};
        char path[128];

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                (void)snprintf(path, sizeof(path), "%s/%s", runtime_dir, names[i]);
                (void)unlink(path);
        }
        for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
                (void)snprintf(path, sizeof(path), "%s%s%s", runtime_dir, *dirs[i] == '.' ? "" : "/",
                               *dirs[i] == '.' ? "" : dirs[i]);
                (void)rmdir(path);
        }
        return unlink(other_file);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_the_helper_does_is_allowed),
                cmocka_unit_test(files_of_others_are_refused_by_landlock),
                cmocka_unit_test(programs_and_processes_are_refused_by_seccomp),
                cmocka_unit_test(no_process_is_allowed_by_its_limit),
                cmocka_unit_test(missing_store_is_no_failure),
        };

        return cmocka_run_group_tests(tests, make_store, remove_store);
}
