/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys match what sshd asks about. */
#include "tests/unit/lookup_fixture.h"

static void key_serves_its_user_alone(void **state) {
        (void)state;
        publish("ada", '1', 'A', 1, 0);
        assert_int_equal(find("bob", 'A', &first), LOOKUP_NOTHING);
        assert_int_equal(find("", 'A', &first), LOOKUP_NOTHING);
        assert_int_equal(find("Ada", 'A', &first), LOOKUP_NOTHING);
        assert_int_equal(find("ada/", 'A', &first), LOOKUP_NOTHING);
        assert_int_equal(find("..", 'A', &first), LOOKUP_NOTHING);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
}

/* Two names of 256 bytes whose FNV-1a is the same, so that they share a directory. */
static void users_that_share_a_directory_share_no_key(void **state) {
        static const char ends[2][15] = {
                "\046\155\061\012\120\035\355\052\071\012\203\015\035\003",
                "\046\120\106\027\133\072\347\031\032\006\217\026\037\071",
        };
        char users[2][GRANT_USER_MAX], names[2][STORE_USER_NAME_MAX];

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                memset(users[i], 'a', 242);
                memcpy(users[i] + 242, ends[i], 15);
                assert_true(store_user_name(users[i], names[i]));
        }
        assert_string_equal(names[0], names[1]);
        assert_string_not_equal(users[0], users[1]);
        publish(users[0], '1', 'A', 0, 0);
        assert_int_equal(find(users[0], 'A', &first), LOOKUP_FOUND);
        assert_int_equal(find(users[1], 'A', &first), LOOKUP_NOTHING);
        {
                char *text = NULL;
                size_t length;
                FILE *to = open_memstream(&text, &length);

                scratch_become(SCRATCH_HELPER);
                assert_int_equal(lookup_list(&helper, users[1], false, to), 0);
                scratch_become(0);
                assert_int_equal(fclose(to), 0);
                assert_int_equal(length, 0);
                free(text);
        }
}

static void other_key_finds_nothing(void **state) {
        struct arguments asked = asks("ada", 'A');

        (void)state;
        publish("ada", '1', 'A', 1, 0);
        assert_int_equal(find("ada", 'B', &first), LOOKUP_NOTHING);
        /* The right fingerprint with another key, as if two keys had the same. */
        asked.key = scratch_key('B');
        assert_int_equal(look_up(&asked, &first), LOOKUP_NOTHING);
        /* The right key with another fingerprint: the helper looks in that directory. */
        asked = asks("ada", 'B');
        asked.key = scratch_key('A');
        assert_int_equal(look_up(&asked, &first), LOOKUP_NOTHING);
}

static void fingerprint_alone_finds_the_key(void **state) {
        struct arguments asked = asks("ada", 'A');

        (void)state;
        asked.has_key = false;
        publish("ada", '1', 'A', 1, 0);
        assert_int_equal(look_up(&asked, &first), LOOKUP_FOUND);
        assert_found('1', true);
}

static void without_sha256_the_key_is_compared(void **state) {
        struct arguments asked = asks("ada", 'B');

        (void)state;
        asked.fingerprint = MD5;
        publish("ada", '1', 'A', 1, 0);
        publish("ada", '2', 'B', 1, 5);
        publish("ada", '3', 'C', 1, 0);
        assert_int_equal(look_up(&asked, &first), LOOKUP_FOUND);
        assert_found('2', true);
        asked.has_key = false;
        assert_int_equal(look_up(&asked, &first), LOOKUP_NOTHING);
}

static void foreign_key_finds_nothing(void **state) {
        struct arguments asked = asks("ada", 'A');

        (void)state;
        asked.has_key = false;
        asked.foreign_key = true;
        publish("ada", '1', 'A', 0, 0);
        assert_int_equal(look_up(&asked, &first), LOOKUP_NOTHING);
}

