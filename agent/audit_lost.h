/* SPDX-License-Identifier: Apache-2.0 */
/* state/lost: the number of events that earlier agents could not send to the journal. */
#ifndef EXC_AUDIT_LOST_H
#define EXC_AUDIT_LOST_H

#include <stdint.h>

struct audit_lost {
        uint64_t n;
        int64_t since_us; /* when the first of them happened, since 1970; 0 with `n` */
};

void audit_lost_add(struct audit_lost *lost, uint64_t n, int64_t since_us);

/* -ENOENT: there is none. -EBADMSG: it is not what audit_lost_write() wrote. */
int audit_lost_read(int state_fd, struct audit_lost *ret);

/* Replaces it as a whole. Negative errno; the old one is then still there. */
int audit_lost_write(int state_fd, const struct audit_lost *lost);

void audit_lost_remove(int state_fd);

#endif
