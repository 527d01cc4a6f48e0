/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What doctor found: one finding for each check, passed or not, with a command that fixes it.
 *
 * All of it has a fixed size and no pointers, so that it can be in shared memory: a probe that hangs and is killed leaves
 * what it had found until then.
 */
#ifndef EXC_FINDING_H
#define EXC_FINDING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum {
        FINDINGS_MAX = 256,
        FINDING_NAME_MAX = 32, /* these with the NUL */
        FINDING_TEXT_MAX = 640,
        REMEDY_MAX = 1024,
};

enum finding_status {
        FINDING_PASS,
        FINDING_WARNING,
        FINDING_MORE_WARNING,   /* a pushed key is a part of the login only */
        FINDING_CLIENT_WARNING, /* what keeps keys out for some clients, and not for others */
        FINDING_FAILURE,
        FINDING_OPEN_FAILURE, /* a failure that may keep keys out, or not: that cannot be seen */
        FINDING_HOST_FAILURE, /* a failure for keys that the host pushes; those pushed on this machine are not touched */
        FINDING_LAX_FAILURE,  /* a failure that keeps no pushed key out: it lets in more, or harms other logins */
};

/*
 * A command for root's shell that fixes what was found, as it stands. Where only a person knows what to put in, that is a
 * word in capitals, as FILE, or it starts an editor at the line.
 */
struct remedy {
        char command[REMEDY_MAX]; /* "" when there is none */
};

#define NO_REMEDY ((struct remedy){.command = ""})

struct finding {
        enum finding_status status;
        char name[FINDING_NAME_MAX]; /* stable: "store-keys" */
        char text[FINDING_TEXT_MAX];
        struct remedy remedy;
};

struct findings {
        _Atomic size_t n; /* counted up when the finding is whole: another process may read it meanwhile */
        struct finding at[FINDINGS_MAX];
};

/*
 * A command in which each %s is one word, quoted for the shell as far as it needs it; %u, %o (four digits) and %% stand as
 * in printf(3), and there is nothing else. One that is too long is no remedy: what would be left of it could do anything.
 */
struct remedy remedy_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* `first && second`; the other one where one is none. */
struct remedy remedy_both(struct remedy first, struct remedy second);

/* Each adds a finding. The text is a sentence without a full stop. What does not fit any more is left out. */
void pass(struct findings *to, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
void warn(struct findings *to, const char *name, struct remedy remedy, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
void fail(struct findings *to, const char *name, struct remedy remedy, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* The same with another status. */
void found(struct findings *to, enum finding_status status, const char *name, struct remedy remedy, const char *format,
           ...) __attribute__((format(printf, 5, 6)));

/* How many there are of one name: findings that can be many are limited, so that others have room. */
size_t findings_count(const struct findings *findings, const char *name);

/* The first of a status, or NULL. */
const struct finding *findings_first(const struct findings *findings, enum finding_status status);

/*
 * The first failure, or NULL. One for every key goes before an open one, that before one for those from the host, and that
 * before a lax one.
 */
const struct finding *findings_first_failure(const struct findings *findings);

/* "pass", "warning", "failure". */
const char *finding_status_name(enum finding_status status);

/* One finding for people; its remedy is not wrapped, so that it can be copied. */
void finding_print(FILE *to, const struct finding *finding);

/* An array of {name, status, text, remedy}, remedy null where there is none. The caller's to drop; NULL without memory. */
json_t *findings_json(const struct findings *findings);

#endif