static void expired_key_finds_nothing(void **state) {
        struct grant grant = scratch_grant("ada", 1, 10);

        (void)state;
        grant.life.boot_end_ns = grant.life.received.boot_ns + NS_PER_S;
        publish_as(&grant, '1', 'A');
        grant = scratch_grant("ada", 1, -30); /* received in the future */
        publish_as(&grant, '2', 'A');
        grant = scratch_grant("ada", 1, 10);
        grant.life.wall_end_ns = grant.life.received.wall_ns + NS_PER_S;
        publish_as(&grant, '3', 'A');
        grant = scratch_grant("ada", 1, 10);
        grant.life.received.wall_ns += 3600 * NS_PER_S; /* the clock was set back since */
        publish_as(&grant, '4', 'A');
        assert_int_equal(find("ada", 'A', &first), LOOKUP_NOTHING);
        publish("ada", '5', 'A', 1, 20);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        assert_found('5', true);
}

static void damaged_key_hides_no_other(void **state) {
        struct arguments by_key = asks("ada", 'A');

        (void)state;
        by_key.fingerprint = MD5;
        publish("ada", '1', 'A', 1, 20);
        publish("ada", '2', 'A', 1, 0);
        publish("ada", '3', 'B', 1, 0);
        assert_int_equal(truncate(key_path("ada", 'A', '2'), 20), 0);
        assert_int_equal(unlink(key_path("ada", 'B', '3')), 0);
        assert_int_equal(mkfifo(key_path("ada", 'B', '3'), 0640), 0);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        assert_found('1', true);
        assert_int_equal(look_up(&by_key, &first), LOOKUP_FOUND);
        assert_found('1', false);
}

static void unreadable_store_is_an_error(void **state) {
        struct arguments asked = asks("ada", 'A');
        struct store closed = STORE_INIT;

        (void)state;
        assert_int_equal(lookup_key(&closed, &asked, &first, &answer->found), -EBADF);
}

static char *list(const char *user, bool expiry_time) {
        char *text = NULL;
        size_t length;
        FILE *to = open_memstream(&text, &length);

        assert_non_null(to);
        scratch_become(SCRATCH_HELPER);
        assert_int_equal(lookup_list(&helper, user, expiry_time, to), 0);
        scratch_become(0);
        assert_int_equal(fclose(to), 0);
        return text;
}

static void listing_shows_live_keys_and_takes_no_slot(void **state) {
        struct grant dead = scratch_grant("ada", 1, 10);
        char *text;

        (void)state;
        dead.life.boot_end_ns = dead.life.received.boot_ns + 1;
        publish("ada", '1', 'A', 1, 0);
        publish("ada", '2', 'B', 1, 0);
        publish("bob", '3', 'C', 1, 0);
        publish_as(&dead, '4', 'D');
        publish("ada", '5', 'E', 1, 0);
        assert_int_equal(unlink(claim_path("ada", '5')), 0);
        publish("ada", '6', 'F', 1, 0);
        assert_int_equal(truncate(key_path("ada", 'F', '6'), 1), 0);

        text = list("ada", false);
        assert_int_equal(strlen(text), 2 * strlen(KEY_TEXT));
        assert_non_null(strstr(text, KEY_TEXT));
        free(text);
        text = list("ada", true);
        assert_non_null(strstr(text, "expiry-time=\""));
        free(text);
        text = list("eve", false);
        assert_string_equal(text, "");
        free(text);
        text = list("", false);
        assert_string_equal(text, "");
        free(text);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        assert_found('1', true);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                LOOKUP_TEST(key_serves_its_user_alone),
                LOOKUP_TEST(users_that_share_a_directory_share_no_key),
                LOOKUP_TEST(other_key_finds_nothing),
                LOOKUP_TEST(fingerprint_alone_finds_the_key),
                LOOKUP_TEST(without_sha256_the_key_is_compared),
                LOOKUP_TEST(foreign_key_finds_nothing),
                LOOKUP_TEST(expired_key_finds_nothing),
                LOOKUP_TEST(damaged_key_hides_no_other),
                LOOKUP_TEST(unreadable_store_is_an_error),
                LOOKUP_TEST(listing_shows_live_keys_and_takes_no_slot),
        };

        set_up_lookup();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
