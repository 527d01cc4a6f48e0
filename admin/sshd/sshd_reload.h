/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets an sshd that runs read its configuration again, by a reload. It then executes itself again, and until it has
 * set its handler for SIGHUP, another one would end it: so this waits for it, before and after.
 *
 * One that a socket unit starts (Accept=no) cannot do that: Debian 13's does not find its socket again, and ends. It is
 * restarted, while systemd holds the socket; its connections are processes of their own, and stay.
 */
#ifndef EXC_SSHD_RELOAD_H
#define EXC_SSHD_RELOAD_H

#include <limits.h>
#include <stdbool.h>

#include "admin/sshd/sshd.h"

/*
 * Negative errno, and then `ret_why` says what systemd said. Its configuration must have been checked. `ret_restarted`:
 * it was started by a socket, which is meant above.
 */
int sshd_reload(const struct sshd_service *service, bool *ret_restarted, char ret_why[static SSHD_WHY_MAX]);

/*
 * Whether it has to read its configuration again: 1 where one of the files, or a directory in which an Include looks for
 * some, was changed after it had read them; else 0. `ret_path` is what was changed last; "" where the question does not
 * arise, as one that does not run, or runs for one connection, reads them when it is started. Negative errno where that
 * cannot be found out, and then `ret_why` says why: -ENOENT where it is to write no PID file, -EROFS where it cannot write it.
 */
int sshd_reload_due(const struct sshd_service *service, char ret_path[static PATH_MAX],
                    char ret_why[static SSHD_WHY_MAX]);

/* Whether a directory is on a mount that is read-only for a service that runs, or is not there for it. */
bool sshd_reads_only(const struct sshd_service *service, const char *directory);

/*
 * The same where no systemd runs: for the sshd that this machine's PID file names, if it is one. -ENOENT where there is
 * none.
 */
int sshd_reload_by_pid_file(void);

#endif
