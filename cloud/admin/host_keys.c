/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "cloud/admin/change.h"
#include "cloud/admin/command.h"
#include "cloud/admin/database.h"
#include "wire/fingerprint.h"
#include "wire/refusal.h"

struct host_keys {
        struct store_host_keys kept, waiting;
};

/* "ssh-ed25519 AAAA…" to its type and fingerprint. False for a line that is no key, which the API does not store. */
static bool describe(const char *line, char ret_type[static SSH_KEY_TYPE_MAX],
                     char ret_fingerprint[static FINGERPRINT_MAX]) {
        struct ssh_key key;

        if (ssh_key_from_text(line, strlen(line), &key) != SSH_KEY_OK || fingerprint_of(&key, ret_fingerprint) < 0)
                return false;
        (void)snprintf(ret_type, SSH_KEY_TYPE_MAX, "%.*s", (int)strcspn(line, " "), line);
        return true;
}

static json_t *keys_json(const struct store_host_keys *keys) {
        json_t *list = json_array();

        for (size_t i = 0; i < keys->n; i++) {
                char type[SSH_KEY_TYPE_MAX] = "", fingerprint[FINGERPRINT_MAX] = "";

                (void)describe(keys->line[i], type, fingerprint);
                (void)json_array_append_new(
                        list, json_pack("{ss ss ss}", "type", type, "fingerprint", fingerprint, "key", keys->line[i]));
        }
        return list;
}

static void print_keys(const char *what, const struct store_host_keys *keys) {
        for (size_t i = 0; i < keys->n; i++) {
                char type[SSH_KEY_TYPE_MAX], fingerprint[FINGERPRINT_MAX];

                if (describe(keys->line[i], type, fingerprint))
                        print_field(what, "%s %s", fingerprint, type);
                else
                        print_field(what, "%s", keys->line[i]);
        }
        if (keys->n == 0)
                print_field(what, "none");
}

static int print_both(const struct options *options, const struct host_keys *keys) {
        if (options->json)
                return print_json_new(
                        json_pack("{so so}", "kept", keys_json(&keys->kept), "waiting", keys_json(&keys->waiting)));
        print_keys("Kept", &keys->kept);
        print_keys("Waiting", &keys->waiting);
        return EXIT_DONE;
}

/* What is printed afterwards is what was accepted: others may have come since they were read. */
static int accept_keys(struct store *store, const char *id, struct host_keys *keys) {
        enum store_result result;
        int status;

        if (keys->waiting.n == 0) {
                complain("instance %s: no host keys wait to be accepted", id);
                return EXIT_NOT_FOUND;
        }
        result = store_host_keys_accept(store, id);
        status = database_status(store, result, "instance", id, NULL, NULL);
        if (status == EXIT_DONE)
                change_log("compute:instance:put", "exc:compute:instance/%s: its new host keys are accepted", id);
        if (status == EXIT_DONE)
                status = database_status(store, store_host_keys_get(store, id, false, &keys->kept), "instance", id,
                                         NULL, NULL);
        keys->waiting.n = 0;
        return status;
}

static int host_keys(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct host_keys *keys = calloc(1, sizeof(*keys)); /* 128 KiB */
        const char *id = line->arguments[0];
        enum store_result result;
        struct store *store;
        int status;

        if (!keys) {
                complain("out of memory");
                return EXIT_OWN_FAILURE;
        }
        status = database_open(options, &store);
        if (status == EXIT_DONE) {
                result = store_host_keys_get(store, id, false, &keys->kept);
                if (result == STORE_OK)
                        result = store_host_keys_get(store, id, true, &keys->waiting);
                status = database_status(store, result, "instance", id, NULL, NULL);
                if (status == EXIT_DONE && options->accept)
                        status = accept_keys(store, id, keys);
                if (status == EXIT_DONE)
                        status = print_both(options, keys);
                store_close(store);
        }
        free(keys);
        return status;
}

static const struct cli_option options[] = {
        {.name = "accept",
         .take = cli_take_flag,
         .offset = offsetof(struct options, accept),
         .help = "keep the host keys that wait, in the place of the others"},
        {.name = NULL},
};

const struct cli_command host_keys_command = {
        .words = "host-keys",
        .arguments = "ID",
        .summary = "show an instance's host keys; --accept those that wait",
        .least = 1,
        .most = 1,
        .tables = {options},
        .run = host_keys,
};
