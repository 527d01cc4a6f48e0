/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/host_client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "wire/json_dispatch.h"
#include "wire/name.h"

#define INTERFACE "in.excloud.Host."
#define MISSHAPEN "a member is missing, or not as the interface has it"
#define TIME_MAX_S (INT64_C(1) << 40)

enum {
        MARGIN_MS = 500, /* the host answers so much before its caller gives up */
        LEAST_MS = 100,  /* for the host, however little is left */
        RETRY_MAX_MS = 60 * 60 * 1000,
        VERSION_MAX = 64,
        BOOT_ID_LENGTH = 36,
};

/* --- errors ------------------------------------------------------------------------------------------------------ */

static const struct {
        const char *name;
        enum host_result result;
} errors[] = {
        {"GuestRefused", HOST_GUEST_REFUSED},
        {"GuestUnreachable", HOST_GUEST_UNREACHABLE},
        {"GuestTimeout", HOST_UNKNOWN},
        {"GuestProtocol", HOST_UNKNOWN},
        {"Busy", HOST_BUSY},
        {"NoSuchInstance", HOST_NO_INSTANCE},
        {"NoSuchHandle", HOST_NO_HANDLE},
        {"PermissionDenied", HOST_UNREACHABLE},
        {"InvalidField", HOST_UNREACHABLE},
};

