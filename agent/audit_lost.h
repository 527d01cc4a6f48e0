/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file state/lost: how many events earlier agents could not send to the journal. 16 bytes: number and time,
 * big-endian.
 */
#ifndef EXC_AUDIT_LOST_H
#define EXC_AUDIT_LOST_H

#include <stdint.h>

struct audit_lost {
        uint64_t n;
        int64_t since_us; /* when the first of them happened, in microseconds since 1970; 0 if `n` is */
};

void audit_lost_add(struct audit_lost *lost, uint64_t n, int64_t since_us);

/* -ENOENT: there is no file. -EBADMSG: audit_lost_write() did not write it. */
int audit_lost_read(int state_fd, struct audit_lost *ret);

/* Replaces the file atomically. Negative errno: the old one is still there. */
int audit_lost_write(int state_fd, const struct audit_lost *lost);

void audit_lost_remove(int state_fd);

#endif
