/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/signed_request.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "agent/instance_id.h"
#include "common/debug.h"
#include "wire/envelope.h"

static enum refusal open_envelope(struct agent *agent, json_t *object, bool unsigned_ok, const char *type,
                                  struct envelope *ret, unsigned *ret_n_verified, struct refused *ret_why) {
        enum refusal why = REFUSAL_NONE;

        *ret_n_verified = 0;
        agent_refresh_anchors(agent);
        /* Without an anchor, nothing of the envelope is parsed. */
        if (!unsigned_ok)
                why = trust_possible(&agent->anchors, ret_why);
        if (why == REFUSAL_NONE)
                why = envelope_from_json(object, ret, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        debug_line("envelope: payload of %zu bytes; signatures: %zu, anchors: %zu",
                   ret->pae_length - ret->payload_offset, ret->n_signatures, agent->anchors.n);
        why = trust_verify(ret, &agent->anchors, unsigned_ok, ret_n_verified, ret_why);
        if (why == REFUSAL_NONE)
                debug_line("signature: %s; verifications: %u", ret->n_signatures > 0 ? "good" : "none, and none needed",
                           *ret_n_verified);
        if (why == REFUSAL_NONE && strcmp(ret->type, type) != 0)
                why = refuse_field(ret_why, "payloadType", "payloadType: expected %s", type);
        return why;
}

static const uint8_t *payload_of(const struct envelope *envelope, size_t *ret_length) {
        *ret_length = envelope->pae_length - envelope->payload_offset;
        return envelope->pae + envelope->payload_offset;
}

static enum refusal check_aud(struct agent *agent, const struct terms *terms, struct refused *ret_why) {
        const struct instance_id *own = &agent->instance_id;
        char aud[sizeof(INSTANCE_ID_PREFIX) + INSTANCE_ID_MAX];

        agent_refresh_instance_id(agent);
        if (own->id[0] == '\0')
                return refuse(ret_why, REFUSAL_WRONG_INSTANCE,
                              "aud: this guest does not know its own instance id%s%s%s%s", own->fault ? ": " : "",
                              own->fault ? own->source : "", own->fault ? ", " : "", own->fault ? own->fault : "");
        (void)snprintf(aud, sizeof(aud), INSTANCE_ID_PREFIX "%s", own->id);
        if (strcmp(aud, terms->aud) != 0)
                return refuse(ret_why, REFUSAL_WRONG_INSTANCE, "aud: names another instance than this one, %s",
                              own->id);
        return REFUSAL_NONE;
}

static bool hash(const void *bytes, size_t length, uint8_t ret[static REPLAY_HASH_SIZE]) {
        return EVP_Digest(bytes, length, ret, NULL, EVP_sha256(), NULL) == 1;
}

/* What comes after the schema, for both kinds. */
static enum refusal finish(struct agent *agent, const struct envelope *envelope, struct signed_request *request,
                           struct refused *ret_why) {
        enum refusal why = check_aud(agent, &request->terms, ret_why);

        if (why != REFUSAL_NONE)
                return why;
        if (!hash(request->terms.jti, strlen(request->terms.jti), request->jti_hash) ||
            !hash(envelope->pae, envelope->pae_length, request->pae_hash))
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "request: its SHA-256 could not be computed");
        return REFUSAL_NONE;
}

enum refusal signed_request_push(struct agent *agent, json_t *envelope, bool unsigned_ok, struct signed_request *ret,
                                 struct push *ret_push, struct refused *ret_why) {
        struct envelope opened;
        const uint8_t *payload;
        int64_t window_s;
        enum refusal why;
        size_t length;

        why = open_envelope(agent, envelope, unsigned_ok, PUSH_PAYLOAD_TYPE, &opened, &ret->n_verified, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        payload = payload_of(&opened, &length);
        why = request_parse_push(payload, length, &ret->terms, ret_push, ret_why);
        if (why == REFUSAL_NONE)
                debug_line("payload: push; keys: %zu", ret_push->n_keys);
        if (why == REFUSAL_NONE)
                why = finish(agent, &opened, ret, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        for (size_t i = 0; i < sizeof(ret->pae_hash); i++)
                (void)snprintf(ret_push->id + 2 * i, 3, "%02x", ret->pae_hash[i]);
        window_s = ret->terms.exp_s - ret->terms.iat_s;
        if (ret_push->ttl_s == 0 || ret_push->ttl_s > window_s)
                ret_push->ttl_s = window_s;
        return REFUSAL_NONE;
}

enum refusal signed_request_revocation(struct agent *agent, json_t *envelope, bool unsigned_ok,
                                       struct signed_request *ret, struct revocation *ret_revocation,
                                       struct refused *ret_why) {
        struct envelope opened;
        const uint8_t *payload;
        enum refusal why;
        size_t length;

        why = open_envelope(agent, envelope, unsigned_ok, REVOKE_PAYLOAD_TYPE, &opened, &ret->n_verified, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        payload = payload_of(&opened, &length);
        why = request_parse_revocation(payload, length, &ret->terms, ret_revocation, ret_why);
        if (why == REFUSAL_NONE)
                debug_line("payload: revocation of %s", ret_revocation->all       ? "all keys"
                                                        : ret_revocation->user[0] ? "a user's keys"
                                                                                  : "a fingerprint");
        return why == REFUSAL_NONE ? finish(agent, &opened, ret, ret_why) : why;
}
