/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/ask.h"
#include "admin/command.h"
#include "cli/output.h"
#include "cli/shell_word.h"
#include "wire/refusal.h"

enum { TTL_MAX = 24 * 60 * 60 }; /* s */

/* Takes ownership of `value`. A failure leaves `*object` NULL, and everything after it passes. */
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

static json_t *source_texts(const struct key_options *options) {
        char texts[GRANT_SOURCES_MAX][SOURCE_TEXT_MAX];
        const char *list[GRANT_SOURCES_MAX];

        for (size_t i = 0; i < options->n_sources; i++) {
                source_to_text(&options->sources[i], texts[i]);
                list[i] = texts[i];
        }
        return text_list(list, options->n_sources);
}

/* NULL without memory. */
static json_t *request(const struct options *options, const struct key_list *keys) {
        json_t *object = json_object();

        set(&object, "user", json_string(options->user));
        set(&object, "keys", key_texts(keys));
        if (options->ttl > 0)
                set(&object, "ttl", json_integer(options->ttl));
        if (options->keys.connections >= 0)
                set(&object, "connections", json_integer(options->keys.connections));
        if (options->keys.n_sources > 0)
                set(&object, "source", source_texts(&options->keys));
        if (options->keys.restricted)
                set(&object, "restrict", json_true());
        if (options->principal)
                set(&object, "principal", json_string(options->principal));
        if (options->request_id)
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

/* Which private key belongs to it is known for NAME.pub alone. */
static void print_next_step(const struct options *options, const struct key_list *keys, const char *user) {
        const char *file = keys->at[0].file;
        size_t n = strlen(file);
        char to[PATH_MAX], private_half[PATH_MAX], *to_word, *file_word;

        (void)snprintf(to, sizeof(to), "%s@HOST", user);
        (void)snprintf(private_half, sizeof(private_half), "%.*s", (int)(n > 4 ? n - 4 : 0), file);
        to_word = shell_word(to);
        file_word = shell_word(private_half);
        if (to_word && file_word && options->keys.n_files == 1 && n > 4 && strcmp(file + n - 4, ".pub") == 0)
                print_field("Connect with", "ssh -o IdentitiesOnly=yes -i %s %s", file_word, to_word);
        else if (to_word)
                print_field("Connect with", "ssh %s", to_word);
        free(file_word);
        free(to_word);
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
        if (options->json)
                return print_json(answer);
        duration_text(expires_in, left);
        print_field("User", "%s", user);
        json_array_foreach(fingerprints, i, value)
                print_field("Fingerprint", "%s", json_string_value(value));
        print_field("Lives for", "%s%s", left, duplicate ? "; it was stored before" : "");
        print_connections(stdout, options->keys.connections);
        json_array_foreach(host_keys, i, value)
                print_state(stdout, OUTPUT_PLAIN, "Host key", "%s (%s)", text_or(value, "fingerprint", "-"),
                            text_or(value, "type", "-"));
        print_next_step(options, keys, user);
        return EXIT_DONE;
}

static int push(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct key_list keys = {.n = 0};
        struct client_reply reply;
        char why[KEY_FILE_WHY_MAX];
        int status;

        (void)line;
        if (!key_options_read(&options->keys, &keys, why)) {
                complain("%s", why);
                return EXIT_OWN_FAILURE;
        }
        status = ask(options, "PushLocal", request(options, &keys), &reply);
        if (status == EXIT_DONE)
                status = print(options, &keys, reply.parameters);
        else if (status == refusal_exit_status(REFUSAL_KEY_REJECTED) && !options->json)
                say_which_key(&keys, reply.parameters);
        json_decref(reply.parameters);
        return status;
}

/* It may be empty. */
static bool take_label(const struct cli_option *option, const char *text, void *member) {
        (void)option;
        *(const char **)member = text;
        return true;
}

static const struct cli_option push_options[] = {
        {.name = "user",
         .value = "USER",
         .take = admin_take_user,
         .offset = offsetof(struct options, user),
         .flags = CLI_NEEDED,
         .expected = "a login name of 1 to 256 bytes",
         .help = "login name"},
        KEY_OPTIONS_FILE_ROW(struct options, CLI_NEEDED),
        {.name = "ttl",
         .value = "SECONDS",
         .take = cli_take_number,
         .offset = offsetof(struct options, ttl),
         .min = 1,
         .max = TTL_MAX,
         .expected = "1..86400 seconds",
         .help = "how long the keys live, at most the agent's MaxTtl;\ndefault: its DefaultTtl"},
        KEY_OPTIONS_USE_ROWS(struct options),
        {.name = "principal",
         .value = "NAME",
         .take = take_label,
         .offset = offsetof(struct options, principal),
         .help = "who asked, for the journal"},
        {.name = "request-id",
         .value = "ID",
         .take = take_label,
         .offset = offsetof(struct options, request_id),
         .help = "under which request, for the journal"},
        {.name = NULL},
};

const struct cli_command push_command = {
        .words = "push",
        .summary = "let a user's public key in for about a minute",
        .more = "Stores public keys for a user of this machine. They are gone when their time is up.\n",
        .tables = {push_options, admin_agent_options},
        .run = push,
};
