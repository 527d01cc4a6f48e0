/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent may still do once it has its sockets, configuration and store: read what it needs, write the store, ask the
 * name service, send to the journal. Three layers, beside the rights of its user and its unit, and without them: no
 * privileges, Landlock for files, and a filter of system calls (confine/).
 *
 * A layer that this kernel does not have is left out, with a line in the journal. Modules of the name service run in the same
 * process: where they need more, a push is answered StorageFailure, and its reason names the call.
 */
#ifndef EXC_AGENT_CONFINE_H
#define EXC_AGENT_CONFINE_H

#include <stdbool.h>

#include "conf/strv.h"
#include "confine/syscall_filter.h"

struct agent;

/* How the agent is confined, and what it may read. Starts from all zeros. */
struct confinement {
        enum syscall_filter_mode calls;
        bool network;         /* a module of the name service uses it */
        bool files;           /* Landlock is in effect */
        struct strv readable; /* directories beside those that each agent may read */
};

/*
 * Confines this process for good, as `agent->confinement` says. Before the first thread. Messages from peers must not have
 * been read. What fails is noted in the journal.
 */
void confine_agent(struct agent *agent);

/* Notes in the journal which host key files of the configuration the agent may not read: they were not in it at its start. */
void confine_check_config(const struct agent *agent);

#endif
