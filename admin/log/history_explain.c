/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages, and the entries that each one needs. Any event, and any line of sshd's, can be lost, so a missing entry
 * proves nothing: messages marked * are statements about the journal, made by say_absent(), which also says where
 * something of that time is known to be lost.
 *
 *   accepted                        sshd's line "Accepted"; or lines that sshd and PAM write of logged-in users alone
 *     asked by, request, key        the fingerprint in that line, and the helper's event or the end of the key, which
 *                                   name the process
 *     the event of this use ...     the end of the key names the process *
 *     the key was pushed, but not   every push of the key that lived then has an end that names all connections,
 *     asked for                     and not this one; nothing of that time is lost
 *     its event is lost, or ...     the agent's event of the push *
 *     by another key                both fingerprints
 *     in another way                sshd's line names another method, and no line "Partial" is there *
 *   refused                         sshd's line about the end, which says that nobody had logged in
 *     sshd does not let, PAM does not let, the key is for clients from, there is no such user, it took longer,
 *     sshd gave up, too many keys   sshd's, or PAM's, line
 *     the helper's own words        its event
 *     other connections hold        the helper's event
 *     expired, was revoked before   the events of the helper and of the key's end
 *     did not show                  the helper's event, and no other reason is there *
 *     the key was pushed for U      the agent's event, and sshd's line with the key
 *     the key had expired           the events of the push and of its end, and no other push is there *
 *     no push, no offer             nothing is there *
 *   unknown                         nothing is there that says more *
 *     sshd gave up                  sshd's line, which does not say whether somebody had logged in
 *   not used                        the end of the key says that no slot was taken, once and for all
 *   waiting                         no end and no use is there *
 *   not pushed                      the agent's event
 *   lost                            the agent's event, or the journal's own
 */
#include "admin/log/history_explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/output.h"

#define LOOK_BACK_US (3600 * US_PER_S) /* that long before, a lost event still matters: log.c reads as much */

/* Sets a message that is concluded from entries that are not there. */
__attribute__((format(printf, 3, 4))) static void say_absent(struct history *history, struct story *story,
                                                             const char *format, ...) {
        bool until_now = story->kind == STORY_PUSH && story->last_us == story->at_us;
        va_list arguments;
        char text[1024];

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        story->incomplete = evidence_gap(&history->evidence, story->boot, story->at_us - LOOK_BACK_US,
                                         until_now ? INT64_MAX : story->last_us);
        history_say(history, story, "%s%s", text,
                    story->incomplete ? "; events of that time are lost, or came late" : "");
}

static const char *past(const struct pushed *push) {
        switch (push->end) {
        case PUSH_EXPIRED:
                return WHY_EXPIRED;
        case PUSH_REVOKED:
                return WHY_REVOKED;
        case PUSH_RESTARTED:
                return WHY_RESTART;
        case PUSH_LIVES:
                break;
        }
        return NULL;
}

void node_take_push(struct history *history, struct node *node, const struct pushed *push) {
        struct story *story = &node->story;

        node->of_push = true;
        history_set(history, &story->fingerprint, push->fingerprint);
        history_set(history, &story->principal, push->principal);
        history_set(history, &story->request_id, push->request_id);
        story->pushed_us = push->unseen ? 0 : push->at_us;
}

/* --- connections that were refused ------------------------------------------------------------------------------ */

/* sshd named the key that it refused. */
static void explain_key(struct history *history, struct node *node) {
        struct story *story = &node->story;
        struct pushed *push = pushed_key(history, node->failed_fingerprint, story->user);
        char before[DURATION_MAX];

        history_set(history, &story->fingerprint, node->failed_fingerprint);
        if (!push) {
                story->why = WHY_NOT_PUSHED;
                say_absent(history, story, "no push of this key is in the journal before that");
                return;
        }
        node_take_push(history, node, push);
        if (!same_text(push->user, story->user)) {
                story->why = WHY_OTHER_USER;
                say_absent(history, story, "the key was pushed for %s", push->user);
        } else if (!pushed_lived_at(push, story->last_us)) {
                duration_text((story->last_us - push->ended_us) / US_PER_S, before);
                story->why = past(push);
                say_absent(history, story, "the key had %s, %s before",
                           push->end == PUSH_EXPIRED ? "expired" : "been revoked", before);
        } else {
                story->why = WHY_NOT_OFFERED;
                say_absent(history, story,
                           "sshd did not accept the key, and that it asked for the key is not in the journal");
        }
}

