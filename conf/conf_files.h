/* SPDX-License-Identifier: Apache-2.0 */
/* Files that the administrator changes while the agent runs: which names are there, and whether any of them changed. */
#ifndef EXC_CONF_FILES_H
#define EXC_CONF_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/strv.h"

/*
 * The names in the directory `dir_fd` that end in `suffix` and do not begin with a dot, in byte order, so that the
 * result does not depend on the file system. The caller clears `ret`. Negative errno, and `ret` is untouched.
 */
int conf_files_list(int dir_fd, const char *suffix, struct strv *ret);

/*
 * Files and directories with what stat(2) returned for them when they were added. Starts from all zeros.
 *
 * A set that has a directory and each file that was listed in it shows every change: a directory's time stamps change
 * with the names in it, so new, removed and replaced names are seen without another listing.
 */
struct conf_files {
        struct strv paths;
        uint64_t hash;  /* of the results of stat(2), in the order of `paths` */
        bool unsettled; /* a change may show in no result, so the files have to be read again */
};

/*
 * Adds an absolute path, which need not exist; a symbolic link is followed. To be called before the file is read or the
 * directory listed: a change in between is then seen. A path that cannot be added (-ENOMEM) leaves the set unsettled.
 */
void conf_files_add(struct conf_files *files, const char *path);

/* Whether the files changed, or may have. One stat(2) for each path. An empty set has changed: nothing was read yet. */
bool conf_files_changed(const struct conf_files *files);

/* Whether stat(2) returns the same as before, for a set that may be unsettled. */
bool conf_files_look_same(const struct conf_files *files);

void conf_files_clear(struct conf_files *files);

#endif
