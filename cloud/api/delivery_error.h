/* SPDX-License-Identifier: Apache-2.0 */
/* What a caller is answered when a delivery has not succeeded (compute-api.md, General and Connect). */
#ifndef EXC_DELIVERY_ERROR_H
#define EXC_DELIVERY_ERROR_H

#include "cloud/api/delivery.h"
#include "cloud/api/error.h"

/* The error of an outcome. API_ERROR_NONE for DELIVERY_DONE and DELIVERY_STOPPED. */
struct delivery_error {
        enum api_error error;
        const char *message;
        const char *field; /* API_ERROR_INVALID_REQUEST: of connect's request */
        const char
                *guest_error;   /* API_ERROR_GUEST_REFUSED, or a refusal of the guest's behind another error; or NULL */
        int64_t retry_after_ms; /* API_ERROR_TOO_MANY_REQUESTS */
};

/* The texts are those of the outcome, or constant. */
struct delivery_error delivery_error(const struct delivery_outcome *outcome);

struct request;

/* Refuses a request with the error of the outcome, its members and its audit, unless that is API_ERROR_NONE. */
void delivery_refuse(struct request *request, const struct delivery_outcome *outcome);

/* Whether the signer or the guest refuses it, and would again. */
bool delivery_is_refused(const struct delivery_outcome *outcome);

/* A note about the host or the guest for the audit log, where they do not answer as they must; or NULL. */
const char *delivery_suspicion(const struct delivery_outcome *outcome);

#endif
