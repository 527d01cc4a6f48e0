/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/storing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/audit.h"
#include "agent/clock_sync.h"
#include "agent/sweep.h"

static int count_one(void *context, const struct store_place *place) {
        size_t *n = context;

        (void)place;
        (*n)++;
        return 0;
}

/* Whether `n` more keys are within the limits, by the files that are there. */
static bool room_for(struct agent *agent, const char *user_name, size_t n) {
        size_t of_user = 0;

        return store_walk(&agent->store, user_name, NULL, count_one, &of_user) >= 0 &&
               of_user + n <= AGENT_KEYS_PER_USER_MAX && agent->live + n <= AGENT_KEYS_MAX;
}

static enum refusal check_room(struct agent *agent, const char *user, size_t n, struct refused *ret_why) {
        char name[STORE_USER_NAME_MAX];

        if (!store_user_name(user, name))
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "The name service gave an empty login name.");
        if (room_for(agent, name, n))
                return REFUSAL_NONE;
        /* What is dead but not swept yet takes no room. */
        if (sweep_again(agent) >= 0 && room_for(agent, name, n))
                return REFUSAL_NONE;
        return refuse(
                ret_why, REFUSAL_STORE_FULL,
                "There are too many live keys: %d for a user and %d in all is the limit. Wait until some expire, or "
                "revoke them.",
                AGENT_KEYS_PER_USER_MAX, AGENT_KEYS_MAX);
}

static void fill_grant(const struct agent *agent, const struct push *push, const char *user, struct grant *ret) {
        int64_t life_s = push->ttl_s > 0 ? push->ttl_s : agent->config->default_ttl_s;

        if (life_s > agent->config->max_ttl_s)
                life_s = agent->config->max_ttl_s;
        *ret = (struct grant){
                .connections = push->connections, .restricted = push->restricted, .n_sources = push->n_sources};
        ret->life.received = instant_now();
        ret->life.boot_end_ns = ret->life.received.boot_ns + life_s * NS_PER_S;
        ret->life.wall_end_ns = INT64_MAX;
        ret->life.synchronized = clock_synchronized();
        memcpy(ret->sources, push->sources, sizeof(ret->sources));
        (void)snprintf(ret->user, sizeof(ret->user), "%s", user);
        (void)snprintf(ret->principal, sizeof(ret->principal), "%s", push->principal);
        (void)snprintf(ret->request_id, sizeof(ret->request_id), "%s", push->request_id);
}

enum refusal storing_push(struct agent *agent, const struct push *push, const char *user, int64_t *ret_life_s,
                          struct refused *ret_why) {
        struct grant grant;
        enum refusal why;
        int r;

        why = check_room(agent, user, push->n_keys, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        fill_grant(agent, push, user, &grant);
        r = store_publish(&agent->store, push->id, &grant, push->keys, push->n_keys);
        if (r == -ENOSPC || r == -EDQUOT)
                return refuse(ret_why, REFUSAL_STORE_FULL,
                              "The store's file system is full. Wait until keys expire, or "
                              "revoke some.");
        if (r < 0)
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "The key could not be stored: %s.", strerror(-r));
        agent->live += push->n_keys;
        *ret_life_s = (grant.life.boot_end_ns - grant.life.received.boot_ns) / NS_PER_S;
        audit_received(push, user, *ret_life_s);
        if (sweep_by(agent, grant.life.boot_end_ns) < 0)
                (void)sweep(agent);
        return REFUSAL_NONE;
}
