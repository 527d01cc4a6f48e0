/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signs envelopes with a private key in a PEM file (Ed25519 or ECDSA P-256), or with a command, for keys that cannot be
 * read, as in a key-management service.
 *
 * The command is run by /bin/sh. It gets the envelope's PAE (wire/envelope.h) on standard input, a file that it may
 * also open as /dev/stdin, and writes the signature to standard output, as bytes or in base64 with any white space. ECDSA
 * may be in DER, or r and s in 64 bytes. It
 * runs in a session of its own, without a terminal, with this process's standard error and environment. When its time
 * is up it is killed, with all that is in its process group. The caller has descriptors 0 to 2 open.
 */
#ifndef EXC_SIGNER_H
#define EXC_SIGNER_H

#include <openssl/evp.h>

#include "wire/envelope.h"

enum {
        SIGNER_WHY_MAX = 256,
        SIGNER_TIMEOUT_MS = 30 * 1000,  /* for a command */
        SIGNER_OUTPUT_MAX = 4 * 1024,   /* bytes of what a command writes */
        SIGNER_KEY_FILE_MAX = 16 * 1024 /* bytes */
};

struct signer {
        EVP_PKEY *key;         /* NULL: the command signs */
        const char *command;   /* not ours */
        EVP_PKEY *public_half; /* not ours: of the command's key, where it is known; NULL */
        int timeout_ms;
        char key_id[ENVELOPE_KEYID_MAX]; /* the keyid of its signatures (wire/key_id.h); "": none */
};

/*
 * Reads a private key. 0; or negative errno, and `ret_why` is a phrase that says what is wrong and what to do:
 * -EINVAL for what is no such key, what open(2) and read(2) set, -ENOMEM. `ret` is then untouched.
 */
int signer_from_file(const char *path, struct signer *ret, char ret_why[static SIGNER_WHY_MAX]);

/* The same from a descriptor that is open for reading, and stays the caller's. */
int signer_from_fd(int fd, struct signer *ret, char ret_why[static SIGNER_WHY_MAX]);

/* `command` must outlive the signer. */
void signer_from_command(const char *command, struct signer *ret);

/*
 * Adds a signature to `envelope`. 0; or negative errno, and `ret_why` says what is wrong: -ETIMEDOUT, -EINVAL (the
 * command's output is no signature), -EBADMSG (it does not verify with the public half), -EIO (the command failed, or
 * OpenSSL did), what posix_spawn(3) sets.
 *
 * 64 bytes of a command can be a signature of Ed25519, or r and s of ECDSA P-256, which guests take in DER: without the public
 * half, what can be either is added in both forms, that of Ed25519 first.
 */
int signer_sign(const struct signer *signer, struct envelope *envelope, char ret_why[static SIGNER_WHY_MAX]);

/* Wipes the key. */
void signer_close(struct signer *signer);

#endif
