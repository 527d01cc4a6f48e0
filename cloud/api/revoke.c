/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/revoke.h"

#include <string.h>
#include <syslog.h>
#include <time.h>

#include "cloud/api/api.h"
#include "cloud/api/audit_line.h"
#include "cloud/api/auth.h"
#include "cloud/api/delivery_error.h"
#include "cloud/api/handlers.h"
#include "cloud/api/in_flight.h"
#include "cloud/api/journal.h"
#include "cloud/api/member.h"
#include "cloud/api/revoke_queue.h"
#include "wire/json_dispatch.h"
#include "wire/vm_id.h"

#define ACTION "compute:instance:revoke"

enum {
        RESERVE_MS = 1000, /* of a request's time, for what comes after */
        AT_ONCE_MS = 5 * 1000,
};

const char *revoke_outcome_name(enum revoke_outcome outcome) {
        switch (outcome) {
        case REVOKE_DONE:
                return "done";
        case REVOKE_UNREACHABLE:
                return "unreachable";
        case REVOKE_REFUSED:
                return "refused";
        }
        return "unreachable";
}

/* By then every key has ended that was signed before now. */
static int64_t all_keys_end_s(const struct request *request) {
        return (int64_t)time(NULL) + request->api->config->max_ttl_s + DELIVERY_CHALLENGE_LIFE_S;
}

static enum store_result record(struct request *request, const struct revoke_target *target) {
        const struct store_revocation revocation = {
                .instance = target->instance,
                .fingerprint = target->fingerprint,
                .user = target->user,
                .account = request->account,
                .request_id = request->id,
        };

        return store_revocation_add(request->store, &revocation, (int64_t)time(NULL));
}

static void queue(struct request *request, const struct revoke_target *target, int64_t keys_end_s) {
        struct revoke_job job = {.keys_end_s = keys_end_s};

        request_note_text(job.instance, sizeof(job.instance), target->instance);
        request_note_text(job.host, sizeof(job.host), target->host);
        request_note_text(job.fingerprint, sizeof(job.fingerprint), target->fingerprint);
        request_note_text(job.user, sizeof(job.user), target->user);
        request_note_text(job.account, sizeof(job.account), request->account);
        request_note_text(job.request_id, sizeof(job.request_id), request->id);
        request_note_text(job.audit_head, sizeof(job.audit_head), request->audit.head);
        (void)revoke_queue_add(request->api->revoke_queue, &job);
}

static void send_now(struct request *request, const struct revoke_target *target, int64_t deadline_ns,
                     struct delivery_outcome *ret) {
        const struct signer_revoke revoke = {
                .instance = target->instance,
                .fingerprint = target->fingerprint,
                .user = target->user,
                .reason = {.principal = request->account, .request_id = request->id, .audit_head = request->audit.head},
        };
        const struct delivery_order order = {
                .instance = target->instance,
                .host = target->host,
                .revoke = &revoke,
                .deadline_ns = deadline_ns,
        };

        delivery_send(request->api->delivery, &order, ret);
}

/* Sends what is recorded, within the bounds of calls to guests, and queues what has not reached its guest. */
static enum revoke_outcome send(struct request *request, const struct revoke_target *target, int64_t deadline_ns,
                                int64_t keys_end_s, struct delivery_outcome *ret) {
        struct in_flight *revokes = request->api->revokes;
        size_t slot;

        if (in_flight_enter(revokes, target->instance, target->host, &slot) == IN_FLIGHT_OK) {
                send_now(request, target, deadline_ns, ret);
                in_flight_leave(revokes, slot);
        } else
                *ret = (struct delivery_outcome){.end = DELIVERY_LATE};
        if (ret->end == DELIVERY_DONE)
                return REVOKE_DONE;
        if (delivery_is_refused(ret))
                return REVOKE_REFUSED;
        queue(request, target, keys_end_s);
        return REVOKE_UNREACHABLE;
}

/* --- for other parts --------------------------------------------------------------------------------------------- */

static void record_or_note(struct request *request, const struct revoke_target *target) {
        if (record(request, target) != STORE_OK)
                journal_note(LOG_ERR, "store: cannot record a revocation of %s: %s; it is sent all the same",
                             target->instance, store_why(request->store));
}

void revoke_later(struct request *request, const struct revoke_target *target, int64_t keys_end_s) {
        record_or_note(request, target);
        queue(request, target, keys_end_s);
}

