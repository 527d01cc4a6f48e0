/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of small files that an administrator changes while the agent runs: what is in them, and whether it changed. */
#ifndef EXC_CONF_FILES_H
#define EXC_CONF_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/strv.h"

/*
 * The names in the folder open at `fd` that end in `suffix` and do not begin with a dot, in byte order, so that nothing hangs
 * on the order of the file system. Negative errno, and `ret` is untouched.
 */
int conf_files_list(int fd, const char *suffix, struct strv *ret);

/* What files looked like to stat(2). */
struct stamp {
        uint64_t hash;
        bool settled; /* none was changed so shortly before that a further change could leave the same time stamp */
        int64_t now_s;
};

/* The stamp of nothing, now. Taken before the files are read, a change in between shows as one. */
void stamp_begin(struct stamp *ret);

/* Adds a file or folder, which need not exist, and follows a link; or all that conf_files_list() names. The order is all one. */
void stamp_add(struct stamp *stamp, int dir_fd, const char *name);
void stamp_add_listed(struct stamp *stamp, int fd, const char *suffix);

/* Whether the files are still those of `loaded`, and cannot have been changed unseen. */
bool stamp_holds(const struct stamp *loaded, const struct stamp *now);

#endif
