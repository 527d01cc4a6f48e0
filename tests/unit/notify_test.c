/* SPDX-License-Identifier: Apache-2.0 */
#include "common/notify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static bool no_socket;

int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol) {
        if (!no_socket)
                return __real_socket(domain, type, protocol);
        errno = EMFILE;
        return -1;
}

static char directory[] = "/tmp/exc-notify-XXXXXX";
static char path[64];
static int manager = -EBADF;

/* A service manager's socket: a path, or a name of the abstract kind that begins with '@'. */
static void listen_at(const char *name) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        size_t n = strlen(name);

        memcpy(address.sun_path, name, n);
        if (name[0] == '@')
                address.sun_path[0] = '\0';
        manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(manager >= 0);
        assert_int_equal(bind(manager, (const struct sockaddr *)&address,
                              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
                         0);
        assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
}

static void assert_got_ready(void) {
        char message[32];

        assert_int_equal(recv(manager, message, sizeof(message), 0), 7);
        assert_memory_equal(message, "READY=1", 7);
}

static void assert_got_nothing(void) {
        char message[32];

        assert_int_equal(recv(manager, message, sizeof(message), 0), -1);
        assert_int_equal(errno, EAGAIN);
}

static int stop(void **state) {
        (void)state;
        if (manager >= 0)
                (void)close(manager);
        manager = -EBADF;
        (void)unlink(path);
        return unsetenv("NOTIFY_SOCKET");
}

static void manager_at_a_path_learns_it(void **state) {
        (void)state;
        listen_at(path);
        notify_ready();
        assert_got_ready();
        assert_got_nothing();
}

static void manager_with_an_abstract_name_learns_it(void **state) {
        char name[64];

        (void)state;
        (void)snprintf(name, sizeof(name), "@exc-notify-test-%d", (int)getpid());
        listen_at(name);
        notify_ready();
        assert_got_ready();
}

static void other_addresses_get_nothing(void **state) {
        char too_long[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
        const char *const others[] = {"", "/", "@", "vsock:2:1234", path + 1, too_long};

        (void)state;
        listen_at(path);
        memset(too_long, '/', sizeof(too_long) - 1);
        too_long[sizeof(too_long) - 1] = '\0';
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
                assert_int_equal(setenv("NOTIFY_SOCKET", others[i], 1), 0);
                notify_ready();
        }
        assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
        notify_ready();
        assert_got_nothing();
}

static void manager_that_is_gone_is_ignored(void **state) {
        int next, after;

        (void)state;
        listen_at(path);
        (void)close(manager);
        manager = -EBADF;
        next = dup(STDERR_FILENO);
        (void)close(next);
        notify_ready();
        after = dup(STDERR_FILENO);
        (void)close(after);
        assert_int_equal(after, next); /* no descriptor is left open */
}

static void without_a_socket_nothing_is_sent(void **state) {
        (void)state;
        listen_at(path);
        no_socket = true;
        notify_ready();
        no_socket = false;
        assert_got_nothing();
        notify_ready();
        assert_got_ready();
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(manager_at_a_path_learns_it, stop),
                cmocka_unit_test_teardown(manager_with_an_abstract_name_learns_it, stop),
                cmocka_unit_test_teardown(other_addresses_get_nothing, stop),
                cmocka_unit_test_teardown(manager_that_is_gone_is_ignored, stop),
                cmocka_unit_test_teardown(without_a_socket_nothing_is_sent, stop),
        };
        int failed;

        if (!mkdtemp(directory) || chdir("/") < 0)
                return EXIT_FAILURE;
        (void)snprintf(path, sizeof(path), "%s/s", directory);
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        (void)rmdir(directory);
        return failed;
}
