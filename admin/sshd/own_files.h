/* SPDX-License-Identifier: Apache-2.0 */
/* Our files in sshd_config.d, on disk: read, written and taken away so that sshd never meets half of one. */
#ifndef EXC_OWN_FILES_H
#define EXC_OWN_FILES_H

#include <stdbool.h>

#include "admin/sshd/drop_in.h"
#include "admin/sshd/sshd_config.h"

enum { OWN_FILES_PATH_MAX = 128 }; /* of the longest, with what is put around its name, and the NUL */

/*
 * Where disable puts file `index` when an administrator has edited it. The name begins with a dot: glob(3), by which sshd
 * reads an Include, lets no pattern match it that does not begin with one too.
 */
void own_files_aside_path(int index, char ret[static OWN_FILES_PATH_MAX]);

void own_files_clear(struct own_files *files);

/* A copy of all, or false without memory. */
bool own_files_copy(const struct own_files *from, struct own_files *ret);

/*
 * Reads them; `ret_disabled` gets those that were put aside. Negative errno, and then `ret_why` says what: -EPERM where
 * one of them is a link, or somebody but root can write it.
 */
int own_files_load(struct own_files *ret, struct own_files *ret_disabled, char ret_why[static SSHD_WHY_MAX]);

/*
 * Keeps all other runs of enable and disable away, and takes away what a run left that was killed. A descriptor, for
 * own_files_unlock(); negative errno, -ETIMEDOUT after a minute.
 */
int own_files_lock(char ret_why[static SSHD_WHY_MAX]);
void own_files_unlock(int fd);

/*
 * Makes files `from` into files `to`: each is written under another name, checked by sshd for itself, and renamed. Where
 * that fails, what was done is undone. Negative errno, and then `ret_why` says what failed.
 */
int own_files_change(const struct own_files *from, const struct own_files *to, char ret_why[static SSHD_WHY_MAX]);

/* Puts file `index` aside, where nothing of that name is lost: an older one gets a number. */
int own_files_put_aside(int index, char ret_why[static SSHD_WHY_MAX]);

/* Removes the file that was put aside. */
int own_files_forget_disabled(int index);

#endif
