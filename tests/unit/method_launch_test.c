/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Launch keys as a set that is replaced: what is stored, for how long, and what becomes of it. Linked with what
 * tests/unit/agent_guest.h names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/agent_guest.h"
#include "tests/unit/signing.h"

#define KEY_A "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKj9Ne19cX0N0GriPChvaudeZoS7d4sWrB72aqPpTape"
#define KEY_B "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKj9Ne19cX0N0GriPChvaudeZoS7d4sWrB72aqPpTapa"

/* Longer than this machine is up: the timers of the event loop are of its own clock, and are never due. */
enum { NOW_S = 1800000000, UP_S = 100, MAX_AGE_S = 600 };

static char root[64], config_dir[96];
static struct guest guest;

static void configure(const char *name, const char *text) {
        char path[128];

        scratch_become(0);
        (void)snprintf(path, sizeof(path), "%s/%s", config_dir, name);
        signing_write(path, text);
        scratch_become(SCRATCH_AGENT);
}

static void start(enum connection_channel channel) {
        guest_start(&guest, root, config_dir, channel);
}

static int setup(void **state) {
        (void)state;
        guest_hide_the_machine();
        scratch_mount_store("mode=0755", root);
        (void)snprintf(config_dir, sizeof(config_dir), "%s/config", root);
        scratch_make_directory(root, "config", 0, 0, 0755);
        configure("agent.conf", "[Agent]\nRateLimit=0\nMaxTtl=60\nHostKeyFiles=/nowhere.pub\n");
        configure("metadata.conf", "[Metadata]\nUser=alice\nMaxAge=600\n");
        world.wall_s = NOW_S;
        world.boot_s = UP_S;
        world.born_s = 0;
        world.max_error_us = GUEST_SYNCHRONIZED_US;
        world.alias = world.account = world.missing = NULL;
        world.no_names = false;
        world.n_events = 0;
        start(CONNECTION_METADATA);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        guest_stop(&guest);
        scratch_become(0);
        scratch_unmount_store(root);
        return umount2("/sys", MNT_DETACH);
}

static void pass(int64_t seconds) {
        world.wall_s += seconds;
        world.boot_s += seconds;
}

/* On another socket of the same agent's store. */
static void restart_on(enum connection_channel channel) {
        guest_stop(&guest);
        start(channel);
}

/* --- calls ------------------------------------------------------------------------------------------------------------ */

static json_t *ask(const char *method, json_t *parameters) {
        json_t *reply = guest_ask_object(&guest, method, parameters);

        json_decref(parameters);
        assert_non_null(reply);
        return reply;
}

static void assert_set(json_t *keys, const char *user) {
        json_t *reply = ask("SetLaunchKeys", json_pack("{so}", "keys", keys)), *parameters;

        assert_null(json_object_get(reply, "error"));
        parameters = json_object_get(reply, "parameters");
        assert_string_equal(json_string_value(json_object_get(parameters, "user")), user);
        assert_int_equal(json_integer_value(json_object_get(parameters, "expiresIn")), MAX_AGE_S);
        json_decref(reply);
}

static void assert_refused(const char *method, json_t *parameters, const char *error) {
        json_t *reply = ask(method, parameters);
        const char *found = json_string_value(json_object_get(reply, "error"));

        assert_non_null(found);
        assert_string_equal(found + strlen(GUEST_INTERFACE), error);
        json_decref(reply);
}

/* --- the store -------------------------------------------------------------------------------------------------------- */

struct count {
        const char *user;
        size_t n;
        int64_t left_s, received_s; /* of the last one */
};

static int count_one(void *context, const struct store_place *place, const struct grant *grant) {
        struct count *count = context;
        const struct instant now = instant_now();
        int fd = store_open_claim(&guest.agent.store, place, O_RDONLY);

        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
        assert_int_equal(grant->origin, GRANT_LAUNCH);
        assert_int_equal(grant->connections, 0);
        assert_string_equal(grant->principal, "metadata service");
        if (strcmp(grant->user, count->user) == 0 && lifetime_left_ns(&grant->life, &now) > 0) {
                count->n++;
                count->left_s = lifetime_left_ns(&grant->life, &now) / NS_PER_S;
                count->received_s = grant->life.received.boot_ns / NS_PER_S;
        }
        return 0;
}

static struct count live_of(const char *user) {
        struct count count = {.user = user};

        assert_int_equal(store_read_each(&guest.agent.store, NULL, NULL, count_one, &count), 0);
        return count;
}

static int count_files(void *context, const struct store_place *place) {
        (void)place;
        (*(size_t *)context)++;
        return 0;
}

static size_t stored(void) {
        size_t n = 0;

        assert_int_equal(store_walk(&guest.agent.store, NULL, NULL, count_files, &n), 0);
        return n;
}

