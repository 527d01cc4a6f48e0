/* SPDX-License-Identifier: Apache-2.0 */
#include "libpush/answer.h"

#include <stdio.h>
#include <string.h>

#define COUNT_MAX INT64_C(0x7fffffff)
#define TIME_MAX_S (INT64_C(1) << 40)

/* Texts in JSON that was read by wire/json.h hold no NUL. */
static bool take_text(json_t *object, const char *name, size_t size, char *ret) {
        json_t *value = json_object_get(object, name);
        size_t n = json_string_length(value);

        if (!json_is_string(value) || n == 0 || n >= size)
                return false;
        memcpy(ret, json_string_value(value), n + 1);
        return true;
}

/* "?string": absent and null are the same. */
static bool take_optional_text(json_t *object, const char *name, size_t size, char *ret) {
        ret[0] = '\0';
        return !json_object_get(object, name) || json_is_null(json_object_get(object, name)) ||
               take_text(object, name, size, ret);
}

static bool take_number(json_t *object, const char *name, int64_t least, int64_t most, int64_t *ret) {
        json_t *value = json_object_get(object, name);

        if (!json_is_integer(value) || json_integer_value(value) < least || json_integer_value(value) > most)
                return false;
        *ret = json_integer_value(value);
        return true;
}

static bool take_truth(json_t *object, const char *name, bool *ret) {
        json_t *value = json_object_get(object, name);

        *ret = json_is_true(value);
        return json_is_boolean(value);
}

/* One of two words. */
static bool take_choice(json_t *object, const char *name, const char *yes, const char *no, bool *ret) {
        const char *text = json_string_value(json_object_get(object, name));

        *ret = text && strcmp(text, yes) == 0;
        return *ret || (text && strcmp(text, no) == 0);
}

static bool take_clock(json_t *parameters, struct guest_clock *ret) {
        json_t *object = json_object_get(parameters, "clock");

        return json_is_object(object) && take_number(object, "unix", 0, TIME_MAX_S, &ret->unix_s) &&
               take_truth(object, "synchronized", &ret->synchronized);
}

static bool take_limits(json_t *parameters, struct guest_limits *ret) {
        json_t *object = json_object_get(parameters, "limits");

        return json_is_object(object) && take_number(object, "messageBytes", 1, COUNT_MAX, &ret->message_bytes) &&
               take_number(object, "maxTtl", 1, COUNT_MAX, &ret->max_ttl) &&
               take_number(object, "keysPerPush", 1, COUNT_MAX, &ret->keys_per_push) &&
               take_number(object, "keysPerUser", 1, COUNT_MAX, &ret->keys_per_user) &&
               take_number(object, "keys", 1, COUNT_MAX, &ret->keys);
}

const char *answer_take_hello(json_t *parameters, struct hello_answer *ret) {
        if (!take_text(parameters, "version", sizeof(ret->version), ret->version))
                return "version";
        if (!take_optional_text(parameters, "instance", sizeof(ret->instance), ret->instance))
                return "instance";
        if (!take_text(parameters, "bootId", sizeof(ret->boot_id), ret->boot_id) ||
            strspn(ret->boot_id, "0123456789abcdef-") != sizeof(ret->boot_id) - 1)
                return "bootId";
        if (!take_text(parameters, "challenge", sizeof(ret->challenge), ret->challenge) || !token_valid(ret->challenge))
                return "challenge";
        if (!take_clock(parameters, &ret->clock))
                return "clock";
        return take_limits(parameters, &ret->limits) ? NULL : "limits";
}

/* The key counts, and what is said about it must agree: neither type nor fingerprint is taken on trust. */
static bool take_host_key(json_t *object, struct host_key *ret) {
        const char *type = json_string_value(json_object_get(object, "type"));
        const char *key = json_string_value(json_object_get(object, "key"));
        const char *fingerprint = json_string_value(json_object_get(object, "fingerprint"));
        char text[SSH_KEY_TEXT_MAX];
        int n;

        if (!type || !key || !fingerprint)
                return false;
        n = snprintf(text, sizeof(text), "%s %s", type, key);
        return n > 0 && (size_t)n < sizeof(text) && ssh_key_from_text(text, (size_t)n, &ret->key) == SSH_KEY_OK &&
               fingerprint_of(&ret->key, ret->fingerprint) == 0 && strcmp(ret->fingerprint, fingerprint) == 0;
}

const char *answer_take_host_keys(json_t *parameters, struct host_keys *ret) {
        json_t *list = json_object_get(parameters, "hostKeys"), *value;
        size_t i;

        ret->n = 0;
        if (!json_is_array(list) || json_array_size(list) > ANSWER_HOST_KEYS_MAX)
                return "hostKeys";
        json_array_foreach(list, i, value)
                if (!take_host_key(value, &ret->at[ret->n++]))
                        return "hostKeys";
        return NULL;
}

