/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An entry of the journal that the log is made of: an event of ours, or a line of sshd.
 *
 * Anybody on this machine can write to the journal, with any message, MESSAGE_ID, identifier and EXC_ field. What nobody
 * can choose are the fields whose name begins with an underscore. So an event counts only when it comes from the user
 * that sends such events, and a line of sshd only when it comes from root and from a program called sshd.
 *
 * The journal looks up a sender's program when the entry arrives. Of a process that is gone by then it has only what came
 * with the message, _PID, _UID and _GID. sshd's last words are often such entries; so is what a short-lived program of
 * root's writes. They are handed out as not certain.
 */
#ifndef EXC_LOG_EVENT_H
#define EXC_LOG_EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-id128.h>
#include <systemd/sd-journal.h>

#include "admin/log/sshd_line.h"
#include "common/grant.h"

#define LOG_LIFE_MAX_US (INT64_C(86400) * 1000 * 1000) /* MaxTtl's own limit: no key lives longer */

enum log_event_kind {
        LOG_EVENT_RECEIVED = 1,
        LOG_EVENT_REFUSED,
        LOG_EVENT_CLAIMED,
        LOG_EVENT_NO_SLOT,
        LOG_EVENT_EXPIRED,
        LOG_EVENT_REVOKED,
        LOG_EVENT_HELPER_FAILURE,
        LOG_EVENT_SSHD,
        LOG_EVENT_LOST,    /* the agent says that events of its own are lost */
        LOG_EVENT_DROPPED, /* the journal says that it dropped what our service or sshd's wrote (RateLimitBurst=) */
};

struct log_event {
        enum log_event_kind kind;
        int64_t at_us;   /* when it happened, since 1970 */
        int64_t sent_us; /* when the journal got it; later where an event of the agent's had to wait */
        sd_id128_t boot;
        uint64_t pid; /* of the connection's sshd process; 0: it is about none, or does not say */
        char user[GRANT_USER_MAX];
        char fingerprint[SSHD_LINE_FINGERPRINT_MAX];
        char principal[GRANT_LABEL_MAX];
        char request_id[GRANT_LABEL_MAX];
        char reason[64];
        char message[1024];    /* of ours */
        struct sshd_line line; /* of LOG_EVENT_SSHD */
        bool certain; /* of LOG_EVENT_SSHD: the journal saw that the sender is sshd; else only that it is root */

        /* Of a key's end. */
        int64_t stored_us; /* 0: it does not say */
        bool slots_final;  /* no more slots can be taken */
        unsigned n_taken;  /* slots */
        size_t n_pids;     /* of the connections that took them; fewer where a slot names nobody */
        uint64_t pids[GRANT_CONNECTIONS_MAX];

        /* Of any event of the agent's, and of LOG_EVENT_DROPPED. */
        uint64_t n_lost;       /* events, or messages, that the journal does not have */
        int64_t lost_since_us; /* 0: it is not known since when */
        char unit[128];        /* of LOG_EVENT_DROPPED */
};

/* Who sends events. */
struct log_senders {
        uid_t agent, helper;
};

/* By the names of the package's users. -ENOENT when there is no such user. */
int log_senders_find(struct log_senders *ret);

/* So that the journal hands out nothing else, as far as its index goes. Negative errno. */
int log_event_match(sd_journal *journal, const struct log_senders *senders);

/* The same for events of ours alone. */
int log_event_match_ours(sd_journal *journal, const struct log_senders *senders);

/* The same for events about the time before them: the agent's, and those about what the journal dropped. */
int log_event_match_evidence(sd_journal *journal, const struct log_senders *senders);

/* The current entry. 1; 0: it is none that counts; negative errno: the journal cannot be read. */
int log_event_read(sd_journal *journal, const struct log_senders *senders, struct log_event *ret);

#endif
