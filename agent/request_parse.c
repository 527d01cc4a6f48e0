/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/request_parse.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "agent/key_check.h"
#include "wire/json.h"
#include "wire/json_dispatch.h"
#include "wire/terminal.h"

/* --- members with a rule of their own; where one fills more than one member of the struct, its offset is 0 -------------------- */

static enum refusal take_key_texts(const struct json_dispatch_field *field, json_t *value, void *member,
                                   struct refused *ret_why) {
        struct push *push = member;
        size_t i, used = 0;
        json_t *text;

        if (!json_dispatch_is_list(field, value))
                return json_dispatch_refuse(field, ret_why);
        json_array_foreach(value, i, text) {
                size_t size = json_string_length(text) + 1;

                /* All of them came in one frame, with more around them. */
                if (!json_is_string(text) || size > sizeof(push->key_texts) - used)
                        return json_dispatch_refuse(field, ret_why);
                memcpy(push->key_texts + used, json_string_value(text), size);
                used += size;
        }
        push->n_keys = json_array_size(value);
        return REFUSAL_NONE;
}

static enum refusal take_sources(const struct json_dispatch_field *field, json_t *value, void *member,
                                 struct refused *ret_why) {
        struct push *push = member;

        return json_dispatch_sources(field, value, push->sources, &push->n_sources, ret_why);
}

/* The limit is in characters; the member has room for that many of any size. */
static enum refusal take_label(const struct json_dispatch_field *field, json_t *value, void *member,
                               struct refused *ret_why) {
        size_t characters;

        if (!json_is_string(value) || !terminal_plain(json_string_value(value), &characters) ||
            (int64_t)characters > field->max)
                return json_dispatch_refuse(field, ret_why);
        memcpy(member, json_string_value(value), json_string_length(value) + 1);
        return REFUSAL_NONE;
}

/* Cut at max bytes: what is longer equals nothing that it is compared with. */
static enum refusal take_cut(const struct json_dispatch_field *field, json_t *value, void *member,
                             struct refused *ret_why) {
        if (!json_is_string(value))
                return json_dispatch_refuse(field, ret_why);
        (void)snprintf(member, (size_t)field->max + 1, "%s", json_string_value(value));
        return REFUSAL_NONE;
}

static enum refusal take_challenge(const struct json_dispatch_field *field, json_t *value, void *member,
                                   struct refused *ret_why) {
        struct terms *terms = member;

        terms->has_challenge = true;
        return take_cut(field, value, terms->challenge, ret_why);
}

static enum refusal take_printable_ascii(const struct json_dispatch_field *field, json_t *value, void *member,
                                         struct refused *ret_why) {
        const char *text = json_string_value(value);

        for (const char *c = text; c && *c; c++)
                if (*c < ' ' || *c > '~')
                        return json_dispatch_refuse(field, ret_why);
        return json_dispatch_text(field, value, member, ret_why);
}

/* Its form; whether its names are known is asked when the rest of the schema holds (check_crit()). */
static enum refusal take_crit(const struct json_dispatch_field *field, json_t *value, void *member,
                              struct refused *ret_why) {
        json_t *name;
        size_t i;

        (void)member;
        if (!json_dispatch_is_list(field, value))
                return json_dispatch_refuse(field, ret_why);
        json_array_foreach(value, i, name)
                if (!json_is_string(name))
                        return json_dispatch_refuse(field, ret_why);
        return REFUSAL_NONE;
}

static enum refusal take_fingerprint(const struct json_dispatch_field *field, json_t *value, void *member,
                                     struct refused *ret_why) {
        if (!json_is_string(value) || !store_fingerprint_name(json_string_value(value), member))
                return json_dispatch_refuse(field, ret_why);
        return REFUSAL_NONE;
}

static enum refusal take_true(const struct json_dispatch_field *field, json_t *value, void *member,
                              struct refused *ret_why) {
        if (!json_is_true(value))
                return json_dispatch_refuse(field, ret_why);
        *(bool *)member = true;
        return REFUSAL_NONE;
}

/* --- the tables ----------------------------------------------------------------------------------------------------------- */

#define TIME_MAX_S (INT64_C(1) << 40)

static const struct json_dispatch_field terms_fields[] = {
        {"aud", take_cut, offsetof(struct terms, aud), .max = PAYLOAD_AUD_MAX - 1, .required = true,
         .expected = "the id of an instance"},
        {"iat", json_dispatch_integer, offsetof(struct terms, iat_s), .max = TIME_MAX_S, .required = true,
         .expected = "a whole number of seconds since 1970"},
        {"exp", json_dispatch_integer, offsetof(struct terms, exp_s), .max = TIME_MAX_S, .required = true,
         .expected = "a whole number of seconds since 1970"},
        {"jti", take_printable_ascii, offsetof(struct terms, jti), .min = PAYLOAD_JTI_MIN, .max = PAYLOAD_JTI_MAX,
         .required = true, .expected = "16 to 128 printable ASCII characters"},
        {"challenge", take_challenge, 0, .max = PAYLOAD_CHALLENGE_MAX - 1, .expected = "a text"},
        {"crit", take_crit, 0, .max = PAYLOAD_CRIT_MAX, .expected = "a list of at most 16 names"},
        {.name = NULL},
};

