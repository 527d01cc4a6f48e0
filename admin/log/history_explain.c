/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said of a story. docs/log.md lists the evidence that each sentence needs. Any event, and any line of sshd's, can
 * be lost, so a missing entry proves nothing: what is concluded from one says what the journal does not have, and no more.
 * say_absent() makes such sentences; it adds where something of that time is known to be lost.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/log/history_internal.h"
#include "cli/output.h"

#define LOOK_BACK_US (3600 * US_PER_S) /* that long before, a lost event still matters: log.c reads as much */

/* Sets a sentence that is concluded from entries that are not there. */
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

/* Appends to what is said. */
__attribute__((format(printf, 3, 4))) static void say_more(struct history *history, struct story *story,
                                                           const char *format, ...) {
        char *before = story->message, text[1024];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        story->message = NULL;
        history_say(history, story, "%s%s%s", text_of(before), before ? "; " : "", text);
        free(before);
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

/* The ends that have an event. */
static const char *end_text(const struct pushed *push) {
        return push->end == PUSH_REVOKED ? "revoked"
               : push->clock_set         ? "expired (the clock was set, or the machine restored)"
                                         : "expired";
}

static const char *ended_text(const struct pushed *push) {
        return push->end == PUSH_REVOKED ? "been revoked" : end_text(push);
}

void node_take_push(struct history *history, struct node *node, const struct pushed *push) {
        struct story *story = &node->story;

        node->of_push = true;
        history_set(history, &story->fingerprint, push->fingerprint);
        history_set(history, &story->principal, push->principal);
        history_set(history, &story->request_id, push->request_id);
        story->pushed_us = push->unseen ? 0 : push->at_us;
}

/* Where several requests pushed the key, which one this is about is not known. */
static void take_key(struct history *history, struct node *node, const struct pushed *push, int64_t us) {
        if (pushed_by_one_request(history, push, us)) {
                node_take_push(history, node, push);
                return;
        }
        node->of_push = true;
        history_set(history, &node->story.fingerprint, push->fingerprint);
}

static void take_offer(struct history *history, struct story *story, const struct offer *offer) {
        history_set(history, &story->user, offer->user);
        history_set(history, &story->fingerprint, offer->fingerprint);
        history_set(history, &story->principal, offer->principal);
        history_set(history, &story->request_id, offer->request_id);
        story->pushed_us = offer->pushed_us;
        story->event_lost = offer->event_lost;
}

/* --- the keys of a connection ---------------------------------------------------------------------------------------- */

/* The end of a key proves a slot of its push, which may have other keys: not that this one was offered. */
static bool is_sure(const struct offer *offer) {
        return !offer->inferred || offer->together;
}

static bool is_accepted(const struct node *node, const struct offer *offer) {
        return !node->certificate && (same_text(offer->fingerprint, node->accepted_fingerprint) ||
                                      same_text(offer->fingerprint, node->partial_fingerprint));
}

/* The last one that was given, else the last one; those with an event of their own first. */
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

/* Whether the connection was given one key and no other. */
static bool one_given(const struct node *node) {
        size_t n = 0;

        for (size_t i = 0; i < node->n_offers; i++)
                n += node->offers[i].given;
        return n == 1;
}

/* Takes whose request the key was; and which key, where it is the only one that it can be. */
static void take_given(struct history *history, struct node *node, const struct offer *offer) {
        struct story *story = &node->story;

        if ((one_given(node) && is_sure(offer)) || !offer->given) {
                take_offer(history, story, offer);
                return;
        }
        history_set(history, &story->user, offer->user);
        story->event_lost = offer->event_lost;
        for (size_t i = 0; i < node->n_offers; i++)
                if (node->offers[i].given && (!same_text(node->offers[i].request_id, offer->request_id) ||
                                              !same_text(node->offers[i].principal, offer->principal)))
                        return;
        history_set(history, &story->principal, offer->principal);
        history_set(history, &story->request_id, offer->request_id);
        story->pushed_us = offer->pushed_us;
}

/* The end of its push names the connection, and the slot is known to be that of another of its keys. */
static void take_together(struct history *history, struct node *node, struct offer *accepted) {
        for (size_t i = 0; accepted->inferred && !accepted->together && i < node->n_offers; i++) {
                const struct offer *offer = &node->offers[i];

                if (offer->given && !offer->inferred && same_text(offer->request_id, accepted->request_id) &&
                    same_text(offer->principal, accepted->principal))
                        history_set(history, &accepted->together, offer->fingerprint);
        }
}

/*
 * The keys of a push share its slots, and the helper's event names the one that took the slot. A client that cannot sign
 * with that one logs in with another.
 */
static void infer_together(struct history *history, struct node *node) {
        const char *fingerprint = node->accepted_fingerprint ? node->accepted_fingerprint : node->partial_fingerprint;
        struct offer *added;
        struct pushed *at;

        for (size_t i = 0; i < node->n_offers; i++)
                if (same_text(node->offers[i].fingerprint, fingerprint)) {
                        take_together(history, node, &node->offers[i]);
                        return;
                }
        if (!fingerprint || node->certificate)
                return;
        TAILQ_FOREACH_REVERSE(at, &history->pushes, pushes, by_time)
                for (size_t i = 0; i < node->n_offers; i++) {
                        const struct offer *offer = &node->offers[i];

                        if (!offer->given || offer->inferred || at->at_us > node->story.last_us ||
                            !pushed_lived_at(at, node->story.at_us) || !same_text(at->fingerprint, fingerprint) ||
                            !same_text(at->user, offer->user) || !same_text(at->principal, offer->principal) ||
                            !same_text(at->request_id, offer->request_id))
                                continue;
                        at->used = true;
                        added = node_add_offer(history, node, at->user, fingerprint, at->principal, at->request_id);
                        if (!added)
                                return;
                        added->given = added->inferred = true;
                        added->pushed_us = at->unseen ? 0 : at->at_us;
                        history_set(history, &added->together, offer->fingerprint);
                        return;
                }
}

static void list_keys(struct node *node) {
        struct story *story = &node->story;

        story->n_keys = 0;
        for (size_t i = 0; i < node->n_offers; i++) {
                const struct offer *offer = &node->offers[i];

                if (!is_sure(offer) && !is_accepted(node, offer))
                        continue;
                story->keys[story->n_keys++] = (struct story_key){
                        .outcome = is_accepted(node, offer) ? STORY_KEY_ACCEPTED
                                   : offer->given           ? STORY_KEY_GIVEN
                                                            : STORY_KEY_USED_UP,
                        .fingerprint = offer->fingerprint,
                        .principal = offer->principal,
                        .request_id = offer->request_id,
                        .pushed_us = offer->pushed_us,
                };
        }
}

/* --- connections that were refused ----------------------------------------------------------------------------------- */

/* sshd named the key that it refused. */
static void explain_key(struct history *history, struct node *node) {
        struct story *story = &node->story;
        struct pushed *push = pushed_key(history, node->failed_fingerprint, story->user, story->last_us);
        char before[DURATION_MAX];

        history_set(history, &story->fingerprint, node->failed_fingerprint);
        if (!push) {
                story->why = WHY_NOT_PUSHED;
                say_absent(history, story, "no push of this key is in the journal in the hour before%s",
                           history->rebooted ? ", since the machine was started" : "");
                return;
        }
        take_key(history, node, push, story->last_us);
        if (!same_text(push->user, story->user)) {
                story->why = WHY_OTHER_USER;
                say_absent(history, story, "the key was pushed for %s", push->user);
        } else if (!pushed_lived_at(push, node->failed_us)) {
                duration_text((node->failed_us - push->ended_us) / US_PER_S, before);
                story->why = past(push);
                say_absent(history, story, "the key had %s, %s before", ended_text(push), before);
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
                node->of_push = story->likely = true;
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
                say_absent(history, story, "no push for this user is in the journal in the %d minutes before%s",
                           (int)(NEARBY_US / US_PER_S / 60),
                           history->rebooted ? ", since the machine was started" : "");
                return;
        }
        if (pushed_lived_at(push, story->last_us)) {
                story->why = WHY_NOT_OFFERED;
                say_absent(history, story,
                           "no offer of the last key that was pushed, %s, is in the journal: the client may not have "
                           "offered it, or sshd may not have asked exc-authorized-keys for it",
                           push->fingerprint);
        } else {
                duration_text((story->last_us - push->ended_us) / US_PER_S, before);
                story->why = past(push);
                say_absent(history, story,
                           "no offer of a live key is in the journal; the last one, %s, had %s, %s before",
                           push->fingerprint, ended_text(push), before);
        }
}

/* Whether it was of that push. The event of a key's end has the time by another clock than the journal. */
static bool is_offer_of(const struct offer *offer, const struct pushed *push) {
        if (!same_text(offer->request_id, push->request_id) || !same_text(offer->principal, push->principal))
                return false;
        return offer->pushed_us == 0 ? push->unseen : llabs(push->at_us - offer->pushed_us) < SETTLE_US;
}

/* The helper was asked for a pushed key. What the client did then, sshd writes with LogLevel VERBOSE alone. */
static void explain_offer(struct history *history, struct node *node, const struct offer *offer) {
        struct story *story = &node->story;
        struct pushed *push = pushed_key(history, offer->fingerprint, offer->user, story->last_us);

        if (!offer->given) {
                story->why = WHY_USED_UP;
                history_say(history, story,
                            "other connections hold all slots of the key; for a client that opens several, push "
                            "with --connections N, or 0");
                return;
        }
        story->why = WHY_NO_PROOF;
        if (push && story->fingerprint && is_offer_of(offer, push) && push->end != PUSH_LIVES &&
            !pushed_lived_at(push, story->last_us))
                say_absent(history, story,
                           "the key was given to sshd, and had %s when the connection ended; that the client signed "
                           "with it is not in the journal",
                           ended_text(push));
        else
                say_absent(
                        history, story,
                        "the key was given to sshd; that the client signed with it, or that sshd asked for more than "
                        "a key, is not in the journal");
}

/* What exc-authorized-keys reported while the connection was open, of one for this user that it could not identify. */
static const char *failure_near(const struct history *history, const struct story *story) {
        const struct failure *at;

        STAILQ_FOREACH(at, &history->failures, next)
                if (sd_id128_equal(at->boot, story->boot) && at->at_us + SETTLE_US >= story->at_us &&
                    at->at_us <= story->last_us + SETTLE_US && same_text(at->user, story->user))
                        return at->message;
        return NULL;
}

/* Why exc-authorized-keys was not asked, or could not answer; true where that is known. */
static bool explain_not_asked(struct history *history, struct node *node) {
        struct story *story = &node->story;
        const char *failure = failure_near(history, story);

        if (failure) {
                story->why = WHY_HELPER_FAILURE;
                history_say(history, story,
                            "exc-authorized-keys reported of a connection of this user at that time: %s", failure);
        } else if (node->command_failure) {
                story->why = WHY_COMMAND_FAILURE;
                history_say(history, story, "sshd took no key from its command: %s", node->command_failure);
        } else if (node->key_refused) {
                story->why = WHY_KEY_NOT_ACCEPTED;
                history_say(history, story, "sshd did not look at a key of this client: %s", node->key_refused);
        } else
                return false;
        return true;
}

/* match.c of OpenSSH compares addresses, and one with a zone is none to it. */
static const char zone_matches_nothing[] = ": the address of this client has a zone, and no range matches such a one";

/* What sshd itself said, or the helper; true where that is the reason. */
static bool explain_said(struct history *history, struct node *node) {
        struct story *story = &node->story;
        const char *pam = text_of(node->pam_detail);

        if (node->user_refused) {
                story->why = WHY_USER_NOT_ALLOWED;
                history_say(history, story, "sshd does not let this user log in: %s", text_of(node->user_detail));
        } else if (node->account_refused) {
                story->why = WHY_ACCOUNT_REFUSED;
                history_say(history, story, "PAM does not let this user log in%s%s", *pam ? ": " : "", pam);
        } else if (node->wrong_source) {
                story->why = WHY_WRONG_SOURCE;
                history_say(history, story, "sshd refused a key that is for clients from %s%s", text_of(node->source),
                            strchr(text_of(story->address), '%') ? zone_matches_nothing : "");
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
        } else if (node->partial) {
                story->why = WHY_MORE_NEEDED;
                history_say(history, story,
                            "sshd accepted %s and asked for more (AuthenticationMethods), which the client "
                            "did not give",
                            node->partial_fingerprint && same_text(node->partial_fingerprint, story->fingerprint)
                                    ? "the key"
                                    : "a key");
        } else if (node->too_many && node->n_offers == 0) {
                story->why = WHY_TOO_MANY;
                history_say(history, story, "the client tried too often (MaxAuthTries)");
        } else
                return node->n_offers == 0 && explain_not_asked(history, node);
        return true;
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
        for (size_t i = 0; i < node->n_offers; i++)
                if (is_accepted(node, &node->offers[i]))
                        offer = &node->offers[i];
        if (offer && is_accepted(node, offer))
                take_offer(history, story, offer);
        else if (offer)
                take_given(history, node, offer);
        if (explain_said(history, node)) {
                if (offer)
                        return;
                if (!node->failed_fingerprint) {
                        (void)guess_push(history, node);
                        return;
                }
                history_set(history, &story->fingerprint, node->failed_fingerprint);
                push = pushed_key(history, node->failed_fingerprint, story->user, story->last_us);
                /* A name that was misspelt is nobody's: the key tells who was meant. */
                if (push && (node->no_such_user || same_text(push->user, story->user)))
                        take_key(history, node, push, story->last_us);
        } else if (offer)
                explain_offer(history, node, offer);
        else if (node->failed_fingerprint)
                explain_key(history, node);
        else
                explain_silence(history, node);
}

/* --- connections that were let in ------------------------------------------------------------------------------------ */

/* sshd accepted a pushed key, and that the helper gave it is not known. */
static void explain_unasked(struct history *history, struct node *node, struct pushed *push) {
        struct story *story = &node->story;

        push->login = true;
        take_key(history, node, push, story->accepted_us);
        if (evidence_not_taken(history, story) &&
            !evidence_gap(&history->evidence, story->boot, story->at_us - LOOK_BACK_US, story->last_us))
                history_say(history, story,
                            "the key was pushed, but this connection took no slot of it: the key is authorized in "
                            "another way too, or by a push that is not in the journal");
        else
                say_absent(history, story,
                           "the key was pushed, and that this connection was given it is not in the journal: its event "
                           "is lost, or the key is authorized in another way too");
}

/* The connection was given a key, and by which way it was let in is not the key for sure. */
static void explain_other_way(struct history *history, struct node *node, const struct offer *given) {
        struct story *story = &node->story;
        const char *before = given->request_id ? " (request " : "", *after = given->request_id ? ")" : "";
        const char *what = !given->given    ? "was offered too, with no free slot"
                           : is_sure(given) ? "was given to this connection too"
                                            : "or another of its push was given to this connection too";

        if (node->certificate)
                history_say(history, story, "by a certificate; the pushed key %s%s%s%s %s", given->fingerprint, before,
                            text_of(given->request_id), after, what);
        else if (node->accepted_fingerprint)
                history_say(history, story, "sshd's line names another key; the pushed key %s%s%s%s %s",
                            given->fingerprint, before, text_of(given->request_id), after, what);
        else if (!given->given)
                say_absent(history, story, "no use of the pushed key %s%s%s%s is in the journal: it had no free slot",
                           given->fingerprint, before, text_of(given->request_id), after);
        else {
                take_given(history, node, given);
                if (story->accepted_us == 0)
                        say_absent(history, story, "sshd's line about how it was let in is not in the journal");
                else if (node->unnamed_key)
                        say_absent(history, story,
                                   "sshd names the key in another form than SHA256 (FingerprintHash); that it is this "
                                   "one, which was given to it, is not in the journal");
                else
                        say_absent(history, story,
                                   "sshd's line names %s alone; that this key, which was given to it, was a part of "
                                   "that is not in the journal (LogLevel VERBOSE)",
                                   text_of(story->method));
        }
}

/*
 * Where PAM asks for a new password (PAM_NEW_AUTHTOK_REQD), sshd accepts the key, logs nothing, and runs passwd in place of
 * what the client wants (do_pwchange() in session.c). pam_unix then writes this; what PAM made of it is not in the journal.
 */
static bool password_has_expired(const struct node *node) {
        static const char expired[] = "expired password for user ";

        return strncmp(text_of(node->pam_detail), expired, sizeof(expired) - 1) == 0;
}

/* Which key opened it, and whose request that was. */
static void explain_acceptance(struct history *history, struct node *node) {
        struct story *story = &node->story;
        const struct offer *other = offer_of(node), *offer = NULL;
        struct pushed *push;

        story->outcome = STORY_ACCEPTED;
        history_set(history, &story->fingerprint, node->accepted_fingerprint);
        for (size_t i = 0; i < node->n_offers; i++)
                if (is_accepted(node, &node->offers[i]) &&
                    (!offer || same_text(node->offers[i].fingerprint, node->accepted_fingerprint)))
                        offer = &node->offers[i];
        if (offer && !offer->given)
                offer = NULL; /* there was no slot for it: it is authorized in another way */
        /* It was gone by then, and another of its push took the slot. */
        if (offer && offer->ended_us > 0 && offer->ended_us + SETTLE_US < story->accepted_us)
                offer = NULL;
        push = node->accepted_fingerprint && !node->certificate
                       ? pushed_key(history, node->accepted_fingerprint, story->user, story->accepted_us)
                       : NULL;
        if (offer) {
                take_offer(history, story, offer);
                if (offer->together)
                        history_say(history, story, "key %s of the same request was given to this connection",
                                    offer->together);
                else if (story->accepted_us == 0)
                        say_absent(history, story, "sshd's line about how it was let in is not in the journal");
        } else if (push && same_text(push->user, story->user))
                explain_unasked(history, node, push);
        else if (other)
                explain_other_way(history, node, other);
        else if (story->accepted_us == 0)
                say_absent(history, story, "sshd's line about how it was let in is not in the journal");
        else if (node->certificate)
                history_say(history, story, "by a certificate");
        if (node->ended && story->opened_us == 0 && node->end_detail) {
                story->why = WHY_SSHD_FAILURE;
                say_more(history, story, "sshd gave up: %s", node->end_detail);
        } else if (password_has_expired(node)) {
                story->why = WHY_PASSWORD_EXPIRED;
                say_more(history, story,
                         "PAM: %s; unless its configuration ignores that, sshd runs passwd on a terminal, and no "
                         "command",
                         node->pam_detail);
        }
}

/* --- all of them ----------------------------------------------------------------------------------------------------- */

/* Appends that the connection is known from a key's end alone. */
static void say_event_is_lost(struct history *history, struct node *node) {
        struct story *story = &node->story;
        const struct offer *offer = offer_of(node);
        bool named = story->fingerprint || !offer;

        say_more(history, story, "the event of this use is not in the journal, but %s%s%s names the connection",
                 named ? "the key's end" : "the end of key ", named ? "" : offer->fingerprint,
                 named ? "" : ", or of another of its push,");
}

/* What became of it is not known. */
static void explain_undecided(struct history *history, struct node *node) {
        struct story *story = &node->story;
        const struct offer *offer = offer_of(node);

        story->outcome = STORY_UNDECIDED;
        if (offer)
                take_given(history, node, offer);
        if (node->ended && node->end_detail) {
                story->why = WHY_SSHD_FAILURE;
                say_absent(history, story, "sshd gave up: %s; whether it had let the client in is not in the journal",
                           node->end_detail);
        } else if (node->of_end)
                say_absent(history, story,
                           "what became of it was shown before, or is not in the journal before the key's end");
        else
                say_absent(history, story,
                           node->of_sshd ? "what became of it is not in the journal"
                                         : "no line of sshd's about it is in the journal: perhaps doctor's self-test, "
                                           "or somebody else, ran exc-authorized-keys, or sshd logs less (LogLevel)");
}

static void explain_connection(struct history *history, struct node *node) {
        struct story *story = &node->story;

        /* It may have been explained before, when less was known. */
        free(story->message);
        story->message = NULL;
        story->why = NULL;
        story->event_lost = story->incomplete = story->likely = node->of_push = false;
        /* What is pushed, is for the account. */
        if (node->n_offers == 0 && story->user && !node->no_such_user)
                history_set(history, &story->user, history->view.own_name(history->view.context, story->user));
        /* A session alone may be of a connection that was reported before. */
        if (node->begun || node->n_offers > 0)
                evidence_infer_offers(history, node);
        infer_together(history, node);
        if (story->accepted_us > 0 || node->was_in)
                explain_acceptance(history, node);
        else if ((node->ended || node->account_refused || node->timeout) && was_refused(node))
                explain_refusal(history, node);
        else
                explain_undecided(history, node);
        if (story->event_lost)
                say_event_is_lost(history, node);
        list_keys(node);
}

static void explain_push(struct history *history, struct node *node) {
        const struct pushed *push = node->push;
        struct story *story = &node->story;
        const char *login = push && push->login
                                    ? "a connection logged in with it, and that it was given the key is not in "
                                      "the journal"
                                    : NULL;

        if (!push || push->end == PUSH_LIVES) {
                story->outcome = STORY_WAITING;
                say_absent(history, story, "%s", login ? login : "no use of it is in the journal yet");
                return;
        }
        story->outcome = push->proven ? STORY_UNUSED : STORY_UNDECIDED;
        story->why = past(push);
        if (push->end == PUSH_RESTARTED)
                say_absent(history, story, "the machine was started again, and %s",
                           login ? login : "no use of it is in the journal");
        else if (push->proven)
                history_say(history, story, "%s before it was used", end_text(push));
        else if (login)
                say_absent(history, story, "%s; %s", end_text(push), login);
        else
                say_absent(history, story, "%s; %sno use of %s is in the journal", end_text(push),
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

        if (story->kind == STORY_DROP) {
                struct story begun = *story;

                begun.at_us -= node->dropping_us;
                return history->view.all || pushed_shortly_before(history, &begun, history->view.user);
        }
        if (story->kind == STORY_PUSH)
                return !node->push || !node->push->used;
        if (node->of_end)
                return story->event_lost;
        if (story->kind != STORY_CONNECTION || node->n_offers > 0)
                return true;
        if (!node->begun)
                return false;
        /* Root's programs may well repeat the words of others. */
        if (!story->user || (story->outcome == STORY_ACCEPTED && !node->certain))
                return false;
        if (history->view.all)
                return story->outcome != STORY_UNDECIDED;
        if (story->outcome == STORY_ACCEPTED)
                return node->of_push;
        if (story->outcome == STORY_REFUSED && node->of_push)
                return true;
        return story->outcome == STORY_REFUSED && !node->no_such_user && pushed_shortly_before(history, story, NULL);
}
