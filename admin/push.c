/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "admin/ask.h"
#include "admin/command.h"
#include "cli/output.h"
#include "wire/refusal.h"

/* Takes `value` over. A failure leaves `*object` NULL, and everything after it passes. */
static void set(json_t **object, const char *name, json_t *value) {
        if (!*object) {
                json_decref(value);
                return;
        }
        if (json_object_set_new(*object, name, value) < 0) {
                json_decref(*object);
                *object = NULL;
        }
}

static json_t *text_list(const char *const *texts, size_t n) {
        json_t *list = json_array();

        for (size_t i = 0; i < n && list; i++)
                if (json_array_append_new(list, json_string(texts[i])) < 0) {
                        json_decref(list);
                        list = NULL;
                }
        return list;
}

static json_t *key_texts(const struct key_list *keys) {
        char texts[KEY_LIST_MAX][SSH_KEY_TEXT_MAX];
        const char *list[KEY_LIST_MAX];

        for (size_t i = 0; i < keys->n; i++) {
                ssh_key_to_text(&keys->at[i].key, texts[i]);
                list[i] = texts[i];
        }
        return text_list(list, keys->n);
}

/* NULL without memory. */
static json_t *request(const struct options *options, const struct key_list *keys) {
        json_t *object = json_object();

        set(&object, "user", json_string(options->user));
        set(&object, "keys", key_texts(keys));
        if (options->given & OPTION_TTL)
                set(&object, "ttl", json_integer(options->ttl));
        if (options->given & OPTION_CONNECTIONS)
                set(&object, "connections", json_integer(options->connections));
        if (options->given & OPTION_SOURCE)
                set(&object, "source", text_list(options->sources, options->n_sources));
        if (options->given & OPTION_RESTRICT)
                set(&object, "restrict", json_true());
        if (options->given & OPTION_PRINCIPAL)
                set(&object, "principal", json_string(options->principal));
        if (options->given & OPTION_REQUEST_ID)
                set(&object, "requestId", json_string(options->request_id));
        return object;
}

/* The agent counts keys, people look for a line. */
static void say_which_key(const struct key_list *keys, const json_t *refusal) {
        json_t *index = json_object_get(refusal, "index");
        json_int_t i = json_integer_value(index);

        if (json_is_integer(index) && i >= 0 && i < (json_int_t)keys->n)
                complain("that is the key in %s:%u", keys->at[i].file, keys->at[i].line);
}

static bool all_strings(const json_t *list) {
        json_t *value;
        size_t i;

        json_array_foreach(list, i, value)
                if (!json_is_string(value))
                        return false;
        return json_is_array(list);
}

static void print_connections(const struct options *options) {
        int n = options->given & OPTION_CONNECTIONS ? options->connections : 1;

        if (n == 0)
                print_field("Connections", "any number until then");
        else if (n == 1)
                print_field("Connections", "1, the first that offers the key");
        else
                print_field("Connections", "%d, the first that offer the key", n);
}

/* Which private key belongs to it can be told for NAME.pub alone. */
static void print_next_step(const struct options *options, const struct key_list *keys, const char *user) {
        const char *file = keys->at[0].file;
        size_t n = strlen(file);

        if (options->n_key_files == 1 && n > 4 && strcmp(file + n - 4, ".pub") == 0)
                print_field("Connect with", "ssh -i %.*s %s@HOST", (int)(n - 4), file, user);
        else
                print_field("Connect with", "ssh %s@HOST", user);
}

static int print(const struct options *options, const struct key_list *keys, json_t *answer) {
        json_t *fingerprints, *host_keys, *value;
        char left[DURATION_MAX];
        json_int_t expires_in;
        const char *user;
        int duplicate;
        size_t i;

        if (json_unpack(answer, "{ss so sI sb so}", "user", &user, "fingerprints", &fingerprints, "expiresIn",
                        &expires_in, "duplicate", &duplicate, "hostKeys", &host_keys) < 0 ||
            !all_strings(fingerprints) || !json_is_array(host_keys))
                return ask_misshapen(options, "PushLocal");
        if (options->given & OPTION_JSON)
                return print_json(answer);
        duration_text(expires_in, left);
        print_field("User", "%s", user);
        json_array_foreach(fingerprints, i, value)
                print_field("Fingerprint", "%s", json_string_value(value));
        print_field("Lives for", "%s%s", left, duplicate ? "; it was stored before" : "");
        print_connections(options);
        json_array_foreach(host_keys, i, value)
                print_field("Host key", "%s (%s)", text_or(value, "fingerprint", "-"), text_or(value, "type", "-"));
        print_next_step(options, keys, user);
        return EXIT_DONE;
}

static int push(const struct options *options) {
        struct key_list keys = {.n = 0};
        struct client_reply reply;
        char why[KEY_FILE_WHY_MAX];
        int status;

        for (size_t i = 0; i < options->n_key_files; i++)
                if (!key_file_read_path(options->key_files[i], &keys, why)) {
                        complain("%s", why);
                        return EXIT_OWN_FAILURE;
                }
        status = ask(options, "PushLocal", request(options, &keys), &reply);
        if (status == EXIT_DONE)
                status = print(options, &keys, reply.parameters);
        else if (status == refusal_exit_status(REFUSAL_KEY_REJECTED) && !(options->given & OPTION_JSON))
                say_which_key(&keys, reply.parameters);
        json_decref(reply.parameters);
        return status;
}

const struct command push_command = {
        .name = "push",
        .summary = "let a user's public key in for about a minute",
        .help = "exc-instance-connect push --user USER --key FILE… [OPTION…]\n"
                "\n"
                "Stores public keys for a user of this machine. They are gone when their time is up.\n"
                "\n"
                "  --user USER         login name\n"
                "  --key FILE          public key file, - for standard input; may be repeated, at most 8 keys in all\n"
                "  --ttl SECONDS       how long the keys live, at most the agent's MaxTtl (default: its DefaultTtl)\n"
                "  --connections N     SSH connections that may use them, 0 for any number (default: 1)\n"
                "  --source CIDR       address or range that clients must come from; may be repeated, at most 16\n"
                "  --restrict          a shell, but no forwarding of any kind\n"
                "  --principal NAME    who asked, for the journal\n"
                "  --request-id ID     under which request, for the journal\n"
                "  --json              print the answer as one line of JSON\n"
                "  --socket PATH       ask on this socket instead of " ADMIN_SOCKET "\n",
        .takes = OPTION_USER | OPTION_KEY | OPTION_TTL | OPTION_CONNECTIONS | OPTION_SOURCE | OPTION_RESTRICT |
                 OPTION_PRINCIPAL | OPTION_REQUEST_ID,
        .needs = OPTION_USER | OPTION_KEY,
        .run = push,
};
