/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/trust.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>

#include "tests/unit/signing.h"

static struct trust_anchors anchors;
static struct envelope envelope;
static unsigned n_verified; /* by the last verify_as() */
static EVP_PKEY *ed25519, *other_ed25519, *p256, *other_p256;

static int setup_keys(void **state) {
        (void)state;
        ed25519 = signing_ed25519(1);
        other_ed25519 = signing_ed25519(2);
        p256 = signing_ec("P-256");
        other_p256 = signing_ec("P-256");
        return 0;
}

static int drop_keys(void **state) {
        (void)state;
        EVP_PKEY_free(ed25519);
        EVP_PKEY_free(other_ed25519);
        EVP_PKEY_free(p256);
        EVP_PKEY_free(other_p256);
        return 0;
}

static int setup(void **state) {
        (void)state;
        anchors = (struct trust_anchors){.n = 0};
        signing_make(PUSH_PAYLOAD_TYPE, "{\"user\":\"alice\"}", &envelope);
        return 0;
}

static void trust(EVP_PKEY *key) {
        anchors.anchor[anchors.n++] = (struct trust_anchor){.key = key};
}

static enum refusal verify_as(bool unsigned_ok) {
        struct refused refused = {.why = REFUSAL_NONE};
        enum refusal r = trust_verify(&envelope, &anchors, unsigned_ok, &n_verified, &refused);

        assert_int_equal(refused.why, r);
        assert_int_equal(ERR_peek_error(), 0);
        assert_in_range(n_verified, 0, TRUST_VERIFICATIONS_MAX);
        return r;
}

/* What is refused where a signature is needed is refused as well where none is needed, but for the empty list. */
static enum refusal verify(void) {
        enum refusal r = verify_as(false);

        if (envelope.n_signatures > 0)
                assert_int_equal(verify_as(true), r);
        return r;
}

static void ed25519_signature_verifies(void **state) {
        (void)state;
        trust(ed25519);
        signing_add(&envelope, ed25519);
        assert_int_equal(verify(), REFUSAL_NONE);
}

static void p256_signature_verifies(void **state) {
        (void)state;
        trust(p256);
        signing_add(&envelope, p256);
        assert_int_equal(verify(), REFUSAL_NONE);
}

static void signature_of_unknown_key_is_bad(void **state) {
        (void)state;
        trust(ed25519);
        trust(p256);
        signing_add(&envelope, other_ed25519);
        signing_add(&envelope, other_p256);
        assert_int_equal(verify(), REFUSAL_BAD_SIGNATURE);
}

static void one_valid_signature_of_eight_is_enough(void **state) {
        (void)state;
        trust(other_p256);
        trust(ed25519);
        for (int i = 0; i < 7; i++)
                signing_add(&envelope, i % 2 ? other_ed25519 : p256);
        assert_int_equal(verify(), REFUSAL_BAD_SIGNATURE);
        signing_add(&envelope, ed25519);
        assert_int_equal(verify(), REFUSAL_NONE);
}

static void any_anchor_may_sign(void **state) {
        (void)state;
        trust(ed25519);
        trust(p256);
        trust(other_ed25519);
        trust(other_p256);
        for (size_t i = 0; i < anchors.n; i++) {
                envelope.n_signatures = 0;
                signing_add(&envelope, anchors.anchor[i].key);
                assert_int_equal(verify(), REFUSAL_NONE);
        }
}

static void no_anchor_means_untrusted(void **state) {
        (void)state;
        signing_add(&envelope, ed25519);
        assert_int_equal(verify(), REFUSAL_UNTRUSTED);
}

static void no_signature_is_untrusted(void **state) {
        (void)state;
        assert_int_equal(verify(), REFUSAL_UNTRUSTED);
        trust(ed25519);
        assert_int_equal(verify(), REFUSAL_UNTRUSTED);
}

