/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signed push between its signature and its answer, also when the agent was killed in the middle. What each push is answered
 * is in tests/vectors/. Linked with what tests/unit/agent_guest.h names.
 */
#include "tests/unit/signed_guest.h"

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

static void break_store(bool broken) {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/keys/alice", root);
        if (broken)
                signing_write(path, "not a directory");
        else
                assert_int_equal(unlink(path), 0);
}

static void repeat_is_a_duplicate_also_after_a_restart(void **state) {
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

static void repeat_names_the_account(void **state) {
        struct message push = push_of("dana", KEY_A);

        (void)state;
        dana_has_two_names();
        assert_pushed_for(&push, "dana@corp.example", false, 60);
        assert_pushed_for(&push, "dana@corp.example", true, 60);
}

static void repeat_of_a_revoked_push_has_no_time_left(void **state) {
        struct message push = push_of("alice", KEY_A), revocation = revocation_of("alice");

        (void)state;
        assert_pushed(&push, false, 60);
        assert_revoked(&revocation, 1);
        assert_pushed(&push, true, 0);
}

static void repeat_has_the_time_of_the_keys_that_are_left(void **state) {
        struct message push = sign(PUSH_PAYLOAD_TYPE, "push-0000000000001",
                                   json_pack("{ss s[ss]}", "user", "alice", "keys", KEY_A, KEY_B));
        struct message revocation = sign_revocation(json_pack("{ss}", "fingerprint", FINGERPRINT_A));

        (void)state;
        assert_pushed(&push, false, 60);
        assert_revoked(&revocation, 1);
        assert_pushed(&push, true, 60);
}

/* Takes slots of the one grant that is stored. */
static int take_slots(void *context, const struct store_place *place) {
        static const uint8_t taken[CLAIM_SLOT_SIZE] = {1, 2, 3};
        const int *n = context;
        int fd = store_open_claim(&guest.agent.store, place, O_RDWR);

        assert_true(fd >= 0);
        for (int i = 0; i < *n; i++)
                assert_int_equal(write(fd, taken, sizeof(taken)), sizeof(taken));
        return close(fd);
}

static void repeat_of_a_used_up_push_has_no_time_left(void **state) {
        struct message push = sign(PUSH_PAYLOAD_TYPE, "push-0000000000001",
                                   json_pack("{ss s[s] si}", "user", "alice", "keys", KEY_A, "connections", 2));
        int n = 1;

        (void)state;
        assert_pushed(&push, false, 60);
        assert_int_equal(store_walk(&guest.agent.store, NULL, NULL, take_slots, &n), 0);
        assert_pushed(&push, true, 60);
        n = 2;
        assert_int_equal(store_walk(&guest.agent.store, NULL, NULL, take_slots, &n), 0);
        assert_pushed(&push, true, 0);
}

static void repeat_is_not_held_to_the_policy(void **state) {
        struct message push = push_of("alice", KEY_A);

        (void)state;
        assert_pushed(&push, false, 60);
        configure("[Agent]\nRateLimit=0\nInstanceId=i-1\nDenyUsers=alice\n");
        assert_pushed(&push, true, 60);
}

/* The account may be gone; its name in the push is then the only one there is. */
static void repeat_for_a_deleted_user_keeps_the_name(void **state) {
        struct message push = push_of("alice", KEY_A);

        (void)state;
        assert_pushed(&push, false, 60);
        world.missing = "alice";
        assert_pushed(&push, true, 60);
}

static void repeat_fails_while_the_name_service_fails(void **state) {
        struct message push = push_of("alice", KEY_A);

        (void)state;
        assert_pushed(&push, false, 60);
        world.no_names = true;
        assert_refused(&push, "StorageFailure");
        world.no_names = false;
        assert_pushed(&push, true, 60);
}

static void jti_is_shared_with_revocations(void **state) {
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

static void refused_push_is_not_recorded(void **state) {
        struct message push = push_of("alice", KEY_A);

        (void)state;
        configure("[Agent]\nRateLimit=0\nInstanceId=i-1\nDenyUsers=alice\n");
        assert_refused(&push, "UserDenied");
        configure("[Agent]\nRateLimit=0\nInstanceId=i-1\n");
        assert_pushed(&push, false, 60);
}

static void life_counts_from_receipt(void **state) {
        struct message push = push_of("alice", KEY_A);

        (void)state;
        send_and_wait_for_lookup(&push);
        pass(3);
        let_lookup_end();
        assert_pushed_reply("alice", false, 57);
}

/* --- pushes that were cut off --------------------------------------------------------------------------------------------- */

static void pending_push_is_finished_with_its_recorded_life(void **state) {
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
static void pending_push_with_its_keys_stored_changes_nothing(void **state) {
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

static void push_that_cannot_be_stored_is_not_recorded(void **state) {
        struct message push = push_of("alice", KEY_A);

        (void)state;
        break_store(true);
        assert_refused(&push, "StorageFailure");
        assert_int_equal(state_of(&push), REPLAY_FREE);
        break_store(false);
        assert_pushed(&push, false, 60);
}

/* It may have been stored, used and swept by then. Forgotten, it would be stored a second time. */
static void pending_push_that_cannot_be_stored_stays_pending(void **state) {
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

static void pending_push_that_is_forgotten_meanwhile_is_not_new(void **state) {
        struct message push = push_of("alice", KEY_A);
        uint32_t slot;

        (void)state;
        slot = leave_pending(&push, 33);
        send_and_wait_for_lookup(&push);
        pass(3600);
        assert_int_equal(replay_drop(&guest.agent.replay, slot), 0);
        let_lookup_end();
        assert_answer(guest_receive(&guest), "Expired");
        assert_int_equal(stored(), 0);
        assert_int_equal(state_of(&push), REPLAY_FREE);
}

static void repeat_that_is_forgotten_meanwhile_is_not_new(void **state) {
        struct message push = push_of("alice", KEY_A);
        struct replay_record record;
        uint32_t slot;

        (void)state;
        assert_pushed(&push, false, 60);
        assert_int_equal(replay_find(&guest.agent.replay, push.jti_hash, &record, &slot), 0);
        configure("[Agent]\nRateLimit=0\nInstanceId=i-1\nDenyUsers=alice\n");
        send_and_wait_for_lookup(&push);
        assert_int_equal(replay_drop(&guest.agent.replay, slot), 0);
        let_lookup_end();
        assert_answer(guest_receive(&guest), "Expired");
        assert_int_equal(state_of(&push), REPLAY_FREE);
}

static void pending_push_is_not_finished_after_a_revocation(void **state) {
        struct message push = push_of("alice", KEY_A), revocation = revocation_of("alice");

        (void)state;
        (void)leave_pending(&push, 33);
        assert_revoked(&revocation, 0);
        assert_pushed(&push, true, 0);
        assert_int_equal(stored(), 0);
}

/* --- calls that run while the name service is asked ----------------------------------------------------------------------- */

static void revocation_during_the_lookup_is_obeyed(void **state) {
        struct message push = push_of("alice", KEY_A);
        struct revocation what = {.user = "alice"};
        struct instant now = instant_now();

        (void)state;
        send_and_wait_for_lookup(&push);
        assert_int_equal(revocations_add(&guest.agent.revocations, &what, NOW_S, &now, true), 0);
        let_lookup_end();
        assert_answer(guest_receive(&guest), "Expired");
        assert_int_equal(stored(), 0);
        assert_int_equal(state_of(&push), REPLAY_FREE);
}

static void same_push_during_the_lookup_is_stored_once(void **state) {
        struct message push = push_of("alice", KEY_A);

        (void)state;
        send_and_wait_for_lookup(&push);
        assert_int_equal(replay_set_done(&guest.agent.replay, leave_pending(&push, 33)), 0);
        let_lookup_end();
        assert_pushed_reply("alice", true, 0);
        assert_int_equal(stored(), 0);
}

static void other_push_of_the_jti_during_the_lookup_wins(void **state) {
        struct message push = push_of("alice", KEY_A), other = push_of("alice", KEY_B);

        (void)state;
        send_and_wait_for_lookup(&push);
        (void)leave_pending(&other, 33);
        let_lookup_end();
        assert_answer(guest_receive(&guest), "Replayed");
        assert_int_equal(stored(), 0);
}

/* --- challenges ----------------------------------------------------------------------------------------------------------- */

/* A push that has signed the challenge of a new Hello. */
static struct message challenged(const char *key) {
        struct message push = sign(PUSH_PAYLOAD_TYPE, "push-0000000000001",
                                   json_pack("{ss s[s] so}", "user", "alice", "keys", key, "challenge", hello()));

        world.max_error_us = GUEST_NEVER_SYNCHRONIZED_US;
        return push;
}

static void challenge_is_good_on_its_own_connection_only(void **state) {
        struct message push = challenged(KEY_A);

        (void)state;
        guest_disconnect(&guest);
        guest_connect(&guest);
        assert_refused(&push, "StaleChallenge");
        assert_int_equal(stored(), 0);
}

/* The sender still reads, and sends nothing more. */
static void send_and_leave_during_the_lookup(const struct message *push) {
        send_and_wait_for_lookup(push);
        assert_int_equal(shutdown(guest.fd, SHUT_WR), 0);
        let_lookup_end();
}

static void push_with_a_challenge_needs_its_sender(void **state) {
        struct message push = challenged(KEY_A);

        (void)state;
        send_and_leave_during_the_lookup(&push);
        assert_answer(guest_receive(&guest), "StaleChallenge");
        assert_int_equal(stored(), 0);
        assert_int_equal(state_of(&push), REPLAY_FREE);
}

static void pending_push_with_a_challenge_does_not(void **state) {
        struct message push = challenged(KEY_A);

        (void)state;
        (void)leave_pending(&push, 33);
        send_and_leave_during_the_lookup(&push);
        assert_pushed_reply("alice", false, 33);
        assert_int_equal(stored(), 1);
}

static void push_without_a_challenge_does_not(void **state) {
        struct message push = push_of("alice", KEY_A);

        (void)state;
        send_and_leave_during_the_lookup(&push);
        assert_pushed_reply("alice", false, 60);
        assert_int_equal(stored(), 1);
}

/* --- the agent's own state ------------------------------------------------------------------------------------------------ */

static void memory_full_of_pushes_refuses_pushes_only(void **state) {
        struct message push = push_of("alice", KEY_A), other = sign_push("push-0000000000002", "alice", KEY_B);
        struct message revocation = revocation_of("alice");

        (void)state;
        assert_pushed(&push, false, 60);
        fill_memory(false);
        assert_refused(&other, "StoreFull");
        assert_revoked(&revocation, 1);
        assert_revoked(&revocation, 0);
        assert_int_equal(state_of(&revocation), REPLAY_DONE);
        assert_refused(&other, "Expired");
}

static void push_from_before_the_memory_is_expired(void **state) {
        struct message push = push_of("alice", KEY_A), revocation = revocation_of("alice");

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

static void damaged_memory_refuses_every_push(void **state) {
        struct message push = push_of("alice", KEY_A);

        (void)state;
        assert_int_equal(ftruncate(guest.agent.replay.fd, 1000), 0);
        restart();
        assert_refused(&push, "StorageFailure");
}

static void without_an_anchor_no_envelope_is_parsed(void **state) {
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

static void flood_does_not_flood_the_journal(void **state) {
        static const char *const methods[] = {"Push", "Revoke"};
        json_t *parameters = json_object();

        (void)state;
        configure("[Agent]\nRateLimit=1\nInstanceId=i-1\n");
        restart();
        for (size_t i = 0; i < 2; i++) {
                world.n_events = 0;
                for (int j = 0; j < 200; j++)
                        json_decref(guest_ask_object(&guest, methods[i], parameters));
                assert_true(world.n_events < 50);
        }
        json_decref(parameters);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(repeat_is_a_duplicate_also_after_a_restart),
                TEST(repeat_names_the_account),
                TEST(repeat_of_a_revoked_push_has_no_time_left),
                TEST(repeat_has_the_time_of_the_keys_that_are_left),
                TEST(repeat_of_a_used_up_push_has_no_time_left),
                TEST(repeat_is_not_held_to_the_policy),
                TEST(repeat_for_a_deleted_user_keeps_the_name),
                TEST(repeat_fails_while_the_name_service_fails),
                TEST(jti_is_shared_with_revocations),
                TEST(refused_push_is_not_recorded),
                TEST(life_counts_from_receipt),
                TEST(pending_push_is_finished_with_its_recorded_life),
                TEST(pending_push_with_its_keys_stored_changes_nothing),
                TEST(push_that_cannot_be_stored_is_not_recorded),
                TEST(pending_push_that_cannot_be_stored_stays_pending),
                TEST(pending_push_that_is_forgotten_meanwhile_is_not_new),
                TEST(repeat_that_is_forgotten_meanwhile_is_not_new),
                TEST(pending_push_is_not_finished_after_a_revocation),
                TEST(revocation_during_the_lookup_is_obeyed),
                TEST(same_push_during_the_lookup_is_stored_once),
                TEST(other_push_of_the_jti_during_the_lookup_wins),
                TEST(challenge_is_good_on_its_own_connection_only),
                TEST(push_with_a_challenge_needs_its_sender),
                TEST(pending_push_with_a_challenge_does_not),
                TEST(push_without_a_challenge_does_not),
                TEST(memory_full_of_pushes_refuses_pushes_only),
                TEST(push_from_before_the_memory_is_expired),
                TEST(damaged_memory_refuses_every_push),
                TEST(without_an_anchor_no_envelope_is_parsed),
                TEST(flood_does_not_flood_the_journal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
