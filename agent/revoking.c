/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/revoking.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/audit.h"
#include "agent/expiry.h"
#include "agent/selection.h"
#include "agent/service.h"
#include "agent/storing.h"
#include "common/events.h"

static struct agent *agent_of(const struct revoking *revoking) {
        return revoking->query.connection->home->agent;
}

struct revoking *revoking_new(struct connection *connection, const char *method) {
        struct revoking *revoking = calloc(1, sizeof(*revoking));
        struct refused why;

        if (!revoking) {
                (void)refuse(&why, REFUSAL_STORAGE_FAILURE, "No memory.");
                connection_refuse(connection, &why);
                return NULL;
        }
        revoking->query.connection = connection;
        revoking->method = method;
        return revoking;
}

void revoking_refuse(struct revoking *revoking) {
        const char *user = revoking->query.user ? revoking->query.user : "";
        struct refused why = revoking->why;

        if (revoking->revoked > 0)
                (void)refuse(&why, revoking->why.why, "Keys dropped: %d. But not all is done: %s", revoking->revoked,
                             revoking->why.message);
        if (why.why != REFUSAL_RATE_LIMITED || budget_note(revoking->query.connection->home->budget))
                audit_refused(revoking->method, &why, user, "", "");
        connection_refuse(revoking->query.connection, &why);
        free(revoking);
}

/* --- what is stored goes --------------------------------------------------------------------------------------- */

struct removal {
        struct selection selection;
        int revoked;
        int failure; /* negative errno of the first key that could not be removed */
        struct slots_memory slots;
};

static int revoke_one(void *context, const struct store_place *place) {
        struct removal *removal = context;
        const struct store *store = removal->selection.store;
        const struct slots *slots = NULL;
        struct grant grant;
        bool whole, live;
        int r = 0;

        whole = store_read(store, place, &grant) == 0;
        if (whole && removal->selection.user && strcmp(grant.user, removal->selection.user) != 0)
                return 0;
        /* Its claim file is not asked for: it may have gone with another key of the same grant. */
        live = whole && lifetime_left_ns(&grant.life, &removal->selection.now) > 0;
        if (live)
                slots = removal->selection.fingerprint ? slots_of_key(&removal->slots, store, place, &grant)
                                                       : slots_end(&removal->slots, store, place, &grant);
        /* A whole grant ends with its claim file, whatever becomes of the rest. One key of several does not end the others. */
        if (!removal->selection.fingerprint)
                r = store_remove_claim(store, place);
        if (r >= 0)
                r = store_remove_key(store, place);
        if (r < 0 && removal->failure == 0)
                removal->failure = r;
        if (r >= 0 && live) {
                audit_removed(EVENT_REVOKED, &grant, place, slots);
                removal->revoked++;
        }
        return 0;
}

static int drop(struct revoking *revoking, const char *user) {
        struct agent *agent = agent_of(revoking);
        struct removal removal = {.revoked = 0};
        int r, tidied;

        select_keys(&removal.selection, &agent->store, user,
                    revoking->fingerprint[0] != '\0' ? revoking->fingerprint : NULL);
        r = selection_walk(&removal.selection, revoke_one, &removal);
        tidied = store_tidy(&agent->store);
        (void)expiry_sweep(agent);
        revoking->revoked += removal.revoked;
        return removal.failure < 0 ? removal.failure : r < 0 ? r : tidied;
}

/* --- and is remembered ----------------------------------------------------------------------------------------- */

/* Keeps the first thing that fails, and what comes after it is done all the same. */
static void failed(struct revoking *revoking, const struct refused *why) {
        if (revoking->why.why == REFUSAL_NONE)
                revoking->why = *why;
}

static void remember(struct revoking *revoking, const char *user) {
        struct agent *agent = agent_of(revoking);
        struct revocation what = revoking->what;
        struct refused why;
        int r;

        if (user)
                (void)snprintf(what.user, sizeof(what.user), "%s", user);
        if (agent_open_memory(agent, &why) != REFUSAL_NONE) {
                failed(revoking, &why);
                return;
        }
        r = revocations_add(&agent->revocations, &what, revoking->terms.iat_s, &revoking->received,
                            revoking->synchronized);
        if (r >= 0)
                return;
        (void)refuse(&why, REFUSAL_STORAGE_FAILURE,
                     "The revocation could not be remembered: %s. A push that was signed before it can still be "
                     "stored; revoke again.",
                     strerror(-r));
        failed(revoking, &why);
}

