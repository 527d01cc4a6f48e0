/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signed revocation between its signature and its answer: what is dropped, what is remembered, and what is refused after it.
 * Linked with what tests/unit/agent_guest.h names.
 */
#include "tests/unit/signed_guest.h"

static void revocation_counts_every_key_of_a_push(void **state) {
        struct message push = sign(PUSH_PAYLOAD_TYPE, "push-0000000000001",
                                   json_pack("{ss s[ss]}", "user", "alice", "keys", KEY_A, KEY_B));
        struct message revocation = revocation_of("alice");

        (void)state;
        assert_pushed(&push, false, 60);
        assert_int_equal(stored(), 2);
        assert_revoked(&revocation, 2);
        assert_int_equal(stored(), 0);
        assert_revoked(&revocation, 0);
}

static void revocation_outlives_the_agent(void **state) {
        struct message push = push_of("alice", KEY_A);
        struct message revocation = sign_revocation(json_pack("{ss}", "fingerprint", FINGERPRINT_A));

        (void)state;
        assert_revoked(&revocation, 0);
        restart();
        assert_refused(&push, "Expired");
        assert_revoked(&revocation, 0);
}

static void repeat_drops_no_later_key(void **state) {
        struct message revocation = sign_revocation(json_pack("{sb}", "all", 1));
        struct message push =
                sign(PUSH_PAYLOAD_TYPE, "push-0000000000001",
                     json_pack("{ss s[s] si si}", "user", "alice", "keys", KEY_A, "iat", NOW_S + 1, "exp", NOW_S + 61));

        (void)state;
        assert_revoked(&revocation, 0);
        assert_pushed(&push, false, 60);
        assert_revoked(&revocation, 0);
        assert_int_equal(stored(), 1);
}

/* A revocation of that user which has signed the challenge of a new Hello, dated so many seconds from now. */
static struct message challenged(const char *user, int64_t iat_s) {
        return sign_revocation(json_pack("{ss so sI sI}", "user", user, "challenge", hello(), "iat",
                                         (json_int_t)(NOW_S + iat_s), "exp", (json_int_t)(NOW_S + iat_s + 60)));
}

static void push_held_back_is_refused_after_an_old_revocation(void **state) {
        struct message push = push_of("alice", KEY_A), revocation = challenged("alice", -600);

        (void)state;
        assert_revoked(&revocation, 0);
        assert_refused(&push, "Expired");
        restart();
        assert_refused(&push, "Expired");
}

static void revocation_of_the_future_refuses_no_later_push(void **state) {
        struct message revocation = challenged("alice", 1000000);
        struct message push =
                sign(PUSH_PAYLOAD_TYPE, "push-0000000000001",
                     json_pack("{ss s[s] si si}", "user", "alice", "keys", KEY_A, "iat", NOW_S + 1, "exp", NOW_S + 61));

        (void)state;
        assert_revoked(&revocation, 0);
        assert_pushed(&push, false, 60);
}

static void revocation_that_cannot_be_remembered_drops_keys(void **state) {
        struct message push = push_of("alice", KEY_A), revocation = revocation_of("alice");
        json_t *reply;

        (void)state;
        assert_pushed(&push, false, 60);
        fill_memory(true);
        send_message(&revocation);
        reply = guest_receive(&guest);
        assert_non_null(strstr(text_of(reply, "message"), "keys dropped: 1;"));
        assert_answer(reply, "StoreFull");
        assert_int_equal(stored(), 0);
}

