/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which SSH connections hold a grant.
 *
 * A grant for N connections has a claim file of N slots. The agent writes it once, all zeros; after that only helpers
 * write to it, each under a lock. A slot that is not all zeros is taken, whatever it holds, and a file of any other
 * size has no free slot. sshd runs the helper twice for one login and cannot say which run is which, so a slot holds
 * the identity of the connection, and the same connection gets the same slot again.
 *
 * When the grant ends, the agent fills the free slots with an identity that no connection has, and then removes the
 * file. What it read under that lock is final, also against a helper that has the file open.
 */
#ifndef EXC_CLAIM_H
#define EXC_CLAIM_H

#include <stddef.h>
#include <stdint.h>

enum { CLAIM_SLOT_SIZE = 16 };

/* The sshd process of one connection. The kernel reuses a pid, but not together with its start time. */
struct connection_id {
        uint64_t pid;
        uint64_t start_ticks; /* proc(5), /proc/PID/stat field 22: clock ticks after boot, never 0 together with pid */
};

enum claim_mode {
        CLAIM_FIND, /* only a slot that this connection holds already */
        CLAIM_TAKE, /* or else a free one */
};

enum claim_result {
        CLAIM_NONE,  /* other connections hold all slots */
        CLAIM_HELD,  /* the connection had a slot before this call */
        CLAIM_TAKEN, /* this call took a slot for it */
};

/*
 * Finds, or takes, a slot for `who` in the claim file open for reading and writing at `fd`. Waits for the file's lock,
 * which it keeps until `fd` is closed. Returns an enum claim_result; negative errno: the file cannot be locked, read or
 * written.
 */
int claim_slot(int fd, unsigned connections, const struct connection_id *who, enum claim_mode mode);

/* How many slots are taken, for `fd` open for reading; `connections` when the file's size is wrong. Negative errno. */
int claim_count(int fd, unsigned connections);

/*
 * The connections that hold slots, for `fd` open for reading: `ret` has room for GRANT_CONNECTIONS_MAX. Returns how
 * many they are. -EBADMSG: the file has another size than `connections` slots.
 */
int claim_holders(int fd, unsigned connections, struct connection_id *ret);

/*
 * The same, and fills all free slots, for `fd` open for reading and writing. Does not wait: -EAGAIN when a helper has
 * the file locked.
 */
int claim_end(int fd, unsigned connections, struct connection_id *ret);

#endif
