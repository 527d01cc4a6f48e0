/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pushing.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/audit.h"
#include "agent/host_keys.h"
#include "agent/listener.h"
#include "agent/policy.h"
#include "agent/storing.h"

/* A push that waits for the name service. */
struct waiting {
        struct connection *connection;
        struct push push;
};

static void refuse_push(struct connection *connection, const struct push *push, const struct refused *why) {
        if (why->why != REFUSAL_RATE_LIMITED || listener_may_note(connection->listener))
                audit_refused("PushLocal", why, push->user, push->principal, push->request_id);
        connection_refuse(connection, why);
}

static void reply_push(struct connection *connection, const struct push *push, const char *user, int64_t life_s) {
        json_t *fingerprints = json_array();

        for (size_t i = 0; i < push->n_keys; i++) {
                char fingerprint[STORE_FINGERPRINT_NAME_MAX + 7];

                store_fingerprint_text(push->keys[i].fingerprint, fingerprint);
                (void)json_array_append_new(fingerprints, json_string(fingerprint));
        }
        connection_reply(connection, json_pack("{ss so sI sb so}", "user", user, "fingerprints", fingerprints,
                                               "expiresIn", (json_int_t)life_s, "duplicate", 0, "hostKeys",
                                               host_keys(connection->listener->agent->config)));
}

/* The name service has names of bytes, and JSON has text. */
static bool can_be_told(const char *user) {
        json_t *text = json_string(user);

        json_decref(text);
        return text;
}

static enum refusal store(struct connection *connection, const struct push *push, const struct nss_answer *answer,
                          int64_t *ret_life_s, struct refused *ret_why) {
        struct agent *agent = connection->listener->agent;
        enum refusal why;

        why = policy_decide(agent->config, answer, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        if (!can_be_told(answer->user))
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "The name service's name for this user is not UTF-8.");
        return storing_push(agent, push, answer->user, ret_life_s, ret_why);
}

static void on_user(void *context, const struct nss_answer *answer) {
        struct waiting *waiting = context;
        struct connection *connection = waiting->connection;
        struct refused why;
        int64_t life_s;

        connection->waiting = NULL; /* ours again */
        connection->lookup = NULL;
        if (store(connection, &waiting->push, answer, &life_s, &why) != REFUSAL_NONE)
                refuse_push(connection, &waiting->push, &why);
        else
                reply_push(connection, &waiting->push, answer->user, life_s);
        free(waiting);
}

static enum refusal ask_user(struct connection *connection, struct waiting *waiting, struct refused *ret_why) {
        struct listener *listener = connection->listener;
        char **groups = NULL;
        size_t n_groups;
        int r;

        r = policy_groups(listener->agent->config, &groups, &n_groups);
        if (r >= 0)
                r = nss_lookup(listener->nss, waiting->push.user, groups, n_groups, on_user, waiting,
                               &connection->lookup);
        free(groups);
        return r < 0 ? refuse(ret_why, REFUSAL_STORAGE_FAILURE, "The name service could not be asked: %s.",
                              strerror(-r))
                     : REFUSAL_NONE;
}

static enum refusal take_rate(struct connection *connection, struct refused *ret_why) {
        struct listener *listener = connection->listener;
        uint32_t limit = connection->listener->agent->config->rate_limit;
        int64_t wait_ns = rate_take(&listener->pushes, instant_now().boot_ns, limit, CONFIG_RATE_BURST);

        if (wait_ns == 0)
                return REFUSAL_NONE;
        (void)refuse(ret_why, REFUSAL_RATE_LIMITED, "More than %" PRIu32 " pushes a second on this socket; try again.",
                     limit);
        ret_why->retry_after_ms = wait_ns / 1000000 + 1;
        return REFUSAL_RATE_LIMITED;
}

void push_local(struct connection *connection) {
        struct waiting *waiting = malloc(sizeof(*waiting));
        enum refusal result;
        struct refused why;

        if (!waiting) {
                (void)refuse(&why, REFUSAL_STORAGE_FAILURE, "No memory.");
                connection_refuse(connection, &why);
                return;
        }
        *waiting = (struct waiting){.connection = connection};
        result = take_rate(connection, &why);
        if (result == REFUSAL_NONE)
                result = agent_ready(connection->listener->agent, &why);
        if (result == REFUSAL_NONE)
                result = push_from_local(connection->call.parameters, &waiting->push, &why);
        if (result == REFUSAL_NONE)
                result = ask_user(connection, waiting, &why);
        if (result == REFUSAL_NONE) {
                connection->waiting = waiting; /* transferred until on_user() */
                return;
        }
        refuse_push(connection, &waiting->push, &why);
        free(waiting);
}
