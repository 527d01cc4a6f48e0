/* SPDX-License-Identifier: Apache-2.0 */
#include "libpush/address.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include <cmocka.h>

/* Nothing here may reach a real vsock, which is the machine's own: the linker puts these before the real ones. */
int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);
int __real_connect(int fd, const struct sockaddr *to, socklen_t length);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t length);

static struct {
        int fds[2]; /* what is handed out as the vsock, and its other end */
        struct sockaddr_vm to;
        int socket_error, connect_error; /* errno */
} vsock;

int __wrap_socket(int domain, int type, int protocol) {
        if (domain != AF_VSOCK)
                return __real_socket(domain, type, protocol);
        assert_int_equal(type, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK);
        errno = vsock.socket_error;
        if (vsock.socket_error)
                return -1;
        assert_int_equal(socketpair(AF_UNIX, type, 0, vsock.fds), 0);
        return vsock.fds[0];
}

int __wrap_connect(int fd, const struct sockaddr *to, socklen_t length) {
        if (to->sa_family != AF_VSOCK)
                return __real_connect(fd, to, length);
        assert_int_equal(length, sizeof(vsock.to));
        memcpy(&vsock.to, to, sizeof(vsock.to));
        if (vsock.connect_error == ETIMEDOUT) { /* never ready to be written to */
                while (send(fd, "x", 1, MSG_NOSIGNAL) == 1)
                        ;
                errno = EINPROGRESS;
                return -1;
        }
        errno = vsock.connect_error;
        return vsock.connect_error ? -1 : 0;
}

static struct address taken(const char *text) {
        struct address address;
        const char *fault = address_from_text(text, &address);

        if (fault)
                fail_msg("%s: %s", text, fault);
        return address;
}

static void assert_refused(const char *text, const char *what) {
        struct address address = {.port = 7}, before = address;
        const char *fault = address_from_text(text, &address);

        if (!fault || !strstr(fault, what))
                fail_msg("%s: not refused for \"%s\" but: %s", text, what, fault ? fault : "taken");
        assert_memory_equal(&address, &before, sizeof(address));
}

static void a_unix_socket_has_a_path(void **state) {
        struct address address = taken("unix:/run/guest:1.sock");

        (void)state;
        assert_int_equal(address.kind, ADDRESS_UNIX);
        assert_string_equal(address.path, "/run/guest:1.sock");
        assert_refused("unix:", "path is missing");
}

static void a_path_that_fits_no_socket_is_refused(void **state) {
        char text[5 + 108 + 1] = "unix:";

        (void)state;
        memset(text + 5, 'x', 107);
        text[5 + 107] = '\0';
        assert_int_equal(strlen(taken(text).path), 107);
        text[5 + 107] = 'x';
        text[5 + 108] = '\0';
        assert_refused(text, "at most 107");
}

static void a_vsock_cid_goes_with_port_842(void **state) {
        struct address address = taken("vsock:42");

        (void)state;
        assert_int_equal(address.kind, ADDRESS_VSOCK);
        assert_int_equal(address.cid, 42);
        assert_int_equal(address.port, 842);
}

static void a_vsock_port_can_be_given(void **state) {
        struct address address = taken("vsock:4294967294:4294967294");

        (void)state;
        assert_int_equal(address.cid, 4294967294);
        assert_int_equal(address.port, 4294967294);
        assert_int_equal(taken("vsock:3:1").port, 1);
}

static void what_is_no_cid_is_refused(void **state) {
        static const char *const bad[] = {"vsock:",     "vsock:0",    "vsock:-1",
                                          "vsock:+3",   "vsock: 3",   "vsock:03",
                                          "vsock:3 ",   "vsock:0x3",  "vsock:4294967295",
                                          "vsock::842", "vsock:host", "vsock:99999999999999999999999999"};

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_refused(bad[i], "a CID is");
}

static void what_is_no_port_is_refused(void **state) {
        static const char *const bad[] = {"vsock:3:", "vsock:3:0", "vsock:3:4294967295", "vsock:3:8:4", "vsock:3:ssh"};

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_refused(bad[i], "a port is");
}

