/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of keys, and of the agent: removes what is dead or damaged, counts what is live, and exits the event loop AGENT_IDLE_S
 * after the last message, once no key is live and no event waits for the journal. The store itself is the only record, so an
 * agent that was killed finds all of it again.
 */
#ifndef EXC_EXPIRY_H
#define EXC_EXPIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agent;

/*
 * Removes dead and damaged keys now, counts the live ones into `agent->live` and `agent->tally`, and comes back by itself
 * when the next one ends. Negative errno.
 */
int expiry_sweep(struct agent *agent);

/*
 * The same, but not more than once a second: for whoever would do it at a peer's wish. What was found then still holds: 0.
 */
int expiry_sweep_again(struct agent *agent);

/*
 * Makes room where the file system is full, not more than once a second: ends the grants whose claim files have grown. Whether
 * there were any.
 */
bool expiry_sweep_grown(struct agent *agent);

/*
 * Whether `n` more keys of the user with that folder are within the limits, as counted; what died since counts until it is
 * swept. False where they could not be counted.
 */
bool expiry_has_room(const struct agent *agent, const char *user, size_t n);

/* `n` keys were stored in that user's folder. */
void expiry_count(struct agent *agent, const char *user, size_t n);

/* A key that ends at `boot_end_ns` was stored: sweep by then at the latest. Negative errno. */
int expiry_sweep_by(struct agent *agent, int64_t boot_end_ns);

/* Frees what all this took; no sweep comes by itself any more. */
void expiry_end(struct agent *agent);

/*
 * The number of keys of each user in the store. It could be found there at any time, and is at each sweep; it is kept in between,
 * since a walk through a user's directories would be the greater part of a push.
 */
struct tally {
        struct {
                char *name; /* of the user's folder */
                size_t keys;
        } *user; /* in byte order */
        size_t n;
        bool whole; /* false: not all could be counted */
};

/* Nobody has any. */
#define TALLY_INIT {.whole = true}

/* Adds `n` keys of a user. Without memory the tally is whole no longer. */
void tally_add(struct tally *tally, const char *name, size_t n);

/* Keys of a user. */
size_t tally_of(const struct tally *tally, const char *name);

/* Frees all, and leaves a tally that is not whole. */
void tally_clear(struct tally *tally);

/* From now on the agent leaves by itself. Negative errno. */
int expiry_begin(struct agent *agent);

/* A message has come. */
void expiry_stay(struct agent *agent);

/* Somebody who may has connected: the agent stays at least until his first message could be here. */
void expiry_stay_a_moment(struct agent *agent);

/* Ends the event loop when nothing is left to do. */
void expiry_leave_if_done(struct agent *agent);

#endif
