/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/signer_client.h"

#include <stdio.h>
#include <string.h>

#include "wire/envelope.h"
#include "wire/json_dispatch.h"

#define INTERFACE "in.excloud.Signer."
#define TIME_MAX_S (INT64_C(1) << 40)

enum {
        LIFE_MAX_S = 3600, /* push.md: of a push with a challenge */
        RETRY_MAX_MS = 24 * 60 * 60 * 1000,
};

/* --- what is asked ----------------------------------------------------------------------------------------------- */

/* Adds a member unless `value` is NULL without memory; `object` is then dropped, and the result is NULL. */
static json_t *add(json_t *object, const char *name, json_t *value) {
        if (object && json_object_set_new(object, name, value) == 0)
                return object;
        if (!object)
                json_decref(value);
        json_decref(object);
        return NULL;
}

static json_t *add_optional(json_t *object, const char *name, const char *text) {
        return text ? add(object, name, json_string(text)) : object;
}

static json_t *reason(const char *instance, const struct signer_reason *reason) {
        return json_pack("{ss ss ss ss}", "instance", instance, "principal", reason->principal, "requestId",
                         reason->request_id, "auditHead", reason->audit_head);
}

static json_t *sources(const struct source *source, size_t n) {
        json_t *list = json_array();

        for (size_t i = 0; list && i < n; i++) {
                char text[SOURCE_TEXT_MAX];

                source_to_text(&source[i], text);
                if (json_array_append_new(list, json_string(text)) < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

static json_t *push_call(const struct signer_push *push, const char *challenge) {
        json_t *object = reason(push->instance, &push->reason);
        char key[SSH_KEY_TEXT_MAX];

        ssh_key_to_text(push->key, key);
        object = add(object, "user", json_string(push->user));
        object = add(object, "publicKeys", json_pack("[s]", key));
        object = add(object, "connections", json_integer(push->connections));
        object = add(object, "restrict", json_boolean(push->restricted));
        if (push->ttl_s > 0)
                object = add(object, "ttl", json_integer(push->ttl_s));
        if (push->n_sources > 0)
                object = add(object, "sources", sources(push->sources, push->n_sources));
        return add_optional(object, "challenge", challenge);
}

static json_t *revoke_call(const struct signer_revoke *revoke, const char *challenge) {
        json_t *object = reason(revoke->instance, &revoke->reason);

        object = add_optional(object, "fingerprint", revoke->fingerprint);
        object = add_optional(object, "user", revoke->user);
        if (!revoke->fingerprint && !revoke->user)
                object = add(object, "all", json_true());
        return add_optional(object, "challenge", challenge);
}

/* --- what is answered -------------------------------------------------------------------------------------------- */

struct answer {
        json_t *envelope, *fingerprints; /* the reply's */
        const char *jti;
        int64_t iat_s, exp_s, ttl_s;
};

static enum refusal take_object(const struct json_dispatch_field *field, json_t *value, void *member,
                                struct refused *ret_why) {
        if (!json_is_object(value))
                return json_dispatch_refuse(field, ret_why);
        *(json_t **)member = value;
        return REFUSAL_NONE;
}

static enum refusal take_array(const struct json_dispatch_field *field, json_t *value, void *member,
                               struct refused *ret_why) {
        if (!json_is_array(value))
                return json_dispatch_refuse(field, ret_why);
        *(json_t **)member = value;
        return REFUSAL_NONE;
}

/* What both methods answer, and the rest of a push's answer. */
static const struct json_dispatch_field envelope_fields[] = {
        {"envelope", take_object, offsetof(struct answer, envelope), .required = true, .expected = "an envelope"},
        {"jti", json_dispatch_text_ref, offsetof(struct answer, jti), .min = 16, .max = 128, .required = true,
         .expected = "16 to 128 characters"},
        {"iat", json_dispatch_integer, offsetof(struct answer, iat_s), .max = TIME_MAX_S, .required = true,
         .expected = "Unix seconds"},
        {"exp", json_dispatch_integer, offsetof(struct answer, exp_s), .max = TIME_MAX_S, .required = true,
         .expected = "Unix seconds"},
        {.name = NULL},
};

static const struct json_dispatch_field push_fields[] = {
        {"fingerprints", take_array, offsetof(struct answer, fingerprints), .required = true, .expected = "an array"},
        {"ttl", json_dispatch_integer, offsetof(struct answer, ttl_s), .min = 1, .max = LIFE_MAX_S, .required = true,
         .expected = "1 to 3600 seconds"},
        {.name = NULL},
};

static const struct json_dispatch_field fault_fields[] = {
        {"message", json_dispatch_text, offsetof(struct signer_fault, message), .max = SIGNER_MESSAGE_MAX - 1,
         .required = true, .expected = "a sentence"},
        {"field", json_dispatch_text, offsetof(struct signer_fault, field), .max = SIGNER_FIELD_MAX - 1,
         .expected = "a field's name"},
        {"retryAfterMs", json_dispatch_integer, offsetof(struct signer_fault, retry_after_ms), .max = RETRY_MAX_MS,
         .expected = "milliseconds"},
        {.name = NULL},
};

static const struct {
        const char *name;
        enum signer_result result;
} errors[] = {
        {"Denied", SIGNER_DENIED},
        {"InvalidField", SIGNER_INVALID},
        {"RateLimited", SIGNER_RATE_LIMITED},
        {"PermissionDenied", SIGNER_UNAVAILABLE},
        {"KeyUnavailable", SIGNER_UNAVAILABLE},
        {"LogUnavailable", SIGNER_UNAVAILABLE},
};

static enum signer_result unavailable(struct signer_fault *ret, const char *why) {
        *ret = (struct signer_fault){.retry_after_ms = 0};
        (void)snprintf(ret->message, sizeof(ret->message), "the signer: %s", why);
        return SIGNER_UNAVAILABLE;
}

static enum signer_result refused(const struct client_reply *reply, struct signer_fault *ret) {
        size_t n = strlen(INTERFACE);
        struct refused why;

        *ret = (struct signer_fault){.retry_after_ms = 0};
        if (strncmp(reply->error, INTERFACE, n) == 0)
                for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
                        if (strcmp(reply->error + n, errors[i].name) == 0) {
                                if (json_dispatch(reply->parameters, fault_fields, JSON_DISPATCH_NULL_IS_ABSENT, ret,
                                                  &why))
                                        break;
                                return errors[i].result;
                        }
        return unavailable(ret, "an error that its interface does not have");
}

/* NULL, or what is wrong with the envelope and its times. */
static const char *take_envelope(json_t *parameters, const char *type, struct answer *ret) {
        struct envelope envelope;
        struct refused why;

        if (json_dispatch(parameters, envelope_fields, 0, ret, &why))
                return "an answer that its interface does not have";
        if (envelope_from_json(ret->envelope, &envelope, &why) != REFUSAL_NONE || strcmp(envelope.type, type) != 0 ||
            envelope.n_signatures == 0)
                return "an envelope of another kind, or without a signature";
        if (ret->iat_s >= ret->exp_s || ret->exp_s - ret->iat_s > LIFE_MAX_S)
                return "an envelope with impossible times";
        return NULL;
}

/* NULL, or what is wrong with the answer to a push. */
static const char *take_push(json_t *parameters, const struct ssh_key *key, struct answer *ret) {
        const char *why = take_envelope(parameters, PUSH_PAYLOAD_TYPE, ret);
        char expected[FINGERPRINT_MAX];
        struct refused refused;
        const char *text;

        if (why)
                return why;
        if (json_dispatch(parameters, push_fields, 0, ret, &refused))
                return "an answer that its interface does not have";
        text = json_string_value(json_array_get(ret->fingerprints, 0));
        if (json_array_size(ret->fingerprints) != 1 || !text || fingerprint_of(key, expected) < 0 ||
            strcmp(text, expected) != 0)
                return "an envelope for another key";
        return NULL;
}

static enum signer_result call(struct varlink_pool *signer, const char *method, json_t *parameters, int timeout_ms,
                               struct client_reply *ret, struct signer_fault *ret_fault) {
        struct varlink_fault fault;
        enum signer_result result;

        /* Not idempotent: each call is a signature of its own, and a line in the signer's log. */
        switch (varlink_pool_call(signer, method, parameters, timeout_ms, false, ret, &fault)) {
        case CLIENT_DONE:
                return SIGNER_OK;
        case CLIENT_REFUSED:
                result = refused(ret, ret_fault);
                json_decref(ret->parameters);
                return result;
        default:
                return unavailable(ret_fault, fault.why);
        }
}

/* Keeps what an answer says, and drops the reply. `wrong`: NULL, or why it does not count. */
static enum signer_result finish(struct client_reply *reply, const struct answer *answer, const char *wrong,
                                 struct signer_signed *ret, struct signer_fault *ret_fault) {
        if (!wrong)
                *ret = (struct signer_signed){
                        .envelope = json_incref(answer->envelope),
                        .iat_s = answer->iat_s,
                        .exp_s = answer->exp_s,
                        .ttl_s = answer->ttl_s,
                };
        json_decref(reply->parameters);
        return wrong ? unavailable(ret_fault, wrong) : SIGNER_OK;
}

enum signer_result signer_client_push(struct varlink_pool *signer, const struct signer_push *push,
                                      const char *challenge, int timeout_ms, struct signer_signed *ret,
                                      struct signer_fault *ret_fault) {
        struct answer answer = {.iat_s = 0};
        enum signer_result result;
        struct client_reply reply;

        result = call(signer, INTERFACE "SignPush", push_call(push, challenge), timeout_ms, &reply, ret_fault);
        if (result != SIGNER_OK)
                return result;
        return finish(&reply, &answer, take_push(reply.parameters, push->key, &answer), ret, ret_fault);
}

enum signer_result signer_client_revoke(struct varlink_pool *signer, const struct signer_revoke *revoke,
                                        const char *challenge, int timeout_ms, struct signer_signed *ret,
                                        struct signer_fault *ret_fault) {
        struct answer answer = {.iat_s = 0};
        enum signer_result result;
        struct client_reply reply;

        result = call(signer, INTERFACE "SignRevoke", revoke_call(revoke, challenge), timeout_ms, &reply, ret_fault);
        if (result != SIGNER_OK)
                return result;
        return finish(&reply, &answer, take_envelope(reply.parameters, REVOKE_PAYLOAD_TYPE, &answer), ret, ret_fault);
}
