/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/error.h"

#include <stddef.h>

static const struct {
        const char *name;
        int status;
} errors[API_ERROR_MAX_] = {
        [API_ERROR_INVALID_REQUEST] = {"InvalidRequest", 400},
        [API_ERROR_UNAUTHENTICATED] = {"Unauthenticated", 401},
        [API_ERROR_ACCESS_DENIED] = {"AccessDenied", 403},
        [API_ERROR_SIGNER_REFUSED] = {"SignerRefused", 403},
        [API_ERROR_NOT_FOUND] = {"NotFound", 404},
        [API_ERROR_METHOD_NOT_ALLOWED] = {"MethodNotAllowed", 405},
        [API_ERROR_CONFLICT] = {"Conflict", 409},
        [API_ERROR_REVOKED] = {"Revoked", 409},
        [API_ERROR_PRECONDITION_FAILED] = {"PreconditionFailed", 412},
        [API_ERROR_CONTENT_TOO_LARGE] = {"ContentTooLarge", 413},
        [API_ERROR_UNSUPPORTED_MEDIA_TYPE] = {"UnsupportedMediaType", 415},
        [API_ERROR_GUEST_REFUSED] = {"GuestRefused", 422},
        [API_ERROR_TOO_MANY_REQUESTS] = {"TooManyRequests", 429},
        [API_ERROR_INTERNAL] = {"Internal", 500},
        [API_ERROR_GUEST_UNREACHABLE] = {"GuestUnreachable", 502},
        [API_ERROR_HOST_UNREACHABLE] = {"HostUnreachable", 503},
        [API_ERROR_SIGNER_UNAVAILABLE] = {"SignerUnavailable", 503},
        [API_ERROR_STORE_UNAVAILABLE] = {"StoreUnavailable", 503},
        [API_ERROR_AUDIT_UNAVAILABLE] = {"AuditUnavailable", 503},
        [API_ERROR_GUEST_TIMEOUT] = {"GuestTimeout", 504},
};

const char *api_error_name(enum api_error error) {
        return (unsigned)error < API_ERROR_MAX_ ? errors[error].name : NULL;
}

int api_error_status(enum api_error error) {
        if (error == API_ERROR_NONE)
                return 200;
        return api_error_name(error) ? errors[error].status : 500;
}
