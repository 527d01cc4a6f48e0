/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/client.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/debug.h"
#include "wire/json.h"

#define NS_PER_MS INT64_C(1000000)

__attribute__((format(printf, 4, 5))) static enum client_result fail(struct client *client, enum client_result result,
                                                                     int error, const char *format, ...) {
        va_list arguments;

        client->error = error;
        va_start(arguments, format);
        (void)vsnprintf(client->why, sizeof(client->why), format, arguments);
        va_end(arguments);
        return result;
}

static enum client_result not_a_reply(struct client *client, const char *why) {
        return fail(client, CLIENT_PROTOCOL, -EBADMSG, "%s", why);
}

static enum client_result no_memory(struct client *client) {
        return fail(client, CLIENT_FAILED, -ENOMEM, "out of memory");
}

void client_adopt(struct client *ret, int fd, int timeout_ms) {
        *ret = (struct client){.fd = fd, .timeout_ms = timeout_ms};
}

void client_close(struct client *client) {
        if (client->fd >= 0)
                (void)close(client->fd);
        client->fd = -EBADF;
}

/* connect(2) to a unix socket with a full queue waits for SO_SNDTIMEO at most; poll(2) does not help there. */
static int connect_within(int fd, const struct sockaddr_un *to, int timeout_ms) {
        struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
        int64_t deadline_ns = clock_ns(CLOCK_MONOTONIC) + timeout_ms * NS_PER_MS;

        if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
                return -errno;
        for (;;) {
                if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0)
                        return 0;
                if (errno == EAGAIN)
                        return -ETIMEDOUT;
                if (errno != EINTR)
                        return -errno;
                if (clock_ns(CLOCK_MONOTONIC) >= deadline_ns)
                        return -ETIMEDOUT;
        }
}

enum client_result client_connect(struct client *ret, const char *path, int timeout_ms) {
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        int r;

        client_adopt(ret, -EBADF, timeout_ms);
        if (strlen(path) >= sizeof(to.sun_path))
                return fail(ret, CLIENT_FAILED, -ENAMETOOLONG, "the path of a socket has at most %zu bytes",
                            sizeof(to.sun_path) - 1);
        memcpy(to.sun_path, path, strlen(path) + 1);
        ret->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (ret->fd < 0) {
                r = -errno;
                return fail(ret, CLIENT_FAILED, r, "cannot make a socket: %s", strerror(-r));
        }
        r = connect_within(ret->fd, &to, timeout_ms);
        if (r == -ETIMEDOUT)
                return fail(ret, CLIENT_NOT_REACHED, r, "its queue was full for %g s", timeout_ms / 1e3);
        if (r < 0)
                return fail(ret, CLIENT_NOT_REACHED, r, "%s", strerror(-r));
        debug_line("connected: %s", path);
        return CLIENT_DONE;
}

/* Waits until the socket is ready for `events`. */
static enum client_result wait_for(struct client *client, short events) {
        for (;;) {
                struct pollfd p = {.fd = client->fd, .events = events};
                int64_t left_ns = client->deadline_ns - clock_ns(CLOCK_MONOTONIC);
                int r;

                if (left_ns <= 0)
                        return fail(client, CLIENT_NOT_REACHED, -ETIMEDOUT, "no answer within %g s",
                                    client->timeout_ms / 1e3);
                r = poll(&p, 1, (int)((left_ns + NS_PER_MS - 1) / NS_PER_MS));
                if (r > 0)
                        return CLIENT_DONE;
                if (r < 0 && errno != EINTR) {
                        r = -errno;
                        return fail(client, CLIENT_FAILED, r, "cannot wait for an answer: %s", strerror(-r));
                }
        }
}

static enum client_result send_all(struct client *client, const char *at, size_t left) {
        while (left > 0) {
                ssize_t n = send(client->fd, at, left, MSG_DONTWAIT | MSG_NOSIGNAL);
                enum client_result result;

                if (n >= 0) {
                        at += n;
                        left -= (size_t)n;
                        continue;
                }
                /* The peer may have sent the reason before it closed: client_receive() reads it. */
                if (errno == EPIPE || errno == ECONNRESET)
                        return CLIENT_DONE;
                if (errno != EAGAIN && errno != EINTR) {
                        int r = -errno;

                        return fail(client, CLIENT_NOT_REACHED, r, "%s", strerror(-r));
                }
                result = wait_for(client, POLLOUT);
                if (result != CLIENT_DONE)
                        return result;
        }
        return CLIENT_DONE;
}

enum client_result client_send(struct client *client, const char *method, json_t *parameters, bool more) {
        enum client_result result;
        char *text, *message;
        json_t *request;
        size_t length;

