/* SPDX-License-Identifier: Apache-2.0 */
/* What the reading and the writing half of the store share. */
#ifndef EXC_STORE_INTERNAL_H
#define EXC_STORE_INTERNAL_H

#include "common/store.h"

enum {
        STORE_FOLDER_MODE = 02750,
        STORE_KEY_MODE = 0640,
        STORE_CLAIM_MODE = 0660,
};

/* Opens a folder below the store and checks its owner and mode. -EBADMSG: it is not what the store makes. */
int store_open_folder(int parent_fd, const char *name, uid_t owner, int *ret_fd);

/* Opens keys/<user>/<fingerprint> of `place`. */
int store_open_fingerprint(const struct store *store, const struct store_place *place, int *ret_fd);

/*
 * Calls `each` for the names in a folder that `valid` takes, with the folder's descriptor; it may remove what it is shown.
 * Ends at the first that does not return 0, with its result.
 */
typedef int (*store_each)(void *context, int folder_fd, const char *name);
int store_each_name(int folder_fd, bool (*valid)(const char *name), store_each each, void *context);

/* Names that may stand in keys/ and claims/, and in their last folders. */
bool store_user_name_valid(const char *name);
bool store_id_valid(const char *name);

#endif
