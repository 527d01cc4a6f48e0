/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/host_reports.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <syslog.h>
#include <time.h>

#include "cloud/api/journal.h"
#include "wire/client.h"
#include "wire/json_dispatch.h"
#include "wire/vm_id.h"

enum {
        CONNECT_MS = 5 * 1000,
        WAIT_MS = 24 * 60 * 60 * 1000, /* for the next change; a host that is silent for a day is asked again */
        PAUSE_MIN_S = 1,               /* before a host is asked again */
        PAUSE_MAX_S = 30,
};

#define METHOD "in.excloud.Host.Report"
#define TIME_MAX_S (INT64_C(1) << 40)

struct watch {
        struct host_reports *home;
        const struct api_host *host;
        pthread_t thread;
        int fd;     /* of the connection, for others to end it; with the lock */
        bool again; /* it was ended to ask again; with the lock */
        bool complained;
        struct store *store;
        struct host_report reports[HOST_REPORT_MAX];
};

struct host_reports {
        const struct api *api;
        pthread_mutex_t lock;
        pthread_cond_t stopped;
        bool stop;
        size_t n;
        struct watch watches[];
};

/* --- one message ------------------------------------------------------------------------------------------------- */

static const char *const kinds[] = {"vsock", "hybrid", "serial", "unix", NULL};
static const char *const states[] = {"unknown", "reachable", "unreachable", NULL};

static enum refusal take_word(const struct json_dispatch_field *field, const char *const *words, json_t *value,
                              char *ret, struct refused *ret_why) {
        for (; *words; words++)
                if (json_is_string(value) && strcmp(json_string_value(value), *words) == 0) {
                        memcpy(ret, *words, strlen(*words) + 1);
                        return REFUSAL_NONE;
                }
        return json_dispatch_refuse(field, ret_why);
}

static enum refusal take_kind(const struct json_dispatch_field *field, json_t *value, void *member,
                              struct refused *ret_why) {
        return take_word(field, kinds, value, member, ret_why);
}

static enum refusal take_state(const struct json_dispatch_field *field, json_t *value, void *member,
                               struct refused *ret_why) {
        return take_word(field, states, value, member, ret_why);
}

static const struct json_dispatch_field fields[] = {
        {"id", json_dispatch_text, offsetof(struct host_report, id), .min = 1, .max = STORE_NAME_MAX - 1,
         .required = true, .expected = "an instance's id"},
        {"kind", take_kind, offsetof(struct host_report, kind), .required = true, .expected = "a kind of channel"},
        {"state", take_state, offsetof(struct host_report, state), .required = true, .expected = "a state"},
        {"firstSeen", json_dispatch_integer, offsetof(struct host_report, first_seen), .max = TIME_MAX_S,
         .expected = "Unix seconds"},
        {.name = NULL},
};

bool host_reports_parse(json_t *parameters, struct host_report *ret, size_t *ret_n) {
        json_t *list = json_object_get(parameters, "instances"), *item;
        struct refused why;
        size_t i, n = 0;

        if (!json_is_array(list) || json_array_size(list) > HOST_REPORT_MAX)
                return false;
        json_array_foreach(list, i, item) {
                struct host_report report = {.first_seen = 0};

                if (!json_is_object(item) || json_dispatch(item, fields, JSON_DISPATCH_NULL_IS_ABSENT, &report, &why))
                        return false;
                if (vm_id_valid(report.id))
                        ret[n++] = report;
        }
        *ret_n = n;
        return true;
}

/* A host that reports about others' must not fill the disk with it. */
static void note(const struct watch *watch, const struct host_report *report) {
        const struct api *api = watch->home->api;
        const struct audit_event event = {
                .kind = AUDIT_NOTE,
                .vm_id = report->id,
                .host = watch->host->name,
                .message = "a host reports about an instance of another host; nothing is changed",
        };
        char head[AUDIT_HASH_MAX];
        int r;

        if (limits_take(api->limits, LIMIT_NOTE, watch->host->name, monotonic_ns()) != 0)
                return;
        r = audit_write(api->audit, &event, head);
        if (r < 0)
                journal_note(LOG_ERR, "audit: cannot write that host %s reports about instance %s of another: %s",
                             watch->host->name, report->id, strerror(-r));
}

static void keep(const struct watch *watch, const struct host_report *report) {
        switch (store_instance_report(watch->store, report->id, watch->host->name, report->kind, report->state,
                                      report->first_seen)) {
        case STORE_INVALID:
                note(watch, report);
                break;
        case STORE_UNAVAILABLE:
                journal_note(LOG_ERR, "store: cannot keep what host %s reports about %s: %s", watch->host->name,
                             report->id, store_why(watch->store));
                break;
        default: /* kept, or not in the register */
                break;
        }
}

/* --- one host ---------------------------------------------------------------------------------------------------- */

/* Says once, until the host reports again, why it does not. */
static void complain(struct watch *watch, const char *why) {
        if (!watch->complained)
                journal_note(LOG_WARNING, "host %s: no reports: %s; trying again", watch->host->name, why);
        watch->complained = true;
}

/* Publishes the connection's descriptor, so that others can end it; -1 before it is closed. */
static bool publish(struct watch *watch, int fd) {
        bool stop;

        (void)pthread_mutex_lock(&watch->home->lock);
        stop = watch->home->stop;
        watch->fd = fd;
        if (fd >= 0)
                watch->again = false;
        (void)pthread_mutex_unlock(&watch->home->lock);
        return !stop;
}

