/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signer's own log (cloud/audit/line_log.h, NAME is SIGNER_LOG_NAME): a line for each request, on disk before the
 * request is answered, in a directory that the API cannot write to.
 *
 *      time, seq, prev  of the log
 *      kind             "push" or "revoke"
 *      outcome          "signed", "refused" or "failed"
 *      request_id, principal, instance, user
 *      fingerprints     array of "SHA256:…": the keys of a push, or the one of a revocation
 *      all              true: a revocation of all keys
 *      jti, iat, exp, ttl, connections, sources, restrict, challenge (true: it has one)
 *      pae_sha256       SHA-256 of what is signed (the DSSE PAE), in hexadecimal: the id by which a guest knows a push
 *      audit_head       the caller's: hash of the audit line of its decision
 *      uid, pid         of the caller
 *      error, field, message  of what was refused or failed
 *      unlogged         how many requests were refused by the rate limit since the last such line, without one of their own:
 *                       there is one a second where they are many
 *
 * What a request did not have, or was refused before it was known, is left out. "signed" is written before the signature is
 * made, so that none exists without its line; a later line "failed" with the same jti says that none came of it.
 */
#ifndef EXC_SIGNER_LOG_H
#define EXC_SIGNER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cloud/audit/line_log.h"

#define SIGNER_LOG_NAME "signer"

#define SIGNER_KIND_PUSH "push"
#define SIGNER_KIND_REVOKE "revoke"

#define SIGNER_OUTCOME_SIGNED "signed"
#define SIGNER_OUTCOME_REFUSED "refused"
#define SIGNER_OUTCOME_FAILED "failed"

/* The members, for the writer and for audit_verify(). */
#define SIGNER_LOG_KIND "kind"
#define SIGNER_LOG_OUTCOME "outcome"
#define SIGNER_LOG_REQUEST_ID "request_id"
#define SIGNER_LOG_PRINCIPAL "principal"
#define SIGNER_LOG_INSTANCE "instance"
#define SIGNER_LOG_USER "user"
#define SIGNER_LOG_FINGERPRINTS "fingerprints"
#define SIGNER_LOG_JTI "jti"
#define SIGNER_LOG_AUDIT_HEAD "audit_head"

struct signer_log;
struct signer_request;

/* NULL and 0 are left out. */
struct signer_log_entry {
        const struct signer_request *request;
        const char *outcome;
        const char *jti, *pae_sha256;
        int64_t iat, exp, ttl;
        const char *error, *field, *message;
        uint64_t unlogged; /* refusals by the rate limit since the line before of that kind */
        uid_t uid;
        pid_t pid;
};

/* The log is opened by the first line, and again after a failure: where that is not possible, nothing is signed. */
struct signer_log *signer_log_new(const char *directory);
void signer_log_free(struct signer_log *log);

/* Opens it now. Negative errno, and `ret_why`. */
int signer_log_open(struct signer_log *log, char ret_why[static LINE_LOG_WHY_MAX]);

/* The line is on disk; or negative errno, and `ret_why`. From any thread. */
int signer_log_write(struct signer_log *log, const struct signer_log_entry *entry,
                     char ret_why[static LINE_LOG_WHY_MAX]);

#endif
