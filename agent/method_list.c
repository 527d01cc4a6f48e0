/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/method_list.h"

#include <stdlib.h>
#include <string.h>

#include "agent/slots.h"
#include "wire/json_dispatch.h"

enum { PART_MAX = FRAME_MAX - 128 }; /* bytes of rows in a message, with room for what is around them */

/* A listing, while the name service is asked. */
struct list_call {
        struct connection *connection;
        const char *user; /* as the peer wrote it; NULL where all are asked for */
        json_t *rows;
        size_t size; /* bytes of the rows as JSON, about */
        bool too_large;
};

struct walk {
        struct list_call *call;
        const char *user; /* NULL: of all */
        struct instant now;
};

static json_t *optional(const char *text) {
        return text[0] != '\0' ? json_string(text) : json_null();
}

/* NULL for a key that does not count: damaged, another user's, dead, or of a push that is not complete. */
static json_t *make_row(const struct walk *walk, const struct store_place *place) {
        const struct store *store = &walk->call->connection->home->agent->store;
        char fingerprint[STORE_FINGERPRINT_NAME_MAX + 7];
        struct grant grant;
        int64_t left_ns;
        int taken;

        /* Login names of over 255 bytes can share a directory. */
        if (store_read(store, place, &grant) < 0 || (walk->user && strcmp(walk->user, grant.user) != 0))
                return NULL;
        left_ns = lifetime_left_ns(&grant.life, &walk->now);
        if (left_ns == 0)
                return NULL;
        taken = slots_taken(store, place, grant.connections);
        if (taken < 0)
                return NULL;
        store_fingerprint_text(place->fingerprint, fingerprint);
        return json_pack("{ss ss ss sI si si so so ss}", "user", grant.user, "fingerprint", fingerprint, "type",
                         ssh_key_type_name(grant.key.type), "expiresIn",
                         (json_int_t)((left_ns + NS_PER_S - 1) / NS_PER_S), "connections", (int)grant.connections,
                         "claimed", taken, "principal", optional(grant.principal), "requestId",
                         optional(grant.request_id), "origin", grant.origin == GRANT_LAUNCH ? "metadata" : "push");
}

static int list_one(void *context, const struct store_place *place) {
        const struct walk *walk = context;
        struct list_call *call = walk->call;
        json_t *row = make_row(walk, place);
        size_t size;

        if (!row)
                return 0;
        size = json_dumpb(row, NULL, 0, JSON_COMPACT) + 1;
        if (call->size + size > PART_MAX) {
                if (!call->connection->call.more) {
                        json_decref(row);
                        call->too_large = true;
                        return 1;
                }
                connection_reply_part(call->connection, json_pack("{so}", "keys", call->rows));
                call->rows = json_array();
                call->size = 0;
        }
        call->size += size;
        (void)json_array_append_new(call->rows, row);
        return 0;
}

static int add_rows(struct list_call *call, const char *user) {
        struct walk walk = {.call = call, .user = user, .now = instant_now()};
        char user_name[STORE_USER_NAME_MAX] = "";

        if (user && !store_user_name(user, user_name))
                return 0;
        return store_walk(&call->connection->home->agent->store, user ? user_name : NULL, NULL, list_one, &walk);
}

/* Takes ownership of `call`. `other`: another name of the user, or NULL. */
static void list(struct list_call *call, const char *other) {
        struct refused why = {.why = REFUSAL_NONE};
        int r;

        r = add_rows(call, call->user);
        if (r == 0 && other)
                r = add_rows(call, other);
        if (call->too_large)
                (void)refuse(&why, REFUSAL_TOO_LARGE,
                             "list: longer than a message; ask with \"more\", or for one user");
        else if (r < 0)
                (void)refuse(&why, REFUSAL_STORAGE_FAILURE, "store: could not be read: %s", strerror(-r));
        if (why.why == REFUSAL_NONE) {
                connection_reply(call->connection, json_pack("{so}", "keys", call->rows));
        } else {
                connection_refuse(call->connection, &why);
                json_decref(call->rows);
        }
        free(call);
}

/* Keys are stored under the account's own name, and under the other one where that was its own when they were pushed. */
static void on_account(void *context, const struct nss_answer *answer) {
        struct list_call *call = context;
        struct refused why;

        if (answer->outcome == NSS_FOUND || answer->outcome == NSS_NO_SUCH_USER) {
                list(call, answer->outcome == NSS_FOUND && strcmp(answer->user, call->user) != 0 ? answer->user : NULL);
                return;
        }
        (void)refuse(&why, REFUSAL_STORAGE_FAILURE,
                     "%s; whether keys of %.64s are stored under another name is unknown: list all", answer->message,
                     call->user);
        connection_refuse(call->connection, &why);
        json_decref(call->rows);
        free(call);
}

void method_list(struct connection *connection) {
        static const struct json_dispatch_field fields[] = {
                {"user", json_dispatch_text_ref, 0, .min = 1, .max = FRAME_MAX, .expected = "a login name"},
                {.name = NULL},
        };
        const char *user = NULL, *fault;
        struct list_call *call;
        char store_why[256];
        struct refused why;

        fault = json_dispatch(connection->call.parameters, fields, JSON_DISPATCH_NULL_IS_ABSENT, &user, &why);
        if (fault) {
                connection_invalid_parameter(connection, fault);
                return;
        }
        call = calloc(1, sizeof(*call));
        if (!call || agent_open_store(connection->home->agent, store_why) < 0) {
                (void)refuse(&why, REFUSAL_STORAGE_FAILURE, "store: %s", call ? store_why : "no memory");
                connection_refuse(connection, &why);
                free(call);
                return;
        }
        *call = (struct list_call){.connection = connection, .user = user, .rows = json_array()};
        if (user)
                connection_look_up(connection, user, NULL, 0, on_account, call); /* transferred */
        else
                list(call, NULL);
}
