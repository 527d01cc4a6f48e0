/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/connect_answer.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "libpush/key_pair_read.h"
#include "wire/json_dispatch.h"
#include "wire/terminal.h"
#include "wire/time_text.h"

enum { PORT_MAX = 65535 };

/* The members that need more than their own row: compared with others, or with what was asked for. */
struct taken {
        struct connect_answer *answer;
        const char *private_key; /* NULL: none */
        const char *fingerprint;
        bool has_key;
};

static bool is_printable_ascii(const char *text) {
        for (; *text; text++)
                if (*text < '!' || *text > '~')
                        return false;
        return true;
}

/* --- one member -------------------------------------------------------------------------------------------------- */

static enum refusal take_user(const struct json_dispatch_field *field, json_t *value, void *member,
                              struct refused *ret_why) {
        const char *user = json_string_value(value);
        size_t characters;

        if (!user || user[0] == '-' || !terminal_plain(user, &characters))
                return json_dispatch_refuse(field, ret_why);
        return json_dispatch_text(field, value, member, ret_why);
}

static enum refusal take_visible(const struct json_dispatch_field *field, json_t *value, void *member,
                                 struct refused *ret_why) {
        if (!json_is_string(value) || !is_printable_ascii(json_string_value(value)))
                return json_dispatch_refuse(field, ret_why);
        return json_dispatch_text(field, value, member, ret_why);
}

static enum refusal take_key(const struct json_dispatch_field *field, json_t *value, void *member,
                             struct refused *ret_why) {
        struct taken *taken = member;

        if (!json_is_string(value) ||
            ssh_key_from_text(json_string_value(value), json_string_length(value), &taken->answer->key) != SSH_KEY_OK)
                return json_dispatch_refuse(field, ret_why);
        taken->has_key = true;
        return REFUSAL_NONE;
}

static enum refusal take_time(const struct json_dispatch_field *field, json_t *value, void *member,
                              struct refused *ret_why) {
        struct taken *taken = member;

        return json_is_string(value) && time_text_parse(json_string_value(value), &taken->answer->expires_at)
                       ? REFUSAL_NONE
                       : json_dispatch_refuse(field, ret_why);
}

/* The address is written again, so that what ssh gets is the form of inet_ntop(3). */
static enum refusal take_address(const struct json_dispatch_field *field, json_t *value, void *member,
                                 struct refused *ret_why) {
        int family = field->min == CONNECT_IPV6 ? AF_INET6 : AF_INET;
        char(*address)[INET6_ADDRSTRLEN] = member;
        struct in6_addr binary;

        if (!json_is_string(value) || inet_pton(family, json_string_value(value), &binary) != 1 ||
            !inet_ntop(family, &binary, address[field->min], INET6_ADDRSTRLEN))
                return json_dispatch_refuse(field, ret_why);
        return REFUSAL_NONE;
}

#define ADDRESS_FIELD(NAME, WHICH, EXPECTED)                                                                           \
        {NAME, take_address, offsetof(struct connect_answer, address), .min = (WHICH), .expected = (EXPECTED)}

static const struct json_dispatch_field address_fields[] = {
        ADDRESS_FIELD("public_ipv4", CONNECT_PUBLIC_IPV4, "an IPv4 address"),
        ADDRESS_FIELD("private_ipv4", CONNECT_PRIVATE_IPV4, "an IPv4 address"),
        ADDRESS_FIELD("ipv6", CONNECT_IPV6, "an IPv6 address"),
        {"port", json_dispatch_integer, offsetof(struct connect_answer, port), .min = 1, .max = PORT_MAX,
         .expected = "a port from 1 to 65535"},
        {.name = NULL},
};

static enum refusal take_addresses(const struct json_dispatch_field *field, json_t *value, void *member,
                                   struct refused *ret_why) {
        struct taken *taken = member;

        if (!json_is_object(value))
                return json_dispatch_refuse(field, ret_why);
        return json_dispatch(value, address_fields, JSON_DISPATCH_NULL_IS_ABSENT, taken->answer, ret_why)
                       ? ret_why->why
                       : REFUSAL_NONE;
}

/* "exc-vm-ID TYPE BASE64" for this VM's id; ssh_key_from_text() takes no options, markers and comments. */
static bool take_host_key(json_t *value, const char *vm_id, struct ssh_key *ret) {
        char name[sizeof(CONNECT_HOST_ALIAS) + VM_ID_MAX];
        const char *line = json_string_value(value);
        int n = snprintf(name, sizeof(name), CONNECT_HOST_ALIAS "%s ", vm_id);

        return line && strncmp(line, name, (size_t)n) == 0 &&
               ssh_key_from_text(line + n, strlen(line + n), ret) == SSH_KEY_OK;
}

/* `vm_id` is in an earlier row. */
static enum refusal take_host_keys(const struct json_dispatch_field *field, json_t *value, void *member,
                                   struct refused *ret_why) {
        struct connect_answer *answer = ((struct taken *)member)->answer;
        json_t *line;
        size_t i;

        if (!json_is_array(value) || json_array_size(value) > CONNECT_HOST_KEYS_MAX)
                return json_dispatch_refuse(field, ret_why);
        json_array_foreach(value, i, line)
                if (!take_host_key(line, answer->vm_id, &answer->host_keys[i]))
                        return json_dispatch_refuse(field, ret_why);
        answer->n_host_keys = json_array_size(value);
        return REFUSAL_NONE;
}