static void optional_signature_may_be_missing(void **state) {
        (void)state;
        assert_int_equal(verify_as(true), REFUSAL_NONE);
        trust(ed25519);
        assert_int_equal(verify_as(true), REFUSAL_NONE);
}

static void optional_signature_must_be_valid(void **state) {
        (void)state;
        trust(ed25519);
        signing_add(&envelope, other_ed25519);
        assert_int_equal(verify_as(true), REFUSAL_BAD_SIGNATURE);
        envelope.signatures[0].length = 0;
        assert_int_equal(verify_as(true), REFUSAL_BAD_SIGNATURE);
}

static void every_signed_bit_counts(void **state) {
        (void)state;
        trust(ed25519);
        trust(p256);
        for (int kind = 0; kind < 2; kind++) {
                envelope.n_signatures = 0;
                signing_add(&envelope, kind ? p256 : ed25519);
                for (size_t i = 0; i < envelope.pae_length; i++) {
                        envelope.pae[i] ^= (uint8_t)(1 << i % 8);
                        assert_int_equal(verify_as(false), REFUSAL_BAD_SIGNATURE);
                        envelope.pae[i] ^= (uint8_t)(1 << i % 8);
                }
                envelope.pae_length--;
                assert_int_equal(verify(), REFUSAL_BAD_SIGNATURE);
                envelope.pae_length++;
                assert_int_equal(verify(), REFUSAL_NONE);
        }
}

static void every_signature_bit_counts(void **state) {
        (void)state;
        trust(ed25519);
        trust(p256);
        for (int kind = 0; kind < 2; kind++) {
                struct signature *signature = &envelope.signatures[0];

                envelope.n_signatures = 0;
                signing_add(&envelope, kind ? p256 : ed25519);
                for (size_t bit = 0; bit < signature->length * 8; bit++) {
                        signature->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
                        assert_int_equal(verify_as(false), REFUSAL_BAD_SIGNATURE);
                        signature->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
                }
                signature->length--;
                assert_int_equal(verify(), REFUSAL_BAD_SIGNATURE);
                signature->length += 2;
                signature->bytes[signature->length - 1] = 0;
                assert_int_equal(verify(), REFUSAL_BAD_SIGNATURE);
        }
}

static void payload_type_is_signed(void **state) {
        struct envelope revocation;

        (void)state;
        trust(ed25519);
        signing_make(REVOKE_PAYLOAD_TYPE, "{\"user\":\"alice\"}", &revocation);
        signing_add(&revocation, ed25519);
        envelope.signatures[0] = revocation.signatures[0];
        envelope.n_signatures = 1;
        assert_int_equal(verify(), REFUSAL_BAD_SIGNATURE);
}

static void signature_over_payload_alone_is_bad(void **state) {
        uint8_t raw[ENVELOPE_SIGNATURE_MAX];
        size_t n;

        (void)state;
        trust(ed25519);
        n = signing_sign(ed25519, NULL, envelope.pae + envelope.payload_offset,
                         envelope.pae_length - envelope.payload_offset, raw);
        assert_int_equal(envelope_add_signature(&envelope, raw, n), 0);
        assert_int_equal(verify(), REFUSAL_BAD_SIGNATURE);
}

static void p256_signature_over_other_digest_is_bad(void **state) {
        static const char *const digests[] = {"SHA384", "SHA512", "SHA1", "SHA3-256"};

        (void)state;
        trust(p256);
        for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
                uint8_t raw[ENVELOPE_SIGNATURE_MAX];
                size_t n = signing_sign(p256, digests[i], envelope.pae, envelope.pae_length, raw);

                assert_int_equal(envelope_add_signature(&envelope, raw, n), 0);
        }
        assert_int_equal(verify(), REFUSAL_BAD_SIGNATURE);
}

