/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/store_fixture.h"

static void removal_takes_empty_directories_along(void **state) {
        struct store_place a = place_of("ada", 'A', '1'), b = place_of("ada", 'B', '1'), a2 = place_of("ada", 'A', '2');

        (void)state;
        assert_int_equal(publish("ada", '1', "AB"), 0);
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_int_equal(store_remove_key(&store, &a), 0);
        assert_false(exists(KEY_PATH("ada", 'A', '1')));
        assert_true(exists(KEY_PATH("ada", 'A', '2')));
        assert_int_equal(store_remove_key(&store, &b), 0);
        assert_false(exists(below("keys/ada/%s", FINGERPRINT('B'))));
        assert_true(exists(below("keys/ada")));
        assert_int_equal(store_remove_key(&store, &a2), 0);
        assert_false(exists(below("keys/ada")));
        assert_int_equal(store_remove_claim(&store, &a), 0);
        assert_true(exists(below("claims/ada")));
        assert_int_equal(store_remove_claim(&store, &a2), 0);
        assert_true(store_empty());
}

static void removing_a_missing_key_is_no_error(void **state) {
        struct store_place place = place_of("ada", 'A', '1');

        (void)state;
        assert_int_equal(store_remove_key(&store, &place), 0);
        assert_int_equal(store_remove_claim(&store, &place), 0);
        assert_int_equal(publish("ada", '2', "B"), 0);
        assert_int_equal(store_remove_key(&store, &place), 0);
        assert_int_equal(store_remove_claim(&store, &place), 0);
        assert_true(counts("ada", 'B', '2'));
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_int_equal(store_remove_key(&store, &place), 0);
        assert_true(counts("ada", 'B', '2') && exists(KEY_PATH("ada", 'A', '2')));
}

static void nothing_is_removed_through_a_symlink(void **state) {
        struct store_place place = place_of("ada", 'A', '1');

        (void)state;
        damage("keys/ada", KIND_SYMLINK, true, 0);
        assert_int_equal(store_remove_key(&store, &place), -EBADMSG);
        damage("claims/ada", KIND_SYMLINK, true, 0);
        assert_int_equal(store_remove_claim(&store, &place), -EBADMSG);
        assert_true(counts("bob", 'A', '4'));
}

static void damaged_key_can_be_removed(void **state) {
        static const enum kind kinds[] = {KIND_SYMLINK,   KIND_FIFO,      KIND_SOCKET, KIND_DEVICE,
                                          KIND_HARD_LINK, KIND_MODE_NONE, KIND_OWNER};
        struct store_place place = place_of("ada", 'A', '1');

        (void)state;
        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                char path[256];

                (void)snprintf(path, sizeof(path), "keys/ada/%s/%s", FINGERPRINT('A'), ID('1'));
                damage(path, kinds[i], false, 0640);
                assert_int_equal(store_remove_key(&store, &place), 0);
                assert_false(exists(KEY_PATH("ada", 'A', '1')));
                assert_true(counts("ada", 'A', '2'));
        }
}

/* What a kill in the middle leaves. */

static void tidy_keeps_what_counts(void **state) {
        (void)state;
        assert_int_equal(store_tidy(&store), 0);
        assert_true(store_empty());
        assert_int_equal(publish("ada", '1', "AB"), 0);
        assert_int_equal(publish("bob", '2', "A"), 0);
        assert_int_equal(store_tidy(&store), 0);
        assert_true(counts("ada", 'A', '1') && counts("ada", 'B', '1') && counts("bob", 'A', '2'));
        /* One of its keys was removed: the other still counts. */
        assert_int_equal(unlink(KEY_PATH("ada", 'A', '1')), 0);
        assert_int_equal(store_tidy(&store), 0);
        assert_true(counts("ada", 'B', '1'));
        assert_false(exists(below("keys/ada/%s", FINGERPRINT('A'))));
}

static void tidy_removes_keys_without_a_claim_file(void **state) {
        (void)state;
        assert_int_equal(publish("ada", '1', "AB"), 0);
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_int_equal(publish("bob", '3', "A"), 0);
        assert_int_equal(unlink(CLAIM_PATH("ada", '1')), 0);
        assert_int_equal(unlink(CLAIM_PATH("bob", '3')), 0);
        assert_int_equal(rmdir(below("claims/bob")), 0);
        assert_int_equal(store_tidy(&store), 0);
        assert_false(exists(KEY_PATH("ada", 'A', '1')));
        assert_false(exists(below("keys/ada/%s", FINGERPRINT('B'))));
        assert_false(exists(below("keys/bob")));
        assert_true(counts("ada", 'A', '2'));
}

static void tidy_removes_claim_files_without_a_key(void **state) {
        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_int_equal(publish("bob", '3', "A"), 0);
        assert_int_equal(unlink(KEY_PATH("ada", 'A', '1')), 0);
        assert_int_equal(unlink(KEY_PATH("bob", 'A', '3')), 0);
        assert_int_equal(store_tidy(&store), 0);
        assert_false(exists(CLAIM_PATH("ada", '1')));
        assert_false(exists(below("claims/bob")));
        assert_false(exists(below("keys/bob")));
        assert_true(counts("ada", 'A', '2'));
}

