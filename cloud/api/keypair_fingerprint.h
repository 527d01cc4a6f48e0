/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second fingerprint of a key pair, as EC2 clients compare it (ec2:DescribeKeyPairs): of an RSA key that the server
 * made SHA-1 of the private key in PKCS#8, of one that was imported MD5 of the public key in SubjectPublicKeyInfo, both as
 * pairs of hexadecimal digits; of every other key the base64 of SHA-256 over its SSH form.
 */
#ifndef EXC_API_KEYPAIR_FINGERPRINT_H
#define EXC_API_KEYPAIR_FINGERPRINT_H

#include <openssl/evp.h>

#include "cloud/store/store.h"
#include "common/ssh_key.h"

/* `private_half`: NULL for a key that was imported. -EIO where OpenSSL has not what it takes, as MD5 in FIPS mode. */
int keypair_fingerprint_ec2(const struct ssh_key *key, EVP_PKEY *private_half, char ret[static STORE_FINGERPRINT_MAX]);

#endif
