/* SPDX-License-Identifier: Apache-2.0 */
/* exc compute dial VM PORT ADDRESS…: what exc has ssh run where a VM has several addresses. */
#include "exc/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/value.h"
#include "exc/command.h"
#include "exc/problem.h"

enum { DIAL_MS = 5 * 1000, DIAL_LAST_MS = 30 * 1000, PORT_MAX = 65535 };

static socklen_t to_sockaddr(const char *address, int port, struct sockaddr_storage *ret) {
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

        if (inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
                memcpy(ret, &v4, sizeof(v4));
                return sizeof(v4);
        }
        if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1) {
                memcpy(ret, &v6, sizeof(v6));
                return sizeof(v6);
        }
        return 0;
}

/* An errno, 0 when it is connected. */
static int wait_for(int fd, int timeout_ms) {
        struct pollfd polled = {.fd = fd, .events = POLLOUT};
        int error = 0, n;
        socklen_t length = sizeof(error);

        do
                n = poll(&polled, 1, timeout_ms);
        while (n < 0 && errno == EINTR);
        if (n == 0)
                return ETIMEDOUT;
        return n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 ? errno : error;
}

/*
 * ssh sets TCP_NODELAY when a session begins (its -vvv says so). Until then, the message after the key exchange would wait for
 * sshd's acknowledgement of the one before, which Linux delays by 40 ms.
 */
static void send_at_once(int fd) {
        int on = 1;

        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static int dial_one(const char *address, int port, int timeout_ms) {
        struct sockaddr_storage to;
        socklen_t length = to_sockaddr(address, port, &to);
        int fd, error = 0;

        if (length == 0)
                return -EINVAL;
        fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *)&to, length) < 0)
                error = errno == EINPROGRESS ? wait_for(fd, timeout_ms) : errno;
        if (error == 0 && fcntl(fd, F_SETFL, 0) == 0) {
                send_at_once(fd);
                return fd;
        }
        (void)close(fd);
        return error ? -error : -EIO;
}

int dial(const char *const *addresses, size_t n, int port, size_t *ret_which) {
        int fd = -EINVAL;

        for (size_t i = 0; i < n && fd < 0; i++) {
                *ret_which = i;
                fd = dial_one(addresses[i], port, i + 1 < n ? DIAL_MS : DIAL_LAST_MS);
        }
        return fd;
}

int dial_hand_over(int fd) {
        char byte = 0;
        struct iovec part = {&byte, 1};
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control = {.space = {0}};
        struct msghdr message = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);

        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &fd, sizeof(fd));
        return sendmsg(STDOUT_FILENO, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int run(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct problem problem;
        char where[128];
        size_t which = 0;
        int port, fd;

        if (!value_number(line->arguments[1], 1, PORT_MAX, &port))
                return cli_usage(line, "%s: expected a port", line->arguments[1]);
        fd = dial(line->arguments + 2, line->n_arguments - 2, port, &which);
        if (fd >= 0) {
                int r = dial_hand_over(fd);

                (void)close(fd);
                return r == 0 ? EXIT_DONE : EXIT_OWN_FAILURE;
        }
        (void)snprintf(where, sizeof(where), "%.64s port %d", line->arguments[2 + which], port);
        problem_of_route(line->arguments[0], where, -fd, &problem);
        return problem_print(options, &problem, NULL);
}

const struct cli_command dial_command = {
        .words = "compute dial",
        .arguments = "VM PORT ADDRESS…",
        .summary = "connect for ssh, which must have started this (ProxyUseFdpass)",
        .least = 3,
        .most = 5,
        .hidden = true,
        .run = run,
};
