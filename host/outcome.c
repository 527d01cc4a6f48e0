/* SPDX-License-Identifier: Apache-2.0 */
#include "host/outcome.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_MAX = 512 };

struct outcome outcome_done(json_t *parameters) {
        return (struct outcome){.parameters = parameters};
}

struct outcome outcome_error(const char *error, const char *format, ...) {
        struct outcome outcome = {.error = error};
        char message[MESSAGE_MAX];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
        outcome.parameters = strcmp(error, HOST_BUSY) == 0
                                     ? json_pack("{ss si}", "message", message, "retryAfterMs", OUTCOME_RETRY_MS)
                                     : json_pack("{ss}", "message", message);
        return outcome;
}

struct outcome outcome_field(const char *field, const struct refused *why) {
        return (struct outcome){.error = HOST_INVALID_FIELD,
                                .parameters = json_pack("{ss ss}", "message", why->message, "field", field)};
}

/*
 * The name of an error of the guest's interface, as callers take it. Others, and those of varlink itself, which have a
 * '.', are no answer of our agent's.
 */
static bool is_error_name(const char *name) {
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        size_t n = strspn(name, letters);

        return name[n] == '\0' && n >= 1 && n <= OUTCOME_NAME_MAX;
}

/* The guest's own text is passed on as it is: valid UTF-8, of limited length. */
static struct outcome refused(const struct refusal_answer *refusal) {
        const struct refused *why = &refusal->refused;
        int64_t retry_ms = why->retry_after_ms < OUTCOME_RETRY_MAX_MS ? why->retry_after_ms : OUTCOME_RETRY_MAX_MS;
        json_t *parameters;

        if (!is_error_name(refusal->name))
                return outcome_error(HOST_GUEST_PROTOCOL, "the guest answered with the error %s", refusal->name);
        parameters =
                json_pack("{ss ss ss? so so}", "message", why->message[0] ? why->message : "the guest gave no reason",
                          "name", refusal->name, "field", why->field[0] ? why->field : NULL, "index",
                          why->why == REFUSAL_KEY_REJECTED ? json_integer(why->index) : json_null(), "retryAfterMs",
                          why->why == REFUSAL_RATE_LIMITED ? json_integer(retry_ms) : json_null());
        return (struct outcome){.error = HOST_GUEST_REFUSED, .parameters = parameters};
}

struct outcome outcome_of_guest(const struct guest *guest, enum client_result result, bool delivery) {
        const char *why = guest->client.why;

        if (result == CLIENT_REFUSED)
                return refused(&guest->refusal);
        if (delivery && !guest->sent)
                return outcome_error(HOST_GUEST_UNREACHABLE, "the guest was not reached, nothing was sent: %s", why);
        if (result == CLIENT_PROTOCOL)
                return outcome_error(HOST_GUEST_PROTOCOL, "the guest's answer is invalid: %s", why);
        if (delivery)
                return outcome_error(HOST_GUEST_TIMEOUT, "the guest did not answer and may have taken it: %s", why);
        return outcome_error(HOST_GUEST_UNREACHABLE, "the guest was not reached: %s", why);
}

int outcome_reply(struct serve_call *call, struct outcome outcome) {
        int r;

        if (outcome.error)
                return serve_error(call, outcome.error, outcome.parameters);
        r = serve_reply(call, outcome.parameters);
        if (r != -E2BIG)
                return r;
        outcome = outcome_error(HOST_GUEST_PROTOCOL, "the guest's answer is too long to be passed on");
        return serve_error(call, outcome.error, outcome.parameters);
}
