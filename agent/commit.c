/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/audit.h"
#include "agent/freshness.h"
#include "agent/slots.h"
#include "common/debug.h"

/* --- the record ----------------------------------------------------------------------------------------------------------- */

static enum refusal recall(const struct agent *agent, const struct signed_request *request,
                           struct replay_record *ret_record, uint32_t *ret_slot, struct refused *ret_why) {
        int r = replay_find(&agent->replay, request->jti_hash, ret_record, ret_slot);

        if (r == -ENOENT) {
                ret_record->state = REPLAY_FREE;
                return REFUSAL_NONE;
        }
        if (r < 0)
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "state/pushes: could not be read: %s", strerror(-r));
        if (memcmp(ret_record->pae, request->pae_hash, REPLAY_HASH_SIZE) != 0)
                return refuse(ret_why, REFUSAL_REPLAYED,
                              "jti: another push or revocation has the same one; make a new one");
        return REFUSAL_NONE;
}

enum refusal commit_recall(const struct agent *agent, const struct signed_request *request, enum replay_state *ret,
                           struct refused *ret_why) {
        struct replay_record record;
        enum refusal why;
        uint32_t slot;

        why = recall(agent, request, &record, &slot, ret_why);
        if (why == REFUSAL_NONE)
                *ret = record.state;
        return why;
}

/*
 * push.md, "Replay": a record is kept until the request could not be accepted any more by either clock; that of a push with a
 * challenge until its keys have ended. `life` is all zeros for a revocation, which has no keys.
 */
static int record_request(struct agent *agent, const struct signed_request *request, enum replay_state state,
                          const struct lifetime *life, const struct instant *received, uint32_t *ret_slot) {
        const struct terms *terms = &request->terms;
        struct replay_record record = {.state = state, .life = *life};

        memcpy(record.jti, request->jti_hash, sizeof(record.jti));
        memcpy(record.pae, request->pae_hash, sizeof(record.pae));
        if (!terms->has_challenge)
                record.forget_wall_ns = (terms->exp_s + FRESHNESS_SKEW_S) * NS_PER_S;
        if (terms->has_challenge && life->boot_end_ns > 0)
                record.forget_boot_ns = life->boot_end_ns;
        else
                record.forget_boot_ns =
                        received->boot_ns + (terms->exp_s - terms->iat_s + 2 * FRESHNESS_SKEW_S) * NS_PER_S;
        return replay_add(&agent->replay, &record, received, ret_slot);
}

enum refusal commit_revocation(struct agent *agent, const struct signed_request *request,
                               const struct instant *received, struct refused *ret_why) {
        static const struct lifetime no_keys;
        uint32_t slot;
        int r;

        r = record_request(agent, request, REPLAY_DONE, &no_keys, received, &slot);
        if (r == -ENOSPC || r == -EDQUOT)
                return refuse(ret_why, REFUSAL_STORE_FULL,
                              "state/pushes: no room to record the revocation; send no more until some records are "
                              "forgotten");
        if (r < 0)
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "state/pushes: could not be written: %s", strerror(-r));
        return REFUSAL_NONE;
}

/* --- the keys ------------------------------------------------------------------------------------------------------------- */

static enum refusal check_room(struct agent *agent, const char *user, size_t n, struct refused *ret_why) {
        char name[STORE_USER_NAME_MAX];

        if (!store_user_name(user, name))
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "name service: returned an empty login name");
        if (expiry_has_room(&agent->expiry, name, n))
                return REFUSAL_NONE;
        /* Keys that are dead but not swept yet take no room. */
        if (expiry_sweep_for_peer(&agent->expiry) >= 0 && expiry_has_room(&agent->expiry, name, n))
                return REFUSAL_NONE;
        return refuse(ret_why, REFUSAL_STORE_FULL,
                      "store: too many live keys, the limit is %d for a user and %d in all; wait until some expire, or "
                      "revoke them",
                      EXPIRY_KEYS_PER_USER_MAX, EXPIRY_KEYS_MAX);
}

