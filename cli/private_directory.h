/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of mode 0700 for the sockets and files of one run of ssh, below $XDG_RUNTIME_DIR or /tmp. */
#ifndef EXC_PRIVATE_DIRECTORY_H
#define EXC_PRIVATE_DIRECTORY_H

#include <stdbool.h>
#include <sys/un.h>

enum { PRIVATE_PATH_MAX = sizeof(((struct sockaddr_un *)0)->sun_path) }; /* bytes, with the NUL */

/*
 * Whether this user can make directories in it, no other user but root can replace one, and ssh's options take its path as it
 * is: only letters, digits and "/._+-". XDG_RUNTIME_DIR may be that of another user, as after su(1).
 */
bool private_directory_parent(const char *path);

/* Makes PREFIX and six characters. 0, or a negative errno when it has complained; `ret` is then "". */
int private_directory_make(const char *prefix, char ret[static PRIVATE_PATH_MAX]);

#endif
