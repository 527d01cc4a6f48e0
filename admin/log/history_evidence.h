/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What events say about the time before them.
 *
 * The end of a key names the connections that took a slot of it. That proves uses whose own events are lost, and where the
 * list is final, also that another connection did not use the key. Events about losses name the time for which missing
 * entries prove nothing.
 */
#ifndef EXC_HISTORY_EVIDENCE_H
#define EXC_HISTORY_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-id128.h>

#include "admin/log/log_event.h"

enum {
        EVIDENCE_ENDS_MAX = 32768, /* beyond that the oldest is forgotten */
        EVIDENCE_GAPS_MAX = 1024,  /* beyond that the last one grows */
        EVIDENCE_BUCKETS = 1024,
};

/* That a connection took a slot. */
struct slot_taken {
        struct slot_taken *next; /* in its bucket */
        const struct key_end *end;
        uint64_t pid;
        bool told; /* a story has it */
};

struct key_end {
        struct key_end *next;        /* the one after it */
        struct key_end *bucket_next; /* by `at_us` */
        sd_id128_t boot;
        int64_t at_us;
        int64_t stored_us; /* 0: it does not say */
        int64_t from_us;   /* the same; or the longest that a key can live before its end */
        char *user, *fingerprint, *principal, *request_id;
        bool final; /* no other connection took a slot */
        size_t n;
        struct slot_taken slots[];
};

/* From when until when something is lost. */
struct gap {
        sd_id128_t boot;
        int64_t from_us, until_us;
};

struct evidence {
        struct key_end *oldest, *newest;
        size_t n_ends;
        struct key_end *end_buckets[EVIDENCE_BUCKETS];
        struct slot_taken *slot_buckets[EVIDENCE_BUCKETS];
        struct gap gaps[EVIDENCE_GAPS_MAX];
        size_t n_gaps;
};

void evidence_clear(struct evidence *evidence);

/* Takes in what an event says about the time before it; a second time changes nothing. False without memory. */
bool evidence_add(struct evidence *evidence, const struct log_event *event);

/* The entry that evidence_add() made of the event of a key's end. NULL: it was dropped at the limit. */
struct key_end *evidence_of_end(struct evidence *evidence, const struct log_event *event);

/*
 * The next key that process `pid` took a slot of, as a connection that was heard of from `first_us` to `last_us`. `after`
 * is the one before, or NULL. NULL: there is none.
 */
struct slot_taken *evidence_slot(struct evidence *evidence, sd_id128_t boot, uint64_t pid, int64_t first_us,
                                 int64_t last_us, struct slot_taken *after);

/* How many pushes of that key for that user lived at `us` of which it is proven that `pid` took no slot. */
size_t evidence_not_taken(const struct evidence *evidence, sd_id128_t boot, const char *user, const char *fingerprint,
                          uint64_t pid, int64_t us);

/* Whether something is lost of that time. */
bool evidence_gap(const struct evidence *evidence, sd_id128_t boot, int64_t from_us, int64_t until_us);

#endif
