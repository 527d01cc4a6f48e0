/* SPDX-License-Identifier: Apache-2.0 */
/* What the signer's log (cloud/signer/signer_log.h) says about the audit logs. */
#ifndef EXC_AUDIT_SIGNED_H
#define EXC_AUDIT_SIGNED_H

#include <stdint.h>

#include "cloud/audit/audit.h"

struct audit_signed;

typedef void (*audit_signed_fault)(void *context, const char *file, uint64_t line, const char *what);

/* Reads the log, whose own faults are reported on the way. 0, or negative errno and `ret_why`. */
int audit_signed_read(const char *directory, audit_signed_fault fault, void *context, struct audit_signed **ret,
                      char ret_why[static AUDIT_WHY_MAX]);
void audit_signed_free(struct audit_signed *lines);

/* An audit log has a line with this hash. */
void audit_signed_line(struct audit_signed *lines, const char *hash);

/* An audit log has a decision that allows this request, and is about this instance ("": about something else). */
void audit_signed_decided(struct audit_signed *lines, const char *request_id, const char *instance);

/*
 * Reports each line of the signer's whose audit line is nowhere, and each signed one without a decision. Returns how many
 * signed ones there are.
 */
uint64_t audit_signed_report(const struct audit_signed *lines, audit_signed_fault fault, void *context);

#endif