/* A revocation has no keys to end its memory with, so both kinds are remembered by how long they are good for. */
static void remember_jti(struct revoking *revoking) {
        const struct terms *terms = &revoking->terms;
        struct replay_record *record = &revoking->record;
        struct agent *agent = agent_of(revoking);
        struct refused why;
        uint32_t slot;
        int r;

        record->state = REPLAY_DONE;
        record->forget_boot_ns =
                revoking->received.boot_ns + (terms->exp_s - terms->iat_s + 2 * FRESHNESS_SKEW_S) * NS_PER_S;
        if (!terms->has_challenge)
                record->forget_wall_ns = (terms->exp_s + FRESHNESS_SKEW_S) * NS_PER_S;
        r = replay_add(&agent->replay, record, &revoking->received, &slot);
        if (r >= 0)
                return;
        if (r == -ENOSPC || r == -EDQUOT)
                (void)refuse(&why, REFUSAL_STORE_FULL,
                             "There is no room left to remember that this came; send no "
                             "more until some of what is remembered is forgotten.");
        else
                (void)storing_refuse_recall(r, &why);
        failed(revoking, &why);
}

static void carry_out(struct revoking *revoking, const char *user) {
        struct refused why;
        int r = drop(revoking, user);

        if (r < 0) {
                (void)refuse(&why, REFUSAL_STORAGE_FAILURE, "Not every key could be removed: %s.", strerror(-r));
                failed(revoking, &why);
        }
        if (revoking->is_signed)
                remember(revoking, user);
}

static void finish(struct revoking *revoking) {
        /* One that failed is not remembered as having come: the same again is carried out, as long as it is good. */
        if (revoking->is_signed && revoking->why.why == REFUSAL_NONE)
                remember_jti(revoking);
        if (revoking->why.why != REFUSAL_NONE) {
                revoking_refuse(revoking);
                return;
        }
        connection_reply(revoking->query.connection, json_pack("{si}", "revoked", revoking->revoked));
        free(revoking);
}

static void on_account(struct account_query *query, const char *other, const char *failure) {
        struct revoking *revoking = (struct revoking *)query;
        struct refused why;

        if (other)
                carry_out(revoking, other);
        if (failure) {
                (void)refuse(&why, REFUSAL_STORAGE_FAILURE,
                             "Whether %.64s has another name, under which keys are stored, is not known: %s; revoke "
                             "again, or all.",
                             query->user, failure);
                failed(revoking, &why);
        }
        finish(revoking);
}

void revoking_go_on(struct revoking *revoking) {
        struct agent *agent = agent_of(revoking);
        struct refused why;
        char store_why[256];
        int r;

        r = agent_open_store(agent, store_why);
        if (r < 0) {
                (void)refuse(&revoking->why, REFUSAL_STORAGE_FAILURE, "The store cannot be used: %s.", store_why);
                revoking_refuse(revoking);
                return;
        }
        carry_out(revoking, revoking->query.user);
        /* A push that was cut off must not be finished after this. */
        r = agent->replay.fd >= 0 ? replay_void_pending(&agent->replay) : 0;
        if (r < 0) {
                (void)refuse(&why, REFUSAL_STORAGE_FAILURE, "What is remembered of pushes could not be changed: %s.",
                             strerror(-r));
                failed(revoking, &why);
        }
        if (revoking->query.user) {
                revoking->query.known = on_account;
                account_ask(&revoking->query);
        } else {
                finish(revoking);
        }
}

/* --- RevokeLocal ------------------------------------------------------------------------------------------------ */

/* The name of the parameter at fault, or NULL. */
static const char *take_parameters(const struct call *call, const char **ret_fingerprint, const char **ret_user) {
        const char *name;
        json_t *value;

        /* Without the parameter that was meant, a mistyped one would revoke everything. */
        json_object_foreach(call->parameters, name, value)
                if (strcmp(name, "fingerprint") != 0 && strcmp(name, "user") != 0)
                        return name;
        if (!call_text_parameter(call, "fingerprint", ret_fingerprint))
                return "fingerprint";
        return call_text_parameter(call, "user", ret_user) ? NULL : "user";
}

void revoke_local(struct connection *connection) {
        const char *fingerprint, *user, *fault = take_parameters(&connection->call, &fingerprint, &user);
        struct revoking *revoking;

        if (fault) {
                service_invalid_parameter(connection, fault);
                return;
        }
        revoking = revoking_new(connection, "RevokeLocal");
        if (!revoking)
                return;
        revoking->query.user = user;
        if (!fingerprint || store_fingerprint_name(fingerprint, revoking->fingerprint)) {
                revoking_go_on(revoking);
                return;
        }
        (void)refuse_field(&revoking->why, "fingerprint",
                           "fingerprint is not of the form SHA256:…, as ssh-keygen -l and List show it.");
        revoking_refuse(revoking);
}
