/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to a push or a revocation between its signature and its answer, also when the agent is cut off in the
 * middle. What each is answered is in tests/vectors/. Linked with what tests/unit/agent_guest.h names.
 */
#include "agent/signed.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/storing.h"
#include "tests/unit/agent_guest.h"
#include "tests/unit/signing.h"

#define KEY_A "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKj9Ne19cX0N0GriPChvaudeZoS7d4sWrB72aqPpTape"
#define KEY_B "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKj9Ne19cX0N0GriPChvaudeZoS7d4sWrB72aqPpTapa"
#define FINGERPRINT_A "SHA256:gnOW+ucjqSULxvi3D5ayDdFdc73j6dBINolLLfwXZa0"

enum { NOW_S = 1800000000, UP_S = 86400 };

static char root[64], config_dir[96];
static struct guest guest;
static EVP_PKEY *anchor;

static void configure(const char *text) {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/agent.conf", config_dir);
        signing_write(path, text);
}

static int setup(void **state) {
        char path[160];

        (void)state;
        guest_hide_the_machine();
        scratch_mount_store("mode=0755", root);
        (void)snprintf(config_dir, sizeof(config_dir), "%s/config", root);
        scratch_make_directory(root, "config", 0, 0, 0755);
        scratch_make_directory(root, "config/trust.d", 0, 0, 0755);
        configure("[Agent]\nRateLimit=0\nInstanceId=i-1\nHostKeyFiles=/nowhere.pub\n");
        anchor = signing_ed25519(1);
        (void)snprintf(path, sizeof(path), "%s/trust.d/a.pem", config_dir);
        signing_write_anchor(path, anchor);
        scratch_become(SCRATCH_AGENT);
        world.wall_s = NOW_S;
        world.boot_s = UP_S;
        world.born_s = 0;
        world.max_error_us = GUEST_SYNCHRONIZED_US;
        world.alias = world.account = NULL;
        world.no_names = false;
        guest_start(&guest, root, config_dir, CHANNEL_VSOCK);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        guest_stop(&guest);
        scratch_become(0);
        EVP_PKEY_free(anchor);
        scratch_unmount_store(root);
        return umount2("/sys", MNT_DETACH);
}

/* As when the agent leaves and is started again. */
static void restart(void) {
        guest_stop(&guest);
        guest_start(&guest, root, config_dir, CHANNEL_VSOCK);
}

static void pass(int64_t seconds) {
        world.wall_s += seconds;
        world.boot_s += seconds;
}

/* An envelope with what identifies it. */
struct message {
        struct envelope envelope;
        uint8_t jti_hash[32], pae_hash[32];
        char id[65];
};

static struct message sign(const char *type, const char *jti, json_t *payload) {
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
        for (size_t i = 0; i < 32; i++)
                (void)snprintf(message.id + 2 * i, 3, "%02x", message.pae_hash[i]);
        return message;
}

static struct message push_of(const char *user, const char *key) {
        return sign(PUSH_PAYLOAD_TYPE, "push-0000000000001", json_pack("{ss s[s]}", "user", user, "keys", key));
}

static char *call_of(const struct message *message) {
        json_t *parameters = json_pack("{so}", "envelope", envelope_to_json(&message->envelope));
        char *text = guest_call(strstr(message->envelope.type, ".push.") ? "Push" : "Revoke", parameters);

        json_decref(parameters);
        return text;
}

static void send_message(const struct message *message) {
        char *text = call_of(message);

        guest_send(&guest, text);
        free(text);
}

static char *error_of(json_t *reply) {
        static char error[64];
        const char *text = json_string_value(json_object_get(reply, "error"));

        (void)snprintf(error, sizeof(error), "%s", text ? strrchr(text, '.') + 1 : "");
        return error;
}

static void assert_answer(json_t *reply, const char *error) {
        if (!reply || strcmp(error_of(reply), error) != 0)
                fail_msg("%s: %s", error_of(reply),
                         json_string_value(json_object_get(json_object_get(reply, "parameters"), "message")));
        json_decref(reply);
}

