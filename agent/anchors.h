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
#ifndef EXC_ANCHORS_H
#define EXC_ANCHORS_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/folder.h"

#define ANCHORS_VENDOR_DIR "/usr/share/exc-instance-connect/trust.d"
#define ANCHORS_FOLDER "trust.d" /* below the configuration's folder */

enum {
        ANCHORS_MAX = 64,
        ANCHOR_FILE_MAX = 8 * 1024, /* bytes */
};

struct anchor {
        char name[256]; /* of the file */
        EVP_PKEY *key;
};

struct anchors {
        size_t n;
        struct anchor anchor[ANCHORS_MAX];
        struct stamp stamp; /* what the folders looked like */
};

/* Told of each file that adds nothing though it is meant to. */
typedef void (*anchors_note)(void *context, const char *path, const char *why);

/*
 * Loads both folders, or leaves what is loaded where nothing changed since. Starts from an `anchors` of all zeros.
 * A folder that is missing holds none.
 */
void anchors_refresh(struct anchors *anchors, const char *vendor_dir, const char *config_dir, anchors_note note,
                     void *context);

void anchors_clear(struct anchors *anchors);

#endif
