/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/serve_internal.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "wire/service.h"

int serve_until(int64_t deadline_ns) {
        int64_t left_ns = deadline_ns - clock_ns(CLOCK_MONOTONIC);

        if (left_ns <= 0)
                return 0;
        return left_ns / NS_PER_MS < INT_MAX ? (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS) : INT_MAX;
}

/* --- replies ------------------------------------------------------------------------------------------------------ */

static int send_all(struct serve_connection *connection, const char *at, size_t left) {
        int64_t deadline_ns = clock_ns(CLOCK_MONOTONIC) + SERVE_HALF_MS * NS_PER_MS;

        while (left > 0) {
                struct pollfd p = {.fd = connection->fd, .events = POLLOUT};
                ssize_t n = send(connection->fd, at, left, MSG_DONTWAIT | MSG_NOSIGNAL);
                int ms;

                if (n >= 0) {
                        at += n;
                        left -= (size_t)n;
                        continue;
                }
                if (errno != EAGAIN && errno != EINTR)
                        return -errno;
                ms = serve_until(deadline_ns);
                if (ms == 0)
                        return -ETIMEDOUT;
                if (errno == EAGAIN && poll(&p, 1, ms) < 0 && errno != EINTR)
                        return -errno;
        }
        return 0;
}

/* Takes ownership of `message`. */
static int answer(struct serve_connection *connection, json_t *message, bool last) {
        char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;
        size_t length = text ? strlen(text) + 1 : 0;
        int r = text ? 0 : -ENOMEM;

        json_decref(message);
        if (length > FRAME_MAX) {
                free(text);
                return -E2BIG;
        }
        if (r == 0 && connection->lost)
                r = -EPIPE;
        if (r == 0 && !connection->call.oneway)
                r = send_all(connection, text, length);
        free(text);
        if (r < 0)
                connection->lost = true;
        if (last)
                connection->replied = true;
        return r;
}

int serve_reply(struct serve_call *call, json_t *parameters) {
        return answer(call->connection, json_pack("{so}", "parameters", parameters), true);
}

int serve_reply_part(struct serve_call *call, json_t *parameters) {
        return answer(call->connection, json_pack("{so sb}", "parameters", parameters, "continues", 1), false);
}

int serve_error(struct serve_call *call, const char *error, json_t *parameters) {
        return answer(call->connection, json_pack("{ss so}", "error", error, "parameters", parameters), true);
}

