/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/systemd.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { TIMEOUT_MS = 300 };

static char directory[] = "/tmp/unit-state-XXXXXX";
static struct sockaddr_un place = {.sun_family = AF_UNIX};
static char address[sizeof(place.sun_path) + 16];

static int setup(void **state) {
        (void)state;
        if (!mkdtemp(directory))
                return -1;
        (void)snprintf(place.sun_path, sizeof(place.sun_path), "%s/private", directory);
        (void)snprintf(address, sizeof(address), "unix:path=%s", place.sun_path);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        (void)unlink(place.sun_path);
        return rmdir(directory);
}

static int listen_there(void) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (const struct sockaddr *)&place, sizeof(place)), 0);
        assert_int_equal(listen(fd, 4), 0);
        return fd;
}

static void nobody_who_listens_is_an_error(void **state) {
        struct unit_state unit;

        (void)state;
        assert_int_equal(systemd_unit_state_at(address, "ssh.service", TIMEOUT_MS, &unit), -ENOENT);
}

static void no_answer_is_a_timeout(void **state) {
        struct unit_state unit;
        int fd = listen_there();

        (void)state;
        assert_int_equal(systemd_unit_state_at(address, "ssh.service", TIMEOUT_MS, &unit), -ETIMEDOUT);
        assert_int_equal(close(fd), 0);
        assert_int_equal(unlink(place.sun_path), 0);
}

/* The authentication of the D-Bus specification, and then nothing. */
static void no_answer_after_authentication_is_a_timeout(void **state) {
        static const char welcome[] = "DATA\r\nOK 0123456789abcdef0123456789abcdef\r\nAGREE_UNIX_FD\r\n";
        struct unit_state unit;
        int fd = listen_there(), client;
        pid_t child = fork();

        (void)state;
        assert_true(child >= 0);
        if (child == 0) {
                client = accept(fd, NULL, NULL);
                if (client < 0 || write(client, welcome, strlen(welcome)) < 0)
                        _exit(1);
                (void)pause();
        }
        assert_int_equal(systemd_unit_state_at(address, "ssh.service", TIMEOUT_MS, &unit), -ETIMEDOUT);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_int_equal(close(fd), 0);
        assert_int_equal(unlink(place.sun_path), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nobody_who_listens_is_an_error),
                cmocka_unit_test(no_answer_is_a_timeout),
                cmocka_unit_test(no_answer_after_authentication_is_a_timeout),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
