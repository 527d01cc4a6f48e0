/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/signer/signer_request.h"

#include <string.h>

#include "wire/json_dispatch.h"
#include "wire/terminal.h"
#include "wire/vm_id.h"

/* --- members ------------------------------------------------------------------------------------------------------ */

static enum refusal take_instance(const struct json_dispatch_field *field, json_t *value, void *member,
                                  struct refused *ret_why) {
        if (!json_is_string(value) || !vm_id_valid(json_string_value(value)))
                return json_dispatch_refuse(field, ret_why);
        return json_dispatch_text(field, value, member, ret_why);
}

/* A name that begins with '-' is an option of some program, sooner or later. */
static enum refusal take_user(const struct json_dispatch_field *field, json_t *value, void *member,
                              struct refused *ret_why) {
        const char *text = json_string_value(value);
        size_t characters;

        if (!text || *text == '-' || !terminal_plain(text, &characters))
                return json_dispatch_refuse(field, ret_why);
        return json_dispatch_text(field, value, member, ret_why);
}

static enum refusal take_label(const struct json_dispatch_field *field, json_t *value, void *member,
                               struct refused *ret_why) {
        const char *text = json_string_value(value);
        size_t characters;

        if (!text || !*text || !terminal_plain(text, &characters) || characters > SIGNER_LABEL_CHARACTERS_MAX)
                return json_dispatch_refuse(field, ret_why);
        return json_dispatch_text(field, value, member, ret_why);
}

static enum refusal take_audit_head(const struct json_dispatch_field *field, json_t *value, void *member,
                                    struct refused *ret_why) {
        const char *text = json_string_value(value);

        if (!text || strspn(text, "0123456789abcdef") != strlen(text))
                return json_dispatch_refuse(field, ret_why);
        return json_dispatch_text(field, value, member, ret_why);
}

static enum refusal take_challenge(const struct json_dispatch_field *field, json_t *value, void *member,
                                   struct refused *ret_why) {
        for (const char *c = json_string_value(value); c && *c; c++)
                if (*c <= ' ' || *c > '~')
                        return json_dispatch_refuse(field, ret_why);
        return json_dispatch_text(field, value, member, ret_why);
}

static enum refusal take_keys(const struct json_dispatch_field *field, json_t *value, void *member,
                              struct refused *ret_why) {
        struct signer_request *request = member;
        json_t *text;
        size_t i;

        if (!json_dispatch_is_list(field, value))
                return json_dispatch_refuse(field, ret_why);
        json_array_foreach(value, i, text) {
                enum ssh_key_fault fault;

                if (!json_is_string(text))
                        return json_dispatch_refuse(field, ret_why);
                fault = ssh_key_from_text(json_string_value(text), json_string_length(text), &request->keys[i]);
                if (fault != SSH_KEY_OK)
                        return refuse_field(ret_why, field->name, "%s: key %zu: %s", field->name, i + 1,
                                            ssh_key_fault_text(fault));
                if (fingerprint_of(&request->keys[i], request->fingerprints[i]) < 0)
                        return refuse_field(ret_why, field->name, "%s: key %zu: OpenSSL makes no fingerprint",
                                            field->name, i + 1);
                request->n_keys = i + 1;
        }
        return REFUSAL_NONE;
}

static enum refusal take_sources(const struct json_dispatch_field *field, json_t *value, void *member,
                                 struct refused *ret_why) {
        struct signer_request *request = member;

        return json_dispatch_sources(field, value, request->sources, &request->n_sources, ret_why);
}

/* --- the tables --------------------------------------------------------------------------------------------------- */

#define AT(member) .offset = offsetof(struct signer_request, member)

/* Of both. Those that the log needs come first. */
#define REQUEST_ID                                                                                                     \
        {"requestId",                                                                                                  \
         take_label,                                                                                                   \
         AT(request_id),                                                                                               \
         .min = 1,                                                                                                     \
         .max = SIGNER_LABEL_MAX,                                                                                      \
         .required = true,                                                                                             \
         .expected = "1 to 256 printable characters"}
#define PRINCIPAL                                                                                                      \
        {"principal",                                                                                                  \
         take_label,                                                                                                   \
         AT(principal),                                                                                                \
         .min = 1,                                                                                                     \
         .max = SIGNER_LABEL_MAX,                                                                                      \
         .required = true,                                                                                             \
         .expected = "1 to 256 printable characters"}