static void a_hybrid_path_may_end_in_a_port(void **state) {
        struct address address = taken("hybrid:/run/vm:1.vsock");

        (void)state;
        assert_int_equal(address.kind, ADDRESS_HYBRID);
        assert_string_equal(address.path, "/run/vm:1.vsock");
        assert_int_equal(address.port, 842);
        address = taken("hybrid:/run/vm:1.vsock:52");
        assert_string_equal(address.path, "/run/vm:1.vsock");
        assert_int_equal(address.port, 52);
        assert_refused("hybrid:", "path is missing");
        assert_refused("hybrid::52", "path is missing");
        assert_refused("hybrid:/x:0", "a port is");
        assert_refused("hybrid:/x:", "a port is");
        assert_refused("hybrid:/x:4294967295", "a port is");
}

static void a_serial_port_has_a_path(void **state) {
        struct address address = taken("serial:/run/vm.serial:1");

        (void)state;
        assert_int_equal(address.kind, ADDRESS_SERIAL);
        assert_string_equal(address.path, "/run/vm.serial:1");
        assert_refused("serial:", "behind serial:");
}

static void a_kind_that_is_not_known_is_refused(void **state) {
        static const char *const bad[] = {"", "/run/guest.sock", "unix", "tcp:127.0.0.1:22", "VSOCK:3", " unix:/x"};

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_refused(bad[i], "none of");
}

static void a_socket_that_is_not_there_is_not_reached(void **state) {
        struct address address = taken("unix:/nonexistent/guest.sock");
        struct client client;

        (void)state;
        assert_int_equal(address_connect(&address, 1000, &client), CLIENT_NOT_REACHED);
        assert_int_equal(client.error, -ENOENT);
        client_close(&client);
}

/* What becomes of a connection to vsock:42, with these errors on its way. */
static enum client_result connect_vsock(int socket_error, int connect_error, int timeout_ms, struct client *ret) {
        struct address address = taken("vsock:42");
        enum client_result result;

        vsock.socket_error = socket_error;
        vsock.connect_error = connect_error;
        result = address_connect(&address, timeout_ms, ret);
        client_close(ret);
        if (!socket_error)
                (void)close(vsock.fds[1]);
        return result;
}

static void a_vsock_is_connected_to_its_cid_and_port(void **state) {
        struct client client;

        (void)state;
        assert_int_equal(connect_vsock(0, 0, 1000, &client), CLIENT_DONE);
        assert_int_equal(vsock.to.svm_cid, 42);
        assert_int_equal(vsock.to.svm_port, 842);
        assert_int_equal(vsock.to.svm_flags, 0);
        assert_int_equal(client.timeout_ms, 1000);
}

static void a_vsock_that_takes_its_time_is_waited_for(void **state) {
        struct client client;

        (void)state;
        assert_int_equal(connect_vsock(0, EINPROGRESS, 60000, &client), CLIENT_DONE);
}

static void a_vsock_that_takes_too_long_is_not_reached(void **state) {
        struct client client;

        (void)state;
        assert_int_equal(connect_vsock(0, ETIMEDOUT, 30, &client), CLIENT_NOT_REACHED);
        assert_int_equal(client.error, -ETIMEDOUT);
}

static void a_vsock_that_nobody_answers_on_is_not_reached(void **state) {
        struct client client;

        (void)state;
        assert_int_equal(connect_vsock(0, ECONNRESET, 1000, &client), CLIENT_NOT_REACHED);
        assert_int_equal(client.error, -ECONNRESET);
        assert_string_equal(client.why, strerror(ECONNRESET));
        assert_int_equal(connect_vsock(EAFNOSUPPORT, 0, 1000, &client), CLIENT_NOT_REACHED);
        assert_int_equal(client.error, -EAFNOSUPPORT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_unix_socket_has_a_path),
                cmocka_unit_test(a_path_that_fits_no_socket_is_refused),
                cmocka_unit_test(a_vsock_cid_goes_with_port_842),
                cmocka_unit_test(a_vsock_port_can_be_given),
                cmocka_unit_test(what_is_no_cid_is_refused),
                cmocka_unit_test(what_is_no_port_is_refused),
                cmocka_unit_test(a_hybrid_path_may_end_in_a_port),
                cmocka_unit_test(a_serial_port_has_a_path),
                cmocka_unit_test(a_kind_that_is_not_known_is_refused),
                cmocka_unit_test(a_socket_that_is_not_there_is_not_reached),
                cmocka_unit_test(a_vsock_is_connected_to_its_cid_and_port),
                cmocka_unit_test(a_vsock_that_takes_its_time_is_waited_for),
                cmocka_unit_test(a_vsock_that_takes_too_long_is_not_reached),
                cmocka_unit_test(a_vsock_that_nobody_answers_on_is_not_reached),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
