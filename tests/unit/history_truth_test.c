/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No sentence of log's is false. A seed makes a true history: pushes, clients with keys, an sshd with its settings. Its
 * events and sshd's lines are then lost, repeated and brought out of order, and each story that comes out is compared with
 * what happened. That something is not in the journal is compared with what was read by then, where the order is one that
 * a journal can have: entries that were sent within two seconds of each other may have changed places. All else must be
 * true in any order.
 *
 *   history_truth_test [SEEDS [FIRST]]
 */
#include "admin/log/history.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define US_PER_S INT64_C(1000000)
#define START_US (INT64_C(1781519445) * US_PER_S)

enum {
        SEEDS = 400,
        PUSHES = 8,
        CONNECTIONS = 12,
        KEYS = 6,
        OFFERS = 3,
        ENTRIES = 1024,
        HORIZON_S = 1500,
};

static const char *const users[] = {"alice", "bob", "carl"};
static char keys[KEYS][SSHD_LINE_FINGERPRINT_MAX];

/* One push: its keys share its slots. */
struct push {
        int user, n_keys, keys[2], slots; /* 0: any number */
        int64_t at_us, end_us;            /* INT64_MAX: it does not end */
        int boot;
        bool revoked;
        char request[16];
        uint64_t taken[4];
        int n_taken;
};

struct connection {
        int user, boot;
        uint64_t pid;
        unsigned port;
        int64_t at_us, last_us, opened_us, closed_us;
        bool logged_in, denied, wrong_source, timeout, account_refused, certificate, partial, key_refused,
                command_failed;
        int n_offers, offers[OFFERS];
        bool offered[KEYS], given[KEYS], no_free_slot[KEYS], accepted[KEYS], failed[KEYS];
        unsigned given_by[KEYS]; /* a bit for each push */
};

struct entry {
        struct log_event event;
        bool fed;
};

static struct {
        uint64_t random;
        uint64_t seed;
        bool verbose, quiet, md5, pam, second_factor, follow, fails;
        int order;       /* 0: as it happened, 1: nearly so, 2: any */
        int64_t boot_us; /* when the machine was started again */
        struct push pushes[PUSHES];
        struct connection connections[CONNECTIONS];
        bool own[3][KEYS]; /* in the user's authorized_keys */
        struct entry entries[ENTRIES];
        size_t n;
        size_t n_told, n_false;
} world;

static uint64_t below(uint64_t n) {
        world.random ^= world.random << 13;
        world.random ^= world.random >> 7;
        world.random ^= world.random << 17;
        return world.random % n;
}

static bool chance(unsigned percent) {
        return below(100) < percent;
}

/* --- the true history ------------------------------------------------------------------------------------------------ */

static struct log_event *entry(enum log_event_kind kind, int64_t at_us, uint64_t pid) {
        struct log_event *made;

        assert_true(world.n < ENTRIES);
        made = &world.entries[world.n++].event;
        *made = (struct log_event){.kind = kind, .at_us = at_us, .sent_us = at_us, .pid = pid, .certain = true};
        made->boot.bytes[0] = at_us < world.boot_us ? 1 : 2;
        return made;
}

static void about_push(struct log_event *made, const struct push *push, int key) {
        (void)snprintf(made->user, sizeof(made->user), "%s", users[push->user]);
        (void)snprintf(made->fingerprint, sizeof(made->fingerprint), "%s", keys[key]);
        (void)snprintf(made->principal, sizeof(made->principal), "p-%s", push->request);
        (void)snprintf(made->request_id, sizeof(made->request_id), "%s", push->request);
}

__attribute__((format(printf, 3, 4))) static void line(int64_t at_us, uint64_t pid, const char *format, ...) {
        struct log_event *made = entry(LOG_EVENT_SSHD, at_us, pid);
        char text[512];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        if (!sshd_line_parse(text, &made->line))
                fail_msg("says nothing: %s", text);
        if (made->line.pid > 0)
                made->pid = made->line.pid;
}

static bool lives(const struct push *push, int64_t us) {
        return push->at_us <= us && us < push->end_us && push->boot == (us < world.boot_us ? 1 : 2);
}

static bool has_slot(const struct push *push, uint64_t pid) {
        for (int i = 0; i < push->n_taken; i++)
                if (push->taken[i] == pid)
                        return true;
        return false;
}

static bool has_key(const struct push *push, int key) {
        for (int i = 0; i < push->n_keys; i++)
                if (push->keys[i] == key)
                        return true;
        return false;
}

