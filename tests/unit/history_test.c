/* SPDX-License-Identifier: Apache-2.0 */
/* Events go in, stories come out. The time is in the events. */
#include "admin/log/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "common/events.h"
#define US_PER_S INT64_C(1000000)
#define START_US (INT64_C(1781519445) * US_PER_S)
#define KEY_A "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY_B "SHA256:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"

/* One line for each story that was told, in a short form. */
struct told {
        char text[65536];
        size_t used, n;
};

static struct told told;
static struct history *history;
static bool process_is_there;
static bool certain; /* that lines are sshd's */
static int stored;   /* the second in which keys that end were stored */

static const char *word(enum story_outcome outcome) {
        static const char *const words[] = {"undecided", "accepted", "refused", "unused", "waiting", "lost"};

        return words[outcome];
}

static const char *or_dash(const char *text) {
        return text ? text : "-";
}

/* "outcome user principal request why session", and what is not known of it; or "lost N seconds unit" */
static void tell(void *context, const struct story *story) {
        struct told *to = context;
        char session[64] = "-";

        if (story->kind == STORY_LOSS) {
                to->n++;
                to->used += (size_t)snprintf(to->text + to->used, sizeof(to->text) - to->used, "%s %d %d %s\n",
                                             word(story->outcome), (int)story->n_lost,
                                             (int)((story->last_us - story->at_us) / US_PER_S), or_dash(story->unit));
                return;
        }

        if (story->closed_us > 0)
                (void)snprintf(session, sizeof(session), "%d", (int)((story->closed_us - story->opened_us) / US_PER_S));
        else if (story->opened_us > 0)
                (void)snprintf(session, sizeof(session), story->running ? "open" : "lost");
        to->n++;
        to->used += (size_t)snprintf(to->text + to->used, sizeof(to->text) - to->used, "%s %s %s %s %s %s%s%s\n",
                                     word(story->outcome), or_dash(story->user), or_dash(story->principal),
                                     or_dash(story->request_id), or_dash(story->why), session,
                                     story->event_lost ? " event-lost" : "", story->incomplete ? " incomplete" : "");
        if (to->used >= sizeof(to->text))
                to->used = 0;
}

static bool running(sd_id128_t boot, uint64_t pid) {
        (void)boot;
        (void)pid;
        return process_is_there;
}

static const char *own_name(void *context, const char *user) {
        (void)context;
        return strcasecmp(user, "dana") == 0 ? "dana@corp" : user;
}

static int start(void **state) {
        const struct history_view view = {.own_name = own_name, .running = running, .tell = tell, .context = &told};

        (void)state;
        told = (struct told){0};
        process_is_there = certain = true;
        stored = 0;
        return history_new(&view, &history);
}

static int stop(void **state) {
        (void)state;
        history_free(history);
        history = NULL;
        return 0;
}

static void view(const struct history_view *asked) {
        struct history_view full = *asked;

        full.own_name = own_name;
        full.running = running;
        full.tell = tell;
        full.context = &told;
        history_free(history);
        assert_int_equal(history_new(&full, &history), 0);
}

static struct log_event event(enum log_event_kind kind, int second, uint64_t pid) {
        struct log_event made = {.kind = kind, .at_us = START_US + second * US_PER_S, .pid = pid, .certain = certain};

        made.sent_us = made.at_us;
        made.boot.bytes[0] = 1;
        return made;
}

static void add(const struct log_event *made) {
        assert_int_equal(history_add(history, made), 0);
}

static struct log_event of_key(int second, enum log_event_kind kind, const char *user, const char *key,
                               const char *request, uint64_t pid) {
        struct log_event made = event(kind, second, pid);

        (void)snprintf(made.user, sizeof(made.user), "%s", user);
        (void)snprintf(made.fingerprint, sizeof(made.fingerprint), "%s", key);
        (void)snprintf(made.principal, sizeof(made.principal), "carol");
        (void)snprintf(made.request_id, sizeof(made.request_id), "%s", request);
        return made;
}

/* An event of ours about a key; asked for by carol under the request. The end of a key says nothing of its slots. */
static void ours(int second, enum log_event_kind kind, const char *user, const char *key, const char *request,
                 uint64_t pid) {
        struct log_event made = of_key(second, kind, user, key, request, pid);

        add(&made);
}

/* The end of a key that the connection `pid` took the slot of, or none where that is 0. */
static struct log_event end_of(int second, const char *user, const char *key, const char *request, uint64_t pid) {
        struct log_event made = of_key(second, LOG_EVENT_EXPIRED, user, key, request, 0);

        made.slots_final = true;
        made.stored_us = START_US + stored * US_PER_S;
        if (pid > 0) {
                made.n_taken = 1;
                made.pids[made.n_pids++] = pid;
        }
        return made;
}

static void ends(int second, const char *user, const char *key, const char *request, uint64_t pid) {
        struct log_event made = end_of(second, user, key, request, pid);

        add(&made);
}

static void foresee(const struct log_event *made) {
        assert_int_equal(history_foresee(history, made), 0);
}

/* As the agent reports it. */
static struct log_event loss(int second, int since, uint64_t n) {
        struct log_event made = event(LOG_EVENT_LOST, second, 0);

        made.n_lost = n;
        made.lost_since_us = START_US + since * US_PER_S;
        return made;
}

/* As the journal does. */
static struct log_event drop(int second, uint64_t n) {
        struct log_event made = event(LOG_EVENT_DROPPED, second, 0);

        made.n_lost = n;
        (void)snprintf(made.unit, sizeof(made.unit), "ssh.service");
        return made;
}

static void sshd(int second, uint64_t pid, const char *message) {
        struct log_event made = event(LOG_EVENT_SSHD, second, pid);

        assert_true(sshd_line_parse(message, &made.line));
        if (made.line.pid > 0)
                made.pid = made.line.pid;
        add(&made);
}

static void accepted(int second, uint64_t pid, const char *user, const char *key) {
        char message[256];

        (void)snprintf(message, sizeof(message), "Accepted publickey for %s from 192.0.2.7 port 7 ssh2: ED25519 %s",
                       user, key);
        sshd(second, pid, message);
}

static void opened(int second, uint64_t pid) {
        sshd(second, pid, "pam_unix(sshd:session): session opened for user x(uid=1) by (uid=0)");
}

static void closed(int second, uint64_t pid) {
        sshd(second, pid, "pam_unix(sshd:session): session closed for user x");
}

static void gone(int second, uint64_t pid, const char *user) {
        char message[128];

        (void)snprintf(message, sizeof(message),
                       "Connection closed by authenticating user %s 192.0.2.7 port 7 [preauth]", user);
        sshd(second, pid, message);
}

static void told_is(const char *expected) {
        assert_string_equal(told.text, expected);
        told = (struct told){0};
}

static void in_the_end(const char *expected) {
        history_end(history);
        told_is(expected);
}

static void a_login_is_one_story_from_the_push_to_the_session_s_end(void **state) {
        (void)state;
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        accepted(1, 50, "alice", KEY_A);
        opened(2, 50);
        closed(9, 50);
        ours(60, LOG_EVENT_EXPIRED, "alice", KEY_A, "r", 0);
        in_the_end("accepted alice carol r - 7\n");
}

static void what_the_journal_got_the_other_way_round_is_the_same_story(void **state) {
        (void)state;
        accepted(1, 50, "alice", KEY_A);
        opened(1, 50);
        closed(1, 50);
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        gone(2, 51, "alice");
        ours(2, LOG_EVENT_NO_SLOT, "alice", KEY_A, "r", 51);
        in_the_end("accepted alice carol r - 0\n"
                   "refused alice carol r UsedUp -\n");
}

static void stories_are_told_in_the_order_in_which_they_began(void **state) {
        (void)state;
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "long", 50);
        accepted(1, 50, "alice", KEY_A);
        opened(1, 50);
        ours(2, LOG_EVENT_CLAIMED, "bob", KEY_B, "short", 51);
        gone(3, 51, "bob");
        assert_true(history_tick(history, START_US + 100 * US_PER_S) < 0);
        ours(150, LOG_EVENT_CLAIMED, "bob", KEY_B, "later", 52);
        told_is("");
        closed(200, 50);
        gone(201, 52, "bob");
        (void)history_tick(history, START_US + 300 * US_PER_S);
        told_is("accepted alice carol long - 199\n"
                "refused bob carol short NoProof -\n"
                "refused bob carol later NoProof -\n");
        in_the_end("");
}

static void followed_they_are_told_as_they_happen(void **state) {
        (void)state;
        history_follow(history);
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "long", 50);
        accepted(1, 50, "alice", KEY_A);
        told_is("");
        opened(1, 50);
        told_is("accepted alice carol long - open\n");
        ours(2, LOG_EVENT_CLAIMED, "bob", KEY_B, "short", 51);
        gone(3, 51, "bob");
        assert_true(history_tick(history, START_US + 4 * US_PER_S) > 0);
        told_is("");
        assert_true(history_tick(history, START_US + 5 * US_PER_S) < 0);
        told_is("refused bob carol short NoProof -\n");
        closed(60, 50);
        (void)history_tick(history, START_US + 62 * US_PER_S);
        told_is("accepted alice carol long - 59\n");
        in_the_end("");
}

