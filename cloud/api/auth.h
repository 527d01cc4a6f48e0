/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks, and may they (compute-api.md, Policies). Tokens and policies are read for each request. */
#ifndef EXC_API_AUTH_H
#define EXC_API_AUTH_H

#include "cloud/api/request.h"
#include "cloud/policy/policy.h"

/*
 * Authenticates the caller by the value of the Authorization header (NULL: none), and loads the policies of the account
 * into the request. False: 401, 429 or 503 is the answer, and the audit log has it.
 */
bool auth_caller(struct request *request, const char *authorization);

/*
 * Decides on `action` and `resource`, and for `os_user` where it is not NULL, and writes the decision to the audit log.
 * True: it is allowed and on disk, and audit.head is its hash. False: 403 or 503 is the answer.
 */
bool authorise(struct request *request, const char *action, const char *resource, const char *os_user);

/* authorise() for "exc:compute:instance/ID", which becomes vm_id in the audit lines. */
bool authorise_instance(struct request *request, const char *action, const char *id, const char *os_user);

/* The answer of the policies alone: nothing is written or refused. For lists, and for a name that comes later. */
enum policy_effect auth_evaluate(const struct request *request, const char *action, const char *resource,
                                 const char *os_user, struct policy_decision *ret);

/*
 * Reads token and policies afresh: for a decision that is made again within one request, as before a second signature.
 * False: the answer is 401 or 503.
 */
bool auth_reload(struct request *request);

/* Frees the policies of the request. */
void auth_end(struct request *request);

/* 403 for a decision that was made by auth_evaluate(). Always false. */
bool auth_refuse(struct request *request, const char *action, const char *resource);

#endif
