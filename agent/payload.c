/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/payload.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "wire/json.h"

#define TIME_MAX_S (INT64_C(1) << 40)

static enum refusal take_aud(json_t *object, struct terms *terms, struct refused *ret_why) {
        const char *aud = json_string_value(json_object_get(object, "aud"));

        if (!aud)
                return refuse_field(ret_why, "aud", "aud is missing or no text.");
        (void)snprintf(terms->aud, sizeof(terms->aud), "%s", aud);
        return REFUSAL_NONE;
}

static enum refusal take_time(json_t *object, const char *name, int64_t *ret, struct refused *ret_why) {
        json_t *value = json_object_get(object, name);

        if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > TIME_MAX_S)
                return refuse_field(ret_why, name, "%s must be a whole number of seconds since 1970.", name);
        *ret = json_integer_value(value);
        return REFUSAL_NONE;
}

static bool printable_ascii(const char *text) {
        for (; *text; text++)
                if (*text < ' ' || *text > '~')
                        return false;
        return true;
}

static enum refusal take_jti(json_t *object, struct terms *terms, struct refused *ret_why) {
        json_t *value = json_object_get(object, "jti");
        size_t n = json_string_length(value);

        if (!json_is_string(value) || n < PAYLOAD_JTI_MIN || n > PAYLOAD_JTI_MAX ||
            !printable_ascii(json_string_value(value)))
                return refuse_field(ret_why, "jti", "jti must be %d to %d printable ASCII characters.", PAYLOAD_JTI_MIN,
                                    PAYLOAD_JTI_MAX);
        memcpy(terms->jti, json_string_value(value), n + 1);
        return REFUSAL_NONE;
}

static enum refusal take_challenge(json_t *object, struct terms *terms, struct refused *ret_why) {
        json_t *value = json_object_get(object, "challenge");

        terms->has_challenge = value;
        if (!value)
                return REFUSAL_NONE;
        if (!json_is_string(value))
                return refuse_field(ret_why, "challenge", "challenge must be a text.");
        (void)snprintf(terms->challenge, sizeof(terms->challenge), "%s", json_string_value(value));
        return REFUSAL_NONE;
}

static enum refusal check_window(const struct terms *terms, struct refused *ret_why) {
        int64_t max_s = terms->has_challenge ? PAYLOAD_WINDOW_CHALLENGE_MAX_S : PAYLOAD_WINDOW_MAX_S;

        if (terms->iat_s >= terms->exp_s)
                return refuse_field(ret_why, "exp", "exp must be later than iat.");
        if (terms->exp_s - terms->iat_s > max_s)
                return refuse_field(ret_why, "exp", "exp may be at most %" PRId64 " s later than iat.", max_s);
        return REFUSAL_NONE;
}

static enum refusal take_terms(json_t *object, struct terms *ret, struct refused *ret_why) {
        enum refusal why;

        *ret = (struct terms){.iat_s = 0};
        why = take_aud(object, ret, ret_why);
        if (why == REFUSAL_NONE)
                why = take_time(object, "iat", &ret->iat_s, ret_why);
        if (why == REFUSAL_NONE)
                why = take_time(object, "exp", &ret->exp_s, ret_why);
        if (why == REFUSAL_NONE)
                why = take_jti(object, ret, ret_why);
        if (why == REFUSAL_NONE)
                why = take_challenge(object, ret, ret_why);
        return why == REFUSAL_NONE ? check_window(ret, ret_why) : why;
}

static bool listed(const char *name, const char *const *names) {
        for (; *names; names++)
                if (strcmp(name, *names) == 0)
                        return true;
        return false;
}

/* The form of crit is part of the schema; whether its names are known is asked when all of the schema holds. */
static enum refusal check_crit_form(json_t *object, struct refused *ret_why) {
        json_t *list = json_object_get(object, "crit"), *value;
        size_t i;

        if (!list)
                return REFUSAL_NONE;
        if (!json_is_array(list) || json_array_size(list) > PAYLOAD_CRIT_MAX)
                return refuse_field(ret_why, "crit", "crit must be a list of at most %d names.", PAYLOAD_CRIT_MAX);
        json_array_foreach(list, i, value)
                if (!json_is_string(value))
                        return refuse_field(ret_why, "crit", "crit must hold names.");
        return REFUSAL_NONE;
}

static enum refusal check_crit(json_t *object, const char *const *known, struct refused *ret_why) {
        json_t *value;
        size_t i;

