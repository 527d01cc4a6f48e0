/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/listing.h"

#include <stdbool.h>
#include <string.h>

#include "agent/selection.h"
#include "agent/service.h"

/* A listing goes out in parts that keep to the limit of a message. */
struct listing {
        struct selection selection;
        struct connection *connection;
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
                if (!listing->connection->call.more) {
                        json_decref(row);
                        listing->too_large = true;
                        return 1;
                }
                connection_reply_part(listing->connection, json_pack("{so}", "keys", listing->rows));
                listing->rows = json_array();
                listing->size = 0;
        }
        listing->size += size;
        (void)json_array_append_new(listing->rows, row);
        return 0;
}

void list_keys(struct connection *connection) {
        struct agent *agent = connection->home->agent;
        struct listing listing = {.connection = connection};
        char store_why[256];
        struct refused why;
        const char *user;
        int r;

        if (!call_text_parameter(&connection->call, "user", &user)) {
                service_invalid_parameter(connection, "user");
                return;
        }
        r = agent_open_store(agent, store_why);
        if (r < 0) {
                (void)refuse(&why, REFUSAL_STORAGE_FAILURE, "The store cannot be used: %s.", store_why);
                connection_refuse(connection, &why);
                return;
        }
        select_keys(&listing.selection, &agent->store, user, NULL);
        listing.rows = json_array();
        r = selection_walk(&listing.selection, list_one, &listing);
        if (r >= 0 && !listing.too_large) {
                connection_reply(connection, json_pack("{so}", "keys", listing.rows));
                return;
        }
        json_decref(listing.rows);
        if (listing.too_large)
                (void)refuse(&why, REFUSAL_TOO_LARGE,
                             "The list takes more than one message: ask with \"more\", or for one user.");
        else
                (void)refuse(&why, REFUSAL_STORAGE_FAILURE, "The store could not be read: %s.", strerror(-r));
        connection_refuse(connection, &why);
}
