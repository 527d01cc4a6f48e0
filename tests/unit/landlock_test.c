/* SPDX-License-Identifier: Apache-2.0 */
/* What Landlock allows and refuses, with each version of its ABI up to the kernel's own. Linked with --wrap=syscall. */
#include "confine/landlock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

/* --- the kernel --------------------------------------------------------------------------------------------------- */

static long only_version; /* that the kernel says; 0: its own, negative: this errno */
static size_t asked_size; /* of the ruleset's structure */
static uint64_t asked[3]; /* what it had */

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...) {
        long a[4];
        va_list arguments;

        va_start(arguments, number);
        for (size_t i = 0; i < sizeof(a) / sizeof(a[0]); i++)
                a[i] = va_arg(arguments, long);
        va_end(arguments);
        if (number == SYS_landlock_create_ruleset && a[0] == 0 && only_version != 0) {
                errno = only_version < 0 ? (int)-only_version : errno;
                return only_version < 0 ? -1 : only_version;
        }
        if (number == SYS_landlock_create_ruleset && a[0] != 0) {
                asked_size = (size_t)(unsigned)a[1];
                memcpy(asked, (const void *)a[0], asked_size); /* NOLINT: the pointer that the caller gave */
        }
        return __real_syscall(number, a[0], a[1], a[2], a[3]);
}

static int kernel_version(void) {
        return (int)__real_syscall(SYS_landlock_create_ruleset, NULL, 0UL, 1UL);
}

/* --- acts: errno, or 0 -------------------------------------------------------------------------------------------- */

static char top[] = "/tmp/landlock-XXXXXX";

static const char *path_of(const char *name) {
        static char path[128];

        (void)snprintf(path, sizeof(path), "%s/%s", top, name);
        return path;
}

static int opens(const char *name, int flags) {
        int fd = open(name[0] == '/' ? name : path_of(name), flags | O_CLOEXEC, 0600), r = fd < 0 ? errno : 0;

        if (fd >= 0)
                (void)close(fd);
        return r;
}

static int read_allowed(void) {
        return opens("read/file", O_RDONLY);
}

static int list_allowed(void) {
        return opens("read", O_RDONLY | O_DIRECTORY);
}

static int read_after_replacing(void) {
        return opens("read/replaced", O_RDONLY);
}

static int write_read_only(void) {
        return opens("read/file", O_WRONLY);
}

static int make_in_read_only(void) {
        return opens("read/new", O_WRONLY | O_CREAT);
}

static int read_other(void) {
        return opens("other/file", O_RDONLY);
}

static int list_other(void) {
        return opens("other", O_RDONLY | O_DIRECTORY);
}

static int read_single(void) {
        return opens("other/single", O_RDONLY);
}

static int list_top(void) {
        return opens("/", O_RDONLY | O_DIRECTORY);
}

static int execute(void) {
        (void)execl("/bin/true", "true", NULL);
        return errno;
}

static int remove_other(void) {
        return unlink(path_of("other/file")) < 0 ? errno : 0;
}

static int truncate_read_only(void) {
        return truncate(path_of("read/file"), 0) < 0 ? errno : 0;
}

