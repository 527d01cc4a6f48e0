/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anchors: the public keys whose signatures are believed (push.md, "Trusted keys").
 *
 * 1. One PEM public key to a file NAME.pem, Ed25519 or ECDSA P-256, in the vendor's folder and in the administrator's. The
 *    same NAME in the administrator's takes the place of the vendor's.
 * 2. An empty file, or a link to /dev/null, masks. A file that is unreadable, malformed, not root's or writable by others adds
 *    nothing, is noted, and still masks. None of them affects another.
 * 3. While the administrator's folder is there but cannot be read, or others than root can write it, it cannot be told what is
 *    masked: there is no anchor then.
 * 4. Nothing that a peer sends becomes an anchor: these two folders are the only way in.
 */
/* Whether an envelope is signed by somebody who is believed. */
#ifndef EXC_TRUST_H
#define EXC_TRUST_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/conf_files.h"
#include "wire/envelope.h"
#include "wire/refusal.h"

#define TRUST_VENDOR_DIR "/usr/share/exc-instance-connect/trust.d"
#define TRUST_DIR_NAME "trust.d" /* below the configuration's folder */

enum {
        TRUST_ANCHORS_MAX = 64,
        TRUST_FILE_MAX = 8 * 1024, /* bytes */
};

struct trust_anchor {
        char name[256]; /* of the file */
        EVP_PKEY *key;
};

struct trust_anchors {
        size_t n;
        struct trust_anchor anchor[TRUST_ANCHORS_MAX];
        struct stamp stamp; /* what the folders looked like */
};

/* Told of each file that adds nothing though it is meant to. */
typedef void (*trust_note)(void *context, const char *path, const char *why);

/*
 * Loads both folders, or leaves what is loaded where nothing changed since. Starts from an `anchors` of all zeros.
 * A folder that is missing holds none.
 */
void trust_refresh(struct trust_anchors *anchors, const char *vendor_dir, const char *config_dir, trust_note note,
                   void *context);

void trust_clear(struct trust_anchors *anchors);

/* Whether any signature could be good: Untrusted when there is no anchor. */
enum refusal trust_possible(const struct trust_anchors *anchors, struct refused *ret_why);

/*
 * REFUSAL_NONE when one signature is that of one anchor, over the exact PAE; the algorithm is the anchor's. Otherwise
 * Untrusted (there is no anchor, or no signature) or BadSignature. `unsigned_ok`: an empty list of signatures will do here; one
 * that is not empty is verified all the same.
 */
enum refusal trust_verify(const struct envelope *envelope, const struct trust_anchors *anchors, bool unsigned_ok,
                          struct refused *ret_why);

#endif
