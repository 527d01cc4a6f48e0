/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the running agent share. */
#ifndef EXC_AGENT_H
#define EXC_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "agent/config.h"
#include "agent/expiry.h"
#include "agent/host_keys.h"
#include "agent/replay.h"
#include "agent/revocations.h"
#include "agent/trust.h"
#include "common/store.h"
#include "wire/refusal.h"

enum {
        AGENT_IDLE_S = 30,     /* after the last message, once no key is live and no event waits */
        AGENT_MOMENT_S = 5,    /* after somebody connected, whose first message may be under way */
        AGENT_KEYS_MAX = 4096, /* live keys in all */
        AGENT_KEYS_PER_USER_MAX = 32,
};

struct agent {
        sd_event *event;
        sd_event_source *idle; /* fires AGENT_IDLE_S after the last message */
        bool idle_now;

        const char *config_dir;
        struct config *config;

        struct trust_anchors anchors;
        struct host_keys host_keys;

        const char *runtime_dir;
        struct store store;
        struct replay replay; /* open once agent_open_memory() succeeded, as are: */
        struct revocations revocations;
        sd_event_source *sweep; /* at the end of the key that ends first */
        size_t live;            /* keys in the store at the last count */
        struct tally tally;     /* at that count and since */
        int64_t swept_boot_ns;
        int64_t grown_boot_ns; /* when expiry_sweep_grown() last looked */
};

/* Takes `event` and what is in the store over. Negative errno. */
int agent_start(struct agent *agent, const char *runtime_dir, const char *config_dir);
void agent_stop(struct agent *agent);

/* Makes sure that the configuration is that of the files, with or without an error in it. Negative errno. */
int agent_refresh_config(struct agent *agent);

/*
 * Makes sure of that, and that the store is open; for a push, that there is no error in the configuration either. What stands
 * in it may be what keeps somebody out, but nothing in it keeps a revocation. REFUSAL_NONE or StorageFailure: each call
 * asks, so what was repaired is used without a restart.
 */
enum refusal agent_ready(struct agent *agent, struct refused *ret_why);
enum refusal agent_ready_for_push(struct agent *agent, struct refused *ret_why);

/* Makes sure that the anchors are those of the files. */
void agent_refresh_anchors(struct agent *agent);

/* Makes sure that the store is open. 0, or -EPERM and the like with the reason in `ret_why`. */
int agent_open_store(struct agent *agent, char ret_why[static 256]);

/*
 * Makes sure that what is remembered of signed calls is open, in a store that is. Without it nothing signed is stored; keys can
 * still be dropped. REFUSAL_NONE or StorageFailure.
 */
enum refusal agent_open_memory(struct agent *agent, struct refused *ret_why);

/*
 * Makes that memory where it is not there yet, without an agent that runs: so that it is as old as the store, and not only as the
 * first connection. Negative errno after a note that says what is wrong.
 */
int agent_make_memory(const char *runtime_dir);

#endif
