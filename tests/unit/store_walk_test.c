/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/resource.h>

#include "tests/unit/store_fixture.h"

static void walk_visits_the_keys_asked_for(void **state) {
        (void)state;
        assert_seen(NULL, NULL, 0);
        assert_int_equal(publish("ada", '1', "AB"), 0);
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_int_equal(publish("bob", '3', "A"), 0);
        assert_seen(NULL, NULL, 4, "ada:A1", "ada:B1", "ada:A2", "bob:A3");
        assert_seen("ada", NULL, 3, "ada:A1", "ada:B1", "ada:A2");
        assert_seen("bob", NULL, 1, "bob:A3");
        assert_seen("eve", NULL, 0);
        assert_seen("ada", FINGERPRINT('A'), 2, "ada:A1", "ada:A2");
        assert_seen("ada", FINGERPRINT('B'), 1, "ada:B1");
        assert_seen("bob", FINGERPRINT('B'), 0);
        assert_seen("eve", FINGERPRINT('A'), 0);
        assert_seen(NULL, FINGERPRINT('A'), 3, "ada:A1", "ada:A2", "bob:A3");
        assert_seen(NULL, FINGERPRINT('B'), 1, "ada:B1");
        assert_seen(NULL, FINGERPRINT('C'), 0);
}

static int see_grant(void *context, const struct store_place *place, const struct grant *grant) {
        struct ssh_key expected = scratch_key((uint8_t)place->fingerprint[0]);

        assert_string_equal(grant->user, place->user);
        assert_memory_equal(grant->key.blob, expected.blob, expected.blob_length);
        return see(context, place);
}

static void reading_visits_only_keys_that_can_be_read(void **state) {
        struct seen seen = {0};

        (void)state;
        assert_int_equal(publish("ada", '1', "AB"), 0);
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_int_equal(publish("bob", '3', "A"), 0);
        assert_int_equal(store_read_each(&store, NULL, NULL, see_grant, &seen), 0);
        assert_int_equal(seen.n, 4);
        seen = (struct seen){0};
        assert_int_equal(store_read_each(&store, "ada", FINGERPRINT('A'), see_grant, &seen), 0);
        assert_int_equal(seen.n, 2);
        put_wrong(KEY_PATH("ada", 'A', '2'), KIND_MODE_MORE, false, 0640);
        put_wrong(KEY_PATH("bob", 'A', '3'), KIND_HARD_LINK, false, 0640);
        scratch_become(SCRATCH_AGENT);
        seen = (struct seen){0};
        assert_int_equal(store_read_each(&store, NULL, NULL, see_grant, &seen), 0);
        assert_int_equal(seen.n, 2);
        assert_true(strstr(seen.text, "ada:A1") && strstr(seen.text, "ada:B1"));
}

static int stop_reading(void *context, const struct store_place *place, const struct grant *grant) {
        (void)place;
        (void)grant;
        ++*(unsigned *)context;
        return 17;
}

static int count_one(void *context, const struct store_place *place) {
        (void)place;
        ++*(unsigned *)context;
        return 0;
}

static int take_away(void *context, const struct store_place *place) {
        ++*(unsigned *)context;
        assert_int_equal(store_remove_claim(&store, place), 0);
        return store_remove_key(&store, place);
}

/* getdents64(2) returns about 40 of these names at once. */
static void more_keys_than_one_read_of_a_directory(void **state) {
        enum { KEYS = 100 };
        struct grant grant = scratch_grant("ada", 1, 0);
        struct store_key key = scratch_store_key('A');
        unsigned n = 0;

        (void)state;
        for (unsigned i = 0; i < KEYS; i++) {
                char id[STORE_ID_MAX];

                (void)snprintf(id, sizeof(id), "%064x", i);
                assert_int_equal(store_publish(&store, id, &grant, &key, 1), 0);
        }
        for (unsigned round = 0; round < 2; round++) {
                n = 0;
                assert_int_equal(store_walk(&store, NULL, NULL, count_one, &n), 0);
                assert_int_equal(n, KEYS);
        }
        n = 0;
        assert_int_equal(store_walk(&store, NULL, NULL, take_away, &n), 0);
        assert_int_equal(n, KEYS);
        assert_true(store_empty());
}

static int stop_at_first(void *context, const struct store_place *place) {
        (void)place;
        ++*(unsigned *)context;
        return 17;
}

static void visit_ends_the_walk_with_its_result(void **state) {
        unsigned n = 0;

        (void)state;
        assert_int_equal(publish("ada", '1', "AB"), 0);
        assert_int_equal(publish("bob", '1', "AB"), 0);
        assert_int_equal(store_walk(&store, NULL, NULL, stop_at_first, &n), 17);
        assert_int_equal(n, 1);
        assert_int_equal(store_walk(&store, "ada", FINGERPRINT('A'), stop_at_first, &n), 17);
        assert_int_equal(n, 2);
        assert_int_equal(store_walk(&store, NULL, FINGERPRINT('B'), stop_at_first, &n), 17);
        assert_int_equal(n, 3);
        assert_int_equal(store_read_each(&store, NULL, NULL, stop_reading, &n), 17);
        assert_int_equal(n, 4);
}