static void tidy_compares_ids_per_user(void **state) {
        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(publish("bob", '1', "A"), 0);
        assert_int_equal(unlink(KEY_PATH("ada", 'A', '1')), 0);
        assert_int_equal(store_tidy(&store), 0);
        assert_false(exists(CLAIM_PATH("ada", '1')));
        assert_true(counts("bob", 'A', '1'));
}

static void tidy_removes_empty_directories(void **state) {
        (void)state;
        assert_int_equal(mkdir(below("keys/ada"), 0750), 0);
        assert_int_equal(mkdir(below("keys/bob"), 0750), 0);
        assert_int_equal(mkdir(below("keys/bob/%s", FINGERPRINT('A')), 0750), 0);
        assert_int_equal(mkdir(below("keys/bob/%s", FINGERPRINT('B')), 0750), 0);
        assert_int_equal(mkdir(below("claims/eve"), 0750), 0);
        assert_int_equal(store_tidy(&store), 0);
        assert_true(store_empty());
}

static void tidy_goes_on_after_a_failure(void **state) {
        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(publish("bob", '1', "A"), 0);
        assert_int_equal(publish("eve", '1', "A"), 0);
        assert_int_equal(unlink(KEY_PATH("ada", 'A', '1')), 0);
        assert_int_equal(mkdir(KEY_PATH("ada", 'A', '1'), 0750), 0);
        assert_int_equal(unlink(CLAIM_PATH("ada", '1')), 0);
        assert_int_equal(unlink(CLAIM_PATH("bob", '1')), 0);
        assert_int_equal(unlink(CLAIM_PATH("eve", '1')), 0);
        assert_int_equal(mkdir(CLAIM_PATH("eve", '2'), 0750), 0);
        assert_int_equal(mkdir(below("claims/zoe"), 0750), 0);
        assert_int_equal(store_tidy(&store), -EISDIR);
        assert_false(exists(below("keys/bob")));
        assert_false(exists(below("keys/eve")));
        assert_false(exists(below("claims/bob")));
        assert_false(exists(below("claims/zoe")));
}

static void resize_claim(const char *user, char id, off_t size) {
        int fd = open(CLAIM_PATH(user, id), O_WRONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, size), 0);
        assert_int_equal(close(fd), 0);
}

static void only_grown_claim_files_are_removed(void **state) {
        struct grant largest = scratch_grant("bob", GRANT_CONNECTIONS_MAX, 0);

        (void)state;
        assert_int_equal(publish("ada", '1', "AB"), 0);
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_int_equal(publish_as(&largest, '3', "A"), 0);
        assert_int_equal(store_remove_grown(&store), 0);
        resize_claim("ada", '1', GRANT_CONNECTIONS_MAX * CLAIM_SLOT_SIZE + 1);
        assert_int_equal(store_remove_grown(&store), 1);
        assert_false(exists(CLAIM_PATH("ada", '1')));
        assert_true(counts("ada", 'A', '2') && exists(CLAIM_PATH("bob", '3')));
        assert_int_equal(store_tidy(&store), 0);
        assert_false(exists(KEY_PATH("ada", 'A', '1')) || exists(KEY_PATH("ada", 'B', '1')));
        resize_claim("ada", '2', 1 << 20);
        resize_claim("bob", '3', 1 << 20);
        assert_int_equal(store_remove_grown(&store), 2);
        assert_int_equal(store_tidy(&store), 0);
        assert_true(directory_empty(below("keys")) && directory_empty(below("claims")));
}

static void symlink_in_claims_is_not_followed(void **state) {
        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        resize_claim("ada", '1', 1 << 20);
        assert_int_equal(rename(below("claims/ada"), below("state/ada")), 0);
        assert_int_equal(symlink("../state/ada", below("claims/ada")), 0);
        assert_int_equal(store_remove_grown(&store), 0);
        assert_true(exists(below("state/ada/%s", ID('1'))));
        assert_int_equal(unlink(below("claims/ada")), 0);
        store_close(&store);
        assert_int_equal(store_remove_grown(&store), -EBADF);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                STORE_TEST(only_grown_claim_files_are_removed),
                STORE_TEST(symlink_in_claims_is_not_followed),
                STORE_TEST(removal_takes_empty_directories_along),
                STORE_TEST(removing_a_missing_key_is_no_error),
                STORE_TEST(nothing_is_removed_through_a_symlink),
                STORE_TEST(damaged_key_can_be_removed),
                STORE_TEST(tidy_keeps_what_counts),
                STORE_TEST(tidy_removes_keys_without_a_claim_file),
                STORE_TEST(tidy_removes_claim_files_without_a_key),
                STORE_TEST(tidy_compares_ids_per_user),
                STORE_TEST(tidy_removes_empty_directories),
                STORE_TEST(tidy_goes_on_after_a_failure),
        };

        (void)umask(022);
        scratch_mount_namespace();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