static void assert_refused(const struct message *message, const char *error) {
        send_message(message);
        assert_answer(guest_receive(&guest), error);
}

static void assert_pushed_reply(bool duplicate, int64_t left_s) {
        json_t *reply = guest_receive(&guest), *answer = json_object_get(reply, "parameters");

        if (error_of(reply)[0] != '\0')
                fail_msg("%s: %s", error_of(reply), json_string_value(json_object_get(answer, "message")));
        assert_int_equal(json_is_true(json_object_get(answer, "duplicate")), duplicate);
        assert_int_equal(json_integer_value(json_object_get(answer, "expiresIn")), left_s);
        json_decref(reply);
}

static void assert_pushed(const struct message *message, bool duplicate, int64_t left_s) {
        send_message(message);
        assert_pushed_reply(duplicate, left_s);
}

static void assert_revoked(const struct message *message, int revoked) {
        json_t *reply;

        send_message(message);
        reply = guest_receive(&guest);
        assert_string_equal(error_of(reply), "");
        assert_int_equal(json_integer_value(json_object_get(json_object_get(reply, "parameters"), "revoked")), revoked);
        json_decref(reply);
}

static int count_one(void *context, const struct store_place *place) {
        struct grant grant;

        assert_int_equal(store_read(&guest.agent.store, place, &grant), 0);
        (*(int *)context)++;
        return 0;
}

static int stored(void) {
        int n = 0;

        assert_int_equal(store_walk(&guest.agent.store, NULL, NULL, count_one, &n), 0);
        return n;
}

/* What the agent leaves when it is killed after the first write of that push. `left_s` of its keys' life are left. */
static uint32_t leave_pending(const struct message *message, int64_t left_s) {
        struct replay_record record = {
                .state = REPLAY_PENDING,
                .life = {instant_now(), instant_now().boot_ns + left_s * NS_PER_S, (NOW_S + 60) * NS_PER_S, true},
                .forget_wall_ns = (NOW_S + 90) * NS_PER_S,
                .forget_boot_ns = (UP_S + 120) * NS_PER_S,
        };
        struct instant now = instant_now();
        uint32_t slot;

        memcpy(record.jti, message->jti_hash, sizeof(record.jti));
        memcpy(record.pae, message->pae_hash, sizeof(record.pae));
        assert_int_equal(replay_add(&guest.agent.replay, &record, &now, &slot), 0);
        return slot;
}

static enum replay_state state_of(const struct message *message) {
        struct replay_record record;
        uint32_t slot;
        int r = storing_recall(&guest.agent, message->jti_hash, message->pae_hash, &record, &slot);

        assert_true(r >= 0);
        return (enum replay_state)r;
}

/* Until the call that was sent waits for the name service. */
static void wait_for_lookup(void) {
        for (int i = 0; i < 1000 && !guest.connection->lookup; i++)
                guest_run(&guest);
        assert_non_null(guest.connection->lookup);
}

static void a_push_is_stored_once_and_known_after_a_restart(void **state) {
        struct message push = push_of("alice", KEY_A);

        (void)state;
        assert_pushed(&push, false, 60);
        assert_int_equal(stored(), 1);
        assert_int_equal(state_of(&push), REPLAY_DONE);
        pass(20);
        assert_pushed(&push, true, 40);
        restart();
        assert_pushed(&push, true, 40);
        assert_int_equal(stored(), 1);
        pass(100);
        assert_pushed(&push, true, 0);
}

static void a_jti_is_one_for_pushes_and_revocations(void **state) {
        struct message push = push_of("alice", KEY_A), other = push_of("alice", KEY_B);
        struct message revocation = sign(REVOKE_PAYLOAD_TYPE, "push-0000000000001", json_pack("{sb}", "all", 1));

        (void)state;
        assert_pushed(&push, false, 60);
        assert_refused(&other, "Replayed");
        assert_refused(&revocation, "Replayed");
        restart();
        assert_refused(&other, "Replayed");
        assert_refused(&revocation, "Replayed");
        assert_int_equal(stored(), 1);
}

