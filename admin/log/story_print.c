/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/log/story.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/output.h"
#include "wire/refusal.h"
#include "wire/terminal.h"

#define US_PER_S 1000000

enum {
        TIME_TEXT_MAX = 64,
        TIME_WIDTH = 19, /* columns, as the rest */
        OUTCOME_WIDTH = 12,
        NARROW = 4,
};

/* --- for people ------------------------------------------------------------------------------------------------ */

static void print_time(FILE *to, int64_t us) {
        time_t t = (time_t)(us / US_PER_S);
        char text[TIME_TEXT_MAX];
        struct tm tm;

        if (!localtime_r(&t, &tm) || strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 0)
                text[0] = '\0';
        (void)fputs(text, to);
}

/* Names come from others: one that could be taken for a part of the line is put in quotes, and has none inside. */
static void print_name(FILE *to, const char *name) {
        static const char harmless[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-@+/\\:=%#$~";
        size_t n;

        if (name[strspn(name, harmless)] == '\0' && *name) {
                terminal_print(to, name);
                return;
        }
        (void)fputc('"', to);
        for (; *name; name += n) {
                n = strcspn(name, "\"");
                if (n == 0) {
                        (void)fputs("\\x22", to);
                        n = 1;
                } else
                        terminal_print_bytes(to, name, n);
        }
        (void)fputc('"', to);
}

static void print_named(FILE *to, const char *before, const char *name) {
        if (!name)
                return;
        (void)fputs(before, to);
        print_name(to, name);
}

/* A push that was refused, or another call: a revocation, or no call at all. */
static bool of_push(const struct story *story) {
        return !story->method || strncmp(story->method, "Push", 4) == 0;
}

static const char *what(const struct story *story) {
        switch (story->kind) {
        case STORY_LOSS:
                return "lost";
        case STORY_PUSH:
                return story->outcome == STORY_WAITING  ? "waiting"
                       : story->outcome == STORY_UNUSED ? "not used"
                                                        : "unknown";
        case STORY_CALL_REFUSED:
                return of_push(story) ? "not pushed" : "refused";
        case STORY_DROP:
                return "dropped";
        case STORY_CONNECTION:
                break;
        }
        switch (story->outcome) {
        case STORY_ACCEPTED:
                return "accepted";
        case STORY_REFUSED:
                return "refused";
        case STORY_UNDECIDED:
        case STORY_UNUSED:
        case STORY_WAITING:
        case STORY_LOST:
                break;
        }
        return "unknown";
}

static void print_whose(FILE *to, const struct story *story) {
        bool call = story->kind == STORY_CALL_REFUSED && !of_push(story);

        if (call)
                terminal_print(to, story->method);
        if (story->user) {
                (void)fputs(call ? " for " : "", to);
                print_name(to, story->user);
        } else if (!call)
                (void)fputs(story->kind != STORY_DROP ? "(unknown user)"
                            : story->n_dropped > 0    ? "connections"
                                                      : "a connection",
                            to);
}

static void print_session(FILE *to, const struct story *story) {
        char text[DURATION_MAX];

        if (story->opened_us > 0 && story->closed_us > 0) {
                duration_text((story->closed_us - story->opened_us) / US_PER_S, text);
                (void)fprintf(to, ", session of %s", text);
        } else if (story->running)
                (void)fputs(", session open", to);
        else if (story->opened_us > 0)
                (void)fputs(", end of the session not recorded", to);
        else if (story->outcome == STORY_ACCEPTED)
                (void)fputs(", no session recorded", to);
}

/* "12 events until TIME", "26 messages of ssh.service, dropped by the journal's rate limit before this" */
static void print_loss(FILE *to, const struct story *story) {
        (void)fprintf(to, "%" PRIu64 " %s%s%s", story->n_lost, story->unit ? "message" : "event",
                      story->n_lost == 1 ? "" : "s", story->unit ? " of " : "");
        if (story->unit)
                print_name(to, story->unit);
        if (story->at_us < story->last_us) {
                (void)fputs(" until ", to);
                print_time(to, story->last_us);
        } else
                (void)fputs(" before this", to);
        (void)fputs(story->unit ? ", dropped by the journal's rate limit: " : ": ", to);
        terminal_print(to, story->message ? story->message : "");
}

static void print_rest(FILE *to, const struct story *story) {
        if (story->kind == STORY_LOSS) {
                print_loss(to, story);
                return;
        }
        print_whose(to, story);
        if (story->address) {
                print_named(to, " from ", story->address);
                if (story->port > 0)
                        (void)fprintf(to, " port %u", story->port);
        }
        print_named(to, story->likely ? ", perhaps asked by " : ", asked by ", story->principal);
        print_named(to, story->likely && !story->principal ? ", perhaps request " : ", request ", story->request_id);
        print_named(to, ", key ", story->fingerprint);
        if (story->kind == STORY_CONNECTION)
                print_session(to, story);
        if (story->why || story->message)
                (void)fputs(": ", to);
        if (story->why && story->kind == STORY_CALL_REFUSED) {
                terminal_print(to, story->why);
                (void)fputs(story->message ? ", " : "", to);
        }
        if (story->message)
                terminal_print(to, story->message);
}

static enum output_style style(const struct story *story) {
        switch (story->outcome) {
        case STORY_ACCEPTED:
                return OUTPUT_GOOD;
        case STORY_REFUSED:
                return OUTPUT_BAD;
        case STORY_LOST:
        case STORY_UNDECIDED:
                return OUTPUT_WARNING;
        case STORY_UNUSED:
        case STORY_WAITING:
                break;
        }
        return OUTPUT_PLAIN;
}

int story_print(const struct story *story) {
        char *rest = NULL;
        size_t size;
        FILE *to = open_memstream(&rest, &size);

        if (to)
                print_rest(to, story);
        if (!to || fclose(to) != 0) {
                complain("out of memory");
                free(rest);
                return EXIT_OWN_FAILURE;
        }
        print_time(stdout, story->at_us);
        (void)fputs("  ", stdout);
        print_styled(stdout, style(story), what(story), OUTCOME_WIDTH);
        /* Escaped already, which printing it again does not change. */
        print_wrapped(stdout, TIME_WIDTH + 2 + OUTCOME_WIDTH, TIME_WIDTH + 2 + OUTCOME_WIDTH, NARROW, rest);
        (void)fputc('\n', stdout);
        free(rest);
        return EXIT_DONE;
}

/* --- for programs ---------------------------------------------------------------------------------------------- */

static int add(json_t *object, const char *name, json_t *value) {
        return value ? json_object_set_new(object, name, value) : -1;
}

/* What sshd logs of a client's words is not always UTF-8, which JSON must be: other bytes are written out as \xNN. */
static int add_text(json_t *object, const char *name, const char *text) {
        json_t *value;
        size_t n = 0, size;
        char *escaped;
        FILE *to;
        int r;

        if (!text)
                return 0;
        value = json_string(text);
        if (value)
                return add(object, name, value);
        to = open_memstream(&escaped, &size);
        if (!to)
                return -1;
        for (; text[n]; n++)
                (void)fprintf(to, isascii((unsigned char)text[n]) ? "%c" : "\\x%02X", (unsigned char)text[n]);
        r = fclose(to) == 0 ? add(object, name, json_string(escaped)) : -1;
        free(escaped);
        return r;
}

/* RFC 3339, UTC, to the microsecond: texts that sort by time. */
static int add_time(json_t *object, const char *name, int64_t us) {
        time_t t = (time_t)(us / US_PER_S);
        char text[TIME_TEXT_MAX], whole[TIME_TEXT_MAX + 16];
        struct tm tm;

        if (us == 0)
                return 0;
        if (!gmtime_r(&t, &tm) || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
                return -1;
        (void)snprintf(whole, sizeof(whole), "%s.%06" PRId64 "Z", text, us % US_PER_S);
        return add(object, name, json_string(whole));
}

static int add_session(json_t *object, const struct story *story) {
        if (add_time(object, "opened", story->opened_us) < 0 || add_time(object, "closed", story->closed_us) < 0)
                return -1;
        if (story->opened_us == 0)
                return 0;
        if (story->closed_us > 0)
                return add(object, "sessionSeconds", json_integer((story->closed_us - story->opened_us) / US_PER_S));
        return add(object, "open", json_boolean(story->running));
}

static const char *kind_of(const struct story *story) {
        switch (story->kind) {
        case STORY_CONNECTION:
                return "connection";
        case STORY_LOSS:
                return "loss";
        case STORY_DROP:
                return "drop";
        case STORY_PUSH:
        case STORY_CALL_REFUSED:
                break;
        }
        return of_push(story) ? "push" : "call";
}

static int add_loss(json_t *object, const struct story *story) {
        if (add(object, "lost", json_integer((json_int_t)story->n_lost)) < 0)
                return -1;
        return add_time(object, "until", story->last_us) < 0 || add_text(object, "unit", story->unit) < 0 ? -1 : 0;
}

/* One key would say the same as the connection. */
static int add_keys(json_t *object, const struct story *story) {
        static const char *const outcomes[] = {"accepted", "given", "usedUp"};
        json_t *keys = story->n_keys > 1 ? json_array() : NULL;

        if (story->n_keys <= 1)
                return 0;
        for (size_t i = 0; keys && i < story->n_keys; i++) {
                const struct story_key *key = &story->keys[i];
                json_t *one = json_object();

                if (!one || add_text(one, "fingerprint", key->fingerprint) < 0 ||
                    add_text(one, "outcome", outcomes[key->outcome]) < 0 ||
                    add_text(one, "principal", key->principal) < 0 || add_text(one, "requestId", key->request_id) < 0 ||
                    add_time(one, "pushed", key->pushed_us) < 0 || json_array_append(keys, one) < 0) {
                        json_decref(one);
                        json_decref(keys);
                        return -1;
                }
                json_decref(one);
        }
        return add(object, "keys", keys);
}

static int add_address(json_t *object, const struct story *story) {
        if (add_text(object, "address", story->address) < 0)
                return -1;
        return story->port > 0 ? add(object, "port", json_integer(story->port)) : 0;
}

/* Where it is so; else there is no such member. */
static int add_true(json_t *object, const char *name, bool value) {
        return value ? add(object, name, json_true()) : 0;
}

static int fill(json_t *object, const struct story *story) {
        static const char *const outcomes[] = {"unknown", "accepted", "refused", "unused", "waiting", "lost"};
        char boot[SD_ID128_STRING_MAX];

        if (add_text(object, "kind", kind_of(story)) < 0 || add_text(object, "outcome", outcomes[story->outcome]) < 0 ||
            add_time(object, "time", story->at_us) < 0 || add_text(object, "user", story->user) < 0 ||
            add_text(object, "principal", story->principal) < 0 ||
            add_text(object, "requestId", story->request_id) < 0 ||
            add_text(object, "fingerprint", story->fingerprint) < 0 || add_text(object, "reason", story->why) < 0 ||
            add_text(object, "message", story->message) < 0 || add_text(object, "method", story->method) < 0 ||
            add_time(object, "pushed", story->pushed_us) < 0 || add_true(object, "eventLost", story->event_lost) < 0 ||
            add_true(object, "incomplete", story->incomplete) < 0 || add_true(object, "likely", story->likely) < 0)
                return -1;
        if (story->kind == STORY_LOSS && add_loss(object, story) < 0)
                return -1;
        if (story->kind == STORY_DROP &&
            (add_address(object, story) < 0 ||
             (story->n_dropped > 0 && add(object, "dropped", json_integer((json_int_t)story->n_dropped)) < 0)))
                return -1;
        if (story->kind == STORY_CONNECTION &&
            (add_address(object, story) < 0 || add_keys(object, story) < 0 ||
             add_time(object, "accepted", story->accepted_us) < 0 || add_session(object, story) < 0 ||
             add(object, "sshdPid", json_integer((json_int_t)story->pid)) < 0))
                return -1;
        return add_text(object, "bootId", sd_id128_to_string(story->boot, boot));
}

int story_print_json(const struct story *story) {
        json_t *object = json_object();
        int status = EXIT_OWN_FAILURE;

        if (!object || fill(object, story) < 0)
                complain("out of memory");
        else
                status = print_json(object);
        json_decref(object);
        return status;
}
