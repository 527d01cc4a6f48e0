/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TRUST_SUFFIX ".pem"

struct load {
        struct trust_anchors *anchors;
        trust_note note;
        void *context;
        struct strv above; /* in the administrator's folder, once that is loaded: each masks the vendor's */
};

/* OpenSSL reads the point at infinity as a P-256 key, and under that key anybody can sign. */
static bool is_valid(EVP_PKEY *key) {
        EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
        bool valid = context && EVP_PKEY_public_check(context) == 1;

        EVP_PKEY_CTX_free(context);
        return valid;
}

/* The one key of a PEM file, to its last byte, of a kind that may sign. */
static EVP_PKEY *parse_pem(const char *text, size_t length, const char **ret_why) {
        BIO *bio = BIO_new_mem_buf(text, (int)length);
        EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
        char curve[32] = "", rest;
        bool usable, valid, alone = true;

        while (key && alone && BIO_read(bio, &rest, 1) == 1)
                alone = rest == '\n' || rest == '\r' || rest == ' ' || rest == '\t';
        BIO_free(bio);
        if (!key) {
                ERR_clear_error();
                *ret_why = "it holds no PEM public key (\"-----BEGIN PUBLIC KEY-----\")";
                return NULL;
        }
        usable = EVP_PKEY_is_a(key, "ED25519") ||
                 (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL) == 1 &&
                  (strcmp(curve, "prime256v1") == 0 || strcmp(curve, "P-256") == 0));
        valid = usable && is_valid(key);
        ERR_clear_error();
        if (valid && alone)
                return key;
        *ret_why = !usable ? "its key is neither Ed25519 nor ECDSA P-256"
                   : valid ? "something stands after the key; one key to a file"
                           : "its key is no point that a signature can be checked with";
        EVP_PKEY_free(key);
        return NULL;
}

enum read_result { READ_TEXT, READ_MASK, READ_WRONG };

static enum read_result read_file(int folder_fd, const char *name, char text[static TRUST_FILE_MAX + 1],
                                  size_t *ret_length, const char **ret_why) {
        enum read_result result = READ_WRONG;
        struct stat st;
        ssize_t n;
        int fd;

        fd = openat(folder_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0) {
                *ret_why = strerror(errno);
        } else if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) { /* /dev/null */
                result = READ_MASK;
        } else if (!S_ISREG(st.st_mode)) {
                *ret_why = "it is no file";
        } else if (st.st_uid != 0 || (st.st_mode & 022) != 0) {
                *ret_why = "it must be root's and writable by root alone";
        } else if (st.st_size == 0) {
                result = READ_MASK;
        } else {
                n = read(fd, text, TRUST_FILE_MAX + 1);
                if (n > 0 && n <= TRUST_FILE_MAX) {
                        *ret_length = (size_t)n;
                        result = READ_TEXT;
                } else {
                        *ret_why = n < 0 ? strerror(errno) : "it is longer than any public key";
                }
        }
        if (fd >= 0)
                (void)close(fd);
        return result;
}

static void load_file(struct load *load, int folder_fd, const char *folder, const char *name) {
        char text[TRUST_FILE_MAX + 1], path[PATH_MAX];
        const char *why = NULL;
        EVP_PKEY *key = NULL;
        size_t length;

        if (strv_contains(&load->above, name))
                return;
        switch (read_file(folder_fd, name, text, &length, &why)) {
        case READ_TEXT:
                key = parse_pem(text, length, &why);
                break;
        case READ_MASK:
        case READ_WRONG:
                break;
        }
        if (key && load->anchors->n < TRUST_ANCHORS_MAX) {
                struct trust_anchor *anchor = &load->anchors->anchor[load->anchors->n++];

                (void)snprintf(anchor->name, sizeof(anchor->name), "%s", name);
                anchor->key = key; /* transferred */
                return;
        }
        if (key) {
                EVP_PKEY_free(key);
                why = "there are too many anchors";
        }
        (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
        if (why && load->note)
                load->note(load->context, path, why);
}

/* A folder in which somebody other than root can put files holds no anchors. */
static int open_folder(const char *folder, const struct load *load) {
        struct stat st;
        int fd, r;

        fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
                r = -errno;
                if (r != -ENOENT && load && load->note)
                        load->note(load->context, folder, strerror(-r));
                return r;
        }
        if (fstat(fd, &st) == 0 && st.st_uid == 0 && (st.st_mode & 022) == 0)
                return fd;
        (void)close(fd);
        if (load && load->note)
                load->note(load->context, folder, "the folder must be root's and writable by root alone");
        return -EPERM;
}

