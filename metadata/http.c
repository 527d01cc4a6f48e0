/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata/http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

enum { ROUTE_POLL_MS = 250 };

/* --- addresses ---------------------------------------------------------------------------------------------------- */

static bool parse_address(const char *text, struct http *http) {
        memset(&http->peer, 0, sizeof(http->peer));
        if (inet_pton(AF_INET, text, &http->peer.v4.sin_addr) == 1) {
                http->peer.v4.sin_family = AF_INET;
                http->peer.v4.sin_port = htons(HTTP_PORT);
        } else if (inet_pton(AF_INET6, text, &http->peer.v6.sin6_addr) == 1) {
                http->peer.v6.sin6_family = AF_INET6;
                http->peer.v6.sin6_port = htons(HTTP_PORT);
        } else
                return false;
        return true;
}

static socklen_t peer_size(const struct http *http) {
        return http->peer.any.sa_family == AF_INET ? sizeof(http->peer.v4) : sizeof(http->peer.v6);
}

/* Without a packet: connect(2) of a datagram socket asks for the route alone. */
static bool has_route(const char *address) {
        struct http http;
        bool found;
        int fd;

        if (!parse_address(address, &http))
                return false;
        fd = socket(http.peer.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        found = fd >= 0 && connect(fd, &http.peer.any, peer_size(&http)) == 0;
        if (fd >= 0)
                (void)close(fd);
        return found;
}

bool http_await_route(const char *const *addresses, size_t n, int64_t deadline_ms) {
        const struct timespec pause = {.tv_nsec = ROUTE_POLL_MS * 1000000L};

        for (;;) {
                for (size_t i = 0; i < n; i++)
                        if (has_route(addresses[i]))
                                return true;
                if (clock_ms(CLOCK_MONOTONIC) >= deadline_ms)
                        return false;
                (void)nanosleep(&pause, NULL);
        }
}

/* --- libcurl ------------------------------------------------------------------------------------------------------ */

/* Returns less than it got to end the transfer. */
static size_t on_body(char *data, size_t size, size_t n, void *context) {
        struct http *http = context;
        struct http_answer *answer = http->answer;

        n *= size;
        if (n > HTTP_BODY_MAX - answer->length) {
                http->too_long = true;
                return 0;
        }
        memcpy(answer->body + answer->length, data, n);
        answer->length += n;
        return n;
}

/* Trailers come here as well. */
static size_t on_head(char *data, size_t size, size_t n, void *context) {
        struct http *http = context;

        (void)data;
        n *= size;
        http->head += n;
        if (http->head <= HTTP_HEAD_MAX)
                return n;
        http->too_long = true;
        return 0;
}

/* `to->addr` has as many bytes behind it as the family takes. */
static bool is_peer(const struct http *http, const struct curl_sockaddr *to) {
        const char *raw = (const char *)to + offsetof(struct curl_sockaddr, addr);
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;

        if (to->family != http->peer.any.sa_family || to->addrlen != peer_size(http))
                return false;
        if (to->family == AF_INET) {
                memcpy(&v4, raw, sizeof(v4));
                return v4.sin_port == http->peer.v4.sin_port && v4.sin_addr.s_addr == http->peer.v4.sin_addr.s_addr;
        }
        memcpy(&v6, raw, sizeof(v6));
        return v6.sin6_port == http->peer.v6.sin6_port && v6.sin6_scope_id == 0 &&
               memcmp(&v6.sin6_addr, &http->peer.v6.sin6_addr, sizeof(v6.sin6_addr)) == 0;
}

/* The one place where a socket to an IP address is made. */
static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *to) {
        if (purpose != CURLSOCKTYPE_IPCXN || to->socktype != SOCK_STREAM || !is_peer(context, to))
                return CURL_SOCKET_BAD;
        return socket(to->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static bool set_options(struct http *http, CURL *curl) {
        bool ok = curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;

        ok = ok && curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_HTTP09_ALLOWED, 0L) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK;
        ok = ok &&
             curl_easy_setopt(curl, CURLOPT_USERAGENT, "exc-instance-connect-metadata/" PACKAGE_VERSION) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_WRITEDATA, http) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_head) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_HEADERDATA, http) == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_socket) == CURLE_OK;
        return ok && curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, http) == CURLE_OK;
}

bool http_start(void) {
        return curl_global_init(CURL_GLOBAL_NOTHING) == CURLE_OK;
}

void http_stop(void) {
        curl_global_cleanup();
}

