/* SPDX-License-Identifier: Apache-2.0 */
/* exc-instance-connect trust list: which keys are trusted, and which files are not, as the agent reads them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/config/trust_credential.h"
#include "admin/config/trust_name.h"
#include "admin/system_user.h"
#include "agent/config.h"
#include "authkeys-helper/identity.h"
#include "cli/output.h"
#include "cli/table.h"
#include "wire/refusal.h"
#include "wire/terminal.h"

struct listing {
        json_t *keys;     /* objects of name, type, fingerprint and file */
        json_t *excluded; /* objects of file and why */
        bool failed;      /* no memory, or no SHA-256 */
};

static void add(struct listing *listing, json_t *list, json_t *object) {
        if (json_array_append_new(list, object) < 0)
                listing->failed = true;
}

static void note(void *context, const char *path, const char *why) {
        struct listing *listing = context;

        add(listing, listing->excluded, json_pack("{ss ss}", "file", path, "why", why));
}

/* `credential`: the path of the credential. */
static void add_key(struct listing *listing, const struct trust_anchor *anchor, const char *credential) {
        const char *dir = anchor->vendor ? TRUST_VENDOR_DIR : CONFIG_DIR "/" TRUST_DIR_NAME;
        json_t *file = anchor->credential ? json_string(credential) : json_sprintf("%s/%s", dir, anchor->name);
        int n = (int)(strlen(anchor->name) - strlen(TRUST_SUFFIX));
        char fingerprint[KEY_FINGERPRINT_MAX];

        if (!key_fingerprint_of(anchor->key, fingerprint)) {
                listing->failed = true;
                json_decref(file);
                return;
        }
        add(listing, listing->keys,
            json_pack("{ss# ss ss so}", "name", anchor->name, n, "type", trust_key_type(anchor->key), "fingerprint",
                      fingerprint, "file", file));
}

static bool lists(const json_t *objects, const char *path) {
        json_t *object;
        size_t i;

        json_array_foreach(objects, i, object)
                if (strcmp(text_or(object, "file", ""), path) == 0)
                        return true;
        return false;
}

/* Files that were read, add no key, and were not noted. */
static void add_masks(struct listing *listing, const struct conf_files *files) {
        for (size_t i = 0; i < files->paths.n; i++) {
                const char *path = files->paths.item[i];
                struct stat st;

                if (stat(path, &st) < 0 || S_ISDIR(st.st_mode) || lists(listing->keys, path) ||
                    lists(listing->excluded, path))
                        continue;
                note(listing, path, "empty, which masks the vendor's key of that name");
        }
}

static int print(const struct listing *listing) {
        static const char *const headings[] = {"NAME", "TYPE", "FINGERPRINT", "FILE"};
        struct table table = {.headings = headings, .columns = sizeof(headings) / sizeof(headings[0])};
        json_t *object;
        size_t i;

        json_array_foreach(listing->keys, i, object) {
                const char *cells[] = {text_or(object, "name", ""), text_or(object, "type", ""),
                                       text_or(object, "fingerprint", ""), text_or(object, "file", "")};

                if (!table_add(&table, cells)) {
                        complain("out of memory");
                        return EXIT_OWN_FAILURE;
                }
        }
        if (json_array_size(listing->keys) == 0)
                (void)puts("No key is trusted.");
        table_print(&table);
        if (json_array_size(listing->excluded) > 0)
                (void)puts("\nNot trusted:");
        json_array_foreach(listing->excluded, i, object) {
                (void)fputs("  ", stdout);
                terminal_print(stdout, text_or(object, "file", ""));
                (void)fputs(": ", stdout);
                terminal_print(stdout, text_or(object, "why", ""));
                (void)putchar('\n');
        }
        return EXIT_DONE;
}

static int list(const struct cli_line *line, const void *context) {
        struct listing listing = {.keys = json_array(), .excluded = json_array()};
        const struct options *options = context;
        struct trust_anchors anchors = {.n = 0}, given = {.n = 0};
        int status = EXIT_OWN_FAILURE, r;
        const char *credential;

        (void)line;
        /* systemd hands it to the agent, and root alone can read it here. */
        credential = trust_credential_read(&given, geteuid() == 0 ? note : NULL, &listing);
        /* What root alone can read is not trusted. */
        r = geteuid() == 0 ? identity_become(AGENT_USER) : 0;
        if (r < 0)
                complain("cannot become the user " AGENT_USER ": %s; the files are read as root", strerror(-r));
        trust_refresh(&anchors, TRUST_VENDOR_DIR, CONFIG_DIR, NULL, note, &listing);
        for (size_t i = 0; i < anchors.n; i++)
                add_key(&listing, &anchors.anchor[i], credential);
        if (trust_credential_counts(&anchors))
                for (size_t i = 0; i < given.n; i++)
                        add_key(&listing, &given.anchor[i], credential);
        else if (given.n > 0)
                note(&listing, credential,
                     "another key is trusted, or not all files can be read, or TrustCredential=no is set");
        add_masks(&listing, &anchors.files);
        trust_clear(&anchors);
        trust_clear(&given);
        if (listing.failed || !listing.keys || !listing.excluded)
                complain("out of memory, or OpenSSL has no SHA-256");
        else if (options->json)
                status = print_json_new(json_pack("{sO sO}", "keys", listing.keys, "notTrusted", listing.excluded));
        else
                status = print(&listing);
        json_decref(listing.keys);
        json_decref(listing.excluded);
        return status;
}

const struct cli_command trust_list_command = {
        .words = "trust list",
        .summary = "show the keys that are trusted to sign pushes",
        .more = "Shows each key that is trusted, and the files that are not, with the reason. The fingerprint is\n"
                "the SHA-256 of the key's SubjectPublicKeyInfo.\n",
        .tables = {admin_json_options},
        .run = list,
};
