/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call at a time on a guest's channel; others wait in the order in which they came, each within its own deadline.
 *
 * The turn belongs to no thread: an open connection that waits for its Deliver can keep it (host/sessions.h).
 */
#ifndef EXC_TURNS_H
#define EXC_TURNS_H

#include <stdint.h>

struct turns;

/* With one reference; NULL without memory. */
struct turns *turns_new(void);
struct turns *turns_ref(struct turns *turns);
void turns_unref(struct turns *turns); /* of NULL too */

/*
 * Waits for the turn until `deadline_ms` (host/clock.h). 0: the caller has it, and returns it with turns_release().
 * -ETIMEDOUT; -EBUSY: `most_waiting` wait already.
 */
int turns_take(struct turns *turns, unsigned most_waiting, int64_t deadline_ms);
void turns_release(struct turns *turns);

unsigned turns_waiting(struct turns *turns);

#endif