/* --- all --------------------------------------------------------------------------------------------------------- */

static const struct json_dispatch_field plain_fields[] = {
        {"vm_id", take_visible, offsetof(struct connect_answer, vm_id), .min = 1, .max = VM_ID_MAX - 1,
         .required = true, .expected = "the id of the VM"},
        {"user", take_user, offsetof(struct connect_answer, user), .min = 1, .max = CONNECT_USER_MAX - 1,
         .required = true, .expected = "a user name that does not begin with '-' and has no control characters"},
        {"connections", json_dispatch_integer, offsetof(struct connect_answer, connections),
         .max = CONNECT_CONNECTIONS_MAX, .required = true, .expected = "a number from 0 to 100"},
        {"host_keys_changed", json_dispatch_boolean, offsetof(struct connect_answer, host_keys_changed),
         .required = true, .expected = "true or false"},
        {"tunnel", json_dispatch_boolean, offsetof(struct connect_answer, tunnel), .expected = "true or false"},
        {"request_id", take_visible, offsetof(struct connect_answer, request_id), .max = CONNECT_REQUEST_ID_MAX - 1,
         .expected = "at most 128 printable characters"},
        {.name = NULL},
};

static const struct json_dispatch_field taken_fields[] = {
        {"public_key", take_key, 0, .required = true, .expected = "a public key, \"type base64\""},
        {"fingerprint", json_dispatch_text_ref, offsetof(struct taken, fingerprint), .max = FINGERPRINT_MAX - 1,
         .required = true, .expected = "a SHA256 fingerprint"},
        {"private_key", json_dispatch_text_ref, offsetof(struct taken, private_key), .min = 1, .max = KEY_PAIR_TEXT_MAX,
         .expected = "one private key in OpenSSH's form"},
        {"expires_at", take_time, 0, .required = true, .expected = "a time such as 2026-01-31T12:00:00Z"},
        {"known_hosts", take_host_keys, 0, .required = true,
         .expected = "at most 16 lines \"exc-vm-ID TYPE BASE64\" for this VM"},
        {"addresses", take_addresses, 0, .expected = "an object of IP addresses"},
        {.name = NULL},
};

static bool same_key(const struct ssh_key *a, const struct ssh_key *b) {
        return a->blob_length == b->blob_length && memcmp(a->blob, b->blob, a->blob_length) == 0;
}

/* The key that was sent, and no private half; or a new pair that belongs together. */
static enum refusal check_key(struct taken *taken, const struct connect_asked *asked, struct refused *ret_why) {
        struct connect_answer *answer = taken->answer;

        if (asked->key && !same_key(asked->key, &answer->key))
                return refuse_field(ret_why, "public_key", "public_key: expected the key that was sent");
        if (asked->key && taken->private_key)
                return refuse_field(ret_why, "private_key", "private_key: expected none, since a public key was sent");
        if (!asked->key &&
            (!taken->private_key || key_pair_read(taken->private_key, strlen(taken->private_key), &answer->pair) < 0))
                return refuse_field(ret_why, "private_key",
                                    "private_key: expected one unencrypted Ed25519 key in OpenSSH's form");
        if (!asked->key && !same_key(&answer->pair.public_half, &answer->key))
                return refuse_field(ret_why, "public_key", "public_key: expected that of the private key");
        if (fingerprint_of(&answer->key, answer->fingerprint) < 0 ||
            strcmp(answer->fingerprint, taken->fingerprint) != 0)
                return refuse_field(ret_why, "fingerprint", "fingerprint: expected that of the public key");
        return REFUSAL_NONE;
}

const char *connect_address_name(enum connect_address which) {
        return address_fields[which].name;
}

bool connect_answer_take(json_t *object, const struct connect_asked *asked, struct connect_answer *ret,
                         struct refused *ret_why) {
        struct taken taken = {.answer = ret};

        *ret = (struct connect_answer){.port = CONNECT_PORT};
        if (!json_is_object(object)) {
                (void)refuse(ret_why, REFUSAL_INVALID_PAYLOAD, "expected an object");
                return false;
        }
        if (json_dispatch(object, plain_fields, JSON_DISPATCH_NULL_IS_ABSENT, ret, ret_why))
                return false;
        if (strcmp(ret->vm_id, asked->vm_id) != 0 || !vm_id_valid(ret->vm_id)) {
                (void)refuse_field(ret_why, "vm_id", "vm_id: expected that of the VM that was asked for");
                return false;
        }
        return !json_dispatch(object, taken_fields, JSON_DISPATCH_NULL_IS_ABSENT, &taken, ret_why) &&
               check_key(&taken, asked, ret_why) == REFUSAL_NONE;
}

void connect_answer_wipe(struct connect_answer *answer) {
        key_pair_wipe(&answer->pair);
        OPENSSL_cleanse(answer, sizeof(*answer));
}
