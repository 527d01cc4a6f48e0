/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest in the test's process: an agent over a scratch store and one connection to it, as the agent makes them, from bytes to
 * bytes. Time, name service and journal are the test's: a test that includes this is linked with --wrap=adjtimex,
 * --wrap=clock_gettime, --wrap=sd_event_add_time, --wrap=sd_event_source_set_time, --wrap=getpwnam_r and
 * --wrap=audit_queue_add.
 */
#ifndef EXC_AGENT_GUEST_H
#define EXC_AGENT_GUEST_H

#include <pthread.h>
#include <pwd.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <time.h>

#include "agent/audit_queue.h"
#include "agent/connection.h"
#include "agent/varlink_service.h"
#include "tests/unit/scratch.h"

#define GUEST_INTERFACE VARLINK_INTERFACE "."

enum { GUEST_REPLY_MAX = 64 * 1024, GUEST_WAIT_S = 300 }; /* far more than a reply takes, also emulated */

/* What the agent sees of the world. Every user exists under the name that was asked for, except `alias` and `missing`. */
static struct {
        int64_t wall_s, boot_s;
        int64_t born_s;              /* on the boot clock: when the memory of signed requests was made */
        int64_t max_error_us;        /* of the wall clock */
        bool unsync;                 /* STA_UNSYNC, which must not matter */
        const char *alias, *account; /* another name of an account, and its own; NULL: there is none */
        const char *missing;         /* a user that does not exist; NULL: none */
        bool no_names;               /* the name service fails */
        pthread_mutex_t names;       /* held: the name service does not answer */
        size_t n_events;             /* sent to the journal */
} world = {.names = PTHREAD_MUTEX_INITIALIZER};

void __wrap_audit_queue_add(const struct journal_entry *entry, const char *message);
void __wrap_audit_queue_add(const struct journal_entry *entry, const char *message) {
        (void)entry;
        (void)message;
        world.n_events++;
}

int __wrap_adjtimex(struct timex *state);
int __wrap_adjtimex(struct timex *state) {
        *state = (struct timex){.status = world.unsync ? STA_UNSYNC : 0, .maxerror = world.max_error_us};
        return world.unsync ? TIME_ERROR : TIME_OK;
}

int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret) {
        if (id != CLOCK_REALTIME && id != CLOCK_BOOTTIME)
                return __real_clock_gettime(id, ret);
        *ret = (struct timespec){.tv_sec = id == CLOCK_REALTIME ? world.wall_s : world.boot_s};
        return 0;
}

/*
 * A timer on the boot clock waits for what is left until then on the test's clock. Else it would depend on how long the machine
 * is up: behind the machine's clock it would never stop firing.
 */
static uint64_t guest_machine_usec(uint64_t usec) {
        const uint64_t now_usec = (uint64_t)world.boot_s * 1000000;
        struct timespec real;

        (void)__real_clock_gettime(CLOCK_BOOTTIME, &real);
        return (uint64_t)real.tv_sec * 1000000 + (uint64_t)real.tv_nsec / 1000 +
               (usec > now_usec ? usec - now_usec : 0);
}

int __real_sd_event_add_time(sd_event *event, sd_event_source **ret, clockid_t id, uint64_t usec,
                             uint64_t accuracy_usec, sd_event_time_handler_t callback, void *context);
int __wrap_sd_event_add_time(sd_event *event, sd_event_source **ret, clockid_t id, uint64_t usec,
                             uint64_t accuracy_usec, sd_event_time_handler_t callback, void *context);
int __wrap_sd_event_add_time(sd_event *event, sd_event_source **ret, clockid_t id, uint64_t usec,
                             uint64_t accuracy_usec, sd_event_time_handler_t callback, void *context) {
        return __real_sd_event_add_time(event, ret, id, id == CLOCK_BOOTTIME ? guest_machine_usec(usec) : usec,
                                        accuracy_usec, callback, context);
}

int __real_sd_event_source_set_time(sd_event_source *source, uint64_t usec);
int __wrap_sd_event_source_set_time(sd_event_source *source, uint64_t usec);
int __wrap_sd_event_source_set_time(sd_event_source *source, uint64_t usec) {
        clockid_t id;

        if (sd_event_source_get_time_clock(source, &id) >= 0 && id == CLOCK_BOOTTIME)
                usec = guest_machine_usec(usec);
        return __real_sd_event_source_set_time(source, usec);
}

int __wrap_getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size, struct passwd **ret);
int __wrap_getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size, struct passwd **ret) {
        (void)pthread_mutex_lock(&world.names);
        (void)pthread_mutex_unlock(&world.names);
        *ret = NULL;
        if (world.no_names)
                return EIO;
        if (world.missing && strcmp(name, world.missing) == 0)
                return 0;
        if (world.alias && strcmp(name, world.alias) == 0)
                name = world.account;
        if (strlen(name) >= size)
                return ERANGE;
        memcpy(buffer, name, strlen(name) + 1);
        *entry = (struct passwd){.pw_name = buffer, .pw_uid = 1000, .pw_gid = 1000};
        *ret = entry;
        return 0;
}

_Noreturn static inline void guest_give_up(const char *what) {
        (void)printf("Bail out! %s: %s\n", what, strerror(errno));
        /* LeakSanitizer cannot trace a process of the agent's user, and ends it before exit() writes this. */
        (void)fflush(stdout);
        exit(1);
}