/* exc-authorized-keys (authkeys-helper/lookup.c). The push that it gives the key of, or -1. */
static int ask_helper(struct connection *connection, int key, int64_t us) {
        int full = -1;

        for (int pass = 0; pass < 2; pass++)
                for (int i = PUSHES - 1; i >= 0; i--) {
                        struct push *push = &world.pushes[i];

                        if (push->user != connection->user || !has_key(push, key) || !lives(push, us))
                                continue;
                        if (push->slots > 0 && has_slot(push, connection->pid))
                                return i;
                        if (pass == 0)
                                continue;
                        if (push->slots > 0 && push->n_taken == push->slots) {
                                full = full < 0 ? i : full;
                                continue;
                        }
                        if (push->slots > 0)
                                push->taken[push->n_taken++] = connection->pid;
                        about_push(entry(LOG_EVENT_CLAIMED, us, connection->pid), push, key);
                        return i;
                }
        if (full >= 0) {
                about_push(entry(LOG_EVENT_NO_SLOT, us, connection->pid), &world.pushes[full], key);
                connection->no_free_slot[key] = true;
        }
        return -1;
}

static const char *named(int key, char text[static 80]) {
        (void)snprintf(text, 80, world.md5 ? "MD5:00:11:22" : "%s", keys[key]);
        return text;
}

#define FROM "%s from 192.0.2.7 port %u ssh2"

static void log_in(struct connection *connection, int64_t us) {
        const char *user = users[connection->user];

        connection->logged_in = true;
        connection->last_us = us + 500000;
        if (world.pam) {
                connection->opened_us = us + 500000;
                connection->closed_us = connection->last_us = us + (int64_t)(1 + below(90)) * US_PER_S;
                line(connection->opened_us, connection->pid,
                     "pam_unix(sshd:session): session opened for user %s(uid=1) by (uid=0)", user);
        }
        if (!world.quiet)
                line(connection->last_us, connection->pid, "Disconnected from user %s 192.0.2.7 port %u", user,
                     connection->port);
        if (world.pam)
                line(connection->last_us, connection->pid, "pam_unix(sshd:session): session closed for user %s", user);
}

static void not_accepted(struct connection *connection, int key, int64_t us) {
        char name[80];

        if (!world.verbose || world.quiet)
                return;
        connection->failed[key] = true;
        line(us, connection->pid, "Failed publickey for " FROM ": ED25519 %s", users[connection->user],
             connection->port, named(key, name));
}

/* One key of the client's. True: nothing more comes after it. */
static bool offer(struct connection *connection, int key, int64_t *us) {
        const char *user = users[connection->user];
        bool can_sign = chance(70);
        char name[80];
        int push;

        connection->offered[key] = true;
        *us += (int64_t)below(900000);
        if (key == KEYS - 1) {
                connection->key_refused = true;
                if (!world.quiet)
                        line(*us, connection->pid, "refusing RSA key: Invalid key length [preauth]");
                return false;
        }
        if (world.fails) {
                connection->command_failed = true;
                if (!world.quiet)
                        line(*us, connection->pid, "AuthorizedKeysCommand /opt/keys %s failed, status 3", user);
        }
        push = world.fails ? -1 : ask_helper(connection, key, *us);
        if (push >= 0) {
                connection->given[key] = true;
                connection->given_by[key] |= 1U << push;
        }
        if (push < 0 && !world.own[connection->user][key]) {
                not_accepted(connection, key, *us);
                return false;
        }
        if (!can_sign)
                return false;
        *us += chance(10) ? 20 * US_PER_S : (int64_t)below(900000);
        push = world.fails ? -1 : ask_helper(connection, key, *us);
        if (push >= 0) {
                connection->given[key] = true;
                connection->given_by[key] |= 1U << push;
        }
        if (push < 0 && !world.own[connection->user][key]) {
                not_accepted(connection, key, *us);
                return false;
        }
        if (push >= 0 && chance(10)) {
                connection->wrong_source = true;
                if (!world.quiet)
                        line(*us, connection->pid,
                             "/usr/libexec/exc-instance-connect/exc-authorized-keys %%u %%f %%t %%k:1: Authentication "
                             "tried for "
                             "%s with correct key but not from a permitted host (host=h, ip=192.0.2.7, "
                             "required=198.51.100.0/24).",
                             user);
                not_accepted(connection, key, *us);
                return false;
        }
        if (world.pam && chance(20))
                line(*us, connection->pid, "pam_access(sshd:account): a note");
        if (world.pam && chance(8)) {
                connection->account_refused = true;
                connection->last_us = *us;
                line(*us, connection->pid, "pam_unix(sshd:account): account %s has expired", user);
                line(*us, connection->pid, "fatal: Access denied for user %s by PAM account configuration [preauth]",
                     user);
                return true;
        }
        connection->accepted[key] = true;
        if (world.second_factor) {
                connection->partial = true;
                if (world.verbose && !world.quiet)
                        line(*us, connection->pid, "Partial publickey for " FROM ": ED25519 %s", user, connection->port,
                             named(key, name));
                if (chance(50))
                        return false;
                *us += (int64_t)below(3000000);
                if (!world.quiet)
                        line(*us, connection->pid, "Accepted keyboard-interactive/pam for " FROM, user,
                             connection->port);
        } else if (!world.quiet)
                line(*us, connection->pid, "Accepted publickey for " FROM ": ED25519 %s", user, connection->port,
                     named(key, name));
        log_in(connection, *us);
        return true;
}