static void raw_p256_signature_is_bad(void **state) {
        uint8_t raw[64];
        const uint8_t *der;
        ECDSA_SIG *parts;

        (void)state;
        trust(p256);
        signing_add(&envelope, p256);
        der = envelope.signatures[0].bytes;
        parts = d2i_ECDSA_SIG(NULL, &der, (long)envelope.signatures[0].length);
        assert_non_null(parts);
        assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(parts), raw, 32), 32);
        assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(parts), raw + 32, 32), 32);
        ECDSA_SIG_free(parts);
        envelope.n_signatures = 0;
        assert_int_equal(envelope_add_signature(&envelope, raw, sizeof(raw)), 0);
        assert_int_equal(verify(), REFUSAL_BAD_SIGNATURE);
}

static void signature_of_zeros_is_bad(void **state) {
        static const uint8_t zeros[ENVELOPE_SIGNATURE_MAX];
        static const uint8_t der_zeros[] = {0x30, 6, 2, 1, 0, 2, 1, 0};
        static const uint8_t der_ones[] = {0x30, 6, 2, 1, 1, 2, 1, 1};

        (void)state;
        trust(ed25519);
        trust(p256);
        assert_int_equal(envelope_add_signature(&envelope, zeros, 64), 0);
        assert_int_equal(envelope_add_signature(&envelope, zeros, 0), 0);
        assert_int_equal(envelope_add_signature(&envelope, zeros, sizeof(zeros)), 0);
        assert_int_equal(envelope_add_signature(&envelope, der_zeros, sizeof(der_zeros)), 0);
        assert_int_equal(envelope_add_signature(&envelope, der_ones, sizeof(der_ones)), 0);
        assert_int_equal(verify(), REFUSAL_BAD_SIGNATURE);
}

static void empty_and_longest_payload_verify(void **state) {
        static char longest[15 * 1024 + 1];

        (void)state;
        trust(ed25519);
        memset(longest, 'x', sizeof(longest) - 1);
        signing_make(PUSH_PAYLOAD_TYPE, "", &envelope);
        signing_add(&envelope, ed25519);
        assert_int_equal(verify(), REFUSAL_NONE);
        signing_make(PUSH_PAYLOAD_TYPE, longest, &envelope);
        signing_add(&envelope, ed25519);
        assert_int_equal(verify(), REFUSAL_NONE);
}

/* --- what it costs ---------------------------------------------------------------------------------------------- */

static EVP_PKEY *many[TRUST_ANCHORS_MAX];

static int setup_many(void **state) {
        (void)setup(state);
        for (size_t i = 0; i < TRUST_ANCHORS_MAX; i++) {
                struct trust_anchor *anchor = &anchors.anchor[i];

                if (!many[i])
                        many[i] = signing_ec("P-256");
                *anchor = (struct trust_anchor){.key = many[i]};
                (void)snprintf(anchor->name, sizeof(anchor->name), "key-%zu.pem", i);
                assert_true(key_id_of(many[i], anchor->id));
        }
        anchors.n = TRUST_ANCHORS_MAX;
        return 0;
}

static int drop_many(void **state) {
        (void)state;
        for (size_t i = 0; i < TRUST_ANCHORS_MAX; i++)
                EVP_PKEY_free(many[i]);
        memset(many, 0, sizeof(many));
        return 0;
}

static void add_named(EVP_PKEY *key, const char *keyid) {
        signing_add(&envelope, key);
        (void)snprintf(envelope.signatures[envelope.n_signatures - 1].keyid, ENVELOPE_KEYID_MAX, "%s", keyid);
}

