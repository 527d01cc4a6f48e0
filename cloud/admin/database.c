/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/admin/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/output.h"
#include "cloud/admin/become.h"
#include "cloud/admin/paths.h"
#include "wire/refusal.h"

static int open_store(const char *path, bool create, struct store **ret) {
        char why[STORE_WHY_MAX];

        /* An answer of this program is on disk. */
        if (store_open(path, create, true, ret, why) < 0) {
                complain("%s", why);
                return EXIT_OWN_FAILURE;
        }
        return EXIT_DONE;
}

int database_open(const struct options *options, struct store **ret) {
        const char *path = paths_database(options);
        int status = path ? become(options->user, false) : EXIT_OWN_FAILURE;

        return status == EXIT_DONE ? open_store(path, false, ret) : status;
}

int database_create(const char *path, struct store **ret) {
        return open_store(path, true, ret);
}

int database_status(const struct store *store, enum store_result result, const char *kind, const char *name,
                    const char *conflict, const char *invalid) {
        switch (result) {
        case STORE_OK:
        case STORE_CREATED:
                return EXIT_DONE;
        case STORE_NOT_FOUND:
                complain("%s %s: there is none of that name", kind, name);
                return EXIT_NOT_FOUND;
        case STORE_CONFLICT:
                complain("%s %s: %s", kind, name, conflict ? conflict : "it exists already");
                return EXIT_CONFLICT;
        case STORE_INVALID:
                complain("%s %s: %s", kind, name, invalid ? invalid : "what it names does not exist");
                return EXIT_NOT_FOUND;
        case STORE_PRECONDITION:
                complain("%s %s: somebody changed it meanwhile; try again", kind, name);
                return EXIT_CONFLICT;
        default:
                complain("%s", store_why(store));
                return EXIT_OWN_FAILURE;
        }
}

const char *time_text(int64_t unix_s, char ret[static TIME_TEXT_MAX]) {
        time_t t = (time_t)unix_s;
        struct tm tm;

        if (!gmtime_r(&t, &tm) || strftime(ret, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
                ret[0] = '\0';
        return ret;
}

int list_all(struct store *store, const struct listing *listing) {
        char after[STORE_TEXT_MAX] = "", *items = calloc(STORE_LIST_MAX, listing->item_size);
        int status = EXIT_DONE;
        size_t n;

        if (!items) {
                complain("out of memory");
                return EXIT_OWN_FAILURE;
        }
        do {
                n = 0;
                status =
                        database_status(store, listing->read(store, listing->context, after, STORE_LIST_MAX, items, &n),
                                        "list", after, NULL, NULL);
                for (size_t i = 0; status == EXIT_DONE && i < n; i++)
                        status = listing->show(listing->context, store, items + i * listing->item_size);
                if (n > 0)
                        (void)snprintf(after, sizeof(after), "%s", listing->name(items + (n - 1) * listing->item_size));
        } while (status == EXIT_DONE && n == STORE_LIST_MAX);
        free(items);
        return status;
}