/* The name of an error of the guest's, as REFUSAL names are. */
static enum refusal take_name(const struct json_dispatch_field *field, json_t *value, void *member,
                              struct refused *ret_why) {
        const char *text = json_string_value(value);

        if (!text || strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.") != strlen(text))
                return json_dispatch_refuse(field, ret_why);
        return json_dispatch_text(field, value, member, ret_why);
}

static const struct json_dispatch_field fault_fields[] = {
        {"message", json_dispatch_text, offsetof(struct host_fault, message), .max = HOST_MESSAGE_MAX - 1,
         .required = true, .expected = "a sentence"},
        {"name", take_name, offsetof(struct host_fault, guest_error), .min = 1, .max = HOST_FIELD_MAX - 1,
         .expected = "an error's name"},
        {"retryAfterMs", json_dispatch_integer, offsetof(struct host_fault, retry_after_ms), .max = RETRY_MAX_MS,
         .expected = "milliseconds"},
        {.name = NULL},
};

static enum host_result wrong(struct host_fault *ret, const char *why) {
        *ret = (struct host_fault){.wrong = true};
        (void)snprintf(ret->message, sizeof(ret->message), "the host's answer: %s", why);
        return HOST_UNKNOWN;
}

static enum host_result refused(const struct client_reply *reply, struct host_fault *ret) {
        size_t n = strlen(INTERFACE), i = 0;
        struct refused why;

        *ret = (struct host_fault){.wrong = false};
        if (strncmp(reply->error, INTERFACE, n) != 0)
                return wrong(ret, "an error that its interface does not have");
        while (i < sizeof(errors) / sizeof(errors[0]) && strcmp(reply->error + n, errors[i].name) != 0)
                i++;
        if (i == sizeof(errors) / sizeof(errors[0]))
                return wrong(ret, "an error that its interface does not have");
        if (json_dispatch(reply->parameters, fault_fields, JSON_DISPATCH_NULL_IS_ABSENT, ret, &why))
                return wrong(ret, MISSHAPEN);
        if (errors[i].result == HOST_GUEST_REFUSED && ret->guest_error[0] == '\0')
                return wrong(ret, "a refusal without its name");
        return errors[i].result;
}

/* --- calls ------------------------------------------------------------------------------------------------------- */

static enum host_result call(struct varlink_pool *host, const char *method, json_t *parameters, int timeout_ms,
                             bool idempotent, struct client_reply *ret, struct host_fault *ret_fault) {
        int for_host_ms = timeout_ms > MARGIN_MS + LEAST_MS ? timeout_ms - MARGIN_MS : LEAST_MS;
        struct varlink_fault fault;
        enum host_result result;

        if (parameters && json_object_set_new(parameters, "timeoutMs", json_integer(for_host_ms)) < 0) {
                json_decref(parameters);
                parameters = NULL;
        }
        switch (varlink_pool_call(host, method, parameters, timeout_ms, idempotent, ret, &fault)) {
        case CLIENT_DONE:
                return HOST_OK;
        case CLIENT_REFUSED:
                result = refused(ret, ret_fault);
                json_decref(ret->parameters);
                return result;
        default:
                *ret_fault = (struct host_fault){.wrong = fault.error == -EBADMSG};
                (void)snprintf(ret_fault->message, sizeof(ret_fault->message), "the host: %s", fault.why);
                return fault.sent ? HOST_UNKNOWN : HOST_UNREACHABLE;
        }
}

/* --- Hello ------------------------------------------------------------------------------------------------------- */

static enum refusal take_token(const struct json_dispatch_field *field, json_t *value, void *member,
                               struct refused *ret_why) {
        if (!json_is_string(value) || !token_valid(json_string_value(value)))
                return json_dispatch_refuse(field, ret_why);
        return json_dispatch_text(field, value, member, ret_why);
}

static enum refusal take_clock(const struct json_dispatch_field *field, json_t *value, void *member,
                               struct refused *ret_why) {
        json_t *unix_s = json_object_get(value, "unix"), *synchronized = json_object_get(value, "synchronized");

        if (!json_is_integer(unix_s) || json_integer_value(unix_s) < 0 || json_integer_value(unix_s) > TIME_MAX_S ||
            !json_is_boolean(synchronized))
                return json_dispatch_refuse(field, ret_why);
        *(struct guest_clock *)member =
                (struct guest_clock){.unix_s = json_integer_value(unix_s), .synchronized = json_is_true(synchronized)};
        return REFUSAL_NONE;
}

static const struct json_dispatch_field hello_fields[] = {
        {"handle", json_dispatch_text, offsetof(struct host_hello, handle), .min = 1, .max = HOST_HANDLE_MAX - 1,
         .required = true, .expected = "1 to 128 bytes"},
        {"guestInstance", json_dispatch_text, offsetof(struct host_hello, guest_instance),
         .max = ANSWER_INSTANCE_MAX - 1, .expected = "at most 256 bytes"},
        {"challenge", take_token, offsetof(struct host_hello, challenge), .min = TOKEN_LENGTH, .max = TOKEN_LENGTH,
         .required = true, .expected = "128 bits in base64url"},
        {"clock", take_clock, offsetof(struct host_hello, clock), .required = true, .expected = "a clock"},
        {.name = NULL},
};

enum host_result host_client_hello(struct varlink_pool *host, const char *instance, int timeout_ms,
                                   struct host_hello *ret, struct host_fault *ret_fault) {
        struct host_hello hello = {.handle = ""};
        enum host_result result;
        struct client_reply reply;
        struct refused why;

        /* A Hello that arrives twice leaves a connection that the host closes after a while. */
        result = call(host, INTERFACE "Hello", json_pack("{ss}", "instance", instance), timeout_ms, true, &reply,
                      ret_fault);
        if (result != HOST_OK)
                return result;
        if (json_dispatch(reply.parameters, hello_fields, JSON_DISPATCH_NULL_IS_ABSENT, &hello, &why))
                result = wrong(ret_fault, MISSHAPEN);
        else
                *ret = hello;
        json_decref(reply.parameters);
        return result;
}

/* --- Deliver ----------------------------------------------------------------------------------------------------- */

/* The same call id for all attempts: the host carries the call out once. */
static enum host_result deliver(struct varlink_pool *host, const char *instance, json_t *envelope, const char *handle,
                                int timeout_ms, struct client_reply *ret, struct host_fault *ret_fault) {
        char call_id[TOKEN_MAX];
        json_t *parameters;

        if (token_make(call_id) < 0) {
                *ret_fault = (struct host_fault){.message = "no random bytes for a call"};
                return HOST_UNREACHABLE;
        }
        parameters = json_pack("{ss ss sO}", "instance", instance, "callId", call_id, "envelope", envelope);
        /* Not by "s*" of json_pack(), which leaves it out without memory too. */
        if (parameters && handle && json_object_set_new(parameters, "handle", json_string(handle)) < 0) {
                json_decref(parameters);
                parameters = NULL;
        }
        return call(host, INTERFACE "Deliver", parameters, timeout_ms, true, ret, ret_fault);
}

static const char *wrong_push(const struct push_answer *answer, const char *fingerprint, int64_t ttl_s) {
        if (answer->n_fingerprints != 1 || strcmp(answer->fingerprints[0], fingerprint) != 0)
                return "about another key than the one that was pushed";
        if (answer->expires_in > ttl_s)
                return "a longer life than the one that was signed";
        return name_user_valid(answer->user) ? NULL : "a user's name that begins with '-', or has a control character";
}

enum host_result host_client_push(struct varlink_pool *host, const char *instance, json_t *envelope, const char *handle,
                                  const char *fingerprint, int64_t ttl_s, int timeout_ms, struct push_answer *ret,
                                  struct host_fault *ret_fault) {
        struct client_reply reply;
        const char *fault;
        enum host_result result = deliver(host, instance, envelope, handle, timeout_ms, &reply, ret_fault);

        if (result != HOST_OK)
                return result;
        if (answer_take_push(reply.parameters, ret))
                fault = MISSHAPEN;
        else
                fault = wrong_push(ret, fingerprint, ttl_s);
        json_decref(reply.parameters);
        return fault ? wrong(ret_fault, fault) : HOST_OK;
}

enum host_result host_client_revoke(struct varlink_pool *host, const char *instance, json_t *envelope,
                                    const char *handle, int timeout_ms, int64_t *ret_revoked,
                                    struct host_fault *ret_fault) {
        struct client_reply reply;
        const char *fault;
        enum host_result result = deliver(host, instance, envelope, handle, timeout_ms, &reply, ret_fault);

        if (result != HOST_OK)
                return result;
        fault = answer_take_revoke(reply.parameters, ret_revoked);
        json_decref(reply.parameters);
        return fault ? wrong(ret_fault, MISSHAPEN) : HOST_OK;
}
