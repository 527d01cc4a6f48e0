/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/launch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/audit.h"
#include "common/debug.h"

struct replacement {
        struct agent *agent;
        const struct launch *launch;
        int failure; /* negative errno of the first key that could not be removed */
};

static void drop(struct replacement *replacement, const struct store_place *place) {
        const struct store *store = &replacement->agent->store;
        int r = store_remove_claim(store, place);

        if (r >= 0)
                r = store_remove_key(store, place);
        if (r < 0 && replacement->failure == 0)
                replacement->failure = r;
}

static bool is_kept(const struct launch *launch, const struct store_place *place, const struct grant *grant) {
        if (strcmp(grant->user, launch->user) != 0 || lifetime_left_ns(&grant->life, &launch->received) == 0)
                return false;
        for (size_t i = 0; i < launch->push->n_keys; i++)
                if (strcmp(launch->push->keys[i].fingerprint, place->fingerprint) == 0)
                        return true;
        return false;
}

/* One that has expired ends here as well: if it is in the set, it is new. */
static int drop_gone(void *context, const struct store_place *place, const struct grant *grant) {
        struct replacement *replacement = context;
        const struct instant *now = &replacement->launch->received;
        bool live = lifetime_left_ns(&grant->life, now) > 0;

        if (grant->origin != GRANT_LAUNCH || is_kept(replacement->launch, place, grant))
                return 0;
        drop(replacement, place);
        audit_removed(live ? AUDIT_WITHDRAWN : audit_end_of(grant, now), grant, place, NULL);
        return 0;
}

struct search {
        const char *user;
        bool found;
        struct store_place place; /* of the launch grant of that key */
        struct grant grant;
};

static int find_one(void *context, const struct store_place *place, const struct grant *grant) {
        struct search *search = context;

        if (grant->origin != GRANT_LAUNCH || strcmp(grant->user, search->user) != 0)
                return 0;
        search->found = true;
        search->place = *place;
        search->grant = *grant;
        return 1;
}

static int store_new(struct replacement *replacement, const struct store_key *key, const char *id, int64_t end_ns) {
        const struct launch *launch = replacement->launch;
        struct grant grant = {
                .origin = GRANT_LAUNCH,
                .life = {.received = launch->received,
                         .boot_end_ns = end_ns,
                         .wall_end_ns = INT64_MAX,
                         .synchronized = launch->synchronized},
                .connections = 0,
        };
        int r;

        (void)snprintf(grant.user, sizeof(grant.user), "%s", launch->user);
        (void)snprintf(grant.principal, sizeof(grant.principal), "%s", LAUNCH_PRINCIPAL);
        r = store_publish(&replacement->agent->store, id, &grant, key, 1);
        if (r >= 0)
                audit_launch_key(key->fingerprint, &grant, launch->life_s);
        return r;
}

/*
 * What is in the store of these keys is live, after drop_gone(), and gets a later end. It is not removed for that: the helper of
 * a connection that has found it reads it once more.
 */
static int store_one(struct replacement *replacement, const struct store_key *key) {
        const struct launch *launch = replacement->launch;
        int64_t end_ns = launch->received.boot_ns + launch->life_s * NS_PER_S;
        const struct store *store = &replacement->agent->store;
        struct search search = {.user = launch->user};
        char name[STORE_USER_NAME_MAX], id[STORE_ID_MAX];
        int r;

        if (!store_user_name(launch->user, name) || !request_random_id(id))
                return -EIO;
        r = store_read_each(store, name, key->fingerprint, find_one, &search);
        if (r < 0)
                return r;
        if (!search.found)
                return store_new(replacement, key, id, end_ns);
        search.grant.life.boot_end_ns = end_ns;
        return store_renew(store, &search.place, id, &search.grant);
}

enum refusal launch_replace(struct agent *agent, const struct launch *launch, struct refused *ret_why) {
        struct replacement replacement = {.agent = agent, .launch = launch};
        const struct store *store = &agent->store;
        int r, tidied;

        r = store_read_each(store, NULL, NULL, drop_gone, &replacement);
        for (size_t i = 0; r >= 0 && i < launch->push->n_keys; i++)
                r = store_one(&replacement, &launch->push->keys[i]);
        if (r >= 0)
                r = replacement.failure;
        tidied = store_tidy(store);
        (void)expiry_sweep(&agent->expiry);
        debug_line("launch keys: %zu", launch->push->n_keys);
        if (r == -ENOSPC || r == -EDQUOT)
                return refuse(ret_why, REFUSAL_STORE_FULL, "store: no room left for keys; wait until some expire");
        if (r < 0 || tidied < 0)
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "store: the launch keys could not be replaced: %s",
                              strerror(r < 0 ? -r : -tidied));
        return REFUSAL_NONE;
}
