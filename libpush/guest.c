/* SPDX-License-Identifier: Apache-2.0 */
#include "libpush/guest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/debug.h"
#include "libpush/token.h"
#include "wire/refusal.h"

enum { METHOD_MAX = 64 };

static enum client_result fail(struct guest *guest, enum client_result result, int error, const char *why) {
        guest->client.error = error;
        (void)snprintf(guest->client.why, sizeof(guest->client.why), "%s", why);
        return result;
}

static enum client_result misshapen(struct guest *guest, const char *member) {
        guest->client.error = -EBADMSG;
        (void)snprintf(guest->client.why, sizeof(guest->client.why), "`%s` is missing or invalid", member);
        return CLIENT_PROTOCOL;
}

enum client_result guest_connect(struct guest *ret, const struct address *address, int timeout_ms) {
        *ret = (struct guest){
                .address = *address,
                .reconnects = true,
                .outlives = address->kind == ADDRESS_SERIAL,
                .timeout_ms = timeout_ms,
        };
        return address_connect(address, timeout_ms, &ret->client);
}

void guest_adopt(struct guest *ret, int fd, bool outlives, int timeout_ms) {
        *ret = (struct guest){.outlives = outlives, .timeout_ms = timeout_ms};
        client_adopt(&ret->client, fd, timeout_ms);
}

void guest_close(struct guest *guest) {
        client_close(&guest->client);
}

void guest_limit(struct guest *guest, int timeout_ms, int64_t deadline_ms) {
        guest->timeout_ms = timeout_ms;
        guest->deadline_ms = deadline_ms;
}

/* The timeout of the next step; 0 when the deadline has passed. */
static int step_ms(const struct guest *guest) {
        int64_t left_ms = guest->deadline_ms - clock_ms(CLOCK_MONOTONIC);

        if (guest->deadline_ms == 0 || left_ms > guest->timeout_ms)
                return guest->timeout_ms;
        return left_ms > 0 ? (int)left_ms : 0;
}

static enum client_result take_refusal(struct guest *guest, const struct client_reply *reply) {
        const char *member = answer_take_refusal(reply, &guest->refusal);

        return member ? misshapen(guest, member) : CLIENT_REFUSED;
}

static enum client_result send_call(struct guest *guest, const char *method, json_t *parameters) {
        char name[METHOD_MAX];

        guest->client.timeout_ms = step_ms(guest);
        if (guest->client.timeout_ms == 0) {
                json_decref(parameters);
                return fail(guest, CLIENT_NOT_REACHED, -ETIMEDOUT, "no time is left");
        }
        (void)snprintf(name, sizeof(name), "%s.%s", VARLINK_INTERFACE, method);
        return client_send(&guest->client, name, parameters, false);
}

static bool answers_to(json_t *parameters, const char *sync) {
        const char *text = json_string_value(json_object_get(parameters, "sync"));

        return text && strcmp(text, sync) == 0;
}

/*
 * The reply to our Hello. On a stream that outlives its peers a refusal may answer an earlier peer or us, and does not
 * say which: it counts only when no answer follows.
 */
static enum client_result receive_hello(struct guest *guest, const char *sync, json_t **ret) {
        bool refused = false;

        for (;;) {
                struct client_reply reply;
                enum client_result result = client_receive(&guest->client, &reply);

                if (result == CLIENT_DONE) {
                        if (answers_to(reply.parameters, sync)) {
                                *ret = reply.parameters;
                                return CLIENT_DONE;
                        }
                        json_decref(reply.parameters);
                } else if (result == CLIENT_REFUSED) {
                        refused = take_refusal(guest, &reply) == CLIENT_REFUSED;
                        json_decref(reply.parameters);
                        if (!guest->outlives)
                                return refused ? CLIENT_REFUSED : CLIENT_PROTOCOL;
                } else if (result == CLIENT_NOT_REACHED)
                        return refused ? CLIENT_REFUSED : result;
                else if (result != CLIENT_PROTOCOL || !guest->outlives)
                        return result;
                if (guest->client.received > GUEST_STALE_MAX)
                        return fail(guest, CLIENT_PROTOCOL, -EBADMSG,
                                    "no answer to this Hello among the replies to earlier peers");
        }
}

/* The answer's parameters are the caller's to drop after CLIENT_DONE. */
static enum client_result hello(struct guest *guest, json_t **ret) {
        enum client_result result;
        char sync[TOKEN_MAX];
        int r;

        r = token_make(sync);
        if (r < 0)
                return fail(guest, CLIENT_FAILED, r, "no random bytes from the kernel");
        if (guest->outlives) {
                /* Ends what a predecessor left half written. If the byte does not fit, client_send() fails and says
                 * why. */
                (void)send(guest->client.fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
                guest->client.frames = (struct frames){.used = 0};
        }
        result = send_call(guest, "Hello", json_pack("{ss}", "sync", sync));
        if (result == CLIENT_DONE)
                result = receive_hello(guest, sync, ret);
        guest->greeted = result == CLIENT_DONE;
        return result;
}

/* Sends a call and waits for its answer. The reply's parameters are the caller's to drop after CLIENT_DONE. */
static enum client_result call(struct guest *guest, const char *method, json_t *parameters, struct client_reply *ret) {
        enum client_result result = CLIENT_DONE;
        struct client_reply reply;

