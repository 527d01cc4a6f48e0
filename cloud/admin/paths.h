/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXC_COMPUTE_ADMIN_PATHS_H
#define EXC_COMPUTE_ADMIN_PATHS_H

#include "cloud/admin/command.h"

/*
 * Completes the paths that no option names: those of the API's and the signer's configuration, so that all of them use the
 * same files; the defaults where a configuration is missing. `used`: which of OPTION_DATABASE, OPTION_AUDIT and
 * OPTION_SIGNER_LOG the command needs. The texts live as long as the program. EXIT_DONE, or an exit status when it has
 * complained.
 */
int paths_find(struct options *options, int used);

#endif
