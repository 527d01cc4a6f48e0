/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/listing.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/account.h"
#include "agent/selection.h"
#include "agent/service.h"

/* A listing goes out in parts that keep to the limit of a message. */
struct listing {
        struct account_query query; /* `user` is NULL where all are asked for */
        struct selection selection;
        json_t *rows;
        size_t size; /* bytes of the rows as JSON, about */
        bool too_large;
};

enum { LISTING_PART_MAX = FRAME_MAX - 128 }; /* leaves room for what stands around the rows */

static json_t *optional(const char *text) {
        return text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *make_row(const struct selection *selection, const struct store_place *place) {
        char fingerprint[STORE_FINGERPRINT_NAME_MAX + 7];
        struct grant grant;
        int64_t left_s;
        int taken;

        if (!selection_read_live(selection, place, &grant, &taken))
                return NULL;
        store_fingerprint_text(place->fingerprint, fingerprint);
        left_s = (lifetime_left_ns(&grant.life, &selection->now) + NS_PER_S - 1) / NS_PER_S;
        return json_pack("{ss ss ss sI si si so so}", "user", grant.user, "fingerprint", fingerprint, "type",
                         ssh_key_type_name(grant.key.type), "expiresIn", (json_int_t)left_s, "connections",
                         (int)grant.connections, "claimed", taken, "principal", optional(grant.principal), "requestId",
                         optional(grant.request_id));
}

static int list_one(void *context, const struct store_place *place) {
        struct listing *listing = context;
        json_t *row = make_row(&listing->selection, place);
        size_t size;

        if (!row)
                return 0;
        size = json_dumpb(row, NULL, 0, JSON_COMPACT) + 1;
        if (listing->size + size > LISTING_PART_MAX) {
                if (!listing->query.connection->call.more) {
                        json_decref(row);
                        listing->too_large = true;
                        return 1;
                }
                connection_reply_part(listing->query.connection, json_pack("{so}", "keys", listing->rows));
                listing->rows = json_array();
                listing->size = 0;
        }
        listing->size += size;
        (void)json_array_append_new(listing->rows, row);
        return 0;
}

static int add_rows(struct listing *listing, const char *user) {
        struct agent *agent = listing->query.connection->home->agent;

        select_keys(&listing->selection, &agent->store, user, NULL);
        return selection_walk(&listing->selection, list_one, listing);
}

static void refuse_list(struct listing *listing, const struct refused *why) {
        connection_refuse(listing->query.connection, why);
        json_decref(listing->rows);
        free(listing);
}

/* Keys are stored under the account's own name, and under the other one where that was its own when they were pushed. */
static void on_account(struct account_query *query, const char *other, const char *failure) {
        struct listing *listing = (struct listing *)query;
        struct refused why;
        int r;

        if (failure) {
                (void)refuse(&why, REFUSAL_STORAGE_FAILURE,
                             "Whether %.64s has another name, under which keys are stored, is not known: %s; list all.",
                             query->user, failure);
                refuse_list(listing, &why);
                return;
        }
        r = add_rows(listing, query->user);
        if (r == 0 && other)
                r = add_rows(listing, other);
        if (listing->too_large)
                (void)refuse(&why, REFUSAL_TOO_LARGE,
                             "The list takes more than one message: ask with \"more\", or for one user.");
        else if (r < 0)
                (void)refuse(&why, REFUSAL_STORAGE_FAILURE, "The store could not be read: %s.", strerror(-r));
        if (listing->too_large || r < 0) {
                refuse_list(listing, &why);
                return;
        }
        connection_reply(query->connection, json_pack("{so}", "keys", listing->rows));
        free(listing);
}

void list_keys(struct connection *connection) {
        struct agent *agent = connection->home->agent;
        struct listing *listing;
        char store_why[256];
        struct refused why;
        const char *user;

        if (!call_text_parameter(&connection->call, "user", &user)) {
                service_invalid_parameter(connection, "user");
                return;
        }
        listing = calloc(1, sizeof(*listing));
        if (!listing || agent_open_store(agent, store_why) < 0) {
                (void)refuse(&why, REFUSAL_STORAGE_FAILURE, "The store cannot be used: %s.",
                             listing ? store_why : "no memory");
                connection_refuse(connection, &why);
                free(listing);
                return;
        }
        listing->query = (struct account_query){.connection = connection, .user = user, .known = on_account};
        listing->rows = json_array();
        if (user)
                account_ask(&listing->query);
        else
                on_account(&listing->query, NULL, NULL);
}
