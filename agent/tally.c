/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/tally.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where a user stands, or belongs. */
static size_t place_of(const struct tally *tally, const char *name, bool *ret_there) {
        size_t from = 0, to = tally->n;

        *ret_there = false;
        while (from < to && !*ret_there) {
                size_t middle = from + (to - from) / 2;
                int order = strcmp(name, tally->user[middle].name);

                if (order == 0)
                        *ret_there = true;
                if (order > 0)
                        from = middle + 1;
                else
                        to = middle;
        }
        return to;
}

static int add_user(struct tally *tally, size_t at, const char *name) {
        void *more = reallocarray(tally->user, tally->n + 1, sizeof(*tally->user));
        char *copy;

        if (!more)
                return -ENOMEM;
        tally->user = more;
        copy = strdup(name);
        if (!copy)
                return -ENOMEM;
        memmove(tally->user + at + 1, tally->user + at, (tally->n - at) * sizeof(*tally->user));
        tally->user[at].name = copy;
        tally->user[at].keys = 0;
        tally->n++;
        return 0;
}

void tally_add(struct tally *tally, const char *name, size_t n) {
        bool there;
        size_t at = place_of(tally, name, &there);

        if (there || add_user(tally, at, name) >= 0)
                tally->user[at].keys += n;
        else
                tally->whole = false;
}

size_t tally_of(const struct tally *tally, const char *name) {
        bool there;
        size_t at = place_of(tally, name, &there);

        return there ? tally->user[at].keys : 0;
}

void tally_clear(struct tally *tally) {
        for (size_t i = 0; i < tally->n; i++)
                free(tally->user[i].name);
        free(tally->user);
        *tally = (struct tally){.whole = false};
}