static void visit_may_remove_the_key(void **state) {
        unsigned n = 0;

        (void)state;
        for (char id = '0'; id <= '9'; id++) {
                assert_int_equal(publish("ada", id, "ABCD"), 0);
                assert_int_equal(publish("bob", id, "ABCD"), 0);
        }
        assert_int_equal(store_walk(&store, NULL, NULL, take_away, &n), 0);
        assert_int_equal(n, 80);
        assert_true(store_empty());
}

static void foreign_names_are_skipped(void **state) {
        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(mkdir(below("keys/.hidden"), 0750), 0);
        assert_int_equal(mkdir(below("keys/.hidden/%s", FINGERPRINT('A')), 0750), 0);
        assert_int_equal(mknod(below("keys/.hidden/%s/%s", FINGERPRINT('A'), ID('1')), S_IFREG | 0640, 0), 0);
        assert_int_equal(mkdir(below("keys/ada/short"), 0750), 0);
        assert_int_equal(mknod(below("keys/ada/short/%s", ID('1')), S_IFREG | 0640, 0), 0);
        assert_int_equal(mkdir(below("keys/ada/%s", FINGERPRINT('.')), 0750), 0);
        assert_int_equal(mknod(below("keys/ada/%s/%s", FINGERPRINT('.'), ID('1')), S_IFREG | 0640, 0), 0);
        assert_int_equal(mknod(below("keys/ada/%s/%s.tmp", FINGERPRINT('A'), ID('1')), S_IFREG | 0640, 0), 0);
        assert_int_equal(mknod(below("keys/ada/%s/%s", FINGERPRINT('A'), ID('X')), S_IFREG | 0640, 0), 0);
        assert_int_equal(mknod(below("keys/ada/%s/short", FINGERPRINT('A')), S_IFREG | 0640, 0), 0);
        assert_seen(NULL, NULL, 1, "ada:A1");
}

/* The lowest descriptor that is free and has no other in use above it. */
static int first_free_descriptor(void) {
        DIR *directory = opendir("/proc/self/fd");
        struct dirent *entry;
        int highest = 0, next;

        assert_non_null(directory);
        while ((entry = readdir(directory)))
                if (atoi(entry->d_name) > highest && atoi(entry->d_name) != dirfd(directory))
                        highest = atoi(entry->d_name);
        assert_int_equal(closedir(directory), 0);
        do
                next = dup(0);
        while (next >= 0 && next < highest);
        assert_int_equal(close(next), 0);
        return next;
}

static void walk_without_descriptors_fails(void **state) {
        int next = first_free_descriptor();
        unsigned descriptors = open_descriptors();
        struct rlimit before, few;
        struct seen seen = {0};

        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        /* A walk over all has three directories open at its end, one to a known fingerprint two. */
        for (unsigned more = 0; more <= 5; more++) {
                int at_all, at_one, tidied;

                few = (struct rlimit){(rlim_t)next + more, before.rlim_max};
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
                at_all = store_walk(&store, NULL, NULL, see, &seen);
                at_one = store_walk(&store, "ada", FINGERPRINT('A'), see, &seen);
                tidied = more < 5 ? store_tidy(&store) : -EMFILE;
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
                assert_int_equal(at_all, more < 3 ? -EMFILE : 0);
                assert_int_equal(at_one, more < 2 ? -EMFILE : 0);
                assert_int_equal(tidied, -EMFILE);
                assert_true(counts("ada", 'A', '1'));
        }
        assert_int_equal(open_descriptors(), descriptors);
}

static void push_without_descriptors_leaves_nothing(void **state) {
        int next = first_free_descriptor(), r = -EMFILE;
        struct rlimit before, few;
        unsigned more;

        (void)state;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        for (more = 0; more < 10 && r < 0; more++) {
                few = (struct rlimit){(rlim_t)next + more, before.rlim_max};
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
                r = publish("ada", '1', "A");
                assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
                if (r < 0) {
                        assert_int_equal(r, -EMFILE);
                        assert_true(store_empty());
                }
        }
        assert_int_equal(more, 4);
        assert_true(counts("ada", 'A', '1'));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                STORE_TEST(walk_visits_the_keys_asked_for),
                STORE_TEST(reading_visits_only_keys_that_can_be_read),
                STORE_TEST(more_keys_than_one_read_of_a_directory),
                STORE_TEST(visit_ends_the_walk_with_its_result),
                STORE_TEST(visit_may_remove_the_key),
                STORE_TEST(foreign_names_are_skipped),
                STORE_TEST(walk_without_descriptors_fails),
                STORE_TEST(push_without_descriptors_leaves_nothing),
        };

        (void)umask(022);
        scratch_mount_namespace();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