static void connect(struct connection *connection, int i) {
        int64_t us = connection->at_us;
        const char *user;

        *connection = (struct connection){.user = (int)below(3), .at_us = us, .pid = (uint64_t)(100 + i)};
        connection->port = (unsigned)(40000 + i);
        connection->boot = us < world.boot_us ? 1 : 2;
        user = users[connection->user];
        if (world.verbose && !world.quiet)
                line(us, connection->pid, "Connection from 192.0.2.7 port %u on 192.0.2.1 port 22", connection->port);
        if (chance(8)) {
                connection->denied = true;
                if (!world.quiet)
                        line(us, connection->pid, "User %s from 192.0.2.7 not allowed because listed in DenyUsers",
                             user);
        } else if (chance(8)) {
                char name[80];

                connection->certificate = true;
                connection->offered[0] = true;
                if (!world.quiet)
                        line(us, connection->pid, "Accepted publickey for " FROM ": ED25519-CERT %s ID x CA ED25519 %s",
                             user, connection->port, named(0, name), keys[1]);
                log_in(connection, us);
                return;
        } else
                for (int j = 1 + (int)below(OFFERS); j > 0; j--)
                        if (offer(connection, (int)below(KEYS), &us))
                                return;
        us += (int64_t)below(900000);
        if (!connection->denied && !world.second_factor && chance(15)) {
                if (!world.quiet)
                        line(us, connection->pid, "Accepted password for " FROM, user, connection->port);
                log_in(connection, us);
                return;
        }
        connection->last_us = us;
        if (!world.quiet)
                line(us, connection->pid, "Connection closed by %s user %s 192.0.2.7 port %u [preauth]",
                     connection->denied ? "invalid" : "authenticating", user, connection->port);
}

static void make_push(struct push *push, int i, int64_t at_us) {
        *push = (struct push){.user = (int)below(3), .at_us = at_us, .slots = (int)below(3)};
        push->boot = at_us < world.boot_us ? 1 : 2;
        push->n_keys = 1 + chance(40);
        push->keys[0] = (int)below(KEYS);
        push->keys[1] = (push->keys[0] + 1) % KEYS;
        push->revoked = chance(30);
        push->end_us = chance(15) ? INT64_MAX : at_us + (int64_t)(1 + below(300)) * US_PER_S;
        (void)snprintf(push->request, sizeof(push->request), "r-%d", i);
        for (int j = 0; j < push->n_keys; j++)
                about_push(entry(LOG_EVENT_RECEIVED, at_us, 0), push, push->keys[j]);
}

static void end_push(const struct push *push) {
        if (push->end_us == INT64_MAX || (push->boot == 1 && push->end_us >= world.boot_us))
                return;
        for (int j = 0; j < push->n_keys; j++) {
                struct log_event *made =
                        entry(push->revoked ? LOG_EVENT_REVOKED : LOG_EVENT_EXPIRED, push->end_us + j, 0);

                about_push(made, push, push->keys[j]);
                made->stored_us = push->at_us;
                made->slots_final = push->slots > 0;
                made->n_taken = (unsigned)push->n_taken;
                for (int k = 0; k < push->n_taken; k++)
                        made->pids[made->n_pids++] = push->taken[k];
        }
}

static int by_time(const void *a, const void *b) {
        const struct connection *one = a, *other = b;

        return one->at_us < other->at_us ? -1 : one->at_us > other->at_us;
}

static int by_sent(const void *a, const void *b) {
        const struct entry *one = a, *other = b;

        return one->event.sent_us < other->event.sent_us ? -1 : one->event.sent_us > other->event.sent_us;
}