/* Most likely it was about the last push for that user: whose that was. The key is not known. */
static struct pushed *guess_push(struct history *history, struct node *node) {
        struct story *story = &node->story;
        struct pushed *push = pushed_before(history, story);

        if (push) {
                node->of_push = true;
                story->pushed_us = push->unseen ? 0 : push->at_us;
                history_set(history, &story->principal, push->principal);
                history_set(history, &story->request_id, push->request_id);
        }
        return push;
}

/* sshd did not say which keys it refused: it does with LogLevel VERBOSE. The journal has no event of the helper's. */
static void explain_silence(struct history *history, struct node *node) {
        struct story *story = &node->story;
        struct pushed *push = guess_push(history, node);
        char before[DURATION_MAX];

        if (!push) {
                story->why = WHY_NOT_PUSHED;
                say_absent(history, story, "no push for this user is in the journal in the %d minutes before",
                           (int)(NEARBY_US / US_PER_S / 60));
                return;
        }
        if (pushed_lived_at(push, story->last_us)) {
                story->why = WHY_NOT_OFFERED;
                say_absent(history, story, "no offer of the last key that was pushed, %s, is in the journal",
                           push->fingerprint);
        } else {
                duration_text((story->last_us - push->ended_us) / US_PER_S, before);
                story->why = past(push);
                say_absent(history, story,
                           "no offer of a live key is in the journal; the last one, %s, had %s, %s before",
                           push->fingerprint, push->end == PUSH_EXPIRED ? "expired" : "been revoked", before);
        }
}

/* Whether it was of that push. The event of a key's end has the time by another clock than the journal. */
static bool is_offer_of(const struct offer *offer, const struct pushed *push) {
        return offer->pushed_us == 0 ? push->unseen : llabs(push->at_us - offer->pushed_us) < SETTLE_US;
}

/* The helper was asked for a pushed key. */
static void explain_offer(struct history *history, struct node *node, const struct offer *offer) {
        struct story *story = &node->story;
        struct pushed *push = pushed_key(history, offer->fingerprint, offer->user);

        if (!offer->given) {
                story->why = WHY_USED_UP;
                history_say(history, story, "other connections hold all places of the key");
        } else if (push && is_offer_of(offer, push) && !pushed_lived_at(push, story->last_us)) {
                story->why = past(push);
                history_say(history, story, "the key was offered in time, but %s before the client had signed with it",
                            push->end == PUSH_EXPIRED ? "expired" : "was revoked");
        } else {
                story->why = WHY_NO_PROOF;
                say_absent(history, story, "the client did not show that it has the private key");
        }
}

/* What sshd itself said, or the helper; true where that is the reason. */
static bool explain_said(struct history *history, struct node *node) {
        struct story *story = &node->story;
        const char *detail = text_of(node->detail);

        if (node->user_refused) {
                story->why = WHY_USER_NOT_ALLOWED;
                history_say(history, story, "sshd does not let this user log in: %s", detail);
        } else if (node->account_refused) {
                story->why = WHY_ACCOUNT_REFUSED;
                history_say(history, story, "PAM does not let this user log in%s%s", *detail ? ": " : "", detail);
        } else if (node->wrong_source) {
                story->why = WHY_WRONG_SOURCE;
                history_say(history, story, "the key is for clients from %s", detail);
        } else if (node->helper_failure) {
                story->why = WHY_HELPER_FAILURE;
                history_say(history, story, "%s", node->helper_failure);
        } else if (node->no_such_user) {
                story->why = WHY_NO_SUCH_USER;
                history_say(history, story, "there is no such user");
        } else if (node->timeout) {
                story->why = WHY_TIMEOUT;
                history_say(history, story, "it took longer than sshd waits (LoginGraceTime)");
        } else if (node->n_offers > 0 && node->end_detail) {
                story->why = WHY_SSHD_FAILURE;
                history_say(history, story, "sshd gave up: %s", node->end_detail);
        } else if (node->too_many && node->n_offers == 0) {
                story->why = WHY_TOO_MANY;
                history_say(history, story, "the client offered too many keys (MaxAuthTries)");
        } else
                return false;
        return true;
}

