/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "cloud/api/client_address.h"
#include "cloud/api/http_internal.h"
#include "cloud/api/journal.h"

enum {
        ACCEPTS_AT_ONCE = 64,
        BACKLOG = 1024,
};

/* --- opening -------------------------------------------------------------------------------------------------------- */

/* "127.0.0.1:8080" or "[::1]:8080". */
static int parse_address(const char *text, struct sockaddr_storage *ret, socklen_t *ret_length) {
        const char *colon = strrchr(text, ':');
        char host[INET6_ADDRSTRLEN + 2], *end;
        unsigned long port;
        size_t n;

        if (!colon || (size_t)(colon - text) >= sizeof(host) || colon[1] < '0' || colon[1] > '9')
                return -EINVAL;
        port = strtoul(colon + 1, &end, 10);
        if (*end != '\0' || port > UINT16_MAX)
                return -EINVAL;
        n = (size_t)(colon - text);
        memcpy(host, text, n);
        host[n] = '\0';
        memset(ret, 0, sizeof(*ret));
        if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
                struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

                host[n - 1] = '\0';
                v6->sin6_family = AF_INET6;
                v6->sin6_port = htons((uint16_t)port);
                *ret_length = sizeof(*v6);
                return inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1 ? 0 : -EINVAL;
        } else {
                struct sockaddr_in *v4 = (struct sockaddr_in *)ret;

                v4->sin_family = AF_INET;
                v4->sin_port = htons((uint16_t)port);
                *ret_length = sizeof(*v4);
                return inet_pton(AF_INET, host, &v4->sin_addr) == 1 ? 0 : -EINVAL;
        }
}

int http_listen(const char *address) {
        struct sockaddr_storage to;
        socklen_t length;
        int fd, r, on = 1;

        r = parse_address(address, &to, &length);
        if (r < 0)
                return r;
        fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (bind(fd, (struct sockaddr *)&to, length) < 0 || listen(fd, BACKLOG) < 0) {
                r = -errno;
                (void)close(fd);
                return r;
        }
        return fd;
}

/* --- accepting ------------------------------------------------------------------------------------------------------ */

static bool is_trusted_proxy(const struct api_config *config, const char *address) {
        for (size_t i = 0; i < config->n_proxies; i++)
                if (strcmp(config->proxy[i], address) == 0)
                        return true;
        return false;
}

static void add_connection(struct http_listener *listener, int fd, const struct sockaddr_storage *peer,
                           socklen_t length) {
        struct http *http = listener->http;
        struct http_connection *connection = calloc(1, sizeof(*connection));

        if (!connection) {
                (void)close(fd);
                return;
        }
        connection->http = http;
        connection->fd = fd;
        client_address_peer(peer, connection->peer);
        connection->forwards = listener->trusted || is_trusted_proxy(http->api->config, connection->peer);
        /* libmicrohttpd takes the descriptor in any case, and the connection in its notification of the start. */
        http_connection_accepted(http, connection);
        if (MHD_add_connection(http->daemon, fd, (const struct sockaddr *)peer, length) != MHD_YES)
                http_connection_drop(http, fd);
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *context) {
        struct http_listener *listener = context;
        struct http *http = listener->http;

        (void)source;
        (void)events;
        for (unsigned i = 0; i < ACCEPTS_AT_ONCE && http->n_connections < http->n_connections_max; i++) {
                struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
                socklen_t length = sizeof(peer);
                int accepted = accept4(fd, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (accepted < 0) {
                        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                                journal_note(LOG_ERR, "accept: %s; trying again in a second", strerror(errno));
                                http->starved = true;
                                (void)sd_event_source_set_enabled(http->tick, SD_EVENT_ONESHOT);
                        }
                        break;
                }
                add_connection(listener, accepted, &peer, length);
        }
        http_run(http);
        return 0;
}

void http_listeners_balance(struct http *http) {
        bool accept = http->n_connections < http->n_connections_max && !http->starved && !http->stopping;

        if (accept == http->accepting)
                return;
        for (size_t i = 0; i < http->n_listeners; i++)
                (void)sd_event_source_set_enabled(http->listener[i].source, accept ? SD_EVENT_ON : SD_EVENT_OFF);
        http->accepting = accept;
}

/* --- start and end -------------------------------------------------------------------------------------------------- */

/* What comes from elsewhere has to come through a proxy: there is no TLS here. */
static int check_listener(int fd, struct http_listener *ret) {
        struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
        socklen_t length = sizeof(address), size = sizeof(int);
        int listening = 0;

        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0 ||
            getsockname(fd, (struct sockaddr *)&address, &length) < 0)
                return -errno;
        if (!listening || !client_address_local(&address)) {
                journal_note(LOG_ERR,
                             "socket %d: not a listening unix socket or one of a loopback address; check "
                             "Listen= and exc-compute-api.socket",
                             fd);
                return -EINVAL;
        }
        ret->fd = fd;
        ret->trusted = address.ss_family == AF_UNIX;
        return 0;
}

static int add_listener(struct http *http, int fd) {
        struct http_listener *listener = &http->listener[http->n_listeners];
        int r = http->n_listeners < HTTP_LISTENERS_MAX ? check_listener(fd, listener) : -E2BIG;

        if (r < 0) {
                (void)close(fd);
                return r;
        }
        /* Another server may take the connection that was seen. */
        if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
                journal_note(LOG_WARNING, "socket %d: %s", fd, strerror(errno));
        listener->http = http;
        http->n_listeners++;
        return sd_event_add_io(http->event, &listener->source, fd, EPOLLIN, on_connection, listener);
}

int http_listeners_start(struct http *http, const int *sockets, size_t n) {
        int r = 0;

        for (size_t i = 0; i < n; i++)
                if (r < 0)
                        (void)close(sockets[i]);
                else
                        r = add_listener(http, sockets[i]);
        http->accepting = true;
        return r;
}

void http_listeners_stop(struct http *http) {
        for (size_t i = 0; i < http->n_listeners; i++) {
                (void)sd_event_source_unref(http->listener[i].source);
                (void)close(http->listener[i].fd);
        }
        http->n_listeners = 0;
        http->accepting = false;
}