#define AUDIT_HEAD                                                                                                     \
        {"auditHead",                                                                                                  \
         take_audit_head,                                                                                              \
         AT(audit_head),                                                                                               \
         .min = LINE_LOG_HASH_MAX - 1,                                                                                 \
         .max = LINE_LOG_HASH_MAX - 1,                                                                                 \
         .required = true,                                                                                             \
         .expected = "SHA-256 in 64 lower-case hexadecimal digits"}
#define INSTANCE                                                                                                       \
        {"instance",                                                                                                   \
         take_instance,                                                                                                \
         AT(instance),                                                                                                 \
         .min = 1,                                                                                                     \
         .max = VM_ID_MAX - 1,                                                                                         \
         .required = true,                                                                                             \
         .expected = "an id of a-z, 0-9, '.', '_' and '-', at most 64, without a prefix"}
#define CHALLENGE                                                                                                      \
        {"challenge",                                                                                                  \
         take_challenge,                                                                                               \
         AT(challenge),                                                                                                \
         .min = 1,                                                                                                     \
         .max = SIGNER_CHALLENGE_MAX,                                                                                  \
         .expected = "the challenge of a guest's Hello"}
#define USER(is_required)                                                                                              \
        {"user",                                                                                                       \
         take_user,                                                                                                    \
         AT(user),                                                                                                     \
         .min = 1,                                                                                                     \
         .max = LOGIN_MAX,                                                                                             \
         .required = (is_required),                                                                                    \
         .expected = "a login name of 1 to 256 bytes that does not begin with '-'"}

static const struct json_dispatch_field push_fields[] = {
        REQUEST_ID,
        PRINCIPAL,
        AUDIT_HEAD,
        INSTANCE,
        USER(true),
        {"publicKeys", take_keys, .offset = 0, .min = 1, .max = PUSH_MADE_KEYS_MAX, .required = true,
         .expected = "1 to 8 public keys"},
        {"ttl", json_dispatch_integer, AT(ttl), .min = 1, .max = INT64_MAX, .expected = "1 or more seconds"},
        {"connections", json_dispatch_integer, AT(connections), .min = 0, .max = PUSH_MADE_CONNECTIONS_MAX,
         .expected = "0 to 100"},
        {"sources", take_sources, .offset = 0, .min = 1, .max = PUSH_MADE_SOURCES_MAX,
         .expected = "1 to 16 addresses or ranges"},
        {"restrict", json_dispatch_boolean, AT(restricted), .expected = "true or false"},
        CHALLENGE,
        {.name = NULL},
};

static const struct json_dispatch_field revoke_fields[] = {
        REQUEST_ID,
        PRINCIPAL,
        AUDIT_HEAD,
        INSTANCE,
        {"fingerprint", json_dispatch_fingerprint, AT(fingerprints), .min = 1, .max = FINGERPRINT_MAX - 1,
         .expected = "SHA256: and 43 characters of base64"},
        USER(false),
        {"all", json_dispatch_boolean, AT(all), .expected = "true or false"},
        CHALLENGE,
        {.name = NULL},
};

bool signer_request_parse(enum signer_kind kind, json_t *parameters, struct signer_request *ret,
                          struct refused *ret_why) {
        const struct json_dispatch_field *fields = kind == SIGNER_PUSH ? push_fields : revoke_fields;
        const char *name;
        json_t *value;

        memset(ret, 0, sizeof(*ret));
        ret->kind = kind;
        ret->connections = -1;
        if (json_dispatch(parameters, fields, JSON_DISPATCH_NULL_IS_ABSENT, ret, ret_why))
                return false;
        /* Last, so that it does not keep out of the log who asks. */
        json_object_foreach(parameters, name, value)
                if (!json_dispatch_known(fields, name)) {
                        (void)refuse_field(ret_why, name, "unknown parameter; check its spelling");
                        return false;
                }
        if (kind == SIGNER_REVOKE && (ret->fingerprints[0][0] != '\0') + (ret->user[0] != '\0') + ret->all != 1) {
                (void)refuse_field(ret_why, "fingerprint", "fingerprint, user, all: expected exactly one of them");
                return false;
        }
        return true;
}
