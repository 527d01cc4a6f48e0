/* SPDX-License-Identifier: Apache-2.0 */
/* Report, whose `more` form lasts as long as its connection, and Status. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/host.h"
#include "wire/frame.h"
#include "wire/service.h"

enum {
        ROW_MAX = 192, /* bytes of one instance in JSON */
        ROWS_MAX = (FRAME_MAX - 256) / ROW_MAX,
};

struct views {
        struct instance_view *at;
        size_t n;
};

static json_t *row(const struct instance_view *view, enum instance_state state) {
        static const char *const kinds[] = {
                [ADDRESS_UNIX] = "unix",
                [ADDRESS_VSOCK] = "vsock",
                [ADDRESS_HYBRID] = "hybrid",
                [ADDRESS_SERIAL] = "serial",
        };
        static const char *const states[] = {
                [INSTANCE_UNKNOWN] = "unknown",
                [INSTANCE_REACHABLE] = "reachable",
                [INSTANCE_UNREACHABLE] = "unreachable",
        };

        return json_pack("{ss ss ss so}", "id", view->instance->id, "kind", kinds[view->instance->address.kind],
                         "state", states[state], "firstSeen",
                         view->first_seen_s > 0 ? json_integer(view->first_seen_s) : json_null());
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

/* Rows for one message after the other. */
struct report {
        struct serve_call *call;
        json_t *rows; /* NULL: none yet */
        size_t n_parts;
};

static int send_rows(struct report *report) {
        json_t *rows = report->rows ? report->rows : json_array();

        report->rows = NULL;
        report->n_parts++;
        return serve_reply_part(report->call, json_pack("{so}", "instances", rows));
}

static int add_row(struct report *report, json_t *value) {
        if (!report->rows)
                report->rows = json_array();
        if (json_array_append_new(report->rows, value) < 0)
                return -ENOMEM;
        return json_array_size(report->rows) >= ROWS_MAX ? send_rows(report) : 0;
}

static bool has_instance(const struct views *views, const char *id) {
        size_t low = 0, high = views->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = strcmp(id, views->at[middle].instance->id);

                if (order == 0)
                        return true;
                if (order < 0)
                        high = middle;
                else
                        low = middle + 1;
        }
        return false;
}

static uint64_t latest_change(const struct views *views) {
        uint64_t latest = 0;

        for (size_t i = 0; i < views->n; i++)
                if (views->at[i].change > latest)
                        latest = views->at[i].change;
        return latest;
}

/* What changed from `before`. VMs that are gone are unknown now. */
static int send_changes(struct report *report, const struct views *before, const struct views *now, bool first) {
        uint64_t known = latest_change(before);
        int r = 0;

        report->n_parts = 0;
        for (size_t i = 0; r >= 0 && i < before->n; i++)
                if (!has_instance(now, before->at[i].instance->id))
                        r = add_row(report, row(&before->at[i], INSTANCE_UNKNOWN));
        for (size_t i = 0; r >= 0 && i < now->n; i++)
                if (now->at[i].change > known)
                        r = add_row(report, row(&now->at[i], now->at[i].state));
        if (r >= 0 && (report->rows || (first && report->n_parts == 0)))
                r = send_rows(report);
        return r;
}

/* --- the methods -------------------------------------------------------------------------------------------------- */

static void report_once(struct host *host, struct serve_call *call) {
        struct report report = {.call = call, .rows = json_array()};
        struct views views = {.n = 0};
        int r = instances_views(host->instances, &views.at, &views.n);

        for (size_t i = 0; r >= 0 && i < views.n && views.n <= ROWS_MAX; i++)
                r = json_array_append_new(report.rows, row(&views.at[i], views.at[i].state));
        if (views.n > ROWS_MAX) {
                json_decref(report.rows);
                (void)serve_error(call, VARLINK_SERVICE ".ExpectedMore", json_object());
        } else if (r < 0) {
                json_decref(report.rows);
                (void)outcome_reply(call, outcome_error(HOST_BUSY, "out of memory"));
        } else
                (void)serve_reply(call, json_pack("{so}", "instances", report.rows));
        instances_views_free(host->instances, views.at, views.n);
}

static int report_changes(struct host *host, struct report *report, int fd) {
        struct views before = {.n = 0}, now;
        bool first = true;
        eventfd_t count;
        int r;

        do {
                r = instances_views(host->instances, &now.at, &now.n);
                if (r < 0)
                        break;
                r = send_changes(report, &before, &now, first);
                instances_views_free(host->instances, before.at, before.n);
                before = now;
                first = false;
                if (r >= 0)
                        r = serve_wait(report->call, fd, -1);
                (void)eventfd_read(fd, &count);
        } while (r >= 0);
        instances_views_free(host->instances, before.at, before.n);
        json_decref(report->rows);
        return r;
}

void method_report(void *context, struct serve_call *call) {
        struct host *host = context;
        struct report report = {.call = call};
        int fd;

        if (!call->more) {
                report_once(host, call);
                return;
        }
        fd = instances_watch(host->instances);
        if (fd < 0) {
                (void)outcome_reply(call, outcome_error(HOST_BUSY, "too many connections ask for reports"));
                return;
        }
        (void)report_changes(host, &report, fd);
        instances_unwatch(host->instances, fd);
        /* The server stops, or the peer is gone. */
        (void)serve_reply(call, json_pack("{s[]}", "instances"));
}

void method_status(void *context, struct serve_call *call) {
        struct host *host = context;
        char name[VM_ID_MAX];

        (void)pthread_mutex_lock(&host->lock);
        memcpy(name, host->name, sizeof(name));
        (void)pthread_mutex_unlock(&host->lock);
        (void)serve_reply(call, json_pack("{ss ss sI sI}", "version", PACKAGE_VERSION, "name", name, "instances",
                                          (json_int_t)instances_count(host->instances), "waiting",
                                          (json_int_t)atomic_load(&host->waiting)));
}