/* The last one that was given out, else the last one; those with an event of their own first. */
static const struct offer *offer_of(const struct node *node) {
        const struct offer *found = NULL;

        for (size_t i = 0; i < node->n_offers; i++) {
                const struct offer *offer = &node->offers[i];

                if (!found || (!offer->inferred && (offer->given || !found->given)) ||
                    (offer->inferred && offer->given && !found->given))
                        found = offer;
        }
        return found;
}

static void take_offer(struct history *history, struct story *story, const struct offer *offer) {
        history_set(history, &story->user, offer->user);
        history_set(history, &story->fingerprint, offer->fingerprint);
        history_set(history, &story->principal, offer->principal);
        history_set(history, &story->request_id, offer->request_id);
        story->pushed_us = offer->pushed_us;
        story->event_lost = offer->event_lost;
}

/* The line that lets somebody in may be lost: that it is missing is no proof. */
static bool was_refused(const struct node *node) {
        return node->before_login || node->account_refused || node->timeout || node->too_many;
}

static void explain_refusal(struct history *history, struct node *node) {
        const struct offer *offer = offer_of(node);
        struct story *story = &node->story;
        struct pushed *push;

        story->outcome = STORY_REFUSED;
        if (offer)
                take_offer(history, story, offer);
        if (explain_said(history, node)) {
                if (offer)
                        return;
                if (!node->failed_fingerprint) {
                        (void)guess_push(history, node);
                        return;
                }
                history_set(history, &story->fingerprint, node->failed_fingerprint);
                push = pushed_key(history, node->failed_fingerprint, story->user);
                /* A name that was misspelt is nobody's: the key tells who was meant. */
                if (push && (node->no_such_user || same_text(push->user, story->user)))
                        node_take_push(history, node, push);
        } else if (offer)
                explain_offer(history, node, offer);
        else if (node->failed_fingerprint)
                explain_key(history, node);
        else
                explain_silence(history, node);
}

/* --- connections that were let in ------------------------------------------------------------------------------- */

/* Whether for each push of the key that lived then, its end proves that this connection took no slot. */
static bool proven_not_asked_for(const struct history *history, const struct story *story) {
        size_t n = evidence_not_taken(&history->evidence, story->boot, text_of(story->user),
                                      text_of(story->fingerprint), story->pid, story->accepted_us);

        return n > 0 && n >= pushed_count_at(history, story->fingerprint, story->user, story->accepted_us) &&
               !evidence_gap(&history->evidence, story->boot, story->at_us - LOOK_BACK_US, story->last_us);
}

/* Accepted, but by none of the keys that the helper gave. */
static void explain_other_key(struct history *history, struct node *node, const struct offer *other) {
        struct story *story = &node->story;
        const char *before = other->request_id ? " (request " : "", *after = other->request_id ? ")" : "";

        if (node->accepted_fingerprint)
                history_say(history, story, "by another key, not by the pushed key %s%s%s%s, which was offered too",
                            other->fingerprint, before, text_of(other->request_id), after);
        else if (node->unnamed_key)
                say_absent(history, story,
                           "sshd named the key in another form than SHA256 (FingerprintHash); the pushed key "
                           "%s%s%s%s was offered",
                           other->fingerprint, before, text_of(other->request_id), after);
        else
                say_absent(history, story, "in another way, not by the pushed key %s%s%s%s, which was offered too",
                           other->fingerprint, before, text_of(other->request_id), after);
}

/* Which key opened it, and whose request that was. */
static void explain_acceptance(struct history *history, struct node *node) {
        struct story *story = &node->story;
        const struct offer *other = offer_of(node), *offer = NULL;
        struct pushed *push;

        story->outcome = STORY_ACCEPTED;
        history_set(history, &story->fingerprint, node->accepted_fingerprint);
        if (node->ended && story->opened_us == 0 && node->end_detail) {
                story->why = WHY_SSHD_FAILURE;
                history_say(history, story, "sshd gave up: %s", node->end_detail);
        }
        for (size_t i = 0; i < node->n_offers && !offer; i++)
                if (same_text(node->offers[i].fingerprint, node->accepted_fingerprint))
                        offer = &node->offers[i];
        if (story->accepted_us == 0) {
                offer = offer ? offer : other;
                say_absent(history, story, "sshd's line about how it was let in is not in the journal");
        }
        if (offer) {
                take_offer(history, story, offer);
                return;
        }
        if (story->accepted_us == 0)
                return;
        push = node->accepted_fingerprint ? pushed_key(history, node->accepted_fingerprint, story->user) : NULL;
        if (push && same_text(push->user, story->user)) {
                node_take_push(history, node, push);
                if (proven_not_asked_for(history, story))
                        history_say(history, story,
                                    "the key was pushed, but not asked for: it is authorized in another way too");
                else
                        say_absent(history, story,
                                   "the key was pushed, and that this connection was given it is not in the "
                                   "journal: its event is lost, or the key is authorized in another way too");
        } else if (other)
                explain_other_key(history, node, other);
}

