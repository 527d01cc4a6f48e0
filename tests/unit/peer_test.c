/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs as root, to take other users' rights. Linked with --wrap=getpeername: no vsock is opened, since vsock has no namespaces
 * and it would be the machine's.
 */
#include "agent/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

enum { RELAY = SCRATCH_OTHER };

/* What the kernel reports of the peer. */
static struct sockaddr_vm answered;
static socklen_t answered_size;
static int answered_error;

int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *size);
int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *size) {
        assert_int_equal(fd, 77);
        if (answered_error != 0) {
                errno = answered_error;
                return -1;
        }
        assert_true(*size >= sizeof(answered));
        memcpy(address, &answered, sizeof(answered));
        *size = answered_size;
        return 0;
}

static int setup(void **state) {
        (void)state;
        answered = (struct sockaddr_vm){.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = 1024};
        answered_size = sizeof(answered);
        answered_error = 0;
        return 0;
}

static bool allowed(enum connection_channel channel, uint32_t id, uid_t relay) {
        const struct listener_peer peer = {.id = id};

        return listener_allows_peer(channel, &peer, relay);
}

static void admin_socket_is_for_root(void **state) {
        (void)state;
        assert_true(allowed(CONNECTION_ADMIN, 0, RELAY));
        assert_false(allowed(CONNECTION_ADMIN, 1, RELAY));
        assert_false(allowed(CONNECTION_ADMIN, RELAY, RELAY));
        assert_false(allowed(CONNECTION_ADMIN, UINT32_MAX, RELAY));
}

static void host_socket_is_for_the_relay(void **state) {
        (void)state;
        assert_true(allowed(CONNECTION_RELAY, RELAY, RELAY));
        assert_false(allowed(CONNECTION_RELAY, 0, RELAY));
        assert_false(allowed(CONNECTION_RELAY, RELAY + 1, RELAY));
        assert_false(allowed(CONNECTION_RELAY, UINT32_MAX, RELAY));
}

static void host_socket_without_a_relay_user_is_for_nobody(void **state) {
        (void)state;
        assert_false(allowed(CONNECTION_RELAY, 0, LISTENER_NO_USER));
        assert_false(allowed(CONNECTION_RELAY, RELAY, LISTENER_NO_USER));
        assert_false(allowed(CONNECTION_RELAY, UINT32_MAX, LISTENER_NO_USER));
}

static void metadata_socket_is_for_its_user(void **state) {
        (void)state;
        assert_true(allowed(CONNECTION_METADATA, RELAY, RELAY));
        assert_false(allowed(CONNECTION_METADATA, 0, RELAY));
        assert_false(allowed(CONNECTION_METADATA, RELAY + 1, RELAY));
        assert_false(allowed(CONNECTION_METADATA, 0, LISTENER_NO_USER));
        assert_false(allowed(CONNECTION_METADATA, UINT32_MAX, LISTENER_NO_USER));
}

static void vsock_is_for_the_host(void **state) {
        (void)state;
        assert_true(allowed(CONNECTION_VSOCK, VMADDR_CID_HOST, RELAY));
        assert_false(allowed(CONNECTION_VSOCK, VMADDR_CID_HYPERVISOR, RELAY));
        assert_false(allowed(CONNECTION_VSOCK, VMADDR_CID_LOCAL, RELAY));
        assert_false(allowed(CONNECTION_VSOCK, 3, RELAY));
        assert_false(allowed(CONNECTION_VSOCK, VMADDR_CID_ANY, RELAY));
        assert_false(allowed(CONNECTION_VSOCK, RELAY, RELAY));
}

static void unknown_channel_is_for_nobody(void **state) {
        (void)state;
        assert_false(allowed((enum connection_channel)99, 0, 0));
        assert_false(allowed((enum connection_channel)99, VMADDR_CID_HOST, VMADDR_CID_HOST));
}