static struct lifetime life_of(const struct agent *agent, const struct commit *commit) {
        int64_t life_s = commit->push->ttl_s > 0 ? commit->push->ttl_s : agent->config->default_ttl_s;
        bool by_clock = commit->request && !commit->request->terms.has_challenge;

        if (life_s > agent->config->max_ttl_s)
                life_s = agent->config->max_ttl_s;
        return (struct lifetime){
                .received = commit->received,
                .boot_end_ns = commit->received.boot_ns + life_s * NS_PER_S,
                .wall_end_ns = by_clock ? commit->request->terms.exp_s * NS_PER_S : INT64_MAX,
                .synchronized = commit->synchronized,
        };
}

static struct grant grant_of(const struct commit *commit, const struct lifetime *life) {
        const struct push *push = commit->push;
        struct grant grant = {
                .life = *life,
                .connections = (uint8_t)push->connections,
                .restricted = push->restricted,
                .n_sources = (uint8_t)push->n_sources,
        };

        memcpy(grant.sources, push->sources, sizeof(grant.sources));
        (void)snprintf(grant.user, sizeof(grant.user), "%s", commit->user);
        (void)snprintf(grant.principal, sizeof(grant.principal), "%s", push->principal);
        (void)snprintf(grant.request_id, sizeof(grant.request_id), "%s", push->request_id);
        return grant;
}

static enum refusal refuse_storing(int error, struct refused *ret_why) {
        if (error == -ENOSPC || error == -EDQUOT)
                return refuse(ret_why, REFUSAL_STORE_FULL,
                              "store: no room left for keys, or for records of pushes; wait until some expire");
        return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "store: the key could not be written: %s", strerror(-error));
}

static enum refusal publish(struct agent *agent, const struct commit *commit, const struct lifetime *life,
                            struct refused *ret_why) {
        const struct push *push = commit->push;
        struct grant grant = grant_of(commit, life);
        char name[STORE_USER_NAME_MAX];
        int64_t left_ns;
        int r;

        r = store_publish(&agent->store, push->id, &grant, push->keys, push->n_keys);
        if (r == -ENOSPC && expiry_remove_grown(&agent->expiry))
                r = store_publish(&agent->store, push->id, &grant, push->keys, push->n_keys);
        if (r < 0)
                return refuse_storing(r, ret_why);
        if (store_user_name(commit->user, name))
                expiry_count(&agent->expiry, name, push->n_keys);
        debug_line("stored: grant %s of %s", push->id, commit->user);
        left_ns = lifetime_left_ns(life, &life->received);
        audit_received(push, commit->user, (left_ns + NS_PER_S - 1) / NS_PER_S);
        if (expiry_sweep_by(&agent->expiry, life->received.boot_ns + left_ns) < 0)
                (void)expiry_sweep(&agent->expiry);
        return REFUSAL_NONE;
}

static int64_t left_s(const struct lifetime *life) {
        struct instant now = instant_now();

        return (lifetime_left_ns(life, &now) + NS_PER_S - 1) / NS_PER_S;
}

/* Seconds that a push stored before can still be used: 0 where its keys are revoked or all its slots are taken. */
static int64_t usable_s(const struct agent *agent, const struct commit *commit) {
        const struct push *push = commit->push;
        struct store_place place = {0};
        int64_t found_s = 0;

        if (!store_user_name(commit->user, place.user))
                return 0;
        memcpy(place.id, push->id, sizeof(place.id));
        /* Its keys share one end, but each may have been revoked by its fingerprint. */
        for (size_t i = 0; i < push->n_keys && found_s == 0; i++) {
                struct grant grant;
                int taken;

                memcpy(place.fingerprint, push->keys[i].fingerprint, sizeof(place.fingerprint));
                if (store_read(&agent->store, &place, &grant) < 0 || strcmp(grant.user, commit->user) != 0)
                        continue;
                taken = slots_taken(&agent->store, &place, grant.connections);
                if (taken >= 0 && (grant.connections == 0 || taken < grant.connections))
                        found_s = left_s(&grant.life);
        }
        return found_s;
}

