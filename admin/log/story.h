/* SPDX-License-Identifier: Apache-2.0 */
/* What became of one SSH connection, or of one push without a known use; or a loss of events. */
#ifndef EXC_STORY_H
#define EXC_STORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-id128.h>

enum story_kind {
        STORY_CONNECTION,
        STORY_PUSH,         /* of one key: it was stored, and the journal has no use of it */
        STORY_CALL_REFUSED, /* a push, mostly */
        STORY_LOSS,         /* events, or messages, that the journal does not have */
        STORY_DROP,         /* of a connection, or several, by sshd, before anybody knew which user it is for */
};

enum story_outcome {
        STORY_UNDECIDED, /* the journal has no end of the connection; or no use of the push, but no proof that there was none */
        STORY_ACCEPTED,
        STORY_REFUSED,
        STORY_UNUSED,  /* a push whose end proves that it was not used */
        STORY_WAITING, /* the journal has neither a use nor the end of the push */
        STORY_LOST,
};

/*
 * Why, in a word that stays the same. Pushes are refused with the names of wire/refusal.h.
 * WHY_NOT_PUSHED and WHY_NOT_OFFERED are about the journal: it has no push, and no offer.
 */
#define WHY_USED_UP "UsedUp"
#define WHY_WRONG_SOURCE "WrongSource"
#define WHY_USER_NOT_ALLOWED "UserNotAllowed"
#define WHY_ACCOUNT_REFUSED "AccountRefused"
#define WHY_NO_SUCH_USER "NoSuchUser"
#define WHY_NO_PROOF "NoProof"
#define WHY_TIMEOUT "Timeout"
#define WHY_TOO_MANY "TooManyAttempts"
#define WHY_EXPIRED "Expired"
#define WHY_REVOKED "Revoked"
#define WHY_RESTART "Restart"
#define WHY_OTHER_USER "OtherUser"
#define WHY_NOT_PUSHED "NotPushed"
#define WHY_NOT_OFFERED "NotOffered"
#define WHY_HELPER_FAILURE "HelperFailure"
#define WHY_SSHD_FAILURE "SshdFailure"
#define WHY_KEY_NOT_ACCEPTED "KeyNotAccepted" /* sshd says why it did not look at a key */
#define WHY_COMMAND_FAILURE "CommandFailure"
#define WHY_MORE_NEEDED "MoreNeeded"
#define WHY_DROPPED "Dropped"
#define WHY_PASSWORD_EXPIRED "PasswordExpired" /* of an accepted connection, on which sshd then runs passwd(1) alone */

enum { STORY_KEYS_MAX = 6 }; /* sshd's MaxAuthTries */

/* What became of a pushed key on a connection. */
enum story_key_outcome {
        STORY_KEY_ACCEPTED, /* sshd names it as accepted, alone or with other methods */
        STORY_KEY_GIVEN,    /* sshd was given it */
        STORY_KEY_USED_UP,  /* other connections hold all its slots */
};

struct story_key {
        enum story_key_outcome outcome;
        const char *fingerprint, *principal, *request_id;
        int64_t pushed_us;
};

/* Texts are NULL, and times 0, where nothing is known. Times are in microseconds since 1970. */
struct story {
        enum story_kind kind;
        enum story_outcome outcome;
        sd_id128_t boot;
        uint64_t pid; /* of the connection's sshd process */

        int64_t at_us;   /* when it began; a line is sorted by it */
        int64_t last_us; /* when something was last heard of it */
        int64_t pushed_us, accepted_us, opened_us, closed_us;
        bool running;    /* the session was opened, and its process is there */
        bool event_lost; /* that the helper gave it the key is known from the key's end alone */
        bool incomplete; /* concluded from missing entries, and something of that time is lost */
        bool likely;     /* the request is that of the last push for the user; this connection's is not known */

        struct story_key keys[STORY_KEYS_MAX]; /* that exc-authorized-keys was asked for */
        size_t n_keys;

        char *user;
        char *fingerprint;
        char *principal;
        char *request_id;
        char *address;
        unsigned port;
        const char *why;
        char *message; /* the same for people: a clause */
        char *method;  /* of a call that was refused. Of an accepted connection sshd's, unless that is publickey */

        unsigned n_dropped; /* of a STORY_DROP that is about several; 0: about one */
        uint64_t
                n_lost; /* of a STORY_LOSS, from `at_us` to `last_us`; from an unknown time on where both are the same */
        char *unit;     /* whose, where the journal dropped them */
};

/* One line of text, or one of JSON, on standard output. EXIT_DONE, or EXIT_OWN_FAILURE without memory. */
int story_print(const struct story *story);
int story_print_json(const struct story *story);

#endif
