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

#endif
