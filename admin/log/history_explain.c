/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/log/history_explain.h"

#include <stdio.h>

#include "cli/output.h"

static const char *past(const struct pushed *push) {
        switch (push->end) {
        case PUSH_EXPIRED:
                return WHY_EXPIRED;
        case PUSH_REVOKED:
                return WHY_REVOKED;
        case PUSH_LIVES:
                break;
        }
        return NULL;
}

void history_take_push(struct history *history, struct story *story, const struct pushed *push) {
        history_set(history, &story->fingerprint, push->fingerprint);
        history_set(history, &story->principal, push->principal);
        history_set(history, &story->request_id, push->request_id);
        story->pushed_us = push->at_us;
}

/* sshd named the key that it refused. */
static void explain_key(struct history *history, struct node *node) {
        struct story *story = &node->story;
        struct pushed *push = pushed_key(history, node->failed_fingerprint, story->user);
        char before[DURATION_MAX];

        history_set(history, &story->fingerprint, node->failed_fingerprint);
        if (!push) {
                story->why = WHY_NOT_PUSHED;
                history_say(history, story, "this key was not pushed");
                return;
        }
        history_take_push(history, story, push);
        if (!same_text(push->user, story->user)) {
                story->why = WHY_OTHER_USER;
                history_say(history, story, "the key was pushed for %s", push->user);
        } else if (!pushed_lived_at(push, story->last_us)) {
                duration_text((story->last_us - push->ended_us) / US_PER_S, before);
                story->why = past(push);
                history_say(history, story, "the key had %s, %s before",
                            push->end == PUSH_EXPIRED ? "expired" : "been revoked", before);
        } else {
                story->why = WHY_NO_PROOF;
                history_say(history, story, "sshd did not accept the key");
        }
}

/* Most likely it was about the last push for that user: whose that was. The key is not known. */
static struct pushed *guess_push(struct history *history, struct story *story) {
        struct pushed *push = pushed_before(history, story);

        if (push) {
                story->pushed_us = push->at_us;
                history_set(history, &story->principal, push->principal);
                history_set(history, &story->request_id, push->request_id);
        }
        return push;
}

/* sshd did not say which keys it refused: it does with LogLevel VERBOSE. The helper was not asked for a live one. */
static void explain_silence(struct history *history, struct node *node) {
        struct story *story = &node->story;
        struct pushed *push = guess_push(history, story);
        char before[DURATION_MAX];

        if (!push) {
                story->why = WHY_NOT_PUSHED;
                history_say(history, story, "no key had been pushed for this user");
                return;
        }
        if (pushed_lived_at(push, story->last_us)) {
                story->why = WHY_NOT_OFFERED;
                history_say(history, story, "the key %s, which is live, was not offered", push->fingerprint);
        } else {
                duration_text((story->last_us - push->ended_us) / US_PER_S, before);
                story->why = past(push);
                history_say(history, story, "no live key was offered; the last one, %s, had %s, %s before",
                            push->fingerprint, push->end == PUSH_EXPIRED ? "expired" : "been revoked", before);
        }
}

/* The helper was asked for a pushed key. */
static void explain_offer(struct history *history, struct node *node, const struct offer *offer) {
        struct story *story = &node->story;
        struct pushed *push = pushed_key(history, offer->fingerprint, offer->user);

        if (!offer->given) {
                story->why = WHY_USED_UP;
                history_say(history, story, "other connections hold all places of the key");
        } else if (push && push->at_us == offer->pushed_us && !pushed_lived_at(push, story->last_us)) {
                story->why = past(push);
                history_say(history, story, "the key was offered in time, but %s before the client had signed with it",
                            push->end == PUSH_EXPIRED ? "expired" : "was revoked");
        } else {
                story->why = WHY_NO_PROOF;
                history_say(history, story, "the client did not show that it has the private key");
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
                history_say(history, story, "the client offered too many other keys first (MaxAuthTries)");
        } else
                return false;
        return true;
}

/* The one that was given out last, or else the last. */
static const struct offer *offer_of(const struct node *node) {
        const struct offer *found = NULL;

        for (size_t i = 0; i < node->n_offers; i++)
                if (!found || node->offers[i].given || !found->given)
                        found = &node->offers[i];
        return found;
}

static void take_offer(struct history *history, struct story *story, const struct offer *offer) {
        history_set(history, &story->user, offer->user);
        history_set(history, &story->fingerprint, offer->fingerprint);
        history_set(history, &story->principal, offer->principal);
        history_set(history, &story->request_id, offer->request_id);
        story->pushed_us = offer->pushed_us;
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
                        (void)guess_push(history, story);
                        return;
                }
                history_set(history, &story->fingerprint, node->failed_fingerprint);
                push = pushed_key(history, node->failed_fingerprint, story->user);
                /* A name that was misspelt is nobody's: the key tells who was meant. */
                if (push && (node->no_such_user || same_text(push->user, story->user)))
                        history_take_push(history, story, push);
        } else if (offer)
                explain_offer(history, node, offer);
        else if (node->failed_fingerprint)
                explain_key(history, node);
        else
                explain_silence(history, node);
}

/* Which key opened it, and whose request that was. */
static void explain_acceptance(struct history *history, struct node *node) {
        struct story *story = &node->story;
        const struct offer *other = offer_of(node);
        struct pushed *push;

        story->outcome = STORY_ACCEPTED;
        history_set(history, &story->fingerprint, node->accepted_fingerprint);
        if (node->ended && story->opened_us == 0 && node->end_detail) {
                story->why = WHY_SSHD_FAILURE;
                history_say(history, story, "sshd gave up: %s", node->end_detail);
        }
        for (size_t i = 0; i < node->n_offers; i++)
                if (same_text(node->offers[i].fingerprint, node->accepted_fingerprint)) {
                        take_offer(history, story, &node->offers[i]);
                        return;
                }
        push = node->accepted_fingerprint ? pushed_key(history, node->accepted_fingerprint, story->user) : NULL;
        if (push && same_text(push->user, story->user)) {
                history_take_push(history, story, push);
                history_say(history, story,
                            "the key was pushed, but not asked for: it is authorized in another way too");
        } else if (other)
                history_say(history, story, "%s, not by the pushed key %s%s%s%s, which was offered too",
                            node->accepted_fingerprint ? "by another key" : "in another way", other->fingerprint,
                            other->request_id ? " (request " : "", text_of(other->request_id),
                            other->request_id ? ")" : "");
}

void node_explain(struct history *history, struct node *node) {
        const struct offer *offer = offer_of(node);

        if (node->story.kind != STORY_CONNECTION || node->settled)
                return;
        if (node->story.accepted_us > 0)
                explain_acceptance(history, node);
        else if (node->ended || node->account_refused || node->timeout)
                explain_refusal(history, node);
        else {
                node->story.outcome = STORY_UNDECIDED;
                if (offer)
                        take_offer(history, &node->story, offer);
                history_say(history, &node->story,
                            node->of_sshd ? "sshd did not write what became of it"
                                          : "sshd wrote nothing of it, as with doctor's self-test; or somebody else "
                                            "may have run exc-authorized-keys");
        }
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
                return story->pushed_us > 0;
        if (story->outcome == STORY_REFUSED && story->pushed_us > 0)
                return true;
        return story->outcome == STORY_REFUSED && !node->no_such_user && pushed_shortly_before(history, story);
}