static void a_refused_push_is_not_remembered(void **state) {
        struct message push = push_of("alice", KEY_A);

        (void)state;
        scratch_become(0);
        configure("[Agent]\nRateLimit=0\nInstanceId=i-1\nDenyUsers=alice\n");
        scratch_become(SCRATCH_AGENT);
        assert_refused(&push, "UserDenied");
        scratch_become(0);
        configure("[Agent]\nRateLimit=0\nInstanceId=i-1\n");
        scratch_become(SCRATCH_AGENT);
        assert_pushed(&push, false, 60);
}

static void a_push_that_was_cut_off_is_finished_with_the_life_that_was_remembered(void **state) {
        struct message push = push_of("alice", KEY_A);

        (void)state;
        (void)leave_pending(&push, 33);
        restart();
        pass(10);
        world.max_error_us = GUEST_NEVER_SYNCHRONIZED_US; /* that was asked before */
        assert_pushed(&push, false, 23);
        assert_int_equal(stored(), 1);
        assert_int_equal(state_of(&push), REPLAY_DONE);
        assert_pushed(&push, true, 23);
}

/* Killed between the keys and the second write. */
static void a_push_that_was_stored_but_not_remembered_as_done_changes_nothing(void **state) {
        struct message push = push_of("alice", KEY_A);
        struct replay_record record;
        uint8_t pending = REPLAY_PENDING;
        uint32_t slot;

        (void)state;
        assert_pushed(&push, false, 60);
        assert_int_equal(replay_find(&guest.agent.replay, push.jti_hash, &record, &slot), 0);
        assert_int_equal(pwrite(guest.agent.replay.fd, &pending, 1, ((off_t)slot + 1) * 128), 1);
        restart();
        pass(15);
        assert_pushed(&push, false, 45);
        assert_int_equal(stored(), 1);
        assert_int_equal(state_of(&push), REPLAY_DONE);
}

static void break_store(bool broken) {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/keys/alice", root);
        if (broken)
                signing_write(path, "in the way");
        else
                assert_int_equal(unlink(path), 0);
}

static void a_push_that_cannot_be_stored_is_not_remembered(void **state) {
        struct message push = push_of("alice", KEY_A);

        (void)state;
        break_store(true);
        assert_refused(&push, "StorageFailure");
        assert_int_equal(state_of(&push), REPLAY_FREE);
        break_store(false);
        assert_pushed(&push, false, 60);
}

/* It may have been stored, used and swept by then. Forgotten, it would be stored a second time. */
static void a_push_that_was_cut_off_and_cannot_be_finished_stays_pending(void **state) {
        struct message push = push_of("alice", KEY_A);

        (void)state;
        (void)leave_pending(&push, 5);
        break_store(true);
        assert_refused(&push, "StorageFailure");
        assert_int_equal(state_of(&push), REPLAY_PENDING);
        break_store(false);
        pass(10);
        assert_pushed(&push, false, 0);
}

static void a_push_that_was_cut_off_and_is_forgotten_meanwhile_is_not_taken_for_a_new_one(void **state) {
        struct message push = push_of("alice", KEY_A);
        uint32_t slot;

        (void)state;
        slot = leave_pending(&push, 33);
        (void)pthread_mutex_lock(&world.names);
        send_message(&push);
        wait_for_lookup();
        pass(3600);
        assert_int_equal(replay_drop(&guest.agent.replay, slot), 0);
        (void)pthread_mutex_unlock(&world.names);
        assert_answer(guest_receive(&guest), "Expired");
        assert_int_equal(stored(), 0);
        assert_int_equal(state_of(&push), REPLAY_FREE);
}

static void a_push_that_was_cut_off_is_not_finished_after_a_revocation(void **state) {
        struct message push = push_of("alice", KEY_A);
        struct message revocation = sign(REVOKE_PAYLOAD_TYPE, "revoke-00000000001", json_pack("{ss}", "user", "alice"));

        (void)state;
        (void)leave_pending(&push, 33);
        assert_revoked(&revocation, 0);
        assert_pushed(&push, true, 0);
        assert_int_equal(stored(), 0);
}

