/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor of an HTTP server on libmicrohttpd: http_empty SOCKET BYTES. It reads a request with its body, and answers with so
 * many bytes of JSON; one thread, with epoll, as exc-compute-api's.
 */
#include <microhttpd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/bench/bench.h"

static size_t answer_size;
static char *answer;

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *length, void **state) {
        static char begun;
        struct MHD_Response *response;
        enum MHD_Result result;

        (void)context;
        (void)url;
        (void)method;
        (void)version;
        (void)data;
        if (!*state) {
                *state = &begun;
                return MHD_YES;
        }
        if (*length > 0) {
                *length = 0;
                return MHD_YES;
        }
        response = MHD_create_response_from_buffer(answer_size, answer, MHD_RESPMEM_PERSISTENT);
        (void)MHD_add_response_header(response, "Content-Type", "application/json");
        result = MHD_queue_response(connection, 200, response);
        MHD_destroy_response(response);
        return result;
}

static int listen_at(const char *path) {
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (strlen(path) >= sizeof(to.sun_path))
                die("%s: too long", path);
        memcpy(to.sun_path, path, strlen(path) + 1);
        if (fd < 0 || bind(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 || listen(fd, 1024) < 0)
                die("%s", path);
        return fd;
}

int main(int argc, char **argv) {
        if (argc != 3)
                die("usage: http_empty SOCKET BYTES");
        answer_size = count_argument(argv[2]);
        answer = malloc(answer_size);
        if (!answer)
                die("memory");
        memset(answer, ' ', answer_size);
        answer[0] = '{';
        answer[answer_size - 1] = '}';
        if (!MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, handle, NULL, MHD_OPTION_LISTEN_SOCKET,
                              listen_at(argv[1]), MHD_OPTION_END))
                die("libmicrohttpd");
        for (;;)
                (void)pause();
}
