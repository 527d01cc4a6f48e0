/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host that does its worst: flood SOCKET. Sixteen connections that send Hello without end and read the answers.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/bench/bench.h"

static const char call[] = "{\"method\":\"in.excloud.InstanceConnect.Hello\"}";

enum { CONNECTIONS = 16, CALLS = 300, CHUNK = CALLS * sizeof(call) };

static int connect_to(const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
            fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
                die("cannot connect to %s", path);
        return fd;
}

int main(int argc, char *argv[]) {
        static char chunk[CHUNK], answers[1 << 20];
        struct pollfd connections[CONNECTIONS];
        size_t sent[CONNECTIONS] = {0};

        if (argc != 2)
                die("usage: flood SOCKET");
        for (size_t i = 0; i < CALLS; i++)
                memcpy(chunk + i * sizeof(call), call, sizeof(call));
        for (int i = 0; i < CONNECTIONS; i++)
                connections[i] = (struct pollfd){.fd = connect_to(argv[1]), .events = POLLIN | POLLOUT};
        for (;;) {
                if (poll(connections, CONNECTIONS, -1) < 0)
                        die("cannot wait");
                for (int i = 0; i < CONNECTIONS; i++) {
                        ssize_t n = connections[i].revents & POLLIN
                                            ? recv(connections[i].fd, answers, sizeof(answers), 0)
                                            : 1;

                        if (n > 0 && connections[i].revents & POLLOUT) {
                                n = send(connections[i].fd, chunk + sent[i], CHUNK - sent[i], MSG_NOSIGNAL);
                                if (n > 0)
                                        sent[i] = (sent[i] + (size_t)n) % CHUNK;
                        }
                        if (n > 0 || (n < 0 && errno == EAGAIN))
                                continue;
                        (void)close(connections[i].fd);
                        connections[i].fd = connect_to(argv[1]);
                }
        }
}
