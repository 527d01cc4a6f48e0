/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trusted keys (anchors) and the verification of envelopes with them (push.md, "Trusted keys").
 *
 * 1. A file NAME.pem holds one PEM public key, Ed25519 or ECDSA P-256. The vendor's and the administrator's directory
 *    are read; a NAME in the administrator's replaces the vendor's.
 * 2. An empty file, or a link to /dev/null, masks the vendor's NAME. So does a file that is unreadable, malformed, not
 *    owned by root or writable by others: it adds no anchor and is noted. Other files are not affected.
 * 3. While the administrator's directory exists but cannot be read or is writable by others than root, it is unknown
 *    what is masked, so there is no anchor at all.
 * 4. Where neither directory has an anchor, and both can be read, those of a credential count: a bundle of such keys, from the
 *    host or the hypervisor. One that is malformed in any part adds none.
 * 5. Nothing that a peer sends becomes an anchor.
 */
#ifndef EXC_TRUST_H
#define EXC_TRUST_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf_files.h"
#include "wire/envelope.h"
#include "wire/key_id.h"
#include "wire/refusal.h"

#define TRUST_VENDOR_DIR "/usr/share/exc-instance-connect/trust.d"
#define TRUST_DIR_NAME "trust.d" /* in the configuration directory */
#define TRUST_SUFFIX ".pem"
#define TRUST_CREDENTIAL "exc.trust"

enum {
        TRUST_ANCHORS_MAX = 64,
        TRUST_FILE_MAX = 8 * 1024, /* bytes */

        /*
         * Verifications of one envelope: one signature with each of the most anchors, or the most signatures with 8. Beyond
         * that, what verifies has to be named by its keyid.
         */
        TRUST_VERIFICATIONS_MAX = TRUST_ANCHORS_MAX,
};

struct trust_anchor {
        char name[256];      /* of the file, with .pem */
        char id[KEY_ID_MAX]; /* wire/key_id.h; "": it could not be made */
        bool vendor;         /* the file is in the vendor's directory */
        bool credential;     /* it is in the credential, and the name is made up */
        EVP_PKEY *key;
};

/* Starts from all zeros. */
struct trust_anchors {
        size_t n;
        struct trust_anchor anchor[TRUST_ANCHORS_MAX];
        struct conf_files files; /* that they were read from */
        bool with_credential;    /* whether a credential was to be read */
        bool complete;           /* both directories could be read */
};

/*
 * The key of a PEM text that holds no other text behind it. The caller frees it with EVP_PKEY_free(). NULL: such a file is not
 * trusted, and `ret_why` says why, beginning with a lower-case letter.
 */
EVP_PKEY *trust_key_parse(const char *text, size_t length, const char **ret_why);

enum trust_file {
        TRUST_FILE_KEY,        /* `ret_key` is set, and the caller's to free */
        TRUST_FILE_MASK,       /* empty, or a link to /dev/null */
        TRUST_FILE_WRONG,      /* these two set `ret_why` */
        TRUST_FILE_UNREADABLE, /* missing too; it may pass */
};

/* What the file `name` in the directory `dir_fd` adds. Whether others can write the directory is not looked at. */
enum trust_file trust_file_read(int dir_fd, const char *name, EVP_PKEY **ret_key, const char **ret_why);

/* Called for each file that was to add an anchor and does not; `why` begins with a lower-case letter. */
typedef void (*trust_note)(void *context, const char *path, const char *why);

/* The path of this process's credential; NULL where it has no credentials. Valid until the next call. */
const char *trust_credential_path(void);

/*
 * Adds the keys of the bundle at `path` to `anchors`, which have none. A missing one adds none. Its owner is not looked at:
 * systemd makes it for this service alone.
 */
void trust_read_credential(struct trust_anchors *anchors, const char *path, trust_note note, void *context);

/*
 * Reads both directories where a file in them changed since the last call, and the bundle at `credential`, which may be NULL,
 * where they have no anchor. A missing directory holds no anchor. The caller clears `anchors` at the end. `note` may be NULL.
 */
void trust_refresh(struct trust_anchors *anchors, const char *vendor_dir, const char *config_dir,
                   const char *credential, trust_note note, void *context);

void trust_clear(struct trust_anchors *anchors);

/* REFUSAL_NONE, or Untrusted where there is no anchor: no signature can be valid then. */
enum refusal trust_possible(const struct trust_anchors *anchors, struct refused *ret_why);

/*
 * REFUSAL_NONE when one signature verifies with one anchor, over the exact bytes of the PAE and with the anchor's
 * algorithm. Else Untrusted (no anchor, or no signature) or BadSignature. With `unsigned_ok` an empty list of
 * signatures is accepted; one that is not empty is verified.
 *
 * A signature is first tried with the anchor that its keyid names, by file name without .pem or by id, and not at all with
 * one whose algorithm has no signature of that shape. `ret_n`: how many verifications that took, at most
 * TRUST_VERIFICATIONS_MAX.
 */
enum refusal trust_verify(const struct envelope *envelope, const struct trust_anchors *anchors, bool unsigned_ok,
                          unsigned *ret_n, struct refused *ret_why);

#endif
