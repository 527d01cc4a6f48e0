/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy documents (compute-api.md, Policies): what they say, and whether a request is allowed. No state, no input or
 * output, no clock: the same documents and the same request always give the same answer.
 */
#ifndef EXC_POLICY_H
#define EXC_POLICY_H

#include <stddef.h>

enum {
        POLICY_DOCUMENT_MAX = 32 * 1024, /* bytes */
        POLICY_STATEMENTS_MAX = 100,
        POLICY_WHY_MAX = 256,
        POLICY_SID_MAX = 128 + 1, /* bytes, with the NUL */
};

struct policy; /* a document, immutable: threads may share it */

/*
 * 0; -EINVAL, and `ret_why` is a phrase for the person who wrote it, with the statement's number and the member at fault
 * and nothing from the document that is not printable ASCII; -E2BIG; -ENOMEM.
 */
int policy_parse(const char *text, size_t length, struct policy **ret, char ret_why[static POLICY_WHY_MAX]);
void policy_free(struct policy *policy);

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
        size_t policy, statement;  /* indexes; of no meaning for POLICY_NO_MATCH */
        char sid[POLICY_SID_MAX];  /* "" where the statement has none */
};

/* All documents of an account together: any Deny wins, else any Allow, else no match. */
void policy_evaluate(const struct policy *const *policies, size_t n, const struct policy_request *request,
                     struct policy_decision *ret);

#endif
