/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes on a connection, as the agent meets them: frames, calls, and of PushLocal the push. What is taken must be within
 * its limits, and come back from the store's form as it went in.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/call.h"
#include "agent/push.h"
#include "wire/frame.h"
#include "wire/terminal.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n);

static void require(bool holds) {
        if (!holds)
                abort();
}

static void require_plain(const char *label) {
        size_t characters;

        require(terminal_plain(label, &characters) && characters <= PUSH_LABEL_CHARACTERS_MAX);
}

static void require_round_trip(const struct push *push, const struct store_key *key) {
        struct grant grant = {.connections = push->connections,
                              .restricted = push->restricted,
                              .n_sources = push->n_sources,
                              .key = key->key,
                              .life = {{1, 2}, 3, INT64_MAX, true}};
        uint8_t raw[GRANT_FILE_MAX], again[GRANT_FILE_MAX];
        struct grant decoded;
        size_t length;

        memcpy(grant.user, push->user, sizeof(grant.user));
        memcpy(grant.sources, push->sources, sizeof(grant.sources));
        memcpy(grant.principal, push->principal, sizeof(grant.principal));
        memcpy(grant.request_id, push->request_id, sizeof(grant.request_id));
        length = grant_encode(&grant, raw, sizeof(raw));
        require(length > 0);
        require(grant_decode(raw, length, &decoded));
        require(strcmp(decoded.user, push->user) == 0);
        require(decoded.key.type == key->key.type && decoded.key.blob_length == key->key.blob_length);
        require(memcmp(decoded.key.blob, key->key.blob, key->key.blob_length) == 0);
        require(decoded.connections == push->connections && decoded.restricted == push->restricted);
        require(strcmp(decoded.principal, push->principal) == 0 && strcmp(decoded.request_id, push->request_id) == 0);
        require(grant_encode(&decoded, again, sizeof(again)) == length && memcmp(raw, again, length) == 0);
}

static void on_push(json_t *parameters) {
        char name[STORE_USER_NAME_MAX], fingerprint[STORE_FINGERPRINT_NAME_MAX + 7];
        struct refused why = {.why = REFUSAL_NONE};
        struct push push;
        enum refusal r;

        r = push_from_local(parameters, &push, &why);
        require(why.why == r);
        if (r != REFUSAL_NONE) {
                require(r == REFUSAL_INVALID_PAYLOAD || r == REFUSAL_KEY_REJECTED);
                require(strlen(why.message) > 0);
                require(r != REFUSAL_KEY_REJECTED || (why.index >= 0 && why.index < PUSH_KEYS_MAX));
                return;
        }
        require(push.n_keys >= 1 && push.n_keys <= PUSH_KEYS_MAX);
        require(push.ttl_s >= 0 && push.connections <= GRANT_CONNECTIONS_MAX && push.n_sources <= GRANT_SOURCES_MAX);
        require(strlen(push.id) == STORE_ID_MAX - 1);
        require(store_user_name(push.user, name));
        require_plain(push.principal);
        require_plain(push.request_id);
        for (size_t i = 0; i < push.n_keys; i++) {
                store_fingerprint_text(push.keys[i].fingerprint, fingerprint);
                require(store_fingerprint_name(fingerprint, name) && strcmp(name, push.keys[i].fingerprint) == 0);
                require_round_trip(&push, &push.keys[i]);
        }
}

static void on_message(const char *message, size_t length) {
        static const char push_local[] = "PushLocal";
        struct call call;
        const char *text;
        size_t n;

        if (!call_parse(message, length, &call)) {
                require(!call.message && !call.method && !call.parameters);
                return;
        }
        require(call.method[0] != '\0' && json_is_object(call.parameters) && !(call.more && call.oneway));
        if (call_text_parameter(&call, "user", &text))
                require(!text || text[0] != '\0');
        n = strlen(call.method);
        if (n >= strlen(push_local) && strcmp(call.method + n - strlen(push_local), push_local) == 0)
                on_push(call.parameters);
        call_clear(&call);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n) {
        struct frames *frames = calloc(1, sizeof(*frames));
        size_t size, length;
        char *message;

        require(frames);
        while (n > 0) {
                enum frame frame;
                char *space = frames_space(frames, &size);

                size = size < n ? size : n;
                require(size > 0);
                memcpy(space, input, size);
                frames_received(frames, size);
                input += size;
                n -= size;
                while ((frame = frames_next(frames, &message, &length)) != FRAME_NONE)
                        if (frame == FRAME_MESSAGE)
                                on_message(message, length);
        }
        free(frames);
        return 0;
}