int http_open(struct http *http, const char *address, int64_t deadline_ms) {
        bool v6;

        *http = (struct http){.deadline_ms = deadline_ms};
        if (!parse_address(address, http))
                return -EINVAL;
        v6 = http->peer.any.sa_family == AF_INET6;
        (void)snprintf(http->base, sizeof(http->base), "http://%s%.64s%s", v6 ? "[" : "", address, v6 ? "]" : "");
        http->curl = curl_easy_init();
        if (http->curl && set_options(http, http->curl))
                return 0;
        http_close(http);
        return -ENOMEM;
}

void http_close(struct http *http) {
        curl_easy_cleanup(http->curl);
        http->curl = NULL;
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static int fail(char ret_why[static HTTP_WHY_MAX], int error, const char *cause) {
        (void)snprintf(ret_why, HTTP_WHY_MAX, "%s", cause);
        return error;
}

static int failure_of(const struct http *http, CURLcode code, char ret_why[static HTTP_WHY_MAX]) {
        long error = 0;

        if (http->too_long)
                return fail(ret_why, -EMSGSIZE, "the answer is longer than 64 KiB");
        switch (code) {
        case CURLE_OPERATION_TIMEDOUT:
                return fail(ret_why, -ETIMEDOUT, "no whole answer within a second");
        case CURLE_COULDNT_CONNECT:
                if (curl_easy_getinfo(http->curl, CURLINFO_OS_ERRNO, &error) != CURLE_OK || error <= 0)
                        error = EIO;
                return fail(ret_why, (int)-error, strerror((int)error));
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
        case CURLE_GOT_NOTHING:
        case CURLE_PARTIAL_FILE:
                return fail(ret_why, -EPROTO, "the connection ended within the answer");
        case CURLE_OUT_OF_MEMORY:
                return fail(ret_why, -ENOMEM, strerror(ENOMEM));
        default:
                return fail(ret_why, -EPROTO, "the answer is not HTTP/1.1");
        }
}

static struct curl_slist *headers_of(const struct http_request *request) {
        char line[HTTP_TOKEN_MAX + 64];

        (void)snprintf(line, sizeof(line), "%s: %s",
                       request->put ? "X-aws-ec2-metadata-token-ttl-seconds" : "X-aws-ec2-metadata-token",
                       request->put ? "60" : request->token);
        return curl_slist_append(NULL, line);
}

static bool set_request(struct http *http, const struct http_request *request, struct curl_slist *headers, long ms) {
        char url[sizeof(http->base) + HTTP_PATH_MAX];
        CURL *curl = http->curl;
        bool ok;

        if (snprintf(url, sizeof(url), "%s%s", http->base, request->path) >= (int)sizeof(url))
                return false;
        ok = curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK;
        /* A body of nothing, with a Content-Length: some services want one. */
        ok = ok && curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L) == CURLE_OK;
        if (request->put) {
                ok = ok && curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "") == CURLE_OK;
                ok = ok && curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, 0L) == CURLE_OK;
        }
        ok = ok && curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->put ? "PUT" : "GET") == CURLE_OK;
        ok = ok && curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK;
        return ok && curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ms) == CURLE_OK;
}

int http_send(void *context, const struct http_request *request, struct http_answer *ret,
              char ret_why[static HTTP_WHY_MAX]) {
        bool with_header = request->put || request->token;
        struct curl_slist *headers = with_header ? headers_of(request) : NULL;
        struct http *http = context;
        int64_t left_ms = http->deadline_ms - clock_ms(CLOCK_MONOTONIC);
        CURLcode code;
        int r;

        ret->status = 0;
        ret->length = 0;
        http->answer = ret;
        http->head = 0;
        http->too_long = false;
        if (left_ms <= 0)
                r = fail(ret_why, -ETIMEDOUT, "not all was answered within 5 seconds");
        else if ((with_header && !headers) ||
                 !set_request(http, request, headers, (long)(left_ms < HTTP_REQUEST_MS ? left_ms : HTTP_REQUEST_MS)))
                r = fail(ret_why, -ENOMEM, strerror(ENOMEM));
        else {
                code = curl_easy_perform(http->curl);
                ret->body[ret->length] = '\0';
                http->reached = http->reached || (code != CURLE_COULDNT_CONNECT && code != CURLE_OPERATION_TIMEDOUT);
                r = code == CURLE_OK ? 0 : failure_of(http, code, ret_why);
                if (r == 0)
                        (void)curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &ret->status);
        }
        (void)curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, NULL);
        curl_slist_free_all(headers);
        return r;
}
