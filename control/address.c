/* SPDX-License-Identifier: Apache-2.0 */
#include "control/address.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

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

static enum client_result unix_connect(const struct address *address, int timeout_ms, struct client *ret) {
        return client_connect(ret, address->path, timeout_ms);
}

static enum client_result not_reached(struct client *client, int error) {
        client->error = error;
        (void)snprintf(client->why, sizeof(client->why), "%s", strerror(-error));
        return CLIENT_NOT_REACHED;
}

static int64_t now_ms(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The end of a connect(2) that is under way. */
static int await_connected(int fd, int timeout_ms) {
        int64_t deadline_ms = now_ms() + timeout_ms;
        socklen_t length = sizeof(int);
        int error;

        for (;;) {
                struct pollfd p = {.fd = fd, .events = POLLOUT};
                int64_t left_ms = deadline_ms - now_ms();
                int r = left_ms > 0 ? poll(&p, 1, (int)left_ms) : 0;

                if (r == 0)
                        return -ETIMEDOUT;
                if (r > 0)
                        break;
                if (errno != EINTR)
                        return -errno;
        }
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
        return r < 0 ? not_reached(ret, r) : CLIENT_DONE;
}

static const struct {
        const char *prefix;
        const char *(*from_text)(const char *rest, struct address *ret);
        enum client_result (*connect)(const struct address *address, int timeout_ms, struct client *ret);
} kinds[ADDRESS_KIND_MAX_] = {
        [ADDRESS_UNIX] = {"unix:", unix_from_text, unix_connect},
        [ADDRESS_VSOCK] = {"vsock:", vsock_from_text, vsock_connect},
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
        return "it begins with neither unix: nor vsock:";
}

enum client_result address_connect(const struct address *address, int timeout_ms, struct client *ret) {
        return kinds[address->kind].connect(address, timeout_ms, ret);
}
