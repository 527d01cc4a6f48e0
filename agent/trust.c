/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/ed25519.h"

#define UNSAFE "writable by others than root; run chown root and chmod go-w on it"

/* --- one file --------------------------------------------------------------------------------------------------- */

/* OpenSSL accepts the point at infinity as a P-256 key, and anybody can sign for that key. */
static bool is_valid(EVP_PKEY *key) {
        EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
        bool valid = context && EVP_PKEY_public_check(context) == 1;

        EVP_PKEY_CTX_free(context);
        return valid;
}

/* OpenSSL accepts these as well, and again anybody can sign. */
static bool is_low_order(const EVP_PKEY *key) {
        uint8_t raw[ED25519_KEY_SIZE];
        size_t n = sizeof(raw);

        return EVP_PKEY_is_a(key, "ED25519") && EVP_PKEY_get_raw_public_key(key, raw, &n) == 1 && n == sizeof(raw) &&
               ed25519_is_low_order(raw);
}

static bool may_sign(const EVP_PKEY *key) {
        char curve[32];

        if (EVP_PKEY_is_a(key, "ED25519"))
                return true;
        return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL) == 1 &&
               (strcmp(curve, "prime256v1") == 0 || strcmp(curve, "P-256") == 0);
}

EVP_PKEY *trust_key_parse(const char *text, size_t length, const char **ret_why) {
        BIO *bio = BIO_new_mem_buf(text, (int)length);
        EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
        bool alone = true;
        char rest;

        while (key && alone && BIO_read(bio, &rest, 1) == 1)
                alone = rest == '\n' || rest == '\r' || rest == ' ' || rest == '\t';
        BIO_free(bio);
        *ret_why = !key                ? "expected a PEM public key (-----BEGIN PUBLIC KEY-----)"
                   : !may_sign(key)    ? "expected an Ed25519 or ECDSA P-256 key"
                   : !is_valid(key)    ? "invalid public key"
                   : is_low_order(key) ? "a key of low order, for which anybody can sign; make a new key"
                   : !alone            ? "text after the key; write one key per file"
                                       : NULL;
        ERR_clear_error();
        if (!*ret_why)
                return key;
        EVP_PKEY_free(key);
        return NULL;
}

static enum trust_file read_open_file(int fd, char text[static TRUST_FILE_MAX + 1], size_t *ret_length,
                                      const char **ret_why) {
        struct stat st;
        ssize_t n;

        if (fstat(fd, &st) < 0)
                return TRUST_FILE_UNREADABLE;
        if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) /* /dev/null */
                return TRUST_FILE_MASK;
        *ret_why = !S_ISREG(st.st_mode)                        ? "not a regular file"
                   : st.st_uid != 0 || (st.st_mode & 022) != 0 ? UNSAFE
                                                               : NULL;
        if (*ret_why)
                return TRUST_FILE_WRONG;
        if (st.st_size == 0)
                return TRUST_FILE_MASK;
        n = read(fd, text, TRUST_FILE_MAX + 1);
        if (n < 0)
                return TRUST_FILE_UNREADABLE;
        *ret_length = (size_t)n;
        if (n <= TRUST_FILE_MAX)
                return TRUST_FILE_KEY;
        *ret_why = "longer than any public key";
        return TRUST_FILE_WRONG;
}

enum trust_file trust_file_read(int dir_fd, const char *name, EVP_PKEY **ret_key, const char **ret_why) {
        int fd = openat(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        enum trust_file result = TRUST_FILE_UNREADABLE;
        char text[TRUST_FILE_MAX + 1];
        size_t length = 0;
        EVP_PKEY *key;

        if (fd >= 0)
                result = read_open_file(fd, text, &length, ret_why);
        if (result == TRUST_FILE_UNREADABLE)
                *ret_why = strerror(errno);
        if (fd >= 0)
                (void)close(fd);
        if (result != TRUST_FILE_KEY)
                return result;
        key = trust_key_parse(text, length, ret_why);
        if (!key)
                return TRUST_FILE_WRONG;
        *ret_key = key;
        return TRUST_FILE_KEY;
}

/* --- both directories ------------------------------------------------------------------------------------------- */

struct load {
        struct trust_anchors *anchors;
        trust_note note;
        void *context;
        struct strv masked; /* the names in the administrator's directory, once that is loaded */
        bool in_vendor_dir;
};

static void note(const struct load *load, const char *path, const char *why) {
        if (load->note)
                load->note(load->context, path, why);
}

static void load_file(struct load *load, int dir_fd, const char *dir, const char *name) {
        struct trust_anchors *anchors = load->anchors;
        const char *why = NULL;
        EVP_PKEY *key = NULL;
        char path[PATH_MAX];

        if (strv_contains(&load->masked, name))
                return;
        if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path)) {
                note(load, dir, "a path in it is too long");
                return;
        }
        conf_files_add(&anchors->files, path);
        if (trust_file_read(dir_fd, name, &key, &why) == TRUST_FILE_UNREADABLE)
                anchors->files.unsettled = true; /* it may pass */
        if (key && anchors->n < TRUST_ANCHORS_MAX) {
                struct trust_anchor *anchor = &anchors->anchor[anchors->n++];

                *anchor = (struct trust_anchor){.key = key}; /* transferred */
                (void)snprintf(anchor->name, sizeof(anchor->name), "%s", name);
                anchor->vendor = load->in_vendor_dir;
                (void)key_id_of(key, anchor->id);
                return;
        }
        if (key) {
                EVP_PKEY_free(key);
                why = "too many anchors";
        }
        if (why)
                note(load, path, why);
}

