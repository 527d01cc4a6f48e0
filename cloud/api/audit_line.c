/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/audit_line.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "cloud/api/api.h"
#include "cloud/api/journal.h"
#include "cloud/api/route.h"

static const char *or_null(const char *text) {
        return text[0] ? text : NULL;
}

static struct audit_event event_of(const struct request *request, enum audit_kind kind) {
        const struct request_audit *audit = &request->audit;

        return (struct audit_event){
                .kind = kind,
                .request_id = request->id,
                .session = or_null(audit->session),
                .account = or_null(request->account),
                .token_id = or_null(request->token_id),
                .source_ip = or_null(request->address),
                .user_agent = or_null(request->user_agent),
                .action = or_null(audit->action),
                .resource = or_null(audit->resource),
                .vm_id = or_null(audit->vm_id),
                .host = or_null(audit->host),
                .os_user = or_null(audit->os_user),
                .fingerprint = or_null(audit->fingerprint),
        };
}

/* Waits for the disk, and what follows waits for others: what is read after it is not of before. */
static bool put(struct request *request, const struct audit_event *event) {
        int r;

        if (request->store)
                store_read_end(request->store);
        r = audit_write(request->api->audit, event, request->audit.head);
        if (r == 0)
                return true;
        journal_note(LOG_CRIT, "audit log: cannot be written: %s; nothing is done until it can", strerror(-r));
        return request_refuse(request, API_ERROR_AUDIT_UNAVAILABLE, "the audit log cannot be written; try again later");
}

bool audit_line_decision(struct request *request, bool allowed) {
        struct audit_event event = event_of(request, AUDIT_DECISION);

        event.effect = allowed ? "Allow" : "Deny";
        event.sid = or_null(request->audit.sid);
        if (!allowed) {
                event.status = api_error_status(API_ERROR_ACCESS_DENIED);
                event.error = api_error_name(API_ERROR_ACCESS_DENIED);
        }
        if (!put(request, &event))
                return false;
        request->audit.decided = allowed;
        return true;
}

void audit_line_outcome(struct request *request) {
        struct audit_event event = event_of(request, AUDIT_OUTCOME);

        if (!request->audit.decided)
                return;
        event.status = request->status;
        event.error = api_error_name(request->error);
        event.guest_error = or_null(request->audit.guest_error);
        event.duration_ms = (monotonic_ns() - request->started_ns) / 1000000;
        request->audit.decided = false;
        if (!put(request, &event) && request->undo)
                request->undo(request);
}

void audit_line_note(struct request *request, const char *message) {
        struct audit_event event = event_of(request, AUDIT_NOTE);
        char head[AUDIT_HASH_MAX];
        int r;

        event.message = message;
        r = audit_write(request->api->audit, &event, head);
        if (r < 0)
                journal_note(LOG_CRIT, "audit log: cannot be written: %s; request %s: %s", strerror(-r), request->id,
                             message);
}

bool audit_line_refused(struct request *request, const char *why) {
        struct audit_event event = event_of(request, AUDIT_DECISION);
        char message[512];

        (void)snprintf(message, sizeof(message), "%s %s: %s",
                       request->route ? route_method_name(request->route->method) : "",
                       request->route ? request->route->path : "", why);
        event.effect = "Deny";
        event.status = request->status;
        event.error = api_error_name(request->error);
        event.message = message;
        (void)put(request, &event);
        return false;
}

bool audit_line_limited(struct request *request, const char *name, const char *why) {
        /* Those who are refused at no cost of theirs must not fill the disk. */
        if (limits_take(request->api->limits, LIMIT_NOTE, name, request->started_ns) == 0)
                (void)audit_line_refused(request, why);
        return false;
}