/* Of PushLocal and of a signed push. */
static const struct json_dispatch_field push_fields[] = {
        {"user", json_dispatch_text, offsetof(struct push, user), .min = 1, .max = GRANT_USER_MAX - 1, .required = true,
         .expected = "a login name of 1 to 256 bytes"},
        {"keys", take_key_texts, 0, .min = 1, .max = PUSH_KEYS_MAX, .required = true,
         .expected = "a list of 1 to 8 texts, each \"type base64\""},
        {"ttl", json_dispatch_integer, offsetof(struct push, ttl_s), .min = 1, .max = INT64_MAX,
         .expected = "a whole number of seconds, 1 or more"},
        {"connections", json_dispatch_integer, offsetof(struct push, connections), .max = GRANT_CONNECTIONS_MAX,
         .expected = "a whole number from 0 to 100"},
        {"source", take_sources, 0, .min = 1, .max = GRANT_SOURCES_MAX,
         .expected = "a list of 1 to 16 addresses or ranges"},
        {"restrict", json_dispatch_boolean, offsetof(struct push, restricted), .expected = "true or false"},
        {"principal", take_label, offsetof(struct push, principal), .max = PUSH_LABEL_CHARACTERS_MAX,
         .expected = "a text of at most 256 printable characters"},
        {"requestId", take_label, offsetof(struct push, request_id), .max = PUSH_LABEL_CHARACTERS_MAX,
         .expected = "a text of at most 256 printable characters"},
        {.name = NULL},
};

/* Of SetLaunchKeys. */
static const struct json_dispatch_field launch_fields[] = {
        {"keys", take_key_texts, 0, .min = 0, .max = LAUNCH_KEYS_MAX, .required = true,
         .expected = "a list of at most 16 texts, each \"type base64\""},
        {.name = NULL},
};

static const struct json_dispatch_field revocation_fields[] = {
        {"fingerprint", take_fingerprint, offsetof(struct revocation, fingerprint),
         .expected = "\"SHA256:\" and 43 characters of base64"},
        {"user", json_dispatch_text, offsetof(struct revocation, user), .min = 1, .max = GRANT_USER_MAX - 1,
         .expected = "a login name of 1 to 256 bytes"},
        {"all", take_true, offsetof(struct revocation, all), .expected = "true"},
        {.name = NULL},
};

/* --- requests ------------------------------------------------------------------------------------------------------------- */

bool request_random_id(char ret[static STORE_ID_MAX]) {
        uint8_t raw[(STORE_ID_MAX - 1) / 2];

        if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
                return false;
        for (size_t i = 0; i < sizeof(raw); i++)
                (void)snprintf(ret + 2 * i, 3, "%02x", raw[i]);
        return true;
}

enum refusal request_parse_push_local(json_t *parameters, struct push *ret, struct refused *ret_why) {
        *ret = (struct push){.connections = PUSH_DEFAULT_CONNECTIONS};
        if (!request_random_id(ret->id))
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "push: the kernel has no random bytes");
        if (json_dispatch(parameters, push_fields, JSON_DISPATCH_NULL_IS_ABSENT | JSON_DISPATCH_REFUSE_UNKNOWN, ret,
                          ret_why))
                return ret_why->why;
        return REFUSAL_NONE;
}

enum refusal request_parse_launch(json_t *parameters, struct push *ret, struct refused *ret_why) {
        *ret = (struct push){.user = ""};
        if (json_dispatch(parameters, launch_fields, JSON_DISPATCH_NULL_IS_ABSENT | JSON_DISPATCH_REFUSE_UNKNOWN, ret,
                          ret_why))
                return ret_why->why;
        return REFUSAL_NONE;
}

static enum refusal check_window(const struct terms *terms, struct refused *ret_why) {
        int64_t max_s = terms->has_challenge ? PAYLOAD_WINDOW_CHALLENGE_MAX_S : PAYLOAD_WINDOW_MAX_S;

        if (terms->iat_s >= terms->exp_s)
                return refuse_field(ret_why, "exp", "exp: not later than iat");
        if (terms->exp_s - terms->iat_s > max_s)
                return refuse_field(ret_why, "exp", "exp: more than %" PRId64 " s later than iat", max_s);
        return REFUSAL_NONE;
}

/* Whether a number that is not an integer is anywhere in it. The recursion is as deep as the parser allows. */
static bool holds_real(json_t *value) {
        const char *name;
        json_t *inner;
        size_t i;

        json_array_foreach(value, i, inner)
                if (holds_real(inner))
                        return true;
        json_object_foreach(value, name, inner)
                if (holds_real(inner))
                        return true;
        return json_is_real(value);
}

