/* SPDX-License-Identifier: Apache-2.0 */
/* --server-key and --address: of all commands that run ssh. */
#ifndef EXC_SSH_OPTIONS_H
#define EXC_SSH_OPTIONS_H

#include "cli/options.h"

extern const struct cli_option exc_ssh_options[];

#endif
