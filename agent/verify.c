/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/verify.h"

#include <openssl/err.h>

/*
 * Ed25519 has no digest of its own to choose (RFC 8032); ECDSA P-256 goes with SHA-256, its signature in DER. OpenSSL takes DER
 * only as it would write it itself (ECDSA_verify(3)): no padding, nothing after it.
 */
static bool signed_by(const struct envelope *envelope, const struct signature *signature, EVP_PKEY *key) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        const char *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : "SHA256";
        bool ok;

        ok = context && EVP_DigestVerifyInit_ex(context, NULL, digest, NULL, NULL, key, NULL) == 1 &&
             EVP_DigestVerify(context, signature->bytes, signature->length, envelope->pae, envelope->pae_length) == 1;
        EVP_MD_CTX_free(context);
        ERR_clear_error();
        return ok;
}

enum refusal verify_possible(const struct anchors *anchors, struct refused *ret_why) {
        if (anchors->n > 0)
                return REFUSAL_NONE;
        return refuse(ret_why, REFUSAL_UNTRUSTED, "This guest has no trusted key, so no signature can be accepted.");
}

enum refusal verify_envelope(const struct envelope *envelope, const struct anchors *anchors, bool unsigned_ok,
                             struct refused *ret_why) {
        enum refusal why;

        if (envelope->n_signatures == 0 && unsigned_ok)
                return REFUSAL_NONE;
        if (envelope->n_signatures == 0)
                return refuse(ret_why, REFUSAL_UNTRUSTED, "There is no signature, and this channel needs one.");
        why = verify_possible(anchors, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        for (size_t i = 0; i < envelope->n_signatures; i++)
                for (size_t j = 0; j < anchors->n && envelope->signatures[i].length > 0; j++)
                        if (signed_by(envelope, &envelope->signatures[i], anchors->anchor[j].key))
                                return REFUSAL_NONE;
        return refuse(ret_why, REFUSAL_BAD_SIGNATURE, "No signature is that of a trusted key, over these very bytes.");
}
