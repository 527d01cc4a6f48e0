/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files in the configuration directory (CONFIG_DIR) that a command changes. They are root's and 0644, whatever the umask, so that
 * the agent, which is not root, can read them. A file has its name only once all of it is on disk.
 */
#ifndef EXC_CONFIG_FILE_H
#define EXC_CONFIG_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct config_dir {
        int fd;
        char path[PATH_MAX];
};

/*
 * Opens `parent`, or the directory `name` in it where that is not NULL. `make`: missing ones are made, 0755 and root's. One that
 * is a link, or that others than root can write, is refused.
 *
 * 0: the caller closes `ret` with config_dir_close(). -ENOENT without a message: missing, and not `make`. Another negative
 * errno after a message.
 */
int config_dir_open(const char *parent, const char *name, bool make, struct config_dir *ret);

void config_dir_close(struct config_dir *dir);

/* Whether there is a file or a link of that name. */
bool config_file_exists(const struct config_dir *dir, const char *name);

/*
 * Writes `n` bytes as the file `name`. `replace`: in place of one that is there, which is -EEXIST otherwise. Negative errno after
 * a message; the file is as it was then.
 */
int config_file_write(const struct config_dir *dir, const char *name, const void *data, size_t n, bool replace);

/* Removes it, and returns when that is on disk. Negative errno after a message. */
int config_file_remove(const struct config_dir *dir, const char *name);

#endif
