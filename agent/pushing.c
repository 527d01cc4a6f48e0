/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pushing.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/audit.h"
#include "agent/host_keys.h"
#include "agent/listener.h"
#include "agent/policy.h"

struct pushing *pushing_new(struct connection *connection, const char *method) {
        struct pushing *pushing = malloc(sizeof(*pushing));
        struct refused why;

        if (!pushing) {
                (void)refuse(&why, REFUSAL_STORAGE_FAILURE, "No memory.");
                connection_refuse(connection, &why);
                return NULL;
        }
        *pushing = (struct pushing){.connection = connection, .method = method};
        return pushing;
}

void pushing_refuse(struct pushing *pushing, const struct refused *why) {
        if (why->why != REFUSAL_RATE_LIMITED || listener_may_note(pushing->connection->listener))
                audit_refused(pushing->method, why, pushing->push.user, pushing->push.principal,
                              pushing->push.request_id);
        connection_refuse(pushing->connection, why);
        free(pushing);
}

void pushing_reply(struct pushing *pushing, const char *user, const struct stored *stored) {
        const struct push *push = &pushing->push;
        json_t *fingerprints = json_array();

        for (size_t i = 0; i < push->n_keys; i++) {
                char fingerprint[STORE_FINGERPRINT_NAME_MAX + 7];

                store_fingerprint_text(push->keys[i].fingerprint, fingerprint);
                (void)json_array_append_new(fingerprints, json_string(fingerprint));
        }
        connection_reply(pushing->connection,
                         json_pack("{ss so sI sb so}", "user", user, "fingerprints", fingerprints, "expiresIn",
                                   (json_int_t)stored->left_s, "duplicate", (int)stored->duplicate, "hostKeys",
                                   host_keys(pushing->connection->listener->agent->config)));
        free(pushing);
}

/* The name service has names of bytes, and JSON has text. */
static bool can_be_told(const char *user) {
        json_t *text = json_string(user);

        json_decref(text);
        return text;
}

static enum refusal store(struct pushing *pushing, const struct nss_answer *answer, struct stored *ret,
                          struct refused *ret_why) {
        struct agent *agent = pushing->connection->listener->agent;
        enum refusal why;

        why = policy_decide(agent->config, answer, ret_why);
        if (why == REFUSAL_NONE)
                why = push_check_keys(&pushing->push, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        if (!can_be_told(answer->user))
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "The name service's name for this user is not UTF-8.");
        return storing_push(agent, &pushing->push, answer->user, ret, ret_why);
}

static void on_user(void *context, const struct nss_answer *answer) {
        struct pushing *pushing = context;
        struct stored stored;
        struct refused why;

        pushing->connection->waiting = NULL; /* ours again */
        pushing->connection->lookup = NULL;
        if (store(pushing, answer, &stored, &why) != REFUSAL_NONE)
                pushing_refuse(pushing, &why);
        else
                pushing_reply(pushing, answer->user, &stored);
}

static int ask_user(struct pushing *pushing) {
        struct listener *listener = pushing->connection->listener;
        char **groups = NULL;
        size_t n_groups;
        int r;

        r = policy_groups(listener->agent->config, &groups, &n_groups);
        if (r >= 0)
                r = nss_lookup(listener->nss, pushing->push.user, groups, n_groups, on_user, pushing,
                               &pushing->connection->lookup);
        free(groups);
        return r;
}

void pushing_go_on(struct pushing *pushing) {
        struct refused why;
        int r;

        r = ask_user(pushing);
        if (r >= 0) {
                pushing->connection->waiting = pushing; /* transferred until on_user() */
                return;
        }
        (void)refuse(&why, REFUSAL_STORAGE_FAILURE, "The name service could not be asked: %s.", strerror(-r));
        pushing_refuse(pushing, &why);
}

enum refusal pushing_take_rate(struct connection *connection, struct refused *ret_why) {
        struct listener *listener = connection->listener;
        uint32_t limit = listener->agent->config->rate_limit;
        int64_t wait_ns = rate_take(&listener->pushes, instant_now().boot_ns, limit, CONFIG_RATE_BURST);

        if (wait_ns == 0)
                return REFUSAL_NONE;
        (void)refuse(ret_why, REFUSAL_RATE_LIMITED, "More than %" PRIu32 " pushes a second on this socket; try again.",
                     limit);
        ret_why->retry_after_ms = wait_ns / 1000000 + 1;
        return REFUSAL_RATE_LIMITED;
}

void push_local(struct connection *connection) {
        struct pushing *pushing = pushing_new(connection, "PushLocal");
        enum refusal result;
        struct refused why;

        if (!pushing)
                return;
        result = pushing_take_rate(connection, &why);
        if (result == REFUSAL_NONE)
                result = agent_ready(connection->listener->agent, &why);
        if (result == REFUSAL_NONE)
                result = push_from_local(connection->call.parameters, &pushing->push, &why);
        if (result == REFUSAL_NONE)
                pushing_go_on(pushing);
        else
                pushing_refuse(pushing, &why);
}
