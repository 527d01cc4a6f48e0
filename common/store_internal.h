/* SPDX-License-Identifier: Apache-2.0 */
/* What store.c and store_write.c share. */
#ifndef EXC_STORE_INTERNAL_H
#define EXC_STORE_INTERNAL_H

#include "common/store.h"

enum {
        STORE_DIRECTORY_MODE = 02750,
        STORE_KEY_MODE = 0640,
        STORE_CLAIM_MODE = 0660,
};

/* Opens a directory below the store and checks its owner and mode. -EBADMSG: it is not what the store makes. */
int store_open_directory(int parent_fd, const char *name, uid_t owner, int *ret_fd);

/*
 * Calls `each` for the names in a directory that `valid` accepts. `directory_fd` is just opened: entries are read from
 * its file offset on. `each` may remove the entry. Ends at the first call that does not return 0, with its result.
 */
typedef int (*store_each)(void *context, int directory_fd, const char *name);
int store_each_name(int directory_fd, bool (*valid)(const char *name), store_each each, void *context);

/* The same for the users in keys/ or claims/, whose descriptor may have been read before. */
int store_each_user(int top_fd, store_each each, void *context);

/* Names that can be in keys/ and claims/, and in their lowest directories. */
bool store_user_name_valid(const char *name);
bool store_id_valid(const char *name);

#endif
