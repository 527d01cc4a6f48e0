/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/store_fixture.h"

static void assert_denied(int result) {
        int error = errno;

        if (result >= 0)
                fail_msg("the helper is allowed to");
        if (error != EACCES && error != EPERM)
                fail_msg("%s", strerror(error));
}

static void helper_reads_keys_and_writes_slots(void **state) {
        static const struct connection_id who = {100, 1};
        struct store_place place = place_of("ada", 'A', '1');
        struct store helper;
        struct grant grant;
        char why[256];
        int fd;

        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        scratch_become(SCRATCH_HELPER);
        assert_int_equal(store_open(root, STORE_HELPER, &helper, why), 0);
        assert_int_equal(store_read(&helper, &place, &grant), 0);
        fd = store_open_claim(&helper, &place, O_RDWR);
        assert_true(fd >= 0);
        assert_int_equal(claim_slot(fd, grant.connections, &who, CLAIM_TAKE), CLAIM_TAKEN);
        assert_int_equal(claim_count(fd, grant.connections), 1);
        assert_int_equal(close(fd), 0);
        store_close(&helper);
}

static void helper_cannot_create_rename_or_remove(void **state) {
        const char *const directories[] = {"keys", "keys/ada", "claims", "claims/ada", "state", "."};
        const char *key, *claim;

        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        scratch_become(SCRATCH_HELPER);
        key = KEY_PATH("ada", 'A', '1');
        claim = CLAIM_PATH("ada", '1');
        assert_denied(open(key, O_WRONLY | O_CLOEXEC));
        assert_denied(open(key, O_RDWR | O_CLOEXEC));
        assert_denied(truncate(key, 0));
        assert_denied(unlink(key));
        assert_denied(unlink(claim));
        assert_denied(chmod(key, 0660));
        assert_denied(chmod(claim, 0666));
        assert_denied(rename(key, claim));
        assert_denied(rename(claim, key));
        assert_denied(link(claim, below("claims/ada/%s", ID('2'))));
        assert_denied(rmdir(below("claims/ada")));
        assert_denied(rename(below("claims/ada"), below("claims/bob")));
        assert_denied(rename(below("keys/ada"), below("keys/bob")));
        assert_denied(rename(below("keys"), below("keys2")));
        for (size_t i = 0; i < ELEMENTS(directories); i++) {
                assert_denied(open(below("%s/new", directories[i]), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
                assert_denied(open(below("%s", directories[i]), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
                assert_denied(mkdir(below("%s/new", directories[i]), 0700));
                assert_denied(symlink("/etc/passwd", below("%s/new", directories[i])));
        }
        assert_denied(open(below("state"), O_RDONLY | O_CLOEXEC));
        scratch_become(SCRATCH_AGENT);
        assert_true(counts("ada", 'A', '1'));
}

static void resized_claim_file_gives_no_slot(void **state) {
        static const struct connection_id who = {100, 1};
        struct store_place place = place_of("ada", 'A', '1');
        int fd;

        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        scratch_become(SCRATCH_HELPER);
        assert_int_equal(truncate(CLAIM_PATH("ada", '1'), 100 * CLAIM_SLOT_SIZE), 0);
        scratch_become(SCRATCH_AGENT);
        fd = store_open_claim(&store, &place, O_RDWR);
        assert_true(fd >= 0);
        assert_int_equal(claim_slot(fd, 2, &who, CLAIM_TAKE), CLAIM_NONE);
        assert_int_equal(claim_count(fd, 2), 2);
        assert_int_equal(close(fd), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                STORE_TEST(helper_reads_keys_and_writes_slots),
                STORE_TEST(helper_cannot_create_rename_or_remove),
                STORE_TEST(resized_claim_file_gives_no_slot),
        };

        (void)umask(022);
        scratch_mount_namespace();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
