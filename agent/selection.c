/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/selection.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void select_keys(struct selection *ret, const struct store *store, const char *user, const char *fingerprint) {
        *ret = (struct selection){.store = store, .user = user, .fingerprint = fingerprint, .now = instant_now()};
        if (user)
                (void)store_user_name(user, ret->user_name);
}

int selection_walk(const struct selection *selection, store_visit visit, void *context) {
        return store_walk(selection->store, selection->user ? selection->user_name : NULL, selection->fingerprint,
                          visit, context);
}

bool selection_read_live(const struct selection *selection, const struct store_place *place, struct grant *ret,
                         int *ret_taken) {
        int fd;

        if (store_read(selection->store, place, ret) < 0 ||
            (selection->user && strcmp(selection->user, ret->user) != 0) ||
            lifetime_left_ns(&ret->life, &selection->now) == 0)
                return false;
        fd = store_open_claim(selection->store, place, O_RDONLY);
        if (fd < 0)
                return false;
        *ret_taken = claim_count(fd, ret->connections);
        (void)close(fd);
        return *ret_taken >= 0;
}
