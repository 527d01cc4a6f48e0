/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/envelope.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64.h"

/* Writes the PAE up to the payload. False when there is no room for `payload_length` bytes after it. */
static bool begin_pae(struct envelope *envelope, size_t payload_length) {
        int n = snprintf((char *)envelope->pae, sizeof(envelope->pae), "DSSEv1 %zu %s %zu ", strlen(envelope->type),
                         envelope->type, payload_length);

        if (n < 0 || (size_t)n >= sizeof(envelope->pae) || payload_length > sizeof(envelope->pae) - (size_t)n)
                return false;
        envelope->payload_offset = (size_t)n;
        envelope->pae_length = (size_t)n + payload_length;
        return true;
}

int envelope_make(const char *type, const char *payload, size_t length, struct envelope *ret) {
        if (strlen(type) >= sizeof(ret->type))
                return -E2BIG;
        ret->n_signatures = 0;
        memcpy(ret->type, type, strlen(type) + 1);
        if (!begin_pae(ret, length))
                return -E2BIG;
        memcpy(ret->pae + ret->payload_offset, payload, length);
        return 0;
}

int envelope_add_signature(struct envelope *envelope, const uint8_t *bytes, size_t length) {
        struct signature *signature = &envelope->signatures[envelope->n_signatures];

        if (envelope->n_signatures == ENVELOPE_SIGNATURES_MAX || length > sizeof(signature->bytes))
                return -E2BIG;
        memcpy(signature->bytes, bytes, length);
        signature->length = length;
        signature->keyid[0] = '\0';
        envelope->n_signatures++;
        return 0;
}

/* Bytes that canonical base64 of `n` characters decodes to. */
static size_t decoded_length(const char *text, size_t n) {
        size_t padding = n > 1 && text[n - 2] == '=' ? 2 : n > 0 && text[n - 1] == '=' ? 1 : 0;

        return n / 4 * 3 - (n >= 4 ? padding : 0);
}

static enum refusal take_payload(json_t *value, struct envelope *envelope, struct refused *ret_why) {
        const char *text = json_string_value(value);
        size_t n = json_string_length(value), length;

        if (!text || !begin_pae(envelope, decoded_length(text, n)) ||
            !base64_decode_either(text, n, envelope->pae + envelope->payload_offset,
                                  sizeof(envelope->pae) - envelope->payload_offset, &length) ||
            envelope->payload_offset + length != envelope->pae_length)
                return refuse_field(ret_why, "envelope.payload", "The payload is missing, or not canonical base64.");
        return REFUSAL_NONE;
}

/* A longer signature is of an unknown algorithm: it is not an error, and verifies with no key. */
static bool take_signature(json_t *object, struct signature *ret) {
        json_t *sig = json_object_get(object, "sig"), *keyid = json_object_get(object, "keyid");
        const char *text = json_string_value(sig);
        size_t n = json_string_length(sig);

        if (!text || (keyid && !json_is_string(keyid) && !json_is_null(keyid)))
                return false;
        ret->length = 0;
        ret->keyid[0] = '\0';
        if (json_string_length(keyid) < sizeof(ret->keyid) && json_is_string(keyid))
                memcpy(ret->keyid, json_string_value(keyid), json_string_length(keyid) + 1);
        return decoded_length(text, n) > sizeof(ret->bytes) ||
               base64_decode_either(text, n, ret->bytes, sizeof(ret->bytes), &ret->length);
}

static enum refusal take_signatures(json_t *list, struct envelope *envelope, struct refused *ret_why) {
        json_t *value;
        size_t i;

        if (!json_is_array(list) || json_array_size(list) > ENVELOPE_SIGNATURES_MAX)
                return refuse_field(ret_why, "envelope.signatures", "signatures must be a list of at most %d.",
                                    ENVELOPE_SIGNATURES_MAX);
        json_array_foreach(list, i, value)
                if (!json_is_object(value) || !take_signature(value, &envelope->signatures[i]))
                        return refuse_field(ret_why, "envelope.signatures",
                                            "Signature %zu is not an object of sig, in canonical base64, and keyid.",
                                            i);
        envelope->n_signatures = json_array_size(list);
        return REFUSAL_NONE;
}

enum refusal envelope_from_json(json_t *object, struct envelope *ret, struct refused *ret_why) {
        json_t *type = json_object_get(object, "payloadType");
        enum refusal why;

        if (!json_is_object(object))
                return refuse_field(ret_why, "envelope",
                                    "The envelope must be an object of payloadType, payload and signatures.");
        if (!json_is_string(type) || json_string_length(type) >= sizeof(ret->type))
                return refuse_field(ret_why, "envelope.payloadType",
                                    "payloadType is missing, not a string or too long.");
        memcpy(ret->type, json_string_value(type), json_string_length(type) + 1);
        why = take_payload(json_object_get(object, "payload"), ret, ret_why);
        return why != REFUSAL_NONE ? why : take_signatures(json_object_get(object, "signatures"), ret, ret_why);
}

json_t *envelope_to_json(const struct envelope *envelope) {
        size_t length = envelope->pae_length - envelope->payload_offset;
        char *payload = malloc(BASE64_LENGTH(length) + 1);
        json_t *signatures = json_array(), *object;
        bool whole = payload && signatures;

        if (!whole) {
                json_decref(signatures);
                free(payload);
                return NULL;
        }
        base64_encode(envelope->pae + envelope->payload_offset, length, payload);
        for (size_t i = 0; i < envelope->n_signatures; i++) {
                const struct signature *signature = &envelope->signatures[i];
                const char *keyid = signature->keyid[0] != '\0' ? signature->keyid : NULL;
                char text[BASE64_LENGTH(ENVELOPE_SIGNATURE_MAX) + 1];

                base64_encode(signature->bytes, signature->length, text);
                whole = json_array_append_new(signatures, json_pack("{ss ss*}", "sig", text, "keyid", keyid)) == 0 &&
                        whole;
        }
        object = json_pack("{ss ss so}", "payloadType", envelope->type, "payload", payload, "signatures", signatures);
        free(payload);
        if (whole)
                return object;
        json_decref(object);
        return NULL;
}
