/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log of one node: JSON lines in one hash chain, in files that only grow (compute-api.md, Audit).
 *
 * audit_write() returns when the line is on disk; lines of several threads share one fdatasync(2). A line that cannot be
 * written is an error and leaves no half line behind: what must not happen without it does not happen.
 */
#ifndef EXC_CLOUD_AUDIT_H
#define EXC_CLOUD_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

enum {
        AUDIT_HASH_MAX = 64 + 1, /* SHA-256 in hexadecimal, with a NUL */
        AUDIT_WHY_MAX = 256,
};

enum audit_kind {
        AUDIT_DECISION, /* before anything is done: by policy, limits or a failure */
        AUDIT_OUTCOME,  /* of a decision with the same request id and action */
        AUDIT_NOTE,     /* nobody asked: a host's report about another's guest, host keys that changed */
};

/*
 * NULL, "" and 0 are left out of the line. Text from a peer is cut at 512 bytes and escaped; where it is not UTF-8, its
 * bytes above 127 become \xNN.
 */
struct audit_event {
        enum audit_kind kind;
        const char *request_id, *session;
        const char *account, *token_id, *source_ip, *user_agent;
        const char *action, *resource, *vm_id, *host, *os_user, *fingerprint;
        const char *effect, *sid;                  /* of the decision: "Allow" or "Deny" */
        int status;                                /* of the outcome: HTTP status */
        const char *error, *guest_error, *message; /* of the outcome, or of a note */
        int64_t duration_ms;
};

struct audit;

/* Opens the log of `node` in the directory, and continues its chain. Negative errno, and `ret_why`. */
int audit_open(const char *directory, const char *node, struct audit **ret, char ret_why[static AUDIT_WHY_MAX]);
void audit_close(struct audit *audit);

/* From any thread. `ret_head` is the hash of this line. Negative errno: it is not in the log. */
int audit_write(struct audit *audit, const struct audit_event *event, char ret_head[static AUDIT_HASH_MAX]);

/* What audit_verify() found. */
struct audit_fault {
        char file[256];
        uint64_t line;            /* from 1; 0: the file as a whole */
        char what[AUDIT_WHY_MAX]; /* "changed", "removed", …: a sentence */
};

struct audit_report {
        uint64_t lines, decisions, outcomes, signed_requests, faults;
};

/*
 * Reads the log of every node in `directory`: each line's hash, the numbers without a gap, an outcome for each decision that
 * allowed something, no outcome without its decision. With `signer_log`, a directory, also that the line of each head that
 * the signer noted is there, so that a log cut off at its end is found, and that each signed request has its decision.
 * `fault` is called for each fault. Negative errno where something could not be read.
 */
int audit_verify(const char *directory, const char *signer_log, void (*fault)(void *, const struct audit_fault *),
                 void *context, struct audit_report *ret, char ret_why[static AUDIT_WHY_MAX]);

#endif
