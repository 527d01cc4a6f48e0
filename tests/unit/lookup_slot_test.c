/* SPDX-License-Identifier: Apache-2.0 */
/* Which grant a connection gets, and which slot. */
#include "tests/unit/lookup_fixture.h"

static void connection_gets_its_key_again(void **state) {
        struct ssh_key expected = scratch_key('A');

        (void)state;
        publish("ada", '1', 'A', 1, 0);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        assert_found('1', true);
        assert_string_equal(answer->found.grant.user, "ada");
        assert_memory_equal(answer->found.grant.key.blob, expected.blob, expected.blob_length);
        assert_string_equal(answer->found.place.user, "ada");
        assert_int_equal(answer->found.place.fingerprint[0], 'A');
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        assert_found('1', false);
}

static void other_connection_finds_no_slot(void **state) {
        (void)state;
        publish("ada", '1', 'A', 1, 0);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        assert_int_equal(find("ada", 'A', &second), LOOKUP_NO_SLOT);
        assert_string_equal(answer->found.grant.user, "ada");
        assert_string_equal(answer->found.place.user, "ada");
        assert_int_equal(answer->found.place.id[0], '1');
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
}

static void held_slot_comes_before_a_newer_grant(void **state) {
        (void)state;
        publish("ada", '1', 'A', 1, 20);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        publish("ada", '2', 'A', 1, 10);
        publish("ada", '3', 'A', 0, 0);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        assert_found('1', false);
}

static void newest_free_grant_is_taken(void **state) {
        (void)state;
        publish("ada", '2', 'A', 1, 10);
        publish("ada", '3', 'A', 1, 0);
        publish("ada", '1', 'A', 1, 20);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        assert_found('3', true);
        assert_int_equal(find("ada", 'A', &second), LOOKUP_FOUND);
        assert_found('2', true);
        assert_int_equal(find("ada", 'A', &third), LOOKUP_FOUND);
        assert_found('1', true);
        assert_int_equal(find("ada", 'A', &(struct connection_id){103, 1}), LOOKUP_NO_SLOT);
        assert_int_equal(answer->found.place.id[0], '3');
        assert_int_equal(find("ada", 'A', &second), LOOKUP_FOUND);
        assert_found('2', false);
}

static void order_holds_beyond_the_limit(void **state) {
        enum { GRANTS = 80, LOOKED_AT = 64 };
        struct store_key key = scratch_store_key('A');

        (void)state;
        scratch_become(SCRATCH_AGENT);
        /* In no order of age: 37 and 80 have no common divisor. */
        for (unsigned i = 0; i < GRANTS; i++) {
                unsigned age = i * 37 % GRANTS;
                struct grant grant = scratch_grant("ada", 1, age);
                char id[STORE_ID_MAX];

                scratch_id('0', id);
                id[0] = "0123456789abcdef"[age / 16];
                id[1] = "0123456789abcdef"[age % 16];
                assert_int_equal(store_publish(&agent, id, &grant, &key, 1), 0);
        }
        for (unsigned i = 0; i < LOOKED_AT; i++) {
                assert_int_equal(find("ada", 'A', &(struct connection_id){1000 + i, 1}), LOOKUP_FOUND);
                assert_int_equal(answer->found.place.id[0], "0123456789abcdef"[i / 16]);
                assert_int_equal(answer->found.place.id[1], "0123456789abcdef"[i % 16]);
        }
        assert_int_equal(find("ada", 'A', &(struct connection_id){2000, 1}), LOOKUP_NO_SLOT);
}

static void unlimited_grant_serves_all(void **state) {
        (void)state;
        publish("ada", '1', 'A', 0, 0);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
                assert_found('1', true);
                assert_int_equal(find("ada", 'A', &second), LOOKUP_FOUND);
        }
}

/* A grant that was revoked, or is not yet stored as a whole, is not "used up". */
static void grant_without_a_claim_file_does_not_count(void **state) {
        (void)state;
        publish("ada", '1', 'A', 1, 0);
        publish("ada", '2', 'B', 0, 0);
        assert_int_equal(unlink(claim_path("ada", '1')), 0);
        assert_int_equal(unlink(claim_path("ada", '2')), 0);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_NOTHING);
        assert_int_equal(find("ada", 'B', &first), LOOKUP_NOTHING);
}

