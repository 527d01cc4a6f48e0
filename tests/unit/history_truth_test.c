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

#include "common/events.h"

#define US_PER_S INT64_C(1000000)
#define START_US (INT64_C(1781519445) * US_PER_S)

enum {
        SEEDS = 2500,
        PUSHES = 8,
        CONNECTIONS = 12,
        KEYS = 6,
        OFFERS = 3,
        ENTRIES = 1024,
        HORIZON_S = 1500,
};

/* The last one is no user of the machine. */
static const char *const users[] = {"alice", "bob", "carl", "mallory"};
enum { REAL_USERS = 3, NOBODY = 3 };
static char keys[KEYS][SSHD_LINE_FINGERPRINT_MAX];

/* One push: its keys share its slots. */
struct push {
        int user, n_keys, keys[2], slots; /* 0: any number */
        int64_t at_us, end_us;            /* INT64_MAX: it does not end */
        int boot;
        bool revoked, clock_set;
        char request[16];
        const struct connection *taken[4];
        int n_taken;
};

struct connection {
        int user, boot;
        uint64_t pid;
        unsigned port;
        const char *address;
        int64_t at_us, last_us, opened_us, closed_us;
        bool logged_in, denied, wrong_source, timeout, account_refused, certificate, partial, key_refused,
                command_failed, too_many, gave_up, password_expired, helper_failed, open;
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
        enum level { QUIET, ERROR, INFO, VERBOSE } level; /* sshd's LogLevel */
        bool md5, pam, second_factor, follow, fails, helper_fails;
        int order;       /* 0: as it happened, 1: nearly so, 2: any */
        int64_t boot_us; /* when the machine was started again */
        struct push pushes[PUSHES];
        struct connection connections[CONNECTIONS];
        bool own[REAL_USERS + 1][KEYS]; /* in the user's authorized_keys */
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

/* `level` is that of the line: QUIET is for those of PAM's modules, which do not know LogLevel. */
__attribute__((format(printf, 4, 5))) static void line(enum level level, int64_t at_us, uint64_t pid,
                                                       const char *format, ...) {
        struct log_event *made;
        char text[512];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        if (level > world.level)
                return;
        made = entry(LOG_EVENT_SSHD, at_us, pid);
        if (!sshd_line_parse(text, &made->line))
                fail_msg("says nothing: %s", text);
        if (made->line.pid > 0)
                made->pid = made->line.pid;
}

static bool lives(const struct push *push, int64_t us) {
        return push->at_us <= us && us < push->end_us && push->boot == (us < world.boot_us ? 1 : 2);
}

static bool has_slot(const struct push *push, const struct connection *connection) {
        for (int i = 0; i < push->n_taken; i++)
                if (push->taken[i] == connection)
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
                        if (push->slots > 0 && has_slot(push, connection))
                                return i;
                        if (pass == 0)
                                continue;
                        if (push->slots > 0 && push->n_taken == push->slots) {
                                full = full < 0 ? i : full;
                                continue;
                        }
                        if (push->slots > 0)
                                push->taken[push->n_taken++] = connection;
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

#define FROM "%s from %s port %u ssh2"
#define LINE(level, us, ...) line(level, us, connection->pid, __VA_ARGS__)

static void log_in(struct connection *connection, int64_t us) {
        const char *user = users[connection->user];

        connection->logged_in = true;
        connection->last_us = us + 500000;
        if (chance(5)) {
                connection->gave_up = true;
                LINE(ERROR, connection->last_us, "fatal: fork of unprivileged child failed");
                return;
        }
        if (world.pam) {
                connection->opened_us = us + 500000;
                connection->open = chance(10);
                LINE(QUIET, connection->opened_us,
                     "pam_unix(sshd:session): session opened for user %s(uid=1) by (uid=0)", user);
                if (connection->open)
                        return;
                connection->closed_us = connection->last_us =
                        us + (int64_t)(1 + below(chance(10) ? 250 : 90)) * US_PER_S;
        }
        LINE(INFO, connection->last_us, "Disconnected from user %s %s port %u", user, connection->address,
             connection->port);
        if (world.pam)
                LINE(QUIET, connection->last_us, "pam_unix(sshd:session): session closed for user %s", user);
}

static void not_accepted(struct connection *connection, int key, int64_t us) {
        bool unknown = connection->denied || connection->user == NOBODY;
        enum level level = unknown ? INFO : VERBOSE;
        char name[80];

        connection->failed[key] |= level <= world.level;
        LINE(level, us, "Failed publickey for %s" FROM ": ED25519 %s", unknown ? "invalid user " : "",
             users[connection->user], connection->address, connection->port, named(key, name));
}

/* The push that sshd gets the key of by exc-authorized-keys, or -1. */
static int ask(struct connection *connection, int key, int64_t us) {
        const char *user = users[connection->user];
        int push;

        if (world.fails) {
                connection->command_failed = true;
                LINE(ERROR, us, "error: AuthorizedKeysCommand /opt/keys %s failed, status 3", user);
                return -1;
        }
        if (world.helper_fails && chance(40)) {
                struct log_event *made = entry(LOG_EVENT_HELPER_FAILURE, us, chance(50) ? connection->pid : 0);

                connection->helper_failed = true;
                (void)snprintf(made->user, sizeof(made->user), "%s", user);
                (void)snprintf(made->message, sizeof(made->message), "the store cannot be read, says %d.",
                               (int)(connection - world.connections));
                return -1;
        }
        push = ask_helper(connection, key, us);
        if (push >= 0) {
                connection->given[key] = true;
                connection->given_by[key] |= 1U << push;
        }
        return push;
}

/* PAM's account stage. False: it does not let the user in. */
static bool account(struct connection *connection, int64_t us) {
        const char *user = users[connection->user];

        if (!world.pam)
                return true;
        if (chance(20))
                LINE(QUIET, us, "pam_access(sshd:account): a note");
        if (chance(8)) {
                connection->account_refused = true;
                LINE(QUIET, us, "pam_unix(sshd:account): account %s has expired", user);
                LINE(ERROR, us, "fatal: Access denied for user %s by PAM account configuration [preauth]", user);
                return false;
        }
        connection->password_expired = chance(10);
        if (connection->password_expired)
                LINE(QUIET, us, "pam_unix(sshd:account): expired password for user %s (root enforced)", user);
        return true;
}

/* One key of the client's. True: nothing more comes after it. */
static bool offer(struct connection *connection, int key, int64_t *us) {
        const char *user = users[connection->user], *address = connection->address;
        bool can_sign = chance(70);
        char name[80];
        int push = -1;

        connection->offered[key] = true;
        if (connection->denied || connection->user == NOBODY) {
                not_accepted(connection, key, *us);
                return false;
        }
        /* sshd asks for the key, and again when the client has signed. */
        for (int i = 0; i < 1 + can_sign; i++) {
                *us += i == 1 && chance(10) ? 20 * US_PER_S : (int64_t)below(900000);
                if (key == KEYS - 1) {
                        connection->key_refused = true;
                        LINE(INFO, *us, "refusing RSA key: Invalid key length [preauth]");
                        return false;
                }
                push = ask(connection, key, *us);
                if (push < 0 && !world.own[connection->user][key]) {
                        not_accepted(connection, key, *us);
                        return false;
                }
        }
        if (!can_sign)
                return false;
        if (push >= 0 && chance(10)) {
                connection->wrong_source = true;
                LINE(INFO, *us,
                     "/usr/libexec/exc-instance-connect/exc-authorized-keys %%u %%f %%t %%k:1: Authentication tried "
                     "for "
                     "%s with correct key but not from a permitted host (host=h, ip=%s, required=198.51.100.0/24).",
                     user, address);
                not_accepted(connection, key, *us);
                return false;
        }
        connection->last_us = *us;
        if (world.second_factor) {
                connection->accepted[key] = connection->partial = true;
                LINE(VERBOSE, *us, "Partial publickey for " FROM ": ED25519 %s", user, address, connection->port,
                     named(key, name));
                if (chance(50))
                        return false;
                connection->last_us = *us += (int64_t)below(3000000);
                if (!account(connection, *us))
                        return true;
                LINE(INFO, *us, "Accepted keyboard-interactive/pam for " FROM, user, address, connection->port);
        } else {
                if (!account(connection, *us))
                        return true;
                connection->accepted[key] = true;
                LINE(INFO, *us, "Accepted publickey for " FROM ": ED25519 %s", user, address, connection->port,
                     named(key, name));
        }
        log_in(connection, *us);
        return true;
}

/* How a connection ends on which nobody logged in. */
static void give_up(struct connection *connection, int64_t us) {
        const char *user = users[connection->user], *address = connection->address;
        const char *kind = connection->denied || connection->user == NOBODY ? "invalid" : "authenticating";

        if (chance(20))
                us += (int64_t)below(110) * US_PER_S;
        connection->last_us = us;
        switch (below(8)) {
        case 0:
                connection->timeout = true;
                connection->last_us = us += 120 * US_PER_S;
                if (chance(50))
                        LINE(ERROR, us, "fatal: Timeout before authentication for %s port %u", address,
                             connection->port);
                else
                        line(INFO, us, 9, "Timeout before authentication for connection from %s to 192.0.2.1, pid = %d",
                             address, (int)connection->pid);
                break;
        case 1:
                connection->too_many = true;
                LINE(ERROR, us, "error: maximum authentication attempts exceeded for %s" FROM " [preauth]",
                     kind[0] == 'i' ? "invalid user " : "", user, address, connection->port);
                LINE(INFO, us, "Disconnecting %s user %s %s port %u: Too many authentication failures [preauth]", kind,
                     user, address, connection->port);
                break;
        case 2:
                connection->gave_up = true;
                LINE(ERROR, us, "fatal: userauth_finish: send failure packet: Connection reset by peer%s",
                     chance(50) ? " [preauth]" : "");
                break;
        default:
                LINE(INFO, us, "Connection closed by %s user %s %s port %u [preauth]", kind, user, address,
                     connection->port);
        }
}

/*
 * Mostly one that no other has had in this boot. Else that of one which did not log in and has been over for longer than that
 * may take: where its end is lost, that is how the two are told apart. Of a session nothing is heard for hours.
 */
static uint64_t free_pid(const struct connection *connection, int n_before) {
        for (const struct connection *old = world.connections; world.order != 2 && old < connection; old++) {
                bool last = true;

                for (const struct connection *newer = old + 1; newer < connection; newer++)
                        last &= newer->pid != old->pid || newer->boot != old->boot;
                if (last && old->boot == connection->boot && !old->logged_in &&
                    old->last_us + 605 * US_PER_S < connection->at_us && chance(50))
                        return old->pid;
        }
        return (uint64_t)(100 + n_before);
}

static void connect(struct connection *connection, int i, int n_before_boot) {
        static const char *const addresses[] = {"192.0.2.7", "2001:db8::7", "192.0.2.7", "fe80::7%eth0"};
        int64_t us = connection->at_us;
        int key = (int)below(KEYS);
        const char *user;

        *connection = (struct connection){.user = (int)below(REAL_USERS), .at_us = us, .last_us = us};
        connection->boot = us < world.boot_us ? 1 : 2;
        connection->pid = free_pid(connection, i - (connection->boot == 1 ? 0 : n_before_boot));
        connection->port = (unsigned)(40000 + i);
        connection->address = addresses[below(4)];
        if (chance(6))
                connection->user = NOBODY;
        user = users[connection->user];
        LINE(VERBOSE, us, "Connection from %s port %u on 192.0.2.1 port 22", connection->address, connection->port);
        if (connection->user == NOBODY)
                LINE(INFO, us, "Invalid user %s from %s port %u", user, connection->address, connection->port);
        else if (chance(8)) {
                connection->denied = true;
                LINE(INFO, us, "User %s from %s not allowed because listed in DenyUsers", user, connection->address);
        } else if (chance(8)) {
                char name[80];

                connection->certificate = true;
                connection->offered[0] = true;
                LINE(INFO, us, "Accepted publickey for " FROM ": ED25519-CERT %s ID x CA ED25519 %s", user,
                     connection->address, connection->port, named(0, name), keys[1]);
                log_in(connection, us);
                return;
        }
        for (int j = (connection->denied ? 0 : 1) + (int)below(OFFERS); j > 0; j--) {
                /* Those of one push, mostly. */
                key = chance(60) ? (key + 1) % KEYS : (int)below(KEYS);
                if (offer(connection, key, &us))
                        return;
        }
        us += (int64_t)below(900000);
        if (!connection->denied && connection->user != NOBODY && !world.second_factor && chance(15) &&
            account(connection, us)) {
                LINE(INFO, us, "Accepted password for " FROM, user, connection->address, connection->port);
                log_in(connection, us);
        } else if (connection->account_refused)
                connection->last_us = us;
        else
                give_up(connection, us);
}

static void make_push(struct push *push, int i, int64_t at_us) {
        *push = (struct push){.user = (int)below(REAL_USERS), .at_us = at_us, .slots = (int)below(3)};
        push->boot = at_us < world.boot_us ? 1 : 2;
        push->n_keys = 1 + chance(40);
        push->keys[0] = (int)below(KEYS);
        push->keys[1] = (push->keys[0] + 1) % KEYS;
        push->revoked = chance(30);
        push->clock_set = !push->revoked && chance(20);
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
                (void)snprintf(made->reason, sizeof(made->reason), "%s", push->clock_set ? REASON_CLOCK_SET : "");
                made->stored_us = push->at_us;
                made->slots_final = push->slots > 0;
                made->n_taken = (unsigned)push->n_taken;
                for (int k = 0; k < push->n_taken; k++)
                        made->pids[made->n_pids++] = push->taken[k]->pid;
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

/* Calls that the agent refused; see take_refusal() for the form. */
static const struct {
        const char *method, *reason, *user;
} calls[] = {
        {"PushKey", "NoSuchUser", "mallory"}, {"Revoke", "PermissionDenied", "bob"}, {"Describe", "RateLimited", ""}};
enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

static void refuse_call(int i) {
        struct log_event *made = entry(LOG_EVENT_REFUSED, START_US + (int64_t)below(HORIZON_S) * US_PER_S, 0);

        (void)snprintf(made->user, sizeof(made->user), "%s", calls[i].user);
        (void)snprintf(made->principal, sizeof(made->principal), "p-c-%d", i);
        (void)snprintf(made->request_id, sizeof(made->request_id), "c-%d", i);
        (void)snprintf(made->reason, sizeof(made->reason), "%s", calls[i].reason);
        (void)snprintf(made->message, sizeof(made->message),
                       "%s%s%s refused, %s: because of %d, asked by p-c-%d, request c-%d", calls[i].method,
                       calls[i].user[0] ? " for " : "", calls[i].user, calls[i].reason, i, i, i);
}

/* Connections that sshd dropped, by their port. */
static const struct {
        const char *line, *address, *says;
} drops[] = {
        {"drop connection #0 from [203.0.113.1]:1 on [192.0.2.1]:22 penalty: failed authentication", "203.0.113.1",
         "failed authentication (PerSourcePenalties)"},
        {"drop connection #10 from [203.0.113.2]:2 on [192.0.2.1]:22 Maxstartups", "203.0.113.2",
         "too many others had not logged in (MaxStartups)"},
        {"drop connection #10 from [2001:db8::3]:3 on [2001:db8::1]:22 past MaxStartups", "2001:db8::3",
         "too many others had not logged in (MaxStartups)"},
        {"refused connect from a.name (203.0.113.4)", "203.0.113.4", "the address may not connect (hosts.deny)"},
        {"exited MaxStartups throttling after 00:00:40, 26 connections dropped", NULL,
         "sshd dropped 26 before authentication, within 40 s: too many others had not logged in (MaxStartups)"},
        {"PerSourcePenalties logging rate-limited: additional 7 connections dropped", NULL,
         "sshd dropped 7 more before authentication, without a line of each: their addresses have penalties "
         "(PerSourcePenalties)"},
};
enum { DROPS = sizeof(drops) / sizeof(drops[0]) };

static void make_world(uint64_t seed) {
        int64_t pushed_us[PUSHES];

        memset(&world, 0, sizeof(world));
        world.seed = seed;
        world.random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
        for (int i = 0; i < 8; i++)
                (void)below(2);
        world.level = chance(40) ? VERBOSE : chance(80) ? INFO : chance(50) ? ERROR : QUIET;
        world.md5 = chance(10);
        world.pam = chance(80);
        world.second_factor = chance(25);
        world.fails = chance(5);
        world.helper_fails = chance(15);
        world.follow = chance(30);
        world.order = (int)below(3);
        world.boot_us = chance(20) ? START_US + HORIZON_S * US_PER_S / 2 : INT64_MAX;
        for (int i = 0; i < REAL_USERS; i++)
                for (int j = 0; j < KEYS; j++)
                        world.own[i][j] = chance(20);
        for (int i = 0; i < PUSHES; i++)
                pushed_us[i] = START_US + (int64_t)i * HORIZON_S * US_PER_S / PUSHES + (int64_t)below(1000000);
        for (int i = 0; i < PUSHES; i++)
                make_push(&world.pushes[i], i, pushed_us[i]);
}

/* Clients come one after the other, so that slots are taken in the order of time. */
static void make_clients(void) {
        int n_before_boot = 0;

        for (int i = 0; i < CONNECTIONS; i++) {
                int64_t *at_us = &world.connections[i].at_us;

                *at_us = START_US + (int64_t)below(HORIZON_S * 1000) * 1000;
                /* None outlives the machine. */
                if (*at_us < world.boot_us && *at_us >= world.boot_us - 300 * US_PER_S)
                        *at_us -= 300 * US_PER_S;
        }
        qsort(world.connections, CONNECTIONS, sizeof(world.connections[0]), by_time);
        for (int i = 0; i < CONNECTIONS; i++)
                n_before_boot += world.connections[i].at_us < world.boot_us;
        for (int i = 0; i < CONNECTIONS; i++)
                connect(&world.connections[i], i, n_before_boot);
        for (int i = 0; i < PUSHES; i++)
                end_push(&world.pushes[i]);
        for (int i = 0; i < CALLS; i++)
                refuse_call(i);
        for (int i = 0; i < DROPS; i++)
                line(INFO, START_US + (int64_t)below(HORIZON_S) * US_PER_S, 9, "%s", drops[i].line);
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

static bool is_of(const struct log_event *made, const struct connection *by) {
        return made->pid == by->pid && made->boot.bytes[0] == by->boot && made->at_us >= by->at_us - 2 * US_PER_S &&
               (by->open || made->at_us <= by->last_us + 2 * US_PER_S);
}

/* Whether such an event of ours has been read. NULL and 0 stand for any. */
static bool read_event(enum log_event_kind kind, const struct connection *by, const char *fingerprint,
                       const char *request, const char *user, int64_t from_us, int64_t until_us) {
        for (size_t i = 0; i < world.n; i++) {
                const struct log_event *made = &world.entries[i].event;

                if (world.entries[i].fed && made->kind == kind && (!by || is_of(made, by)) &&
                    (!fingerprint || strcmp(made->fingerprint, fingerprint) == 0) &&
                    (!request || strcmp(made->request_id, request) == 0) && (!user || strcmp(made->user, user) == 0) &&
                    made->at_us >= from_us && made->at_us <= until_us)
                        return true;
        }
        return false;
}

static bool read_line(enum sshd_said said, const struct connection *by, const char *fingerprint) {
        for (size_t i = 0; i < world.n; i++) {
                const struct log_event *made = &world.entries[i].event;

                if (world.entries[i].fed && made->kind == LOG_EVENT_SSHD && is_of(made, by) &&
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
        TRUE((push->user == connection->user || says(story, "the key was pushed for ") ||
              (connection->user == NOBODY && key >= 0 && has_key(push, key))) &&
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

/* `holds` in any order; `absent`, what it says of the journal, only where a journal can have the order. */
struct sentence {
        const char *text;
        bool (*holds)(const struct story *story, const struct connection *connection, int key);
        bool (*absent)(const struct story *story, const struct connection *connection, int key);
};

#define HOLDS(name)                                                                                                    \
        static bool name(__attribute__((unused)) const struct story *story,                                            \
                         __attribute__((unused)) const struct connection *connection, __attribute__((unused)) int key)

HOLDS(denied) {
        return connection->denied;
}

HOLDS(no_such_user) {
        return connection->user == NOBODY;
}

HOLDS(wrong_source) {
        return connection->wrong_source;
}

HOLDS(zone) {
        return connection->wrong_source && strchr(connection->address, '%');
}

HOLDS(account_refused) {
        return connection->account_refused;
}

HOLDS(timeout) {
        return connection->timeout;
}

/* Of keys alone it is said where all that sshd counts are keys; it counts passwords too. */
HOLDS(too_many) {
        bool any = false;

        for (int i = 0; i < KEYS; i++)
                any |= connection->offered[i];
        return connection->too_many && (any || !says(story, "keys"));
}

HOLDS(gave_up) {
        return says(story, "gave up: Too many authentication failures") ? connection->too_many : connection->gave_up;
}

HOLDS(password_expired) {
        return connection->password_expired && connection->logged_in;
}

HOLDS(refused_key) {
        return connection->key_refused;
}

HOLDS(command_failed) {
        return connection->command_failed;
}

/* Which connection the helper's words are about. */
static const struct connection *of_failure(const struct story *story) {
        static const char marks[] = "the store cannot be read, says ";
        int i = -1;

        if (sscanf(strstr(story->message, marks) + strlen(marks), "%d.", &i) == 1 && i >= 0 && i < CONNECTIONS &&
            world.connections[i].helper_failed)
                return &world.connections[i];
        return NULL;
}

HOLDS(helper_failed) {
        const struct connection *of = of_failure(story);

        if (!says(story, "exc-authorized-keys reported of a connection of this user at that time: "))
                return of == connection;
        return of && of->user == connection->user && of->boot == connection->boot &&
               of->at_us <= connection->last_us + 2 * US_PER_S && of->last_us + 2 * US_PER_S >= connection->at_us;
}

HOLDS(no_free_slot) {
        return key >= 0 && connection->no_free_slot[key];
}

HOLDS(more_needed) {
        return connection->partial && !connection->logged_in;
}

HOLDS(given) {
        bool any = false;

        for (int i = 0; i < KEYS; i++)
                any |= connection->given[i];
        return any && (key < 0 || connection->given[key]);
}

HOLDS(no_signature) {
        return (key < 0 || !read_line(SSHD_SAID_PARTIAL, connection, keys[key])) && !story->accepted_us;
}

HOLDS(had_ended) {
        bool revoked = strstr(story->message, "been revoked") != NULL;

        for (int i = 0; i < PUSHES; i++) {
                const struct push *push = &world.pushes[i];

                if ((push->user == connection->user || connection->user == NOBODY) &&
                    push->end_us <= connection->last_us && push->revoked == revoked &&
                    (!says(story, "the clock was set") || push->clock_set) &&
                    (story->request_id ? strcmp(push->request, story->request_id) == 0 : has_key(push, key)))
                        return true;
        }
        return false;
}

HOLDS(failed) {
        return key >= 0 && connection->failed[key];
}

HOLDS(not_given) {
        return !read_event(LOG_EVENT_CLAIMED, connection, key >= 0 ? keys[key] : NULL, NULL, NULL, 0, INT64_MAX);
}

HOLDS(last_push) {
        return push_of(story->request_id) != NULL;
}

HOLDS(no_offer) {
        return !read_event(LOG_EVENT_CLAIMED, connection, NULL, NULL, NULL, 0, INT64_MAX);
}

HOLDS(no_push_of_key) {
        return !read_event(LOG_EVENT_RECEIVED, NULL, keys[key], NULL, NULL,
                           connection->boot == 2 ? world.boot_us : story->last_us - 3600 * US_PER_S, story->last_us);
}

HOLDS(not_logged_in) {
        return !connection->logged_in;
}

HOLDS(no_push_for_user) {
        int64_t from_us = story->at_us - 600 * US_PER_S;

        if (connection->boot == 2 && from_us < world.boot_us)
                from_us = world.boot_us;
        return !read_event(LOG_EVENT_RECEIVED, NULL, NULL, NULL, users[connection->user], from_us, story->last_us);
}

HOLDS(rebooted) {
        return connection->boot == 2 && world.boot_us != INT64_MAX;
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
        bool any = false;

        for (int i = 0; i < KEYS; i++)
                any |= strstr(story->message, keys[i]) && connection->given[i];
        return any && key >= 0 && connection->accepted[key];
}

HOLDS(pushed_and_accepted) {
        bool pushed = false;

        for (int i = 0; key >= 0 && i < PUSHES; i++)
                pushed |= has_key(&world.pushes[i], key) && world.pushes[i].user == connection->user;
        return pushed && connection->accepted[key];
}

HOLDS(unasked) {
        return !read_event(LOG_EVENT_CLAIMED, connection, keys[key], story->request_id, NULL, 0, INT64_MAX);
}

HOLDS(no_slot) {
        const struct push *push = push_of(story->request_id);

        return key >= 0 && connection->accepted[key] && (!push || !has_slot(push, connection));
}

HOLDS(certificate) {
        return connection->certificate;
}

HOLDS(another_key) {
        bool any = false;

        for (int i = 0; i < KEYS; i++)
                any |= connection->no_free_slot[i] || (connection->given[i] && (strstr(story->message, keys[i]) ||
                                                                                says(story, "or another of its push")));
        return any && key >= 0 && connection->accepted[key];
}

HOLDS(given_and_in) {
        return given(story, connection, key) && connection->logged_in;
}

HOLDS(used_up_and_in) {
        bool any = false;

        for (int i = 0; i < KEYS; i++)
                any |= connection->no_free_slot[i] && strstr(story->message, keys[i]);
        return any && connection->logged_in;
}

HOLDS(logged_in) {
        return connection->logged_in;
}

HOLDS(no_accepted_line) {
        return !read_line(SSHD_SAID_ACCEPTED, connection, NULL);
}

HOLDS(no_end) {
        return !read_line(SSHD_SAID_ACCEPTED, connection, NULL) &&
               !read_line(SSHD_SAID_SESSION_OPENED, connection, NULL);
}

HOLDS(nothing_of_sshd) {
        for (size_t i = 0; i < world.n; i++)
                if (world.entries[i].fed && world.entries[i].event.kind == LOG_EVENT_SSHD &&
                    is_of(&world.entries[i].event, connection))
                        return false;
        return true;
}

/* An end names the connection. */
HOLDS(of_end) {
        bool any = false;

        for (int i = 0; i < PUSHES; i++)
                any |= world.pushes[i].boot == connection->boot && has_slot(&world.pushes[i], connection);
        return story->event_lost && any;
}

HOLDS(no_event) {
        return !read_event(LOG_EVENT_CLAIMED, connection, story->fingerprint, story->request_id, NULL, 0, INT64_MAX);
}

HOLDS(always) {
        return true;
}

static const struct sentence sentences[] = {
        {"sshd does not let this user log in: listed in DenyUsers", denied, NULL},
        {"there is no such user", no_such_user, NULL},
        {"sshd refused a key that is for clients from 198.51.100.0/24", wrong_source, NULL},
        {": the address of this client has a zone, and no range matches such a one", zone, NULL},
        {"PAM does not let this user log in", account_refused, NULL},
        {"it took longer than sshd waits (LoginGraceTime)", timeout, NULL},
        {"the client tried too often (MaxAuthTries)", too_many, NULL},
        {"sshd gave up: ", gave_up, NULL},
        {"; whether it had let the client in is not in the journal", always, no_end},
        {"PAM: expired password for user ", password_expired, NULL},
        {"sshd did not look at a key of this client: RSA key: Invalid key length", refused_key, NULL},
        {"sshd took no key from its command: AuthorizedKeysCommand /opt/keys failed, status 3", command_failed, NULL},
        {"exc-authorized-keys reported of a connection of this user at that time: the store", helper_failed, NULL},
        {"the store cannot be read, says ", helper_failed, NULL},
        {"other connections hold all slots of the key", no_free_slot, NULL},
        {"and asked for more (AuthenticationMethods), which the client did not give", more_needed, NULL},
        {"that sshd asked for more than a key, is not in the journal", given, no_signature},
        {"when the connection ended; that the client signed with it is not in the journal", had_ended, no_signature},
        {"the key had ", had_ended, NULL},
        {"no offer of a live key is in the journal; the last one", had_ended, no_offer},
        {"sshd did not accept the key, and that it asked for the key is not in the journal", failed, not_given},
        {", is in the journal: the client may not have offered it", last_push, no_offer},
        {"no push of this key is in the journal in the hour before", failed, no_push_of_key},
        {"no push for this user is in the journal in the 10 minutes before", not_logged_in, no_push_for_user},
        {", since the machine was started", rebooted, NULL},
        {"the key was pushed for ", for_another_user, NULL},
        {"of the same request was given to this connection", together, NULL},
        {"and that this connection was given it is not in the journal: its event is lost", pushed_and_accepted,
         unasked},
        {"but this connection took no slot of it", no_slot, NULL},
        {"by a certificate", certificate, NULL},
        {"sshd's line names another key", another_key, NULL},
        {"sshd names the key in another form than SHA256", given_and_in, NULL},
        {" alone; that this key, which was given to it", given_and_in, NULL},
        {"it had no free slot", used_up_and_in, NULL},
        {"sshd's line about how it was let in is not in the journal", logged_in, no_accepted_line},
        {"what became of it is not in the journal", always, no_end},
        {"what became of it was shown before, or is not in the journal before the key's end", of_end, NULL},
        {"no line of sshd's about it is in the journal: perhaps ", always, nothing_of_sshd},
        {"the event of this use is not in the journal, but ", of_end, no_event},
        {"; events of that time are lost, or came late", always, NULL},
};

static size_t n_said[sizeof(sentences) / sizeof(sentences[0])];

/* The last one that had that pid by then. */
static const struct connection *connection_of(const struct story *story) {
        const struct connection *found = NULL;

        for (int i = 0; i < CONNECTIONS; i++)
                if (world.connections[i].pid == story->pid && world.connections[i].boot == story->boot.bytes[0] &&
                    (!found || world.connections[i].at_us <= story->last_us + 2 * US_PER_S))
                        found = &world.connections[i];
        return found;
}

static void check_connection(const struct story *story) {
        const struct connection *connection = connection_of(story);
        int key = key_of(story->fingerprint);
        bool known = !story->message;

        assert_non_null(connection);
        TRUE(story->outcome != STORY_ACCEPTED || connection->logged_in);
        TRUE(story->outcome != STORY_REFUSED || !connection->logged_in);
        TRUE(!story->user || strcmp(story->user, users[connection->user]) == 0);
        TRUE(!story->address || strcmp(story->address, connection->address) == 0);
        TRUE(story->port == 0 || story->port == connection->port);
        TRUE(story->opened_us == 0 || story->opened_us == connection->opened_us);
        TRUE(story->closed_us == 0 || story->closed_us == connection->closed_us);
        TRUE(!story->running || connection->open);
        check_keys(story, connection);
        check_request(story, connection);
        for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
                if (says(story, sentences[i].text)) {
                        known = true;
                        n_said[i]++;
                        if (!sentences[i].holds(story, connection, key) ||
                            (world.order != 2 && sentences[i].absent && !sentences[i].absent(story, connection, key)))
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
        TRUE(!says(story, "the clock was set") || push->clock_set);
        TRUE(!says(story, "a connection logged in with it") || login);
        if (story->why && strcmp(story->why, WHY_RESTART) == 0)
                TRUE(push->boot == 1 && world.boot_us != INT64_MAX);
        else if (story->why)
                TRUE(push->end_us != INT64_MAX && push->revoked == (strcmp(story->why, WHY_REVOKED) == 0) &&
                     push->clock_set == says(story, "the clock was set"));
        if (world.order == 2)
                return;
        if (says(story, "another key of its push was used"))
                TRUE(another);
        if (!says(story, "a connection logged in with it") && story->outcome != STORY_UNUSED)
                TRUE(says(story, " is in the journal") &&
                     !read_event(LOG_EVENT_CLAIMED, NULL, story->fingerprint, story->request_id, NULL, 0, INT64_MAX));
        if (!story->why)
                TRUE(story->outcome == STORY_WAITING &&
                     !read_event(LOG_EVENT_EXPIRED, NULL, story->fingerprint, story->request_id, NULL, 0, INT64_MAX));
}

static void check_drop(const struct story *story) {
        bool found = false;

        for (int i = 0; i < DROPS; i++)
                found |= strcmp(story->address ? story->address : "", drops[i].address ? drops[i].address : "") == 0 &&
                         (int)story->port == (strchr(drops[i].line, '#') ? i + 1 : 0) &&
                         (!drops[i].address || says(story, "sshd dropped the connection before authentication: ")) &&
                         says(story, drops[i].says);
        TRUE(found);
}

static void check_call(const struct story *story) {
        char said[32];
        bool found = false;

        for (int i = 0; i < CALLS; i++) {
                (void)snprintf(said, sizeof(said), "because of %d", i);
                found |= story->request_id && story->request_id[2] == '0' + i &&
                         strcmp(story->method, calls[i].method) == 0 && strcmp(story->why, calls[i].reason) == 0 &&
                         strcmp(story->user ? story->user : "", calls[i].user) == 0 &&
                         strcmp(story->message, said) == 0 && strcmp(story->principal + 2, story->request_id) == 0;
        }
        TRUE(found);
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
                check_drop(story);
                break;
        case STORY_LOSS:
                TRUE(story->unit ? story->n_lost == 26 && strcmp(story->unit, "ssh.service") == 0 : story->n_lost == 3);
                break;
        case STORY_CALL_REFUSED:
                check_call(story);
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
        if (chance(30)) {
                struct log_event *made = entry(LOG_EVENT_DROPPED, START_US + (int64_t)below(HORIZON_S) * US_PER_S, 0);

                made->n_lost = 26;
                (void)snprintf(made->unit, sizeof(made->unit), "ssh.service");
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

/* Processes of an earlier boot are gone. */
static bool running(sd_id128_t boot, uint64_t pid) {
        bool open = false;

        for (int i = 0; i < CONNECTIONS; i++)
                if (world.connections[i].pid == pid && world.connections[i].boot == boot.bytes[0])
                        open = world.connections[i].open &&
                               world.connections[i].boot == (world.boot_us == INT64_MAX ? 1 : 2);
        return open;
}

static size_t run(uint64_t seed) {
        const struct history_view view = {.all = seed % 2, .own_name = same_name, .running = running, .tell = check};
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
        /* Else nothing is shown of it. */
        for (size_t i = 0; n_seeds >= SEEDS && i < sizeof(sentences) / sizeof(sentences[0]); i++)
                if (n_said[i] == 0)
                        fail_msg("never said: %s", sentences[i].text);
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
