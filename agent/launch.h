/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Launch keys: what a cloud's metadata service has for this machine, as one set that is replaced as a whole (method_launch.c).
 *
 * 1. A launch key lives for MaxAge= of metadata.conf from the last call that had it, for any number of connections. A call that
 *    has it again gives its grant a later end (store_renew()), and writes no event.
 * 2. A key that is not in a call is removed by it, whichever user it was for.
 * 3. These keys do not keep the agent running, and take no room from pushes. The helper judges their end; they are removed when
 *    the agent runs next.
 */
#ifndef EXC_LAUNCH_H
#define EXC_LAUNCH_H

#include "agent/agent.h"
#include "agent/request_parse.h"

/* In the place of who asked. */
#define LAUNCH_PRINCIPAL "metadata service"

struct launch {
        const struct push *push; /* with its keys */
        const char *user;        /* the name that the name service has */
        struct instant received;
        bool synchronized; /* the wall clock in `received` can be trusted */
        int64_t life_s;
};

/*
 * Makes these the launch keys. Keys that are gone are removed first, whatever fails later. REFUSAL_NONE, StoreFull or
 * StorageFailure.
 */
enum refusal launch_replace(struct agent *agent, const struct launch *launch, struct refused *ret_why);

#endif