static void make_world(uint64_t seed) {
        int64_t pushed_us[PUSHES];

        memset(&world, 0, sizeof(world));
        world.seed = seed;
        world.random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
        for (int i = 0; i < 8; i++)
                (void)below(2);
        world.verbose = chance(40);
        world.quiet = chance(10);
        world.md5 = chance(10);
        world.pam = chance(80);
        world.second_factor = chance(25);
        world.fails = chance(5);
        world.follow = chance(30);
        world.order = (int)below(3);
        world.boot_us = chance(20) ? START_US + HORIZON_S * US_PER_S / 2 : INT64_MAX;
        for (int i = 0; i < 3; i++)
                for (int j = 0; j < KEYS; j++)
                        world.own[i][j] = chance(10);
        for (int i = 0; i < PUSHES; i++)
                pushed_us[i] = START_US + (int64_t)i * HORIZON_S * US_PER_S / PUSHES + (int64_t)below(1000000);
        for (int i = 0; i < PUSHES; i++)
                make_push(&world.pushes[i], i, pushed_us[i]);
}

/* Clients come one after the other, so that slots are taken in the order of time. */
static void make_clients(void) {
        for (int i = 0; i < CONNECTIONS; i++) {
                int64_t *at_us = &world.connections[i].at_us;

                *at_us = START_US + (int64_t)below(HORIZON_S * 1000) * 1000;
                /* None outlives the machine. */
                if (*at_us < world.boot_us && *at_us >= world.boot_us - 300 * US_PER_S)
                        *at_us -= 300 * US_PER_S;
        }
        qsort(world.connections, CONNECTIONS, sizeof(world.connections[0]), by_time);
        for (int i = 0; i < CONNECTIONS; i++)
                connect(&world.connections[i], i);
        for (int i = 0; i < PUSHES; i++)
                end_push(&world.pushes[i]);
        for (int i = 0; i < 3; i++)
                line(START_US + (int64_t)below(HORIZON_S) * US_PER_S, 9,
                     "drop connection #0 from [203.0.113.%d]:%d on [192.0.2.1]:22 penalty: failed authentication", i,
                     7 + i);
}

/* --- what is compared ------------------------------------------------------------------------------------------------- */

static void say(const struct story *story, const char *what) {
        (void)fprintf(stderr,
                      "# seed %" PRIu64 ": %s: outcome %d why %s user %s key %s request %s pid %" PRIu64 ": %s\n",
                      world.seed, what, story->outcome, story->why ? story->why : "-", story->user ? story->user : "-",
                      story->fingerprint ? story->fingerprint : "-", story->request_id ? story->request_id : "-",
                      story->pid, story->message ? story->message : "-");
        for (size_t i = 0; i < world.n; i++) {
                const struct log_event *made = &world.entries[i].event;

                if ((story->pid > 0 && made->pid == story->pid) ||
                    (story->request_id && strcmp(made->request_id, story->request_id) == 0))
                        (void)fprintf(stderr,
                                      "#   %s at %.3f s, sent %.3f s, kind %d said %d pid %" PRIu64
                                      " key %.8s request %s\n",
                                      world.entries[i].fed ? "read" : "later", (double)(made->at_us - START_US) / 1e6,
                                      (double)(made->sent_us - START_US) / 1e6, made->kind, made->line.said, made->pid,
                                      made->fingerprint, made->request_id);
        }
        world.n_false++;
}

