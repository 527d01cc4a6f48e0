/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "agent/audit.h"
#include "agent/stay.h"

static int64_t now_ns(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static bool output_waits(const struct connection *connection) {
        return connection->output_sent < connection->output_length;
}

bool connection_silent(const struct connection *connection) {
        return !connection->busy && !output_waits(connection) && !frames_half(&connection->frames);
}

void connection_close(struct connection *connection) {
        if (!connection)
                return;
        connection->home->closed(connection->home->context, connection);
        if (connection->lookup)
                nss_cancel(connection->lookup);
        free(connection->waiting);
        sd_event_source_disable_unref(connection->io);
        sd_event_source_disable_unref(connection->timer);
        call_clear(&connection->call);
        free(connection->output);
        if (connection->fd >= 0)
                (void)close(connection->fd);
        free(connection);
}

/* Sends what the peer takes now. Whoever does not listen any more is not worth a word. */
static void flush(struct connection *connection) {
        while (output_waits(connection)) {
                ssize_t n = send(connection->fd, connection->output + connection->output_sent,
                                 connection->output_length - connection->output_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return;
                if (n < 0) {
                        connection->closing = true;
                        break;
                }
                connection->output_sent += (size_t)n;
                connection->silent_since_ns = now_ns();
        }
        free(connection->output);
        connection->output = NULL;
        connection->output_sent = connection->output_length = 0;
}

static bool queue(struct connection *connection, const char *text, size_t length) {
        char *output = realloc(connection->output, connection->output_length + length);

        if (!output)
                return false;
        memcpy(output + connection->output_length, text, length);
        connection->output = output;
        connection->output_length += length;
        return true;
}

static void connection_work(struct connection *connection);

/* Takes `message` over. */
static void answer(struct connection *connection, json_t *message, bool last) {
        char *text = connection->call.oneway ? NULL : json_dumps(message, JSON_COMPACT);
        bool queued = connection->call.oneway || (text && queue(connection, text, strlen(text) + 1));

        free(text);
        json_decref(message);
        if (!queued) {
                audit_note(LOG_ERR, "A reply could not be made: no memory");
                connection->closing = true;
        }
        if (!last)
                return;
        connection->busy = false;
        call_clear(&connection->call);
        if (!connection->working)
                connection_work(connection);
}

void connection_reply(struct connection *connection, json_t *parameters) {
        answer(connection, json_pack("{so}", "parameters", parameters), true);
}

void connection_reply_part(struct connection *connection, json_t *parameters) {
        answer(connection, json_pack("{sosb}", "parameters", parameters, "continues", 1), false);
}

void connection_error(struct connection *connection, const char *error, json_t *parameters) {
        answer(connection, json_pack("{ssso}", "error", error, "parameters", parameters), true);
}

void connection_refuse(struct connection *connection, const struct refused *why) {
        /* A name from the name service need not be UTF-8, and then cannot be told. */
        json_t *message = json_string(why->message);
        json_t *parameters = json_pack("{so}", "message", message ? message : json_string(refusal_name(why->why)));
        char error[sizeof(VARLINK_INTERFACE) + 64];

        if (why->why == REFUSAL_INVALID_PAYLOAD && why->field[0] != '\0')
                (void)json_object_set_new(parameters, "field", json_string(why->field));
        if (why->why == REFUSAL_KEY_REJECTED)
                (void)json_object_set_new(parameters, "index", json_integer(why->index));
        if (why->why == REFUSAL_RATE_LIMITED)
                (void)json_object_set_new(parameters, "retryAfterMs", json_integer(why->retry_after_ms));
        (void)snprintf(error, sizeof(error), VARLINK_INTERFACE ".%s", refusal_name(why->why));
        connection_error(connection, error, parameters);
}

static void on_message(struct connection *connection, const char *message, size_t length) {
        stay(connection->home->agent);
        if (call_parse(message, length, &connection->call)) {
                connection->busy = true;
                connection->home->call(connection);
                return;
        }
        if (budget_note(connection->home->budget))
                audit_note(LOG_NOTICE, "A message that is no varlink call was dropped");
        if (connection->home->channel != CHANNEL_RELAY)
                connection->closing = true;
}

static void on_too_long(struct connection *connection) {
        struct refused why;

        stay(connection->home->agent);
        (void)refuse(&why, REFUSAL_TOO_LARGE, "A message may have %d bytes, its NUL included.", FRAME_MAX);
        if (budget_note(connection->home->budget))
                audit_refused("A message", &why, "", "", "");
        connection->busy = true;
        connection_refuse(connection, &why);
        if (connection->home->channel != CHANNEL_RELAY)
                connection->closing = true;
}

/* Carries out what has been received, as far as replies leave. */
static void take_messages(struct connection *connection) {
        while (!connection->busy && !connection->closing) {
                size_t length;
                char *message;

                flush(connection);
                if (output_waits(connection) || connection->closing)
                        return;
                switch (frames_next(&connection->frames, &message, &length)) {
                case FRAME_NONE:
                        return;
                case FRAME_MESSAGE:
                        on_message(connection, message, length);
                        break;
                case FRAME_TOO_LONG:
                        on_too_long(connection);
                        break;
                }
                /* What is half received from here on is another message. */
                connection->half_since_ns = 0;
        }
}

static int64_t deadline_ns(struct connection *connection) {
        if (connection->busy)
                return INT64_MAX; /* the method has limits of its own */
        if (output_waits(connection))
                return connection->silent_since_ns + CONNECTION_STALL_S * NS_PER_S;
        if (!frames_half(&connection->frames)) {
                connection->half_since_ns = 0;
                return connection->silent_since_ns + CONNECTION_IDLE_S * NS_PER_S;
        }
        /* From the first byte: one that sends a byte a second gets no longer than one that sends none. */
        if (connection->half_since_ns == 0)
                connection->half_since_ns = now_ns();
        return connection->half_since_ns + CONNECTION_STALL_S * NS_PER_S;
}

/* Closes the connection if its time has come, or waits for what must come next. */
static void settle(struct connection *connection) {
        int64_t deadline;
        uint32_t events;

        if (connection->closing || connection->ended)
                flush(connection);
        if (!output_waits(connection) && !connection->busy && (connection->closing || connection->ended)) {
                connection_close(connection);
                return;
        }
        events = output_waits(connection) ? EPOLLOUT : connection->busy ? 0 : EPOLLIN;
        deadline = deadline_ns(connection);
        if (sd_event_source_set_io_events(connection->io, events) < 0 ||
            sd_event_source_set_enabled(connection->io, connection->busy ? SD_EVENT_OFF : SD_EVENT_ON) < 0 ||
            (deadline != INT64_MAX && sd_event_source_set_time(connection->timer, (uint64_t)deadline / 1000) < 0) ||
            sd_event_source_set_enabled(connection->timer, deadline == INT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT) < 0)
                connection_close(connection);
}

static void connection_work(struct connection *connection) {
        connection->working = true;
        take_messages(connection);
        connection->working = false;
        settle(connection);
}

/* Reads once. A peer that has more to say gets its turn again. */
static void receive(struct connection *connection) {
        size_t size;
        char *space = frames_space(&connection->frames, &size);
        ssize_t n;

        n = recv(connection->fd, space, size, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n <= 0) {
                connection->ended = true;
                return;
        }
        connection->silent_since_ns = now_ns();
        frames_received(&connection->frames, (size_t)n);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context) {
        struct connection *connection = context;

        (void)source;
        (void)fd;
        if (!connection->busy && !output_waits(connection))
                receive(connection);
        else if (events & (EPOLLHUP | EPOLLERR))
                connection->closing = true;
        connection_work(connection);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context) {
        (void)source;
        (void)usec;
        connection_close(context);
        return 0;
}

int connection_new(const struct connection_home *home, int fd, const struct peer *peer, struct connection **ret) {
        sd_event *event = home->agent->event;
        struct connection *connection;
        int r;

        connection = malloc(sizeof(*connection));
        if (!connection) {
                (void)close(fd);
                return -ENOMEM;
        }
        *connection = (struct connection){
                .home = home, .peer = *peer, .fd = fd, .call = CALL_INIT, .silent_since_ns = now_ns()};
        r = sd_event_add_io(event, &connection->io, fd, EPOLLIN, on_io, connection);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &connection->timer, CLOCK_MONOTONIC,
                                               CONNECTION_IDLE_S * UINT64_C(1000000), 0, on_timer, connection);
        if (r < 0) {
                connection_close(connection);
                return r;
        }
        *ret = connection;
        return 0;
}
