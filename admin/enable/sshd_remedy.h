/* SPDX-License-Identifier: Apache-2.0 */
/* What enable prints where it cannot act safely: lines for the administrator to copy, and where they belong. */
#ifndef EXC_SSHD_REMEDY_H
#define EXC_SSHD_REMEDY_H

#include "admin/sshd/sshd.h"
#include "admin/sshd/sshd_config.h"

/* Each gives a text of several lines, to be freed; NULL without memory. */

/*
 * `before`: the line that counts before any file of ours. NULL where none of ours is included, or one is that runs what this
 * sshd did not run.
 */
char *remedy_top(const struct sshd_config *config, const struct config_place *before, const char *include);

/* A Match block that `place` sets something in. */
char *remedy_block(const struct sshd_config *config, const struct config_place *place, const char *include);

/*
 * An AuthorizedPrincipalsCommand that would not be in effect any more: these are the values of it and its user. `found`: a
 * sentence that says so. `include`: a file that sets AuthorizedKeysCommand before the copy in another file is read, or NULL.
 */
char *remedy_principals(const struct sshd_config *config, const char *found, const char *principals_command,
                        const char *principals_user, const char *include);

/* The same where that is in a Match block, and so behind a numbered file of ours. */
char *remedy_block_principals(const struct sshd_config *config, const char *found);

/* A service that is started with -o. `pair` is what is in effect by that, and is to be in a file instead. */
char *remedy_option(const struct sshd_service *service, const struct sshd_config *config,
                    const struct config_pair *pair, const char *include);

/* A service that runs with an -o that its unit does not have. */
char *remedy_restart(const struct sshd_service *service);

#endif
