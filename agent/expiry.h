/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of keys, and of the agent: removes dead and damaged keys, counts live ones, and exits the event loop EXPIRY_IDLE_S
 * after the last message, once no key is live and no event waits for the journal. The store itself is the only record, so an
 * agent that was killed finds all of it again.
 */
#ifndef EXC_EXPIRY_H
#define EXC_EXPIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/store.h"

enum {
        EXPIRY_IDLE_S = 30,     /* after the last message */
        EXPIRY_CONNECT_S = 5,   /* after a connection, whose first message may be on its way */
        EXPIRY_KEYS_MAX = 4096, /* live keys in all */
        EXPIRY_KEYS_PER_USER_MAX = 32,
};

/*
 * The number of keys of each user in the store. It could be read from the store at any time, and is at each sweep; it is kept in
 * between because a walk through a user's directories would be most of the work of a push.
 */
struct expiry_counts {
        struct {
                char *name; /* of the user's directory */
                size_t keys;
        } *user; /* in byte order */
        size_t n;
        bool complete; /* false: not all keys could be counted */
};

#define EXPIRY_COUNTS_INIT {.complete = true}

/* Adds `n` keys of a user. Without memory the counts are no longer complete. */
void expiry_counts_add(struct expiry_counts *counts, const char *name, size_t n);
size_t expiry_counts_of(const struct expiry_counts *counts, const char *name);
/* Frees all, and leaves counts that are not complete. */
void expiry_counts_clear(struct expiry_counts *counts);

struct expiry {
        sd_event *event;           /* both are borrowed */
        const struct store *store; /* may be opened later than this is started */

        sd_event_source *clock; /* fires when CLOCK_REALTIME is set, which ends keys (common/lifetime.h) */
        sd_event_source *idle;  /* fires EXPIRY_IDLE_S after the last message */
        bool idle_now;

        sd_event_source *sweep;      /* at the end of the key that ends first */
        size_t live;                 /* keys at the last sweep and since, without launch keys */
        size_t launch;               /* launch keys at the last sweep; they keep nothing running, and take no room */
        struct expiry_counts counts; /* the same, by user */
        int64_t swept_boot_ns;
        int64_t grown_boot_ns; /* when expiry_remove_grown() last looked */
};

/* From now on the event loop ends by itself. Negative errno. */
int expiry_start(struct expiry *expiry, sd_event *event, const struct store *store);
void expiry_stop(struct expiry *expiry);

/* Removes dead and damaged keys, counts the live ones, and sweeps again when the next one ends. Negative errno. */
int expiry_sweep(struct expiry *expiry);

/* The same on behalf of a peer: at most once a second. 0 where the last sweep is not older than that. */
int expiry_sweep_for_peer(struct expiry *expiry);

/* A key ends at `boot_end_ns`: sweeps by then at the latest, but once a second at most. Negative errno. */
int expiry_sweep_by(struct expiry *expiry, int64_t boot_end_ns);

/*
 * Makes room where the file system is full, at most once a second: ends the grants whose claim files have grown. Whether there
 * were any.
 */
bool expiry_remove_grown(struct expiry *expiry);

/*
 * Whether `n` more keys of the user with that directory are within the limits. Keys that died since the last sweep still count.
 * False where keys could not be counted.
 */
bool expiry_has_room(const struct expiry *expiry, const char *user_name, size_t n);

/* `n` keys were stored in that user's directory. */
void expiry_count(struct expiry *expiry, const char *user_name, size_t n);

/* A message was received: stay for EXPIRY_IDLE_S. */
void expiry_postpone_exit(struct expiry *expiry);

/* A peer that is allowed connected: stay at least until its first message can be here. */
void expiry_await_message(struct expiry *expiry);

/* Ends the event loop when nothing is left to do. */
void expiry_exit_if_done(struct expiry *expiry);

#endif