void revoke_at_once(struct request *request, const struct revoke_target *target, int64_t keys_end_s) {
        int64_t deadline_ns = monotonic_ns() + AT_ONCE_MS * INT64_C(1000000);
        struct delivery_outcome outcome;

        record_or_note(request, target);
        if (deadline_ns > request->deadline_ns)
                deadline_ns = request->deadline_ns;
        (void)send(request, target, deadline_ns, keys_end_s, &outcome);
}

enum revoke_outcome revoke_recorded(struct request *request, const char *instance, const char *fingerprint) {
        struct store_instance registered;
        struct revoke_target target = {.instance = instance, .fingerprint = fingerprint};
        struct delivery_outcome outcome;

        if (store_instance_get(request->store, instance, &registered) != STORE_OK)
                return REVOKE_DONE;
        target.host = registered.host;
        return send(request, &target, request->deadline_ns - RESERVE_MS * INT64_C(1000000), all_keys_end_s(request),
                    &outcome);
}

/* --- POST /compute/instance/ID/revoke ---------------------------------------------------------------------------- */

struct asked {
        char fingerprint[STORE_FINGERPRINT_MAX], user[STORE_TEXT_MAX];
        bool all;
};

static enum refusal take_true(const struct json_dispatch_field *field, json_t *value, void *member,
                              struct refused *ret_why) {
        if (!json_is_true(value))
                return json_dispatch_refuse(field, ret_why);
        *(bool *)member = true;
        return REFUSAL_NONE;
}

static const struct json_dispatch_field fields[] = {
        {"user", member_user, offsetof(struct asked, user),
         .expected = "a name of 1 to 256 bytes that does not begin with '-', without control characters"},
        {"fingerprint", json_dispatch_fingerprint, offsetof(struct asked, fingerprint), .min = 1,
         .max = STORE_FINGERPRINT_MAX - 1, .expected = "SHA256: and 43 characters of base64"},
        {"all", take_true, offsetof(struct asked, all), .expected = "true"},
        {.name = NULL},
};

static json_t *optional_time(int64_t unix_s) {
        return unix_s > 0 ? request_time(unix_s) : json_null();
}

static void answer(struct request *request, enum revoke_outcome outcome, const struct delivery_outcome *delivered,
                   int64_t keys_end_s) {
        if (outcome == REVOKE_REFUSED) {
                delivery_refuse(request, delivered);
                return;
        }
        request_answer(request, 200,
                       json_pack("{so ss so ss}", "revoked",
                                 outcome == REVOKE_DONE ? json_integer(delivered->revoked) : json_null(), "outcome",
                                 revoke_outcome_name(outcome), "keys_end_at",
                                 optional_time(outcome == REVOKE_DONE ? 0 : keys_end_s), "request_id", request->id));
}

void instance_revoke(struct request *request) {
        const char *id = request->target.segment[2];
        struct asked asked = {.all = false};
        struct store_instance instance;
        struct revoke_target target;
        struct delivery_outcome delivered;
        enum revoke_outcome outcome;
        enum store_result result;
        int64_t keys_end_s;

        if (!vm_id_valid(id)) {
                (void)request_refuse_field(request, "id", "id: expected [a-z0-9][a-z0-9._-]{0,63}");
                return;
        }
        if (!request_body(request, fields, &asked))
                return;
        if ((asked.user[0] != '\0') + (asked.fingerprint[0] != '\0') + asked.all != 1) {
                (void)request_refuse_field(request, "all", "expected exactly one of user, fingerprint and all");
                return;
        }
        target = (struct revoke_target){
                .instance = id,
                .fingerprint = asked.fingerprint[0] ? asked.fingerprint : NULL,
                .user = asked.user[0] ? asked.user : NULL,
        };
        if (target.fingerprint)
                request_note(request, fingerprint, asked.fingerprint);
        if (!authorise_instance(request, ACTION, id, target.user))
                return;
        result = store_instance_get(request->store, id, &instance);
        if (result == STORE_OK) {
                target.host = instance.host;
                request_note(request, host, instance.host);
                result = record(request, &target);
        }
        if (result != STORE_OK) {
                (void)request_refuse_store(request, result, "instance");
                return;
        }
        keys_end_s = all_keys_end_s(request);
        outcome = send(request, &target, request->deadline_ns - RESERVE_MS * INT64_C(1000000), keys_end_s, &delivered);
        if (delivery_suspicion(&delivered))
                audit_line_note(request, delivery_suspicion(&delivered));
        answer(request, outcome, &delivered, keys_end_s);
}
