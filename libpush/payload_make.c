/* SPDX-License-Identifier: Apache-2.0 */
#include "libpush/payload_make.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/fingerprint.h"
#include "wire/terminal.h"

#define TIME_MAX_S (INT64_C(1) << 40)

enum {
        JTI_MIN = 16,
        JTI_MAX = 128,
        CHALLENGE_MAX = 128,
        LABEL_CHARACTERS_MAX = 256,
        CRIT_NAME_MAX = 64,
};

__attribute__((format(printf, 2, 3))) static int invalid(char why[static PAYLOAD_WHY_MAX], const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(why, PAYLOAD_WHY_MAX, format, arguments);
        va_end(arguments);
        return -EINVAL;
}

static int no_memory(char why[static PAYLOAD_WHY_MAX]) {
        (void)snprintf(why, PAYLOAD_WHY_MAX, "out of memory");
        return -ENOMEM;
}

/* Takes ownership of `value`. A failure leaves `*object` NULL; later calls then do nothing. */
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

/* The same for a list. */
static void append(json_t **list, json_t *value) {
        if (!*list) {
                json_decref(value);
                return;
        }
        if (json_array_append_new(*list, value) < 0) {
                json_decref(*list);
                *list = NULL;
        }
}

/* Printable ASCII; blanks only where they are allowed. */
static bool ascii(const char *text, size_t least, size_t most, bool blanks) {
        size_t n = strlen(text);

        if (n < least || n > most)
                return false;
        for (; *text; text++)
                if (*text > '~' || *text < (blanks ? ' ' : '!'))
                        return false;
        return true;
}

static bool utf8(const char *text) {
        json_t *string = json_string(text);

        json_decref(string);
        return string != NULL;
}

static int check_user(const char *user, char why[static PAYLOAD_WHY_MAX]) {
        if (!user || !*user || strlen(user) > LOGIN_MAX || !utf8(user))
                return invalid(why, "user: a login name has 1 to %d bytes of valid UTF-8", LOGIN_MAX);
        return 0;
}

static int check_terms(const struct payload_terms *terms, const char *id, char why[static PAYLOAD_WHY_MAX]) {
        int64_t most = terms->challenge ? VALID_CHALLENGE_MAX_S : VALID_MAX_S;

        if (!ascii(id, 1, INSTANCE_MAX, false))
                return invalid(why, "instance: an id has 1 to %d printable ASCII characters without blanks",
                               INSTANCE_MAX);
        if (terms->iat < 0 || terms->iat > TIME_MAX_S || terms->exp < 0 || terms->exp > TIME_MAX_S)
                return invalid(why, "iat, exp: the time is out of range; is this machine's clock right?");
        if (terms->exp <= terms->iat || terms->exp - terms->iat > most)
                return invalid(why, "exp: a payload is valid for 1 to %d seconds with%s a challenge", (int)most,
                               terms->challenge ? "" : "out");
        if (!terms->jti || !ascii(terms->jti, JTI_MIN, JTI_MAX, true))
                return invalid(why, "jti: it has %d to %d printable ASCII characters", JTI_MIN, JTI_MAX);
        if (terms->challenge && !ascii(terms->challenge, 1, CHALLENGE_MAX, false))
                return invalid(why, "challenge: it is not one that a guest gives");
        return 0;
}

static int put_terms(const struct payload_terms *terms, json_t **object, char why[static PAYLOAD_WHY_MAX]) {
        size_t n = strlen(AUDIENCE_PREFIX);
        const char *id = terms->instance ? terms->instance : "";
        char aud[sizeof(AUDIENCE_PREFIX) + INSTANCE_MAX];
        int r;

        if (strncmp(id, AUDIENCE_PREFIX, n) == 0)
                id += n;
        r = check_terms(terms, id, why);
        if (r < 0)
                return r;
        (void)snprintf(aud, sizeof(aud), AUDIENCE_PREFIX "%s", id);
        set(object, "aud", json_string(aud));
        set(object, "iat", json_integer(terms->iat));
        set(object, "exp", json_integer(terms->exp));
        set(object, "jti", json_string(terms->jti));
        if (terms->challenge)
                set(object, "challenge", json_string(terms->challenge));
        return 0;
}

static int put_keys(const struct push_payload *push, json_t **object, char why[static PAYLOAD_WHY_MAX]) {
        json_t *list;

        if (push->n_keys == 0 || push->n_keys > PUSH_MADE_KEYS_MAX)
                return invalid(why, "keys: a push has 1 to %d of them", PUSH_MADE_KEYS_MAX);
        list = json_array();
        for (size_t i = 0; i < push->n_keys; i++) {
                char text[SSH_KEY_TEXT_MAX];

                for (size_t j = 0; j < i; j++)
                        if (push->keys[i]->blob_length == push->keys[j]->blob_length &&
                            memcmp(push->keys[i]->blob, push->keys[j]->blob, push->keys[i]->blob_length) == 0) {
                                json_decref(list);
                                return invalid(why, "keys: key %zu is the same as key %zu; give it once", i + 1, j + 1);
                        }
                ssh_key_to_text(push->keys[i], text);
                append(&list, json_string(text));
        }
        set(object, "keys", list);
        return 0;
}

