/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/connection.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include "agent/audit.h"
#include "common/clock.h"
#include "common/debug.h"

enum {
        TURN_ACCURACY_US = 1000,  /* 0 would be sd_event's own quarter of a second */
        OUTPUT_LONG = 128 * 1024, /* bytes; only lists are longer */
};

/* --- state ------------------------------------------------------------------------------------------------------------ */

/*
 * Also gives memory below what is still in use back to the kernel: lists for several clients at once grow on the heap, and a small
 * piece behind them would keep all of it.
 */
static void drop_output(struct connection *connection) {
        bool is_long = connection->output_length > OUTPUT_LONG;

        free(connection->output);
        connection->output = NULL;
        connection->output_sent = connection->output_length = 0;
        if (is_long)
                (void)malloc_trim(0);
}

static bool output_waits(const struct connection *connection) {
        return connection->output_sent < connection->output_length;
}

bool connection_silent(const struct connection *connection) {
        return !connection->busy && connection->next == CONNECTION_NEXT_NONE && !output_waits(connection) &&
               !frames_half(&connection->frames);
}

bool connection_unsigned_ok(const struct connection *connection) {
        return connection->home->channel == CONNECTION_ADMIN ||
               connection->home->agent->config->trust == CONFIG_TRUST_CHANNEL;
}

void connection_close(struct connection *connection) {
        if (!connection)
                return;
        connection->home->closed(connection->home->context, connection);
        if (connection->lookup)
                nss_cancel(connection->lookup);
        free(connection->lookup_context);
        sd_event_source_disable_unref(connection->io);
        sd_event_source_disable_unref(connection->timer);
        sd_event_source_disable_unref(connection->turn);
        call_clear(&connection->call);
        drop_output(connection);
        if (connection->fd >= 0)
                (void)close(connection->fd);
        free(connection);
}

/* --- replies -------------------------------------------------------------------------------------------------------------- */

/* Sends what the peer takes now. Send errors are not logged: the peer is gone. */
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
                connection->silent_since_ns = clock_ns(CLOCK_MONOTONIC);
        }
        drop_output(connection);
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

