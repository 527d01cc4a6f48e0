/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as an envelope, with one Ed25519 anchor. What is accepted survives a round trip. What verifies has the one signature
 * that the key of the test makes of those bytes: Ed25519 is deterministic (RFC 8032 section 5.1.6).
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "agent/trust.h"
#include "wire/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void require(bool holds) {
        if (!holds)
                abort();
}

/* The key whose secret is 32 bytes of 7: the corpus has an envelope that it signed. */
static EVP_PKEY *anchor_key(void) {
        static EVP_PKEY *key;
        uint8_t secret[32];

        if (!key) {
                memset(secret, 7, sizeof(secret));
                key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
                require(key);
        }
        return key;
}

static void require_own_signature(const struct envelope *envelope) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        uint8_t own[64];
        size_t length = sizeof(own);
        bool found = false;

        require(context && EVP_DigestSignInit_ex(context, NULL, NULL, NULL, NULL, anchor_key(), NULL) == 1);
        require(EVP_DigestSign(context, own, &length, envelope->pae, envelope->pae_length) == 1);
        for (size_t i = 0; i < envelope->n_signatures; i++)
                found = found || (envelope->signatures[i].length == length &&
                                  memcmp(envelope->signatures[i].bytes, own, length) == 0);
        require(found);
        EVP_MD_CTX_free(context);
}

static void require_round_trip(const struct envelope *envelope) {
        json_t *object = envelope_to_json(envelope);
        struct envelope again;
        struct refused why;

        require(object && envelope_from_json(object, &again, &why) == REFUSAL_NONE);
        require(strcmp(again.type, envelope->type) == 0);
        require(again.pae_length == envelope->pae_length && again.payload_offset == envelope->payload_offset);
        require(memcmp(again.pae, envelope->pae, again.pae_length) == 0);
        require(again.n_signatures == envelope->n_signatures);
        for (size_t i = 0; i < again.n_signatures; i++) {
                require(again.signatures[i].length == envelope->signatures[i].length);
                require(memcmp(again.signatures[i].bytes, envelope->signatures[i].bytes, again.signatures[i].length) ==
                        0);
                require(strcmp(again.signatures[i].keyid, envelope->signatures[i].keyid) == 0);
        }
        json_decref(object);
}

static void on_envelope(const struct envelope *envelope) {
        static struct trust_anchors anchors, none;
        struct refused why = {.why = REFUSAL_NONE};
        enum refusal r;
        unsigned n;

        anchors.n = 1;
        anchors.anchor[0].key = anchor_key();
        require(envelope->payload_offset <= envelope->pae_length && envelope->pae_length <= sizeof(envelope->pae));
        require(envelope->n_signatures <= ENVELOPE_SIGNATURES_MAX);
        require_round_trip(envelope);

        r = trust_verify(envelope, &anchors, false, &n, &why);
        require(why.why == r);
        /* With one anchor each signature is tried once at most. */
        require(n <= envelope->n_signatures && (r != REFUSAL_NONE || n > 0));
        if (r == REFUSAL_NONE)
                require_own_signature(envelope);
        else
                require(r == (envelope->n_signatures == 0 ? REFUSAL_UNTRUSTED : REFUSAL_BAD_SIGNATURE));
        require(trust_verify(envelope, &anchors, true, &n, &why) == (envelope->n_signatures == 0 ? REFUSAL_NONE : r));
        require(trust_verify(envelope, &none, false, &n, &why) == REFUSAL_UNTRUSTED);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
        static struct envelope envelope;
        struct refused why = {.why = REFUSAL_NONE};
        json_t *object = json_read((const char *)input, size, 4);
        enum refusal r = envelope_from_json(object, &envelope, &why);

        require(why.why == r);
        if (r == REFUSAL_NONE)
                on_envelope(&envelope);
        else
                require(r == REFUSAL_INVALID_PAYLOAD && strlen(why.message) > 0 && why.field[0] != '\0');
        json_decref(object);
        return 0;
}