/* -ENOENT: it is missing. Other negative errno after a note: also where others than root may put files into it. */
static int open_dir(struct load *load, const char *dir) {
        struct stat st;
        int fd, r;

        conf_files_add(&load->anchors->files, dir);
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
                return -ENOENT;
        r = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;
        if (r < 0) {
                load->anchors->files.unsettled = true;
                note(load, dir, strerror(-r));
        } else if (st.st_uid != 0 || (st.st_mode & 022) != 0) {
                r = -EPERM;
                note(load, dir, UNSAFE);
        } else
                return fd;
        if (fd >= 0)
                (void)close(fd);
        return r;
}

/* A missing directory has no names. */
static int load_dir(struct load *load, const char *dir, struct strv *ret_names) {
        struct strv names = {.n = 0};
        int fd, r;

        fd = open_dir(load, dir);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        r = conf_files_list(fd, TRUST_SUFFIX, &names);
        if (r < 0) {
                load->anchors->files.unsettled = true;
                note(load, dir, strerror(-r));
        }
        for (size_t i = 0; i < names.n; i++)
                load_file(load, fd, dir, names.item[i]);
        (void)close(fd);
        *ret_names = names; /* transferred */
        return r;
}

/* --- the credential --------------------------------------------------------------------------------------------- */

const char *trust_credential_path(void) {
        static char path[PATH_MAX];
        const char *dir = getenv("CREDENTIALS_DIRECTORY");

        return dir && snprintf(path, sizeof(path), "%s/" TRUST_CREDENTIAL, dir) < (int)sizeof(path) ? path : NULL;
}

/* One key of the bundle at a time: what is before its next BEGIN line. NULL, or why none of them counts. */
static const char *parse_bundle(const char *text, struct trust_anchors *anchors) {
        static const char begin[] = "-----BEGIN ";
        const char *why = NULL, *end;
        EVP_PKEY *key;

        text = strstr(text, begin);
        if (!text)
                return "expected PEM public keys (-----BEGIN PUBLIC KEY-----)";
        for (; text; text = end) {
                struct trust_anchor *anchor = &anchors->anchor[anchors->n];

                end = strstr(text + strlen(begin), begin);
                key = trust_key_parse(text, end ? (size_t)(end - text) : strlen(text), &why);
                if (!key)
                        return why;
                if (anchors->n == TRUST_ANCHORS_MAX) {
                        EVP_PKEY_free(key);
                        return "too many anchors";
                }
                *anchor = (struct trust_anchor){.key = key, .credential = true}; /* transferred */
                (void)snprintf(anchor->name, sizeof(anchor->name), TRUST_CREDENTIAL ".%zu" TRUST_SUFFIX, ++anchors->n);
                (void)key_id_of(key, anchor->id);
        }
        return NULL;
}

static void drop_anchors(struct trust_anchors *anchors) {
        for (size_t i = 0; i < anchors->n; i++)
                EVP_PKEY_free(anchors->anchor[i].key);
        anchors->n = 0;
}

void trust_read_credential(struct trust_anchors *anchors, const char *path, trust_note on_note, void *context) {
        char text[TRUST_FILE_MAX + 2];
        const char *why = NULL;
        ssize_t n;
        int fd;

        conf_files_add(&anchors->files, path);
        fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
                return;
        n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (n < 0) {
                why = strerror(errno);
                anchors->files.unsettled = true; /* it may pass */
        } else {
                text[n] = '\0';
                why = n > TRUST_FILE_MAX          ? "too long"
                      : strlen(text) != (size_t)n ? "it has a NUL"
                                                  : parse_bundle(text, anchors);
        }
        if (fd >= 0)
                (void)close(fd);
        if (!why)
                return;
        drop_anchors(anchors);
        if (on_note)
                on_note(context, path, why);
}

/* --- all -------------------------------------------------------------------------------------------------------- */

void trust_clear(struct trust_anchors *anchors) {
        drop_anchors(anchors);
        conf_files_clear(&anchors->files);
        *anchors = (struct trust_anchors){.n = 0};
}

