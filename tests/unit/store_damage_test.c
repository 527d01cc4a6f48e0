/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/store_fixture.h"

static bool visited(const char *one) {
        struct seen seen = {0};

        assert_int_equal(store_walk(&store, NULL, NULL, see, &seen), 0);
        return strstr(seen.text, one);
}

static void damaged_key_hides_no_other(void **state) {
        struct store_place place = place_of("ada", 'A', '1');

        (void)state;
        for (enum kind kind = 0; kind < KIND_MAX_; kind++) {
                struct grant grant;
                char path[256];
                int r;

                (void)snprintf(path, sizeof(path), "keys/ada/%s/%s", FINGERPRINT('A'), ID('1'));
                damage(path, kind, false, 0640);
                r = store_read(&store, &place, &grant);
                if (r != -EBADMSG)
                        fail_msg("kind %d: %d", kind, r);
                assert_true(counts("ada", 'A', '2') && counts("ada", 'B', '3') && counts("bob", 'A', '4'));
                assert_true(visited("ada:A1") && visited("ada:A2") && visited("ada:B3") && visited("bob:A4"));
        }
}

static void damaged_fingerprint_directory_is_skipped(void **state) {
        struct store_place place = place_of("ada", 'A', '1');

        (void)state;
        for (enum kind kind = 0; kind < KIND_MAX_; kind++) {
                struct grant grant;
                char path[256];
                int r;

                if (kind == KIND_HARD_LINK)
                        continue;
                (void)snprintf(path, sizeof(path), "keys/ada/%s", FINGERPRINT('A'));
                damage(path, kind, true, 02750);
                r = store_read(&store, &place, &grant);
                if (r != -EBADMSG)
                        fail_msg("kind %d: %d", kind, r);
                assert_true(counts("ada", 'B', '3') && counts("bob", 'A', '4'));
                assert_false(visited("ada:A"));
                assert_true(visited("ada:B3") && visited("bob:A4"));
                assert_seen("ada", FINGERPRINT('A'), 0);
                assert_seen(NULL, FINGERPRINT('A'), 1, "bob:A4");
        }
}

static void damaged_user_directory_is_skipped(void **state) {
        struct store_place place = place_of("ada", 'A', '1');

        (void)state;
        for (enum kind kind = 0; kind < KIND_MAX_; kind++) {
                struct grant grant;
                int r;

                if (kind == KIND_HARD_LINK)
                        continue;
                damage("keys/ada", kind, true, 02750);
                r = store_read(&store, &place, &grant);
                if (r != -EBADMSG)
                        fail_msg("kind %d: %d", kind, r);
                assert_true(counts("bob", 'A', '4'));
                assert_seen(NULL, NULL, 1, "bob:A4");
                assert_seen("ada", NULL, 0);
                assert_seen("ada", FINGERPRINT('A'), 0);
                assert_seen(NULL, FINGERPRINT('A'), 1, "bob:A4");
        }
}

static void damaged_claim_file_is_not_opened(void **state) {
        struct store_place place = place_of("ada", 'A', '1');

        (void)state;
        for (enum kind kind = 0; kind < KIND_MAX_; kind++) {
                char path[256];
                int r, w;

                (void)snprintf(path, sizeof(path), "claims/ada/%s", ID('1'));
                damage(path, kind, false, 0660);
                r = store_open_claim(&store, &place, O_RDONLY);
                w = store_open_claim(&store, &place, O_RDWR);
                if (r != -EBADMSG || w != -EBADMSG)
                        fail_msg("kind %d: %d, %d", kind, r, w);
                assert_true(counts("ada", 'A', '2') && counts("ada", 'B', '3') && counts("bob", 'A', '4'));
                /* This is damage and not an interrupted push: it is removed when the key ends. */
                assert_int_equal(store_tidy(&store), 0);
                assert_true(exists(below("keys/ada/%s/%s", FINGERPRINT('A'), ID('1'))));
        }
}

