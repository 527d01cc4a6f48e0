/* SPDX-License-Identifier: Apache-2.0 */
/* How a call of in.excloud.Host ends: with its answer, or with one of the interface's errors. */
#ifndef EXC_OUTCOME_H
#define EXC_OUTCOME_H

#include <jansson.h>
#include <stdbool.h>

#include "libpush/guest.h"
#include "wire/refusal.h"
#include "wire/serve.h"

#define HOST_INTERFACE "in.excloud.Host"

enum {
        OUTCOME_RETRY_MS = 500,                /* of Busy */
        OUTCOME_NAME_MAX = 63,                 /* characters of a refusal's name */
        OUTCOME_RETRY_MAX_MS = 60 * 60 * 1000, /* of a refusal */
};

struct outcome {
        const char *error;  /* with the interface, a constant; NULL: done */
        json_t *parameters; /* NULL: out of memory */
};

struct outcome outcome_done(json_t *parameters); /* takes ownership */

/* An error with its message alone; for Busy also retryAfterMs. */
struct outcome outcome_error(const char *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* InvalidField, for a parameter that json_dispatch() or envelope_from_json() refused. */
struct outcome outcome_field(const char *field, const struct refused *why);

/*
 * A call to a guest that did not end with CLIENT_DONE. `delivery`: it was a push or a revocation, else nothing that the
 * guest would keep. GuestUnreachable then says for certain that nothing of it reached the guest.
 */
struct outcome outcome_of_guest(const struct guest *guest, enum client_result result, bool delivery);

/* Replies, and drops the parameters. As serve_reply(). */
int outcome_reply(struct serve_call *call, struct outcome outcome);

#define HOST_INVALID_FIELD HOST_INTERFACE ".InvalidField"
#define HOST_NO_SUCH_INSTANCE HOST_INTERFACE ".NoSuchInstance"
#define HOST_NO_SUCH_HANDLE HOST_INTERFACE ".NoSuchHandle"
#define HOST_BUSY HOST_INTERFACE ".Busy"
#define HOST_GUEST_REFUSED HOST_INTERFACE ".GuestRefused"
#define HOST_GUEST_UNREACHABLE HOST_INTERFACE ".GuestUnreachable"
#define HOST_GUEST_TIMEOUT HOST_INTERFACE ".GuestTimeout"
#define HOST_GUEST_PROTOCOL HOST_INTERFACE ".GuestProtocol"

#endif