/* Nothing of the machine may give this guest an instance id or an anchor. */
static inline void guest_hide_the_machine(void) {
        scratch_mount_namespace();
        if (mount("tmpfs", "/sys", "tmpfs", 0, NULL) < 0 || unsetenv("CREDENTIALS_DIRECTORY") < 0)
                guest_give_up("/sys");
        if (access("/usr/share/exc-instance-connect", F_OK) == 0 &&
            mount("tmpfs", "/usr/share/exc-instance-connect", "tmpfs", 0, NULL) < 0)
                guest_give_up("/usr/share/exc-instance-connect");
}

enum { GUEST_SYNCHRONIZED_US = 1000, GUEST_NEVER_SYNCHRONIZED_US = 16000000 };

struct guest {
        struct agent agent;
        struct ratelimit budget;
        struct connection_home home;
        struct connection *connection;
        int fd; /* the peer's end */
        size_t got;
        char reply[GUEST_REPLY_MAX];
};

static inline void guest_on_closed(void *context, const struct connection *connection) {
        struct guest *guest = context;

        (void)connection;
        guest->connection = NULL;
}

static inline void guest_connect(struct guest *guest) {
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ||
            connection_new(&guest->home, pair[1], &guest->connection) < 0)
                guest_give_up("connection_new");
        guest->fd = pair[0];
        guest->got = 0;
}

static inline void guest_make_memory(const char *root) {
        struct replay replay = REPLAY_INIT;
        struct revocations revocations = REVOCATIONS_INIT;
        char path[128];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/state", root);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                guest_give_up(path);
        /* A damaged one stays as it is. */
        if (replay_open(fd, world.born_s * NS_PER_S, &replay) >= 0)
                (void)revocations_open(fd, replay.birth_boot_ns, &revocations);
        revocations_close(&revocations);
        replay_close(&replay);
        (void)close(fd);
}

static inline void guest_start(struct guest *guest, const char *root, const char *config_dir,
                               enum connection_channel channel) {
        guest_make_memory(root);
        if (agent_start(&guest->agent, root, config_dir) < 0 ||
            ratelimit_start(&guest->budget, guest->agent.event, CONNECTION_PRIORITY_HOST) < 0)
                guest_give_up("agent_start");
        guest->home = (struct connection_home){
                .agent = &guest->agent,
                .channel = channel,
                .priority = CONNECTION_PRIORITY_HOST,
                .budget = &guest->budget,
                .wait = varlink_service_wait,
                .call = varlink_service_call,
                .closed = guest_on_closed,
                .context = guest,
        };
        guest_connect(guest);
}

static inline void guest_disconnect(struct guest *guest) {
        connection_close(guest->connection);
        (void)close(guest->fd);
}

static inline void guest_stop(struct guest *guest) {
        guest_disconnect(guest);
        ratelimit_stop(&guest->budget);
        agent_stop(&guest->agent);
}

static inline void guest_run(struct guest *guest) {
        if (sd_event_run(guest->agent.event, 10000) < 0)
                guest_give_up("sd_event_run");
}

/* Sends a message with its NUL. */
static inline void guest_send(struct guest *guest, const char *message) {
        size_t length = strlen(message) + 1, sent = 0;

        while (sent < length) {
                ssize_t n = send(guest->fd, message + sent, length - sent, MSG_NOSIGNAL);

                if (n < 0 && errno != EAGAIN)
                        return; /* the connection was closed, which guest_receive() finds */
                sent += n > 0 ? (size_t)n : 0;
                guest_run(guest);
        }
}

/* The next reply; the caller drops it. NULL: the connection was closed without one. */
static inline json_t *guest_receive(struct guest *guest) {
        struct timespec now, since;

        (void)__real_clock_gettime(CLOCK_MONOTONIC, &since);
        do {
                ssize_t n = recv(guest->fd, guest->reply + guest->got, sizeof(guest->reply) - guest->got, 0);

                if (n == 0 && guest->got == 0)
                        return NULL;
                guest->got += n > 0 ? (size_t)n : 0;
                if (guest->got > 0 && guest->reply[guest->got - 1] == '\0') {
                        json_t *reply = json_loads(guest->reply, JSON_REJECT_DUPLICATES, NULL);

                        if (!reply || strlen(guest->reply) != guest->got - 1)
                                guest_give_up(guest->reply);
                        guest->got = 0;
                        return reply;
                }
                guest_run(guest);
                (void)__real_clock_gettime(CLOCK_MONOTONIC, &now);
        } while (now.tv_sec - since.tv_sec <= GUEST_WAIT_S);
        guest_give_up("there was no reply");
}

static inline json_t *guest_ask(struct guest *guest, const char *message) {
        guest_send(guest, message);
        return guest_receive(guest);
}

/* The message of a call; the caller frees it and keeps `parameters`. */
static inline char *guest_call(const char *method, json_t *parameters) {
        char name[128], *text;
        json_t *call;

        (void)snprintf(name, sizeof(name), GUEST_INTERFACE "%s", method);
        call = json_pack("{ss sO}", "method", name, "parameters", parameters);
        text = json_dumps(call, JSON_COMPACT);
        if (!text)
                guest_give_up("json_dumps");
        json_decref(call);
        return text;
}

static inline json_t *guest_ask_object(struct guest *guest, const char *method, json_t *parameters) {
        char *text = guest_call(method, parameters);
        json_t *reply = guest_ask(guest, text);

        free(text);
        return reply;
}

#endif
