/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what the signer and a host answer while a push or a revocation is delivered. Nothing reaches the host but what
 * the signer has just signed, no challenge the signer but that of the right guest, and what comes of it is within its limits
 * and makes a well-formed answer of the API's.
 *
 * Input: a line with 'r' for a revocation, else a push, and with 'c' where a challenge comes first; then the replies, each
 * with its NUL, whichever peer is asked. An empty one ends the connection instead, and so does the end of the input.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cloud/api/api.h"
#include "cloud/api/delivery.h"
#include "cloud/api/delivery_error.h"
#include "cloud/api/process.h"
#include "libpush/known_hosts.h"
#include "tests/unit/keys.h"
#include "wire/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);
enum client_result __wrap_varlink_pool_call(struct varlink_pool *pool, const char *method, json_t *parameters,
                                            int timeout_ms, bool idempotent, struct client_reply *ret,
                                            struct varlink_fault *ret_fault);

enum { TTL_S = 60, SIGNED_MAX = 3 };

/* One delivery. */
static struct {
        const char *at;
        size_t left;
        json_t *signed_envelope;                            /* the signer's latest */
        char challenge[TOKEN_MAX], handle[HOST_HANDLE_MAX]; /* of the latest Hello of the right guest, or "" */
        size_t n_signed, n_delivered, n_hello;
} peer;

static struct api_host host = {.name = "h1", .socket = "/nonexistent/host"};
static struct api_config config = {.signer = "/nonexistent/signer", .n_hosts = 1, .hosts = &host};
static struct api api = {.config = &config};
static struct delivery *delivery;
static struct ssh_key key;

static void require(bool condition) {
        if (!condition)
                abort();
}

/* --- the peers --------------------------------------------------------------------------------------------------- */

static const char *text_of(json_t *object, const char *name) {
        const char *text = json_string_value(json_object_get(object, name));

        return text ? text : "";
}

static void check_asked(const char *method, json_t *parameters) {
        const char *challenge = text_of(parameters, "challenge"), *handle = text_of(parameters, "handle");

        require(strcmp(text_of(parameters, "instance"), "42") == 0);
        if (strncmp(method, "in.excloud.Signer.Sign", 22) == 0) {
                require(++peer.n_signed <= SIGNED_MAX);
                require(strcmp(challenge, peer.challenge) == 0);
                json_decref(peer.signed_envelope);
                peer.signed_envelope = NULL;
        } else if (strcmp(method, "in.excloud.Host.Deliver") == 0) {
                require(++peer.n_delivered <= peer.n_signed);
                require(peer.signed_envelope &&
                        json_equal(json_object_get(parameters, "envelope"), peer.signed_envelope));
                require(strcmp(handle, peer.handle) == 0);
                peer.challenge[0] = peer.handle[0] = '\0'; /* of one use */
        } else {
                require(strcmp(method, "in.excloud.Host.Hello") == 0 && ++peer.n_hello <= SIGNED_MAX + 1);
        }
}

/* What the answer allows, whether or not it is taken. */
static void note_answer(const char *method, json_t *parameters) {
        const char *challenge = text_of(parameters, "challenge"), *handle = text_of(parameters, "handle");

        if (strncmp(method, "in.excloud.Signer.Sign", 22) == 0)
                peer.signed_envelope = json_incref(json_object_get(parameters, "envelope"));
        else if (strcmp(method, "in.excloud.Host.Hello") == 0 &&
                 strcmp(text_of(parameters, "guestInstance"), "42") == 0 &&
                 strlen(challenge) < sizeof(peer.challenge) && strlen(handle) < sizeof(peer.handle)) {
                (void)strcpy(peer.challenge, challenge);
                (void)strcpy(peer.handle, handle);
        }
}

/* The next reply as wire/client.h reads it from a socket. */
static enum client_result receive(const char *method, struct client_reply *ret, struct varlink_fault *ret_fault) {
        const char *end = peer.left > 0 ? memchr(peer.at, '\0', peer.left) : NULL;
        size_t n = end ? (size_t)(end - peer.at) + 1 : 0;
        enum client_result result;
        struct client client;
        int fds[2];

        require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        require(n <= 1 || send(fds[1], peer.at, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n);
        peer.at += n;
        peer.left -= n;
        client_adopt(&client, fds[0], CLIENT_TIMEOUT_MS);
        require(client_send(&client, method, json_object(), false) == CLIENT_DONE);
        require(shutdown(fds[1], SHUT_WR) == 0);
        result = client_receive(&client, ret);
        if (result != CLIENT_DONE && result != CLIENT_REFUSED) {
                *ret_fault = (struct varlink_fault){.sent = n > 0, .error = client.error};
                memcpy(ret_fault->why, client.why, sizeof(ret_fault->why));
        }
        client_close(&client);
        (void)close(fds[1]);
        return result;
}

enum client_result __wrap_varlink_pool_call(struct varlink_pool *pool, const char *method, json_t *parameters,
                                            int timeout_ms, bool idempotent, struct client_reply *ret,
                                            struct varlink_fault *ret_fault) {
        enum client_result result;

