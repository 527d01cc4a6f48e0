/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/signer/signer_key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/key_id.h"

__attribute__((format(printf, 3, 4))) static int fail(char why[static SIGNER_KEY_WHY_MAX], int error,
                                                      const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(why, SIGNER_KEY_WHY_MAX, format, arguments);
        va_end(arguments);
        return error;
}

/* --- whose file --------------------------------------------------------------------------------------------------- */

static bool trusted_owner(const struct stat *st) {
        return st->st_uid == 0 || st->st_uid == geteuid();
}

static bool trusted_group(const struct stat *st) {
        return st->st_gid == 0 || st->st_gid == getegid();
}

static int check_file(const char *path, const struct stat *st, char why[static SIGNER_KEY_WHY_MAX]) {
        if (!S_ISREG(st->st_mode))
                return fail(why, -EINVAL, "%.200s: not a regular file; give the file with the key", path);
        if (!trusted_owner(st))
                return fail(why, -EPERM, "%.200s: owned by user id %u; run chown exc-signer on it", path, st->st_uid);
        if ((st->st_mode & (S_IRWXO | S_IWGRP)) != 0 || ((st->st_mode & S_IRGRP) != 0 && !trusted_group(st)))
                return fail(why, -EPERM, "%.200s: others than its owner can read or write it; run chmod 0400 on it",
                            path);
        return 0;
}

/* Who can rename in one of the directories can put another key there. */
static int check_directories(const char *path, char why[static SIGNER_KEY_WHY_MAX]) {
        char at[PATH_MAX];
        char *slash;

        (void)snprintf(at, sizeof(at), "%s", path);
        while ((slash = strrchr(at, '/'))) {
                struct stat st;

                slash[slash == at ? 1 : 0] = '\0';
                if (stat(at, &st) < 0)
                        return fail(why, -errno, "%.200s: %s", at, strerror(errno));
                if (!trusted_owner(&st) || ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (st.st_mode & S_ISVTX) == 0))
                        return fail(why, -EPERM,
                                    "%.200s: others can change this directory; run chown root and chmod go-w on it",
                                    at);
                if (slash == at)
                        return 0;
        }
        return 0;
}

static int load_file(const char *path, struct signer *ret, char why[static SIGNER_KEY_WHY_MAX]) {
        char cause[SIGNER_WHY_MAX];
        struct stat st;
        int fd, r;

        r = check_directories(path, why);
        if (r < 0)
                return r;
        fd = open(path, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return fail(why, -errno, "%.200s: cannot open: %s", path,
                            errno == ELOOP ? "it is a symbolic link; give the file itself" : strerror(errno));
        if (fstat(fd, &st) < 0)
                r = fail(why, -errno, "%.200s: cannot stat: %s", path, strerror(errno));
        if (r == 0)
                r = check_file(path, &st, why);
        if (r == 0) {
                r = signer_from_fd(fd, ret, cause);
                if (r < 0)
                        r = fail(why, r, "%.200s: %s", path, cause);
        }
        (void)close(fd);
        return r;
}

static int load_credential(const char *name, struct signer *ret, char why[static SIGNER_KEY_WHY_MAX]) {
        const char *directory = getenv("CREDENTIALS_DIRECTORY");
        char path[PATH_MAX];

        if (!directory || directory[0] != '/')
                return fail(why, -ENOENT,
                            "Key: credential:%.64s: systemd passed no credentials; add LoadCredential= to the unit",
                            name);
        if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
                return fail(why, -ENAMETOOLONG, "Key: credential:%.64s: the path is too long", name);
        return load_file(path, ret, why);
}

/* --- the public half ---------------------------------------------------------------------------------------------- */

static int load_public_key(const char *path, EVP_PKEY **ret, char why[static SIGNER_KEY_WHY_MAX]) {
        FILE *file = fopen(path, "re");

        if (!file)
                return fail(why, -errno, "%.200s: cannot open: %s", path, strerror(errno));
        *ret = PEM_read_PUBKEY(file, NULL, NULL, NULL);
        (void)fclose(file);
        ERR_clear_error();
        return *ret ? 0
                    : fail(why, -EINVAL, "%.200s: it holds no public key in PEM; give that of KeyCommand's key", path);
}

static bool make_pem(EVP_PKEY *key, char ret[static SIGNER_KEY_PEM_MAX]) {
        BIO *bio = BIO_new(BIO_s_mem());
        int n = bio && PEM_write_bio_PUBKEY(bio, key) == 1 ? BIO_read(bio, ret, SIGNER_KEY_PEM_MAX - 1) : -1;

        BIO_free(bio);
        ret[n > 0 ? n : 0] = '\0';
        return n > 0;
}

static int describe(struct signer_key *key, char why[static SIGNER_KEY_WHY_MAX]) {
        EVP_PKEY *public_half = key->public_half ? key->public_half : key->signer.key;

        key->type = "";
        if (!public_half)
                return 0;
        key->type = EVP_PKEY_is_a(public_half, "ED25519") ? "ed25519" : "ecdsa-p256";
        if (!make_pem(public_half, key->pem) ||
            (key->signer.key_id[0] == '\0' && !key_id_of(public_half, key->signer.key_id))) {
                ERR_clear_error();
                return fail(why, -EIO, "Key: OpenSSL cannot write the public half");
        }
        return 0;
}

/* --- the key ------------------------------------------------------------------------------------------------------ */

int signer_key_load(const struct signer_config *config, struct signer_key *ret,
                    char ret_why[static SIGNER_KEY_WHY_MAX]) {
        static const char credential[] = "credential:";
        struct signer_key key = {.type = ""};
        int r = 0;

        if (config->command[0] != '\0') {
                signer_from_command(config->command, &key.signer);
                key.signer.timeout_ms = (int)config->key_timeout_s * 1000;
                if (config->public_key[0] != '\0')
                        r = load_public_key(config->public_key, &key.public_half, ret_why);
        } else if (strncmp(config->key, credential, strlen(credential)) == 0)
                r = load_credential(config->key + strlen(credential), &key.signer, ret_why);
        else
                r = load_file(config->key, &key.signer, ret_why);
        (void)snprintf(key.signer.key_id, sizeof(key.signer.key_id), "%s", config->key_id);
        if (r == 0)
                r = describe(&key, ret_why);
        if (r < 0) {
                signer_key_close(&key);
                return r;
        }
        key.signer.public_half = key.public_half;
        *ret = key; /* transferred */
        return 0;
}

void signer_key_close(struct signer_key *key) {
        signer_close(&key->signer);
        EVP_PKEY_free(key->public_half);
        key->public_half = NULL;
}

int signer_key_sign(const struct signer_key *key, struct envelope *envelope, char ret_why[static SIGNER_WHY_MAX]) {
        return signer_sign(&key->signer, envelope, ret_why);
}
