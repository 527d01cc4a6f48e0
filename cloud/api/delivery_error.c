/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/delivery_error.h"

#include <string.h>

#include "cloud/api/request.h"
#include "wire/refusal.h"

enum { RETRY_DEFAULT_MS = 1000 };

/* The signer's names of what the caller sent. */
static const char *const fields[][2] = {
        {"user", "user"},      {"publicKeys", "public_key"}, {"ttl", "ttl"},        {"connections", "connections"},
        {"sources", "source"}, {"restrict", "restrict"},     {"instance", "vm_id"},
};

static const char *field_of(const char *of_signer) {
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
                if (strcmp(of_signer, fields[i][0]) == 0)
                        return fields[i][1];
        return NULL;
}

static struct delivery_error limited(const char *message, int64_t retry_after_ms) {
        return (struct delivery_error){
                .error = API_ERROR_TOO_MANY_REQUESTS,
                .message = message,
                .retry_after_ms = retry_after_ms > 0 ? retry_after_ms : RETRY_DEFAULT_MS,
        };
}

static struct delivery_error of_signer(const struct delivery_outcome *outcome) {
        const struct signer_fault *fault = &outcome->signer_fault;
        struct delivery_error error = {.message = fault->message};

        switch (outcome->signer) {
        case SIGNER_DENIED:
                error.error = API_ERROR_SIGNER_REFUSED;
                break;
        case SIGNER_INVALID:
                error.field = field_of(fault->field);
                error.error = error.field ? API_ERROR_INVALID_REQUEST : API_ERROR_INTERNAL;
                break;
        case SIGNER_RATE_LIMITED:
                return limited(fault->message, fault->retry_after_ms);
        case SIGNER_OK:
        case SIGNER_UNAVAILABLE:
                error.error = API_ERROR_SIGNER_UNAVAILABLE;
                break;
        }
        return error;
}

static struct delivery_error of_guest(const struct host_fault *fault) {
        struct delivery_error error = {.error = API_ERROR_GUEST_REFUSED, .message = fault->message};

        if (refusal_from_name(fault->guest_error) == REFUSAL_RATE_LIMITED)
                error = limited(fault->message, fault->retry_after_ms);
        error.guest_error = fault->guest_error;
        return error;
}

static struct delivery_error of_host(const struct delivery_outcome *outcome) {
        static const enum api_error errors[] = {
                [HOST_OK] = API_ERROR_INTERNAL,
                [HOST_GUEST_REFUSED] = API_ERROR_GUEST_REFUSED,
                [HOST_GUEST_UNREACHABLE] = API_ERROR_GUEST_UNREACHABLE,
                [HOST_BUSY] = API_ERROR_TOO_MANY_REQUESTS,
                [HOST_NO_INSTANCE] = API_ERROR_GUEST_UNREACHABLE,
                [HOST_NO_HANDLE] = API_ERROR_HOST_UNREACHABLE,
                [HOST_UNREACHABLE] = API_ERROR_HOST_UNREACHABLE,
                [HOST_UNKNOWN] = API_ERROR_GUEST_TIMEOUT,
        };
        const struct host_fault *fault = &outcome->host_fault;

        if (outcome->host == HOST_GUEST_REFUSED)
                return of_guest(fault);
        if (outcome->host == HOST_BUSY)
                return limited(fault->message, fault->retry_after_ms);
        return (struct delivery_error){.error = errors[outcome->host], .message = fault->message};
}

struct delivery_error delivery_error(const struct delivery_outcome *outcome) {
        switch (outcome->end) {
        case DELIVERY_DONE:
        case DELIVERY_STOPPED:
                break;
        case DELIVERY_NOT_SIGNED:
                return of_signer(outcome);
        case DELIVERY_NOT_ANSWERED:
                return of_host(outcome);
        case DELIVERY_NO_HOST:
                return (struct delivery_error){
                        .error = API_ERROR_HOST_UNREACHABLE,
                        .message = "the instance's host is not in this server's configuration; add a Host= line",
                };
        case DELIVERY_OTHER_GUEST:
                return (struct delivery_error){
                        .error = API_ERROR_GUEST_REFUSED,
                        .message = "the guest has another instance id than the one asked for, or none",
                        .guest_error = refusal_name(REFUSAL_WRONG_INSTANCE),
                };
        case DELIVERY_LATE:
                return (struct delivery_error){
                        .error = API_ERROR_GUEST_TIMEOUT,
                        .message = "no time was left before anything was sent to the guest",
                };
        }
        return (struct delivery_error){.error = API_ERROR_NONE};
}

void delivery_refuse(struct request *request, const struct delivery_outcome *outcome) {
        const struct delivery_error error = delivery_error(outcome);

        if (error.guest_error)
                request_note(request, guest_error, error.guest_error);
        switch (error.error) {
        case API_ERROR_NONE:
                return;
        case API_ERROR_INVALID_REQUEST:
                (void)request_refuse_field(request, error.field, "%s", error.message);
                return;
        case API_ERROR_TOO_MANY_REQUESTS:
                (void)request_refuse_rate(request, error.retry_after_ms, "%s", error.message);
                break;
        default:
                (void)request_refuse(request, error.error, "%s", error.message);
        }
        if (error.guest_error) {
                request_member(request, "guest_error", json_string(error.guest_error));
                request_member(request, "guest_message", json_string(error.message));
        }
}

bool delivery_is_refused(const struct delivery_outcome *outcome) {
        if (outcome->end == DELIVERY_NOT_SIGNED)
                return outcome->signer == SIGNER_DENIED || outcome->signer == SIGNER_INVALID;
        return outcome->end == DELIVERY_NOT_ANSWERED && outcome->host == HOST_GUEST_REFUSED &&
               refusal_from_name(outcome->host_fault.guest_error) != REFUSAL_RATE_LIMITED;
}

const char *delivery_suspicion(const struct delivery_outcome *outcome) {
        if (outcome->end == DELIVERY_OTHER_GUEST)
                return "what answers for this instance has another instance id, or none";
        if (outcome->end == DELIVERY_NOT_ANSWERED && outcome->host == HOST_UNKNOWN && outcome->host_fault.wrong)
                return outcome->host_fault.message;
        return NULL;
}
