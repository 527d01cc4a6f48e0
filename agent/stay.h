/* SPDX-License-Identifier: Apache-2.0 */
/* When the agent leaves: AGENT_IDLE_S after the last message, once no key is live and no event waits for the journal. */
#ifndef EXC_STAY_H
#define EXC_STAY_H

#include "agent/agent.h"

/* From now on the agent leaves by itself. Negative errno. */
int stay_begin(struct agent *agent);

/* A message has come. */
void stay(struct agent *agent);

/* Somebody who may has connected: the agent stays at least until his first message could be here. */
void stay_a_moment(struct agent *agent);

/* Ends the event loop when nothing is left to do. */
void leave_if_done(struct agent *agent);

#endif
