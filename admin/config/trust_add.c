/* SPDX-License-Identifier: Apache-2.0 */
/* exc-instance-connect trust add: what the agent would not trust is refused before anything is written. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/config/config_file.h"
#include "admin/config/trust_name.h"
#include "agent/config.h"
#include "cli/output.h"
#include "wire/refusal.h"

struct addition {
        const char *from;               /* for people */
        char file[TRUST_FILE_NAME_MAX]; /* NAME.pem */
        EVP_PKEY *key;
        char fingerprint[KEY_FINGERPRINT_MAX];
};

/* At most TRUST_FILE_MAX + 1 bytes. Negative errno. */
static ssize_t read_input(const char *path, char ret[static TRUST_FILE_MAX + 1]) {
        int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC), r = 0;
        size_t n = 0;

        if (fd < 0)
                return -errno;
        while (n < TRUST_FILE_MAX + 1) {
                ssize_t got = read(fd, ret + n, TRUST_FILE_MAX + 1 - n);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        r = -errno;
                if (got <= 0)
                        break;
                n += (size_t)got;
        }
        if (fd != STDIN_FILENO)
                (void)close(fd);
        return r < 0 ? r : (ssize_t)n;
}

static int read_key(const char *path, struct addition *addition) {
        char text[TRUST_FILE_MAX + 1];
        ssize_t n = read_input(path, text);
        const char *why = NULL;

        if (n < 0) {
                complain("%s: cannot read it: %s", addition->from, strerror((int)-n));
                return EXIT_OWN_FAILURE;
        }
        why = n > TRUST_FILE_MAX ? "longer than any public key" : trust_text_fault(text, (size_t)n);
        if (!why)
                addition->key = trust_key_parse(text, (size_t)n, &why);
        OPENSSL_cleanse(text, sizeof(text)); /* it may be a private key */
        if (!addition->key) {
                complain("%s: %s; nothing is changed", addition->from, why);
                return EXIT_OWN_FAILURE;
        }
        if (!key_fingerprint_of(addition->key, addition->fingerprint)) {
                complain("%s: OpenSSL has no SHA-256", addition->from);
                return EXIT_OWN_FAILURE;
        }
        return EXIT_DONE;
}

/* The key alone, without what else the file has. */
static int write_key(const struct config_dir *dir, const struct addition *addition, bool replace) {
        BIO *bio = BIO_new(BIO_s_mem());
        int r = -EIO;
        char *text;
        long n;

        if (bio && PEM_write_bio_PUBKEY(bio, addition->key) == 1) {
                n = BIO_get_mem_data(bio, &text);
                r = config_file_write(dir, addition->file, text, (size_t)n, replace);
        } else
                complain("%s: OpenSSL cannot write it", addition->from);
        BIO_free(bio);
        return r < 0 ? EXIT_OWN_FAILURE : EXIT_DONE;
}

static void print_added(const struct config_dir *dir, const struct addition *addition, const char *what) {
        print_field(what, "%s/%s", dir->path, addition->file);
        print_field("Type", "%s", trust_key_type(addition->key));
        print_field("Fingerprint", "%s", addition->fingerprint);
}

/* What is there under that name. `ret_replace`: an empty file, which masks the vendor's. An exit status; `ret_same`: the key. */
static int look(const struct config_dir *dir, const struct addition *addition, bool *ret_replace, bool *ret_same) {
        EVP_PKEY *key = NULL;
        const char *why;
        bool same;

        if (!config_file_exists(dir, addition->file))
                return EXIT_DONE;
        switch (trust_file_read(dir->fd, addition->file, &key, &why)) {
        case TRUST_FILE_MASK:
                *ret_replace = true;
                return EXIT_DONE;
        case TRUST_FILE_KEY:
                same = EVP_PKEY_eq(key, addition->key) == 1;
                EVP_PKEY_free(key);
                *ret_same = same;
                if (same)
                        return EXIT_DONE;
                complain("%s/%s: it has another key; to replace that, first run: exc-instance-connect trust remove %s",
                         dir->path, addition->file, addition->file);
                return EXIT_OWN_FAILURE;
        default:
                complain("%s/%s: it is there already, and not trusted: %s; first run: exc-instance-connect trust "
                         "remove %s",
                         dir->path, addition->file, why, addition->file);
                return EXIT_OWN_FAILURE;
        }
}

static bool too_many(void) {
        struct trust_anchors anchors = {.n = 0};
        bool full;

        trust_refresh(&anchors, TRUST_VENDOR_DIR, CONFIG_DIR, NULL, NULL, NULL);
        full = anchors.n == TRUST_ANCHORS_MAX;
        trust_clear(&anchors);
        if (full)
                complain("%d keys are trusted, and the agent trusts no more; remove one first: see "
                         "exc-instance-connect trust list",
                         TRUST_ANCHORS_MAX);
        return full;
}

static int add(const struct addition *addition) {
        bool replace = false, same = false;
        struct config_dir dir;
        int status;

        if (config_dir_open(CONFIG_DIR, TRUST_DIR_NAME, true, &dir) < 0)
                return EXIT_OWN_FAILURE;
        status = look(&dir, addition, &replace, &same);
        if (status == EXIT_DONE && !same && too_many())
                status = EXIT_OWN_FAILURE;
        if (status == EXIT_DONE && !same)
                status = write_key(&dir, addition, replace);
        if (status == EXIT_DONE)
                print_added(&dir, addition, same ? "Already trusted" : "Trusted");
        config_dir_close(&dir);
        return status;
}

static int trust_add(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        const char *path = line->arguments[0], *slash = strrchr(path, '/');
        bool is_stdin = strcmp(path, "-") == 0;
        struct addition addition = {.from = is_stdin ? "standard input" : path};
        const char *name = options->name ? options->name : slash ? slash + 1 : path;
        int status;

        if (is_stdin && !options->name)
                return cli_usage(line, "standard input: give the key a name with --name");
        if (!trust_name_file(name, addition.file))
                return cli_usage(line,
                                 "%s: not the name of a key: expected 1 to %d letters, digits, '.', '_' and '-', the "
                                 "first not '.'; give one with --name",
                                 name, TRUST_NAME_MAX);
        status = read_key(path, &addition);
        if (status == EXIT_DONE)
                status = add(&addition);
        EVP_PKEY_free(addition.key);
        return status;
}

static const struct cli_option options[] = {
        {.name = "name",
         .value = "NAME",
         .take = cli_take_text,
         .offset = offsetof(struct options, name),
         .help = "the key's name; default: that of the file without .pem"},
        {.name = NULL},
};

const struct cli_command trust_add_command = {
        .words = "trust add",
        .arguments = "FILE",
        .summary = "trust a public key to sign pushes",
        .more = "FILE is the PEM public half of the key that signs, Ed25519 or ECDSA P-256; - is standard input.\n"
                "It becomes " CONFIG_DIR "/" TRUST_DIR_NAME "/NAME.pem, and counts from the next push.\n",
        .least = 1,
        .most = 1,
        .completes = "files",
        .tables = {options},
        .run = trust_add,
};
