/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/storing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/audit.h"
#include "agent/expiry.h"
#include "agent/freshness.h"

static enum refusal check_room(struct agent *agent, const char *user, size_t n, struct refused *ret_why) {
        char name[STORE_USER_NAME_MAX];

        if (!store_user_name(user, name))
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "The name service gave an empty login name.");
        if (expiry_has_room(agent, name, n))
                return REFUSAL_NONE;
        /* What is dead but not swept yet takes no room. */
        if (expiry_sweep_again(agent) >= 0 && expiry_has_room(agent, name, n))
                return REFUSAL_NONE;
        return refuse(
                ret_why, REFUSAL_STORE_FULL,
                "There are too many live keys: %d for a user and %d in all is the limit. Wait until some expire, or "
                "revoke them.",
                AGENT_KEYS_PER_USER_MAX, AGENT_KEYS_MAX);
}

static struct lifetime life_of(const struct agent *agent, const struct push *push) {
        int64_t life_s = push->ttl_s > 0 ? push->ttl_s : agent->config->default_ttl_s;
        struct lifetime life = {.received = instant_now(), .synchronized = clock_synchronized()};

        if (life_s > agent->config->max_ttl_s)
                life_s = agent->config->max_ttl_s;
        life.boot_end_ns = life.received.boot_ns + life_s * NS_PER_S;
        life.wall_end_ns = push->by_clock ? push->exp_s * NS_PER_S : INT64_MAX;
        return life;
}

static void fill_grant(const struct push *push, const char *user, const struct lifetime *life, struct grant *ret) {
        *ret = (struct grant){.life = *life,
                              .connections = push->connections,
                              .restricted = push->restricted,
                              .n_sources = push->n_sources};
        memcpy(ret->sources, push->sources, sizeof(ret->sources));
        (void)snprintf(ret->user, sizeof(ret->user), "%s", user);
        (void)snprintf(ret->principal, sizeof(ret->principal), "%s", push->principal);
        (void)snprintf(ret->request_id, sizeof(ret->request_id), "%s", push->request_id);
}

int storing_recall(const struct agent *agent, const uint8_t jti_hash[static REPLAY_HASH_SIZE],
                   const uint8_t pae_hash[static REPLAY_HASH_SIZE], struct replay_record *ret, uint32_t *ret_slot) {
        int r = replay_find(&agent->replay, jti_hash, ret, ret_slot);

        if (r == -ENOENT)
                return REPLAY_FREE;
        if (r < 0)
                return r;
        return memcmp(ret->pae, pae_hash, REPLAY_HASH_SIZE) == 0 ? (int)ret->state : -EEXIST;
}

enum refusal storing_refuse_recall(int error, struct refused *ret_why) {
        if (error == -EEXIST)
                return refuse(ret_why, REFUSAL_REPLAYED,
                              "Another push or revocation has the same jti; make a new one.");
        return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "What is remembered of pushes could not be read: %s.",
                      strerror(-error));
}

/* push.md, "Replay": by both clocks where it was timed by the wall clock, else with its keys. */
static int remember(struct agent *agent, const struct push *push, const struct lifetime *life, uint32_t *ret_slot) {
        struct replay_record record = {.state = REPLAY_PENDING, .life = *life, .forget_boot_ns = life->boot_end_ns};

        memcpy(record.jti, push->jti_hash, sizeof(record.jti));
        memcpy(record.pae, push->pae_hash, sizeof(record.pae));
        if (push->by_clock) {
                record.forget_wall_ns = (push->exp_s + FRESHNESS_SKEW_S) * NS_PER_S;
                record.forget_boot_ns =
                        life->received.boot_ns + (push->exp_s - push->iat_s + 2 * FRESHNESS_SKEW_S) * NS_PER_S;
        }
        return replay_add(&agent->replay, &record, &life->received, ret_slot);
}

static enum refusal refuse_storing(int error, struct refused *ret_why) {
        if (error == -ENOSPC || error == -EDQUOT)
                return refuse(ret_why, REFUSAL_STORE_FULL,
                              "There is no room left for keys, or for remembering pushes. Wait until some expire.");
        return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "The key could not be stored: %s.", strerror(-error));
}

