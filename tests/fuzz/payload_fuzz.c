/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a payload: in an envelope that needs no signature, so that all of them reach the parser, and again in one with a
 * bad signature, which must stop every one of them. What is accepted is within its limits.
 */
#include <openssl/evp.h>

#include "agent/request_parse.h"
#include "agent/trust.h"
#include "tests/fuzz/push_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void require_terms(const struct terms *terms) {
        int64_t span_s = terms->exp_s - terms->iat_s;
        size_t n = strlen(terms->jti);

        require(terms->iat_s >= 0 && terms->exp_s <= INT64_C(1) << 40);
        require(span_s >= 1 &&
                span_s <= (terms->has_challenge ? PAYLOAD_WINDOW_CHALLENGE_MAX_S : PAYLOAD_WINDOW_MAX_S));
        require(n >= PAYLOAD_JTI_MIN && n <= PAYLOAD_JTI_MAX);
        for (size_t i = 0; i < n; i++)
                require(terms->jti[i] >= ' ' && terms->jti[i] <= '~');
        require(strlen(terms->aud) < sizeof(terms->aud) && strlen(terms->challenge) < sizeof(terms->challenge));
        require(terms->has_challenge || terms->challenge[0] == '\0');
}

static void require_invalid(enum refusal r, const struct refused *why) {
        require(r == REFUSAL_INVALID_PAYLOAD && why->why == r && strlen(why->message) > 0);
}

static void as_push(const uint8_t *payload, size_t length) {
        struct refused why = {.why = REFUSAL_NONE};
        static struct push push;
        struct terms terms;
        enum refusal r;

        r = request_parse_push(payload, length, &terms, &push, &why);
        if (r != REFUSAL_NONE) {
                require_invalid(r, &why);
                return;
        }
        require_terms(&terms);
        require_push(&push);
        /* The payload does not choose its identity. */
        require(push.id[0] == '\0');
}

static void as_revocation(const uint8_t *payload, size_t length) {
        char text[STORE_FINGERPRINT_NAME_MAX + 7], name[STORE_FINGERPRINT_NAME_MAX];
        struct refused why = {.why = REFUSAL_NONE};
        struct revocation revocation;
        struct terms terms;
        enum refusal r;

        r = request_parse_revocation(payload, length, &terms, &revocation, &why);
        if (r != REFUSAL_NONE) {
                require_invalid(r, &why);
                return;
        }
        require_terms(&terms);
        require((revocation.fingerprint[0] != '\0') + (revocation.user[0] != '\0') + revocation.all == 1);
        if (revocation.fingerprint[0] == '\0')
                return;
        store_fingerprint_text(revocation.fingerprint, text);
        require(store_fingerprint_name(text, name) && strcmp(name, revocation.fingerprint) == 0);
}

/* A signature of 64 bytes of the payload. */
static void require_stopped(struct envelope *envelope) {
        static struct trust_anchors anchors;
        struct refused why = {.why = REFUSAL_NONE};
        uint8_t secret[32], signature[64] = {0};
        size_t length = envelope->pae_length - envelope->payload_offset;
        unsigned n;

        if (anchors.n == 0) {
                memset(secret, 7, sizeof(secret));
                anchors.anchor[0].key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
                require(anchors.anchor[0].key);
                anchors.n = 1;
        }
        memcpy(signature, envelope->pae + envelope->payload_offset,
               length < sizeof(signature) ? length : sizeof(signature));
        require(envelope_add_signature(envelope, signature, sizeof(signature)) == 0);
        require(trust_verify(envelope, &anchors, false, &n, &why) == REFUSAL_BAD_SIGNATURE);
        require(trust_verify(envelope, &anchors, true, &n, &why) == REFUSAL_BAD_SIGNATURE);
}

static void in_envelope(const char *type, const uint8_t *input, size_t size,
                        void (*take)(const uint8_t *payload, size_t length)) {
        static const struct trust_anchors none;
        static struct envelope envelope;
        struct refused why;
        unsigned n;

        if (envelope_make(type, (const char *)input, size, &envelope) < 0)
                return;
        require(trust_verify(&envelope, &none, true, &n, &why) == REFUSAL_NONE);
        require(trust_verify(&envelope, &none, false, &n, &why) == REFUSAL_UNTRUSTED);
        take(envelope.pae + envelope.payload_offset, envelope.pae_length - envelope.payload_offset);
        require_stopped(&envelope);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
        in_envelope(PUSH_PAYLOAD_TYPE, input, size, as_push);
        in_envelope(REVOKE_PAYLOAD_TYPE, input, size, as_revocation);
        return 0;
}