#define TRUE(condition)                                                                                                \
        do                                                                                                             \
                if (!(condition))                                                                                      \
                        say(story, #condition);                                                                        \
        while (0)

static int key_of(const char *fingerprint) {
        for (int i = 0; fingerprint && i < KEYS; i++)
                if (strcmp(keys[i], fingerprint) == 0)
                        return i;
        return -1;
}

static const struct push *push_of(const char *request) {
        for (int i = 0; request && i < PUSHES; i++)
                if (strcmp(world.pushes[i].request, request) == 0)
                        return &world.pushes[i];
        return NULL;
}

/* Whether such an event of ours has been read. NULL and 0 stand for any. */
static bool read_event(enum log_event_kind kind, uint64_t pid, const char *fingerprint, const char *request,
                       const char *user, int64_t from_us, int64_t until_us) {
        for (size_t i = 0; i < world.n; i++) {
                const struct log_event *made = &world.entries[i].event;

                if (world.entries[i].fed && made->kind == kind && (pid == 0 || made->pid == pid) &&
                    (!fingerprint || strcmp(made->fingerprint, fingerprint) == 0) &&
                    (!request || strcmp(made->request_id, request) == 0) && (!user || strcmp(made->user, user) == 0) &&
                    made->at_us >= from_us && made->at_us <= until_us)
                        return true;
        }
        return false;
}

static bool read_line(enum sshd_said said, uint64_t pid, const char *fingerprint) {
        for (size_t i = 0; i < world.n; i++) {
                const struct log_event *made = &world.entries[i].event;

                if (world.entries[i].fed && made->kind == LOG_EVENT_SSHD && made->pid == pid &&
                    made->line.said == said && (!fingerprint || strcmp(made->line.fingerprint, fingerprint) == 0))
                        return true;
        }
        return false;
}

static bool says(const struct story *story, const char *text) {
        return story->message && strstr(story->message, text);
}

static void check_keys(const struct story *story, const struct connection *connection) {
        for (size_t i = 0; i < story->n_keys; i++) {
                int key = key_of(story->keys[i].fingerprint);
                const struct push *push = push_of(story->keys[i].request_id);

                assert_true(key >= 0 && push);
                TRUE(has_key(push, key) && push->user == connection->user);
                switch (story->keys[i].outcome) {
                case STORY_KEY_ACCEPTED:
                        TRUE(connection->accepted[key]);
                        break;
                case STORY_KEY_GIVEN:
                        TRUE(connection->given[key]);
                        break;
                case STORY_KEY_USED_UP:
                        TRUE(connection->no_free_slot[key]);
                        break;
                }
        }
}

/* Whose request, and which key. */
static void check_request(const struct story *story, const struct connection *connection) {
        const struct push *push = push_of(story->request_id);
        int key = key_of(story->fingerprint);
        bool given = false;

        if (key >= 0)
                TRUE(connection->offered[key]);
        if (!story->request_id)
                return;
        assert_non_null(push);
        TRUE((push->user == connection->user || says(story, "the key was pushed for ")) &&
             push->at_us <= connection->last_us);
        TRUE(strcmp(story->principal + 2, story->request_id) == 0);
        if (story->likely)
                return;
        for (int i = 0; i < KEYS; i++)
                given |= (connection->given_by[i] & 1U << (push - world.pushes)) != 0 ||
                         (connection->no_free_slot[i] && has_key(push, i));
        /* Else it is said of the key alone. */
        if (!given)
                TRUE(key >= 0 && has_key(push, key) &&
                     (connection->failed[key] || says(story, "is not in the journal") || says(story, "took no slot")));
        /* "accepted", and nothing more: it came in with this key, which was pushed by that request. */
        if (story->outcome == STORY_ACCEPTED && !story->message)
                TRUE(key >= 0 && connection->accepted[key] && connection->given[key] && has_key(push, key));
}

struct sentence {
        const char *text;
        bool (*holds)(const struct story *story, const struct connection *connection, int key);
};

#define HOLDS(name) static bool name(const struct story *story, const struct connection *connection, int key)

HOLDS(denied) {
        (void)story;
        (void)key;
        return connection->denied;
}

HOLDS(wrong_source) {
        (void)story;
        (void)key;
        return connection->wrong_source;
}

HOLDS(account) {
        (void)story;
        (void)key;
        return connection->account_refused;
}

HOLDS(refused_key) {
        (void)story;
        (void)key;
        return connection->key_refused;
}

HOLDS(command_failed) {
        (void)story;
        (void)key;
        return connection->command_failed;
}

HOLDS(no_free_slot) {
        (void)story;
        return key >= 0 && connection->no_free_slot[key];
}

HOLDS(more_needed) {
        (void)story;
        (void)key;
        return connection->partial && !connection->logged_in;
}

HOLDS(given_unsigned) {
        bool given = false;

        for (int i = 0; i < KEYS; i++)
                given |= connection->given[i];
        return given &&
               (key < 0 || (connection->given[key] && !read_line(SSHD_SAID_PARTIAL, connection->pid, keys[key]))) &&
               !story->accepted_us;
}

HOLDS(had_ended) {
        bool revoked = strstr(story->message, "been revoked") != NULL;

        for (int i = 0; i < PUSHES; i++) {
                const struct push *push = &world.pushes[i];

                if (push->user == connection->user && push->end_us <= connection->last_us && push->revoked == revoked &&
                    (story->request_id ? strcmp(push->request, story->request_id) == 0 : has_key(push, key)))
                        return true;
        }
        return false;
}

HOLDS(failed_unasked) {
        (void)story;
        return key >= 0 && connection->failed[key] &&
               !read_event(LOG_EVENT_CLAIMED, connection->pid, keys[key], NULL, NULL, 0, INT64_MAX);
}

HOLDS(no_offer) {
        const struct push *push = push_of(story->request_id);

        (void)key;
        return push && !read_event(LOG_EVENT_CLAIMED, connection->pid, NULL, NULL, NULL, 0, INT64_MAX);
}

HOLDS(no_push_of_key) {
        return key >= 0 &&
               !read_event(LOG_EVENT_RECEIVED, 0, keys[key], NULL, NULL,
                           connection->boot == 2 ? world.boot_us : story->last_us - 3600 * US_PER_S, story->last_us);
}

HOLDS(no_push_for_user) {
        int64_t from_us = story->at_us - 600 * US_PER_S;

        (void)key;
        if (connection->boot == 2 && from_us < world.boot_us)
                from_us = world.boot_us;
        return !read_event(LOG_EVENT_RECEIVED, 0, NULL, NULL, users[connection->user], from_us, story->last_us);
}

HOLDS(for_another_user) {
        const char *name = strstr(story->message, "the key was pushed for ") + strlen("the key was pushed for ");

        for (int i = 0; key >= 0 && i < PUSHES; i++)
                if (has_key(&world.pushes[i], key) &&
                    strncmp(name, users[world.pushes[i].user], strlen(users[world.pushes[i].user])) == 0)
                        return connection->failed[key];
        return false;
}

HOLDS(together) {
        bool given = false;

        for (int i = 0; i < KEYS; i++)
                given |= strstr(story->message, keys[i]) && connection->given[i];
        return given && key >= 0 && connection->accepted[key];
}

HOLDS(unasked) {
        return key >= 0 && connection->accepted[key] &&
               !read_event(LOG_EVENT_CLAIMED, connection->pid, keys[key], story->request_id, NULL, 0, INT64_MAX);
}

HOLDS(no_slot) {
        const struct push *push = push_of(story->request_id);

        return key >= 0 && connection->accepted[key] && (!push || !has_slot(push, connection->pid));
}

HOLDS(certificate) {
        (void)story;
        (void)key;
        return connection->certificate;
}

HOLDS(another_key) {
        bool given = false;

        for (int i = 0; i < KEYS; i++)
                given |= connection->no_free_slot[i] ||
                         (connection->given[i] &&
                          (strstr(story->message, keys[i]) || says(story, "or another of its push")));
        return given && key >= 0 && connection->accepted[key];
}

HOLDS(was_given) {
        bool given = false;

        (void)story;
        for (int i = 0; i < KEYS; i++)
                given |= connection->given[i];
        return given && connection->logged_in && (key < 0 || connection->given[key]);
}

HOLDS(no_use_on_connection) {
        (void)story;
        (void)key;
        return connection->logged_in;
}

HOLDS(no_accepted_line) {
        (void)story;
        (void)key;
        return connection->logged_in && !read_line(SSHD_SAID_ACCEPTED, connection->pid, NULL);
}

HOLDS(no_end) {
        (void)story;
        (void)key;
        return !read_line(SSHD_SAID_ACCEPTED, connection->pid, NULL) &&
               !read_line(SSHD_SAID_SESSION_OPENED, connection->pid, NULL);
}

HOLDS(of_end) {
        (void)key;
        (void)connection;
        return story->event_lost;
}

HOLDS(nothing_of_sshd) {
        (void)story;
        (void)key;
        for (size_t i = 0; i < world.n; i++)
                if (world.entries[i].fed && world.entries[i].event.kind == LOG_EVENT_SSHD &&
                    world.entries[i].event.pid == connection->pid)
                        return false;
        return true;
}

HOLDS(event_lost) {
        (void)key;
        return story->event_lost && !read_event(LOG_EVENT_CLAIMED, connection->pid, story->fingerprint,
                                                story->request_id, NULL, 0, INT64_MAX);
}

static const struct sentence sentences[] = {
        {"sshd does not let this user log in: listed in DenyUsers", denied},
        {"sshd refused a key that is for clients from 198.51.100.0/24", wrong_source},
        {"PAM does not let this user log in", account},
        {"sshd did not look at a key of this client: RSA key: Invalid key length", refused_key},
        {"sshd took no key from its command: AuthorizedKeysCommand /opt/keys failed, status 3", command_failed},
        {"other connections hold all slots of the key", no_free_slot},
        {"and asked for more (AuthenticationMethods), which the client did not give", more_needed},
        {"that sshd asked for more than a key, is not in the journal", given_unsigned},
        {"when the connection ended; that the client signed with it is not in the journal", had_ended},
        {"the key had ", had_ended},
        {"no offer of a live key is in the journal; the last one", had_ended},
        {"sshd did not accept the key, and that it asked for the key is not in the journal", failed_unasked},
        {", is in the journal: the client may not have offered it", no_offer},
        {"no push of this key is in the journal in the hour before", no_push_of_key},
        {"no push for this user is in the journal in the 10 minutes before", no_push_for_user},
        {"the key was pushed for ", for_another_user},
        {"of the same request was given to this connection", together},
        {"and that this connection was given it is not in the journal: its event is lost", unasked},
        {"but this connection took no slot of it", no_slot},
        {"by a certificate", certificate},
        {"sshd's line names another key", another_key},
        {"sshd names the key in another form than SHA256", was_given},
        {" alone; that this key, which was given to it", was_given},
        {"it had no free slot", no_use_on_connection},
        {"sshd's line about how it was let in is not in the journal", no_accepted_line},
        {"what became of it is not in the journal", no_end},
        {"what became of it was shown before, or is not in the journal before the key's end", of_end},
        {"no line of sshd's about it is in the journal", nothing_of_sshd},
        {"the event of this use is not in the journal, but ", event_lost},
};

/* Whether it is about what is not in the journal, which is not known in any order. */
static bool is_unread(const char *sentence) {
        return world.order == 2 && strstr(sentence, " in the journal");
}

static void check_connection(const struct story *story) {
        const struct connection *connection = &world.connections[story->pid - 100];
        bool known = !story->message;

        assert_true(story->pid >= 100 && story->pid < 100 + CONNECTIONS);
        TRUE(story->outcome != STORY_ACCEPTED || connection->logged_in);
        TRUE(story->outcome != STORY_REFUSED || !connection->logged_in);
        TRUE(!story->user || strcmp(story->user, users[connection->user]) == 0);
        TRUE(!story->address || strcmp(story->address, "192.0.2.7") == 0);
        TRUE(story->port == 0 || story->port == connection->port);
        TRUE(story->opened_us == 0 || story->opened_us == connection->opened_us);
        TRUE(story->closed_us == 0 || story->closed_us == connection->closed_us);
        check_keys(story, connection);
        check_request(story, connection);
        for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
                if (says(story, sentences[i].text)) {
                        known = true;
                        if (is_unread(sentences[i].text))
                                continue;
                        if (!sentences[i].holds(story, connection, key_of(story->fingerprint)))
                                say(story, sentences[i].text);
                }
        TRUE(known);
}

static void check_push(const struct story *story) {
        const struct push *push = push_of(story->request_id);
        int key = key_of(story->fingerprint);
        bool login = false, given = false, another = false;

        assert_true(push && key >= 0);
        TRUE(has_key(push, key) && strcmp(story->user, users[push->user]) == 0);
        TRUE(story->pushed_us == push->at_us);
        for (int i = 0; i < CONNECTIONS; i++) {
                const struct connection *connection = &world.connections[i];

                login |= connection->user == push->user && connection->accepted[key];
                for (int j = 0; j < KEYS; j++)
                        if (connection->given_by[j] & 1U << (push - world.pushes)) {
                                given = true;
                                another |= j != key;
                        }
        }
        TRUE(story->outcome != STORY_UNUSED || !given);
        if (world.order == 2)
                return;
        if (says(story, "another key of its push was used"))
                TRUE(another);
        if (says(story, "a connection logged in with it"))
                TRUE(login);
        else if (story->outcome != STORY_UNUSED)
                TRUE(says(story, " is in the journal") &&
                     !read_event(LOG_EVENT_CLAIMED, 0, story->fingerprint, story->request_id, NULL, 0, INT64_MAX));
        if (story->why && strcmp(story->why, WHY_RESTART) == 0)
                TRUE(world.boot_us != INT64_MAX);
        else if (story->why)
                TRUE(push->end_us != INT64_MAX && push->revoked == (strcmp(story->why, WHY_REVOKED) == 0));
        else
                TRUE(story->outcome == STORY_WAITING &&
                     !read_event(LOG_EVENT_EXPIRED, 0, story->fingerprint, story->request_id, NULL, 0, INT64_MAX));
}

static void check(void *context, const struct story *story) {
        (void)context;
        world.n_told++;
        switch (story->kind) {
        case STORY_CONNECTION:
                check_connection(story);
                break;
        case STORY_PUSH:
                check_push(story);
                break;
        case STORY_DROP:
                TRUE(strncmp(story->address, "203.0.113.", 10) == 0 &&
                     (int)story->port == 7 + atoi(story->address + 10));
                TRUE(says(story, "dropped the connection before authentication: failed authentication"));
                break;
        case STORY_LOSS:
                TRUE(story->n_lost == 3);
                break;
        case STORY_CALL_REFUSED:
                say(story, "no call was refused");
                break;
        }
}

/* --- what is read ----------------------------------------------------------------------------------------------------- */

static void lose_and_repeat(void) {
        static const unsigned losses[] = {0, 0, 5, 40};
        unsigned loss = losses[below(4)];
        size_t n = 0, all = world.n;

        for (size_t i = 0; i < all; i++)
                if (!chance(loss))
                        world.entries[n++] = world.entries[i];
        world.n = n;
        for (size_t i = 0; i < n && world.n < ENTRIES - 1; i++)
                if (chance(5))
                        world.entries[world.n++] = world.entries[i];
        if (chance(30)) {
                struct log_event *made = entry(LOG_EVENT_LOST, START_US + (int64_t)below(HORIZON_S) * US_PER_S, 0);

                made->n_lost = 3;
                made->lost_since_us = made->at_us - 20 * US_PER_S;
        }
}

static void bring_out_of_order(void) {
        /* What one sender sends stays in its order. */
        int64_t late_us[] = {(int64_t)below(1500000), (int64_t)below(1500000), (int64_t)below(1500000)};

        for (size_t i = 0; i < world.n; i++) {
                struct log_event *made = &world.entries[i].event;

                if (world.order == 1)
                        made->sent_us +=
                                late_us[made->kind == LOG_EVENT_SSHD                                         ? 0
                                        : made->kind == LOG_EVENT_CLAIMED || made->kind == LOG_EVENT_NO_SLOT ? 1
                                                                                                             : 2];
                if (made->boot.bytes[0] == 1 && made->sent_us >= world.boot_us)
                        made->sent_us = world.boot_us - 1;
        }
        qsort(world.entries, world.n, sizeof(world.entries[0]), by_sent);
        for (size_t i = world.n; world.order == 2 && i > 1; i--) {
                size_t j = below(i);
                struct entry kept = world.entries[j];

                /* Boots come one after the other. */
                if (kept.event.boot.bytes[0] != world.entries[i - 1].event.boot.bytes[0])
                        continue;
                world.entries[j] = world.entries[i - 1];
                world.entries[i - 1] = kept;
        }
}

static const char *same_name(void *context, const char *user) {
        (void)context;
        return user;
}

static bool not_running(sd_id128_t boot, uint64_t pid) {
        (void)boot;
        (void)pid;
        return false;
}

static size_t run(uint64_t seed) {
        const struct history_view view = {
                .all = seed % 2, .own_name = same_name, .running = not_running, .tell = check};
        struct history *history;

        make_world(seed);
        make_clients();
        lose_and_repeat();
        bring_out_of_order();
        assert_int_equal(history_new(&view, &history), 0);
        for (size_t i = 0; !world.follow && i < world.n; i++)
                assert_int_equal(history_foresee(history, &world.entries[i].event), 0);
        if (world.follow)
                history_follow(history);
        for (size_t i = 0; i < world.n; i++) {
                world.entries[i].fed = true;
                assert_int_equal(history_add(history, &world.entries[i].event), 0);
        }
        history_end(history);
        history_free(history);
        return world.n_told;
}

static uint64_t n_seeds = SEEDS, first_seed = 1;

static void no_sentence_is_false(void **state) {
        size_t told = 0, n_false = 0;

        (void)state;
        for (uint64_t i = 0; i < n_seeds; i++) {
                told += run(first_seed + i);
                n_false += world.n_false;
        }
        print_message("# seeds %" PRIu64 " to %" PRIu64 ": %zu stories\n", first_seed, first_seed + n_seeds - 1, told);
        assert_int_equal(n_false, 0);
        assert_true(told > n_seeds * 5);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(no_sentence_is_false)};

        if (argc > 1)
                n_seeds = strtoull(argv[1], NULL, 10);
        if (argc > 2)
                first_seed = strtoull(argv[2], NULL, 10);
        for (int i = 0; i < KEYS; i++)
                (void)snprintf(keys[i], sizeof(keys[i]), "SHA256:%c%042d", 'A' + i, 0);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
