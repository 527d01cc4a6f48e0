/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a call is refused. One enum gives the error on the wire, the reason in the journal and the exit status of the
 * commands. Names and order are those of in.excloud.InstanceConnect.varlink.
 */
#ifndef EXC_REFUSAL_H
#define EXC_REFUSAL_H

#include <stdint.h>

#define VARLINK_INTERFACE "in.excloud.InstanceConnect"

enum refusal {
        REFUSAL_NONE, /* not refused */
        REFUSAL_PERMISSION_DENIED,
        REFUSAL_TOO_LARGE,
        REFUSAL_RATE_LIMITED,
        REFUSAL_UNTRUSTED,
        REFUSAL_BAD_SIGNATURE,
        REFUSAL_WRONG_INSTANCE,
        REFUSAL_NOT_YET_VALID,
        REFUSAL_EXPIRED,
        REFUSAL_CLOCK_UNSYNCHRONIZED,
        REFUSAL_STALE_CHALLENGE,
        REFUSAL_REPLAYED,
        REFUSAL_INVALID_PAYLOAD,
        REFUSAL_KEY_REJECTED,
        REFUSAL_NO_SUCH_USER,
        REFUSAL_USER_DENIED,
        REFUSAL_STORE_FULL,
        REFUSAL_STORAGE_FAILURE,
        REFUSAL_MAX_,
};

/* Exit status of the commands. */
enum {
        EXIT_DONE = 0,
        EXIT_OWN_FAILURE = 1,
        EXIT_USAGE = 2,
        EXIT_NOT_REACHED = 3,
        EXIT_NO_MATCH = 4, /* a revocation of a user or a fingerprint matched no key */
        EXIT_REFUSED = 10, /* and up: the errors in the order of the .varlink file */
};

/* A refusal with its parameters. */
struct refused {
        enum refusal why;
        char message[512];      /* for people; never key material */
        char field[64];         /* InvalidPayload: the field at fault, or "" */
        int index;              /* KeyRejected: which of the keys, from 0 */
        int64_t retry_after_ms; /* RateLimited */
};

/* "KeyRejected" and so on; NULL for REFUSAL_NONE and what is out of range. */
const char *refusal_name(enum refusal why);

/* The refusal of that name, without the interface's prefix; REFUSAL_NONE for an unknown one. */
enum refusal refusal_from_name(const char *name);

int refusal_exit_status(enum refusal why);

/* Fills `ret` and returns `why`, so that refusing is one statement. The message is cut at its limit. */
enum refusal refuse(struct refused *ret, enum refusal why, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* The same for InvalidPayload, with the field at fault. */
enum refusal refuse_field(struct refused *ret, const char *field, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

#endif
