/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that trusts one key, `anchor`, with the instance id i-1: for tests of what is signed. Each test has a store and a
 * configuration of its own: setup() and teardown(). Linked with what tests/unit/agent_guest.h names.
 */
#ifndef EXC_SIGNED_GUEST_H
#define EXC_SIGNED_GUEST_H

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/replay.h"
#include "tests/unit/agent_guest.h"
#include "tests/unit/signing.h"

#define KEY_A "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKj9Ne19cX0N0GriPChvaudeZoS7d4sWrB72aqPpTape"
#define KEY_B "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKj9Ne19cX0N0GriPChvaudeZoS7d4sWrB72aqPpTapa"
#define FINGERPRINT_A "SHA256:gnOW+ucjqSULxvi3D5ayDdFdc73j6dBINolLLfwXZa0"

enum { NOW_S = 1800000000, UP_S = 100 }; /* less than most machines: no timer may depend on the machine's clock */

static char root[64], config_dir[96];
static struct guest guest;
static EVP_PKEY *anchor;

/* Replaces the configuration and reads on as the agent's user. */
static inline void configure(const char *text) {
        char path[128];

        scratch_become(0);
        (void)snprintf(path, sizeof(path), "%s/agent.conf", config_dir);
        signing_write(path, text);
        scratch_become(SCRATCH_AGENT);
}

static inline void write_anchor(const char *name) {
        char path[160];

        scratch_become(0);
        (void)snprintf(path, sizeof(path), "%s/trust.d/%s", config_dir, name);
        signing_write_anchor(path, anchor);
        scratch_become(SCRATCH_AGENT);
}

static inline int setup(void **state) {
        (void)state;
        guest_hide_the_machine();
        scratch_mount_store("mode=0755", root);
        (void)snprintf(config_dir, sizeof(config_dir), "%s/config", root);
        scratch_make_directory(root, "config", 0, 0, 0755);
        scratch_make_directory(root, "config/trust.d", 0, 0, 0755);
        anchor = signing_ed25519(1);
        write_anchor("a.pem");
        configure("[Agent]\nRateLimit=0\nInstanceId=i-1\nHostKeyFiles=/nowhere.pub\n");
        world.wall_s = NOW_S;
        world.boot_s = UP_S;
        world.born_s = 0;
        world.max_error_us = GUEST_SYNCHRONIZED_US;
        world.alias = world.account = world.missing = NULL;
        world.no_names = false;
        guest_start(&guest, root, config_dir, CONNECTION_VSOCK);
        return 0;
}

static inline int teardown(void **state) {
        (void)state;
        guest_stop(&guest);
        scratch_become(0);
        EVP_PKEY_free(anchor);
        anchor = NULL;
        scratch_unmount_store(root);
        return umount2("/sys", MNT_DETACH);
}

/* As when the agent exits and is started again. */
static inline void restart(void) {
        guest_stop(&guest);
        guest_start(&guest, root, config_dir, CONNECTION_VSOCK);
}

static inline void pass(int64_t seconds) {
        world.wall_s += seconds;
        world.boot_s += seconds;
}

/* --- messages ------------------------------------------------------------------------------------------------------------- */

/* An envelope with what identifies it. */
struct message {
        struct envelope envelope;
        uint8_t jti_hash[32], pae_hash[32];
};

/* Signs a payload, which it takes ownership of; aud and jti are added, and iat and exp where they are missing. */
static inline struct message sign(const char *type, const char *jti, json_t *payload) {
        struct message message;
        char *text;

        assert_int_equal(json_object_set_new(payload, "aud", json_string("exc:compute:instance/i-1")), 0);
        assert_int_equal(json_object_set_new(payload, "jti", json_string(jti)), 0);
        if (!json_object_get(payload, "iat")) {
                assert_int_equal(json_object_set_new(payload, "iat", json_integer(NOW_S)), 0);
                assert_int_equal(json_object_set_new(payload, "exp", json_integer(NOW_S + 60)), 0);
        }
        text = json_dumps(payload, JSON_COMPACT);
        assert_non_null(text);
        signing_make(type, text, &message.envelope);
        signing_add(&message.envelope, anchor);
        free(text);
        json_decref(payload);
        assert_int_equal(EVP_Digest(jti, strlen(jti), message.jti_hash, NULL, EVP_sha256(), NULL), 1);
        assert_int_equal(EVP_Digest(message.envelope.pae, message.envelope.pae_length, message.pae_hash, NULL,
                                    EVP_sha256(), NULL),
                         1);
        return message;
}

static inline struct message sign_push(const char *jti, const char *user, const char *key) {
        return sign(PUSH_PAYLOAD_TYPE, jti, json_pack("{ss s[s]}", "user", user, "keys", key));
}

static inline struct message push_of(const char *user, const char *key) {
        return sign_push("push-0000000000001", user, key);
}

static inline struct message sign_revocation(json_t *what) {
        return sign(REVOKE_PAYLOAD_TYPE, "revoke-00000000001", what);
}

static inline struct message revocation_of(const char *user) {
        return sign_revocation(json_pack("{ss}", "user", user));
}

