/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocations that nobody waits for: of keys whose push was not answered, and of guests that were not reached. Each is sent
 * again, less and less often, until the guest has taken it or its keys have ended. They are in the database already, and
 * are lost when the program ends: the keys end by themselves then.
 */
#ifndef EXC_REVOKE_QUEUE_H
#define EXC_REVOKE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "cloud/api/delivery.h"
#include "cloud/audit/audit.h"
#include "cloud/store/store.h"

enum {
        REVOKE_QUEUE_MAX = 1024,
        REVOKE_QUEUE_THREADS = 4,
        REVOKE_QUEUE_PER_HOST = 2, /* threads, so that a host that hangs leaves some for the others */
};

struct revoke_job {
        char instance[STORE_NAME_MAX], host[STORE_TEXT_MAX];
        char fingerprint[STORE_FINGERPRINT_MAX], user[STORE_TEXT_MAX]; /* one, or both "": all */
        char account[STORE_NAME_MAX], request_id[STORE_NAME_MAX];      /* who asked, and under which request */
        char audit_head[AUDIT_HASH_MAX];                               /* of that request's decision */
        int64_t keys_end_s;                                            /* Unix seconds */
};

struct revoke_queue;

/* Both must outlive it. Negative errno. */
int revoke_queue_start(struct audit *audit, struct delivery *delivery, struct revoke_queue **ret);

/* Waits for the threads, which may be in the middle of a call, and drops what is left. */
void revoke_queue_stop(struct revoke_queue *queue);

/* From any thread; never waits. False: the queue is full, or there is no memory. */
bool revoke_queue_add(struct revoke_queue *queue, const struct revoke_job *job);

#endif
