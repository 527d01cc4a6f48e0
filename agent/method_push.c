/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/method_push.h"

#include <poll.h>
#include <stdlib.h>

#include "agent/audit.h"
#include "agent/commit.h"
#include "agent/freshness.h"
#include "agent/host_keys.h"
#include "agent/policy.h"
#include "agent/request_parse.h"
#include "agent/signed_request.h"
#include "common/debug.h"

/* A push, while the name service is asked. */
struct push_call {
        struct connection *connection;
        const char *method; /* for the journal */
        struct push push;
        struct instant received;
        bool synchronized; /* the wall clock in `received` can be trusted */

        /* Of a signed one only: */
        bool is_signed;
        struct signed_request request;
        enum replay_state seen; /* before the name service was asked */
};

static struct agent *agent_of(const struct push_call *call) {
        return call->connection->home->agent;
}

/* Both take ownership of `call`. */
static void refuse_push(struct push_call *call, const struct refused *why) {
        if (why->why != REFUSAL_RATE_LIMITED || ratelimit_note(call->connection->home->budget))
                audit_refused(call->method, why, call->push.user, call->push.principal, call->push.request_id);
        connection_refuse(call->connection, why);
        free(call);
}

static void reply(struct push_call *call, const char *user, const struct commit_result *result) {
        struct agent *agent = agent_of(call);
        const struct push *push = &call->push;
        json_t *fingerprints = json_array();

        for (size_t i = 0; i < push->n_keys; i++) {
                char fingerprint[STORE_FINGERPRINT_NAME_MAX + 7];

                store_fingerprint_text(push->keys[i].fingerprint, fingerprint);
                (void)json_array_append_new(fingerprints, json_string(fingerprint));
        }
        connection_reply(call->connection,
                         json_pack("{ss so sI sb so}", "user", user, "fingerprints", fingerprints, "expiresIn",
                                   (json_int_t)result->left_s, "duplicate", (int)result->duplicate, "hostKeys",
                                   host_keys_get(&agent->host_keys, agent->config)));
        free(call);
}

/* --- after the name service ----------------------------------------------------------------------------------------------- */

/* The name service has names of bytes, and JSON has text. */
static bool is_utf8(const char *name) {
        json_t *text = json_string(name);

        json_decref(text);
        return text;
}

/*
 * Whether the connection is gone whose challenge the push signed. As long as the push is not stored, the same one on another
 * connection is answered StaleChallenge, and its sender then signs another push: so it may not be stored here afterwards. This
 * check and the store are one step, and a sender closes this connection before it sends again.
 *
 * A connection that is only shut down for sending counts too: vsock shows nothing else when its peer has closed, and no other
 * challenge can be asked for on it. A push that was seen before is finished or known wherever it comes from.
 */
static bool sender_left(const struct push_call *call) {
        struct pollfd p = {.fd = call->connection->fd, .events = POLLRDHUP};

        return call->is_signed && call->request.terms.has_challenge && call->seen == REPLAY_FREE && poll(&p, 1, 0) != 0;
}

/* A repeat was allowed when it was stored, so only the account's name is needed. A deleted user keeps the name in the push. */
static enum refusal decide(const struct push_call *call, const struct nss_answer *answer, struct refused *ret_why) {
        if (call->seen != REPLAY_DONE)
                return policy_decide(agent_of(call)->config, answer, ret_why);
        if (answer->outcome == NSS_FOUND || answer->outcome == NSS_NO_SUCH_USER)
                return REFUSAL_NONE;
        return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "%s", answer->message);
}

