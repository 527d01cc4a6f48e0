/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/method_revoke.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/audit.h"
#include "agent/commit.h"
#include "agent/freshness.h"
#include "agent/request_parse.h"
#include "agent/signed_request.h"
#include "agent/slots.h"
#include "common/debug.h"
#include "common/events.h"
#include "wire/json_dispatch.h"

/* A revocation, while the name service is asked. */
struct revoke_call {
        struct connection *connection;
        const char *method;                           /* for the journal */
        const char *user;                             /* as the peer wrote it; NULL where it names none */
        char fingerprint[STORE_FINGERPRINT_NAME_MAX]; /* a name in the store; "": of all keys */
        int revoked;                                  /* live keys that were dropped */
        struct refused why;                           /* the first thing that failed, or REFUSAL_NONE */

        /* Of a signed one only: */
        bool is_signed;
        struct signed_request request;
        struct revocation what;
        struct instant received;
        bool synchronized; /* the wall clock in `received` can be trusted */
};

static struct agent *agent_of(const struct revoke_call *call) {
        return call->connection->home->agent;
}

/* Keeps the first failure; what comes after it is done all the same. */
static void fail(struct revoke_call *call, const struct refused *why) {
        if (call->why.why == REFUSAL_NONE)
                call->why = *why;
}

static struct revoke_call *new_call(struct connection *connection, const char *method) {
        struct revoke_call *call = calloc(1, sizeof(*call));
        struct refused why;

        if (!call) {
                (void)refuse(&why, REFUSAL_STORAGE_FAILURE, "agent: no memory");
                connection_refuse(connection, &why);
                return NULL;
        }
        call->connection = connection;
        call->method = method;
        return call;
}

/* Takes ownership of `call`. */
static void reply(struct revoke_call *call) {
        struct refused why = call->why;

        if (why.why == REFUSAL_NONE) {
                connection_reply(call->connection, json_pack("{si}", "revoked", call->revoked));
                free(call);
                return;
        }
        if (call->revoked > 0)
                (void)refuse(&why, call->why.why, "keys dropped: %d; not all is done: %s", call->revoked,
                             call->why.message);
        if (why.why != REFUSAL_RATE_LIMITED || ratelimit_note(call->connection->home->budget))
                audit_refused(call->method, &why, call->user ? call->user : "", "", "");
        connection_refuse(call->connection, &why);
        free(call);
}

/* --- keys are dropped ----------------------------------------------------------------------------------------------------- */

struct removal {
        const struct store *store;
        const char *user;    /* NULL: of all */
        bool of_fingerprint; /* keys of one fingerprint, not whole grants */
        struct instant now;
        int revoked;
        int failure; /* negative errno of the first key that could not be removed */
        struct slots_memory slots;
};

static int remove_one(void *context, const struct store_place *place) {
        struct removal *removal = context;
        const struct slots *slots = NULL;
        struct grant grant;
        bool whole, live;
        int r = 0;

        whole = store_read(removal->store, place, &grant) == 0;
        /* Login names of over 255 bytes can share a directory. */
        if (whole && removal->user && strcmp(grant.user, removal->user) != 0)
                return 0;
        /* Its claim file is not asked for: it may have been removed with another key of the same grant. */
        live = whole && lifetime_left_ns(&grant.life, &removal->now) > 0;
        if (whole)
                slots = removal->of_fingerprint ? slots_of_key(&removal->slots, removal->store, place, &grant)
                                                : slots_end(&removal->slots, removal->store, place, &grant);
        /* A whole grant ends with its claim file, whatever fails later. One key of several does not end the others. */
        if (!removal->of_fingerprint)
                r = store_remove_claim(removal->store, place);
        if (r >= 0)
                r = store_remove_key(removal->store, place);
        if (r < 0 && removal->failure == 0)
                removal->failure = r;
        if (r >= 0 && whole)
                audit_removed(live ? AUDIT_REVOKED : audit_end_of(&grant, &removal->now), &grant, place, slots);
        if (r >= 0 && live)
                removal->revoked++;
        return 0;
}

