/* SPDX-License-Identifier: Apache-2.0 */
#include "libpush/address.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "common/clock.h"
#include "common/debug.h"

static const char *unix_from_text(const char *text, struct address *ret) {
        if (!*text)
                return "a path is missing behind unix:";
        if (strlen(text) >= sizeof(ret->path))
                return "the path of a socket has at most 107 bytes";
        memcpy(ret->path, text, strlen(text) + 1);
        return NULL;
}

/* Decimal digits up to `end`, without leading zeros. The highest value of both CIDs and ports means "any". */
static bool number_from_text(const char *text, const char *end, uint32_t *ret) {
        uint64_t value = 0;

        if (text == end || *text == '0')
                return false;
        for (; text < end; text++) {
                if (*text < '0' || *text > '9')
                        return false;
                value = value * 10 + (uint64_t)(*text - '0');
                if (value >= UINT32_MAX)
                        return false;
        }
        *ret = (uint32_t)value;
        return true;
}

static const char *vsock_from_text(const char *text, struct address *ret) {
        const char *colon = strchrnul(text, ':');

        if (!number_from_text(text, colon, &ret->cid))
                return "a CID is a number from 1 to 4294967294, as in vsock:42";
        ret->port = ADDRESS_VSOCK_PORT;
        if (*colon && !number_from_text(colon + 1, strchr(colon, '\0'), &ret->port))
                return "a port is a number from 1 to 4294967294, as in vsock:42:842";
        return NULL;
}

/* A path, and a port after the last colon where only digits follow it. */
static const char *hybrid_from_text(const char *text, struct address *ret) {
        const char *colon = strrchr(text, ':');
        size_t n;

        ret->port = ADDRESS_VSOCK_PORT;
        if (colon && strspn(colon + 1, "0123456789") == strlen(colon + 1)) {
                if (!number_from_text(colon + 1, strchr(colon, '\0'), &ret->port))
                        return "a port is a number from 1 to 4294967294, as in hybrid:/run/vm.vsock:842";
                n = (size_t)(colon - text);
        } else
                n = strlen(text);
        if (n == 0)
                return "a path is missing behind hybrid:";
        if (n >= sizeof(ret->path))
                return "the path of a socket has at most 107 bytes";
        memcpy(ret->path, text, n);
        ret->path[n] = '\0';
        return NULL;
}

static const char *serial_from_text(const char *text, struct address *ret) {
        return *text ? unix_from_text(text, ret) : "a path is missing behind serial:";
}

static enum client_result unix_connect(const struct address *address, int timeout_ms, struct client *ret) {
        return client_connect(ret, address->path, timeout_ms);
}

static enum client_result not_reached(struct client *client, int error) {
        client->error = error;
        (void)snprintf(client->why, sizeof(client->why), "%s", strerror(-error));
        return CLIENT_NOT_REACHED;
}

static int await(int fd, short events, int64_t deadline_ms) {
        for (;;) {
                struct pollfd p = {.fd = fd, .events = events};
                int64_t left_ms = deadline_ms - clock_ms(CLOCK_MONOTONIC);
                int r = left_ms > 0 ? poll(&p, 1, (int)left_ms) : 0;

                if (r == 0)
                        return -ETIMEDOUT;
                if (r > 0)
                        return 0;
                if (errno != EINTR)
                        return -errno;
        }
}

/* Waits for the end of a pending connect(2). */
static int await_connected(int fd, int timeout_ms) {
        socklen_t length = sizeof(int);
        int error, r;

        r = await(fd, POLLOUT, clock_ms(CLOCK_MONOTONIC) + timeout_ms);
        if (r < 0)
                return r;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
                return -errno;
        return -error;
}

static enum client_result vsock_connect(const struct address *address, int timeout_ms, struct client *ret) {
        struct sockaddr_vm to = {.svm_family = AF_VSOCK, .svm_cid = address->cid, .svm_port = address->port};
        int r = 0, fd;

        fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        client_adopt(ret, fd, timeout_ms);
        if (fd < 0)
                return not_reached(ret, -errno);
        if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
                r = errno == EINPROGRESS || errno == EINTR ? await_connected(fd, timeout_ms) : -errno;
        if (r < 0)
                return not_reached(ret, r);
        debug_line("connected: vsock:%" PRIu32 ":%" PRIu32, address->cid, address->port);
        return CLIENT_DONE;
}