/* --- tests ------------------------------------------------------------------------------------------------------------ */

static void key_lives_for_max_age_and_not_max_ttl(void **state) {
        (void)state;
        assert_set(json_pack("[ss]", KEY_A, KEY_B), "alice");
        assert_int_equal(live_of("alice").n, 2);
        assert_int_equal(live_of("alice").left_s, MAX_AGE_S);
        pass(MAX_AGE_S - 1);
        assert_int_equal(live_of("alice").n, 2);
        pass(1);
        assert_int_equal(live_of("alice").n, 0);
        /* The next start removes what is left. */
        restart_on(CONNECTION_METADATA);
        assert_int_equal(stored(), 0);
}

static void same_set_again_lives_longer_without_an_event(void **state) {
        (void)state;
        assert_set(json_pack("[s]", KEY_A), "alice");
        assert_int_equal(world.n_events, 1);
        for (int i = 0; i < 10; i++) {
                pass(300);
                assert_set(json_pack("[s]", KEY_A), "alice");
                assert_int_equal(live_of("alice").left_s, MAX_AGE_S);
                assert_int_equal(stored(), 1);
        }
        assert_int_equal(world.n_events, 1);
        assert_int_equal(live_of("alice").received_s, UP_S);
}

static void key_that_is_gone_is_removed(void **state) {
        (void)state;
        assert_set(json_pack("[ss]", KEY_A, KEY_B), "alice");
        assert_set(json_pack("[s]", KEY_B), "alice");
        assert_int_equal(stored(), 1);
        assert_int_equal(world.n_events, 3);
        assert_set(json_array(), "alice");
        assert_int_equal(stored(), 0);
        assert_int_equal(world.n_events, 4);
}

static void key_that_comes_back_after_its_end_is_new(void **state) {
        (void)state;
        assert_set(json_pack("[s]", KEY_A), "alice");
        pass(2 * MAX_AGE_S);
        assert_set(json_pack("[s]", KEY_A), "alice");
        assert_int_equal(live_of("alice").received_s, UP_S + 2 * MAX_AGE_S);
        /* Stored, expired, stored. */
        assert_int_equal(world.n_events, 3);
}

static void key_that_a_clock_ended_is_back_with_the_next_set(void **state) {
        (void)state;
        assert_set(json_pack("[s]", KEY_A), "alice");
        world.wall_s += 3600;
        assert_int_equal(live_of("alice").n, 0);
        assert_set(json_pack("[s]", KEY_A), "alice");
        assert_int_equal(live_of("alice").n, 1);
        assert_int_equal(stored(), 1);
}

static void another_user_takes_the_keys_of_the_one_before(void **state) {
        (void)state;
        assert_set(json_pack("[s]", KEY_A), "alice");
        configure("metadata.conf", "[Metadata]\nUser=bob\nMaxAge=600\n");
        assert_set(json_pack("[s]", KEY_A), "bob");
        assert_int_equal(live_of("alice").n, 0);
        assert_int_equal(live_of("bob").n, 1);
        assert_int_equal(stored(), 1);
}

static void account_has_its_own_name(void **state) {
        (void)state;
        world.alias = "alice";
        world.account = "alice@corp.example";
        assert_set(json_pack("[s]", KEY_A), "alice@corp.example");
        assert_int_equal(live_of("alice@corp.example").n, 1);
}

static void set_that_is_refused_changes_nothing(void **state) {
        json_t *many = json_array();

        (void)state;
        assert_set(json_pack("[s]", KEY_A), "alice");
        assert_refused("SetLaunchKeys", json_pack("{s[ss]}", "keys", KEY_B, "ssh-ed25519 AAAA"), "KeyRejected");
        assert_refused("SetLaunchKeys", json_pack("{s[ss]}", "keys", KEY_B, KEY_B), "KeyRejected");
        assert_refused("SetLaunchKeys", json_pack("{s[s]}", "keys", "restrict " KEY_B), "KeyRejected");
        assert_refused("SetLaunchKeys", json_pack("{ss}", "keys", KEY_B), "InvalidPayload");
        assert_refused("SetLaunchKeys", json_object(), "InvalidPayload");
        assert_refused("SetLaunchKeys", json_pack("{s[s]ss}", "keys", KEY_B, "user", "root"), "InvalidPayload");
        for (int i = 0; i <= LAUNCH_KEYS_MAX; i++)
                assert_int_equal(json_array_append_new(many, json_string(KEY_B)), 0);
        assert_refused("SetLaunchKeys", json_pack("{so}", "keys", many), "InvalidPayload");
        world.missing = "alice";
        assert_refused("SetLaunchKeys", json_pack("{s[s]}", "keys", KEY_B), "NoSuchUser");
        world.missing = NULL;
        world.no_names = true;
        assert_refused("SetLaunchKeys", json_pack("{s[s]}", "keys", KEY_B), "StorageFailure");
        world.no_names = false;
        configure("agent.conf", "[Agent]\nRateLimit=0\nDenyUsers=alice\n");
        assert_refused("SetLaunchKeys", json_pack("{s[s]}", "keys", KEY_B), "UserDenied");
        configure("agent.conf", "[Agent]\nnonsense\n");
        assert_refused("SetLaunchKeys", json_pack("{s[s]}", "keys", KEY_B), "StorageFailure");
        assert_int_equal(live_of("alice").n, 1);
        assert_int_equal(stored(), 1);
}

