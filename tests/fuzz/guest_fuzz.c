/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a guest's reply, through the client and every schema: what is taken must be within the limits that its
 * type promises, and a host key must come back from its line of known_hosts.
 *
 * Input: the stream of replies, as wire/client.h takes it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libpush/guest.h"
#include "libpush/known_hosts.h"

#define ASSERT(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n);

static void check_text(const char *text, size_t size) {
        ASSERT(strnlen(text, size) < size);
}

static void check_host_keys(const struct host_keys *keys) {
        ASSERT(keys->n <= ANSWER_HOST_KEYS_MAX);
        for (size_t i = 0; i < keys->n; i++) {
                char line[KNOWN_HOSTS_LINE_MAX];
                struct ssh_key again;

                known_hosts_line("vm7", &keys->at[i].key, line);
                ASSERT(strncmp(line, "vm7 ", 4) == 0 && !strchr(line, '\n'));
                ASSERT(ssh_key_from_text(line + 4, strlen(line + 4), &again) == SSH_KEY_OK);
                ASSERT(fingerprint_valid(keys->at[i].fingerprint));
        }
}

static void check_push(json_t *parameters) {
        struct push_answer answer;

        if (answer_take_push(parameters, &answer))
                return;
        check_text(answer.user, sizeof(answer.user));
        ASSERT(answer.n_fingerprints > 0 && answer.n_fingerprints <= ANSWER_FINGERPRINTS_MAX);
        for (size_t i = 0; i < answer.n_fingerprints; i++)
                ASSERT(fingerprint_valid(answer.fingerprints[i]));
        ASSERT(answer.expires_in >= 0 && answer.expires_in <= ANSWER_EXPIRES_MAX_S);
        check_host_keys(&answer.host_keys);
}

static void check_hello(json_t *parameters) {
        struct hello_answer answer;

        if (answer_take_hello(parameters, &answer))
                return;
        check_text(answer.version, sizeof(answer.version));
        check_text(answer.instance, sizeof(answer.instance));
        check_text(answer.boot_id, sizeof(answer.boot_id));
        ASSERT(token_valid(answer.challenge));
        ASSERT(answer.clock.unix_s >= 0 && answer.limits.max_ttl > 0 && answer.limits.keys > 0);
}

static void check_reply(const struct client_reply *reply) {
        struct refusal_answer refusal;
        struct status_answer status;
        struct host_keys keys;
        int64_t revoked;

        if (reply->error[0]) {
                if (!answer_take_refusal(reply, &refusal)) {
                        check_text(refusal.name, sizeof(refusal.name));
                        check_text(refusal.refused.message, sizeof(refusal.refused.message));
                        check_text(refusal.refused.field, sizeof(refusal.refused.field));
                        ASSERT(refusal.refused.index >= -1 && refusal.refused.index < ANSWER_FINGERPRINTS_MAX);
                        ASSERT(refusal.refused.retry_after_ms >= 0);
                }
                return;
        }
        check_push(reply->parameters);
        check_hello(reply->parameters);
        if (!answer_take_host_keys(reply->parameters, &keys))
                check_host_keys(&keys);
        if (!answer_take_status(reply->parameters, &status)) {
                check_text(status.version, sizeof(status.version));
                check_text(status.instance, sizeof(status.instance));
                ASSERT(status.anchors >= 0 && status.keys >= 0);
        }
        if (!answer_take_revoke(reply->parameters, &revoked))
                ASSERT(revoked >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n) {
        struct client_reply reply;
        enum client_result result;
        struct client client;
        int fds[2];

        if (n > 4 * FRAME_MAX) /* more than the socket would hold */
                return 0;
        ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        ASSERT(n == 0 || send(fds[1], input, n, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n);
        ASSERT(shutdown(fds[1], SHUT_WR) == 0);
        client_adopt(&client, fds[0], CLIENT_TIMEOUT_MS);
        ASSERT(client_send(&client, "a.b.C", json_object(), false) == CLIENT_DONE);
        while ((result = client_receive(&client, &reply)) != CLIENT_NOT_REACHED) {
                ASSERT(result != CLIENT_FAILED);
                if (result == CLIENT_PROTOCOL)
                        continue;
                check_reply(&reply);
                json_decref(reply.parameters);
        }
        client_close(&client);
        (void)close(fds[1]);
        return 0;
}
