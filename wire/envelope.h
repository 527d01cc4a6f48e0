/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A DSSE v1 envelope (github.com/secure-systems-lab/dsse) and the bytes that its signatures cover.
 *
 * The payload is kept in its PAE, the signed bytes: "DSSEv1 " len(type) " " type " " len(payload) " " payload. So the
 * bytes that were verified are the bytes that are parsed.
 */
#ifndef EXC_ENVELOPE_H
#define EXC_ENVELOPE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"
#include "wire/refusal.h"

#define PUSH_PAYLOAD_TYPE "application/vnd.excloud.instance-connect.push.v1+json"
#define REVOKE_PAYLOAD_TYPE "application/vnd.excloud.instance-connect.revoke.v1+json"

enum {
        ENVELOPE_SIGNATURES_MAX = 8,
        ENVELOPE_SIGNATURE_MAX = 512, /* bytes; an ECDSA signature has 72, and no accepted key makes longer ones */
        ENVELOPE_KEYID_MAX = 64 + 1,  /* bytes of a keyid, with the NUL */
        ENVELOPE_TYPE_MAX = 256,      /* bytes of a payload type, with the NUL */
        ENVELOPE_PAE_MAX = FRAME_MAX,
};

struct signature {
        size_t length; /* 0: longer than ENVELOPE_SIGNATURE_MAX, so it verifies with no key */
        uint8_t bytes[ENVELOPE_SIGNATURE_MAX];
        char keyid[ENVELOPE_KEYID_MAX]; /* a hint; "": none, or a longer one, which is nobody's here */
};

struct envelope {
        char type[ENVELOPE_TYPE_MAX];
        size_t pae_length;
        uint8_t pae[ENVELOPE_PAE_MAX];
        size_t payload_offset; /* of the payload in `pae`, which it fills to the end */
        size_t n_signatures;
        struct signature signatures[ENVELOPE_SIGNATURES_MAX];
};

/*
 * Parses an envelope from a call's parameter: members, types, base64 (either alphabet) and sizes. It verifies nothing
 * and does not read the payload. Unknown members are ignored, as DSSE demands. REFUSAL_NONE, or InvalidPayload with the
 * member at fault; `ret` is then undefined.
 */
enum refusal envelope_from_json(json_t *object, struct envelope *ret, struct refused *ret_why);

/* Puts `payload` into its PAE, with no signature yet. -E2BIG when it is too long. */
int envelope_make(const char *type, const char *payload, size_t length, struct envelope *ret);

/* Adds a signature without a keyid; -E2BIG when there is no room. */
int envelope_add_signature(struct envelope *envelope, const uint8_t *bytes, size_t length);

/* The JSON of an envelope, for the parameter of Push and Revoke. The caller drops it; NULL without memory. */
json_t *envelope_to_json(const struct envelope *envelope);

#endif
