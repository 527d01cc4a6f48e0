/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "host/clock.h"
#include "host/host.h"
#include "host/log.h"
#include "libpush/token.h"
#include "wire/client.h"
#include "wire/envelope.h"
#include "wire/json.h"
#include "wire/json_dispatch.h"

struct deliver_call {
        const char *instance;
        const char *call_id;
        const char *handle; /* NULL: none */
        int64_t timeout_ms;
        json_t *envelope; /* the call's */
        bool pushes;      /* else it revokes */
};

/* One call that is being carried out. */
struct delivering {
        struct host *host;
        const struct deliver_call *call;
        int64_t deadline_ms;
        bool began; /* the answer must be remembered: it may not be carried out again */
};

/* --- parameters --------------------------------------------------------------------------------------------------- */

static enum refusal take_call_id(const struct json_dispatch_field *field, json_t *value, void *member,
                                 struct refused *ret_why) {
        if (!json_is_string(value) || !token_valid(json_string_value(value)))
                return json_dispatch_refuse(field, ret_why);
        *(const char **)member = json_string_value(value);
        return REFUSAL_NONE;
}

/* The whole of it goes to the guest as it is, so here only the form counts, and which call it is for. */
static enum refusal take_envelope(const struct json_dispatch_field *field, json_t *value, void *member,
                                  struct refused *ret_why) {
        struct envelope *envelope = malloc(sizeof(*envelope));
        enum refusal why;

        if (!envelope)
                return refuse_field(ret_why, field->name, "out of memory");
        why = envelope_from_json(value, envelope, ret_why);
        if (why == REFUSAL_NONE && strcmp(envelope->type, PUSH_PAYLOAD_TYPE) != 0 &&
            strcmp(envelope->type, REVOKE_PAYLOAD_TYPE) != 0)
                why = json_dispatch_refuse(field, ret_why);
        if (why == REFUSAL_NONE)
                *(json_t **)member = value;
        free(envelope);
        return why;
}

static const struct json_dispatch_field fields[] = {
        {"instance", json_dispatch_text_ref, offsetof(struct deliver_call, instance), .min = 1, .max = VM_ID_MAX - 1,
         .required = true, .expected = "the id of a VM"},
        {"callId", take_call_id, offsetof(struct deliver_call, call_id), .required = true,
         .expected = "128 random bits in base64url"},
        {"envelope", take_envelope, offsetof(struct deliver_call, envelope), .required = true,
         .expected = "an envelope of a push or of a revocation"},
        {"handle", json_dispatch_text_ref, offsetof(struct deliver_call, handle), .min = 1, .max = TOKEN_LENGTH,
         .expected = "a handle of Hello"},
        {"timeoutMs", json_dispatch_integer, offsetof(struct deliver_call, timeout_ms), .min = HOST_TIMEOUT_MIN_MS,
         .max = HOST_TIMEOUT_MAX_MS, .required = true, .expected = "100 to 60000 milliseconds"},
        {.name = NULL},
};

static bool digest_of(json_t *envelope, uint8_t ret[static DELIVERIES_DIGEST_SIZE]) {
        char *text = json_dumps(envelope, JSON_COMPACT | JSON_SORT_KEYS);
        bool done = text && EVP_Digest(text, strlen(text), ret, NULL, EVP_sha256(), NULL) == 1;

        free(text);
        return done;
}

/* --- the guest ---------------------------------------------------------------------------------------------------- */

static json_t *push_json(const struct push_answer *answer) {
        return json_pack("{ss so sI sb so sn}", "user", answer->user, "fingerprints",
                         answer_fingerprints_to_json(answer), "expiresIn", (json_int_t)answer->expires_in, "duplicate",
                         answer->duplicate, "hostKeys", answer_host_keys_to_json(&answer->host_keys), "revoked");
}

static json_t *revoke_json(int64_t revoked) {
        return json_pack("{sn sn sn sn sn sI}", "user", "fingerprints", "expiresIn", "duplicate", "hostKeys", "revoked",
                         (json_int_t)revoked);
}

static struct outcome push(struct guest *guest, json_t *envelope, enum client_result *ret_result) {
        struct push_answer *answer = malloc(sizeof(*answer));
        struct outcome outcome;

        if (!answer) {
                *ret_result = CLIENT_FAILED;
                return outcome_error(HOST_BUSY, "out of memory");
        }
        *ret_result = guest_push(guest, envelope, NULL, 0, answer);
        outcome = *ret_result == CLIENT_DONE ? outcome_done(push_json(answer))
                                             : outcome_of_guest(guest, *ret_result, true);
        free(answer);
        return outcome;
}

static struct outcome revoke(struct guest *guest, json_t *envelope, enum client_result *ret_result) {
        int64_t revoked;

        *ret_result = guest_revoke(guest, envelope, &revoked);
        return *ret_result == CLIENT_DONE ? outcome_done(revoke_json(revoked))
                                          : outcome_of_guest(guest, *ret_result, true);
}

/*
 * Half of the time for the first try, so that the guest's answer to a repeat can still come: guest_push() repeats what
 * had no answer, the same bytes, and the guest stores them once.
 */
static struct outcome send_envelope(struct delivering *delivering, struct session *session) {
        const struct deliver_call *call = delivering->call;
        int64_t left_ms = delivering->deadline_ms - clock_ms(CLOCK_MONOTONIC);
        int timeout_ms = left_ms > 1 ? (int)left_ms / 2 : 1;
        enum client_result result = CLIENT_DONE;
        struct outcome outcome;