static void a_revocation_that_comes_while_the_name_service_is_asked_is_obeyed(void **state) {
        struct message push = push_of("alice", KEY_A);
        struct revocation what = {.user = "alice"};
        struct instant now = instant_now();

        (void)state;
        (void)pthread_mutex_lock(&world.names);
        send_message(&push);
        wait_for_lookup();
        assert_int_equal(revocations_add(&guest.agent.revocations, &what, NOW_S, &now, true), 0);
        (void)pthread_mutex_unlock(&world.names);
        assert_answer(guest_receive(&guest), "Expired");
        assert_int_equal(stored(), 0);
        assert_int_equal(state_of(&push), REPLAY_FREE);
}

static void the_same_push_that_comes_while_the_name_service_is_asked_is_stored_once(void **state) {
        struct message push = push_of("alice", KEY_A);

        (void)state;
        (void)pthread_mutex_lock(&world.names);
        send_message(&push);
        wait_for_lookup();
        assert_int_equal(replay_set_done(&guest.agent.replay, leave_pending(&push, 33)), 0);
        (void)pthread_mutex_unlock(&world.names);
        assert_pushed_reply(true, 33);
        assert_int_equal(stored(), 0);
}

static void another_push_of_that_jti_that_comes_while_the_name_service_is_asked_wins(void **state) {
        struct message push = push_of("alice", KEY_A), other = push_of("alice", KEY_B);

        (void)state;
        (void)pthread_mutex_lock(&world.names);
        send_message(&push);
        wait_for_lookup();
        (void)leave_pending(&other, 33);
        (void)pthread_mutex_unlock(&world.names);
        assert_answer(guest_receive(&guest), "Replayed");
        assert_int_equal(stored(), 0);
}

static void a_revocation_counts_every_key_of_a_push(void **state) {
        struct message push = sign(PUSH_PAYLOAD_TYPE, "push-0000000000001",
                                   json_pack("{ss s[ss]}", "user", "alice", "keys", KEY_A, KEY_B));
        struct message revocation = sign(REVOKE_PAYLOAD_TYPE, "revoke-00000000001", json_pack("{ss}", "user", "alice"));

        (void)state;
        assert_pushed(&push, false, 60);
        assert_int_equal(stored(), 2);
        assert_revoked(&revocation, 2);
        assert_int_equal(stored(), 0);
        assert_revoked(&revocation, 0);
}

static void a_revocation_outlives_the_agent(void **state) {
        struct message push = push_of("alice", KEY_A);
        struct message revocation =
                sign(REVOKE_PAYLOAD_TYPE, "revoke-00000000001", json_pack("{ss}", "fingerprint", FINGERPRINT_A));

        (void)state;
        assert_revoked(&revocation, 0);
        restart();
        assert_refused(&push, "Expired");
        assert_revoked(&revocation, 0);
}

static void a_repeated_revocation_leaves_what_came_since(void **state) {
        struct message revocation = sign(REVOKE_PAYLOAD_TYPE, "revoke-00000000001", json_pack("{sb}", "all", 1));
        struct message push =
                sign(PUSH_PAYLOAD_TYPE, "push-0000000000001",
                     json_pack("{ss s[s] si si}", "user", "alice", "keys", KEY_A, "iat", NOW_S + 1, "exp", NOW_S + 61));

        (void)state;
        assert_revoked(&revocation, 0);
        assert_pushed(&push, false, 60);
        assert_revoked(&revocation, 0);
        assert_int_equal(stored(), 1);
}

static json_t *hello(void) {
        json_t *parameters = json_object(), *reply = guest_ask_object(&guest, "Hello", parameters);
        json_t *challenge = json_incref(json_object_get(json_object_get(reply, "parameters"), "challenge"));

        json_decref(reply);
        json_decref(parameters);
        return challenge;
}