void trust_refresh(struct trust_anchors *anchors, const char *vendor_dir, const char *config_dir,
                   const char *credential, trust_note on_note, void *context) {
        struct load load = {.anchors = anchors, .note = on_note, .context = context};
        struct strv vendor_names = {.n = 0};
        char dir[PATH_MAX];

        if (anchors->with_credential == (credential != NULL) && !conf_files_changed(&anchors->files))
                return;
        /* Files that changed just now are read at each call, and noted once. */
        if (anchors->files.paths.n > 0 && conf_files_look_same(&anchors->files))
                load.note = NULL;
        trust_clear(anchors);
        anchors->with_credential = credential != NULL;
        (void)snprintf(dir, sizeof(dir), "%s/" TRUST_DIR_NAME, config_dir);
        /* Unless it is known what is masked, no anchor of the vendor's is trusted. */
        if (load_dir(&load, dir, &load.masked) >= 0) {
                load.in_vendor_dir = true;
                anchors->complete = load_dir(&load, vendor_dir, &vendor_names) >= 0;
                /* Nor is one of the credential's, unless it is known that there is no other. */
                if (anchors->complete && anchors->n == 0 && credential)
                        trust_read_credential(anchors, credential, load.note, context);
        }
        strv_clear(&vendor_names);
        strv_clear(&load.masked);
}

/* --- verification ----------------------------------------------------------------------------------------------- */

/*
 * Ed25519 takes no digest (RFC 8032 section 5.1); ECDSA P-256 is used with SHA-256, the signature in DER. OpenSSL
 * accepts only the DER that it would write itself (ECDSA_verify(3)), without padding or trailing bytes.
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

/* Ed25519 signatures have 64 bytes (RFC 8032 section 5.1.6); those of ECDSA P-256 are a DER sequence of at most 72. */
static bool has_shape(const struct signature *signature, const EVP_PKEY *key) {
        if (EVP_PKEY_is_a(key, "ED25519"))
                return signature->length == 64;
        return signature->length >= 8 && signature->length <= 72 && signature->bytes[0] == 0x30;
}

static bool is_named(const struct signature *signature, const struct trust_anchor *anchor) {
        size_t n = strlen(signature->keyid);

        return n > 0 &&
               (strcmp(signature->keyid, anchor->id) == 0 ||
                (strncmp(signature->keyid, anchor->name, n) == 0 && strcmp(anchor->name + n, TRUST_SUFFIX) == 0));
}

struct search {
        const struct envelope *envelope;
        const struct trust_anchors *anchors;
        unsigned n; /* verifications so far */
        bool cut;   /* there would have been more */
};

/* The pairs of a signature and an anchor that its keyid names, or all others. */
static bool search_pairs(struct search *search, bool named) {
        const struct envelope *envelope = search->envelope;

        for (size_t i = 0; i < envelope->n_signatures; i++)
                for (size_t j = 0; j < search->anchors->n; j++) {
                        const struct trust_anchor *anchor = &search->anchors->anchor[j];
                        const struct signature *signature = &envelope->signatures[i];

                        if (is_named(signature, anchor) != named || !has_shape(signature, anchor->key))
                                continue;
                        search->cut = search->n == TRUST_VERIFICATIONS_MAX;
                        if (search->cut)
                                return false;
                        search->n++;
                        if (signed_by(envelope, signature, anchor->key))
                                return true;
                }
        return false;
}

enum refusal trust_possible(const struct trust_anchors *anchors, struct refused *ret_why) {
        if (anchors->n > 0)
                return REFUSAL_NONE;
        return refuse(ret_why, REFUSAL_UNTRUSTED, "no trusted key is configured in this guest");
}

enum refusal trust_verify(const struct envelope *envelope, const struct trust_anchors *anchors, bool unsigned_ok,
                          unsigned *ret_n, struct refused *ret_why) {
        struct search search = {.envelope = envelope, .anchors = anchors};
        enum refusal why;
        bool found;

        *ret_n = 0;
        if (envelope->n_signatures == 0 && unsigned_ok)
                return REFUSAL_NONE;
        if (envelope->n_signatures == 0)
                return refuse(ret_why, REFUSAL_UNTRUSTED, "no signature, and this channel requires one");
        why = trust_possible(anchors, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        found = search_pairs(&search, true) || search_pairs(&search, false);
        *ret_n = search.n;
        if (found)
                return REFUSAL_NONE;
        if (search.cut)
                return refuse(
                        ret_why, REFUSAL_BAD_SIGNATURE,
                        "no signature matches a trusted key within %d verifications; send fewer signatures, or name "
                        "the key in keyid",
                        TRUST_VERIFICATIONS_MAX);
        return refuse(ret_why, REFUSAL_BAD_SIGNATURE, "no signature matches a trusted key");
}