static int put_sources(const struct push_payload *push, json_t **object, char why[static PAYLOAD_WHY_MAX]) {
        json_t *list;

        if (push->n_sources == 0)
                return 0;
        if (push->n_sources > PUSH_MADE_SOURCES_MAX)
                return invalid(why, "source: at most %d of them", PUSH_MADE_SOURCES_MAX);
        list = json_array();
        for (size_t i = 0; i < push->n_sources; i++) {
                char text[SOURCE_TEXT_MAX];

                if (!source_valid(&push->sources[i])) {
                        json_decref(list);
                        return invalid(why, "source: range %zu has bits behind its prefix", i + 1);
                }
                source_to_text(&push->sources[i], text);
                if (source_is_link_local(text)) {
                        json_decref(list);
                        return invalid(why, "source: %s: " SOURCE_LINK_LOCAL, text);
                }
                append(&list, json_string(text));
        }
        set(object, "source", list);
        return 0;
}

static int put_label(const char *name, const char *text, json_t **object, char why[static PAYLOAD_WHY_MAX]) {
        size_t characters;

        if (!text)
                return 0;
        if (!terminal_plain(text, &characters) || characters > LABEL_CHARACTERS_MAX)
                return invalid(why, "%s: at most %d characters, all of them printable", name, LABEL_CHARACTERS_MAX);
        set(object, name, json_string(text));
        return 0;
}

static int put_crit(const struct push_payload *push, json_t **object, char why[static PAYLOAD_WHY_MAX]) {
        json_t *list;

        if (push->n_crit == 0)
                return 0;
        if (push->n_crit > PUSH_MADE_CRIT_MAX)
                return invalid(why, "crit: at most %d names", PUSH_MADE_CRIT_MAX);
        list = json_array();
        for (size_t i = 0; i < push->n_crit; i++) {
                if (!ascii(push->crit[i], 1, CRIT_NAME_MAX, false)) {
                        json_decref(list);
                        return invalid(why, "crit: name %zu is not of 1 to %d printable ASCII characters", i + 1,
                                       CRIT_NAME_MAX);
                }
                append(&list, json_string(push->crit[i]));
        }
        set(object, "crit", list);
        return 0;
}

static int put_limits(const struct push_payload *push, json_t **object, char why[static PAYLOAD_WHY_MAX]) {
        if (push->ttl < 0)
                return invalid(why, "ttl: a key lives 1 second or more");
        if (push->ttl > 0)
                set(object, "ttl", json_integer(push->ttl));
        if (push->connections < PUSH_MADE_CONNECTIONS_ANY || push->connections > PUSH_MADE_CONNECTIONS_MAX)
                return invalid(why, "connections: at most %d, or no limit", PUSH_MADE_CONNECTIONS_MAX);
        if (push->connections != 0)
                set(object, "connections",
                    json_integer(push->connections == PUSH_MADE_CONNECTIONS_ANY ? 0 : push->connections));
        if (push->restricted)
                set(object, "restrict", json_true());
        return 0;
}

/* Takes ownership of `object`. */
static int put_into_envelope(const char *type, json_t *object, struct envelope *ret, char why[static PAYLOAD_WHY_MAX]) {
        char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
        int r;

        json_decref(object);
        if (!text)
                return no_memory(why);
        r = envelope_make(type, text, strlen(text), ret);
        if (r < 0)
                (void)snprintf(why, PAYLOAD_WHY_MAX,
                               "the payload takes %zu bytes, too many for one message; "
                               "give fewer or smaller keys",
                               strlen(text));
        free(text);
        return r;
}

int push_payload_make(const struct push_payload *push, struct envelope *ret, char ret_why[static PAYLOAD_WHY_MAX]) {
        json_t *object = json_object();
        int r;

        r = put_terms(&push->terms, &object, ret_why);
        if (r == 0)
                r = check_user(push->user, ret_why);
        if (r == 0) {
                set(&object, "user", json_string(push->user));
                r = put_keys(push, &object, ret_why);
        }
        if (r == 0)
                r = put_limits(push, &object, ret_why);
        if (r == 0)
                r = put_sources(push, &object, ret_why);
        if (r == 0)
                r = put_label("principal", push->principal, &object, ret_why);
        if (r == 0)
                r = put_label("requestId", push->request_id, &object, ret_why);
        if (r == 0)
                r = put_crit(push, &object, ret_why);
        if (r < 0) {
                json_decref(object);
                return r;
        }
        return put_into_envelope(PUSH_PAYLOAD_TYPE, object, ret, ret_why);
}

int revoke_payload_make(const struct revoke_payload *revoke, struct envelope *ret,
                        char ret_why[static PAYLOAD_WHY_MAX]) {
        json_t *object = json_object();
        int r;

        r = put_terms(&revoke->terms, &object, ret_why);
        if (r == 0 && (revoke->fingerprint != NULL) + (revoke->user != NULL) + revoke->all != 1)
                r = invalid(ret_why, "a revocation is of one fingerprint, of one user, or of all keys");
        if (r == 0 && revoke->fingerprint && !fingerprint_valid(revoke->fingerprint))
                r = invalid(ret_why, "fingerprint: it is not SHA256: and 43 characters, as ssh-keygen -l prints it");
        if (r == 0 && revoke->user)
                r = check_user(revoke->user, ret_why);
        if (r < 0) {
                json_decref(object);
                return r;
        }
        if (revoke->fingerprint)
                set(&object, "fingerprint", json_string(revoke->fingerprint));
        if (revoke->user)
                set(&object, "user", json_string(revoke->user));
        if (revoke->all)
                set(&object, "all", json_true());
        return put_into_envelope(REVOKE_PAYLOAD_TYPE, object, ret, ret_why);
}