static bool take_fingerprints(json_t *parameters, struct push_answer *ret) {
        json_t *list = json_object_get(parameters, "fingerprints"), *value;
        size_t i;

        ret->n_fingerprints = 0;
        if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > ANSWER_FINGERPRINTS_MAX)
                return false;
        json_array_foreach(list, i, value) {
                if (!json_is_string(value) || !fingerprint_valid(json_string_value(value)))
                        return false;
                memcpy(ret->fingerprints[ret->n_fingerprints++], json_string_value(value), FINGERPRINT_MAX);
        }
        return true;
}

const char *answer_take_push(json_t *parameters, struct push_answer *ret) {
        if (!take_text(parameters, "user", sizeof(ret->user), ret->user))
                return "user";
        if (!take_fingerprints(parameters, ret))
                return "fingerprints";
        if (!take_number(parameters, "expiresIn", 0, ANSWER_EXPIRES_MAX_S, &ret->expires_in))
                return "expiresIn";
        if (!take_truth(parameters, "duplicate", &ret->duplicate))
                return "duplicate";
        return answer_take_host_keys(parameters, &ret->host_keys);
}

const char *answer_take_revoke(json_t *parameters, int64_t *ret_revoked) {
        return take_number(parameters, "revoked", 0, COUNT_MAX, ret_revoked) ? NULL : "revoked";
}

const char *answer_take_status(json_t *parameters, struct status_answer *ret) {
        if (!take_text(parameters, "version", sizeof(ret->version), ret->version))
                return "version";
        if (!take_optional_text(parameters, "instance", sizeof(ret->instance), ret->instance))
                return "instance";
        if (!take_choice(parameters, "trust", "signed", "channel", &ret->signed_only))
                return "trust";
        if (!take_number(parameters, "anchors", 0, COUNT_MAX, &ret->anchors))
                return "anchors";
        if (!take_number(parameters, "keys", 0, COUNT_MAX, &ret->keys))
                return "keys";
        if (!take_clock(parameters, &ret->clock))
                return "clock";
        return take_choice(parameters, "sshd", "enabled", "disabled", &ret->sshd_enabled) ? NULL : "sshd";
}

/* What goes with the errors of this interface. */
static const char *take_refused(json_t *parameters, enum refusal why, struct refused *ret) {
        json_t *message = json_object_get(parameters, "message");
        int64_t index = -1, retry_after_ms = 0;
        char field[sizeof(ret->field)] = "";

        if (!json_is_string(message))
                return "message";
        if (why == REFUSAL_INVALID_PAYLOAD && !take_optional_text(parameters, "field", sizeof(field), field))
                return "field";
        if (why == REFUSAL_KEY_REJECTED && !take_number(parameters, "index", 0, ANSWER_FINGERPRINTS_MAX - 1, &index))
                return "index";
        if (why == REFUSAL_RATE_LIMITED && !take_number(parameters, "retryAfterMs", 0, COUNT_MAX, &retry_after_ms))
                return "retryAfterMs";
        (void)refuse(ret, why, "%s", json_string_value(message));
        memcpy(ret->field, field, sizeof(field));
        ret->index = (int)index;
        ret->retry_after_ms = retry_after_ms;
        return NULL;
}

const char *answer_take_refusal(const struct client_reply *reply, struct refusal_answer *ret) {
        size_t n = strlen(VARLINK_INTERFACE ".");
        bool ours = strncmp(reply->error, VARLINK_INTERFACE ".", n) == 0;
        const char *name = ours ? reply->error + n : reply->error;
        enum refusal why = ours ? refusal_from_name(name) : REFUSAL_NONE;

        *ret = (struct refusal_answer){.refused = {.why = why, .index = -1}};
        memcpy(ret->name, name, strlen(name) + 1);
        return why == REFUSAL_NONE ? NULL : take_refused(reply->parameters, why, &ret->refused);
}

/* Takes ownership of both. NULL without memory. */
static json_t *append(json_t *list, json_t *value) {
        if (json_array_append_new(list, value) == 0)
                return list;
        json_decref(list);
        return NULL;
}

json_t *answer_host_keys_to_json(const struct host_keys *keys) {
        json_t *list = json_array();

        for (size_t i = 0; list && i < keys->n; i++) {
                char text[SSH_KEY_TEXT_MAX];
                const char *type = ssh_key_type_name(keys->at[i].key.type);

                ssh_key_to_text(&keys->at[i].key, text);
                list = append(list, json_pack("{ss ss ss}", "type", type, "key", text + strlen(type) + 1, "fingerprint",
                                              keys->at[i].fingerprint));
        }
        return list;
}

json_t *answer_fingerprints_to_json(const struct push_answer *answer) {
        json_t *list = json_array();

        for (size_t i = 0; list && i < answer->n_fingerprints; i++)
                list = append(list, json_string(answer->fingerprints[i]));
        return list;
}
