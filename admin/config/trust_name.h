/* SPDX-License-Identifier: Apache-2.0 */
/* Trusted keys for people: their names, what they are, and why a file is none. */
#ifndef EXC_TRUST_NAME_H
#define EXC_TRUST_NAME_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

#include "agent/trust.h"

enum {
        TRUST_NAME_MAX = 64, /* characters */
        TRUST_FILE_NAME_MAX = TRUST_NAME_MAX + sizeof(TRUST_SUFFIX),
};

/*
 * NAME.pem for `text`, which is NAME or NAME.pem. False unless NAME is 1 to TRUST_NAME_MAX letters, digits, '.', '_' and '-',
 * and does not begin with a dot.
 */
bool trust_name_file(const char *text, char ret[static TRUST_FILE_NAME_MAX]);

/* "Ed25519" or "ECDSA P-256". */
const char *trust_key_type(const EVP_PKEY *key);

/*
 * Why the text of a file is no key to trust, with the next step, where its form shows that: a private key, OpenSSH's form,
 * several keys. NULL: nothing is known beyond what trust_key_parse() says. A private key is found also beside a
 * public one.
 */
const char *trust_text_fault(const char *text, size_t length);

#endif