/* --- all of them ------------------------------------------------------------------------------------------------ */

/* Appends that the connection is known from the key's end alone. */
static void say_event_is_lost(struct history *history, struct story *story) {
        char *text = story->message;

        story->message = NULL;
        history_say(history, story,
                    "%s%sthe event of this use is not in the journal, but the key's end names the connection",
                    text_of(text), text ? "; " : "");
        free(text);
}

static void explain_connection(struct history *history, struct node *node) {
        struct story *story = &node->story;
        const struct offer *offer;

        /* It may have been explained before, when less was known. */
        free(story->message);
        story->message = NULL;
        story->why = NULL;
        story->event_lost = story->incomplete = node->of_push = false;
        /* What is pushed, is for the account. */
        if (node->n_offers == 0 && story->user && !node->no_such_user)
                history_set(history, &story->user, history->view.own_name(history->view.context, story->user));
        node_infer_offers(history, node);
        offer = offer_of(node);
        if (story->accepted_us > 0 || node->was_in)
                explain_acceptance(history, node);
        else if ((node->ended || node->account_refused || node->timeout) && was_refused(node))
                explain_refusal(history, node);
        else if (node->ended && node->end_detail) {
                story->outcome = STORY_UNDECIDED;
                story->why = WHY_SSHD_FAILURE;
                if (offer)
                        take_offer(history, story, offer);
                say_absent(history, story, "sshd gave up: %s; whether it had let the client in is not in the journal",
                           node->end_detail);
        } else {
                story->outcome = STORY_UNDECIDED;
                if (offer)
                        take_offer(history, story, offer);
                say_absent(history, story,
                           node->of_sshd ? "what became of it is not in the journal"
                                         : "nothing of sshd's about it is in the journal, as with doctor's "
                                           "self-test; or somebody else may have run exc-authorized-keys");
        }
        if (story->event_lost)
                say_event_is_lost(history, story);
}

static void explain_push(struct history *history, struct node *node) {
        const struct pushed *push = node->push;
        struct story *story = &node->story;

        if (!push || push->end == PUSH_LIVES) {
                story->outcome = STORY_WAITING;
                say_absent(history, story, "no use of it is in the journal yet");
                return;
        }
        story->outcome = push->proven ? STORY_UNUSED : STORY_UNDECIDED;
        story->why = past(push);
        if (push->end == PUSH_RESTARTED)
                say_absent(history, story, "the machine was started again, and no use of it is in the journal");
        else if (push->proven)
                history_say(history, story, "%s before it was used", push->end == PUSH_EXPIRED ? "expired" : "revoked");
        else
                say_absent(history, story, "%s; %sno use of %s is in the journal",
                           push->end == PUSH_EXPIRED ? "expired" : "revoked",
                           push->used_another ? "another key of its push was used, and " : "",
                           push->used_another ? "this one" : "it");
}

void node_explain(struct history *history, struct node *node) {
        if (node->settled)
                return;
        if (node->story.kind == STORY_CONNECTION)
                explain_connection(history, node);
        else if (node->story.kind == STORY_PUSH)
                explain_push(history, node);
}

bool node_concerns(const struct history *history, const struct node *node) {
        const struct story *story = &node->story;

        if (story->kind != STORY_CONNECTION || node->n_offers > 0)
                return true;
        /* Root's programs may well repeat what others told them. */
        if (!story->user || (story->outcome == STORY_ACCEPTED && !node->certain))
                return false;
        if (history->view.all)
                return story->outcome != STORY_UNDECIDED;
        if (story->outcome == STORY_ACCEPTED)
                return node->of_push;
        if (story->outcome == STORY_REFUSED && node->of_push)
                return true;
        return story->outcome == STORY_REFUSED && !node->no_such_user && pushed_shortly_before(history, story);
}