static void without_a_configuration_nothing_is_taken(void **state) {
        static const char *const texts[] = {"", "[Metadata]\nMaxAge=900\n", NULL};
        char path[128];

        (void)state;
        for (size_t i = 0; texts[i]; i++) {
                configure("metadata.conf", texts[i]);
                assert_refused("SetLaunchKeys", json_pack("{s[s]}", "keys", KEY_A), "PermissionDenied");
                assert_refused("SetInstanceId", json_pack("{ss}", "id", "i-0000002a"), "PermissionDenied");
        }
        configure("metadata.conf", "[Metadata]\nUser=alice\nMaxAge=never\n");
        assert_refused("SetLaunchKeys", json_pack("{s[s]}", "keys", KEY_A), "StorageFailure");
        scratch_become(0);
        (void)snprintf(path, sizeof(path), "%s/metadata.conf", config_dir);
        assert_int_equal(unlink(path), 0);
        scratch_become(SCRATCH_AGENT);
        assert_refused("SetLaunchKeys", json_pack("{s[s]}", "keys", KEY_A), "PermissionDenied");
        assert_refused("SetInstanceId", json_pack("{ss}", "id", "i-0000002a"), "PermissionDenied");
        assert_int_equal(stored(), 0);
}

static void metadata_socket_takes_nothing_else(void **state) {
        static const char *const others[] = {"Hello",  "Push",      "Revoke",      "HostKeys",
                                             "Status", "PushLocal", "RevokeLocal", "List"};

        (void)state;
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                assert_refused(others[i], json_object(), "PermissionDenied");
        for (int channel = CONNECTION_ADMIN; channel <= CONNECTION_VSOCK; channel++) {
                restart_on((enum connection_channel)channel);
                assert_refused("SetLaunchKeys", json_pack("{s[s]}", "keys", KEY_A), "PermissionDenied");
                assert_refused("SetInstanceId", json_pack("{ss}", "id", "i-0000002a"), "PermissionDenied");
        }
        assert_int_equal(stored(), 0);
}

static void keys_keep_nothing_running_and_take_no_room(void **state) {
        (void)state;
        assert_set(json_pack("[ss]", KEY_A, KEY_B), "alice");
        assert_int_equal(guest.agent.expiry.live, 0);
        assert_int_equal(guest.agent.expiry.launch, 2);
        assert_true(expiry_has_room(&guest.agent.expiry, "alice", EXPIRY_KEYS_PER_USER_MAX));
}

static void id_is_taken_where_it_is_configured_and_in_its_form(void **state) {
        json_t *reply;

        (void)state;
        configure("metadata.conf", "[Metadata]\nInstanceId=yes\n");
        assert_refused("SetInstanceId", json_pack("{ss}", "id", "web1"), "InvalidPayload");
        assert_refused("SetInstanceId", json_pack("{ss}", "id", ""), "InvalidPayload");
        assert_refused("SetInstanceId", json_pack("{si}", "id", 1), "InvalidPayload");
        assert_refused("SetInstanceId", json_object(), "InvalidPayload");
        reply = ask("SetInstanceId", json_pack("{ss}", "id", "i-0123456789abcdef0"));
        assert_null(json_object_get(reply, "error"));
        json_decref(reply);
        agent_refresh_instance_id(&guest.agent);
        assert_string_equal(guest.agent.instance_id.id, "i-0123456789abcdef0");
        /* No user is configured. */
        assert_refused("SetLaunchKeys", json_pack("{s[s]}", "keys", KEY_A), "PermissionDenied");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(key_lives_for_max_age_and_not_max_ttl),
                TEST(same_set_again_lives_longer_without_an_event),
                TEST(key_that_is_gone_is_removed),
                TEST(key_that_comes_back_after_its_end_is_new),
                TEST(key_that_a_clock_ended_is_back_with_the_next_set),
                TEST(another_user_takes_the_keys_of_the_one_before),
                TEST(account_has_its_own_name),
                TEST(set_that_is_refused_changes_nothing),
                TEST(without_a_configuration_nothing_is_taken),
                TEST(metadata_socket_takes_nothing_else),
                TEST(keys_keep_nothing_running_and_take_no_room),
                TEST(id_is_taken_where_it_is_configured_and_in_its_form),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
