/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered while the journal is read: stories that are not reported yet, pushed keys, and what their ends prove. */
#ifndef EXC_HISTORY_INTERNAL_H
#define EXC_HISTORY_INTERNAL_H

#include <string.h>
#include <sys/queue.h>

#include "admin/log/history.h"

/* Of the BSDs; glibc does not have it. */
#define TAILQ_FOREACH_SAFE(var, head, field, next)                                                                     \
        for ((var) = TAILQ_FIRST(head); (var) && ((next) = TAILQ_NEXT(var, field), 1); (var) = (next))

#define US_PER_S INT64_C(1000000)
#define SETTLE_US (2 * US_PER_S)
#define SILENCE_US (600 * US_PER_S) /* nobody takes so long to log in: LoginGraceTime is two minutes */
#define NEARBY_US (600 * US_PER_S)  /* a refused connection is likely to be about a push that was so long ago */

enum {
        BUCKETS = 1024,
        FAILURES_MAX = 64,
};

/* --- connections and other stories -------------------------------------------------------------------------------- */

/* A pushed key that the helper was asked for. */
struct offer {
        char *user, *fingerprint, *principal, *request_id;
        int64_t pushed_us;
        int64_t at_us;    /* when the helper was last asked; 0: it is inferred */
        int64_t ended_us; /* inferred from the event of its end at that time; 0: it is not */
        bool given;
        bool inferred;   /* not from an event of its own, but from that of the key's end, or of another key's use */
        bool event_lost; /* the same, and its own would have been read */
        char *together;  /* inferred from this key of the same request, which the connection was given */
};

TAILQ_HEAD(nodes, node);

struct node {
        TAILQ_ENTRY(node) in_order; /* in which they began */
        LIST_ENTRY(node) in_bucket;
        TAILQ_ENTRY(node) in_queue;
        struct nodes *queue; /* NULL: it is in none */
        int64_t queued_us;
        struct story story;
        struct pushed *push; /* of a STORY_PUSH */
        int64_t dropping_us; /* of a STORY_DROP of several: for so long before */
        bool bucketed, settled;
        bool reported_open;
        bool of_end; /* a connection that a key's end names, while its own story may have been reported before */

        struct offer offers[STORY_KEYS_MAX];
        size_t n_offers;
        bool begun;        /* more than its session, or the end of that, is known */
        bool of_sshd;      /* a line of its own is known */
        bool certain;      /* one of them is, that it is sshd's */
        bool of_push;      /* it may have to do with a push that is known */
        bool was_in;       /* what sshd or PAM only write of a client that logged in */
        bool left;         /* sshd wrote that it is over; the session closes at once */
        bool before_login; /* it ended, and sshd says that nobody had logged in */
        bool unnamed_key;  /* sshd accepted a key, and named it in another form than SHA256 */
        bool certificate;  /* sshd accepted a certificate */
        bool partial;      /* sshd accepted a key, and asked for more */
        bool ended, no_such_user, user_refused, wrong_source, account_refused, too_many, timeout;
        int64_t failed_us; /* when sshd refused the failed key */
        char *failed_fingerprint, *accepted_fingerprint, *partial_fingerprint;
        char *helper_failure;
        char *key_refused;     /* sshd's reason not to look at a key */
        char *command_failure; /* sshd's AuthorizedKeysCommand gave it nothing */
        char *user_detail;     /* why sshd refuses the user */
        char *pam_detail;      /* what a module of PAM said of the account */
        char *source;          /* that a key is for */
        char *end_detail;      /* why sshd ended it */
};

/* Of exc-authorized-keys, for a connection that it could not identify. */
struct failure {
        STAILQ_ENTRY(failure) next;
        sd_id128_t boot;
        int64_t at_us;
        char *user, *message;
};

/* --- pushed keys ---------------------------------------------------------------------------------------------------- */

enum push_end {
        PUSH_LIVES, /* no end of it is known */
        PUSH_EXPIRED,
        PUSH_REVOKED,
        PUSH_RESTARTED, /* the machine was */
};