        if (session->guest.client.fd < 0)
                result = guest_connect(&session->guest, &session->instance->address, timeout_ms);
        guest_limit(&session->guest, timeout_ms, delivering->deadline_ms);
        if (result != CLIENT_DONE)
                outcome = outcome_of_guest(&session->guest, result, true);
        else
                outcome = call->pushes ? push(&session->guest, call->envelope, &result)
                                       : revoke(&session->guest, call->envelope, &result);
        instance_record(delivering->host->instances, session->instance,
                        result == CLIENT_DONE || result == CLIENT_REFUSED, NULL);
        return outcome;
}

/* --- the call ----------------------------------------------------------------------------------------------------- */

/* The connection of the handle, or a new session. It has a reference to the instance. */
static struct session *open_session(const struct delivering *delivering, struct outcome *ret) {
        const struct deliver_call *call = delivering->call;
        struct host *host = delivering->host;
        struct instance *instance = instances_find(host->instances, call->instance);
        struct session *session;

        if (!instance) {
                *ret = outcome_error(HOST_NO_SUCH_INSTANCE, "this host has no such VM");
                return NULL;
        }
        if (call->handle) {
                session = sessions_take(host->sessions, call->handle, instance);
                instance_unref(host->instances, instance);
                if (!session)
                        *ret = outcome_error(HOST_NO_SUCH_HANDLE, "the handle is unknown, used, or older than %d s",
                                             SESSIONS_HOLD_MS / 1000);
                return session;
        }
        session = session_new(instance);
        if (!session) {
                instance_unref(host->instances, instance);
                *ret = outcome_error(HOST_BUSY, "out of memory");
        }
        return session;
}

static struct outcome carry_out(struct delivering *delivering) {
        struct host *host = delivering->host;
        struct outcome outcome;
        struct session *session = open_session(delivering, &outcome);

        if (!session)
                return outcome;
        if (!session->has_turn)
                session->has_turn = host_take_turn(host, session->instance, delivering->deadline_ms, &outcome);
        if (session->has_turn) {
                delivering->began = true;
                outcome = send_envelope(delivering, session);
        } else
                delivering->began = strcmp(outcome.error, HOST_GUEST_UNREACHABLE) == 0;
        session_end(host->instances, session);
        return outcome;
}

static void reply_text(struct serve_call *call, const struct delivery_answer *answer) {
        json_t *parameters = answer->text ? json_read(answer->text, strlen(answer->text), CLIENT_DEPTH_MAX) : NULL;

        (void)outcome_reply(call, (struct outcome){.error = answer->error, .parameters = parameters});
}

static void join(struct serve_call *call, struct delivery *delivery, int64_t deadline_ms) {
        struct delivery_answer answer;

        if (delivery_wait(delivery, deadline_ms, &answer) == 0)
                reply_text(call, &answer);
        else
                (void)outcome_reply(call, outcome_error(HOST_GUEST_TIMEOUT,
                                                        "this call is still being carried out; ask again with its id"));
}

static void carry_out_and_answer(struct serve_call *call, struct delivering *delivering, struct delivery *delivery) {
        int64_t begun_ms = clock_ms(CLOCK_MONOTONIC);
        struct outcome outcome = carry_out(delivering);
        char *text = outcome.parameters ? json_dumps(outcome.parameters, JSON_COMPACT) : NULL;

        log_delivery(delivering->call->instance, delivering->call->call_id, delivering->call->pushes, &outcome,
                     clock_ms(CLOCK_MONOTONIC) - begun_ms);
        /* Remembered first: a caller that sees its connection end asks again. */
        delivery_finish(delivery, outcome.error, text, !delivering->began, clock_ms(CLOCK_MONOTONIC));
        (void)outcome_reply(call, outcome);
}

void method_deliver(void *context, struct serve_call *call) {
        struct host *host = context;
        struct deliver_call asked = {.handle = NULL};
        struct delivery_call id = {.call_id = ""};
        struct delivering delivering = {.host = host, .call = &asked};
        struct delivery *delivery = NULL;
        struct refused why;
        const char *field;

        delivering.deadline_ms = clock_ms(CLOCK_MONOTONIC);
        field = json_dispatch(call->parameters, fields, JSON_DISPATCH_REFUSE_UNKNOWN | JSON_DISPATCH_NULL_IS_ABSENT,
                              &asked, &why);
        if (field) {
                (void)outcome_reply(call, outcome_field(field, &why));
                return;
        }
        delivering.deadline_ms += asked.timeout_ms;
        asked.pushes =
                strcmp(json_string_value(json_object_get(asked.envelope, "payloadType")), PUSH_PAYLOAD_TYPE) == 0;
        memcpy(id.call_id, asked.call_id, TOKEN_MAX);
        memcpy(id.instance, asked.instance, strlen(asked.instance) + 1);
        switch (digest_of(asked.envelope, id.digest)
                        ? delivery_begin(host->deliveries, &id, clock_ms(CLOCK_MONOTONIC), &delivery)
                        : DELIVERY_NO_MEMORY) {
        case DELIVERY_NEW:
                carry_out_and_answer(call, &delivering, delivery);
                break;
        case DELIVERY_KNOWN:
                join(call, delivery, delivering.deadline_ms);
                break;
        case DELIVERY_OTHER:
                (void)refuse_field(&why, "callId", "callId: used for another envelope or VM; make a new one");
                (void)outcome_reply(call, outcome_field("callId", &why));
                break;
        case DELIVERY_FULL:
                (void)outcome_reply(call, outcome_error(HOST_BUSY, "the memory of deliveries is full; try again"));
                break;
        case DELIVERY_NO_MEMORY:
                (void)outcome_reply(call, outcome_error(HOST_BUSY, "out of memory"));
                break;
        }
        if (delivery)
                delivery_unref(delivery);
}
