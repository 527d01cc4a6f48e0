/* SPDX-License-Identifier: Apache-2.0 */
/* The audit lines of a request (compute-api.md, Audit). */
#ifndef EXC_API_AUDIT_LINE_H
#define EXC_API_AUDIT_LINE_H

#include "cloud/api/request.h"

/*
 * Writes the decision about request->audit. False: it is not on disk, and 503 is the answer, so that nothing is done
 * without it. An Allow waits for audit_line_outcome() then.
 */
bool audit_line_decision(struct request *request, bool allowed);

/*
 * Writes what came of the decision, from the answer that the request has; nothing where there was no decision. Where that
 * fails the answer becomes 503: what is not in the log is not answered as done.
 */
void audit_line_outcome(struct request *request);

/* Something that nobody asked for, and that came up in this request: a host that lies, host keys that changed. */
void audit_line_note(struct request *request, const char *message);

/* A denial before any action is known: `why` and the method and path. The answer is there already. Always false. */
bool audit_line_refused(struct request *request, const char *why);

/* The same for a refusal by a limit: at most so many lines a minute for one `name` that it is about. Always false. */
bool audit_line_limited(struct request *request, const char *name, const char *why);

#endif
