/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "admin/ask.h"
#include "admin/command.h"
#include "cli/output.h"
#include "cli/table.h"
#include "wire/refusal.h"
#include "wire/terminal.h"

enum { COLUMNS = 7 };

struct row {
        const char *cells[COLUMNS];
        char left[DURATION_MAX];
        char connections[DURATION_MAX];
};

static const char *const headings[COLUMNS] = {"USER",        "FINGERPRINT", "TYPE",   "LEFT",
                                              "CONNECTIONS", "PRINCIPAL",   "REQUEST"};

/* False when `key` is no StoredKey. The cells then hold nothing of use; else they belong to `key` and `ret`. */
static bool fill_row(json_t *key, struct row *ret) {
        json_int_t expires_in, connections, claimed;

        if (json_unpack(key, "{ss ss ss sI sI sI}", "user", &ret->cells[0], "fingerprint", &ret->cells[1], "type",
                        &ret->cells[2], "expiresIn", &expires_in, "connections", &connections, "claimed", &claimed) < 0)
                return false;
        duration_text(expires_in, ret->left);
        if (connections == 0)
                (void)snprintf(ret->connections, sizeof(ret->connections), "any");
        else
                (void)snprintf(ret->connections, sizeof(ret->connections), "%" PRId64 " of %" PRId64, (int64_t)claimed,
                               (int64_t)connections);
        ret->cells[3] = ret->left;
        ret->cells[4] = ret->connections;
        ret->cells[5] = text_or(key, "principal", "-");
        ret->cells[6] = text_or(key, "requestId", "-");
        return true;
}

static int print(const struct options *options, const json_t *keys) {
        struct table table = {.headings = headings, .columns = COLUMNS};
        int status = EXIT_DONE;
        struct row row;
        json_t *key;
        size_t i;

        json_array_foreach(keys, i, key)
                if (!fill_row(key, &row))
                        return ask_misshapen(options, "List");
        if (options->json)
                return print_json_new(json_pack("{sO}", "keys", keys));
        if (json_array_size(keys) == 0) {
                (void)fputs("No key is stored", stdout);
                if (options->user) {
                        (void)fputs(" for ", stdout);
                        terminal_print(stdout, options->user);
                }
                (void)puts(".");
                return EXIT_DONE;
        }
        json_array_foreach(keys, i, key)
                if (fill_row(key, &row) && !table_add(&table, row.cells)) {
                        complain("out of memory");
                        status = EXIT_OWN_FAILURE;
                        break;
                }
        table_print(&table);
        return status;
}

/* The agent answers in parts, since all keys need not fit into one message. */
static int receive(const struct options *options, struct client *client, json_t *keys) {
        struct client_reply reply;
        int status;

        do {
                json_t *part;

                status = ask_receive(options, client, &reply);
                if (status == EXIT_DONE) {
                        part = json_object_get(reply.parameters, "keys");
                        if (!json_is_array(part))
                                status = ask_misshapen(options, "List");
                        else if (json_array_extend(keys, part) < 0) {
                                complain("out of memory");
                                status = EXIT_OWN_FAILURE;
                        }
                }
                json_decref(reply.parameters);
        } while (status == EXIT_DONE && reply.continues);
        return status;
}

static int list(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        json_t *keys = json_array();
        struct client client;
        int status;

        (void)line;
        status = ask_send(options, "List", ask_which_keys(options), true, &client);
        if (status == EXIT_DONE)
                status = receive(options, &client, keys);
        client_close(&client);
        if (status == EXIT_DONE)
                status = print(options, keys);
        json_decref(keys);
        return status;
}

static const struct cli_option list_options[] = {
        {.name = "user",
         .value = "USER",
         .take = admin_take_user,
         .offset = offsetof(struct options, user),
         .expected = "a login name of 1 to 256 bytes",
         .help = "keys of this user alone"},
        {.name = NULL},
};

const struct cli_command list_command = {
        .words = "list",
        .summary = "show the keys that are stored",
        .more = "Shows the keys of all users or of one. A key in two pushes has two lines.\n",
        .tables = {list_options, admin_agent_options},
        .run = list,
};
