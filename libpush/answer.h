/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's answers, as plain values. A guest may be hostile: type, range and length of every member that the interface
 * names are checked before any is used. Unknown members are ignored, since a newer guest may send more; they are not
 * kept. Strings may hold anything that is valid UTF-8: print them through wire/terminal.h.
 *
 * Each function returns NULL, or the name of the invalid member, a constant; `ret` is then undefined.
 */
#ifndef EXC_ANSWER_H
#define EXC_ANSWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ssh_key.h"
#include "libpush/token.h"
#include "wire/client.h"
#include "wire/fingerprint.h"
#include "wire/refusal.h"

enum {
        ANSWER_HOST_KEYS_MAX = 16,
        ANSWER_FINGERPRINTS_MAX = 8,
        ANSWER_VERSION_MAX = 64 + 1, /* bytes, with the NUL; so are these */
        ANSWER_INSTANCE_MAX = 256 + 1,
        ANSWER_USER_MAX = 256 + 1,
        ANSWER_BOOT_ID_MAX = 36 + 1,
        ANSWER_EXPIRES_MAX_S = 24 * 60 * 60,
};

struct host_key {
        struct ssh_key key;
        char fingerprint[FINGERPRINT_MAX]; /* computed here */
};

struct host_keys {
        size_t n;
        struct host_key at[ANSWER_HOST_KEYS_MAX];
};

struct guest_clock {
        int64_t unix_s;
        bool synchronized;
};

struct guest_limits {
        int64_t message_bytes, max_ttl, keys_per_push, keys_per_user, keys;
};

struct hello_answer {
        char version[ANSWER_VERSION_MAX];
        char instance[ANSWER_INSTANCE_MAX]; /* "": it has none */
        char boot_id[ANSWER_BOOT_ID_MAX];
        char challenge[TOKEN_MAX];
        struct guest_clock clock;
        struct guest_limits limits;
};

struct push_answer {
        char user[ANSWER_USER_MAX]; /* as the guest's name service returned it */
        size_t n_fingerprints;
        char fingerprints[ANSWER_FINGERPRINTS_MAX][FINGERPRINT_MAX];
        int64_t expires_in; /* seconds */
        bool duplicate;
        struct host_keys host_keys;
};

struct status_answer {
        char version[ANSWER_VERSION_MAX];
        char instance[ANSWER_INSTANCE_MAX]; /* "": it has none */
        bool signed_only;                   /* trust: "signed", else "channel" */
        int64_t anchors, keys;
        struct guest_clock clock;
        bool sshd_enabled;
};

/* A refusal. An error of varlink itself, or of a newer guest, has REFUSAL_NONE and its name. */
struct refusal_answer {
        struct refused refused;      /* the message is cut at its limit; index is -1 where there is none */
        char name[CLIENT_ERROR_MAX]; /* without this interface's prefix; characters as in client_reply.error */
};

const char *answer_take_hello(json_t *parameters, struct hello_answer *ret);
const char *answer_take_push(json_t *parameters, struct push_answer *ret);
const char *answer_take_revoke(json_t *parameters, int64_t *ret_revoked);
const char *answer_take_host_keys(json_t *parameters, struct host_keys *ret);
const char *answer_take_status(json_t *parameters, struct status_answer *ret);
const char *answer_take_refusal(const struct client_reply *reply, struct refusal_answer *ret);

/* As the interface has them. The caller drops them; NULL without memory. */
json_t *answer_host_keys_to_json(const struct host_keys *keys);
json_t *answer_fingerprints_to_json(const struct push_answer *answer);

#endif
