/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "agent/audit.h"
#include "agent/varlink_service.h"
#include "common/debug.h"

enum { RETRY_ACCURACY_US = 10 * 1000 }; /* 0 would be sd_event's own quarter of a second */

/* --- peers ---------------------------------------------------------------------------------------------------------------- */

static int peer_cid(int fd, struct listener_peer *ret) {
        struct sockaddr_vm address = {0};
        socklen_t size = sizeof(address);

        if (getpeername(fd, (struct sockaddr *)&address, &size) < 0)
                return -errno;
        if (size < sizeof(address) || address.svm_family != AF_VSOCK)
                return -EAFNOSUPPORT;
        ret->id = address.svm_cid;
        return 0;
}

int listener_identify_peer(enum connection_channel channel, int fd, struct listener_peer *ret) {
        struct ucred credentials;
        socklen_t size = sizeof(credentials);

        if (channel == CONNECTION_VSOCK)
                return peer_cid(fd, ret);
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
                return -errno;
        if (size != sizeof(credentials))
                return -EINVAL;
        ret->id = credentials.uid;
        return 0;
}

bool listener_allows_peer(enum connection_channel channel, const struct listener_peer *peer, uid_t user) {
        switch (channel) {
        case CONNECTION_ADMIN:
                return peer->id == 0;
        case CONNECTION_RELAY:
        case CONNECTION_METADATA:
                return user != LISTENER_NO_USER && peer->id == user;
        case CONNECTION_VSOCK:
                return peer->id == VMADDR_CID_HOST;
        }
        return false;
}

/* --- slots ---------------------------------------------------------------------------------------------------------------- */

/* A connection was closed, and its slot is free. */
static void on_closed(void *context, const struct connection *connection) {
        struct listener *listener = context;

        for (size_t i = 0; i < LISTENER_CONNECTIONS_MAX; i++)
                if (listener->connections[i] == connection)
                        listener->connections[i] = NULL;
        if (listener->next_fd < 0) {
                (void)sd_event_source_set_enabled(listener->io, SD_EVENT_ON);
                (void)sd_event_source_set_enabled(listener->retry, SD_EVENT_OFF);
                return;
        }
        /* At once, but not from here, where that connection is still being closed. */
        (void)sd_event_source_set_time(listener->retry, 0);
        (void)sd_event_source_set_enabled(listener->retry, SD_EVENT_ONESHOT);
}

static struct connection **free_slot(struct listener *listener) {
        for (size_t i = 0; i < LISTENER_CONNECTIONS_MAX; i++)
                if (!listener->connections[i])
                        return &listener->connections[i];
        return NULL;
}

static struct connection *longest_silent(struct listener *listener) {
        struct connection *found = NULL;

        for (size_t i = 0; i < LISTENER_CONNECTIONS_MAX; i++) {
                struct connection *connection = listener->connections[i];

                if (connection && connection_silent(connection) &&
                    (!found || connection->silent_since_ns < found->silent_since_ns))
                        found = connection;
        }
        return found;
}

/* Accepts nothing for a moment. */
static void pause_accepting(struct listener *listener) {
        (void)sd_event_source_set_time_relative(listener->retry, LISTENER_GRACE_MS * UINT64_C(1000));
        (void)sd_event_source_set_enabled(listener->retry, SD_EVENT_ONESHOT);
        (void)sd_event_source_set_enabled(listener->io, SD_EVENT_OFF);
}

/* Whether there is a slot for the next connection. */
static bool make_room(struct listener *listener) {
        struct connection *silent;
        uint64_t now_usec;

        if (free_slot(listener))
                return true;
        silent = longest_silent(listener);
        if (silent && sd_event_now(listener->home.agent->event, CLOCK_MONOTONIC, &now_usec) >= 0 &&
            (int64_t)now_usec * 1000 - silent->silent_since_ns > LISTENER_GRACE_MS * INT64_C(1000000)) {
                connection_close(silent);
                return true;
        }
        pause_accepting(listener);
        return false;
}