        (void)pool;
        require(parameters && timeout_ms > 0);
        require(idempotent == (strncmp(method, "in.excloud.Host.", 16) == 0));
        check_asked(method, parameters);
        json_decref(parameters);
        result = receive(method, ret, ret_fault);
        if (result == CLIENT_DONE)
                note_answer(method, ret->parameters);
        return result;
}

/* --- what comes of it -------------------------------------------------------------------------------------------- */

/* A text that JSON takes, within its size. */
static void require_text(const char *text, size_t size) {
        json_t *string;

        require(strnlen(text, size) < size);
        string = json_string(text);
        require(string);
        json_decref(string);
}

static void check_push(const struct push_answer *answer) {
        require(name_user_valid(answer->user));
        require_text(answer->user, sizeof(answer->user));
        require(answer->n_fingerprints == 1 && strcmp(answer->fingerprints[0], known_keys[0].fingerprint) == 0);
        require(answer->expires_in >= 0 && answer->expires_in <= 3600);
        require(answer->host_keys.n <= ANSWER_HOST_KEYS_MAX);
        for (size_t i = 0; i < answer->host_keys.n; i++) {
                char line[KNOWN_HOSTS_LINE_MAX];
                struct ssh_key again;

                known_hosts_line("exc-vm-42", &answer->host_keys.at[i].key, line);
                require(strncmp(line, "exc-vm-42 ", 10) == 0 && !strchr(line, '\n'));
                require(ssh_key_from_text(line + 10, strlen(line + 10), &again) == SSH_KEY_OK);
        }
}

static void check_not_answered(const struct delivery_outcome *outcome) {
        const struct host_fault *fault = &outcome->host_fault;

        require(outcome->host != HOST_OK);
        require_text(fault->message, sizeof(fault->message));
        require(strnlen(fault->guest_error, sizeof(fault->guest_error)) < sizeof(fault->guest_error));
        for (const char *at = fault->guest_error; *at; at++)
                require((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') ||
                        *at == '.');
        require(outcome->host != HOST_GUEST_REFUSED || fault->guest_error[0] != '\0');
        require(fault->retry_after_ms >= 0);
        /* Only what may have arrived can have left a key. */
        require(outcome->keys_end_s == 0 || peer.n_delivered > 0);
}

static void check_outcome(const struct delivery_outcome *outcome, bool pushes) {
        switch (outcome->end) {
        case DELIVERY_DONE:
                require(outcome->host == HOST_OK && outcome->signer == SIGNER_OK && peer.n_delivered > 0);
                if (pushes) {
                        check_push(&outcome->push);
                        require(outcome->keys_end_s > 0);
                } else
                        require(outcome->revoked >= 0 && outcome->keys_end_s == 0);
                break;
        case DELIVERY_NOT_SIGNED:
                require(outcome->signer != SIGNER_OK && outcome->signer_fault.retry_after_ms >= 0);
                require_text(outcome->signer_fault.message, sizeof(outcome->signer_fault.message));
                require_text(outcome->signer_fault.field, sizeof(outcome->signer_fault.field));
                break;
        case DELIVERY_NOT_ANSWERED:
                check_not_answered(outcome);
                break;
        case DELIVERY_OTHER_GUEST:
                require_text(outcome->guest_instance, sizeof(outcome->guest_instance));
                require(strcmp(outcome->guest_instance, "42") != 0);
                break;
        default: /* there is time, a host, and nobody who stops it */
                abort();
        }
}

static void check_error(const struct delivery_outcome *outcome) {
        const struct delivery_error error = delivery_error(outcome);
        struct request *request = process_request_new(&api);
        const char *suspicion = delivery_suspicion(outcome);
        size_t length;
        char *text;

        require(request && (error.error == API_ERROR_NONE) == (outcome->end == DELIVERY_DONE));
        require(error.error == API_ERROR_NONE || !delivery_is_refused(outcome) || outcome->end != DELIVERY_DONE);
        if (suspicion)
                require_text(suspicion, sizeof(outcome->host_fault.message));
        delivery_refuse(request, outcome);
        text = process_answer_text(request, &length);
        require((text != NULL) == (error.error != API_ERROR_NONE));
        if (text) {
                require(request->status == api_error_status(error.error) && request->status >= 400);
                require(strcmp(text_of(request->answer, "error"), api_error_name(error.error)) == 0);
                require((error.error == API_ERROR_TOO_MANY_REQUESTS) == (request->retry_after_ms > 0));
                require(!error.guest_error || (text_of(request->answer, "guest_error")[0] != '\0' &&
                                               json_object_get(request->answer, "guest_message")));
                for (size_t i = 0; i < length; i++)
                        require((unsigned char)text[i] >= ' ');
        }
        free(text);
        process_request_free(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
        static const struct signer_reason reason = {.principal = "ann", .request_id = "r1", .audit_head = "00"};
        const struct signer_push push = {
                .instance = "42", .user = "alice", .key = &key, .ttl_s = TTL_S, .reason = reason};
        const struct signer_revoke revoke = {.instance = "42", .user = "alice", .reason = reason};
        const uint8_t *newline = size > 0 ? memchr(input, '\n', size) : NULL;
        struct delivery_order order = {
                .instance = "42", .host = "h1", .fingerprint = known_keys[0].fingerprint, .deadline_ns = INT64_MAX};
        static struct delivery_outcome outcome;
        size_t n;

        if (!newline)
                return 0;
        if (!delivery) {
                delivery = delivery_new(&config);
                require(delivery &&
                        ssh_key_from_text(known_keys[0].text, strlen(known_keys[0].text), &key) == SSH_KEY_OK);
        }
        n = (size_t)(newline - input);
        memset(&peer, 0, sizeof(peer));
        peer.at = (const char *)newline + 1;
        peer.left = size - n - 1;
        order.challenge_first = memchr(input, 'c', n);
        if (memchr(input, 'r', n))
                order.revoke = &revoke;
        else
                order.push = &push;
        delivery_send(delivery, &order, &outcome);
        json_decref(peer.signed_envelope);
        check_outcome(&outcome, order.push);
        check_error(&outcome);
        return 0;
}