static void a_session_that_is_open_when_following_begins_is_told_then(void **state) {
        (void)state;
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        accepted(1, 50, "alice", KEY_A);
        opened(1, 50);
        history_follow(history);
        told_is("accepted alice carol r - open\n");
        closed(5, 50);
        in_the_end("accepted alice carol r - 4\n");
}

static void a_clock_that_is_set_back_keeps_nobody_waiting(void **state) {
        (void)state;
        history_follow(history);
        ours(7200, LOG_EVENT_CLAIMED, "alice", KEY_A, "before", 50);
        gone(7200, 50, "alice");
        ours(1, LOG_EVENT_CLAIMED, "bob", KEY_B, "after", 51);
        gone(1, 51, "bob");
        assert_true(history_tick(history, START_US + 3 * US_PER_S) < 0);
        told_is("refused alice carol before NoProof -\n"
                "refused bob carol after NoProof -\n");
}

static void what_is_open_when_the_following_ends_is_not_told_again(void **state) {
        (void)state;
        history_follow(history);
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        accepted(1, 50, "alice", KEY_A);
        opened(1, 50);
        told_is("accepted alice carol r - open\n");
        in_the_end("");
}

static void events_that_come_late_are_told_in_their_place(void **state) {
        (void)state;
        ours(5, LOG_EVENT_CLAIMED, "alice", KEY_A, "second", 50);
        ours(4, LOG_EVENT_CLAIMED, "bob", KEY_B, "first", 51);
        gone(6, 50, "alice");
        gone(6, 51, "bob");
        in_the_end("refused bob carol first NoProof -\n"
                   "refused alice carol second NoProof -\n");
}

static void without_pam_who_leaves_ends_the_connection(void **state) {
        (void)state;
        ours(1, LOG_EVENT_CLAIMED, "root", KEY_A, "r", 50);
        accepted(1, 50, "root", KEY_A);
        sshd(5, 50, "Disconnected from user root 192.0.2.7 port 7");
        (void)history_tick(history, START_US + 7 * US_PER_S);
        told_is("accepted root carol r - -\n");
}

static void followed_a_session_without_pam_is_told_once(void **state) {
        (void)state;
        history_follow(history);
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        accepted(1, 50, "alice", KEY_A);
        (void)history_tick(history, START_US + 3 * US_PER_S);
        told_is("accepted alice carol r - -\n");
        (void)history_tick(history, START_US + 100 * US_PER_S);
        in_the_end("");
}

static void without_pam_an_accepted_connection_holds_nobody_up(void **state) {
        (void)state;
        accepted(1, 50, "alice", KEY_A);
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        (void)history_tick(history, START_US + 40 * US_PER_S);
        told_is("accepted alice carol r - -\n");
}

static void a_session_that_is_open_is_called_open_only_while_its_process_is_there(void **state) {
        (void)state;
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        accepted(1, 50, "alice", KEY_A);
        opened(1, 50);
        process_is_there = false;
        in_the_end("accepted alice carol r - lost\n");
}

static void a_push_that_nobody_uses_is_told_with_its_end(void **state) {
        struct log_event later, revoked;

        (void)state;
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "expires", 0);
        ours(1, LOG_EVENT_RECEIVED, "alice", KEY_A, "revoked", 0);
        ours(2, LOG_EVENT_RECEIVED, "alice", KEY_A, "used", 0);
        ours(3, LOG_EVENT_CLAIMED, "alice", KEY_A, "used", 50);
        gone(3, 50, "alice");
        ours(4, LOG_EVENT_RECEIVED, "alice", KEY_B, "lost", 0);
        revoked = end_of(5, "alice", KEY_A, "revoked", 0);
        revoked.kind = LOG_EVENT_REVOKED;
        add(&revoked);
        ends(60, "alice", KEY_A, "expires", 0);
        ends(61, "alice", KEY_A, "used", 50);
        later = event(LOG_EVENT_RECEIVED, 100, 0);
        later.boot.bytes[0] = 2;
        (void)snprintf(later.user, sizeof(later.user), "bob");
        add(&later);
        in_the_end("unused alice carol expires Expired -\n"
                   "unused alice carol revoked Revoked -\n"
                   "refused alice carol used NoProof -\n"
                   "undecided alice carol lost Restart -\n"
                   "waiting bob - - - -\n");
}

