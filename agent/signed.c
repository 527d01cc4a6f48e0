/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/signed.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/audit.h"
#include "agent/freshness.h"
#include "agent/instance_id.h"
#include "agent/pushing.h"
#include "agent/revoking.h"
#include "agent/trust.h"
#include "wire/envelope.h"

static struct agent *agent_of(const struct connection *connection) {
        return connection->home->agent;
}

/* The administrator needs no signature, and Trust=channel is that for the host's channels. */
static bool unsigned_ok(const struct connection *connection) {
        return connection->home->channel == CHANNEL_ADMIN || agent_of(connection)->config->trust == TRUST_CHANNEL;
}

/* Everything that comes before the payload is looked at. */
static enum refusal open_envelope(struct connection *connection, const char *type,
                                  enum refusal (*ready)(struct agent *, struct refused *), struct envelope *ret,
                                  struct refused *ret_why) {
        struct agent *agent = agent_of(connection);
        enum refusal why;

        why = budget_push(connection->home->budget, agent->config->rate_limit, ret_why);
        if (why == REFUSAL_NONE)
                why = ready(agent, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        agent_refresh_anchors(agent);
        /* With nothing configured nothing is even taken apart. */
        if (!unsigned_ok(connection))
                why = trust_possible(&agent->anchors, ret_why);
        if (why == REFUSAL_NONE)
                why = envelope_from_json(json_object_get(connection->call.parameters, "envelope"), ret, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        why = trust_verify(ret, &agent->anchors, unsigned_ok(connection), ret_why);
        if (why != REFUSAL_NONE)
                return why;
        if (strcmp(ret->type, type) != 0)
                return refuse_field(ret_why, "payloadType", "This method takes %s alone.", type);
        return REFUSAL_NONE;
}

static enum refusal check_aud(const struct agent *agent, const struct terms *terms, struct refused *ret_why) {
        struct instance_id own;
        char aud[sizeof(INSTANCE_ID_PREFIX) + INSTANCE_ID_MAX];

        instance_id_read(agent->config, agent->config_dir, &own);
        if (own.id[0] == '\0')
                return refuse(ret_why, REFUSAL_WRONG_INSTANCE, "This guest does not know its own id%s%s%s%s.",
                              own.fault ? ": " : "", own.fault ? own.source : "", own.fault ? ", " : "",
                              own.fault ? own.fault : "");
        (void)snprintf(aud, sizeof(aud), INSTANCE_ID_PREFIX "%s", own.id);
        if (strcmp(aud, terms->aud) != 0)
                return refuse(ret_why, REFUSAL_WRONG_INSTANCE, "It is for another instance than this one, %s.", own.id);
        return REFUSAL_NONE;
}

static bool hash(const void *bytes, size_t length, uint8_t ret[static REPLAY_HASH_SIZE]) {
        return EVP_Digest(bytes, length, ret, NULL, EVP_sha256(), NULL) == 1;
}

/* What a push or a revocation is told from others by. */
static enum refusal identify(const struct envelope *envelope, const struct terms *terms,
                             uint8_t jti_hash[static REPLAY_HASH_SIZE], uint8_t pae_hash[static REPLAY_HASH_SIZE],
                             struct refused *ret_why) {
        if (hash(terms->jti, strlen(terms->jti), jti_hash) && hash(envelope->pae, envelope->pae_length, pae_hash))
                return REFUSAL_NONE;
        return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "A hash could not be computed.");
}

static struct freshness freshness_now(const struct agent *agent) {
        return (struct freshness){
                .now = instant_now(),
                .synchronized = clock_synchronized(),
                .birth_boot_ns = agent->replay.birth_boot_ns,
        };
}

static enum refusal check_fresh(struct connection *connection, const struct terms *terms, struct refused *ret_why) {
        struct freshness at = freshness_now(agent_of(connection));

        return freshness_check(terms, &connection->challenge, &at, ret_why);
}

/* Seconds of life: never longer than the push itself is good for. */
static int64_t life_s(const struct terms *terms, int64_t ttl_s) {
        int64_t window_s = terms->exp_s - terms->iat_s;

        return ttl_s > 0 && ttl_s < window_s ? ttl_s : window_s;
}

static enum refusal take_push(struct connection *connection, struct push *ret, struct terms *ret_terms,
                              struct refused *ret_why) {
        struct envelope envelope;
        enum refusal why;

        why = open_envelope(connection, PUSH_PAYLOAD_TYPE, agent_ready_for_push, &envelope, ret_why);
        if (why == REFUSAL_NONE)
                why = agent_open_memory(agent_of(connection), ret_why);
        if (why == REFUSAL_NONE)
                why = payload_take_push(envelope.pae + envelope.payload_offset,
                                        envelope.pae_length - envelope.payload_offset, ret_terms, ret, ret_why);
        if (why == REFUSAL_NONE)
                why = check_aud(agent_of(connection), ret_terms, ret_why);
        if (why == REFUSAL_NONE)
                why = identify(&envelope, ret_terms, ret->jti_hash, ret->pae_hash, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        for (size_t i = 0; i < sizeof(ret->pae_hash); i++)
                (void)snprintf(ret->id + 2 * i, 3, "%02x", ret->pae_hash[i]);
        ret->is_signed = true;
        ret->iat_s = ret_terms->iat_s;
        ret->exp_s = ret_terms->exp_s;
        ret->by_clock = !ret_terms->has_challenge;
        ret->ttl_s = life_s(ret_terms, ret->ttl_s);
        return REFUSAL_NONE;
}

void signed_push(struct connection *connection) {
        struct pushing *pushing = pushing_new(connection, "Push");
        struct replay_record record;
        struct refused why;
        struct terms terms;
        uint32_t slot;
        int state;

        if (!pushing)
                return;
        if (take_push(connection, &pushing->push, &terms, &why) != REFUSAL_NONE) {
                pushing_refuse(pushing, &why);
                return;
        }
        state = storing_recall(agent_of(connection), pushing->push.jti_hash, pushing->push.pae_hash, &record, &slot);
        if (state == REPLAY_DONE) {
                struct stored stored = {.left_s = storing_left_s(&record.life), .duplicate = true};

                pushing_reply(pushing, pushing->push.user, &stored);
                return;
        }
        if (state < 0)
                (void)storing_refuse_recall(state, &why);
        else if (state == REPLAY_PENDING || check_fresh(connection, &terms, &why) == REFUSAL_NONE) {
                /* One that was cut off had passed that already, and its challenge may be of an agent that is gone. */
                pushing->push.resumed = state == REPLAY_PENDING;
                pushing_go_on(pushing);
                return;
        }
        pushing_refuse(pushing, &why);
}

static enum refusal take_revocation(struct revoking *revoking) {
        struct connection *connection = revoking->query.connection;
        struct envelope envelope;
        enum refusal why;

        why = open_envelope(connection, REVOKE_PAYLOAD_TYPE, agent_ready, &envelope, &revoking->why);
        if (why == REFUSAL_NONE)
                why = payload_take_revocation(envelope.pae + envelope.payload_offset,
                                              envelope.pae_length - envelope.payload_offset, &revoking->terms,
                                              &revoking->what, &revoking->why);
        if (why == REFUSAL_NONE)
                why = check_aud(agent_of(connection), &revoking->terms, &revoking->why);
        if (why == REFUSAL_NONE)
                why = identify(&envelope, &revoking->terms, revoking->record.jti, revoking->record.pae, &revoking->why);
        if (why != REFUSAL_NONE)
                return why;
        revoking->query.user = revoking->what.user[0] != '\0' ? revoking->what.user : NULL;
        memcpy(revoking->fingerprint, revoking->what.fingerprint, sizeof(revoking->fingerprint));
        revoking->is_signed = true;
        return REFUSAL_NONE;
}

/*
 * Whether it came before: REPLAY_DONE or REPLAY_FREE; negative errno. Without a memory it is taken for new: to drop keys once
 * more does less harm than not to drop them.
 */
static int recall_revocation(const struct revoking *revoking) {
        struct agent *agent = agent_of(revoking->query.connection);
        struct replay_record record;
        uint32_t slot;

        if (agent->replay.fd < 0)
                return REPLAY_FREE;
        return storing_recall(agent, revoking->record.jti, revoking->record.pae, &record, &slot);
}

void signed_revoke(struct connection *connection) {
        struct revoking *revoking = revoking_new(connection, "Revoke");
        struct freshness at;
        struct refused ignored;
        int state;

        if (!revoking)
                return;
        if (take_revocation(revoking) != REFUSAL_NONE) {
                revoking_refuse(revoking);
                return;
        }
        (void)agent_open_memory(agent_of(connection), &ignored); /* asked again when it is to be remembered */
        at = freshness_now(agent_of(connection));
        revoking->received = at.now;
        revoking->synchronized = at.synchronized;
        state = recall_revocation(revoking);
        /* The very same again changes nothing: keys that came since are not meant. */
        if (state == REPLAY_DONE) {
                connection_reply(connection, json_pack("{si}", "revoked", 0));
                free(revoking);
        } else if (state < 0) {
                (void)storing_refuse_recall(state, &revoking->why);
                revoking_refuse(revoking);
        } else if (freshness_check(&revoking->terms, &connection->challenge, &at, &revoking->why) != REFUSAL_NONE) {
                revoking_refuse(revoking);
        } else {
                revoking_go_on(revoking);
        }
}