static enum refusal publish(struct agent *agent, const struct push *push, const char *user, const struct lifetime *life,
                            struct refused *ret_why) {
        char name[STORE_USER_NAME_MAX];
        struct grant grant;
        int r;

        fill_grant(push, user, life, &grant);
        r = store_publish(&agent->store, push->id, &grant, push->keys, push->n_keys);
        if (r == -ENOSPC && expiry_sweep_grown(agent))
                r = store_publish(&agent->store, push->id, &grant, push->keys, push->n_keys);
        if (r < 0)
                return refuse_storing(r, ret_why);
        if (store_user_name(user, name))
                expiry_count(agent, name, push->n_keys);
        audit_received(push, user, (life->boot_end_ns - life->received.boot_ns) / NS_PER_S);
        if (expiry_sweep_by(agent, life->boot_end_ns) < 0)
                (void)expiry_sweep(agent);
        return REFUSAL_NONE;
}

int64_t storing_left_s(const struct lifetime *life) {
        struct instant now = instant_now();

        return (lifetime_left_ns(life, &now) + NS_PER_S - 1) / NS_PER_S;
}

/* Its claim file is there, and so are all its keys (common/store.h). */
static bool is_stored(const struct agent *agent, const struct push *push, const char *user) {
        struct store_place place = {0};
        int fd;

        if (!store_user_name(user, place.user))
                return false;
        memcpy(place.id, push->id, sizeof(place.id));
        fd = store_open_claim(&agent->store, &place, O_RDONLY);
        if (fd < 0)
                return false;
        (void)close(fd);
        return true;
}

static bool is_revoked(const struct agent *agent, const struct push *push, const char *user) {
        struct instant now = instant_now();

        return revocations_match(&agent->revocations, push, user, push->iat_s, &now);
}

/* The pending record, the keys, the done record: cut off anywhere, the repeat of the push finds out how far it came. */
static enum refusal store_signed(struct agent *agent, const struct push *push, const char *user, struct stored *ret,
                                 struct refused *ret_why) {
        struct replay_record record;
        enum refusal why;
        uint32_t slot;
        bool is_new;
        int r;

        r = storing_recall(agent, push->jti_hash, push->pae_hash, &record, &slot);
        if (r < 0)
                return storing_refuse_recall(r, ret_why);
        if (r == REPLAY_DONE) {
                *ret = (struct stored){.left_s = storing_left_s(&record.life), .duplicate = true};
                return REFUSAL_NONE;
        }
        is_new = r == REPLAY_FREE;
        if (is_new && push->resumed)
                return refuse(ret_why, REFUSAL_EXPIRED, "Its time ended before it could be finished; sign it again.");
        if (push->by_clock && is_revoked(agent, push, user))
                return refuse(ret_why, REFUSAL_EXPIRED,
                              "It was signed before something that revokes it; sign it again.");
        /* One that was cut off behind its keys is counted already. */
        if (is_new || !is_stored(agent, push, user)) {
                why = check_room(agent, user, push->n_keys, ret_why);
                if (why != REFUSAL_NONE)
                        return why;
        }
        if (is_new) {
                record.life = life_of(agent, push);
                r = remember(agent, push, &record.life, &slot);
                if (r < 0)
                        return refuse_storing(r, ret_why);
        }
        why = publish(agent, push, user, &record.life, ret_why);
        if (why != REFUSAL_NONE) {
                /* One that was cut off may have been stored by then. Forgotten, it could be stored once more. */
                if (is_new)
                        (void)replay_drop(&agent->replay, slot);
                return why;
        }
        r = replay_set_done(&agent->replay, slot);
        if (r < 0)
                return refuse_storing(r, ret_why);
        *ret = (struct stored){.left_s = storing_left_s(&record.life)};
        return REFUSAL_NONE;
}

enum refusal storing_push(struct agent *agent, const struct push *push, const char *user, struct stored *ret,
                          struct refused *ret_why) {
        struct lifetime life;
        enum refusal why;

        if (push->is_signed)
                return store_signed(agent, push, user, ret, ret_why);
        why = check_room(agent, user, push->n_keys, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        life = life_of(agent, push);
        why = publish(agent, push, user, &life, ret_why);
        if (why == REFUSAL_NONE)
                *ret = (struct stored){.left_s = storing_left_s(&life)};
        return why;
}
