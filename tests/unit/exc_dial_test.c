/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Of an address of loopback, at a port that the kernel chooses. */
static int listen_at(const char *address, int *ret_port) {
        struct sockaddr_in at = {.sin_family = AF_INET};
        socklen_t length = sizeof(at);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(inet_pton(AF_INET, address, &at.sin_addr), 1);
        assert_return_code(bind(fd, (const struct sockaddr *)&at, sizeof(at)), errno);
        assert_return_code(listen(fd, 1), errno);
        assert_return_code(getsockname(fd, (struct sockaddr *)&at, &length), errno);
        *ret_port = ntohs(at.sin_port);
        return fd;
}

static void first_address_that_answers_is_taken(void **state) {
        static const char *const addresses[] = {"127.0.0.2", "127.0.0.3"};
        size_t which = 9;
        int port, listener = listen_at(addresses[1], &port), fd;

        (void)state;
        fd = dial(addresses, 2, port, &which);
        assert_true(fd >= 0);
        assert_int_equal(which, 1);
        (void)close(fd);
        (void)close(listener);
        assert_int_equal(dial(addresses, 2, port, &which), -ECONNREFUSED);
}

static void connection_waits_for_no_acknowledgement(void **state) {
        static const char *const addresses[] = {"127.0.0.2"};
        int port, listener = listen_at(addresses[0], &port), value = 0, fd;
        socklen_t length = sizeof(value);
        size_t which;

        (void)state;
        fd = dial(addresses, 1, port, &which);
        assert_true(fd >= 0);
        assert_return_code(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &length), errno);
        assert_int_not_equal(value, 0);
        assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
        (void)close(fd);
        (void)close(listener);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(first_address_that_answers_is_taken),
                cmocka_unit_test(connection_waits_for_no_acknowledgement),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
