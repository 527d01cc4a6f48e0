/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/pushing.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "agent/audit.h"
#include "agent/host_keys.h"
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
        if (why->why != REFUSAL_RATE_LIMITED || budget_note(pushing->connection->home->budget))
                audit_refused(pushing->method, why, pushing->push.user, pushing->push.principal,
                              pushing->push.request_id);
        connection_refuse(pushing->connection, why);
        free(pushing);
}

void pushing_reply(struct pushing *pushing, const char *user, const struct stored *stored) {
        struct agent *agent = pushing->connection->home->agent;
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
                                   host_keys_kept(&agent->host_keys, agent->config)));
        free(pushing);
}

/* The name service has names of bytes, and JSON has text. */
static bool can_be_told(const char *user) {
        json_t *text = json_string(user);

        json_decref(text);
        return text;
}

/*
 * Whether a push has lost the connection whose challenge it signed. The same one, sent over another, is told
 * StaleChallenge as long as it is not stored, and its sender then signs another push: so it may not be stored here
 * afterwards. Asking and storing are one step, and who sends it again closes this connection first.
 *
 * One that is shut down for sending alone counts too: vsock shows nothing else when its peer has closed, and no other
 * challenge can be asked for on it.
 */
static bool sender_left(const struct pushing *pushing) {
        const struct push *push = &pushing->push;
        struct pollfd p = {.fd = pushing->connection->fd, .events = POLLRDHUP};

        /* One that was cut off before is remembered: sent again, it is finished and not told StaleChallenge. */
        return push->is_signed && !push->by_clock && !push->resumed && poll(&p, 1, 0) != 0;
}

static enum refusal store(struct pushing *pushing, const struct nss_answer *answer, struct stored *ret,
                          struct refused *ret_why) {
        struct agent *agent = pushing->connection->home->agent;
        enum refusal why;

        why = policy_decide(agent->config, answer, ret_why);
        if (why == REFUSAL_NONE)
                why = push_check_keys(&pushing->push, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        if (!can_be_told(answer->user))
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "The name service's name for this user is not UTF-8.");
        if (sender_left(pushing))
                return refuse(ret_why, REFUSAL_STALE_CHALLENGE, "The sender left before it could be stored.");
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
        const struct connection_home *home = pushing->connection->home;
        char **groups = NULL;
        size_t n_groups;
        int r;

        r = policy_groups(home->agent->config, &groups, &n_groups);
        if (r >= 0)
                r = nss_lookup(home->budget->nss, pushing->push.user, groups, n_groups, on_user, pushing,
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

void push_local(struct connection *connection) {
        struct pushing *pushing = pushing_new(connection, "PushLocal");
        struct agent *agent = connection->home->agent;
        enum refusal result;
        struct refused why;

        if (!pushing)
                return;
        result = budget_push(connection->home->budget, agent->config->rate_limit, &why);
        if (result == REFUSAL_NONE)
                result = agent_ready_for_push(agent, &why);
        if (result == REFUSAL_NONE)
                result = push_from_local(connection->call.parameters, &pushing->push, &why);
        if (result == REFUSAL_NONE)
                pushing_go_on(pushing);
        else
                pushing_refuse(pushing, &why);
}
