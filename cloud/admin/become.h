/* SPDX-License-Identifier: Apache-2.0 */
/* root becomes the API's user before it opens anything: files that it makes are the API's, and what it reads runs as that. */
#ifndef EXC_COMPUTE_ADMIN_BECOME_H
#define EXC_COMPUTE_ADMIN_BECOME_H

#include <stdbool.h>

/*
 * Changes to that user with its groups, for good; does nothing where the program is not run by root. With `read_all` the
 * process keeps CAP_DAC_READ_SEARCH, to read the signer's log. EXIT_DONE, or an exit status when it has complained.
 */
int become(const char *user, bool read_all);

/*
 * As root, before become(): makes the directory for that user, mode 0750. One that exists stays as it is. Its parent must
 * exist. EXIT_DONE, or an exit status when it has complained.
 */
int become_make_directory(const char *user, const char *path);

#endif
