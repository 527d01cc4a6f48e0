/* SPDX-License-Identifier: Apache-2.0 */
/* The errors that the API answers with (compute-api.md, General): one enum gives name and HTTP status. */
#ifndef EXC_API_ERROR_H
#define EXC_API_ERROR_H

enum api_error {
        API_ERROR_NONE,
        API_ERROR_INVALID_REQUEST,
        API_ERROR_UNAUTHENTICATED,
        API_ERROR_ACCESS_DENIED,
        API_ERROR_SIGNER_REFUSED,
        API_ERROR_NOT_FOUND,
        API_ERROR_METHOD_NOT_ALLOWED,
        API_ERROR_CONFLICT,
        API_ERROR_REVOKED,
        API_ERROR_PRECONDITION_FAILED,
        API_ERROR_CONTENT_TOO_LARGE,
        API_ERROR_UNSUPPORTED_MEDIA_TYPE,
        API_ERROR_GUEST_REFUSED,
        API_ERROR_TOO_MANY_REQUESTS,
        API_ERROR_INTERNAL,
        API_ERROR_GUEST_UNREACHABLE,
        API_ERROR_HOST_UNREACHABLE,
        API_ERROR_SIGNER_UNAVAILABLE,
        API_ERROR_STORE_UNAVAILABLE,
        API_ERROR_AUDIT_UNAVAILABLE,
        API_ERROR_GUEST_TIMEOUT,
        API_ERROR_MAX_,
};

/* "InvalidRequest" and so on; NULL for API_ERROR_NONE and what is out of range. */
const char *api_error_name(enum api_error error);

/* 400 and so on; 200 for API_ERROR_NONE, 500 for what is out of range. */
int api_error_status(enum api_error error);

#endif