/* A revocation of that user which has signed the challenge of a new Hello, dated so many seconds from now. */
static struct message challenged_revocation(const char *user, int64_t iat_s) {
        return sign(REVOKE_PAYLOAD_TYPE, "revoke-00000000001",
                    json_pack("{ss so sI sI}", "user", user, "challenge", hello(), "iat", (json_int_t)(NOW_S + iat_s),
                              "exp", (json_int_t)(NOW_S + iat_s + 60)));
}

static void a_push_held_back_is_refused_however_old_the_revocation_is(void **state) {
        struct message push = push_of("alice", KEY_A), revocation = challenged_revocation("alice", -600);

        (void)state;
        assert_revoked(&revocation, 0);
        assert_refused(&push, "Expired");
        restart();
        assert_refused(&push, "Expired");
}

static void a_revocation_of_the_future_refuses_no_push_of_later(void **state) {
        struct message revocation = challenged_revocation("alice", 1000000);
        struct message push =
                sign(PUSH_PAYLOAD_TYPE, "push-0000000000001",
                     json_pack("{ss s[s] si si}", "user", "alice", "keys", KEY_A, "iat", NOW_S + 1, "exp", NOW_S + 61));

        (void)state;
        assert_revoked(&revocation, 0);
        assert_pushed(&push, false, 60);
}

static void what_was_accepted_before_the_store_was_mounted_again_is_expired(void **state) {
        struct message push = push_of("alice", KEY_A);
        struct message revocation = sign(REVOKE_PAYLOAD_TYPE, "revoke-00000000001", json_pack("{ss}", "user", "alice"));

        assert_pushed(&push, false, 60);
        assert_revoked(&revocation, 1);
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
        pass(10);
        assert_int_equal(unlinkat(guest.agent.store.state_fd, "pushes", 0), 0);
        world.born_s = world.boot_s;
        restart();
        assert_refused(&push, "Expired");
        assert_int_equal(stored(), 0);
}

