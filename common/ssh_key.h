/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SSH public keys: parsed, checked, and encoded again.
 *
 * 1. A key is text, "type base64", or the blob alone, without options or comment. Only the forms that sshd itself
 *    writes are accepted, so that equal keys have equal blobs.
 * 2. The blob is parsed to the last byte (RFC 4253 section 6.6 for RSA, RFC 5656 section 3.1 for ECDSA, RFC 8709
 *    section 4 for Ed25519, OpenSSH's PROTOCOL.u2f for the sk- types).
 * 3. The result is the encoding of the parsed parts, never the input bytes.
 *
 * Whether a point is on its curve is not checked here: that needs OpenSSL, which the helper does not link.
 */
#ifndef EXC_SSH_KEY_H
#define EXC_SSH_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base64.h"
#include "common/bytes.h"

enum {
        SSH_KEY_RSA_BITS_MIN = 2048,
        SSH_KEY_RSA_BITS_MAX = 8192,
        SSH_KEY_APPLICATION_MAX = 256, /* bytes of an sk- key's application */
        SSH_KEY_BLOB_MAX = 1088,       /* an RSA key of 8192 bits takes 1049 with a 32-bit exponent */
        SSH_KEY_TYPE_MAX = 40,         /* characters of a type's name, with the NUL */
        SSH_KEY_TEXT_MAX = SSH_KEY_TYPE_MAX + 1 + (SSH_KEY_BLOB_MAX + 2) / 3 * 4, /* with the NUL */
};

enum ssh_key_type {
        SSH_KEY_ED25519,
        SSH_KEY_ECDSA_P256,
        SSH_KEY_ECDSA_P384,
        SSH_KEY_ECDSA_P521,
        SSH_KEY_RSA,
        SSH_KEY_SK_ED25519,
        SSH_KEY_SK_ECDSA_P256,
};

struct ssh_key {
        enum ssh_key_type type;
        size_t blob_length;
        uint8_t blob[SSH_KEY_BLOB_MAX];
        size_t point_length; /* ECDSA only, else 0: the uncompressed point inside `blob` */
        size_t point_offset;
};

/* Why a key is refused. */
enum ssh_key_fault {
        SSH_KEY_OK,
        SSH_KEY_FAULT_EMPTY,   /* no text */
        SSH_KEY_FAULT_CONTROL, /* NUL or another control character, or a byte outside ASCII */
        SSH_KEY_FAULT_FORM,    /* not "type base64" */
        SSH_KEY_FAULT_OPTIONS, /* text before the type */
        SSH_KEY_FAULT_COMMENT, /* text after the base64 */
        SSH_KEY_FAULT_CERTIFICATE,
        SSH_KEY_FAULT_DSS,
        SSH_KEY_FAULT_TYPE,   /* an unknown type */
        SSH_KEY_FAULT_BASE64, /* not canonical base64 */
        SSH_KEY_FAULT_SIZE,   /* longer than any accepted key */
        SSH_KEY_FAULT_TRUNCATED,
        SSH_KEY_FAULT_TRAILING,      /* bytes after the last part */
        SSH_KEY_FAULT_TYPE_MISMATCH, /* the blob has another type than the text */
        SSH_KEY_FAULT_CURVE_MISMATCH,
        SSH_KEY_FAULT_POINT, /* not an uncompressed point of the curve's size */
        SSH_KEY_FAULT_ED25519_SIZE,
        SSH_KEY_FAULT_ED25519_LOW_ORDER, /* anybody can sign for it */
        SSH_KEY_FAULT_MPINT,             /* not minimal, negative or empty */
        SSH_KEY_FAULT_RSA_EXPONENT,      /* even, below 3 or above 32 bits */
        SSH_KEY_FAULT_RSA_MODULUS,       /* even */
        SSH_KEY_FAULT_RSA_SHORT,
        SSH_KEY_FAULT_RSA_LONG,
        SSH_KEY_FAULT_APPLICATION, /* an sk- key's application: not "ssh:…", too long, or a control character */
        SSH_KEY_FAULT_MAX_,
};

/* `text` need not end in a NUL. `ret` is written only on SSH_KEY_OK. */
enum ssh_key_fault ssh_key_from_text(const char *text, size_t length, struct ssh_key *ret);
enum ssh_key_fault ssh_key_from_blob(const uint8_t *blob, size_t length, struct ssh_key *ret);

/* "ssh-ed25519" and so on. */
const char *ssh_key_type_name(enum ssh_key_type type);

/* "type base64" and a NUL. */
void ssh_key_to_text(const struct ssh_key *key, char ret[static SSH_KEY_TEXT_MAX]);

/* The cause and the next step, for a message; for SSH_KEY_OK "no fault". */
const char *ssh_key_fault_text(enum ssh_key_fault fault);

#endif