TAILQ_HEAD(pushes, pushed);

struct pushed {
        TAILQ_ENTRY(pushed) by_time;
        struct node *unused; /* its story, until a use is known */
        char *user, *fingerprint, *principal, *request_id;
        int64_t at_us; /* when it was stored; if `unseen`, when it was first used */
        int64_t ended_us;
        enum push_end end;
        bool unseen;       /* known from its use alone */
        bool clock_set;    /* it expired before its time, by the agent's event */
        bool proven;       /* by its end, no connection took a slot */
        bool used_another; /* the connections that its end names used another key of the push */
        bool used;         /* by a connection that was given another key of its request */
        bool login;        /* a connection logged in with the key; that it was given the key is not known */
        uint64_t *pids;    /* connections that the helper gave it to */
        size_t n_pids;
};

/*
 * The end of a key names the connections that took a slot of it. That proves uses whose own events are lost, and where the
 * list is final, also that another connection did not take one.
 */
struct slot_taken {
        LIST_ENTRY(slot_taken) in_bucket;
        const struct key_end *end;
        uint64_t pid;
        bool reported; /* a story has it */
};

struct key_end {
        TAILQ_ENTRY(key_end) by_time;
        LIST_ENTRY(key_end) in_bucket; /* by `at_us` */
        sd_id128_t boot;
        int64_t at_us;
        int64_t stored_us; /* 0: it does not say */
        int64_t from_us;   /* the same; or the longest that a key can live before its end */
        char *user, *fingerprint, *principal, *request_id;
        bool final; /* no other connection took a slot */
        size_t n;
        struct slot_taken slots[];
};

/* From when until when something is lost: missing entries of that time prove nothing. */
struct gap {
        sd_id128_t boot;
        int64_t from_us, until_us;
};

struct evidence {
        TAILQ_HEAD(, key_end) ends;
        size_t n_ends;
        LIST_HEAD(, key_end) end_buckets[BUCKETS];
        LIST_HEAD(slot_list, slot_taken) slot_buckets[BUCKETS];
        struct gap gaps[HISTORY_GAPS_MAX];
        size_t n_gaps;
};

/* --- all of it ------------------------------------------------------------------------------------------------------ */

struct history {
        struct history_view view;
        bool follow, out_of_memory;
        bool rebooted; /* entries of an earlier boot were read, and what was pushed then is forgotten */
        sd_id128_t boot;
        int64_t now_us, swept_us;

        struct nodes nodes;
        size_t n;
        LIST_HEAD(, node) buckets[BUCKETS];
        struct nodes over;    /* ended; to be settled */
        struct nodes opening; /* accepted; a session may open */

        struct pushes pushes;
        size_t n_pushed, n_unseen;

        STAILQ_HEAD(, failure) failures;
        size_t n_failures;
        struct evidence evidence;
};

static inline const char *text_of(const char *text) {
        return text ? text : "";
}

/* NULL is the same as "". */
static inline bool same_text(const char *a, const char *b) {
        return strcmp(text_of(a), text_of(b)) == 0;
}

