/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/revoking.h"

#include <string.h>

#include "agent/audit.h"
#include "agent/selection.h"
#include "agent/service.h"
#include "agent/sweep.h"
#include "common/events.h"

struct removal {
        struct selection selection;
        int revoked;
        int failure; /* negative errno of the first key that could not be removed */
};

static int revoke_one(void *context, const struct store_place *place) {
        struct removal *removal = context;
        const struct store *store = removal->selection.store;
        struct grant grant;
        bool whole, live;
        int r = 0;

        whole = store_read(store, place, &grant) == 0;
        if (whole && removal->selection.user && strcmp(grant.user, removal->selection.user) != 0)
                return 0;
        /* Its claim file is not asked for: it may have gone with another key of the same grant. */
        live = whole && lifetime_left_ns(&grant.life, &removal->selection.now) > 0;
        /* A whole grant ends with its claim file, whatever becomes of the rest. One key of several does not end the others. */
        if (!removal->selection.fingerprint)
                r = store_remove_claim(store, place);
        if (r >= 0)
                r = store_remove_key(store, place);
        if (r < 0 && removal->failure == 0)
                removal->failure = r;
        if (r >= 0 && live) {
                audit_removed(EVENT_REVOKED, &grant, place);
                removal->revoked++;
        }
        return 0;
}

enum refusal revoke_keys(struct agent *agent, const char *fingerprint, const char *user, int *ret_revoked,
                         struct refused *ret_why) {
        char name[STORE_FINGERPRINT_NAME_MAX], why[256];
        struct removal removal = {.revoked = 0};
        int r;

        if (fingerprint && !store_fingerprint_name(fingerprint, name))
                return refuse_field(ret_why, "fingerprint",
                                    "fingerprint is not of the form SHA256:…, as ssh-keygen -l and List show it.");
        r = agent_open_store(agent, why);
        if (r < 0)
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "The store cannot be used: %s.", why);
        /* A push that was cut off must not be finished after this. */
        r = replay_void_pending(&agent->replay);
        if (r < 0)
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE,
                              "What is remembered of pushes could not be changed: %s.", strerror(-r));
        select_keys(&removal.selection, &agent->store, user, fingerprint ? name : NULL);
        r = selection_walk(&removal.selection, revoke_one, &removal);
        if (r >= 0)
                r = store_tidy(&agent->store);
        (void)sweep(agent);
        if (r >= 0)
                r = removal.failure;
        if (r < 0)
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "Not every key could be removed: %s.", strerror(-r));
        *ret_revoked = removal.revoked;
        return REFUSAL_NONE;
}

void revoke_local(struct connection *connection) {
        const char *fingerprint, *user, *name;
        struct refused why;
        json_t *value;
        int revoked;

        /* Without the parameter that was meant, a mistyped one would revoke everything. */
        json_object_foreach(connection->call.parameters, name, value)
                if (strcmp(name, "fingerprint") != 0 && strcmp(name, "user") != 0) {
                        service_invalid_parameter(connection, name);
                        return;
                }
        if (!call_text_parameter(&connection->call, "fingerprint", &fingerprint)) {
                service_invalid_parameter(connection, "fingerprint");
                return;
        }
        if (!call_text_parameter(&connection->call, "user", &user)) {
                service_invalid_parameter(connection, "user");
                return;
        }
        if (revoke_keys(connection->home->agent, fingerprint, user, &revoked, &why) == REFUSAL_NONE) {
                connection_reply(connection, json_pack("{si}", "revoked", revoked));
                return;
        }
        audit_refused("RevokeLocal", &why, user ? user : "", "", "");
        connection_refuse(connection, &why);
}