static enum refusal store(struct push_call *call, const struct nss_answer *answer, struct commit_result *ret,
                          struct refused *ret_why) {
        struct commit commit = {
                .push = &call->push,
                .user = answer->user,
                .received = call->received,
                .synchronized = call->synchronized,
                .request = call->is_signed ? &call->request : NULL,
                .seen = call->seen,
        };
        enum refusal why;

        if (answer->outcome == NSS_FOUND)
                debug_line("user: %s, user id %u", answer->user, answer->uid);
        why = decide(call, answer, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        debug_line("policy: %s", call->seen == REPLAY_DONE ? "not asked for a repeat" : "allowed");
        why = request_parse_keys(&call->push, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        debug_line("keys: %zu accepted", call->push.n_keys);
        if (!is_utf8(answer->user))
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE,
                              "name service: the login name of this user is not UTF-8");
        if (sender_left(call))
                return refuse(ret_why, REFUSAL_STALE_CHALLENGE,
                              "connection: closed by the sender before the push could be stored");
        return commit_push(agent_of(call), &commit, ret, ret_why);
}

static void on_user(void *context, const struct nss_answer *answer) {
        struct push_call *call = context;
        struct commit_result result;
        struct refused why;

        if (store(call, answer, &result, &why) == REFUSAL_NONE)
                reply(call, answer->user, &result);
        else
                refuse_push(call, &why);
}

/* --- before the name service ---------------------------------------------------------------------------------------------- */

static enum refusal take_local(struct push_call *call, struct refused *ret_why) {
        enum refusal why;

        why = request_parse_push_local(call->connection->call.parameters, &call->push, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        debug_line("parameters: push; keys: %zu", call->push.n_keys);
        call->received = instant_now();
        call->synchronized = freshness_clock_synchronized();
        return REFUSAL_NONE;
}

static enum refusal take_signed(struct push_call *call, struct refused *ret_why) {
        struct connection *connection = call->connection;
        struct agent *agent = agent_of(call);
        struct freshness at;
        enum refusal why;

        call->is_signed = true;
        why = signed_request_push(agent, json_object_get(connection->call.parameters, "envelope"),
                                  connection_unsigned_ok(connection), &call->request, &call->push, ret_why);
        ratelimit_verified(connection->home->budget, agent->config->rate_limit, call->request.n_verified);
        if (why == REFUSAL_NONE)
                why = agent_open_memory(agent, ret_why);
        if (why == REFUSAL_NONE)
                why = commit_recall(agent, &call->request, &call->seen, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        call->received = instant_now();
        call->synchronized = freshness_clock_synchronized();
        debug_line("record: %s", call->seen == REPLAY_FREE      ? "none, the push is new"
                                 : call->seen == REPLAY_PENDING ? "pending, the push was cut off"
                                                                : "done, the push is a repeat");
        /* One that was cut off had passed this already, and its challenge may be of an agent that is gone. */
        if (call->seen != REPLAY_FREE)
                return REFUSAL_NONE;
        at = (struct freshness){call->received, call->synchronized, agent->replay.birth_boot_ns};
        why = freshness_check(&call->request.terms, &connection->challenge, &at, ret_why);
        if (why == REFUSAL_NONE)
                debug_line("fresh: by its %s", call->request.terms.has_challenge ? "challenge" : "time");
        return why;
}

static enum refusal ask_user(struct push_call *call, struct refused *ret_why) {
        char **groups = NULL;
        size_t n_groups;

        if (policy_groups(agent_of(call)->config, &groups, &n_groups) < 0)
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "agent: no memory");
        connection_look_up(call->connection, call->push.user, groups, n_groups, on_user, call);
        free(groups);
        return REFUSAL_NONE;
}

static void start(struct connection *connection, const char *method,
                  enum refusal (*take)(struct push_call *, struct refused *)) {
        struct push_call *call = malloc(sizeof(*call));
        struct agent *agent = connection->home->agent;
        struct refused refused;
        enum refusal why;

        if (!call) {
                (void)refuse(&refused, REFUSAL_STORAGE_FAILURE, "agent: no memory");
                connection_refuse(connection, &refused);
                return;
        }
        *call = (struct push_call){.connection = connection, .method = method};
        why = ratelimit_push(connection->home->budget, agent->config->rate_limit, &refused);
        if (why == REFUSAL_NONE)
                why = agent_ready_for_push(agent, &refused);
        if (why == REFUSAL_NONE)
                why = take(call, &refused);
        if (why == REFUSAL_NONE)
                why = ask_user(call, &refused); /* transferred until on_user() */
        if (why != REFUSAL_NONE)
                refuse_push(call, &refused);
}

void method_push_local(struct connection *connection) {
        start(connection, "PushLocal", take_local);
}

void method_push(struct connection *connection) {
        start(connection, "Push", take_signed);
}
