/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/private_directory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/output.h"

#define PLAIN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+-"

enum { PARENT_MAX = PRIVATE_PATH_MAX - 40 }; /* leaves room for the names below it */

bool private_directory_parent(const char *path) {
        struct stat st;

        return path && path[0] == '/' && strlen(path) < PARENT_MAX && strspn(path, PLAIN) == strlen(path) &&
               stat(path, &st) == 0 && S_ISDIR(st.st_mode) && (st.st_uid == geteuid() || st.st_uid == 0) &&
               ((st.st_mode & (S_IWGRP | S_IWOTH)) == 0 || (st.st_mode & S_ISVTX) != 0) &&
               euidaccess(path, W_OK | X_OK) == 0;
}

int private_directory_make(const char *prefix, char ret[static PRIVATE_PATH_MAX]) {
        const char *parent = getenv("XDG_RUNTIME_DIR");

        ret[0] = '\0';
        if (!private_directory_parent(parent))
                parent = "/tmp";
        if (!private_directory_parent(parent)) {
                complain("%s: other users could replace a directory in it; set XDG_RUNTIME_DIR to a directory of yours",
                         parent);
                return -EPERM;
        }
        (void)snprintf(ret, PRIVATE_PATH_MAX, "%s/%sXXXXXX", parent, prefix);
        if (!mkdtemp(ret)) {
                int r = -errno;

                complain("%s: cannot make a directory in it: %s", parent, strerror(-r));
                ret[0] = '\0';
                return r;
        }
        return 0;
}
