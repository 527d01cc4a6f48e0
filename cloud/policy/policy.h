/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy documents (compute-api.md, Policies): what they say, and whether a request is allowed. No state, no input or
 * output, no clock: the same documents and the same request always give the same answer.
 *
 * What the contract leaves to the implementation:
 *
 * - The members of a document and of a statement are fixed; the vocabulary of Condition is open. Below an operator that is
 *   not known, or with a key that the operator is not known with, any text is accepted as a value, `*` too. So a document
 *   that was written for a newer version can be uploaded and is evaluated safely: an Allow with such a condition never
 *   matches. Names of operators and keys are exact, so "ipaddress" is one that is not known.
 * - Conditions are ANDed also where one of them is not known or the request does not have its key: such a condition holds
 *   for a Deny and does not hold for an Allow. A Deny with another condition that the request fails does not match: no
 *   meaning of the condition that is not known could make it match.
 * - An empty Condition, or one with an empty operator, is refused: it looks like a restriction and is none.
 * - A range has its host bits zero ("10.0.0.5/8" is refused), and IPv4 in its own notation (not "::ffff:10.0.0.0/104"). An
 *   address without a prefix is the address alone. An IPv4 client is in IPv4 ranges alone: not in ::/0.
 * - exc:OsUser values have 1 to 256 bytes, and no `*`: that would be an exact name, which is not what its author meant.
 * - A Sid has 1 to 128 bytes without control characters. Several statements may have the same.
 */
#ifndef EXC_CLOUD_POLICY_H
#define EXC_CLOUD_POLICY_H

#include <stdbool.h>
#include <stddef.h>

enum {
        POLICY_DOCUMENT_MAX = 32 * 1024, /* bytes */
        /* The document, Statements, a statement, Condition, an operator, an array of values. */
        POLICY_DEPTH_MAX = 6,
        POLICY_STATEMENTS_MAX = 100,
        POLICY_WHY_MAX = 256,
        POLICY_SID_MAX = 128 + 1, /* bytes, with the NUL */
        POLICY_USER_MAX = 256,    /* bytes of a value of exc:OsUser */
};

#define POLICY_VERSION "2024-03-05"

struct policy; /* a document, immutable: threads may share it */

/*
 * 0; -EINVAL, and `ret_why` is a phrase for the person who wrote it, with the statement's number (from 1) and the member at
 * fault and nothing from the document that is not printable ASCII; -E2BIG for more than POLICY_DOCUMENT_MAX bytes, with a
 * phrase too; -ENOMEM. The caller has one reference.
 *
 * A document that was accepted once and is not any more (-EINVAL) may have a Deny: the caller does not leave it out, but
 * refuses the request.
 */
int policy_parse(const char *text, size_t length, struct policy **ret, char ret_why[static POLICY_WHY_MAX]);

/* One more reference, for the same or another thread. Returns `policy`. */
struct policy *policy_ref(struct policy *policy);
/* Drops a reference, and the document with the last one. NULL is allowed. */
void policy_free(struct policy *policy);

/* Bytes of memory that it takes. */
size_t policy_size(const struct policy *policy);

/*
 * The number (from 1) of the first statement with a condition that is not known here, 0 where there is none: for a warning
 * to the author of an Allow that never matches.
 */
size_t policy_unknown_condition(const struct policy *policy);

/* What somebody wants to do. */
struct policy_request {
        const char *action;    /* "compute:instance:connect" */
        const char *resource;  /* "exc:compute:instance/42" */
        const char *source_ip; /* exc:SourceIp, an IPv4 or IPv6 literal; a mapped IPv4 counts as IPv4. NULL: has none */
        const char *os_user;   /* exc:OsUser. NULL: has none */
};

enum policy_effect {
        POLICY_NO_MATCH, /* which denies */
        POLICY_ALLOW,
        POLICY_DENY,
};

/* The answer, and which statement gave it: for the audit, never for the caller. */
struct policy_decision {
        enum policy_effect effect;
        size_t policy, statement; /* indexes; of no meaning for POLICY_NO_MATCH */
        char sid[POLICY_SID_MAX]; /* "" where the statement has none */
};

/*
 * All documents of an account together: any Deny wins, else any Allow, else no match. Of several that match, the first is
 * named. A source_ip that is not an address counts as none. Takes 64 KiB of stack.
 */
void policy_evaluate(const struct policy *const *policies, size_t n, const struct policy_request *request,
                     struct policy_decision *ret);

#endif