static void claim_file_of_wrong_size_has_no_slot(void **state) {
        (void)state;
        publish("ada", '1', 'A', 1, 0);
        assert_int_equal(truncate(claim_path("ada", '1'), 3 * CLAIM_SLOT_SIZE), 0);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_NO_SLOT);
        assert_int_equal(truncate(claim_path("ada", '1'), 0), 0);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_NO_SLOT);
}

static void unusable_claim_file_is_an_error_of_last_resort(void **state) {
        (void)state;
        publish("ada", '1', 'A', 1, 0);
        assert_int_equal(chmod(claim_path("ada", '1'), 0600), 0);
        assert_int_equal(find("ada", 'A', &first), -EBADMSG);
        publish("ada", '2', 'A', 1, 10);
        assert_int_equal(find("ada", 'A', &first), LOOKUP_FOUND);
        assert_found('2', true);
        assert_int_equal(find("ada", 'A', &second), LOOKUP_NO_SLOT);
        assert_int_equal(answer->found.place.id[0], '2');
}

/* Whether a process waits for a lock of the file. */
static bool lock_awaited(const char *path) {
        FILE *locks = fopen("/proc/locks", "re");
        char line[256], inode[32];
        struct stat st;
        bool found = false;

        assert_non_null(locks);
        assert_int_equal(stat(path, &st), 0);
        (void)snprintf(inode, sizeof(inode), ":%lu ", (unsigned long)st.st_ino);
        while (fgets(line, sizeof(line), locks))
                if (strstr(line, "-> ") && strstr(line, "OFDLCK") && strstr(line, inode))
                        found = true;
        assert_int_equal(fclose(locks), 0);
        return found;
}

/* The newest grant is full and locked. While the lookup waits for it, `meanwhile` changes the store. */
static void find_behind_a_lock(void (*meanwhile)(void)) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        pid_t child;
        int fd, status;

        publish("ada", '1', 'A', 1, 10);
        publish("ada", '2', 'A', 1, 0);
        assert_int_equal(find("ada", 'A', &second), LOOKUP_FOUND);
        assert_found('2', true);

        fd = open(claim_path("ada", '2'), O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(fcntl(fd, F_OFD_SETLKW, &lock), 0);
        child = scratch_fork();
        if (child == 0) {
                (void)close(fd);
                (void)find("ada", 'A', &first);
                scratch_exit(EXIT_SUCCESS);
        }
        assert_true(child > 0);
        while (!lock_awaited(claim_path("ada", '2')))
                assert_int_equal(waitpid(child, &status, WNOHANG), 0);
        meanwhile();
        assert_int_equal(close(fd), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
}

static void exchange_the_key(void) {
        char other[256];

        publish("ada", '1', 'B', 1, 10);
        (void)snprintf(other, sizeof(other), "%s", key_path("ada", 'B', '1'));
        assert_int_equal(rename(other, key_path("ada", 'A', '1')), 0);
}

static void compared_key_is_the_one_given_out(void **state) {
        (void)state;
        find_behind_a_lock(exchange_the_key);
        assert_found('1', true);
        assert_int_equal(answer->found.grant.key.blob[19], 'A');
}

/* As a revocation does first. */
static void remove_the_claim_file(void) {
        assert_int_equal(unlink(claim_path("ada", '1')), 0);
}

static void grant_that_ends_meanwhile_is_not_given_out(void **state) {
        (void)state;
        find_behind_a_lock(remove_the_claim_file);
        assert_int_equal(answer->result, LOOKUP_NO_SLOT);
        assert_int_equal(answer->found.place.id[0], '2');
}

int main(void) {
        const struct CMUnitTest tests[] = {
                LOOKUP_TEST(connection_gets_its_key_again),
                LOOKUP_TEST(other_connection_finds_no_slot),
                LOOKUP_TEST(held_slot_comes_before_a_newer_grant),
                LOOKUP_TEST(newest_free_grant_is_taken),
                LOOKUP_TEST(order_holds_beyond_the_limit),
                LOOKUP_TEST(unlimited_grant_serves_all),
                LOOKUP_TEST(grant_without_a_claim_file_does_not_count),
                LOOKUP_TEST(claim_file_of_wrong_size_has_no_slot),
                LOOKUP_TEST(unusable_claim_file_is_an_error_of_last_resort),
                LOOKUP_TEST(compared_key_is_the_one_given_out),
                LOOKUP_TEST(grant_that_ends_meanwhile_is_not_given_out),
        };

        set_up_lookup();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