static const char *channel_name(enum connection_channel channel) {
        switch (channel) {
        case CONNECTION_ADMIN:
                return "administration";
        case CONNECTION_RELAY:
                return "host";
        case CONNECTION_VSOCK:
                return "vsock";
        case CONNECTION_METADATA:
                return "metadata";
        }
        return "?";
}

/* --- connections ---------------------------------------------------------------------------------------------------------- */

static void note_wrong_peer(struct listener *listener, const struct listener_peer *peer) {
        if (ratelimit_note(&listener->budget))
                audit_note(LOG_NOTICE, "%s socket: %s %" PRIu32 " is not allowed here; connection closed",
                           channel_name(listener->home.channel),
                           listener->home.channel == CONNECTION_VSOCK ? "CID" : "user id", peer->id);
}

/* Gives a slot to the connection that was accepted last, or lets it wait for one. */
static void assign_slot(struct listener *listener) {
        struct connection *connection;
        int fd = listener->next_fd, r;

        if (fd < 0 || !make_room(listener))
                return;
        listener->next_fd = -EBADF;
        r = connection_new(&listener->home, fd, &connection);
        if (r < 0)
                audit_note(LOG_ERR, "connection: could not be set up: %s", strerror(-r));
        else
                *free_slot(listener) = connection;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *context) {
        struct listener *listener = context;

        (void)source;
        (void)usec;
        (void)sd_event_source_set_enabled(listener->io, SD_EVENT_ON);
        assign_slot(listener);
        return 0;
}

/* The identity comes first: a wrong peer must not cost another one its slot. */
static int on_connect(sd_event_source *source, int listen_fd, uint32_t events, void *context) {
        struct listener *listener = context;
        struct listener_peer peer;
        int fd, r;

        (void)source;
        (void)events;
        if (listener->next_fd >= 0) {
                assign_slot(listener);
                return 0;
        }
        fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
                /* Descriptors or memory are short: trying again at once would only burn time. */
                if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                        pause_accepting(listener);
                return 0;
        }
        r = listener_identify_peer(listener->home.channel, fd, &peer);
        if (r < 0 || !listener_allows_peer(listener->home.channel, &peer, listener->user)) {
                debug_line("closed: a peer that is not allowed on the %s socket", channel_name(listener->home.channel));
                if (r >= 0)
                        note_wrong_peer(listener, &peer);
                (void)close(fd);
                return 0;
        }
        debug_line("accepted: %s %" PRIu32 " on the %s socket",
                   listener->home.channel == CONNECTION_VSOCK ? "CID" : "user id", peer.id,
                   channel_name(listener->home.channel));
        expiry_await_message(&listener->home.agent->expiry);
        listener->next_fd = fd;
        assign_slot(listener);
        return 0;
}

/* --- sockets -------------------------------------------------------------------------------------------------------------- */

static uid_t user_id(const char *name) {
        const struct passwd *entry = getpwnam(name);

        return entry ? entry->pw_uid : LISTENER_NO_USER;
}

static uid_t user_of(enum connection_channel channel) {
        switch (channel) {
        case CONNECTION_RELAY:
                return user_id(LISTENER_RELAY_USER);
        case CONNECTION_METADATA:
                return user_id(LISTENER_METADATA_USER);
        case CONNECTION_ADMIN:
        case CONNECTION_VSOCK:
                break;
        }
        return LISTENER_NO_USER;
}