        if (guest->outlives && !guest->greeted) {
                json_t *answer;

                result = hello(guest, &answer);
                if (result != CLIENT_DONE) {
                        json_decref(parameters);
                        return result;
                }
                json_decref(answer);
        }
        guest->sent = guest->sent || step_ms(guest) > 0; /* send_call() sends nothing without time */
        result = send_call(guest, method, parameters);
        if (result == CLIENT_DONE)
                result = client_receive(&guest->client, &reply);
        if (result == CLIENT_REFUSED) {
                result = take_refusal(guest, &reply);
                json_decref(reply.parameters);
        } else if (result == CLIENT_DONE)
                *ret = reply;
        return result;
}

enum client_result guest_hello(struct guest *guest, struct hello_answer *ret) {
        enum client_result result;
        json_t *parameters = NULL;
        const char *member;

        result = hello(guest, &parameters);
        if (result != CLIENT_DONE)
                return result;
        member = answer_take_hello(parameters, ret);
        json_decref(parameters);
        return member ? misshapen(guest, member) : CLIENT_DONE;
}

/* Whether the call may have arrived without its answer coming back. */
static bool worth_repeating(const struct guest *guest, enum client_result result) {
        return result == CLIENT_NOT_REACHED && guest->reconnects &&
               (guest->client.error == -ETIMEDOUT || guest->client.error == -ECONNRESET);
}

static enum client_result call_twice(struct guest *guest, const char *method, json_t *envelope,
                                     struct client_reply *ret) {
        enum client_result result;
        int timeout_ms;

        guest->repeated = false;
        guest->sent = false;
        result = call(guest, method, json_pack("{sO}", "envelope", envelope), ret);
        if (!worth_repeating(guest, result))
                return result;
        debug_line("no answer: %s; sending the same bytes again", guest->client.why);
        guest->repeated = true;
        guest->greeted = false;
        client_close(&guest->client);
        timeout_ms = step_ms(guest);
        if (timeout_ms == 0)
                return fail(guest, CLIENT_NOT_REACHED, -ETIMEDOUT, "no time is left");
        result = address_connect(&guest->address, timeout_ms, &guest->client);
        return result == CLIENT_DONE ? call(guest, method, json_pack("{sO}", "envelope", envelope), ret) : result;
}

/* Each key that was sent and no other. As the counts are equal, the answer names none twice. */
static bool same_keys(const struct push_answer *answer, const char (*expected)[FINGERPRINT_MAX], size_t n) {
        if (answer->n_fingerprints != n)
                return false;
        for (size_t i = 0; i < n; i++) {
                size_t j = 0;

                while (j < n && strcmp(expected[i], answer->fingerprints[j]) != 0)
                        j++;
                if (j == n)
                        return false;
        }
        return true;
}

enum client_result guest_push(struct guest *guest, json_t *envelope, const char (*expected)[FINGERPRINT_MAX],
                              size_t n_expected, struct push_answer *ret) {
        struct client_reply reply;
        const char *member;
        enum client_result result = call_twice(guest, "Push", envelope, &reply);

        if (result != CLIENT_DONE)
                return result;
        member = answer_take_push(reply.parameters, ret);
        json_decref(reply.parameters);
        if (member)
                return misshapen(guest, member);
        if (expected && !same_keys(ret, expected, n_expected))
                return fail(guest, CLIENT_PROTOCOL, -EBADMSG, "it names other keys than those that were pushed");
        return CLIENT_DONE;
}

enum client_result guest_revoke(struct guest *guest, json_t *envelope, int64_t *ret_revoked) {
        struct client_reply reply;
        const char *member;
        enum client_result result = call_twice(guest, "Revoke", envelope, &reply);

        if (result != CLIENT_DONE)
                return result;
        member = answer_take_revoke(reply.parameters, ret_revoked);
        json_decref(reply.parameters);
        return member ? misshapen(guest, member) : CLIENT_DONE;
}

enum client_result guest_status(struct guest *guest, struct status_answer *ret) {
        struct client_reply reply;
        const char *member;
        enum client_result result = call(guest, "Status", json_object(), &reply);

        if (result != CLIENT_DONE)
                return result;
        member = answer_take_status(reply.parameters, ret);
        json_decref(reply.parameters);
        return member ? misshapen(guest, member) : CLIENT_DONE;
}

enum client_result guest_host_keys(struct guest *guest, struct host_keys *ret) {
        struct client_reply reply;
        const char *member;
        enum client_result result = call(guest, "HostKeys", json_object(), &reply);

        if (result != CLIENT_DONE)
                return result;
        member = answer_take_host_keys(reply.parameters, ret);
        json_decref(reply.parameters);
        return member ? misshapen(guest, member) : CLIENT_DONE;
}