/* Whether this program ended the connection. */
static bool was_shut_down(struct watch *watch) {
        bool shut;

        (void)pthread_mutex_lock(&watch->home->lock);
        shut = watch->again || watch->home->stop;
        (void)pthread_mutex_unlock(&watch->home->lock);
        return shut;
}

/* Reads replies until the connection ends. */
static void follow(struct watch *watch, struct client *client) {
        struct client_reply reply;
        enum client_result result;
        bool goes_on = true;
        size_t n;

        result = client_send(client, METHOD, json_object(), true);
        while (result == CLIENT_DONE && goes_on) {
                result = client_receive(client, &reply);
                if (result != CLIENT_DONE)
                        break;
                goes_on = reply.continues;
                if (!host_reports_parse(reply.parameters, watch->reports, &n)) {
                        json_decref(reply.parameters);
                        complain(watch, "it reports what its interface does not have");
                        return;
                }
                json_decref(reply.parameters);
                watch->complained = false;
                for (size_t i = 0; i < n; i++)
                        keep(watch, &watch->reports[i]);
                client_wait_again(client);
        }
        if (result == CLIENT_REFUSED) {
                complain(watch, reply.error);
                json_decref(reply.parameters);
        } else if (result != CLIENT_DONE && !was_shut_down(watch))
                complain(watch, client->why);
}

static void ask(struct watch *watch) {
        char why[STORE_WHY_MAX];
        struct client client;

        if (!watch->store && api_open_store(watch->home->api, &watch->store, why) < 0) {
                complain(watch, why);
                return;
        }
        if (client_connect(&client, watch->host->socket, CONNECT_MS) != CLIENT_DONE)
                complain(watch, client.why);
        else if (publish(watch, client.fd)) {
                client.timeout_ms = WAIT_MS;
                follow(watch, &client);
        }
        (void)publish(watch, -EBADF);
        client_close(&client);
}

/* False: the end. */
static bool pause_for(struct host_reports *reports, int64_t seconds) {
        struct timespec until;
        bool stop;

        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += seconds;
        (void)pthread_mutex_lock(&reports->lock);
        while (!reports->stop && pthread_cond_timedwait(&reports->stopped, &reports->lock, &until) == 0)
                ;
        stop = reports->stop;
        (void)pthread_mutex_unlock(&reports->lock);
        return !stop;
}

static void *serve(void *context) {
        struct watch *watch = context;
        int64_t pause_s = PAUSE_MIN_S;

        do {
                ask(watch);
                pause_s = !watch->complained ? PAUSE_MIN_S : 2 * pause_s < PAUSE_MAX_S ? 2 * pause_s : PAUSE_MAX_S;
        } while (pause_for(watch->home, pause_s));
        store_close(watch->store);
        return NULL;
}

/* --- all --------------------------------------------------------------------------------------------------------- */

int host_reports_start(const struct api *api, struct host_reports **ret) {
        size_t n = api->config->n_hosts;
        struct host_reports *reports = calloc(1, sizeof(*reports) + n * sizeof(reports->watches[0]));
        pthread_condattr_t monotonic;
        int r = 0;

        if (!reports)
                return -ENOMEM;
        reports->api = api;
        (void)pthread_mutex_init(&reports->lock, NULL);
        (void)pthread_condattr_init(&monotonic);
        (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        (void)pthread_cond_init(&reports->stopped, &monotonic);
        (void)pthread_condattr_destroy(&monotonic);
        while (r == 0 && reports->n < n) {
                struct watch *watch = &reports->watches[reports->n];

                watch->home = reports;
                watch->host = &api->config->hosts[reports->n];
                watch->fd = -EBADF;
                r = -pthread_create(&watch->thread, NULL, serve, watch);
                reports->n += r == 0;
        }
        if (r < 0) {
                host_reports_stop(reports);
                return r;
        }
        *ret = reports;
        return 0;
}

void host_reports_again(struct host_reports *reports, const char *host) {
        if (!reports)
                return;
        (void)pthread_mutex_lock(&reports->lock);
        for (size_t i = 0; i < reports->n; i++) {
                struct watch *watch = &reports->watches[i];

                if (watch->fd < 0 || strcmp(watch->host->name, host) != 0)
                        continue;
                watch->again = true;
                (void)shutdown(watch->fd, SHUT_RDWR);
        }
        (void)pthread_mutex_unlock(&reports->lock);
}

void host_reports_stop(struct host_reports *reports) {
        if (!reports)
                return;
        (void)pthread_mutex_lock(&reports->lock);
        reports->stop = true;
        for (size_t i = 0; i < reports->n; i++)
                if (reports->watches[i].fd >= 0)
                        (void)shutdown(reports->watches[i].fd, SHUT_RDWR);
        (void)pthread_cond_broadcast(&reports->stopped);
        (void)pthread_mutex_unlock(&reports->lock);
        for (size_t i = 0; i < reports->n; i++)
                (void)pthread_join(reports->watches[i].thread, NULL);
        (void)pthread_cond_destroy(&reports->stopped);
        (void)pthread_mutex_destroy(&reports->lock);
        free(reports);
}