/*
 * Reads up to the end of the line and no further: what follows comes from the guest. -ENOTCONN when it ends before,
 * -EBADMSG when it is longer than `size`.
 */
static int read_line(int fd, char *line, size_t size, int64_t deadline_ms) {
        for (size_t n = 0; n < size;) {
                ssize_t got = recv(fd, line + n, 1, MSG_DONTWAIT);
                int r;

                if (got == 0 || (got < 0 && errno == ECONNRESET))
                        return -ENOTCONN;
                if (got == 1) {
                        if (line[n] == '\n') {
                                line[n] = '\0';
                                return 0;
                        }
                        n++;
                        continue;
                }
                if (errno != EAGAIN && errno != EINTR)
                        return -errno;
                r = await(fd, POLLIN, deadline_ms);
                if (r < 0)
                        return r;
        }
        return -EBADMSG;
}

static int hybrid_open_port(int fd, uint32_t port, int64_t deadline_ms) {
        char line[64];
        int n, r;

        n = snprintf(line, sizeof(line), "CONNECT %" PRIu32 "\n", port);
        if (send(fd, line, (size_t)n, MSG_NOSIGNAL) != n)
                return errno == EPIPE || errno == ECONNRESET ? -ENOTCONN : -errno;
        r = read_line(fd, line, sizeof(line), deadline_ms);
        if (r < 0)
                return r;
        return strncmp(line, "OK ", 3) == 0 && strspn(line + 3, "0123456789") == strlen(line + 3) ? 0 : -EBADMSG;
}

static enum client_result hybrid_connect(const struct address *address, int timeout_ms, struct client *ret) {
        int64_t deadline_ms = clock_ms(CLOCK_MONOTONIC) + timeout_ms;
        enum client_result result = client_connect(ret, address->path, timeout_ms);
        int r;

        if (result != CLIENT_DONE)
                return result;
        r = hybrid_open_port(ret->fd, address->port, deadline_ms);
        if (r == 0) {
                debug_line("connected: vsock port %" PRIu32 " behind it", address->port);
                return CLIENT_DONE;
        }
        ret->error = r;
        if (r == -EBADMSG) {
                (void)snprintf(ret->why, sizeof(ret->why), "CONNECT is not answered by OK and a number");
                return CLIENT_PROTOCOL;
        }
        if (r == -ENOTCONN)
                (void)snprintf(ret->why, sizeof(ret->why), "nothing in the guest listens on vsock port %" PRIu32,
                               address->port);
        else if (r == -ETIMEDOUT)
                (void)snprintf(ret->why, sizeof(ret->why), "CONNECT is not answered within %g s", timeout_ms / 1e3);
        else
                (void)snprintf(ret->why, sizeof(ret->why), "%s", strerror(-r));
        return CLIENT_NOT_REACHED;
}

static const struct {
        const char *prefix;
        const char *(*from_text)(const char *rest, struct address *ret);
        enum client_result (*connect)(const struct address *address, int timeout_ms, struct client *ret);
} kinds[ADDRESS_KIND_MAX_] = {
        [ADDRESS_UNIX] = {"unix:", unix_from_text, unix_connect},
        [ADDRESS_VSOCK] = {"vsock:", vsock_from_text, vsock_connect},
        [ADDRESS_HYBRID] = {"hybrid:", hybrid_from_text, hybrid_connect},
        [ADDRESS_SERIAL] = {"serial:", serial_from_text, unix_connect},
};

const char *address_from_text(const char *text, struct address *ret) {
        for (int kind = 0; kind < ADDRESS_KIND_MAX_; kind++) {
                size_t n = strlen(kinds[kind].prefix);
                struct address address = {.kind = (enum address_kind)kind};
                const char *fault;

                if (strncmp(text, kinds[kind].prefix, n) != 0)
                        continue;
                fault = kinds[kind].from_text(text + n, &address);
                if (!fault)
                        *ret = address;
                return fault;
        }
        return "it begins with none of unix:, vsock:, hybrid: and serial:";
}

enum client_result address_connect(const struct address *address, int timeout_ms, struct client *ret) {
        return kinds[address->kind].connect(address, timeout_ms, ret);
}
