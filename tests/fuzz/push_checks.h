/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for every accepted push, whatever it was made from. */
#ifndef EXC_PUSH_CHECKS_H
#define EXC_PUSH_CHECKS_H

#include <stdlib.h>
#include <string.h>

#include "agent/request_parse.h"
#include "wire/terminal.h"

static inline void require(bool holds) {
        if (!holds)
                abort();
}

static inline void require_plain(const char *label) {
        size_t characters;

        require(terminal_plain(label, &characters) && characters <= PUSH_LABEL_CHARACTERS_MAX);
}

static inline void require_round_trip(const struct push *push, const struct store_key *key) {
        struct grant grant = {.connections = (uint8_t)push->connections,
                              .restricted = push->restricted,
                              .n_sources = (uint8_t)push->n_sources,
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

/* It is within its limits, and its keys, if all are accepted, survive a round trip through the format of the store. */
static inline void require_push(struct push *push) {
        char name[STORE_USER_NAME_MAX], fingerprint[STORE_FINGERPRINT_NAME_MAX + 7];
        struct refused why = {.why = REFUSAL_NONE};
        enum refusal r;

        require(push->n_keys >= 1 && push->n_keys <= PUSH_KEYS_MAX);
        require(push->ttl_s >= 0 && push->connections >= 0 && push->connections <= GRANT_CONNECTIONS_MAX &&
                push->n_sources <= GRANT_SOURCES_MAX);
        require(store_user_name(push->user, name));
        require_plain(push->principal);
        require_plain(push->request_id);
        r = request_parse_keys(push, &why);
        require(why.why == r);
        if (r != REFUSAL_NONE) {
                require(r == REFUSAL_KEY_REJECTED && strlen(why.message) > 0);
                require(why.index >= 0 && (size_t)why.index < push->n_keys);
                return;
        }
        for (size_t i = 0; i < push->n_keys; i++) {
                store_fingerprint_text(push->keys[i].fingerprint, fingerprint);
                require(store_fingerprint_name(fingerprint, name) && strcmp(name, push->keys[i].fingerprint) == 0);
                require_round_trip(push, &push->keys[i]);
        }
}

#endif