static void damaged_claims_directory_affects_one_user(void **state) {
        struct store_place place = place_of("ada", 'A', '1');

        (void)state;
        for (enum kind kind = 0; kind < KIND_MAX_; kind++) {
                int r;

                if (kind == KIND_HARD_LINK)
                        continue;
                damage("claims/ada", kind, true, 02750);
                r = store_open_claim(&store, &place, O_RDWR);
                if (r != -EBADMSG)
                        fail_msg("kind %d: %d", kind, r);
                assert_true(counts("bob", 'A', '4'));
                assert_false(counts("ada", 'A', '2'));
                assert_int_equal(store_tidy(&store), 0);
        }
}

static void put_content(const char *path, const void *content, size_t length) {
        int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, content, length), length);
        assert_int_equal(close(fd), 0);
}

static void key_file_with_wrong_content_is_damaged(void **state) {
        struct store_place place = place_of("ada", 'A', '1');
        uint8_t raw[GRANT_FILE_MAX + 1] = {0};
        struct grant grant;
        ssize_t n;
        int fd;

        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        fd = open(KEY_PATH("ada", 'A', '1'), O_RDONLY | O_CLOEXEC);
        n = read(fd, raw, sizeof(raw));
        assert_in_range(n, 1, GRANT_FILE_MAX);
        assert_int_equal(close(fd), 0);

        put_content(KEY_PATH("ada", 'A', '1'), raw, (size_t)n - 1);
        assert_int_equal(store_read(&store, &place, &grant), -EBADMSG);
        put_content(KEY_PATH("ada", 'A', '1'), raw, (size_t)n + 1);
        assert_int_equal(store_read(&store, &place, &grant), -EBADMSG);
        put_content(KEY_PATH("ada", 'A', '1'), raw, 0);
        assert_int_equal(store_read(&store, &place, &grant), -EBADMSG);
        put_content(KEY_PATH("ada", 'A', '1'), raw, GRANT_FILE_MAX);
        assert_int_equal(store_read(&store, &place, &grant), -EBADMSG);
        put_content(KEY_PATH("ada", 'A', '1'), raw, GRANT_FILE_MAX + 1);
        assert_int_equal(store_read(&store, &place, &grant), -EBADMSG);
        put_content(KEY_PATH("ada", 'A', '1'), raw, (size_t)n);
        assert_int_equal(store_read(&store, &place, &grant), 0);
}

static void key_in_another_users_directory_is_damaged(void **state) {
        struct store_place place = place_of("bob", 'A', '1');
        struct grant grant;

        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(publish("bob", '2', "A"), 0);
        assert_int_equal(rename(KEY_PATH("ada", 'A', '1'), KEY_PATH("bob", 'A', '1')), 0);
        assert_int_equal(store_read(&store, &place, &grant), -EBADMSG);
}

static void missing_is_not_damaged(void **state) {
        struct store_place place = place_of("ada", 'A', '1');
        struct grant grant;

        (void)state;
        assert_int_equal(store_read(&store, &place, &grant), -ENOENT);
        assert_int_equal(store_open_claim(&store, &place, O_RDONLY), -ENOENT);
        assert_int_equal(publish("ada", '2', "B"), 0);
        assert_int_equal(store_read(&store, &place, &grant), -ENOENT);
        assert_int_equal(store_open_claim(&store, &place, O_RDONLY), -ENOENT);
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_int_equal(store_read(&store, &place, &grant), -ENOENT);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                STORE_TEST(damaged_key_hides_no_other),
                STORE_TEST(damaged_fingerprint_directory_is_skipped),
                STORE_TEST(damaged_user_directory_is_skipped),
                STORE_TEST(damaged_claim_file_is_not_opened),
                STORE_TEST(damaged_claims_directory_affects_one_user),
                STORE_TEST(key_file_with_wrong_content_is_damaged),
                STORE_TEST(key_in_another_users_directory_is_damaged),
                STORE_TEST(missing_is_not_damaged),
        };

        (void)umask(022);
        scratch_mount_namespace();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
