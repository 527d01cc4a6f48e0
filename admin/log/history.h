/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joins events and lines of sshd, as they come out of the journal, into stories.
 *
 * 1. A connection is its sshd process: the helper names it in EXC_SSHD_PID, and sshd's own lines have it in _PID. A pid is
 *    used again, so a connection is over with the last line that sshd writes of it, or when nothing was heard of it for
 *    longer than anybody may take to log in, or with the boot.
 * 2. The journal gets events through one socket and sshd's lines through another, so two that were sent one after the
 *    other may come out the other way round. Nothing is settled until two seconds after a connection's last line.
 * 3. A push is identified by user, fingerprint, principal and request: the same key in two pushes of one request is one story
 *    too few at worst.
 * 4. Events can be lost. A message is proven by entries, or it is a statement about the journal: docs/log.md lists what
 *    each one needs. Events about the time before them go to history_foresee() first.
 * 5. All that is remembered has limits. Beyond them the oldest is dropped: it is reported as far as it is known.
 */
#ifndef EXC_HISTORY_H
#define EXC_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/log/log_event.h"
#include "admin/log/story.h"

enum {
        HISTORY_STORIES_MAX = 16384,
        HISTORY_PUSHES_MAX = 8192,
        HISTORY_ENDS_MAX = 32768, /* of keys; beyond that the oldest is forgotten */
        HISTORY_GAPS_MAX = 1024,  /* beyond that the last one grows */
};

/* Which stories are reported, and to which function. */
struct history_view {
        const char *user; /* an account's own name; NULL: of all users */
        int64_t from_us;  /* events before that are not read; 0: all are */
        int64_t since_us; /* stories of which nothing was heard since are left out */
        bool all;         /* connections that have nothing to do with a pushed key as well */
        /* The account's own name, or `user`: sshd writes a name as it was typed. Valid until the next call. */
        const char *(*own_name)(void *context, const char *user);
        /* Asked about sessions of which no end is known: whether that process is an sshd's, on this boot. */
        bool (*running)(sd_id128_t boot, uint64_t pid);
        void (*tell)(void *context, const struct story *story);
        void *context;
};

struct history;

/* -ENOMEM. What `view` points to must outlive it. */
int history_new(const struct history_view *view, struct history **ret);
void history_free(struct history *history);

/*
 * Takes in what an event that history_add() gets later says about the time before it: uses and losses. -ENOMEM.
 */
int history_foresee(struct history *history, const struct log_event *event);

/* The next event. -ENOMEM: it is not taken in. */
int history_add(struct history *history, const struct log_event *event);

/*
 * From here on, stories are reported as they happen: a connection that is let in when its session opens, and once more when
 * that closes. Before, each is reported once, in the order in which they began.
 */
void history_follow(struct history *history);

/* Tells what is settled by now. Milliseconds until there may be more; -1: only after the next event. */
int history_tick(struct history *history, int64_t now_us);

/* Tells all the rest. */
void history_end(struct history *history);

#endif
