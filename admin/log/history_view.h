/* SPDX-License-Identifier: Apache-2.0 */
/* What of the stories is to be told, and to whom. */
#ifndef EXC_HISTORY_VIEW_H
#define EXC_HISTORY_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/log/story.h"

struct history_view {
        const char *user; /* an account's own name; NULL: of all users */
        int64_t from_us;  /* events before that are not read; 0: all are */
        int64_t since_us; /* stories of which nothing was heard since are left out */
        bool all;         /* connections that have nothing to do with a pushed key as well */
        /* The account's own name, or `user`: sshd writes a name as it was typed. Valid until the next call. */
        const char *(*own_name)(void *context, const char *user);
        /* Asked about sessions of which no end is known: whether that process is an sshd's, on this boot. */
        bool (*running)(sd_id128_t boot, uint64_t pid);
        void (*tell)(void *context, const struct story *story);
        void *context;
};

#endif