/* A copy, unless `value` is NULL or "". Without memory the text stays what it was, and history_add() fails. */
void history_set(struct history *history, char **text, const char *value);
void history_say(struct history *history, struct story *story, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* A story at its place in the order of time; NULL without memory. */
struct node *node_new(struct history *history, enum story_kind kind, int64_t at_us);
void node_free(struct history *history, struct node *node);

/* Adds a key that the helper was asked for; copies the texts. NULL: there are STORY_KEYS_MAX. */
struct offer *node_add_offer(struct history *history, struct node *node, const char *user, const char *fingerprint,
                             const char *principal, const char *request_id);

/* Each node is in one queue at most: in the one that it is in already, where it is in one. */
void node_queue(struct history *history, struct nodes *queue, struct node *node);
void node_leave_queue(struct node *node);

/* Reports a node of which nothing more is expected, in its turn. It may be gone afterwards. */
void node_settle(struct history *history, struct node *node);

/* Reports a connection that was let in, once, where the journal is followed. */
void node_tell_open(struct history *history, struct node *node);

/* Before a node is added: where there are HISTORY_STORIES_MAX, reports some before their turn. */
void history_make_room(struct history *history);

/* Drops the oldest failure; there must be one. */
void history_forget_failure(struct history *history);

/* --- history_events.c ------------------------------------------------------------------------------------------------ */

/* Adds an event to the story that it is about, or to a new one. Without memory, sets `out_of_memory`. */
void event_take(struct history *history, const struct log_event *event);

/* --- history_keys.c -------------------------------------------------------------------------------------------------- */

/* A push in the order of time, without a story. NULL without memory. */
struct pushed *pushed_new(struct history *history, const struct log_event *event, bool unseen);
void pushed_free(struct history *history, struct pushed *push);

/* The event of an unseen push came: it was stored at `at_us`. */
void pushed_seen(struct history *history, struct pushed *push, int64_t at_us);

/* The push without a known end that an event of the helper, or of the agent, is about. NULL: it is not known. */
struct pushed *pushed_claimed(struct history *history, const struct log_event *event);
struct pushed *pushed_ended(struct history *history, const struct log_event *event);

/* Whether the event of that push has been read before. */
bool pushed_is_known(const struct history *history, const struct log_event *event);

/* The unseen push that an event of the agent's is about. NULL: there is none. */
struct pushed *pushed_unseen(struct history *history, const struct log_event *event);

/* Records a use by process `pid`, or by an unknown one (0), and drops the story that it is not used. */
void pushed_use(struct history *history, struct pushed *push, uint64_t pid);
bool pushed_used_by(const struct pushed *push, uint64_t pid);

/* The newest push of a key before `until_us`, of that user before others. NULL: there is none. */
struct pushed *pushed_key(struct history *history, const char *fingerprint, const char *user, int64_t until_us);

/* Whether one request made all pushes of the key for its user that may have lived at `us`. */
bool pushed_by_one_request(const struct history *history, const struct pushed *push, int64_t us);

/* The last push for its user before a connection was refused, and not long before. */
struct pushed *pushed_before(struct history *history, const struct story *story);

/* False where it is known to have ended by then. */
bool pushed_lived_at(const struct pushed *push, int64_t us);

/* Whether there was any shortly before, for `user` where that is not NULL. */
bool pushed_shortly_before(const struct history *history, const struct story *story, const char *user);

void evidence_init(struct evidence *evidence);
void evidence_clear(struct evidence *evidence);

/* Takes in what an event says about the time before it; a second time changes nothing. False without memory. */
bool evidence_add(struct evidence *evidence, const struct log_event *event);

/* The entry that evidence_add() made of the event of a key's end. NULL: it was dropped at the limit. */
struct key_end *evidence_of_end(struct evidence *evidence, const struct log_event *event);

/* Whether an event says that the helper gave `pid` a key of the end's request. */
bool evidence_use_known(const struct history *history, const struct key_end *end, uint64_t pid);

/* Adds the keys of which the connection took a slot by the event of their end, but by no event of the helper's. */
void evidence_infer_offers(struct history *history, struct node *node);

/* Whether each push of the accepted key that is known to have lived then has an end that does not name the connection. */
bool evidence_not_taken(const struct history *history, const struct story *story);

/* Whether something is known to be lost of that time. */
bool evidence_gap(const struct evidence *evidence, sd_id128_t boot, int64_t from_us, int64_t until_us);

/* --- history_explain.c ----------------------------------------------------------------------------------------------- */

/* Fills in outcome, reason and whose request it was, by what is known by now. */
void node_explain(struct history *history, struct node *node);

/* Whether it belongs to what was pushed, or may well do so. */
bool node_concerns(const struct history *history, const struct node *node);

/* Whose request it was. */
void node_take_push(struct history *history, struct node *node, const struct pushed *push);

#endif