static void unix_peer_is_the_connecting_user(void **state) {
        struct listener_peer peer = {.id = 12345};
        int fds[2];

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        assert_int_equal(listener_identify_peer(CONNECTION_ADMIN, fds[0], &peer), 0);
        assert_int_equal(peer.id, 0);
        (void)close(fds[0]);
        (void)close(fds[1]);

        /* With another group id, so that the two cannot be mixed up. */
        assert_int_equal(setegid(SCRATCH_HELPER), 0);
        assert_int_equal(seteuid(RELAY), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        scratch_become(0);
        assert_int_equal(listener_identify_peer(CONNECTION_RELAY, fds[0], &peer), 0);
        assert_int_equal(peer.id, RELAY);
        (void)close(fds[0]);
        (void)close(fds[1]);
}

static void socket_without_credentials_is_refused(void **state) {
        int fds[] = {socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                struct listener_peer peer = {.id = 0};

                assert_true(fds[i] >= 0);
                if (listener_identify_peer(CONNECTION_ADMIN, fds[i], &peer) == 0) {
                        assert_false(allowed(CONNECTION_ADMIN, peer.id, RELAY));
                        assert_false(allowed(CONNECTION_RELAY, peer.id, RELAY));
                        assert_false(allowed(CONNECTION_RELAY, peer.id, LISTENER_NO_USER));
                }
                (void)close(fds[i]);
        }
}

static void other_descriptors_have_no_peer(void **state) {
        struct listener_peer peer = {.id = 12345};
        int fds[2];

        (void)state;
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        assert_int_equal(listener_identify_peer(CONNECTION_ADMIN, fds[0], &peer), -ENOTSOCK);
        (void)close(fds[0]);
        (void)close(fds[1]);
        assert_int_equal(listener_identify_peer(CONNECTION_RELAY, -1, &peer), -EBADF);
        assert_int_equal(peer.id, 12345);
}

static void vsock_peer_is_its_cid(void **state) {
        static const uint32_t cids[] = {VMADDR_CID_HYPERVISOR, VMADDR_CID_LOCAL, VMADDR_CID_HOST, 42, VMADDR_CID_ANY};
        struct listener_peer peer = {.id = 12345};

        (void)state;
        for (size_t i = 0; i < sizeof(cids) / sizeof(cids[0]); i++) {
                answered.svm_cid = cids[i];
                assert_int_equal(listener_identify_peer(CONNECTION_VSOCK, 77, &peer), 0);
                assert_int_equal(peer.id, cids[i]);
        }
}

/* Bytes of an address of another kind must not be read as a CID. */
static void address_of_another_family_has_no_cid(void **state) {
        struct listener_peer peer = {.id = 12345};

        (void)state;
        answered.svm_family = AF_UNIX;
        assert_int_equal(listener_identify_peer(CONNECTION_VSOCK, 77, &peer), -EAFNOSUPPORT);
        answered.svm_family = AF_VSOCK;
        answered_size = offsetof(struct sockaddr_vm, svm_cid);
        assert_int_equal(listener_identify_peer(CONNECTION_VSOCK, 77, &peer), -EAFNOSUPPORT);
        assert_int_equal(peer.id, 12345);
}

static void disconnected_vsock_peer_is_an_error(void **state) {
        struct listener_peer peer = {.id = 12345};

        (void)state;
        answered_error = ENOTCONN;
        assert_int_equal(listener_identify_peer(CONNECTION_VSOCK, 77, &peer), -ENOTCONN);
        assert_int_equal(peer.id, 12345);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(admin_socket_is_for_root),
                cmocka_unit_test(host_socket_is_for_the_relay),
                cmocka_unit_test(host_socket_without_a_relay_user_is_for_nobody),
                cmocka_unit_test(metadata_socket_is_for_its_user),
                cmocka_unit_test(vsock_is_for_the_host),
                cmocka_unit_test(unknown_channel_is_for_nobody),
                cmocka_unit_test(unix_peer_is_the_connecting_user),
                cmocka_unit_test(socket_without_credentials_is_refused),
                cmocka_unit_test(other_descriptors_have_no_peer),
                cmocka_unit_test_setup_teardown(vsock_peer_is_its_cid, setup, NULL),
                cmocka_unit_test_setup_teardown(address_of_another_family_has_no_cid, setup, NULL),
                cmocka_unit_test_setup_teardown(disconnected_vsock_peer_is_an_error, setup, NULL),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
