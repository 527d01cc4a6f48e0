/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/push.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "agent/key_check.h"
#include "wire/terminal.h"

static enum refusal take_user(json_t *object, struct push *push, struct refused *ret_why) {
        json_t *value = json_object_get(object, "user");

        if (!json_is_string(value) || json_string_length(value) == 0)
                return refuse_field(ret_why, "user", "user is missing or no text; name the login to let in.");
        if (json_string_length(value) >= sizeof(push->user))
                return refuse_field(ret_why, "user", "user is longer than %zu bytes.", sizeof(push->user) - 1);
        memcpy(push->user, json_string_value(value), json_string_length(value) + 1);
        return REFUSAL_NONE;
}

__attribute__((format(printf, 3, 4))) static void reject_key(struct push *push, size_t index, const char *format, ...) {
        struct refused *rejected = &push->rejected_key;
        char reason[256];
        va_list arguments;

        if (rejected->why != REFUSAL_NONE)
                return;
        va_start(arguments, format);
        (void)vsnprintf(reason, sizeof(reason), format, arguments);
        va_end(arguments);
        (void)refuse(rejected, REFUSAL_KEY_REJECTED, "Key %zu is refused: %s.", index, reason);
        rejected->index = (int)index;
}

static void take_key(const char *text, size_t length, size_t index, struct push *push) {
        struct store_key *key = &push->keys[index];
        enum ssh_key_fault fault;

        fault = ssh_key_from_text(text, length, &key->key);
        if (fault != SSH_KEY_OK) {
                reject_key(push, index, "%s", ssh_key_fault_text(fault));
                return;
        }
        if (!key_point_on_curve(&key->key))
                reject_key(push, index, "its point does not lie on its curve; make a new key");
        if (key_fingerprint(&key->key, key->fingerprint) < 0 && push->rejected_key.why == REFUSAL_NONE)
                (void)refuse(&push->rejected_key, REFUSAL_STORAGE_FAILURE,
                             "The fingerprint of key %zu could not be computed.", index);
        for (size_t i = 0; i < index; i++)
                if (strcmp(push->keys[i].fingerprint, key->fingerprint) == 0)
                        reject_key(push, index, "it is the same as key %zu; send it once", i);
}

enum refusal push_check_keys(const struct push *push, struct refused *ret_why) {
        if (push->rejected_key.why != REFUSAL_NONE)
                *ret_why = push->rejected_key;
        return push->rejected_key.why;
}

static enum refusal take_keys(json_t *object, struct push *push, struct refused *ret_why) {
        json_t *list = json_object_get(object, "keys"), *value;
        size_t i;

        if (!json_is_array(list) || json_array_size(list) == 0)
                return refuse_field(ret_why, "keys", "keys is missing or empty; send at least one \"type base64\".");
        if (json_array_size(list) > PUSH_KEYS_MAX)
                return refuse_field(ret_why, "keys", "keys holds more than %d.", PUSH_KEYS_MAX);
        json_array_foreach(list, i, value)
                if (!json_is_string(value))
                        return refuse_field(ret_why, "keys", "keys must hold texts, each \"type base64\".");
        json_array_foreach(list, i, value)
                take_key(json_string_value(value), json_string_length(value), i, push);
        push->n_keys = json_array_size(list);
        return REFUSAL_NONE;
}

static enum refusal take_ttl(json_t *object, struct push *push, struct refused *ret_why) {
        json_t *value = json_object_get(object, "ttl");

        if (!value)
                return REFUSAL_NONE;
        if (!json_is_integer(value) || json_integer_value(value) < 1)
                return refuse_field(ret_why, "ttl", "ttl must be a whole number of seconds, 1 or more.");
        push->ttl_s = json_integer_value(value);
        return REFUSAL_NONE;
}

static enum refusal take_connections(json_t *object, struct push *push, struct refused *ret_why) {
        json_t *value = json_object_get(object, "connections");

        push->connections = PUSH_DEFAULT_CONNECTIONS;
        if (!value)
                return REFUSAL_NONE;
        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            json_integer_value(value) > GRANT_CONNECTIONS_MAX)
                return refuse_field(ret_why, "connections", "connections must be a whole number from 0 to %d.",
                                    GRANT_CONNECTIONS_MAX);
        push->connections = (uint8_t)json_integer_value(value);
        return REFUSAL_NONE;
}

