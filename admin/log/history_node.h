/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered while the journal is read, and the stories of it that are not told yet. */
#ifndef EXC_HISTORY_NODE_H
#define EXC_HISTORY_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "admin/log/history_evidence.h"
#include "admin/log/history_view.h"
#include "admin/log/story.h"

#define US_PER_S INT64_C(1000000)
#define SETTLE_US (2 * US_PER_S)
#define SILENCE_US (600 * US_PER_S) /* nobody takes so long to log in: LoginGraceTime is two minutes */
#define NEARBY_US (600 * US_PER_S)  /* a refused connection is likely to be about a push that was so long ago */

enum {
        BUCKETS = 1024,
        OFFERS_MAX = 6, /* sshd's MaxAuthTries */
};

/* A pushed key that the helper was asked for. */
struct offer {
        char *user, *fingerprint, *principal, *request_id;
        int64_t pushed_us;
        bool given;
        bool inferred;   /* not from an event of its own, but from that of the key's end */
        bool event_lost; /* the same, and its own would have been read */
};

struct node {
        struct node *previous, *next; /* in the order in which they began */
        struct node *bucket_next;
        struct node *queue_next;
        struct story story;
        struct pushed *push; /* of a STORY_PUSH */
        bool in_bucket, queued, settled;
        bool told_open;

        struct offer offers[OFFERS_MAX];
        size_t n_offers;
        bool of_sshd;      /* a line of its own is known */
        bool certain;      /* one of them is, that it is sshd's */
        bool of_push;      /* it may have to do with a push that is known */
        bool was_in;       /* what sshd or PAM only write of somebody who logged in */
        bool before_login; /* it ended, and sshd says that nobody had logged in */
        bool unnamed_key;  /* sshd accepted a key, and named it in another form than SHA256 */
        bool ended, no_such_user, user_refused, wrong_source, account_refused, too_many, timeout;
        char *failed_fingerprint, *accepted_fingerprint, *helper_failure;
        char *detail;     /* of what sshd or PAM does not allow */
        char *end_detail; /* why sshd ended it */
        int64_t queued_us;
};

struct queue {
        struct node *first, *last;
};

struct history {
        struct history_view view;
        bool follow, out_of_memory;
        sd_id128_t boot;
        int64_t now_us, swept_us;

        struct node *first, *last;
        size_t n;
        struct node *buckets[BUCKETS];
        struct queue over;    /* ended; to be settled */
        struct queue opening; /* accepted; a session may open */

        struct pushed *oldest, *newest;
        size_t n_pushed, n_unseen;

        struct evidence evidence;
};

static inline const char *text_of(const char *text) {
        return text ? text : "";
}

/* Nothing is the same as "". */
static inline bool same_text(const char *a, const char *b) {
        return strcmp(text_of(a), text_of(b)) == 0;
}

/* A copy, unless there is nothing to copy. Without memory the text stays what it was, and history_add() says so. */
void history_set(struct history *history, char **text, const char *value);
void history_say(struct history *history, struct story *story, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Adds one of what an event of the helper's, or the end of a key, says. NULL: there are enough. */
struct offer *node_add_offer(struct history *history, struct node *node, const char *user, const char *fingerprint,
                             const char *principal, const char *request_id);

/* Adds the keys of which the connection took a slot by the event of their end, but by no event of the helper's. */
void node_infer_offers(struct history *history, struct node *node);

/* At its place in the order of time; NULL without memory. */
struct node *node_new(struct history *history, enum story_kind kind, int64_t at_us);
void node_free(struct history *history, struct node *node);

/* Where connections are found by their pid. */
struct node **node_bucket(struct history *history, uint64_t pid);
void node_leave_bucket(struct history *history, struct node *node);

void queue_add(struct queue *queue, struct node *node, int64_t now_us);
void queue_remove(struct queue *queue, struct node *node);

#endif
