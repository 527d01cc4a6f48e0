/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the control plane: what an option names, else what the API's or the signer's configuration names, so that all
 * of them use the same files; else, where there is no configuration, its default.
 */
#ifndef EXC_COMPUTE_ADMIN_PATHS_H
#define EXC_COMPUTE_ADMIN_PATHS_H

#include "cloud/admin/command.h"

/*
 * Each is to be called before become(), whose user may not be allowed to read the configuration. The text lives as long as the
 * program. NULL when it has complained: EXIT_OWN_FAILURE.
 */
const char *paths_database(const struct options *options);
const char *paths_audit(const struct options *options);      /* a directory */
const char *paths_signer_log(const struct options *options); /* a directory */

#endif