/* It ends with its exp, also when it could not be finished before. */
static void failed_revocation_is_not_carried_out_after_its_exp(void **state) {
        struct message revocation = sign_revocation(json_pack("{sb}", "all", 1));
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

static void damaged_memory_keeps_no_key(void **state) {
        struct message push = push_of("alice", KEY_A), revocation = revocation_of("alice");

        (void)state;
        assert_pushed(&push, false, 60);
        assert_int_equal(ftruncate(guest.agent.replay.fd, 1000), 0);
        restart();
        assert_refused(&revocation, "StorageFailure");
        assert_int_equal(stored(), 0);
}

/* --- how long a request is remembered (push.md, "Replay") ----------------------------------------------------------------- */

static struct replay_record record_of(const struct message *message) {
        struct replay_record record;
        uint32_t slot;

        assert_int_equal(replay_find(&guest.agent.replay, message->jti_hash, &record, &slot), 0);
        return record;
}

static void push_and_revocation_are_remembered_equally_long(void **state) {
        struct message push = push_of("alice", KEY_A), revocation = revocation_of("bob");
        const struct message *const messages[] = {&push, &revocation};

        (void)state;
        assert_pushed(&push, false, 60);
        assert_revoked(&revocation, 0);
        for (size_t i = 0; i < 2; i++) {
                struct replay_record record = record_of(messages[i]);

                assert_int_equal(record.forget_wall_ns / NS_PER_S, NOW_S + 60 + 30);
                assert_int_equal(record.forget_boot_ns / NS_PER_S, UP_S + 60 + 60);
        }
}

static void push_with_a_challenge_is_remembered_as_long_as_its_keys(void **state) {
        struct message push =
                sign(PUSH_PAYLOAD_TYPE, "push-0000000000001",
                     json_pack("{ss s[s] si so}", "user", "alice", "keys", KEY_A, "ttl", 20, "challenge", hello()));

        (void)state;
        assert_pushed(&push, false, 20);
        assert_int_equal(record_of(&push).forget_wall_ns, 0);
        assert_int_equal(record_of(&push).forget_boot_ns / NS_PER_S, UP_S + 20);
}

/* It has no keys that end. */
static void revocation_with_a_challenge_is_remembered_by_the_boot_clock(void **state) {
        struct message revocation = challenged("alice", 0);

        (void)state;
        assert_revoked(&revocation, 0);
        assert_int_equal(record_of(&revocation).forget_wall_ns, 0);
        assert_int_equal(record_of(&revocation).forget_boot_ns / NS_PER_S, UP_S + 60 + 60);
}

/* --- a user is the account, under each of its names ----------------------------------------------------------------------- */

static const char *const dana[] = {"dana", "dana@corp.example"};

static void each_name_drops_the_keys_of_the_account(void **state) {
        dana_has_two_names();
        for (size_t i = 0; i < 4; i++) {
                struct message push = push_of(dana[i / 2], KEY_A), revocation = revocation_of(dana[i % 2]);

                assert_pushed_for(&push, dana[1], false, 60);
                assert_revoked(&revocation, 1);
                assert_int_equal(stored(), 0);
                assert_int_equal(teardown(state), 0);
                assert_int_equal(setup(state), 0);
                dana_has_two_names();
        }
}

static void each_name_refuses_a_push_held_back(void **state) {
        dana_has_two_names();
        for (size_t i = 0; i < 4; i++) {
                struct message push = push_of(dana[i / 2], KEY_A), revocation = revocation_of(dana[i % 2]);
                struct message other = sign_push("push-0000000000002", "erin", KEY_A);

                assert_revoked(&revocation, 0);
                restart();
                assert_refused(&push, "Expired");
                assert_pushed_for(&other, "erin", false, 60);
                assert_int_equal(teardown(state), 0);
                assert_int_equal(setup(state), 0);
                dana_has_two_names();
        }
}

/* The account's own name is a third one, which neither the push nor the revocation has. */
static void two_aliases_of_an_account_mean_each_other(void **state) {
        struct message push = push_of("dana", KEY_A), revocation = revocation_of("DANA");

        (void)state;
        world.account = "dana@corp.example";
        world.alias = "DANA";
        assert_revoked(&revocation, 0);
        world.alias = "dana";
        assert_refused(&push, "Expired");
}

static void keys_are_dropped_before_the_lookup(void **state) {
        struct message push = push_of("alice", KEY_A), revocation = revocation_of("alice");

        (void)state;
        assert_pushed(&push, false, 60);
        send_and_wait_for_lookup(&revocation);
        assert_int_equal(stored(), 0);
        let_lookup_end();
        assert_answer(guest_receive(&guest), "");
}

static void failing_name_service_keeps_no_key(void **state) {
        struct message push = push_of("alice", KEY_A), revocation = revocation_of("alice");

        (void)state;
        assert_pushed(&push, false, 60);
        world.no_names = true;
        assert_refused(&revocation, "StorageFailure");
        assert_int_equal(stored(), 0);
        world.no_names = false;
        assert_revoked(&revocation, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(revocation_counts_every_key_of_a_push),
                TEST(revocation_outlives_the_agent),
                TEST(repeat_drops_no_later_key),
                TEST(push_held_back_is_refused_after_an_old_revocation),
                TEST(revocation_of_the_future_refuses_no_later_push),
                TEST(revocation_that_cannot_be_remembered_drops_keys),
                TEST(failed_revocation_is_not_carried_out_after_its_exp),
                TEST(damaged_memory_keeps_no_key),
                TEST(push_and_revocation_are_remembered_equally_long),
                TEST(push_with_a_challenge_is_remembered_as_long_as_its_keys),
                TEST(revocation_with_a_challenge_is_remembered_by_the_boot_clock),
                TEST(each_name_drops_the_keys_of_the_account),
                TEST(each_name_refuses_a_push_held_back),
                TEST(two_aliases_of_an_account_mean_each_other),
                TEST(keys_are_dropped_before_the_lookup),
                TEST(failing_name_service_keeps_no_key),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