static enum refusal take_sources(json_t *object, struct push *push, struct refused *ret_why) {
        json_t *list = json_object_get(object, "source"), *value;
        size_t i;

        if (!list)
                return REFUSAL_NONE;
        /* An empty list could mean anywhere as well as nowhere. */
        if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > GRANT_SOURCES_MAX)
                return refuse_field(ret_why, "source", "source must be a list of 1 to %d addresses or ranges.",
                                    GRANT_SOURCES_MAX);
        json_array_foreach(list, i, value)
                if (!json_is_string(value) || !source_from_text(json_string_value(value), &push->sources[i]))
                        return refuse_field(
                                ret_why, "source",
                                "source %zu is not an address or a range with zero host bits, as 192.0.2.7 or "
                                "2001:db8::/32.",
                                i);
        push->n_sources = (uint8_t)json_array_size(list);
        return REFUSAL_NONE;
}

static enum refusal take_restrict(json_t *object, struct push *push, struct refused *ret_why) {
        json_t *value = json_object_get(object, "restrict");

        if (value && !json_is_boolean(value))
                return refuse_field(ret_why, "restrict", "restrict must be true or false.");
        push->restricted = json_is_true(value);
        return REFUSAL_NONE;
}

static enum refusal take_label(json_t *object, const char *name, char dst[static GRANT_LABEL_MAX],
                               struct refused *ret_why) {
        json_t *value = json_object_get(object, name);
        size_t characters;

        if (!value)
                return REFUSAL_NONE;
        if (!json_is_string(value) || !terminal_plain(json_string_value(value), &characters) ||
            characters > PUSH_LABEL_CHARACTERS_MAX)
                return refuse_field(ret_why, name, "%s must be a text of at most %d printable characters.", name,
                                    PUSH_LABEL_CHARACTERS_MAX);
        memcpy(dst, json_string_value(value), json_string_length(value) + 1);
        return REFUSAL_NONE;
}

enum refusal push_take_fields(json_t *object, struct push *ret, struct refused *ret_why) {
        static enum refusal (*const take[])(json_t *, struct push *, struct refused *) = {
                take_user, take_keys, take_ttl, take_connections, take_sources, take_restrict,
        };
        enum refusal why = REFUSAL_NONE;

        for (size_t i = 0; why == REFUSAL_NONE && i < sizeof(take) / sizeof(take[0]); i++)
                why = take[i](object, ret, ret_why);
        if (why == REFUSAL_NONE)
                why = take_label(object, "principal", ret->principal, ret_why);
        if (why == REFUSAL_NONE)
                why = take_label(object, "requestId", ret->request_id, ret_why);
        return why;
}

static bool random_id(char ret[static STORE_ID_MAX]) {
        uint8_t raw[(STORE_ID_MAX - 1) / 2];

        if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
                return false;
        for (size_t i = 0; i < sizeof(raw); i++)
                (void)snprintf(ret + 2 * i, 3, "%02x", raw[i]);
        return true;
}

static bool local_name(const char *name) {
        static const char *const known[] = {
                "user", "keys", "ttl", "connections", "source", "restrict", "principal", "requestId",
        };

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                if (strcmp(name, known[i]) == 0)
                        return true;
        return false;
}

enum refusal push_from_local(json_t *parameters, struct push *ret, struct refused *ret_why) {
        json_t *present = json_object(), *value;
        enum refusal why = REFUSAL_NONE;
        const char *name;

        *ret = (struct push){.n_keys = 0};
        if (!present || !random_id(ret->id))
                why = refuse(ret_why, REFUSAL_STORAGE_FAILURE, "No memory, or the kernel gave no random bytes.");
        json_object_foreach(parameters, name, value) {
                if (why == REFUSAL_NONE && !local_name(name))
                        why = refuse_field(ret_why, name, "PushLocal has no such parameter; a typing error?");
                /* In varlink an optional parameter that is null is absent. */
                if (!json_is_null(value))
                        (void)json_object_set(present, name, value);
        }
        if (why == REFUSAL_NONE)
                why = push_take_fields(present, ret, ret_why);
        json_decref(present);
        return why;
}