        client->deadline_ns = clock_ns(CLOCK_MONOTONIC) + client->timeout_ms * NS_PER_MS;
        client->more = more;
        client->received = 0;
        if (frames_next(&client->frames, &message, &length) != FRAME_NONE || frames_half(&client->frames)) {
                json_decref(parameters);
                return not_a_reply(client, "there are bytes that nobody asked for");
        }
        request = parameters ? json_pack("{ss so}", "method", method, "parameters", parameters) : NULL;
        if (request && more && json_object_set_new(request, "more", json_true()) < 0) {
                json_decref(request);
                request = NULL;
        }
        text = request ? json_dumps(request, JSON_COMPACT) : NULL;
        json_decref(request);
        if (!text)
                return no_memory(client);
        length = strlen(text) + 1;
        if (length > FRAME_MAX)
                result = fail(client, CLIENT_FAILED, -E2BIG, "the request has %zu bytes, and at most %d may be sent",
                              length, FRAME_MAX);
        else {
                debug_line("call: %s, %zu bytes", method, length);
                result = send_all(client, text, length);
        }
        free(text);
        return result;
}

/* "org.example.Interface.Name", with no character that a terminal interprets. */
static bool error_name(const char *name, size_t n) {
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
        const char *dot = strrchr(name, '.');

        return n < CLIENT_ERROR_MAX && strspn(name, allowed) == n && dot && dot > name && dot[1] != '\0';
}

/* Reads the members of a reply. The parameters still belong to `object`. NULL, or what is wrong. */
static const char *take_reply(json_t *object, bool more, struct client_reply *ret) {
        const char *name;
        json_t *value;

        *ret = (struct client_reply){.parameters = NULL};
        if (!json_is_object(object))
                return "it is not a JSON object";
        json_object_foreach(object, name, value) {
                if (strcmp(name, "parameters") == 0) {
                        if (!json_is_object(value))
                                return "`parameters` is not an object";
                        ret->parameters = value;
                } else if (strcmp(name, "error") == 0) {
                        if (!json_is_string(value) || !error_name(json_string_value(value), json_string_length(value)))
                                return "`error` is not a name";
                        (void)snprintf(ret->error, sizeof(ret->error), "%s", json_string_value(value));
                } else if (strcmp(name, "continues") == 0) {
                        if (!json_is_boolean(value))
                                return "`continues` is neither true nor false";
                        ret->continues = json_is_true(value);
                } else
                        return "it has an unknown member";
        }
        if (ret->continues && (!more || ret->error[0]))
                return "it announces another one, and none may follow";
        return NULL;
}

static enum client_result parse(struct client *client, const char *message, size_t length, struct client_reply *ret) {
        struct client_reply reply;
        const char *why;
        json_t *object = json_read(message, length, CLIENT_DEPTH_MAX);

        if (!object)
                return not_a_reply(client, "it is not JSON, is nested too deep, or names a member twice");
        why = take_reply(object, client->more, &reply);
        if (why) {
                json_decref(object);
                return not_a_reply(client, why);
        }
        reply.parameters = reply.parameters ? json_incref(reply.parameters) : json_object();
        json_decref(object);
        if (!reply.parameters)
                return no_memory(client);
        *ret = reply;
        debug_line("reply: %s, %zu bytes", reply.error[0] ? reply.error : "success", length);
        return reply.error[0] ? CLIENT_REFUSED : CLIENT_DONE;
}

/* Reads available bytes, and waits for them when there are none. */
static enum client_result read_some(struct client *client) {
        enum client_result result;
        size_t size;
        char *space = frames_space(&client->frames, &size);
        ssize_t n;

        /* Before each read: a peer that keeps sending must not outrun the deadline. */
        result = wait_for(client, POLLIN);
        if (result != CLIENT_DONE)
                return result;
        n = recv(client->fd, space, size, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return CLIENT_DONE;
        if (n == 0 || (n < 0 && errno == ECONNRESET))
                return fail(client, CLIENT_NOT_REACHED, -ECONNRESET,
                            frames_half(&client->frames) ? "the connection was closed within an answer"
                                                         : "the connection was closed without an answer");
        if (n < 0) {
                int r = -errno;

                return fail(client, CLIENT_NOT_REACHED, r, "%s", strerror(-r));
        }
        frames_received(&client->frames, (size_t)n);
        client->received += (size_t)n;
        if (client->received > CLIENT_TOTAL_MAX)
                return not_a_reply(client, "the replies to one call are too long");
        return CLIENT_DONE;
}

enum client_result client_receive(struct client *client, struct client_reply *ret) {
        for (;;) {
                bool dropping = client->frames.dropping;
                enum client_result result;
                char *message;
                size_t length;

                switch (frames_next(&client->frames, &message, &length)) {
                case FRAME_MESSAGE:
                        return parse(client, message, length, ret);
                case FRAME_TOO_LONG: /* reported already, at its beginning */
                        continue;
                case FRAME_NONE:
                        break;
                }
                /* Reported at once: its end may never arrive. */
                if (client->frames.dropping && !dropping)
                        return not_a_reply(client, "it is too long");
                result = read_some(client);
                if (result != CLIENT_DONE)
                        return result;
        }
}

void client_wait_again(struct client *client) {
        client->deadline_ns = clock_ns(CLOCK_MONOTONIC) + client->timeout_ms * NS_PER_MS;
        client->received = 0;
}

enum client_result client_call(struct client *client, const char *method, json_t *parameters,
                               struct client_reply *ret) {
        enum client_result result = client_send(client, method, parameters, false);

        return result == CLIENT_DONE ? client_receive(client, ret) : result;
}