/* The claim file is there, and so are all its keys (common/store.h). */
static bool is_stored(const struct agent *agent, const struct commit *commit) {
        struct store_place place = {0};
        int fd;

        if (!store_user_name(commit->user, place.user))
                return false;
        memcpy(place.id, commit->push->id, sizeof(place.id));
        fd = store_open_claim(&agent->store, &place, O_RDONLY);
        if (fd < 0)
                return false;
        (void)close(fd);
        return true;
}

static bool is_revoked(const struct agent *agent, const struct commit *commit) {
        struct instant now = instant_now();

        return revocations_match(&agent->revocations, commit->push, commit->user, commit->request->terms.iat_s, &now);
}

/* --- pushes --------------------------------------------------------------------------------------------------------------- */

static enum refusal store_new(struct agent *agent, const struct commit *commit, struct commit_result *ret,
                              struct refused *ret_why) {
        struct lifetime life = life_of(agent, commit);
        enum refusal why;

        why = check_room(agent, commit->user, commit->push->n_keys, ret_why);
        if (why == REFUSAL_NONE)
                why = publish(agent, commit, &life, ret_why);
        if (why == REFUSAL_NONE)
                *ret = (struct commit_result){.left_s = left_s(&life)};
        return why;
}

static enum refusal store_signed(struct agent *agent, const struct commit *commit, struct commit_result *ret,
                                 struct refused *ret_why) {
        struct replay_record record;
        enum refusal why;
        uint32_t slot;
        bool is_new;
        int r;

        why = recall(agent, commit->request, &record, &slot, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        if (record.state == REPLAY_DONE) {
                *ret = (struct commit_result){.left_s = usable_s(agent, commit), .duplicate = true};
                return REFUSAL_NONE;
        }
        is_new = record.state == REPLAY_FREE;
        /* Forgotten while the name service was asked. Of a repeat, the policy was not asked either. */
        if (commit->seen == REPLAY_DONE || (is_new && commit->seen == REPLAY_PENDING))
                return refuse(ret_why, REFUSAL_EXPIRED,
                              "expired: its record ended before it was finished; sign it again");
        if (!commit->request->terms.has_challenge && is_revoked(agent, commit))
                return refuse(ret_why, REFUSAL_EXPIRED,
                              "expired: revoked in the second in which it was signed, or later; sign it again, a "
                              "second later");
        /* One that was cut off after its keys were stored is counted already. */
        if (is_new || !is_stored(agent, commit)) {
                why = check_room(agent, commit->user, commit->push->n_keys, ret_why);
                if (why != REFUSAL_NONE)
                        return why;
        }
        if (is_new) {
                record.life = life_of(agent, commit);
                r = record_request(agent, commit->request, REPLAY_PENDING, &record.life, &commit->received, &slot);
                if (r < 0)
                        return refuse_storing(r, ret_why);
        }
        why = publish(agent, commit, &record.life, ret_why);
        if (why != REFUSAL_NONE) {
                /* One that was cut off may have been stored by then. Forgotten, it could be stored once more. */
                if (is_new)
                        (void)replay_drop(&agent->replay, slot);
                return why;
        }
        r = replay_set_done(&agent->replay, slot);
        if (r < 0)
                return refuse_storing(r, ret_why);
        /* One that was cut off after its keys were stored may have been used since. */
        *ret = (struct commit_result){.left_s = is_new ? left_s(&record.life) : usable_s(agent, commit)};
        return REFUSAL_NONE;
}

enum refusal commit_push(struct agent *agent, const struct commit *commit, struct commit_result *ret,
                         struct refused *ret_why) {
        return commit->request ? store_signed(agent, commit, ret, ret_why) : store_new(agent, commit, ret, ret_why);
}
