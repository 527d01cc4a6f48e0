/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that costs little beside the server it measures:
 *
 *         http_client SOCKET TOKEN REQUESTS CONNECTIONS
 *         http_client SOCKET TOKEN hold CONNECTIONS
 *
 * REQUESTS is a file of lines "METHOD PATH BODY", without a body where it is empty. They are sent in turn, one at a time on each
 * of the connections, which stay open, until all are answered with 200. Prints how many a second there were, then the median
 * and the 99th percentile of their times, in nanoseconds. hold: sends GET /healthz once on each connection, prints a line, and
 * keeps them open until its standard input ends.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/bench/bench.h"

enum { REQUEST_MAX = 8192, ANSWER_MAX = 65536 };

struct connection {
        int fd;
        int64_t sent_ns;
        size_t received;
        char answer[ANSWER_MAX];
};

static const char *token;
static char *lines, *next_line; /* NULL: there is no more */
static int64_t *taken_ns;
static size_t n_answers;

static int connect_to(const char *path) {
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (strlen(path) >= sizeof(to.sun_path))
                die("%s: too long", path);
        memcpy(to.sun_path, path, strlen(path) + 1);
        if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
                die("%s", path);
        return fd;
}

static void send_request(int fd, const char *line, size_t length) {
        const char *path = memchr(line, ' ', length), *body = path ? memchr(path + 1, ' ', length) : NULL;
        char request[REQUEST_MAX];
        size_t n_body;
        int n;

        if (!body || body > line + length)
                die("not a line \"METHOD PATH BODY\": %.*s", (int)length, line);
        n_body = (size_t)(line + length - body - 1);
        n = snprintf(request, sizeof(request),
                     "%.*s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: %zu\r\n\r\n%.*s",
                     (int)(body - line), line, token, n_body, (int)n_body, body + 1);
        if (n < 0 || (size_t)n >= sizeof(request) || send(fd, request, (size_t)n, MSG_NOSIGNAL) != n)
                die("send");
}

/* False: there is none left. */
static bool send_next(struct connection *connection) {
        char *line = next_line, *end = line ? strchr(line, '\n') : NULL;

        if (!end)
                return false;
        next_line = end + 1;
        connection->received = 0;
        connection->sent_ns = now_ns();
        send_request(connection->fd, line, (size_t)(end - line));
        return true;
}

/* Whether the answer is whole. */
static bool receive(struct connection *connection) {
        static const char length_field[] = "\r\nContent-Length: ";
        size_t room = sizeof(connection->answer) - 1 - connection->received;
        ssize_t n = recv(connection->fd, connection->answer + connection->received, room, 0);
        const char *end, *length;

        if (n <= 0)
                die("the connection ended after %zu bytes of an answer", connection->received);
        connection->received += (size_t)n;
        connection->answer[connection->received] = '\0';
        end = strstr(connection->answer, "\r\n\r\n");
        if (!end)
                return false;
        if (strncmp(connection->answer, "HTTP/1.1 200 ", 13) != 0)
                die("%s", connection->answer);
        length = strcasestr(connection->answer, length_field);
        if (!length || length > end)
                die("no Content-Length: %s", connection->answer);
        return connection->received ==
               (size_t)(end + 4 - connection->answer) + strtoul(length + strlen(length_field), NULL, 10);
}

static size_t read_lines(const char *path) {
        FILE *file = fopen(path, "re");
        size_t n = 0, size = 0;

        if (!file || getdelim(&lines, &size, '\0', file) < 0)
                die("%s", path);
        (void)fclose(file);
        for (const char *at = strchr(lines, '\n'); at; at = strchr(at + 1, '\n'))
                n++;
        next_line = lines;
        return n;
}

static void run(const char *path, size_t n_connections) {
        struct connection *connections = calloc(n_connections, sizeof(*connections));
        int epoll = epoll_create1(EPOLL_CLOEXEC);
        struct epoll_event ready;
        size_t n_open = 0;
        int64_t start_ns;

        if (!connections || epoll < 0)
                die("epoll");
        for (size_t i = 0; i < n_connections; i++) {
                struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};

                connections[i].fd = connect_to(path);
                if (epoll_ctl(epoll, EPOLL_CTL_ADD, connections[i].fd, &event) < 0)
                        die("epoll");
        }
        start_ns = now_ns();
        while (n_open < n_connections && send_next(&connections[n_open]))
                n_open++;
        while (n_open > 0) {
                struct connection *connection;

                if (epoll_wait(epoll, &ready, 1, -1) < 1)
                        die("epoll");
                connection = ready.data.ptr;
                if (!receive(connection))
                        continue;
                taken_ns[n_answers++] = now_ns() - connection->sent_ns;
                n_open -= !send_next(connection);
        }
        printf("%.1f ", (double)n_answers * 1e9 / (double)(now_ns() - start_ns));
        printf("%" PRId64 " ", median_ns(taken_ns, n_answers));
        printf("%" PRId64 "\n", taken_ns[n_answers * 99 / 100]);
}

static void hold(const char *path, size_t n) {
        static const char line[] = "GET /healthz ";
        struct connection *connection = calloc(1, sizeof(*connection));
        struct rlimit limit;

        if (!connection || getrlimit(RLIMIT_NOFILE, &limit) < 0)
                die("memory");
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        for (size_t i = 0; i < n; i++) {
                connection->fd = connect_to(path);
                connection->received = 0;
                send_request(connection->fd, line, sizeof(line) - 1);
                while (!receive(connection))
                        ;
        }
        (void)printf("%zu\n", n);
        (void)fflush(stdout);
        while (getchar() != EOF)
                ;
}

int main(int argc, char **argv) {
        size_t n;

        if (argc != 5)
                die("usage: http_client SOCKET TOKEN REQUESTS|hold CONNECTIONS");
        token = argv[2];
        if (strcmp(argv[3], "hold") == 0) {
                hold(argv[1], count_argument(argv[4]));
                return 0;
        }
        n = read_lines(argv[3]);
        taken_ns = calloc(n, sizeof(*taken_ns));
        if (n == 0 || !taken_ns)
                die("%s: no requests", argv[3]);
        run(argv[1], count_argument(argv[4]));
        return 0;
}