static void verifications_of_one_envelope_are_bounded(void **state) {
        (void)state;
        for (int i = 0; i < ENVELOPE_SIGNATURES_MAX; i++)
                signing_add(&envelope, other_p256);
        assert_int_equal(verify(), REFUSAL_BAD_SIGNATURE);
        assert_int_equal(n_verified, TRUST_VERIFICATIONS_MAX);
        /* The bound leaves no anchor out for one signature, and no signature for eight anchors. */
        envelope.n_signatures = 0;
        signing_add(&envelope, many[TRUST_ANCHORS_MAX - 1]);
        assert_int_equal(verify(), REFUSAL_NONE);
        assert_int_equal(n_verified, TRUST_ANCHORS_MAX);
        envelope.n_signatures = 0;
        anchors.n = 8;
        for (int i = 0; i < ENVELOPE_SIGNATURES_MAX - 1; i++)
                add_named(other_p256, "key-3");
        signing_add(&envelope, many[7]);
        assert_int_equal(verify(), REFUSAL_NONE);
        assert_int_equal(n_verified, 64);
}

static void keyid_is_tried_first(void **state) {
        (void)state;
        for (int kind = 0; kind < 2; kind++) {
                envelope.n_signatures = 0;
                /* Beside others that nobody trusts. */
                for (int i = 0; i < ENVELOPE_SIGNATURES_MAX - 1; i++)
                        signing_add(&envelope, other_p256);
                add_named(many[40], kind ? "key-40" : anchors.anchor[40].id);
                assert_int_equal(verify(), REFUSAL_NONE);
                assert_int_equal(n_verified, 1);
        }
}

static void keyid_decides_nothing(void **state) {
        static const char *const others[] = {"key-7", "key-63", "key-4", "key-40.pem", "key-", "no such key", ""};

        (void)state;
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
                envelope.n_signatures = 0;
                add_named(many[40], others[i]);
                assert_int_equal(verify(), REFUSAL_NONE);
                assert_in_range(n_verified, 41, 42);
        }
        envelope.n_signatures = 0;
        add_named(other_p256, "key-40");
        assert_int_equal(verify(), REFUSAL_BAD_SIGNATURE);
        assert_int_equal(n_verified, TRUST_ANCHORS_MAX);
}

static void signature_of_another_shape_costs_nothing(void **state) {
        (void)state;
        add_named(ed25519, "key-40");
        assert_int_equal(verify(), REFUSAL_BAD_SIGNATURE);
        assert_int_equal(n_verified, 0);
        anchors.anchor[0].key = other_ed25519;
        assert_int_equal(verify(), REFUSAL_BAD_SIGNATURE);
        assert_int_equal(n_verified, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(ed25519_signature_verifies, setup),
                cmocka_unit_test_setup(p256_signature_verifies, setup),
                cmocka_unit_test_setup(signature_of_unknown_key_is_bad, setup),
                cmocka_unit_test_setup(one_valid_signature_of_eight_is_enough, setup),
                cmocka_unit_test_setup(any_anchor_may_sign, setup),
                cmocka_unit_test_setup(no_anchor_means_untrusted, setup),
                cmocka_unit_test_setup(no_signature_is_untrusted, setup),
                cmocka_unit_test_setup(optional_signature_may_be_missing, setup),
                cmocka_unit_test_setup(optional_signature_must_be_valid, setup),
                cmocka_unit_test_setup(every_signed_bit_counts, setup),
                cmocka_unit_test_setup(every_signature_bit_counts, setup),
                cmocka_unit_test_setup(payload_type_is_signed, setup),
                cmocka_unit_test_setup(signature_over_payload_alone_is_bad, setup),
                cmocka_unit_test_setup(p256_signature_over_other_digest_is_bad, setup),
                cmocka_unit_test_setup(raw_p256_signature_is_bad, setup),
                cmocka_unit_test_setup(signature_of_zeros_is_bad, setup),
                cmocka_unit_test_setup(empty_and_longest_payload_verify, setup),
                cmocka_unit_test_setup(verifications_of_one_envelope_are_bounded, setup_many),
                cmocka_unit_test_setup(keyid_is_tried_first, setup_many),
                cmocka_unit_test_setup(keyid_decides_nothing, setup_many),
                cmocka_unit_test_setup_teardown(signature_of_another_shape_costs_nothing, setup_many, drop_many),
        };

        return cmocka_run_group_tests(tests, setup_keys, drop_keys);
}
