/* SPDX-License-Identifier: Apache-2.0 */
/* Runs ssh with the key of a grant. */
#ifndef EXC_SSH_RUN_H
#define EXC_SSH_RUN_H

#include "cli/session.h"
#include "exc/key_grant.h"

/* Makes the session's directory for the grant. EXIT_DONE, or a status when it has complained. */
int ssh_run_open(const struct key_grant *grant, struct session *ret);

/* Starts ssh; `want` gets the grant's and the session's members. EXIT_DONE, or a status when it has complained. */
int ssh_run_start(const struct options *options, const struct key_grant *grant, struct ssh_want *want,
                  struct session_start *start, struct session *session);

/* Waits for its end, for at most so many seconds, 0: no limit. The exit status of exc. */
int ssh_run_finish(const struct key_grant *grant, struct session *session, int timeout_s);

/* The exit status of exc for an ssh that has ended. */
int ssh_run_status(const struct key_grant *grant, const struct session *session);

#endif