static int open_listener(struct listener *listener, struct agent *agent, int fd, enum connection_channel channel) {
        int r;

        *listener = (struct listener){.user = user_of(channel), .fd = fd, .next_fd = -EBADF};
        listener->home = (struct connection_home){
                .agent = agent,
                .channel = channel,
                .priority = channel == CONNECTION_ADMIN ? CONNECTION_PRIORITY_ADMIN : CONNECTION_PRIORITY_HOST,
                .budget = &listener->budget,
                .wait = varlink_service_wait,
                .call = varlink_service_call,
                .closed = on_closed,
                .context = listener,
        };
        r = fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
        if (r >= 0)
                r = sd_event_add_io(agent->event, &listener->io, fd, EPOLLIN, on_connect, listener);
        if (r >= 0)
                r = sd_event_source_set_priority(listener->io, listener->home.priority);
        if (r >= 0)
                r = sd_event_add_time_relative(agent->event, &listener->retry, CLOCK_MONOTONIC, 0, RETRY_ACCURACY_US,
                                               on_retry, listener);
        if (r >= 0)
                r = sd_event_source_set_priority(listener->retry, listener->home.priority);
        if (r >= 0)
                r = sd_event_source_set_enabled(listener->retry, SD_EVENT_OFF);
        if (r >= 0)
                r = ratelimit_start(&listener->budget, agent->event, listener->home.priority);
        if (r < 0)
                audit_note(LOG_ERR, "%s socket: cannot be served: %s", channel_name(channel), strerror(-r));
        return r;
}

/* Which channel a socket is, by its kind and by the name that its unit gives it. */
static int channel_of(int fd, const char *name, enum connection_channel *ret) {
        if (sd_is_socket(fd, AF_VSOCK, SOCK_STREAM, 1) > 0)
                *ret = CONNECTION_VSOCK;
        else if (sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0 && strcmp(name, "admin") == 0)
                *ret = CONNECTION_ADMIN;
        else if (sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0 && strcmp(name, "host") == 0)
                *ret = CONNECTION_RELAY;
        else if (sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0 && strcmp(name, "metadata") == 0)
                *ret = CONNECTION_METADATA;
        else
                return -EINVAL;
        return 0;
}

static int take_sockets(struct listeners *listeners, struct agent *agent, char *const *names, int n) {
        for (int i = 0; i < n; i++) {
                int fd = SD_LISTEN_FDS_START + i, r;
                enum connection_channel channel;

                r = channel_of(fd, names[i], &channel);
                if (r < 0) {
                        audit_note(LOG_ERR,
                                   "socket \"%s\": not usable: a listening unix stream socket must be named \"admin\", "
                                   "\"host\" or \"metadata\" with FileDescriptorName= (systemd.socket(5)); one of "
                                   "vsock may have any name",
                                   names[i]);
                        return r;
                }
                r = open_listener(&listeners->listener[listeners->n++], agent, fd, channel);
                if (r < 0)
                        return r;
        }
        return 0;
}

int listeners_start(struct listeners *listeners, struct agent *agent) {
        char **names = NULL;
        int n, r;

        *listeners = (struct listeners){.n = 0};
        n = sd_listen_fds_with_names(1, &names);
        if (n <= 0) {
                audit_note(LOG_ERR,
                           "sockets: none was passed; the agent is started by exc-instance-connect.socket, not by "
                           "hand%s%s",
                           n < 0 ? ": " : "", n < 0 ? strerror(-n) : "");
                return n < 0 ? n : -ENOTCONN;
        }
        if (n > LISTENERS_MAX) {
                audit_note(LOG_ERR, "sockets: %d were passed, and at most %d can be served", n, LISTENERS_MAX);
                r = -E2BIG;
        } else {
                r = take_sockets(listeners, agent, names, n);
        }
        for (int i = 0; i < n; i++)
                free(names[i]);
        free(names);
        return r;
}

void listeners_stop(struct listeners *listeners) {
        for (size_t i = 0; i < listeners->n; i++) {
                struct listener *listener = &listeners->listener[i];

                for (size_t j = 0; j < LISTENER_CONNECTIONS_MAX; j++)
                        connection_close(listener->connections[j]);
                if (listener->next_fd >= 0)
                        (void)close(listener->next_fd);
                ratelimit_stop(&listener->budget);
                listener->io = sd_event_source_disable_unref(listener->io);
                listener->retry = sd_event_source_disable_unref(listener->retry);
        }
}
