/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the running agent, and whether it is ready: configuration, anchors, store, and the memory of signed requests. */
#ifndef EXC_AGENT_H
#define EXC_AGENT_H

#include <systemd/sd-event.h>

#include "agent/config.h"
#include "agent/confine.h"
#include "agent/expiry.h"
#include "agent/host_keys.h"
#include "agent/instance_id.h"
#include "agent/name_check.h"
#include "agent/replay.h"
#include "agent/revocations.h"
#include "agent/trust.h"
#include "common/store.h"
#include "wire/refusal.h"

struct agent {
        sd_event *event;

        const char *config_dir;
        struct config *config;
        bool checks_names;             /* once threads may start */
        struct name_check *name_check; /* of that configuration; NULL: none */
        struct trust_anchors anchors;
        struct host_keys host_keys;
        struct instance_id instance_id;
        char disputed[INSTANCE_ID_WHY_MAX]; /* what was logged last about it; "": nothing */

        struct confinement confinement;

        const char *runtime_dir;
        struct store store;
        struct expiry expiry;

        struct replay replay; /* both are open once agent_open_memory() succeeded */
        struct revocations revocations;
};

/* Opens what is there; what is not is opened when it is needed. It starts no thread. Negative errno. */
int agent_start(struct agent *agent, const char *runtime_dir, const char *config_dir);

/* From now on the names in each configuration that is loaded are looked up, in threads; those of the first one now. */
void agent_check_names(struct agent *agent);

void agent_stop(struct agent *agent);

/* Loads the configuration again if its files changed, with or without an error in it. Negative errno. */
int agent_refresh_config(struct agent *agent);

/*
 * Does that, and opens the store; a push also needs a configuration without an error: the line at fault may be what keeps
 * somebody out, but no line keeps a revocation out. REFUSAL_NONE or StorageFailure: each call asks, so a repair takes effect
 * without a restart.
 */
enum refusal agent_ready(struct agent *agent, struct refused *ret_why);
enum refusal agent_ready_for_push(struct agent *agent, struct refused *ret_why);

/* Loads the anchors again if their files changed. */
void agent_refresh_anchors(struct agent *agent);

/* Reads the instance id again if its sources changed, and logs it when two of them disagree. */
void agent_refresh_instance_id(struct agent *agent);

/* Opens the store if it is not open. 0, or -EPERM and the like with the reason in `ret_why`. */
int agent_open_store(struct agent *agent, char ret_why[static 256]);

/*
 * Opens the memory of signed requests if it is not open, in a store that is. Without it nothing signed is stored; keys can
 * still be dropped. REFUSAL_NONE or StorageFailure.
 */
enum refusal agent_open_memory(struct agent *agent, struct refused *ret_why);

/*
 * Makes that memory, if it is not there, without running: so that it is as old as the store, and not only as the first
 * connection. Negative errno after a note that says what is wrong.
 */
int agent_make_memory(const char *runtime_dir);

#endif