static void of_two_pushes_of_one_key_each_has_its_own_end(void **state) {
        (void)state;
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        ours(1, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        /* The newest is given out, and the oldest expires first. */
        ours(2, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        ends(60, "alice", KEY_A, "r", 0);
        ends(61, "alice", KEY_A, "r", 50);
        in_the_end("unused alice carol r Expired -\n"
                   "undecided alice carol r - -\n");
}

static void a_refused_push_is_told_with_the_wire_s_reason(void **state) {
        struct log_event made = event(LOG_EVENT_REFUSED, 0, 0);

        (void)state;
        (void)snprintf(made.reason, sizeof(made.reason), "UserDenied");
        (void)snprintf(made.user, sizeof(made.user), "root");
        (void)snprintf(made.message, sizeof(made.message), "Push for root refused, UserDenied: no");
        add(&made);
        in_the_end("refused root - - UserDenied -\n");
}

static void what_sshd_says_of_a_refusal_is_the_reason(void **state) {
        (void)state;
        ours(0, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        sshd(0, 50,
             "/x:1: Authentication tried for alice with correct key but not from a permitted host (host=a, ip=a, "
             "required=b).");
        gone(1, 50, "alice");
        sshd(2, 51, "User alice from a not allowed because listed in DenyUsers");
        sshd(2, 51, "Connection closed by invalid user alice 192.0.2.7 port 7 [preauth]");
        ours(3, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        sshd(4, 52, "User alice from a not allowed because listed in DenyUsers");
        sshd(4, 52, "Connection closed by invalid user alice 192.0.2.7 port 7 [preauth]");
        ours(5, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 53);
        sshd(5, 53, "pam_unix(sshd:account): account alice has expired");
        sshd(5, 53, "fatal: Access denied for user alice by PAM account configuration [preauth]");
        ours(6, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 54);
        sshd(126, 9, "Timeout before authentication for connection from a to b, pid = 54");
        ours(130, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 55);
        sshd(131, 55, "Disconnecting authenticating user alice a port 1: Too many authentication failures [preauth]");
        /* Of the first push only the use is in the journal: it may have been what the second connection was meant to use. */
        in_the_end("refused alice carol r WrongSource -\n"
                   "refused alice carol r UserNotAllowed -\n"
                   "refused alice carol r UserNotAllowed -\n"
                   "refused alice carol r AccountRefused -\n"
                   "refused alice carol r Timeout -\n"
                   "refused alice carol r SshdFailure -\n");
}

static void a_helper_s_failure_is_the_reason_of_its_connection_alone(void **state) {
        struct log_event made = event(LOG_EVENT_HELPER_FAILURE, 1, 50);

        (void)state;
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        (void)snprintf(made.user, sizeof(made.user), "alice");
        (void)snprintf(made.message, sizeof(made.message), "The store cannot be read: no");
        add(&made);
        gone(2, 50, "alice");
        gone(3, 51, "alice");
        in_the_end("waiting alice carol r - -\n"
                   "refused alice carol r HelperFailure -\n"
                   "refused alice carol r NotOffered -\n");
}

static void a_refused_connection_near_a_push_is_told_and_others_are_not(void **state) {
        (void)state;
        gone(0, 49, "bob");
        ours(1, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        gone(2, 50, "bob");
        gone(3, 51, "alice");
        ends(60, "alice", KEY_A, "r", 0);
        gone(70, 52, "alice");
        sshd(80, 53, "Invalid user x from a port 1");
        sshd(80, 53, "Connection closed by invalid user x a port 1 [preauth]");
        accepted(81, 54, "alice", KEY_B);
        opened(81, 54);
        closed(81, 54);
        gone(1000, 55, "alice");
        in_the_end("unused alice carol r Expired -\n"
                   "refused bob - - NotPushed -\n"
                   "refused alice carol r NotOffered -\n"
                   "refused alice carol r Expired -\n");
}

static void all_connections_are_told_where_that_is_asked_for(void **state) {
        (void)state;
        view(&(struct history_view){.all = true});
        gone(0, 49, "bob");
        sshd(1, 53, "Invalid user x from a port 1");
        sshd(1, 53, "Connection closed by invalid user x a port 1 [preauth]");
        accepted(2, 54, "alice", KEY_B);
        opened(2, 54);
        closed(3, 54);
        sshd(4, 56, "Connection closed by 192.0.2.7 port 7 [preauth]");
        sshd(5, 57, "Disconnected from user root 192.0.2.7 port 7");
        in_the_end("refused bob - - NotPushed -\n"
                   "refused x - - NoSuchUser -\n"
                   "accepted alice - - - 1\n");
}

static void a_login_that_only_some_program_of_root_s_wrote_of_is_none(void **state) {
        (void)state;
        view(&(struct history_view){.all = true});
        certain = false;
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        accepted(1, 50, "alice", KEY_A);
        accepted(2, 51, "root", KEY_B);
        /* What the helper was asked for is one, and what became of it can be read in sshd's last words. */
        accepted(3, 52, "alice", KEY_A);
        ours(3, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 52);
        opened(3, 52);
        closed(3, 52);
        gone(4, 53, "alice");
        in_the_end("accepted alice carol r - 0\n"
                   "refused alice carol r NotOffered -\n");
}

static void a_key_that_sshd_names_is_found_among_the_pushed_ones(void **state) {
        (void)state;
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        sshd(1, 50, "Failed publickey for bob from a port 1 ssh2: ED25519 " KEY_A);
        gone(1, 50, "bob");
        sshd(2, 51, "Failed publickey for alice from a port 1 ssh2: ED25519 " KEY_B);
        gone(2, 51, "alice");
        ours(3, LOG_EVENT_REVOKED, "alice", KEY_A, "r", 0);
        sshd(4, 52, "Failed publickey for alice from a port 1 ssh2: ED25519 " KEY_A);
        gone(4, 52, "alice");
        sshd(5, 53, "Invalid user alicia from a port 1");
        sshd(5, 53, "Failed publickey for invalid user alicia from a port 1 ssh2: ED25519 " KEY_A);
        sshd(5, 53, "Connection closed by invalid user alicia a port 1 [preauth]");
        in_the_end("undecided alice carol r Revoked -\n"
                   "refused bob carol r OtherUser -\n"
                   "refused alice - - NotPushed -\n"
                   "refused alice carol r Revoked -\n"
                   "refused alicia carol r NoSuchUser -\n");
}

/* sshd writes a name as it was typed, and the agent the account's own. */
static void a_user_is_the_account_under_each_of_its_names(void **state) {
        struct log_event refused = event(LOG_EVENT_REFUSED, 6, 0);

        (void)state;
        view(&(struct history_view){.user = "dana@corp"});
        ours(0, LOG_EVENT_RECEIVED, "dana@corp", KEY_A, "r", 0);
        ours(1, LOG_EVENT_CLAIMED, "dana@corp", KEY_A, "r", 50);
        accepted(1, 50, "DANA", KEY_A);
        opened(1, 50);
        closed(2, 50);
        ours(3, LOG_EVENT_REVOKED, "dana@corp", KEY_A, "r", 0);
        sshd(4, 51, "Failed publickey for dana from a port 1 ssh2: ED25519 " KEY_A);
        gone(4, 51, "dana");
        sshd(5, 52, "Failed publickey for bob from a port 1 ssh2: ED25519 " KEY_A);
        gone(5, 52, "bob");
        (void)snprintf(refused.reason, sizeof(refused.reason), "Expired");
        (void)snprintf(refused.user, sizeof(refused.user), "Dana");
        (void)snprintf(refused.message, sizeof(refused.message), "Push for Dana refused, Expired: no");
        add(&refused);
        in_the_end("accepted dana@corp carol r - 1\n"
                   "refused dana@corp carol r Revoked -\n"
                   "refused Dana - - Expired -\n");
}

static void a_key_that_ends_between_offer_and_signature_is_told_so(void **state) {
        (void)state;
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        ours(60, LOG_EVENT_EXPIRED, "alice", KEY_A, "r", 0);
        gone(61, 50, "alice");
        in_the_end("refused alice carol r NoProof -\n");
}

static void a_login_with_another_key_than_the_pushed_one_is_not_the_request_s(void **state) {
        (void)state;
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        accepted(1, 50, "alice", KEY_B);
        opened(1, 50);
        closed(2, 50);
        in_the_end("accepted alice - - - 1\n");
}

static void of_several_methods_the_key_counts(void **state) {
        (void)state;
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        sshd(1, 50, "Partial publickey for alice from a port 1 ssh2: ED25519 " KEY_A);
        sshd(2, 50, "Accepted keyboard-interactive/pam for alice from a port 1 ssh2");
        opened(2, 50);
        closed(3, 50);
        in_the_end("accepted alice carol r - 1\n");
}

static void a_pid_that_is_used_again_is_another_connection(void **state) {
        (void)state;
        /* The first one's end was never written. */
        ours(0, LOG_EVENT_CLAIMED, "alice", KEY_A, "first", 50);
        accepted(0, 50, "alice", KEY_A);
        opened(0, 50);
        ours(1000, LOG_EVENT_CLAIMED, "bob", KEY_B, "second", 50);
        accepted(1000, 50, "bob", KEY_B);
        opened(1000, 50);
        closed(1001, 50);
        in_the_end("accepted alice carol first - lost\n"
                   "accepted bob carol second - 1\n");
}

static void with_another_boot_all_pids_are_new(void **state) {
        struct log_event made = event(LOG_EVENT_SSHD, 10, 50);

        (void)state;
        ours(0, LOG_EVENT_CLAIMED, "alice", KEY_A, "first", 50);
        accepted(0, 50, "alice", KEY_A);
        opened(0, 50);
        made.boot.bytes[0] = 2;
        assert_true(sshd_line_parse("pam_unix(sshd:session): session closed for user x", &made.line));
        add(&made);
        in_the_end("accepted alice carol first - lost\n");
}

static void who_neither_logs_in_nor_leaves_is_told_of_in_the_end(void **state) {
        (void)state;
        ours(0, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        (void)history_tick(history, START_US + 599 * US_PER_S);
        told_is("");
        (void)history_tick(history, START_US + 700 * US_PER_S);
        told_is("undecided alice carol r - -\n");
}

static void only_one_user_and_only_what_ended_since_is_told(void **state) {
        (void)state;
        view(&(struct history_view){.user = "alice", .since_us = START_US + 5 * US_PER_S});
        ours(0, LOG_EVENT_CLAIMED, "alice", KEY_A, "over", 50);
        gone(4, 50, "alice");
        ours(1, LOG_EVENT_CLAIMED, "bob", KEY_A, "bob", 51);
        gone(6, 51, "bob");
        ours(2, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 52);
        gone(6, 52, "alice");
        in_the_end("refused alice carol r NoProof -\n");
}

static char message_text[512];

static void keep_message(void *context, const struct story *story) {
        (void)context;
        (void)snprintf(message_text, sizeof(message_text), "%s|%s", or_dash(story->method), or_dash(story->message));
}

static void keep_address(void *context, const struct story *story) {
        (void)context;
        (void)snprintf(message_text, sizeof(message_text), "%s|%u", or_dash(story->address), story->port);
}

static void the_first_address_with_a_port_is_the_connection_s(void **state) {
        const struct history_view addresses = {.own_name = own_name, .running = running, .tell = keep_address};

        (void)state;
        history_free(history);
        assert_int_equal(history_new(&addresses, &history), 0);
        ours(0, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        /* With UseDNS it is a name, which is the client's. */
        sshd(0, 50, "User alice from 203.0.113.9.example not allowed because listed in DenyUsers");
        sshd(0, 50, "Failed publickey for alice from 198.51.100.7 port 4712 ssh2: ED25519 " KEY_A);
        sshd(1, 50, "Disconnecting authenticating user alice 203.0.113.9 port 22: Too many authentication failures");
        history_end(history);
        assert_string_equal(message_text, "198.51.100.7|4712");
}

static void the_message_of_a_refusal_does_not_say_twice_what_fields_say(void **state) {
        const struct history_view messages = {.own_name = own_name, .running = running, .tell = keep_message};
        struct log_event made = event(LOG_EVENT_REFUSED, 0, 0);

        (void)state;
        history_free(history);
        assert_int_equal(history_new(&messages, &history), 0);
        (void)snprintf(made.reason, sizeof(made.reason), "RateLimited");
        (void)snprintf(made.principal, sizeof(made.principal), "carol");
        (void)snprintf(made.request_id, sizeof(made.request_id), "r");
        (void)snprintf(made.message, sizeof(made.message),
                       "PushLocal for a refused, RateLimited: too many, asked by others, asked by carol, request r");
        add(&made);
        history_end(history);
        assert_string_equal(message_text, "PushLocal|too many, asked by others");
}

static void a_key_that_no_sshd_asked_for_may_have_been_doctor_s(void **state) {
        const struct history_view messages = {.own_name = own_name, .running = running, .tell = keep_message};

        (void)state;
        history_free(history);
        assert_int_equal(history_new(&messages, &history), 0);
        ours(0, LOG_EVENT_CLAIMED, "alice", KEY_A, "doctor-41", 50);
        history_end(history);
        assert_string_equal(message_text,
                            "-|no line of sshd's about it is in the journal: perhaps doctor's self-test, or somebody "
                            "else, ran exc-authorized-keys, or sshd logs less (LogLevel)");
        ours(0, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        sshd(0, 50, "Connection from 192.0.2.7 port 7 on 192.0.2.1 port 22");
        history_end(history);
        assert_string_equal(message_text, "-|what became of it is not in the journal");
}

/* What log does: ends of keys and losses are foreseen, then all is added in the order of the journal. */
static void story_of(const struct log_event *made, size_t n) {
        for (size_t i = 0; i < n; i++)
                foresee(&made[i]);
}

static void key_end_proves_lost_use(void **state) {
        const struct log_event end = end_of(60, "alice", KEY_A, "r", 50);

        (void)state;
        story_of(&end, 1);
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        accepted(1, 50, "alice", KEY_A);
        opened(1, 50);
        closed(8, 50);
        add(&end);
        in_the_end("accepted alice carol r - 7 event-lost\n");
}

static void key_end_names_refused_connection(void **state) {
        const struct log_event end = end_of(60, "alice", KEY_A, "r", 50);

        (void)state;
        story_of(&end, 1);
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        gone(1, 50, "alice");
        add(&end);
        in_the_end("refused alice carol r NoProof - event-lost\n");
}

static void key_end_alone_names_request(void **state) {
        const struct log_event end = end_of(60, "alice", KEY_A, "r", 50);

        (void)state;
        story_of(&end, 1);
        accepted(1, 50, "alice", KEY_A);
        opened(1, 50);
        closed(8, 50);
        add(&end);
        in_the_end("accepted alice carol r - 7 event-lost\n");
}

static void slot_without_sshd_lines_is_shown(void **state) {
        const struct log_event end = end_of(60, "alice", KEY_A, "r", 50);

        (void)state;
        story_of(&end, 1);
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        add(&end);
        in_the_end("undecided alice carol r - - event-lost\n");
}

static void reused_pid_is_not_matched(void **state) {
        struct log_event end = end_of(60, "alice", KEY_A, "r", 50);

        (void)state;
        view(&(struct history_view){.all = true});
        end.stored_us = START_US + 30 * US_PER_S;
        story_of(&end, 1);
        /* Before the key was stored, after its end, and of another user. */
        gone(1, 50, "alice");
        ours(30, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        gone(40, 50, "bob");
        add(&end);
        gone(100, 50, "alice");
        in_the_end("refused alice - - NotPushed -\n"
                   "refused bob - - NotPushed -\n"
                   "undecided alice carol r - - event-lost\n"
                   "refused alice carol r Expired -\n");
}

static void followed_lost_use_is_shown_at_key_end(void **state) {
        (void)state;
        history_follow(history);
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        accepted(1, 50, "alice", KEY_A);
        opened(1, 50);
        closed(3, 50);
        (void)history_tick(history, START_US + 10 * US_PER_S);
        told_is("accepted alice carol r - open\n"
                "accepted alice carol r - 2\n");
        ends(60, "alice", KEY_A, "r", 50);
        (void)history_tick(history, START_US + 62 * US_PER_S);
        told_is("undecided alice carol r - - event-lost\n");
        in_the_end("");
}

static void followed_use_is_shown_once(void **state) {
        (void)state;
        history_follow(history);
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        gone(1, 50, "alice");
        (void)history_tick(history, START_US + 10 * US_PER_S);
        ends(60, "alice", KEY_A, "r", 50);
        in_the_end("refused alice carol r NoProof -\n");
}

static void unread_event_is_not_lost(void **state) {
        struct log_event end = end_of(60, "alice", KEY_A, "r", 50);

        (void)state;
        view(&(struct history_view){.from_us = START_US + US_PER_S});
        story_of(&end, 1);
        add(&end);
        in_the_end("");
        view(&(struct history_view){.from_us = START_US + US_PER_S});
        story_of(&end, 1);
        accepted(2, 50, "alice", KEY_A);
        opened(2, 50);
        closed(3, 50);
        add(&end);
        in_the_end("accepted alice carol r - 1\n");
}

static void unused_needs_proof(void **state) {
        struct log_event made;

        (void)state;
        /* Its end says nothing of slots: an older agent, or a push without a limit of connections. */
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "unknown", 0);
        ours(60, LOG_EVENT_EXPIRED, "alice", KEY_A, "unknown", 0);
        /* A slot is taken, by whom is not known. */
        stored = 100;
        ours(100, LOG_EVENT_RECEIVED, "alice", KEY_A, "somebody", 0);
        made = end_of(160, "alice", KEY_A, "somebody", 0);
        made.n_taken = 1;
        add(&made);
        /* More connections could take one. */
        stored = 200;
        ours(200, LOG_EVENT_RECEIVED, "alice", KEY_A, "goes on", 0);
        made = end_of(260, "alice", KEY_A, "goes on", 0);
        made.slots_final = false;
        add(&made);
        stored = 300;
        ours(300, LOG_EVENT_RECEIVED, "alice", KEY_A, "unused", 0);
        ends(360, "alice", KEY_A, "unused", 0);
        in_the_end("undecided alice carol unknown Expired -\n"
                   "undecided alice carol goes on Expired -\n"
                   "unused alice carol unused Expired -\n");
}

static void used_up_key_is_not_unused(void **state) {
        (void)state;
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        /* Others hold its slots; their events are lost. */
        ours(5, LOG_EVENT_NO_SLOT, "alice", KEY_A, "r", 51);
        gone(5, 51, "alice");
        in_the_end("refused alice carol r UsedUp -\n");
}

static void keys_of_one_push_share_slots(void **state) {
        const struct log_event both[] = {end_of(60, "alice", KEY_A, "r", 50), end_of(60, "alice", KEY_B, "r", 50)};

        (void)state;
        story_of(both, 2);
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_B, "r", 0);
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        accepted(1, 50, "alice", KEY_A);
        opened(1, 50);
        closed(3, 50);
        add(&both[0]);
        add(&both[1]);
        in_the_end("undecided alice carol r Expired -\n"
                   "accepted alice carol r - 2\n");
}

static void login_with_another_key_of_push_has_request(void **state) {
        const struct log_event both[] = {end_of(60, "alice", KEY_A, "r", 50), end_of(60, "alice", KEY_B, "r", 50)};

        (void)state;
        story_of(both, 2);
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_B, "r", 0);
        /* It offered A first, and so has a slot: of B there is no event. */
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        accepted(1, 50, "alice", KEY_B);
        opened(1, 50);
        closed(3, 50);
        add(&both[0]);
        add(&both[1]);
        in_the_end("undecided alice carol r Expired -\n"
                   "accepted alice carol r - 2\n");
}

static void late_push_event_is_joined(void **state) {
        struct log_event made = of_key(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);

        (void)state;
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        accepted(1, 50, "alice", KEY_A);
        opened(1, 50);
        made.sent_us += 2 * US_PER_S;
        add(&made);
        closed(3, 50);
        /* The same key again under the same request is a push of its own. */
        ours(10, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        ends(60, "alice", KEY_A, "r", 50);
        stored = 10;
        ends(70, "alice", KEY_A, "r", 0);
        in_the_end("accepted alice carol r - 2\n"
                   "unused alice carol r Expired -\n");
}

static void use_after_key_end_event_is_joined(void **state) {
        (void)state;
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        ours(60, LOG_EVENT_EXPIRED, "alice", KEY_A, "r", 0);
        ours(60, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        accepted(60, 50, "alice", KEY_A);
        opened(60, 50);
        closed(61, 50);
        in_the_end("accepted alice carol r - 1\n");
}

static void keep_messages(void) {
        const struct history_view messages = {.own_name = own_name, .running = running, .tell = keep_message};

        history_free(history);
        assert_int_equal(history_new(&messages, &history), 0);
}

static void message_is(const char *expected) {
        history_end(history);
        assert_string_equal(message_text, expected);
        keep_messages();
}

#define AMBIGUOUS                                                                                                      \
        "-|the key was pushed, and that this connection was given it is not in the journal: its event is lost, or "    \
        "the key is authorized in another way too"

static void other_authorization_needs_proof(void **state) {
        struct log_event end = end_of(60, "alice", KEY_A, "r", 0);

        (void)state;
        keep_messages();
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        accepted(1, 50, "alice", KEY_A);
        message_is(AMBIGUOUS);

        foresee(&end);
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        accepted(1, 50, "alice", KEY_A);
        message_is("-|the key was pushed, but this connection took no slot of it: the key is authorized in another way "
                   "too, or by a push that is not in the journal");

        /* Another push of the key lived then, whose end is not known. */
        foresee(&end);
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "q", 0);
        accepted(1, 50, "alice", KEY_A);
        message_is(AMBIGUOUS);

        /* It was stored, or gone, at another time. */
        end.stored_us = START_US + 2 * US_PER_S;
        foresee(&end);
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        accepted(1, 50, "alice", KEY_A);
        message_is(AMBIGUOUS);

        /* Who took a slot is not known. */
        end = end_of(60, "alice", KEY_A, "r", 0);
        end.n_taken = 1;
        foresee(&end);
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        accepted(1, 50, "alice", KEY_A);
        message_is(AMBIGUOUS);
}

static void absence_message_is_about_the_journal(void **state) {
        (void)state;
        keep_messages();
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        message_is("-|no use of it is in the journal yet");
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        ours(60, LOG_EVENT_EXPIRED, "alice", KEY_A, "r", 0);
        message_is("-|expired; no use of it is in the journal");
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        gone(1, 50, "alice");
        ends(2, "alice", KEY_A, "r", 60);
        message_is("-|what became of it was shown before, or is not in the journal before the key's end; the event of "
                   "this "
                   "use is not in the journal, but the end of key " KEY_A ", or of another of its push, names the "
                   "connection");
        ours(0, LOG_EVENT_RECEIVED, "bob", KEY_B, "r", 0);
        ours(0, LOG_EVENT_CLAIMED, "bob", KEY_B, "r", 49);
        gone(1, 50, "alice");
        message_is("-|no push for this user is in the journal in the 10 minutes before");
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        ours(0, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 49);
        gone(1, 50, "alice");
        message_is("-|no offer of the last key that was pushed, " KEY_A ", is in the journal: the client may not have "
                   "offered it, or sshd may not have asked exc-authorized-keys for it");
        ours(0, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 49);
        sshd(1, 50, "Failed publickey for alice from a port 1 ssh2: ED25519 " KEY_B);
        gone(1, 50, "alice");
        message_is("-|no push of this key is in the journal in the hour before");
        sshd(1, 50, "Accepted publickey for alice from a port 1 ssh2: ED25519 MD5:00:11");
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        message_is("-|sshd names the key in another form than SHA256 (FingerprintHash); that it is this one, which was "
                   "given to it, is not in the journal");
}

static void loss_marks_absence_incomplete(void **state) {
        const struct log_event lost = loss(100, 40, 12);

        (void)state;
        foresee(&lost);
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "proven", 0);
        ours(1, LOG_EVENT_RECEIVED, "alice", KEY_A, "open", 0);
        ends(50, "alice", KEY_A, "proven", 0);
        gone(60, 50, "alice");
        add(&lost);
        ours(5000, LOG_EVENT_RECEIVED, "alice", KEY_A, "later", 0);
        ours(5001, LOG_EVENT_EXPIRED, "alice", KEY_A, "later", 0);
        in_the_end("unused alice carol proven Expired -\n"
                   "waiting alice carol open - - incomplete\n"
                   "lost 12 60 -\n"
                   "refused alice carol open NotOffered - incomplete\n"
                   "undecided alice carol later Expired -\n");
}

static void any_agent_event_can_report_loss(void **state) {
        struct log_event made = of_key(10, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);

        (void)state;
        made.n_lost = 3;
        made.lost_since_us = START_US;
        add(&made);
        in_the_end("lost 3 10 -\n"
                   "waiting alice carol r - - incomplete\n");
}

static void loss_of_other_boot_marks_nothing(void **state) {
        struct log_event lost = loss(100, 0, 12);

        (void)state;
        lost.boot.bytes[0] = 2;
        foresee(&lost);
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        in_the_end("waiting alice carol r - -\n");
}

static void loss_is_shown_for_any_user(void **state) {
        const struct log_event lost = loss(10, 0, 12);

        (void)state;
        view(&(struct history_view){.user = "bob"});
        add(&lost);
        in_the_end("lost 12 10 -\n");
}

static void late_event_marks_absence_incomplete(void **state) {
        struct log_event late = of_key(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);

        (void)state;
        late.sent_us += 30 * US_PER_S;
        view(&(struct history_view){.all = true});
        foresee(&late);
        gone(1, 50, "alice");
        sshd(20, 51, "Connection from 192.0.2.7 port 7 on 192.0.2.1 port 22");
        add(&late);
        in_the_end("refused alice - - NotPushed - incomplete\n"
                   "waiting alice carol r - - incomplete\n");
}

static void dropped_sshd_lines_mark_absence_incomplete(void **state) {
        const struct log_event dropped = drop(100, 26);

        (void)state;
        foresee(&dropped);
        ours(2, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 51);
        gone(3, 51, "alice");
        ours(4, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 52);
        sshd(5, 52, "fatal: ssh_packet_get_string: no [preauth]");
        add(&dropped);
        in_the_end("refused alice carol r NoProof - incomplete\n"
                   "refused alice carol r SshdFailure -\n"
                   "lost 26 0 ssh.service\n");
}

static void ambiguous_end_is_no_refusal(void **state) {
        (void)state;
        ours(0, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        sshd(1, 50, "fatal: monitor_read: no");
        accepted(2, 51, "alice", KEY_A);
        ours(2, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 51);
        sshd(3, 51, "fatal: monitor_read: no");
        in_the_end("undecided alice carol r SshdFailure -\n"
                   "accepted alice carol r SshdFailure -\n");
}

static void session_proves_login(void **state) {
        (void)state;
        ours(0, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        opened(1, 50);
        closed(3, 50);
        ours(10, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 51);
        sshd(15, 51, "Disconnected from user alice 192.0.2.7 port 7");
        in_the_end("accepted alice carol r - 2\n"
                   "accepted alice carol r - -\n");
}

static void evidence_is_bounded(void **state) {
        struct log_event end;

        (void)state;
        for (int i = 0; i <= HISTORY_ENDS_MAX; i++) {
                end = end_of(i / 100, "alice", KEY_A, "r", (uint64_t)(2 + i));
                end.at_us += i;
                foresee(&end);
        }
        accepted(1, 2, "alice", KEY_A);
        accepted(1, 3, "alice", KEY_A);
        for (int i = 0; i <= HISTORY_GAPS_MAX; i++) {
                struct log_event lost = loss(10 + i, 9 + i, 1);

                foresee(&lost);
        }
        ours(10 + HISTORY_GAPS_MAX, LOG_EVENT_RECEIVED, "bob", KEY_B, "r", 0);
        in_the_end("accepted alice carol r - - event-lost\n"
                   "waiting bob carol r - - incomplete\n");
}

static void beyond_the_limits_the_oldest_is_let_go(void **state) {
        (void)state;
        /* One session stays open, and more follow than can wait for it. */
        ours(0, LOG_EVENT_CLAIMED, "alice", KEY_A, "open", 1);
        accepted(0, 1, "alice", KEY_A);
        opened(0, 1);
        for (int i = 0; i < HISTORY_STORIES_MAX + 10; i++) {
                ours(i * 10, LOG_EVENT_CLAIMED, "bob", KEY_B, "r", (uint64_t)(2 + i));
                gone(i * 10, (uint64_t)(2 + i), "bob");
        }
        assert_true(told.n >= HISTORY_STORIES_MAX - 10);
        told = (struct told){0};
        closed(HISTORY_STORIES_MAX * 10 + 200, 1);
        history_end(history);
        assert_non_null(strstr(told.text, "accepted alice carol open - 1"));

        /* As many sessions as there is room for, all open: the first is told as it is. */
        assert_int_equal(stop(NULL), 0);
        assert_int_equal(start(NULL), 0);
        for (int i = 0; i < HISTORY_STORIES_MAX + 1; i++) {
                ours(i / 100, LOG_EVENT_CLAIMED, i == 0 ? "alice" : "bob", KEY_B, "r", (uint64_t)(2 + i));
                accepted(i / 100, (uint64_t)(2 + i), i == 0 ? "alice" : "bob", KEY_B);
                opened(i / 100, (uint64_t)(2 + i));
        }
        told_is("accepted alice carol r - lost\n");

        /* Pushes that nobody ends. */
        assert_int_equal(stop(NULL), 0);
        assert_int_equal(start(NULL), 0);
        for (int i = 0; i < HISTORY_STORIES_MAX + 1; i++) {
                struct log_event made = of_key(i / 100, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);

                made.at_us += i;
                add(&made);
        }
        assert_int_equal(told.n, 1);
        ours(1000, LOG_EVENT_EXPIRED, "alice", KEY_A, "r", 0);
        told = (struct told){0};
        history_end(history);
        assert_int_equal(told.n, HISTORY_STORIES_MAX);
}

/* --- no more than what is proven ------------------------------------------------------------------------------------ */

/* "outcome reason fingerprint's first letter, or ?: asked by: message", and the keys with what became of each. */
static void tell_all(void *context, const struct story *story) {
        static const char *const outcomes[] = {"accepted", "given", "used-up"};
        struct told *to = context;
        char *end = to->text + to->used;
        size_t size = sizeof(to->text) - to->used;
        int n = snprintf(end, size, "%s %s %s %s%s: %s", word(story->outcome), or_dash(story->why),
                         story->fingerprint ? (strcmp(story->fingerprint, KEY_A) == 0 ? "A" : "B") : "-",
                         story->likely ? "perhaps " : "", or_dash(story->request_id), or_dash(story->message));

        for (size_t i = 0; i < story->n_keys; i++)
                n += snprintf(end + n, size - (size_t)n, " [%s %s %s]",
                              strcmp(story->keys[i].fingerprint, KEY_A) == 0 ? "A" : "B",
                              or_dash(story->keys[i].request_id), outcomes[story->keys[i].outcome]);
        n += snprintf(end + n, size - (size_t)n, "\n");
        to->used += (size_t)n;
}

static void tell_messages(const struct history_view *asked) {
        struct history_view full = *asked;

        full.own_name = own_name;
        full.running = running;
        full.tell = tell_all;
        full.context = &told;
        history_free(history);
        assert_int_equal(history_new(&full, &history), 0);
}

/* As the helper reports it where it cannot see which connection asks. */
static void hidepid(int second, const char *user) {
        struct log_event made = event(LOG_EVENT_HELPER_FAILURE, second, 0);

        (void)snprintf(made.user, sizeof(made.user), "%s", user);
        (void)snprintf(made.message, sizeof(made.message), "/proc hides sshd's processes (hidepid)");
        add(&made);
}

static void sshd_s_reason_against_a_key_is_the_reason(void **state) {
        static const char *const lines[] = {
                "refusing RSA key: Invalid key length [preauth]",
                "Refusing RSA key because peer uses unsafe signature format [preauth]",
                "userauth_pubkey: signature algorithm ssh-rsa not in PubkeyAcceptedAlgorithms [preauth]",
                "AuthorizedKeysCommand /usr/bin/sss_ssh_authorizedkeys alice " KEY_A " failed, status 3",
                "AuthorizedKeysCommand /opt/keys alice exited on signal 9",
                "error: Unsafe AuthorizedKeysCommand \"/opt/keys\": bad ownership or modes for file /opt/keys",
                "error: Could not stat AuthorizedKeysCommand \"/opt/keys\": No such file or directory",
        };

        (void)state;
        tell_messages(&(struct history_view){0});
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                sshd(1 + (int)i, 50 + i, lines[i]);
                gone(1 + (int)i, 50 + i, "alice");
        }
        hidepid(20, "alice");
        gone(21, 60, "alice");
        hidepid(24, "bob");
        gone(25, 61, "alice");
        ours(30, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 62);
        in_the_end(
                "refused KeyNotAccepted - perhaps r: sshd did not look at a key of this client: RSA key: Invalid key "
                "length\n"
                "refused KeyNotAccepted - perhaps r: sshd did not look at a key of this client: RSA key because peer "
                "uses "
                "unsafe signature format\n"
                "refused KeyNotAccepted - perhaps r: sshd did not look at a key of this client: signature algorithm "
                "ssh-rsa not in PubkeyAcceptedAlgorithms\n"
                "refused CommandFailure - perhaps r: sshd took no key from its command: AuthorizedKeysCommand "
                "/usr/bin/sss_ssh_authorizedkeys failed, status 3\n"
                "refused CommandFailure - perhaps r: sshd took no key from its command: AuthorizedKeysCommand "
                "/opt/keys "
                "exited on signal 9\n"
                "refused CommandFailure - perhaps r: sshd took no key from its command: Unsafe AuthorizedKeysCommand "
                "\"/opt/keys\": bad ownership or modes for file /opt/keys\n"
                "refused CommandFailure - perhaps r: sshd took no key from its command: Could not stat "
                "AuthorizedKeysCommand \"/opt/keys\": No such file or directory\n"
                "refused HelperFailure - perhaps r: exc-authorized-keys reported of a connection of this user at that "
                "time: /proc hides sshd's processes (hidepid)\n"
                "refused NotOffered - perhaps r: no offer of the last key that was pushed, " KEY_A
                ", is in the journal: the client may not have offered it, or sshd may not have asked "
                "exc-authorized-keys "
                "for it\n"
                "undecided - A r: no line of sshd's about it is in the journal: perhaps doctor's self-test, or "
                "somebody else, ran exc-authorized-keys, or sshd logs less (LogLevel) [A r given]\n");
}

static void second_factor_is_no_other_way(void **state) {
        (void)state;
        tell_messages(&(struct history_view){0});
        /* LogLevel INFO has no line about the first factor. */
        ours(0, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        sshd(1, 50, "Accepted keyboard-interactive/pam for alice from 192.0.2.7 port 7 ssh2");
        opened(1, 50);
        closed(2, 50);
        ours(3, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 51);
        gone(4, 51, "alice");
        /* LogLevel VERBOSE */
        ours(10, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 52);
        sshd(10, 52, "Partial publickey for alice from 192.0.2.7 port 7 ssh2: ED25519 " KEY_A);
        gone(11, 52, "alice");
        ours(12, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 53);
        sshd(12, 53, "Partial publickey for alice from 192.0.2.7 port 7 ssh2: ED25519 " KEY_A);
        sshd(13, 53, "Accepted keyboard-interactive/pam for alice from 192.0.2.7 port 7 ssh2");
        in_the_end(
                "accepted - A r: sshd's line names keyboard-interactive/pam alone; that this key, which was given to "
                "it, "
                "was a part of that is not in the journal (LogLevel VERBOSE) [A r given]\n"
                "refused NoProof A r: the key was given to sshd; that the client signed with it, or that sshd asked "
                "for "
                "more than a key, is not in the journal [A r given]\n"
                "refused MoreNeeded A r: sshd accepted the key and asked for more (AuthenticationMethods), which the "
                "client did not give [A r accepted]\n"
                "accepted - A r: - [A r accepted]\n");
}

static void each_key_of_a_connection_has_an_outcome(void **state) {
        (void)state;
        tell_messages(&(struct history_view){0});
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_B, "r", 0);
        /* It cannot sign with the first. The slot is the push's, so there is one event. */
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        accepted(1, 50, "alice", KEY_B);
        opened(1, 50);
        closed(3, 50);
        in_the_end("accepted - B r: key " KEY_A " of the same request was given to this connection [A r given] "
                   "[B r accepted]\n");
        /* Keys of two requests, both asked for. */
        tell_messages(&(struct history_view){0});
        ours(10, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        ours(10, LOG_EVENT_CLAIMED, "alice", KEY_B, "q", 50);
        sshd(10, 50, "Partial publickey for alice from 192.0.2.7 port 7 ssh2: ED25519 " KEY_A);
        accepted(11, 50, "alice", KEY_B);
        ours(12, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 51);
        ours(12, LOG_EVENT_NO_SLOT, "alice", KEY_B, "q", 51);
        gone(13, 51, "alice");
        in_the_end("accepted - B q: - [A r accepted] [B q accepted]\n"
                   "refused NoProof A r: the key was given to sshd; that the client signed with it, or that sshd asked "
                   "for "
                   "more than a key, is not in the journal [A r given] [B q used-up]\n");
}

static void slots_of_several_keys_name_none(void **state) {
        const struct log_event both[] = {end_of(60, "alice", KEY_A, "r", 50), end_of(60, "alice", KEY_B, "r", 50)};

        (void)state;
        tell_messages(&(struct history_view){0});
        foresee(&both[0]);
        foresee(&both[1]);
        gone(1, 50, "alice");
        in_the_end("refused NoProof - r: the key was given to sshd; that the client signed with it, or that sshd asked "
                   "for "
                   "more than a key, is not in the journal; the event of this use is not in the journal, but the end "
                   "of key " KEY_B ", or of another of its push, names the connection\n");
}

static void md5_fingerprint_is_no_other_key(void **state) {
        (void)state;
        tell_messages(&(struct history_view){0});
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        sshd(1, 50,
             "Accepted publickey for alice from 127.0.0.1 port 33340 ssh2: ED25519 "
             "MD5:11:9d:de:e5:f2:ae:4b:5e:55:d7:48:25:ff:3d:6e:93");
        in_the_end("accepted - A r: sshd names the key in another form than SHA256 (FingerprintHash); that it is this "
                   "one, "
                   "which was given to it, is not in the journal [A r given]\n");
}

static void login_without_a_line_of_sshd_s_is_no_refusal(void **state) {
        (void)state;
        tell_messages(&(struct history_view){0});
        /* LogLevel ERROR or QUIET: pam_unix alone writes. */
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        opened(1, 50);
        closed(2, 50);
        /* One of sshd's lines before the login is not about its end. */
        ours(3, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 51);
        sshd(3, 51, "refusing RSA key: Invalid key length [preauth]");
        sshd(4, 51, "Connection closed by 192.0.2.7 port 7");
        in_the_end("accepted - A r: sshd's line about how it was let in is not in the journal [A r given]\n"
                   "undecided - A r: what became of it is not in the journal [A r given]\n");
}

/* LogLevel ERROR: errors and PAM's lines alone. */
static void errors_alone_prove_what_they_say(void **state) {
        (void)state;
        tell_messages(&(struct history_view){0});
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        sshd(1, 50, "pam_unix(sshd:account): account alice has expired (account expired)");
        sshd(1, 50, "fatal: Access denied for user alice by PAM account configuration [preauth]");
        /* sshd says no end. */
        ours(10, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 51);
        sshd(11, 51, "error: maximum authentication attempts exceeded for alice from 192.0.2.7 port 7 ssh2 [preauth]");
        /* UsePAM no, and a login. */
        ours(20, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 52);
        in_the_end("refused AccountRefused A r: PAM does not let this user log in: account alice has expired (account "
                   "expired) [A r given]\n"
                   "undecided - A r: what became of it is not in the journal [A r given]\n"
                   "undecided - A r: no line of sshd's about it is in the journal: perhaps doctor's self-test, or "
                   "somebody else, ran exc-authorized-keys, or sshd logs less (LogLevel) [A r given]\n");
}

/* UsePAM no: sshd looks at the account itself. */
static void an_account_that_has_expired_is_not_locked(void **state) {
        (void)state;
        tell_messages(&(struct history_view){0});
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        sshd(1, 50, "Account alice has expired");
        sshd(1, 50, "Connection closed by invalid user alice 192.0.2.7 port 7 [preauth]");
        sshd(2, 51, "User alice not allowed because account is locked");
        sshd(2, 51, "Connection closed by invalid user alice 192.0.2.7 port 7 [preauth]");
        in_the_end("waiting - A r: no use of it is in the journal yet\n"
                   "refused UserNotAllowed - perhaps r: sshd does not let this user log in: the account has expired\n"
                   "refused UserNotAllowed - perhaps r: sshd does not let this user log in: account is locked\n");
}

static void what_was_over_before_a_restart_was_not_after_it(void **state) {
        struct log_event later = event(LOG_EVENT_SSHD, 100, 50);

        (void)state;
        tell_messages(&(struct history_view){.all = true});
        gone(1, 50, "alice");
        later.boot.bytes[0] = 2;
        assert_true(sshd_line_parse("Connection closed by authenticating user alice 192.0.2.7 port 7 [preauth]",
                                    &later.line));
        add(&later);
        in_the_end("refused NotPushed - -: no push for this user is in the journal in the 10 minutes before\n"
                   "refused NotPushed - -: no push for this user is in the journal in the 10 minutes before, since the "
                   "machine was started\n");
}

static void session_without_its_login_is_no_silence(void **state) {
        (void)state;
        ours(0, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        opened(1, 50);
        /* Others log in meanwhile, for longer than anybody may take to. */
        ours(700, LOG_EVENT_CLAIMED, "alice", KEY_B, "q", 51);
        accepted(700, 51, "alice", KEY_B);
        sshd(701, 51, "Disconnected from user alice 192.0.2.7 port 7");
        closed(2000, 50);
        in_the_end("accepted alice carol r - 1999\n"
                   "accepted alice carol q - -\n");
}

static void end_of_a_new_process_is_not_that_of_an_old_one(void **state) {
        (void)state;
        tell_messages(&(struct history_view){0});
        ours(0, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        sshd(0, 50, "Connection from 192.0.2.7 port 7 on 192.0.2.1 port 22");
        /* The end of that is lost, and so is the beginning of this. */
        ours(595, LOG_EVENT_CLAIMED, "alice", KEY_B, "q", 51);
        gone(610, 50, "bob");
        in_the_end("undecided - A r: what became of it is not in the journal [A r given]\n"
                   "undecided - B q: no line of sshd's about it is in the journal: perhaps doctor's self-test, or "
                   "somebody else, ran exc-authorized-keys, or sshd logs less (LogLevel) [B q given]\n"
                   "refused NotPushed - -: no push for this user is in the journal in the 10 minutes before\n");
}

/* The slot was the other key's, and the pushes of both had ended. */
static void key_that_had_ended_is_not_how_it_came_in(void **state) {
        const struct log_event both[] = {end_of(20, "alice", KEY_A, "r", 50), end_of(20, "alice", KEY_B, "r", 50)};

        (void)state;
        tell_messages(&(struct history_view){0});
        foresee(&both[0]);
        foresee(&both[1]);
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_B, "r", 0);
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        add(&both[0]);
        add(&both[1]);
        accepted(30, 50, "alice", KEY_B);
        opened(30, 50);
        closed(31, 50);
        in_the_end("undecided Expired B r: expired; another key of its push was used, and no use of this one is in the "
                   "journal\n"
                   "accepted - B r: the key was pushed, and that this connection was given it is not in the journal: "
                   "its event is lost, or the key is authorized in another way too [A r given] [B r accepted]\n");
}

static void slot_of_another_key_is_said_where_its_end_is_known(void **state) {
        const struct log_event end = end_of(60, "alice", KEY_B, "r", 50);

        (void)state;
        tell_messages(&(struct history_view){0});
        foresee(&end);
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        accepted(2, 50, "alice", KEY_B);
        opened(2, 50);
        closed(3, 50);
        in_the_end("accepted - B r: key " KEY_A " of the same request was given to this connection [A r given] "
                   "[B r accepted]\n");
}

/* Of two pushes of a key, both known from their uses alone, one was revoked. */
static void end_of_another_push_is_not_that_of_the_key(void **state) {
        struct log_event end = of_key(5, LOG_EVENT_REVOKED, "alice", KEY_A, "q", 0);

        (void)state;
        tell_messages(&(struct history_view){0});
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        ours(2, LOG_EVENT_CLAIMED, "alice", KEY_A, "q", 51);
        gone(3, 51, "alice");
        add(&end);
        gone(6, 50, "alice");
        in_the_end("refused NoProof A r: the key was given to sshd; that the client signed with it, or that sshd asked "
                   "for "
                   "more than a key, is not in the journal [A r given]\n"
                   "refused NoProof A q: the key was given to sshd; that the client signed with it, or that sshd asked "
                   "for "
                   "more than a key, is not in the journal [A q given]\n");
}

static void failure_of_sshd_s_after_the_login_hides_nothing(void **state) {
        (void)state;
        tell_messages(&(struct history_view){0});
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        accepted(1, 50, "alice", KEY_A);
        sshd(1, 50, "fatal: fork of unprivileged child failed");
        in_the_end("waiting - A r: a connection logged in with it, and that it was given the key is not in the "
                   "journal\n"
                   "accepted SshdFailure A r: the key was pushed, and that this connection was given it is not in the "
                   "journal: its event is lost, or the key is authorized in another way too; sshd gave up: fork of "
                   "unprivileged child failed\n");
}

static void end_that_comes_before_the_helper_s_event_counts(void **state) {
        (void)state;
        tell_messages(&(struct history_view){0});
        sshd(1, 50, "fatal: userauth_finish: send failure packet: Connection reset by peer [preauth]");
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        closed(10, 51);
        ours(11, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 51);
        in_the_end("refused SshdFailure A r: sshd gave up: userauth_finish: send failure packet: Connection reset by "
                   "peer [A r given]\n"
                   "accepted - A r: sshd's line about how it was let in is not in the journal [A r given]\n");
}

static void attempts_that_are_too_many_need_be_no_keys(void **state) {
        (void)state;
        tell_messages(&(struct history_view){0});
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        sshd(1, 50, "error: maximum authentication attempts exceeded for alice from 192.0.2.7 port 7 ssh2 [preauth]");
        sshd(1, 50,
             "Disconnecting authenticating user alice 192.0.2.7 port 7: Too many authentication failures [preauth]");
        in_the_end("waiting - A r: no use of it is in the journal yet\n"
                   "refused TooManyAttempts - perhaps r: the client tried too often (MaxAuthTries)\n");
}

static void certificate_is_no_pushed_key(void **state) {
        (void)state;
        tell_messages(&(struct history_view){.all = true});
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        sshd(1, 50,
             "Accepted publickey for alice from 192.0.2.7 port 7 ssh2: ED25519-CERT " KEY_A
             " ID a (serial 0) CA ED25519 " KEY_B);
        opened(1, 50);
        closed(2, 50);
        in_the_end("waiting - A r: no use of it is in the journal yet\n"
                   "accepted - A -: by a certificate\n");
}

static void password_that_must_be_changed_is_said(void **state) {
        (void)state;
        tell_messages(&(struct history_view){.all = true});
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        ours(1, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        sshd(1, 50, "pam_unix(sshd:account): expired password for user alice (root enforced)");
        accepted(1, 50, "alice", KEY_A);
        opened(2, 50);
        closed(3, 50);
        /* Another note is none of that. */
        sshd(4, 51, "pam_unix(sshd:account): password for user alice will expire in 3 days");
        accepted(4, 51, "alice", KEY_B);
        opened(4, 51);
        closed(5, 51);
        in_the_end("accepted PasswordExpired A r: PAM: expired password for user alice (root enforced); unless its "
                   "configuration ignores that, sshd runs passwd on a terminal, and no command [A r accepted]\n"
                   "accepted - B -: -\n");
}

static void source_is_of_some_key(void **state) {
        static const char ours_line[] =
                "/usr/libexec/exc-instance-connect/exc-authorized-keys %u %f %t %k:1: Authentication tried for alice "
                "with "
                "correct key but not from a permitted host (host=a, ip=192.0.2.7, required=198.51.100.0/24).";
        static const char own_line[] =
                "/home/alice/.ssh/authorized_keys:1: Authentication tried for alice with correct key "
                "but not from a permitted host (host=a, ip=192.0.2.7, required=203.0.113.1).";

        (void)state;
        tell_messages(&(struct history_view){0});
        ours(0, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        sshd(0, 50, ours_line);
        gone(1, 50, "alice");
        ours(2, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 51);
        sshd(2, 51, own_line);
        gone(3, 51, "alice");
        ours(4, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 52);
        ours(4, LOG_EVENT_CLAIMED, "alice", KEY_B, "q", 52);
        sshd(4, 52, ours_line);
        gone(5, 52, "alice");
        in_the_end("refused WrongSource A r: sshd refused a key that is for clients from 198.51.100.0/24 [A r given]\n"
                   "refused WrongSource A r: sshd refused a key that is for clients from 203.0.113.1 [A r given]\n"
                   "refused WrongSource - -: sshd refused a key that is for clients from 198.51.100.0/24 [A r given] "
                   "[B q given]\n");
}

static void clock_that_was_set_is_why_a_key_expired(void **state) {
        struct log_event end;

        (void)state;
        tell_messages(&(struct history_view){0});
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        end = end_of(5, "alice", KEY_A, "r", 0);
        (void)snprintf(end.reason, sizeof(end.reason), REASON_CLOCK_SET);
        add(&end);
        in_the_end("unused Expired A r: expired (the clock was set, or the machine restored) before it was used\n");
}

static void source_matches_no_address_with_a_zone(void **state) {
        (void)state;
        tell_messages(&(struct history_view){0});
        ours(0, LOG_EVENT_CLAIMED, "alice", KEY_A, "r", 50);
        sshd(0, 50,
             "/usr/libexec/exc-instance-connect/exc-authorized-keys %u %f %t %k:1: Authentication tried for alice with "
             "correct key but not from a permitted host (host=fe80::1%eth0, ip=fe80::1%eth0, required=::/0).");
        sshd(1, 50, "Connection closed by authenticating user alice fe80::1%eth0 port 7 [preauth]");
        in_the_end(
                "refused WrongSource A r: sshd refused a key that is for clients from ::/0: the address of this client "
                "has a zone, and no range matches such a one [A r given]\n");
}

static void later_push_is_not_the_connection_s(void **state) {
        (void)state;
        tell_messages(&(struct history_view){.all = true});
        sshd(1, 50, "Failed publickey for alice from 192.0.2.7 port 7 ssh2: ED25519 " KEY_A);
        gone(1, 50, "alice");
        ours(2, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        /* It was refused before the key ended, though the connection ended after that. */
        sshd(58, 51, "Failed publickey for alice from 192.0.2.7 port 7 ssh2: ED25519 " KEY_A);
        stored = 2;
        ends(60, "alice", KEY_A, "r", 0);
        gone(61, 51, "alice");
        /* Of two requests with the same key, which one it was is not known. */
        ours(100, LOG_EVENT_RECEIVED, "alice", KEY_A, "q", 0);
        ours(101, LOG_EVENT_RECEIVED, "alice", KEY_A, "s", 0);
        accepted(102, 52, "alice", KEY_A);
        in_the_end(
                "refused NotPushed A -: no push of this key is in the journal in the hour before\n"
                "unused Expired A r: expired before it was used\n"
                "refused NotOffered A r: sshd did not accept the key, and that it asked for the key is not in the "
                "journal\n"
                "waiting - A q: no use of it is in the journal yet\n"
                "waiting - A s: a connection logged in with it, and that it was given the key is not in the journal\n"
                "accepted - A -: the key was pushed, and that this connection was given it is not in the journal: its "
                "event is lost, or the key is authorized in another way too\n");
}

static void key_that_waits_is_of_the_present(void **state) {
        (void)state;
        view(&(struct history_view){.since_us = START_US + 100 * US_PER_S});
        ours(0, LOG_EVENT_RECEIVED, "alice", KEY_A, "waits", 0);
        ours(1, LOG_EVENT_RECEIVED, "alice", KEY_B, "over", 0);
        stored = 1;
        ends(60, "alice", KEY_B, "over", 0);
        in_the_end("waiting alice carol waits - -\n");
}

/* Most of them have no line of their own. */
static void number_of_dropped_connections_is_shown_near_a_push(void **state) {
        static const char exited[] = "exited MaxStartups throttling after 00:20:00, 26 connections dropped";

        (void)state;
        tell_messages(&(struct history_view){0});
        sshd(0, 9, exited);
        ours(1, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        sshd(2, 9, "Maxstartups logging rate-limited: additional 7 connections dropped");
        sshd(3, 9, "PerSourcePenalties logging rate-limited: additional 8 connections dropped");
        /* The push is from before the last ten minutes, and they went on for longer. */
        sshd(1500, 9, exited);
        sshd(2500, 9, exited);
        in_the_end("waiting - A r: no use of it is in the journal yet\n"
                   "refused Dropped - -: sshd dropped 7 more before authentication, without a line of each: too many "
                   "others had not logged in (MaxStartups)\n"
                   "refused Dropped - -: sshd dropped 8 more before authentication, without a line of each: their "
                   "addresses have penalties (PerSourcePenalties)\n"
                   "refused Dropped - -: sshd dropped 26 before authentication, within 20 min: too many others had not "
                   "logged in (MaxStartups)\n");
}

static void dropped_connection_is_shown_near_a_push(void **state) {
        static const char *const lines[] = {
                "drop connection #0 from [192.0.2.7]:35834 on [127.0.0.1]:22 penalty: failed authentication",
                "drop connection #10 from [2001:db8::7]:44216 on [::1]:22 Maxstartups",
                "drop connection #1 from [192.0.2.7]:55316 on [127.0.0.1]:2299 past MaxStartups",
                "refused connect from evil (1.2.3.4) (192.0.2.7)",
        };

        (void)state;
        tell_messages(&(struct history_view){0});
        sshd(0, 9, lines[0]);
        ours(1, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
                sshd(2 + (int)i, 9, lines[i]);
        sshd(1000, 9, lines[0]);
        in_the_end(
                "waiting - A r: no use of it is in the journal yet\n"
                "refused Dropped - -: sshd dropped the connection before authentication: failed authentication "
                "(PerSourcePenalties)\n"
                "refused Dropped - -: sshd dropped the connection before authentication: too many others had not "
                "logged "
                "in (MaxStartups)\n"
                "refused Dropped - -: sshd dropped the connection before authentication: too many others had not "
                "logged "
                "in (MaxStartups)\n"
                "refused Dropped - -: sshd dropped the connection before authentication: the address may not connect "
                "(hosts.deny)\n");
        tell_messages(&(struct history_view){.user = "bob"});
        ours(1, LOG_EVENT_RECEIVED, "alice", KEY_A, "r", 0);
        sshd(2, 9, lines[0]);
        in_the_end("");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
        const struct CMUnitTest tests[] = {
                TEST(a_login_is_one_story_from_the_push_to_the_session_s_end),
                TEST(what_the_journal_got_the_other_way_round_is_the_same_story),
                TEST(stories_are_told_in_the_order_in_which_they_began),
                TEST(followed_they_are_told_as_they_happen),
                TEST(a_session_that_is_open_when_following_begins_is_told_then),
                TEST(a_clock_that_is_set_back_keeps_nobody_waiting),
                TEST(what_is_open_when_the_following_ends_is_not_told_again),
                TEST(events_that_come_late_are_told_in_their_place),
                TEST(without_pam_who_leaves_ends_the_connection),
                TEST(followed_a_session_without_pam_is_told_once),
                TEST(without_pam_an_accepted_connection_holds_nobody_up),
                TEST(a_session_that_is_open_is_called_open_only_while_its_process_is_there),
                TEST(a_push_that_nobody_uses_is_told_with_its_end),
                TEST(of_two_pushes_of_one_key_each_has_its_own_end),
                TEST(a_refused_push_is_told_with_the_wire_s_reason),
                TEST(what_sshd_says_of_a_refusal_is_the_reason),
                TEST(a_helper_s_failure_is_the_reason_of_its_connection_alone),
                TEST(a_refused_connection_near_a_push_is_told_and_others_are_not),
                TEST(all_connections_are_told_where_that_is_asked_for),
                TEST(a_login_that_only_some_program_of_root_s_wrote_of_is_none),
                TEST(a_key_that_sshd_names_is_found_among_the_pushed_ones),
                TEST(a_user_is_the_account_under_each_of_its_names),
                TEST(a_key_that_ends_between_offer_and_signature_is_told_so),
                TEST(a_login_with_another_key_than_the_pushed_one_is_not_the_request_s),
                TEST(of_several_methods_the_key_counts),
                TEST(a_pid_that_is_used_again_is_another_connection),
                TEST(with_another_boot_all_pids_are_new),
                TEST(who_neither_logs_in_nor_leaves_is_told_of_in_the_end),
                TEST(only_one_user_and_only_what_ended_since_is_told),
                TEST(the_first_address_with_a_port_is_the_connection_s),
                TEST(the_message_of_a_refusal_does_not_say_twice_what_fields_say),
                TEST(a_key_that_no_sshd_asked_for_may_have_been_doctor_s),
                TEST(key_end_proves_lost_use),
                TEST(key_end_names_refused_connection),
                TEST(key_end_alone_names_request),
                TEST(slot_without_sshd_lines_is_shown),
                TEST(reused_pid_is_not_matched),
                TEST(followed_lost_use_is_shown_at_key_end),
                TEST(followed_use_is_shown_once),
                TEST(unread_event_is_not_lost),
                TEST(unused_needs_proof),
                TEST(used_up_key_is_not_unused),
                TEST(keys_of_one_push_share_slots),
                TEST(login_with_another_key_of_push_has_request),
                TEST(late_push_event_is_joined),
                TEST(use_after_key_end_event_is_joined),
                TEST(other_authorization_needs_proof),
                TEST(absence_message_is_about_the_journal),
                TEST(loss_marks_absence_incomplete),
                TEST(any_agent_event_can_report_loss),
                TEST(loss_of_other_boot_marks_nothing),
                TEST(loss_is_shown_for_any_user),
                TEST(late_event_marks_absence_incomplete),
                TEST(dropped_sshd_lines_mark_absence_incomplete),
                TEST(ambiguous_end_is_no_refusal),
                TEST(session_proves_login),
                TEST(evidence_is_bounded),
                TEST(sshd_s_reason_against_a_key_is_the_reason),
                TEST(second_factor_is_no_other_way),
                TEST(each_key_of_a_connection_has_an_outcome),
                TEST(slots_of_several_keys_name_none),
                TEST(md5_fingerprint_is_no_other_key),
                TEST(login_without_a_line_of_sshd_s_is_no_refusal),
                TEST(errors_alone_prove_what_they_say),
                TEST(an_account_that_has_expired_is_not_locked),
                TEST(what_was_over_before_a_restart_was_not_after_it),
                TEST(session_without_its_login_is_no_silence),
                TEST(end_of_a_new_process_is_not_that_of_an_old_one),
                TEST(key_that_had_ended_is_not_how_it_came_in),
                TEST(slot_of_another_key_is_said_where_its_end_is_known),
                TEST(end_of_another_push_is_not_that_of_the_key),
                TEST(failure_of_sshd_s_after_the_login_hides_nothing),
                TEST(end_that_comes_before_the_helper_s_event_counts),
                TEST(attempts_that_are_too_many_need_be_no_keys),
                TEST(certificate_is_no_pushed_key),
                TEST(password_that_must_be_changed_is_said),
                TEST(source_is_of_some_key),
                TEST(clock_that_was_set_is_why_a_key_expired),
                TEST(source_matches_no_address_with_a_zone),
                TEST(later_push_is_not_the_connection_s),
                TEST(key_that_waits_is_of_the_present),
                TEST(number_of_dropped_connections_is_shown_near_a_push),
                TEST(dropped_connection_is_shown_near_a_push),
                TEST(beyond_the_limits_the_oldest_is_let_go),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