/* The challenge of a new Hello. */
static inline json_t *hello(void) {
        json_t *parameters = json_object(), *reply = guest_ask_object(&guest, "Hello", parameters);
        json_t *challenge = json_incref(json_object_get(json_object_get(reply, "parameters"), "challenge"));

        json_decref(reply);
        json_decref(parameters);
        return challenge;
}

/* A call of Push or Revoke, as the envelope's type says. */
static inline void send_message(const struct message *message) {
        json_t *parameters = json_pack("{so}", "envelope", envelope_to_json(&message->envelope));
        char *text = guest_call(strstr(message->envelope.type, ".push.") ? "Push" : "Revoke", parameters);

        json_decref(parameters);
        guest_send(&guest, text);
        free(text);
}

/* --- answers -------------------------------------------------------------------------------------------------------------- */

static inline const char *text_of(json_t *reply, const char *name) {
        return json_string_value(json_object_get(json_object_get(reply, "parameters"), name));
}

static inline int64_t number_of(json_t *reply, const char *name) {
        return json_integer_value(json_object_get(json_object_get(reply, "parameters"), name));
}

/* Without the interface's prefix; "" for success. */
static inline char *error_of(json_t *reply) {
        static char error[64];
        const char *text = json_string_value(json_object_get(reply, "error"));

        (void)snprintf(error, sizeof(error), "%s", text ? strrchr(text, '.') + 1 : "");
        return error;
}

/* Takes ownership of `reply`. */
static inline void assert_answer(json_t *reply, const char *error) {
        if (!reply || strcmp(error_of(reply), error) != 0)
                fail_msg("%s: %s", error_of(reply), text_of(reply, "message"));
        json_decref(reply);
}

static inline void assert_refused(const struct message *message, const char *error) {
        send_message(message);
        assert_answer(guest_receive(&guest), error);
}

/* The next reply: of a push that succeeded, for that user. */
static inline void assert_pushed_reply(const char *user, bool duplicate, int64_t left_s) {
        json_t *reply = guest_receive(&guest);

        if (error_of(reply)[0] != '\0')
                fail_msg("%s: %s", error_of(reply), text_of(reply, "message"));
        assert_string_equal(text_of(reply, "user"), user);
        assert_int_equal(json_is_true(json_object_get(json_object_get(reply, "parameters"), "duplicate")), duplicate);
        assert_int_equal(number_of(reply, "expiresIn"), left_s);
        json_decref(reply);
}

static inline void assert_pushed_for(const struct message *message, const char *user, bool duplicate, int64_t left_s) {
        send_message(message);
        assert_pushed_reply(user, duplicate, left_s);
}

static inline void assert_pushed(const struct message *message, bool duplicate, int64_t left_s) {
        assert_pushed_for(message, "alice", duplicate, left_s);
}

static inline void assert_revoked(const struct message *message, int revoked) {
        json_t *reply;

        send_message(message);
        reply = guest_receive(&guest);
        assert_string_equal(error_of(reply), "");
        assert_int_equal(number_of(reply, "revoked"), revoked);
        json_decref(reply);
}

/* Until the call that was sent waits for the name service, whose lock the test holds. */
static inline void wait_for_lookup(void) {
        for (int i = 0; i < 1000 && !guest.connection->lookup; i++)
                guest_run(&guest);
        assert_non_null(guest.connection->lookup);
}

static inline void send_and_wait_for_lookup(const struct message *message) {
        (void)pthread_mutex_lock(&world.names);
        send_message(message);
        wait_for_lookup();
}

static inline void let_lookup_end(void) {
        (void)pthread_mutex_unlock(&world.names);
}

/* --- the store and the memory of requests --------------------------------------------------------------------------------- */

static inline int count_one(void *context, const struct store_place *place) {
        struct grant grant;

        assert_int_equal(store_read(&guest.agent.store, place, &grant), 0);
        (*(int *)context)++;
        return 0;
}

/* Keys in the store. */
static inline int stored(void) {
        int n = 0;

        assert_int_equal(store_walk(&guest.agent.store, NULL, NULL, count_one, &n), 0);
        return n;
}

static inline enum replay_state state_of(const struct message *message) {
        struct replay_record record;
        uint32_t slot;
        int r = replay_find(&guest.agent.replay, message->jti_hash, &record, &slot);

        if (r == -ENOENT)
                return REPLAY_FREE;
        assert_int_equal(r, 0);
        assert_memory_equal(record.pae, message->pae_hash, sizeof(record.pae));
        return record.state;
}

/* Records until nothing more is taken, with or without the reserve for revocations. */
static inline void fill_memory(bool also_reserve) {
        struct instant now = instant_now();
        uint32_t slot;

        for (uint32_t i = 0; i < REPLAY_MAX; i++) {
                struct replay_record record = {.state = REPLAY_DONE,
                                               .life.boot_end_ns = also_reserve ? 0 : 1,
                                               .forget_boot_ns = INT64_MAX,
                                               .forget_wall_ns = INT64_MAX};

                memcpy(record.jti, &i, sizeof(i));
                if (replay_add(&guest.agent.replay, &record, &now, &slot) < 0)
                        return;
        }
}

static inline void dana_has_two_names(void) {
        world.alias = "dana";
        world.account = "dana@corp.example";
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