/* All that the store does: a nameless file gets a name, another is replaced, directories come and go. */
static int manage(void) {
        int dir = open(path_of("manage"), O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
        char name[64];

        if (dir < 0)
                return errno;
        fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
        if (fd < 0 || write(fd, "x", 1) != 1 || linkat(AT_FDCWD, name, dir, "a", AT_SYMLINK_FOLLOW) < 0)
                return errno;
        if (renameat(dir, "a", dir, "b") < 0 || truncate(path_of("manage/b"), 0) < 0 || mkdirat(dir, "c", 0700) < 0)
                return errno;
        if (unlinkat(dir, "b", 0) < 0 || unlinkat(dir, "c", AT_REMOVEDIR) < 0)
                return errno;
        return 0;
}

static int connect_by_tcp(void) {
        struct sockaddr_in to = {
                .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        return fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
}

static struct sockaddr_un abstract = {.sun_family = AF_UNIX};

static int connect_to_abstract(void) {
        int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

        return fd < 0 || connect(fd, (struct sockaddr *)&abstract, sizeof(abstract)) < 0 ? errno : 0;
}

static int signal_parent(void) {
        return kill(getppid(), 0) < 0 ? errno : 0;
}

/* --- in a child --------------------------------------------------------------------------------------------------- */

static int begin_and_enforce(unsigned limits) {
        const struct landlock_rule rules[] = {{strdup(path_of("read")), LANDLOCK_READ},
                                              {"/nonexistent/directory", LANDLOCK_READ},
                                              {strdup(path_of("manage")), LANDLOCK_MANAGE}};
        struct landlock landlock;
        int r = landlock_begin(limits, &landlock);

        if (r < 0)
                return r;
        landlock_allow_all(&landlock, rules, sizeof(rules) / sizeof(rules[0]));
        landlock_allow(&landlock, AT_FDCWD, path_of("other/single"), 0, LANDLOCK_ACCESS_FS_READ_FILE);
        landlock_allow(&landlock, AT_FDCWD, path_of("link"), O_NOFOLLOW | O_DIRECTORY, LANDLOCK_READ);
        return landlock_enforce(&landlock);
}

/* 200 where it cannot be confined. */
static int tries(unsigned limits, int (*act)(void)) {
        pid_t pid = scratch_fork();
        int status;

        if (pid == 0)
                _exit(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || begin_and_enforce(limits) < 0 ? 200 : act());
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void each_version_allows_what_the_rules_say(void **state) {
        static int (*const acts[])(void) = {read_allowed, list_allowed, read_after_replacing, read_single, manage};

        (void)state;
        for (only_version = 1; only_version <= kernel_version(); only_version++)
                for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
                        assert_int_equal(tries(LANDLOCK_LIMIT_ALL, acts[i]), 0);
        assert_true(only_version > 1);
        only_version = 0;
}

static void each_version_refuses_the_rest(void **state) {
        static int (*const acts[])(void) = {write_read_only, make_in_read_only, read_other,  list_other,
                                            list_top,        execute,           remove_other};

        (void)state;
        for (only_version = 1; only_version <= kernel_version(); only_version++)
                for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
                        assert_int_equal(tries(LANDLOCK_LIMIT_ALL, acts[i]), EACCES);
        only_version = 0;
}

static void limits_are_in_effect_where_the_version_has_them(void **state) {
        static const struct {
                unsigned limit;
                int since, refused, otherwise;
                int (*act)(void);
        } limits[] = {
                {LANDLOCK_LIMIT_TCP, 4, EACCES, ECONNREFUSED, connect_by_tcp},
                {LANDLOCK_LIMIT_SOCKETS, 6, EPERM, 0, connect_to_abstract},
                {LANDLOCK_LIMIT_SIGNALS, 6, EPERM, 0, signal_parent},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
                bool has = kernel_version() >= limits[i].since;

                assert_int_equal(tries(limits[i].limit, limits[i].act), has ? limits[i].refused : limits[i].otherwise);
                assert_int_equal(tries(LANDLOCK_LIMIT_ALL & ~limits[i].limit, limits[i].act), limits[i].otherwise);
        }
        assert_int_equal(tries(0, truncate_read_only), kernel_version() >= 3 ? EACCES : 0);
}

static void asks_only_for_what_a_version_has(void **state) {
        static const struct {
                uint64_t files;
                size_t size;
        } versions[] = {{0x1fff, 8}, {0x3fff, 8}, {0x7fff, 8}, {0x7fff, 16}, {0xffff, 16}, {0xffff, 24}, {0xffff, 24}};

        (void)state;
        for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
                struct landlock landlock;

                only_version = (long)i + 1;
                memset(asked, 0, sizeof(asked));
                if (landlock_begin(LANDLOCK_LIMIT_ALL, &landlock) >= 0)
                        (void)close(landlock.fd);
                assert_int_equal(asked[0], versions[i].files);
                assert_int_equal(asked_size, versions[i].size);
                assert_int_equal(asked[1], versions[i].size >= 16 ? 3 : 0);
                assert_int_equal(asked[2], versions[i].size >= 24 ? 3 : 0);
        }
        only_version = 0;
}

static void a_kernel_without_it_is_reported(void **state) {
        struct landlock landlock;

        (void)state;
        only_version = -ENOSYS;
        assert_int_equal(landlock_begin(0, &landlock), -ENOSYS);
        only_version = -EOPNOTSUPP;
        assert_int_equal(landlock_begin(0, &landlock), -EOPNOTSUPP);
        only_version = 0;
}

static void a_rule_that_cannot_be_made_confines_nothing(void **state) {
        struct landlock landlock;

        (void)state;
        assert_int_equal(landlock_begin(0, &landlock), 0);
        landlock_allow(&landlock, AT_FDCWD, path_of("other/file"), 0, LANDLOCK_READ); /* no directory */
        landlock_allow(&landlock, AT_FDCWD, path_of("read"), 0, LANDLOCK_READ);
        assert_int_equal(landlock_enforce(&landlock), -EINVAL);
        assert_int_equal(read_other(), 0);
}

static void make_file(const char *name) {
        int fd = open(path_of(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
}

static const char *const dirs[] = {"read", "other", "manage"}, *const files[] = {"read/file", "read/new-name",
                                                                                 "other/file", "other/single"};
static int listener = -1;

static int set_up(void **state) {
        (void)state;
        assert_non_null(mkdtemp(top));
        for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
                assert_int_equal(mkdir(path_of(dirs[i]), 0700), 0);
        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
                make_file(files[i]);
        assert_int_equal(symlinkat("other", AT_FDCWD, path_of("link")), 0);
        {
                char *from = strdup(path_of("read/new-name"));

                assert_int_equal(rename(from, path_of("read/replaced")), 0);
                free(from);
        }
        (void)snprintf(abstract.sun_path + 1, sizeof(abstract.sun_path) - 1, "%s", top);
        listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        return bind(listener, (const struct sockaddr *)&abstract, sizeof(abstract));
}

static int tear_down(void **state) {
        static const char *const names[] = {"read/file", "read/replaced", "other/file", "other/single", "link"};

        (void)state;
        (void)close(listener);
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                (void)unlink(path_of(names[i]));
        for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
                (void)rmdir(path_of(dirs[i]));
        return rmdir(top);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_version_allows_what_the_rules_say),
                cmocka_unit_test(each_version_refuses_the_rest),
                cmocka_unit_test(limits_are_in_effect_where_the_version_has_them),
                cmocka_unit_test(asks_only_for_what_a_version_has),
                cmocka_unit_test(a_kernel_without_it_is_reported),
                cmocka_unit_test(a_rule_that_cannot_be_made_confines_nothing),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