        json_array_foreach(json_object_get(object, "crit"), i, value)
                if (!listed(json_string_value(value), known))
                        return refuse_field(
                                ret_why, "crit",
                                "crit names something that this guest does not know; update the guest, or leave "
                                "it away.");
        return REFUSAL_NONE;
}

/* Whether a number that is not an integer stands anywhere in it. The parser's limit of depth is that of the recursion. */
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

/* Names that are not known are passed over, but not all that they hold. */
static enum refusal check_numbers(json_t *object, struct refused *ret_why) {
        const char *name;
        json_t *value;

        json_object_foreach(object, name, value)
                if (holds_real(value))
                        return refuse_field(ret_why, name,
                                            "Every number must be an integer, also where its name is not known.");
        return REFUSAL_NONE;
}

/* What is asked of both kinds when their own members are in order. */
static enum refusal check_rest(json_t *object, const char *const *known, struct refused *ret_why) {
        enum refusal why;

        why = check_numbers(object, ret_why);
        if (why == REFUSAL_NONE)
                why = check_crit_form(object, ret_why);
        return why == REFUSAL_NONE ? check_crit(object, known, ret_why) : why;
}

static json_t *read_object(const uint8_t *text, size_t length, struct refused *ret_why) {
        json_t *object = json_read((const char *)text, length, PAYLOAD_DEPTH_MAX);

        if (json_is_object(object))
                return object;
        json_decref(object);
        (void)refuse_field(
                ret_why, "",
                "The payload is no JSON object of at most %d levels, with each name once, in UTF-8 without NUL.",
                PAYLOAD_DEPTH_MAX);
        return NULL;
}

enum refusal payload_take_push(const uint8_t *text, size_t length, struct terms *ret_terms, struct push *ret_push,
                               struct refused *ret_why) {
        static const char *const known[] = {"aud",      "user",      "keys",      "iat",         "exp",
                                            "ttl",      "jti",       "challenge", "connections", "source",
                                            "restrict", "principal", "requestId", "crit",        NULL};
        json_t *object = read_object(text, length, ret_why);
        enum refusal why;

        if (!object)
                return ret_why->why;
        *ret_push = (struct push){.n_keys = 0};
        why = take_terms(object, ret_terms, ret_why);
        if (why == REFUSAL_NONE)
                why = push_take_fields(object, ret_push, ret_why);
        if (why == REFUSAL_NONE)
                why = check_rest(object, known, ret_why);
        json_decref(object);
        return why;
}

static enum refusal take_subject(json_t *object, struct revocation *ret, struct refused *ret_why) {
        json_t *fingerprint = json_object_get(object, "fingerprint"), *user = json_object_get(object, "user"),
               *all = json_object_get(object, "all");

        *ret = (struct revocation){.all = false};
        if ((fingerprint != NULL) + (user != NULL) + (all != NULL) != 1)
                return refuse_field(ret_why, "fingerprint",
                                    "A revocation names exactly one of fingerprint, user and all.");
        if (fingerprint &&
            (!json_is_string(fingerprint) || !store_fingerprint_name(json_string_value(fingerprint), ret->fingerprint)))
                return refuse_field(ret_why, "fingerprint",
                                    "fingerprint must be \"SHA256:\" and 43 characters of base64.");
        if (user &&
            (!json_is_string(user) || json_string_length(user) == 0 || json_string_length(user) >= sizeof(ret->user)))
                return refuse_field(ret_why, "user", "user must be a login name of 1 to %zu bytes.",
                                    sizeof(ret->user) - 1);
        if (all && !json_is_true(all))
                return refuse_field(ret_why, "all", "all can only be true.");
        if (user)
                memcpy(ret->user, json_string_value(user), json_string_length(user) + 1);
        ret->all = all;
        return REFUSAL_NONE;
}

enum refusal payload_take_revocation(const uint8_t *text, size_t length, struct terms *ret_terms,
                                     struct revocation *ret_revocation, struct refused *ret_why) {
        static const char *const known[] = {"aud",         "iat",  "exp", "jti",  "challenge",
                                            "fingerprint", "user", "all", "crit", NULL};
        json_t *object = read_object(text, length, ret_why);
        enum refusal why;

        if (!object)
                return ret_why->why;
        why = take_terms(object, ret_terms, ret_why);
        if (why == REFUSAL_NONE)
                why = take_subject(object, ret_revocation, ret_why);
        if (why == REFUSAL_NONE)
                why = check_rest(object, known, ret_why);
        json_decref(object);
        return why;
}