/* So long as the reserve lasts, revocations are remembered where pushes have no room. */
static void fill_memory(bool also_reserve) {
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

static void a_memory_full_of_pushes_keeps_no_revocation_out(void **state) {
        struct message push = push_of("alice", KEY_A);
        struct message other =
                sign(PUSH_PAYLOAD_TYPE, "push-0000000000002", json_pack("{ss s[s]}", "user", "alice", "keys", KEY_B));
        struct message revocation = sign(REVOKE_PAYLOAD_TYPE, "revoke-00000000001", json_pack("{ss}", "user", "alice"));

        (void)state;
        assert_pushed(&push, false, 60);
        fill_memory(false);
        assert_refused(&other, "StoreFull");
        assert_revoked(&revocation, 1);
        assert_revoked(&revocation, 0);
        assert_int_equal(state_of(&revocation), REPLAY_DONE);
        assert_refused(&other, "Expired");
}

static void a_revocation_that_cannot_be_remembered_drops_keys_and_says_so(void **state) {
        struct message push = push_of("alice", KEY_A);
        struct message revocation = sign(REVOKE_PAYLOAD_TYPE, "revoke-00000000001", json_pack("{ss}", "user", "alice"));
        json_t *reply;

        (void)state;
        assert_pushed(&push, false, 60);
        fill_memory(true);
        send_message(&revocation);
        reply = guest_receive(&guest);
        assert_non_null(strstr(json_string_value(json_object_get(json_object_get(reply, "parameters"), "message")),
                               "Keys dropped: 1."));
        assert_answer(reply, "StoreFull");
        assert_int_equal(stored(), 0);
}

/* It ends with its exp, also where it could not be carried out to its end before. */
static void a_revocation_that_failed_is_not_carried_out_when_it_is_over(void **state) {
        struct message revocation = sign(REVOKE_PAYLOAD_TYPE, "revoke-00000000001", json_pack("{sb}", "all", 1));
        struct message push = sign(
                PUSH_PAYLOAD_TYPE, "push-0000000000001",
                json_pack("{ss s[s] si si}", "user", "alice", "keys", KEY_A, "iat", NOW_S + 50, "exp", NOW_S + 110));
        uint32_t n_slots = guest.agent.replay.n_slots, slot = 0;

        (void)state;
        fill_memory(true);
        assert_refused(&revocation, "StoreFull");
        for (; guest.agent.replay.n_free < n_slots; slot++)
                assert_int_equal(replay_drop(&guest.agent.replay, slot), 0);
        pass(50);
        assert_pushed(&push, false, 60);
        pass(10);
        assert_refused(&revocation, "Expired");
        assert_int_equal(stored(), 1);
}

static void a_damaged_memory_refuses_every_push(void **state) {
        struct message push = push_of("alice", KEY_A);

        (void)state;
        assert_int_equal(ftruncate(guest.agent.replay.fd, 1000), 0);
        restart();
        assert_refused(&push, "StorageFailure");
}

static void a_damaged_memory_keeps_no_key_alive(void **state) {
        struct message push = push_of("alice", KEY_A);
        struct message revocation = sign(REVOKE_PAYLOAD_TYPE, "revoke-00000000001", json_pack("{ss}", "user", "alice"));

        (void)state;
        assert_pushed(&push, false, 60);
        assert_int_equal(ftruncate(guest.agent.replay.fd, 1000), 0);
        restart();
        assert_refused(&revocation, "StorageFailure");
        assert_int_equal(stored(), 0);
}

/* --- a user is the account, under every name ------------------------------------------------------------------- */

static void dana_has_two_names(void) {
        world.alias = "dana";
        world.account = "dana@corp.example";
}

static void a_revocation_drops_what_is_stored_under_the_account_s_other_name(void **state) {
        static const char *const names[] = {"dana", "dana@corp.example"};

        dana_has_two_names();
        for (size_t i = 0; i < 4; i++) {
                struct message push = sign(PUSH_PAYLOAD_TYPE, "push-0000000000001",
                                           json_pack("{ss s[s]}", "user", names[i / 2], "keys", KEY_A));
                struct message revocation =
                        sign(REVOKE_PAYLOAD_TYPE, "revoke-00000000001", json_pack("{ss}", "user", names[i % 2]));

                assert_pushed(&push, false, 60);
                assert_revoked(&revocation, 1);
                assert_int_equal(stored(), 0);
                assert_int_equal(teardown(state), 0);
                assert_int_equal(setup(state), 0);
                dana_has_two_names();
        }
}

static void a_push_held_back_is_refused_under_the_account_s_other_name(void **state) {
        static const char *const names[] = {"dana", "dana@corp.example"};

        dana_has_two_names();
        for (size_t i = 0; i < 4; i++) {
                struct message push = sign(PUSH_PAYLOAD_TYPE, "push-0000000000001",
                                           json_pack("{ss s[s]}", "user", names[i / 2], "keys", KEY_A));
                struct message other = sign(PUSH_PAYLOAD_TYPE, "push-0000000000002",
                                            json_pack("{ss s[s]}", "user", "erin", "keys", KEY_A));
                struct message revocation =
                        sign(REVOKE_PAYLOAD_TYPE, "revoke-00000000001", json_pack("{ss}", "user", names[i % 2]));

                assert_revoked(&revocation, 0);
                restart();
                assert_refused(&push, "Expired");
                assert_pushed(&other, false, 60);
                assert_int_equal(teardown(state), 0);
                assert_int_equal(setup(state), 0);
                dana_has_two_names();
        }
}

/* A third name, which neither the push nor the revocation has, is the account's own. */
static void two_other_names_of_an_account_mean_each_other(void **state) {
        struct message push = push_of("dana", KEY_A);
        struct message revocation = sign(REVOKE_PAYLOAD_TYPE, "revoke-00000000001", json_pack("{ss}", "user", "DANA"));

        (void)state;
        world.account = "dana@corp.example";
        world.alias = "DANA";
        assert_revoked(&revocation, 0);
        world.alias = "dana";
        assert_refused(&push, "Expired");
}

static void what_is_dropped_does_not_wait_for_the_name_service(void **state) {
        struct message push = push_of("alice", KEY_A);
        struct message revocation = sign(REVOKE_PAYLOAD_TYPE, "revoke-00000000001", json_pack("{ss}", "user", "alice"));

        (void)state;
        assert_pushed(&push, false, 60);
        (void)pthread_mutex_lock(&world.names);
        send_message(&revocation);
        wait_for_lookup();
        assert_int_equal(stored(), 0);
        (void)pthread_mutex_unlock(&world.names);
        assert_answer(guest_receive(&guest), "");
}

static void a_name_service_that_fails_is_no_success_and_keeps_no_key_alive(void **state) {
        struct message push = push_of("alice", KEY_A);
        struct message revocation = sign(REVOKE_PAYLOAD_TYPE, "revoke-00000000001", json_pack("{ss}", "user", "alice"));

        (void)state;
        assert_pushed(&push, false, 60);
        world.no_names = true;
        assert_refused(&revocation, "StorageFailure");
        assert_int_equal(stored(), 0);
        world.no_names = false;
        assert_revoked(&revocation, 0);
}

static void status_counts_the_anchors_also_when_nothing_was_pushed_yet(void **state) {
        json_t *parameters = json_object(), *reply;
        char path[160];

        (void)state;
        reply = guest_ask_object(&guest, "Status", parameters);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(reply, "parameters"), "anchors")), 1);
        json_decref(reply);
        scratch_become(0);
        (void)snprintf(path, sizeof(path), "%s/trust.d/b.pem", config_dir);
        signing_write_anchor(path, anchor);
        scratch_become(SCRATCH_AGENT);
        reply = guest_ask_object(&guest, "Status", parameters);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(reply, "parameters"), "anchors")), 2);
        json_decref(reply);
        json_decref(parameters);
}