/* Unknown members are ignored, but not every value in them. */
static enum refusal check_numbers(json_t *object, struct refused *ret_why) {
        const char *name;
        json_t *value;

        json_object_foreach(object, name, value)
                if (holds_real(value))
                        return refuse_field(ret_why, name,
                                            "number: not an integer, which each must be, also in unknown members");
        return REFUSAL_NONE;
}

static enum refusal check_crit(json_t *object, const struct json_dispatch_field *fields, struct refused *ret_why) {
        json_t *value;
        size_t i;

        json_array_foreach(json_object_get(object, "crit"), i, value) {
                const char *name = json_string_value(value);

                if (!json_dispatch_known(terms_fields, name) && !json_dispatch_known(fields, name))
                        return refuse_field(ret_why, "crit",
                                            "crit: item %zu is unknown to this guest; update the guest, or leave it "
                                            "out",
                                            i);
        }
        return REFUSAL_NONE;
}

static enum refusal take_object(json_t *object, const struct json_dispatch_field *fields, struct terms *ret_terms,
                                void *ret, struct refused *ret_why) {
        enum refusal why;

        *ret_terms = (struct terms){.iat_s = 0};
        if (json_dispatch(object, terms_fields, 0, ret_terms, ret_why))
                return ret_why->why;
        why = check_window(ret_terms, ret_why);
        if (why == REFUSAL_NONE && json_dispatch(object, fields, 0, ret, ret_why))
                return ret_why->why;
        if (why == REFUSAL_NONE)
                why = check_numbers(object, ret_why);
        return why == REFUSAL_NONE ? check_crit(object, fields, ret_why) : why;
}

static enum refusal take_payload(const uint8_t *payload, size_t length, const struct json_dispatch_field *fields,
                                 struct terms *ret_terms, void *ret, struct refused *ret_why) {
        json_t *object = json_read((const char *)payload, length, PAYLOAD_DEPTH_MAX);
        enum refusal why;

        if (json_is_object(object))
                why = take_object(object, fields, ret_terms, ret, ret_why);
        else
                why = refuse_field(ret_why, "",
                                   "payload: expected a JSON object of at most %d levels, each name once, in UTF-8 "
                                   "without NUL",
                                   PAYLOAD_DEPTH_MAX);
        json_decref(object);
        return why;
}

enum refusal request_parse_push(const uint8_t *payload, size_t length, struct terms *ret_terms, struct push *ret,
                                struct refused *ret_why) {
        *ret = (struct push){.connections = PUSH_DEFAULT_CONNECTIONS};
        return take_payload(payload, length, push_fields, ret_terms, ret, ret_why);
}

enum refusal request_parse_revocation(const uint8_t *payload, size_t length, struct terms *ret_terms,
                                      struct revocation *ret, struct refused *ret_why) {
        enum refusal why;

        *ret = (struct revocation){.all = false};
        why = take_payload(payload, length, revocation_fields, ret_terms, ret, ret_why);
        if (why == REFUSAL_NONE && (ret->fingerprint[0] != '\0') + (ret->user[0] != '\0') + ret->all != 1)
                why = refuse_field(ret_why, "fingerprint",
                                   "revocation: expected exactly one of fingerprint, user and all");
        return why;
}

/* --- keys ----------------------------------------------------------------------------------------------------------------- */

static enum refusal reject_key(size_t index, const char *cause, struct refused *ret_why) {
        (void)refuse(ret_why, REFUSAL_KEY_REJECTED, "key %zu: %s", index, cause);
        ret_why->index = (int)index;
        return REFUSAL_KEY_REJECTED;
}

static enum refusal parse_key(struct push *push, size_t index, const char *text, struct refused *ret_why) {
        struct store_key *key = &push->keys[index];
        enum ssh_key_fault fault;

        fault = ssh_key_from_text(text, strlen(text), &key->key);
        if (fault != SSH_KEY_OK)
                return reject_key(index, ssh_key_fault_text(fault), ret_why);
        if (!key_check_point(&key->key))
                return reject_key(index, "its point is not on its curve; make a new key", ret_why);
        if (key_check_fingerprint(&key->key, key->fingerprint) < 0)
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "key %zu: its fingerprint could not be computed",
                              index);
        for (size_t i = 0; i < index; i++)
                if (strcmp(push->keys[i].fingerprint, key->fingerprint) == 0) {
                        char cause[64];

                        (void)snprintf(cause, sizeof(cause), "the same as key %zu; send it once", i);
                        return reject_key(index, cause, ret_why);
                }
        return REFUSAL_NONE;
}

enum refusal request_parse_keys(struct push *push, struct refused *ret_why) {
        const char *text = push->key_texts;
        enum refusal why = REFUSAL_NONE;

        for (size_t i = 0; why == REFUSAL_NONE && i < push->n_keys; i++, text += strlen(text) + 1)
                why = parse_key(push, i, text, ret_why);
        return why;
}