static int drop(struct revoke_call *call, const char *user) {
        struct agent *agent = agent_of(call);
        struct removal removal = {
                .store = &agent->store,
                .user = user,
                .of_fingerprint = call->fingerprint[0] != '\0',
                .now = instant_now(),
        };
        char user_name[STORE_USER_NAME_MAX] = "";
        int r = 0, tidied;

        if (!user || store_user_name(user, user_name))
                r = store_walk(&agent->store, user ? user_name : NULL,
                               removal.of_fingerprint ? call->fingerprint : NULL, remove_one, &removal);
        tidied = store_tidy(&agent->store);
        (void)expiry_sweep(&agent->expiry);
        debug_line("dropped; live keys: %d", removal.revoked);
        call->revoked += removal.revoked;
        return removal.failure < 0 ? removal.failure : r < 0 ? r : tidied;
}

/* --- and the revocation is remembered ------------------------------------------------------------------------------------- */

static void remember(struct revoke_call *call, const char *user) {
        struct agent *agent = agent_of(call);
        struct revocation what = call->what;
        struct refused why;
        int r;

        if (user)
                (void)snprintf(what.user, sizeof(what.user), "%s", user);
        if (agent_open_memory(agent, &why) != REFUSAL_NONE) {
                fail(call, &why);
                return;
        }
        r = revocations_add(&agent->revocations, &what, call->request.terms.iat_s, &call->received, call->synchronized);
        if (r >= 0)
                return;
        (void)refuse(&why, REFUSAL_STORAGE_FAILURE,
                     "state/revocations: could not be written: %s; a push that was signed before can still be stored: "
                     "revoke again",
                     strerror(-r));
        fail(call, &why);
}

/* For one name of the user. */
static void carry_out(struct revoke_call *call, const char *user) {
        struct refused why;
        int r = drop(call, user);

        if (r < 0) {
                (void)refuse(&why, REFUSAL_STORAGE_FAILURE, "store: not every key could be removed: %s", strerror(-r));
                fail(call, &why);
        }
        if (call->is_signed)
                remember(call, user);
}

/* Takes ownership of `call`. */
static void finish(struct revoke_call *call) {
        struct refused why;

        /* One that failed is not recorded: a repeat is carried out again, as long as it is good. */
        if (call->is_signed && call->why.why == REFUSAL_NONE &&
            commit_revocation(agent_of(call), &call->request, &call->received, &why) != REFUSAL_NONE)
                fail(call, &why);
        reply(call);
}

/* Keys are stored under the account's own name, which may be another than the one asked for (SSSD, Active Directory). */
static void on_account(void *context, const struct nss_answer *answer) {
        struct revoke_call *call = context;
        struct refused why;

        switch (answer->outcome) {
        case NSS_FOUND:
                if (strcmp(answer->user, call->user) != 0)
                        carry_out(call, answer->user);
                break;
        case NSS_NO_SUCH_USER: /* deleted meanwhile, say: it has no other name */
                break;
        case NSS_FAILURE:
        case NSS_TIMEOUT:
                (void)refuse(&why, REFUSAL_STORAGE_FAILURE,
                             "%s; whether keys of %.64s are stored under another name is unknown: revoke again, or all",
                             answer->message, call->user);
                fail(call, &why);
                break;
        }
        finish(call);
}

/* Takes ownership of `call`. */
static void start(struct revoke_call *call) {
        struct agent *agent = agent_of(call);
        struct refused why;
        char store_why[256];
        int r;

        r = agent_open_store(agent, store_why);
        if (r < 0) {
                (void)refuse(&call->why, REFUSAL_STORAGE_FAILURE, "store: %s", store_why);
                reply(call);
                return;
        }
        carry_out(call, call->user);
        /* A push that was cut off must not be finished after this. */
        r = agent->replay.fd >= 0 ? replay_void_pending(&agent->replay) : 0;
        if (r < 0) {
                (void)refuse(&why, REFUSAL_STORAGE_FAILURE, "state/pushes: could not be written: %s", strerror(-r));
                fail(call, &why);
        }
        if (call->user)
                connection_look_up(call->connection, call->user, NULL, 0, on_account, call); /* transferred */
        else
                finish(call);
}