static void a_flood_of_pushes_or_revocations_is_no_flood_in_the_journal(void **state) {
        static const char *const methods[] = {"Push", "Revoke"};
        json_t *parameters = json_object();

        (void)state;
        scratch_become(0);
        configure("[Agent]\nRateLimit=1\nInstanceId=i-1\n");
        scratch_become(SCRATCH_AGENT);
        restart();
        for (size_t i = 0; i < 2; i++) {
                world.n_events = 0;
                for (int j = 0; j < 200; j++)
                        json_decref(guest_ask_object(&guest, methods[i], parameters));
                assert_true(world.n_events < 50);
        }
        json_decref(parameters);
}

static void without_an_anchor_nothing_of_an_envelope_is_looked_at(void **state) {
        struct message push = push_of("alice", KEY_A);
        char path[160];

        (void)state;
        scratch_become(0);
        (void)snprintf(path, sizeof(path), "%s/trust.d/a.pem", config_dir);
        assert_int_equal(unlink(path), 0);
        scratch_become(SCRATCH_AGENT);
        assert_refused(&push, "Untrusted");
        assert_answer(guest_ask(&guest, "{\"method\":\"in.excloud.InstanceConnect.Push\"}"), "Untrusted");
        assert_answer(
                guest_ask(&guest, "{\"method\":\"in.excloud.InstanceConnect.Revoke\",\"parameters\":{\"envelope\":1}}"),
                "Untrusted");
}

/* A push that has signed the challenge of a new Hello. */
static struct message challenged(const char *key) {
        struct message push = sign(PUSH_PAYLOAD_TYPE, "push-0000000000001",
                                   json_pack("{ss s[s] so}", "user", "alice", "keys", key, "challenge", hello()));

        world.max_error_us = GUEST_NEVER_SYNCHRONIZED_US;
        return push;
}

static void a_challenge_is_good_on_its_own_connection_alone(void **state) {
        struct message push = challenged(KEY_A);

        (void)state;
        guest_disconnect(&guest);
        guest_connect(&guest);
        assert_refused(&push, "StaleChallenge");
        assert_int_equal(stored(), 0);
}

