/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the store clean: what is dead goes, as it dies, and what is damaged goes when it is seen. The store itself is the
 * only record, so an agent that was killed finds all of it again.
 */
#ifndef EXC_SWEEP_H
#define EXC_SWEEP_H

#include "agent/agent.h"

/*
 * Removes dead and damaged keys now, counts the live ones into `agent->live` and `agent->tally`, and comes back by itself
 * when the next one ends. Negative errno.
 */
int sweep(struct agent *agent);

/*
 * The same, but not more than once a second: for whoever would do it at a peer's wish. What was found then still holds: 0.
 */
int sweep_again(struct agent *agent);

/*
 * Makes room where the file system is full, not more than once a second: ends the grants whose claim files have grown. Whether
 * there were any.
 */
bool sweep_grown(struct agent *agent);

/*
 * Whether `n` more keys of the user with that folder are within the limits, as counted; what died since counts until it is
 * swept. False where they could not be counted.
 */
bool sweep_room(const struct agent *agent, const char *user, size_t n);

/* `n` keys were stored in that user's folder. */
void sweep_count(struct agent *agent, const char *user, size_t n);

/* A key that ends at `boot_end_ns` was stored: sweep by then at the latest. Negative errno. */
int sweep_by(struct agent *agent, int64_t boot_end_ns);

/* Frees what all this took; no sweep comes by itself any more. */
void sweep_end(struct agent *agent);

#endif