int serve_invalid_parameter(struct serve_call *call, const char *parameter) {
        return serve_error(call, VARLINK_SERVICE ".InvalidParameter", json_pack("{ss}", "parameter", parameter));
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

int serve_wait(struct serve_call *call, int fd, int timeout_ms) {
        const struct serve_connection *connection = call->connection;
        int64_t deadline_ns = clock_ns(CLOCK_MONOTONIC) + timeout_ms * NS_PER_MS;

        for (;;) {
                struct pollfd p[] = {
                        {.fd = connection->settings->stop_fd, .events = POLLIN},
                        {.fd = connection->fd}, /* POLLHUP and POLLERR alone: more calls may be waiting there */
                        {.fd = fd, .events = POLLIN},
                };
                int r = poll(p, sizeof(p) / sizeof(p[0]), timeout_ms < 0 ? -1 : serve_until(deadline_ns));

                if (r < 0 && errno != EINTR)
                        return -errno;
                if (r < 0)
                        continue;
                if (p[0].revents)
                        return -ESHUTDOWN;
                if (p[1].revents || connection->lost)
                        return -ECONNRESET;
                return p[2].revents ? 1 : 0;
        }
}

/* Waits until there is something to read, or the server stops. */
static int wait_for_bytes(const struct serve_connection *connection, int64_t deadline_ns) {
        struct pollfd p[] = {
                {.fd = connection->settings->stop_fd, .events = POLLIN},
                {.fd = connection->fd, .events = POLLIN},
        };
        int r = poll(p, sizeof(p) / sizeof(p[0]), serve_until(deadline_ns));

        if (r < 0)
                return errno == EINTR ? 0 : -errno;
        if (p[0].revents)
                return -ESHUTDOWN;
        return r == 0 && serve_until(deadline_ns) == 0 ? -ETIMEDOUT : 0;
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

/* The next message. Negative errno: there is none, and the connection ends. */
static int receive(struct serve_connection *connection, char **ret_message, size_t *ret_length) {
        const struct serve_settings *settings = connection->settings;
        int64_t begun_ns = clock_ns(CLOCK_MONOTONIC);
        int64_t idle_ns = begun_ns + (settings->idle_ms > 0 ? settings->idle_ms : SERVE_IDLE_MS) * NS_PER_MS;
        int64_t half_ns = 0;

        for (;;) {
                struct frames *frames = &connection->frames;
                size_t size;
                char *space;
                ssize_t n;
                int r;

                switch (frames_next(frames, ret_message, ret_length)) {
                case FRAME_MESSAGE:
                        return 0;
                case FRAME_TOO_LONG:
                        return -E2BIG;
                case FRAME_NONE:
                        break;
                }
                if (frames->dropping)
                        return -E2BIG;
                if (!frames_half(frames))
                        half_ns = 0;
                else if (half_ns == 0)
                        half_ns = clock_ns(CLOCK_MONOTONIC) + SERVE_HALF_MS * NS_PER_MS;
                r = wait_for_bytes(connection, half_ns ? half_ns : idle_ns);
                if (r < 0)
                        return r;
                space = frames_space(frames, &size);
                n = recv(connection->fd, space, size, MSG_DONTWAIT);
                if (n == 0)
                        return -ECONNRESET;
                if (n < 0 && errno != EAGAIN && errno != EINTR)
                        return -errno;
                if (n > 0)
                        frames_received(frames, (size_t)n);
        }
}

static void get_info(const struct serve_settings *settings, struct serve_call *call) {
        (void)serve_reply(call, service_info(settings->product, settings->version, settings->interface));
}

static void get_interface_description(const struct serve_settings *settings, struct serve_call *call) {
        const char *name = service_interface_asked(call->parameters), *text = NULL;

        if (!name) {
                (void)serve_invalid_parameter(call, "interface");
                return;
        }
        if (strcmp(name, settings->interface) == 0)
                text = settings->interface_text;
        else if (strcmp(name, VARLINK_SERVICE) == 0)
                text = service_text;
        if (text)
                (void)serve_reply(call, json_pack("{ss}", "description", text));
        else
                (void)serve_error(call, VARLINK_SERVICE ".InterfaceNotFound", json_pack("{ss}", "interface", name));
}

static void carry_out(const struct serve_settings *settings, struct serve_call *call) {
        const char *unknown = call->connection->call.unknown;

        if (unknown) {
                (void)serve_invalid_parameter(call, unknown);
                return;
        }
        if (strcmp(call->method, VARLINK_SERVICE ".GetInfo") == 0) {
                get_info(settings, call);
                return;
        }
        if (strcmp(call->method, VARLINK_SERVICE ".GetInterfaceDescription") == 0) {
                get_interface_description(settings, call);
                return;
        }
        for (const struct serve_method *method = settings->methods; method->name; method++)
                if (strcmp(method->name, call->method) == 0) {
                        method->call(settings->context, call);
                        return;
                }
        (void)serve_error(call, VARLINK_SERVICE ".MethodNotFound", json_pack("{ss}", "method", call->method));
}

void serve_connection_run(struct serve_connection *connection) {
        const struct serve_settings *settings = connection->settings;
        size_t length;
        char *message;

        while (receive(connection, &message, &length) == 0) {
                struct pollfd stop = {.fd = settings->stop_fd, .events = POLLIN};
                struct serve_call call;

                if (poll(&stop, 1, 0) != 0 || !call_parse(message, length, &connection->call))
                        break;
                call = (struct serve_call){
                        .method = connection->call.method,
                        .parameters = connection->call.parameters,
                        .more = connection->call.more,
                        .uid = connection->uid,
                        .pid = connection->pid,
                        .connection = connection,
                };
                connection->replied = false;
                carry_out(settings, &call);
                call_clear(&connection->call);
                /* A peer that waits for a reply which cannot be made must learn of it. */
                if (connection->lost || !connection->replied)
                        break;
        }
}