/* Who still listens here, and says nothing more. */
static void send_and_leave_while_the_name_service_is_asked(const struct message *push) {
        (void)pthread_mutex_lock(&world.names);
        send_message(push);
        wait_for_lookup();
        assert_int_equal(shutdown(guest.fd, SHUT_WR), 0);
        (void)pthread_mutex_unlock(&world.names);
}

static void a_push_with_a_challenge_is_not_stored_when_its_sender_has_left(void **state) {
        struct message push = challenged(KEY_A);

        (void)state;
        send_and_leave_while_the_name_service_is_asked(&push);
        assert_answer(guest_receive(&guest), "StaleChallenge");
        assert_int_equal(stored(), 0);
        assert_int_equal(state_of(&push), REPLAY_FREE);
}

static void one_that_was_cut_off_is_finished_all_the_same(void **state) {
        struct message push = challenged(KEY_A);

        (void)state;
        (void)leave_pending(&push, 33);
        send_and_leave_while_the_name_service_is_asked(&push);
        assert_pushed_reply(false, 33);
        assert_int_equal(stored(), 1);
}

static void and_so_is_one_without_a_challenge(void **state) {
        struct message push = push_of("alice", KEY_A);

        (void)state;
        send_and_leave_while_the_name_service_is_asked(&push);
        assert_pushed_reply(false, 60);
        assert_int_equal(stored(), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_push_is_stored_once_and_known_after_a_restart),
                TEST(a_jti_is_one_for_pushes_and_revocations),
                TEST(a_refused_push_is_not_remembered),
                TEST(a_push_that_was_cut_off_is_finished_with_the_life_that_was_remembered),
                TEST(a_push_that_was_stored_but_not_remembered_as_done_changes_nothing),
                TEST(a_push_that_cannot_be_stored_is_not_remembered),
                TEST(a_push_that_was_cut_off_and_cannot_be_finished_stays_pending),
                TEST(a_push_that_was_cut_off_and_is_forgotten_meanwhile_is_not_taken_for_a_new_one),
                TEST(a_push_that_was_cut_off_is_not_finished_after_a_revocation),
                TEST(a_revocation_that_comes_while_the_name_service_is_asked_is_obeyed),
                TEST(the_same_push_that_comes_while_the_name_service_is_asked_is_stored_once),
                TEST(another_push_of_that_jti_that_comes_while_the_name_service_is_asked_wins),
                TEST(a_revocation_counts_every_key_of_a_push),
                TEST(a_revocation_outlives_the_agent),
                TEST(a_repeated_revocation_leaves_what_came_since),
                TEST(a_push_held_back_is_refused_however_old_the_revocation_is),
                TEST(a_revocation_of_the_future_refuses_no_push_of_later),
                TEST(what_was_accepted_before_the_store_was_mounted_again_is_expired),
                TEST(a_memory_full_of_pushes_keeps_no_revocation_out),
                TEST(a_revocation_that_cannot_be_remembered_drops_keys_and_says_so),
                TEST(a_revocation_that_failed_is_not_carried_out_when_it_is_over),
                TEST(a_damaged_memory_refuses_every_push),
                TEST(a_damaged_memory_keeps_no_key_alive),
                TEST(a_revocation_drops_what_is_stored_under_the_account_s_other_name),
                TEST(a_push_held_back_is_refused_under_the_account_s_other_name),
                TEST(two_other_names_of_an_account_mean_each_other),
                TEST(what_is_dropped_does_not_wait_for_the_name_service),
                TEST(a_name_service_that_fails_is_no_success_and_keeps_no_key_alive),
                TEST(status_counts_the_anchors_also_when_nothing_was_pushed_yet),
                TEST(a_flood_of_pushes_or_revocations_is_no_flood_in_the_journal),
                TEST(without_an_anchor_nothing_of_an_envelope_is_looked_at),
                TEST(a_challenge_is_good_on_its_own_connection_alone),
                TEST(a_push_with_a_challenge_is_not_stored_when_its_sender_has_left),
                TEST(one_that_was_cut_off_is_finished_all_the_same),
                TEST(and_so_is_one_without_a_challenge),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