/* Takes ownership of `message`. */
static void answer(struct connection *connection, json_t *message, bool last) {
        char *text = connection->call.oneway ? NULL : json_dumps(message, JSON_COMPACT);
        bool queued = connection->call.oneway || (text && queue(connection, text, strlen(text) + 1));

        free(text);
        json_decref(message);
        if (!queued) {
                audit_note(LOG_ERR, "reply: could not be made: no memory");
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
        debug_line("replied: success");
        answer(connection, json_pack("{so}", "parameters", parameters), true);
}

void connection_reply_part(struct connection *connection, json_t *parameters) {
        answer(connection, json_pack("{sosb}", "parameters", parameters, "continues", 1), false);
}

void connection_error(struct connection *connection, const char *error, json_t *parameters) {
        debug_line("replied: %s", error);
        answer(connection, json_pack("{ssso}", "error", error, "parameters", parameters), true);
}

void connection_refuse(struct connection *connection, const struct refused *why) {
        /* A name from the name service need not be UTF-8, and JSON text is. */
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

void connection_invalid_parameter(struct connection *connection, const char *parameter) {
        connection_error(connection, VARLINK_SERVICE ".InvalidParameter", json_pack("{ss}", "parameter", parameter));
}

/* --- the name service ----------------------------------------------------------------------------------------------------- */

static void on_looked_up(void *context, const struct nss_answer *answer) {
        struct connection *connection = context;
        void *lookup_context = connection->lookup_context;

        connection->lookup = NULL;
        connection->lookup_context = NULL; /* the caller's again */
        connection->looked_up(lookup_context, answer);
}

void connection_look_up(struct connection *connection, const char *user, char *const *groups, size_t n_groups,
                        nss_done done, void *context) {
        struct nss_answer answer = {.outcome = NSS_FAILURE};
        int r;

        connection->looked_up = done;
        connection->lookup_context = context;
        r = nss_lookup(connection->home->budget->nss, user, groups, n_groups, on_looked_up, connection,
                       &connection->lookup);
        if (r >= 0)
                return;
        if (r == -EINVAL) /* empty or too long */
                answer.outcome = NSS_NO_SUCH_USER;
        (void)snprintf(answer.user, sizeof(answer.user), "%s", user);
        (void)snprintf(answer.message, sizeof(answer.message), "name service: could not be asked: %s", strerror(-r));
        on_looked_up(connection, &answer);
}

/* --- calls in their turn -------------------------------------------------------------------------------------------------- */

/* Carries out what is next. */
static void on_next(struct connection *connection) {
        enum connection_next next = connection->next;
        struct refused why;

        connection->next = CONNECTION_NEXT_NONE;
        switch (next) {
        case CONNECTION_NEXT_NONE:
                return;
        case CONNECTION_NEXT_CALL:
                connection->busy = true;
                connection->home->call(connection);
                return;
        case CONNECTION_NEXT_MALFORMED:
                if (ratelimit_note(connection->home->budget))
                        audit_note(LOG_NOTICE, "message: not a varlink call; dropped");
                break;
        case CONNECTION_NEXT_TOO_LONG:
                (void)refuse(&why, REFUSAL_TOO_LARGE, "message: longer than %d bytes with its NUL", FRAME_MAX);
                if (ratelimit_note(connection->home->budget))
                        audit_refused("message", &why, "", "", "");
                connection->busy = true;
                connection_refuse(connection, &why);
                break;
        }
        if (connection->home->channel != CONNECTION_RELAY)
                connection->closing = true;
}

/* Takes the next message from the stream. False when there is no whole one. */
static bool take_next(struct connection *connection) {
        size_t length;
        char *message;

        switch (frames_next(&connection->frames, &message, &length)) {
        case FRAME_NONE:
                connection->drained = true;
                return false;
        case FRAME_MESSAGE:
                connection->next = call_parse(message, length, &connection->call) ? CONNECTION_NEXT_CALL
                                                                                  : CONNECTION_NEXT_MALFORMED;
                break;
        case FRAME_TOO_LONG:
                connection->next = CONNECTION_NEXT_TOO_LONG;
                break;
        }
        expiry_postpone_exit(&connection->home->agent->expiry);
        connection->drained = false;
        connection->next_usec = 0;
        /* What is half received from here on is another message. */
        connection->half_since_ns = 0;
        return true;
}

/* Carries out one message, if its reply can leave and the budget has room, and looks for another. */
static void take_messages(struct connection *connection) {
        for (bool carried_out = false; !connection->busy && !connection->closing; carried_out = true) {
                int64_t wait_ns;

                flush(connection);
                if (output_waits(connection) || connection->closing)
                        return;
                if (connection->next == CONNECTION_NEXT_NONE && !take_next(connection))
                        return;
                if (carried_out)
                        return;
                wait_ns = connection->home->wait(connection);
                if (wait_ns > 0) {
                        connection->next_usec = (uint64_t)(clock_ns(CLOCK_MONOTONIC) + wait_ns) / 1000 + 1;
                        return;
                }
                on_next(connection);
        }
}

/* --- deadlines and the event loop ----------------------------------------------------------------------------------------- */

static int64_t deadline_ns(struct connection *connection) {
        if (connection->busy || connection->next != CONNECTION_NEXT_NONE)
                return INT64_MAX; /* the method has limits of its own, and nothing is expected of the peer */
        if (output_waits(connection))
                return connection->silent_since_ns + CONNECTION_STALL_S * NS_PER_S;
        if (!frames_half(&connection->frames)) {
                connection->half_since_ns = 0;
                return connection->silent_since_ns + CONNECTION_IDLE_S * NS_PER_S;
        }
        /* From the first byte: one that sends a byte a second gets no longer than one that sends none. */
        if (connection->half_since_ns == 0)
                connection->half_since_ns = clock_ns(CLOCK_MONOTONIC);
        return connection->half_since_ns + CONNECTION_STALL_S * NS_PER_S;
}

static bool is_over(const struct connection *connection) {
        if (output_waits(connection) || connection->busy)
                return false;
        /* What was received is also carried out when the peer is gone. */
        return connection->closing ||
               (connection->ended && connection->drained && connection->next == CONNECTION_NEXT_NONE);
}

/* Whether the socket is to be read or written now; else a call is being carried out, or waits for its turn. */
static bool uses_socket(const struct connection *connection) {
        return output_waits(connection) || (!connection->busy && connection->next == CONNECTION_NEXT_NONE);
}

static int wait_for_peer(struct connection *connection) {
        int64_t deadline = deadline_ns(connection);
        int r = 0;

        /* While the socket is not used, on_io() stops the events when there is one: mostly there is none until the reply. */
        if (uses_socket(connection)) {
                r = sd_event_source_set_io_events(connection->io, output_waits(connection) ? EPOLLOUT : EPOLLIN);
                if (r >= 0)
                        r = sd_event_source_set_enabled(connection->io, SD_EVENT_ON);
        }
        if (r >= 0 && deadline != INT64_MAX)
                r = sd_event_source_set_time(connection->timer, (uint64_t)deadline / 1000);
        if (r >= 0)
                r = sd_event_source_set_enabled(connection->timer,
                                                deadline == INT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
        return r;
}

static int wait_for_turn(struct connection *connection, bool waits) {
        int r = waits ? sd_event_source_set_time(connection->turn, connection->next_usec) : 0;

        return r < 0 ? r : sd_event_source_set_enabled(connection->turn, waits ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* Closes the connection if its time has come, or waits for what must come next. */
static void settle(struct connection *connection) {
        bool has_turn;

        if (connection->closing || connection->ended)
                flush(connection);
        if (is_over(connection)) {
                connection_close(connection);
                return;
        }
        has_turn = connection->next != CONNECTION_NEXT_NONE && !connection->busy && !output_waits(connection);
        if (wait_for_peer(connection) < 0 || wait_for_turn(connection, has_turn) < 0)
                connection_close(connection);
}

static void connection_work(struct connection *connection) {
        connection->working = true;
        take_messages(connection);
        connection->working = false;
        settle(connection);
}

/* Reads once. A peer that has sent more gets its turn again. */
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
        connection->silent_since_ns = clock_ns(CLOCK_MONOTONIC);
        frames_received(&connection->frames, (size_t)n);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context) {
        struct connection *connection = context;

        (void)fd;
        if (!uses_socket(connection))
                return sd_event_source_set_enabled(source, SD_EVENT_OFF);
        if (connection->drained && !output_waits(connection))
                receive(connection);
        else if (events & (EPOLLHUP | EPOLLERR))
                connection->closing = true;
        connection_work(connection);
        return 0;
}

static int on_turn(sd_event_source *source, uint64_t usec, void *context) {
        (void)source;
        (void)usec;
        connection_work(context);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context) {
        (void)source;
        (void)usec;
        connection_close(context);
        return 0;
}

static int add_sources(struct connection *connection) {
        sd_event *event = connection->home->agent->event;
        sd_event_source **const sources[] = {&connection->io, &connection->timer, &connection->turn};
        int r;

        r = sd_event_add_io(event, &connection->io, connection->fd, EPOLLIN, on_io, connection);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &connection->timer, CLOCK_MONOTONIC,
                                               CONNECTION_IDLE_S * UINT64_C(1000000), 0, on_timer, connection);
        if (r >= 0)
                r = sd_event_add_time(event, &connection->turn, CLOCK_MONOTONIC, 0, TURN_ACCURACY_US, on_turn,
                                      connection);
        if (r >= 0)
                r = sd_event_source_set_enabled(connection->turn, SD_EVENT_OFF);
        for (size_t i = 0; r >= 0 && i < sizeof(sources) / sizeof(sources[0]); i++)
                r = sd_event_source_set_priority(*sources[i], connection->home->priority);
        return r;
}

int connection_new(const struct connection_home *home, int fd, struct connection **ret) {
        struct connection *connection;
        int r;

        connection = malloc(sizeof(*connection));
        if (!connection) {
                (void)close(fd);
                return -ENOMEM;
        }
        *connection = (struct connection){.home = home,
                                          .fd = fd,
                                          .drained = true,
                                          .call = CALL_INIT,
                                          .silent_since_ns = clock_ns(CLOCK_MONOTONIC)};
        r = add_sources(connection);
        if (r < 0) {
                connection_close(connection);
                return r;
        }
        *ret = connection;
        return 0;
}