/* --- RevokeLocal ---------------------------------------------------------------------------------------------------------- */

void method_revoke_local(struct connection *connection) {
        struct parameters {
                const char *fingerprint, *user;
        } parameters = {.user = NULL};
        static const struct json_dispatch_field fields[] = {
                {"fingerprint", json_dispatch_text_ref, offsetof(struct parameters, fingerprint), .min = 1,
                 .max = FRAME_MAX, .expected = "a text"},
                {"user", json_dispatch_text_ref, offsetof(struct parameters, user), .min = 1, .max = FRAME_MAX,
                 .expected = "a login name"},
                {.name = NULL},
        };
        struct revoke_call *call;
        struct refused ignored;
        const char *fault;

        /* An unknown parameter is refused: without the one that was meant, a misspelt one would revoke everything. */
        fault = json_dispatch(connection->call.parameters, fields,
                              JSON_DISPATCH_NULL_IS_ABSENT | JSON_DISPATCH_REFUSE_UNKNOWN, &parameters, &ignored);
        if (fault) {
                connection_invalid_parameter(connection, fault);
                return;
        }
        call = new_call(connection, "RevokeLocal");
        if (!call)
                return;
        call->user = parameters.user;
        if (!parameters.fingerprint || store_fingerprint_name(parameters.fingerprint, call->fingerprint)) {
                start(call);
                return;
        }
        (void)refuse_field(&call->why, "fingerprint",
                           "fingerprint: expected SHA256:…, as ssh-keygen -l and List print it");
        reply(call);
}

/* --- Revoke --------------------------------------------------------------------------------------------------------------- */

static enum refusal take_signed(struct revoke_call *call, enum replay_state *ret_seen) {
        struct connection *connection = call->connection;
        struct agent *agent = agent_of(call);
        struct refused ignored;
        struct freshness at;
        enum refusal why;

        why = ratelimit_push(connection->home->budget, agent->config->rate_limit, &call->why);
        if (why == REFUSAL_NONE)
                why = agent_ready(agent, &call->why);
        if (why != REFUSAL_NONE)
                return why;
        why = signed_request_revocation(agent, json_object_get(connection->call.parameters, "envelope"),
                                        connection_unsigned_ok(connection), &call->request, &call->what, &call->why);
        ratelimit_verified(connection->home->budget, agent->config->rate_limit, call->request.n_verified);
        if (why != REFUSAL_NONE)
                return why;
        call->is_signed = true;
        call->user = call->what.user[0] != '\0' ? call->what.user : NULL;
        memcpy(call->fingerprint, call->what.fingerprint, sizeof(call->fingerprint));
        call->received = instant_now();
        call->synchronized = freshness_clock_synchronized();

        /* Without a memory it counts as new: to drop keys once more does less harm than not to drop them. */
        *ret_seen = REPLAY_FREE;
        if (agent_open_memory(agent, &ignored) == REFUSAL_NONE)
                why = commit_recall(agent, &call->request, ret_seen, &call->why);
        if (why != REFUSAL_NONE || *ret_seen != REPLAY_FREE)
                return why;
        at = (struct freshness){call->received, call->synchronized, agent->replay.birth_boot_ns};
        why = freshness_check(&call->request.terms, &connection->challenge, &at, &call->why);
        if (why == REFUSAL_NONE)
                debug_line("fresh: by its %s", call->request.terms.has_challenge ? "challenge" : "time");
        return why;
}

void method_revoke(struct connection *connection) {
        struct revoke_call *call = new_call(connection, "Revoke");
        enum replay_state seen;

        if (!call)
                return;
        /* A repeat changes nothing: keys that came since are not meant. */
        if (take_signed(call, &seen) != REFUSAL_NONE || seen != REPLAY_FREE)
                reply(call);
        else
                start(call);
}
