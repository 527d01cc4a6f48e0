/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files by which sshd asks exc-authorized-keys(8): what is in them.
 *
 * One file is read by all who include sshd_config.d. Of the lines that sshd reads, the first that sets something counts:
 * so its name is one of a few that sort before what else is there. Where another line comes before that all the same, as
 * in a Match block, the administrator is asked to add an Include of one of the numbered files there. To sshd an Include of
 * a file that is not there is no fault, so such a line may stay when this project goes.
 */
#ifndef EXC_DROP_IN_H
#define EXC_DROP_IN_H

#include <stdbool.h>

#include "admin/sshd/sshd.h"
#include "authkeys-helper/identity.h"

#define DROP_IN_BASE "exc-instance-connect"
enum {
        DROP_IN_NAMES = 3,
        DROP_IN_CHAINS = 8,
        DROP_IN_FILES = DROP_IN_NAMES + DROP_IN_CHAINS,
};

/* Absolute paths: first the names for all, the preferred one first; then the numbered ones, for one place each. */
extern const char *const drop_in_paths[DROP_IN_FILES];

/* What is run behind ours, and what must stand before it. */
struct drop_in {
        bool expiry_time; /* sshd takes expiry-time= in UTC, as since 9.1 */
        char *command;    /* as drop_in_chain() makes it; NULL: none */
        char *user;       /* AuthorizedKeysCommandUser of that command */

        /* Copies for an sshd that ignores the originals once an AuthorizedKeysCommand is set; NULL: not needed. */
        char *principals_command, *principals_user; /* AuthorizedPrincipalsCommand, AuthorizedPrincipalsCommandUser */
};

/*
 * A command line of sshd's, to be written behind ours. sshd replaces tokens in arguments alone, and theirs becomes one;
 * and a command without arguments gets the user's name. Negative errno: -EINVAL where sshd itself could not run it, as
 * its quotes are not closed.
 */
int drop_in_chain(const char *command, char **ret);

/* The file's text; NULL without memory. To be freed. */
char *drop_in_render(const struct drop_in *drop_in);

/*
 * Whether drop_in_render() made this text, of this version or an earlier one, whatever command is chained in it. If not,
 * somebody has edited it.
 */
bool drop_in_unedited(const char *text);

enum keys_command_kind {
        KEYS_COMMAND_NONE,
        KEYS_COMMAND_THEIRS,
        KEYS_COMMAND_OURS,
        KEYS_COMMAND_OURS_WRONG_USER, /* our helper, by a user with whom it cannot do its part */
};

/* Whether this is the path of one of our two programs. */
bool keys_command_is_ours(const char *path);

/* What an sshd runs that has these two settings, either of which may be NULL or "none". */
enum keys_command_kind keys_command_kind(const char *command, const char *user);

/* The text of a line "AuthorizedKeysCommand …" and one "AuthorizedKeysCommandUser …" in it. */
int drop_in_settings(const struct drop_in *drop_in, char **ret_command, char **ret_user);

#endif
