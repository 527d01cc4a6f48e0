/* SPDX-License-Identifier: Apache-2.0 */
/* exc-instance-connect trust remove: afterwards no key of that name is trusted, the vendor's neither. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/config/config_file.h"
#include "admin/config/trust_credential.h"
#include "admin/config/trust_name.h"
#include "agent/config.h"
#include "cli/output.h"
#include "wire/refusal.h"

struct removal {
        char file[NAME_MAX + 1]; /* NAME.pem */
        char vendor[PATH_MAX];   /* the vendor's, which may be missing */
        EVP_PKEY *key;           /* that was trusted; NULL: none */
};

/* Any name that a file can have: one that trust_name_file() refuses may have been put there by hand. */
static bool file_name(const char *name, char ret[static NAME_MAX + 1]) {
        size_t n = strlen(name), n_suffix = strlen(TRUST_SUFFIX);
        bool has_suffix = n > n_suffix && strcmp(name + n - n_suffix, TRUST_SUFFIX) == 0;

        if (n == 0 || name[0] == '.' || strchr(name, '/'))
                return false;
        return snprintf(ret, NAME_MAX + 1, "%s%s", name, has_suffix ? "" : TRUST_SUFFIX) <= NAME_MAX;
}

/* Where no key of a file is left, those that the host passed count. */
static void note_credential(const struct trust_anchors *anchors) {
        struct trust_anchors given = {.n = 0};
        const char *path = trust_credential_read(&given, NULL, NULL);

        if (given.n > 0 && trust_credential_counts(anchors))
                complain(
                        "%s: the keys of this credential are trusted now, as there is no other; to trust none of them, "
                        "set TrustCredential=no in agent.conf",
                        path);
        trust_clear(&given);
}

/* Under other names it is trusted still. */
static void note_same_key(const EVP_PKEY *key) {
        struct trust_anchors anchors = {.n = 0};

        trust_refresh(&anchors, TRUST_VENDOR_DIR, CONFIG_DIR, NULL, NULL, NULL);
        for (size_t i = 0; key && i < anchors.n; i++)
                if (EVP_PKEY_eq(anchors.anchor[i].key, key) == 1)
                        complain("the same key is still trusted as %s; to remove that too, run: exc-instance-connect "
                                 "trust remove %s",
                                 anchors.anchor[i].name, anchors.anchor[i].name);
        note_credential(&anchors);
        trust_clear(&anchors);
}

static int remove_from(const struct config_dir *dir, struct removal *removal, bool vendor) {
        enum trust_file state = TRUST_FILE_UNREADABLE;
        bool there = config_file_exists(dir, removal->file);
        const char *why;
        int r;

        if (there)
                state = trust_file_read(dir->fd, removal->file, &removal->key, &why);
        else
                (void)trust_file_read(AT_FDCWD, removal->vendor, &removal->key, &why);
        if (state == TRUST_FILE_MASK) {
                complain("%s: no key of that name is trusted: %s/%s is empty", removal->file, dir->path, removal->file);
                return EXIT_NO_MATCH;
        }
        r = vendor ? config_file_write(dir, removal->file, "", 0, true) : config_file_remove(dir, removal->file);
        if (r < 0)
                return EXIT_OWN_FAILURE;
        if (vendor)
                print_field("Masked", "%s, by an empty file in %s", removal->vendor, dir->path);
        if (there)
                print_field("Removed", "%s/%s", dir->path, removal->file);
        note_same_key(removal->key);
        (void)puts("Keys that were pushed before stay until they expire; to drop them, run:\n"
                   "exc-instance-connect revoke --all");
        return EXIT_DONE;
}

static int trust_remove(const struct cli_line *line, const void *context) {
        struct removal removal = {.key = NULL};
        struct config_dir dir;
        bool vendor;
        int r, status;

        (void)context;
        if (!file_name(line->arguments[0], removal.file))
                return cli_usage(line, "%s: not the name of a key", line->arguments[0]);
        (void)snprintf(removal.vendor, sizeof(removal.vendor), "%s/%s", TRUST_VENDOR_DIR, removal.file);
        vendor = access(removal.vendor, F_OK) == 0;
        r = config_dir_open(CONFIG_DIR, TRUST_DIR_NAME, vendor, &dir);
        if (r < 0 && r != -ENOENT)
                return EXIT_OWN_FAILURE;
        if (r < 0 || (!vendor && !config_file_exists(&dir, removal.file))) {
                complain("%s: no key of that name is trusted; see: exc-instance-connect trust list", removal.file);
                status = EXIT_NO_MATCH;
        } else
                status = remove_from(&dir, &removal, vendor);
        if (r >= 0)
                config_dir_close(&dir);
        EVP_PKEY_free(removal.key);
        return status;
}

const struct cli_command trust_remove_command = {
        .words = "trust remove",
        .arguments = "NAME",
        .summary = "trust a key no more",
        .more = "Afterwards no key of that name is trusted: the file in " CONFIG_DIR "/" TRUST_DIR_NAME "\n"
                "is removed, and where the vendor has one, an empty file masks that. Keys that were pushed\n"
                "before stay until they expire. The exit status is 4 where no key of that name is there.\n",
        .least = 1,
        .most = 1,
        .run = trust_remove,
};