/* A folder that is missing holds no names. */
static int load_folder(struct load *load, const char *folder, struct strv *ret) {
        struct strv names = {.n = 0};
        int fd, r;

        fd = open_folder(folder, load);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        r = conf_files_list(fd, TRUST_SUFFIX, &names);
        if (r < 0 && load->note)
                load->note(load->context, folder, strerror(-r));
        for (size_t i = 0; i < names.n; i++)
                load_file(load, fd, folder, names.item[i]);
        (void)close(fd);
        *ret = names;
        return r;
}

static void load_both(struct load *load, const char *vendor_dir, const char *folder) {
        struct strv names = {.n = 0};

        /* While it cannot be told which of the vendor's are masked, none of them is trusted. */
        if (load_folder(load, folder, &load->above) >= 0)
                (void)load_folder(load, vendor_dir, &names);
        strv_clear(&names);
        strv_clear(&load->above);
}

static void stamp_folder(struct stamp *stamp, const char *folder) {
        int fd;

        stamp_add(stamp, AT_FDCWD, folder);
        fd = open_folder(folder, NULL);
        if (fd < 0)
                return;
        stamp_add_listed(stamp, fd, TRUST_SUFFIX);
        (void)close(fd);
}

void trust_clear(struct trust_anchors *anchors) {
        for (size_t i = 0; i < anchors->n; i++)
                EVP_PKEY_free(anchors->anchor[i].key);
        *anchors = (struct trust_anchors){.n = 0};
}

void trust_refresh(struct trust_anchors *anchors, const char *vendor_dir, const char *config_dir, trust_note note,
                   void *context) {
        struct load load = {.anchors = anchors, .note = note, .context = context};
        struct stamp now;
        char folder[PATH_MAX];

        (void)snprintf(folder, sizeof(folder), "%s/" TRUST_DIR_NAME, config_dir);
        stamp_begin(&now);
        stamp_folder(&now, folder);
        stamp_folder(&now, vendor_dir);
        if (stamp_holds(&anchors->stamp, &now))
                return;
        /* Files that were changed just now are loaded at each call for a moment; what is to be said of them is said once. */
        if (anchors->stamp.hash == now.hash)
                load.note = NULL;
        trust_clear(anchors);
        /* Of before the files are read: a change in between then shows as one. */
        anchors->stamp = now;
        load_both(&load, vendor_dir, folder);
}

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

enum refusal trust_possible(const struct trust_anchors *anchors, struct refused *ret_why) {
        if (anchors->n > 0)
                return REFUSAL_NONE;
        return refuse(ret_why, REFUSAL_UNTRUSTED, "This guest has no trusted key, so no signature can be accepted.");
}

enum refusal trust_verify(const struct envelope *envelope, const struct trust_anchors *anchors, bool unsigned_ok,
                          struct refused *ret_why) {
        enum refusal why;

        if (envelope->n_signatures == 0 && unsigned_ok)
                return REFUSAL_NONE;
        if (envelope->n_signatures == 0)
                return refuse(ret_why, REFUSAL_UNTRUSTED, "There is no signature, and this channel needs one.");
        why = trust_possible(anchors, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        for (size_t i = 0; i < envelope->n_signatures; i++)
                for (size_t j = 0; j < anchors->n && envelope->signatures[i].length > 0; j++)
                        if (signed_by(envelope, &envelope->signatures[i], anchors->anchor[j].key))
                                return REFUSAL_NONE;
        return refuse(ret_why, REFUSAL_BAD_SIGNATURE, "No signature is that of a trusted key, over these very bytes.");
}
