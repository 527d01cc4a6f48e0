/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/vfs.h>

#include "tests/unit/store_fixture.h"

static void assert_node(const char *path, mode_t mode, off_t size) {
        struct stat st;

        if (lstat(path, &st) < 0)
                fail_msg("%s: %s", path, strerror(errno));
        if (st.st_mode != mode || st.st_uid != SCRATCH_AGENT || st.st_gid != SCRATCH_HELPER)
                fail_msg("%s: mode %o, owner %u:%u", path, st.st_mode, st.st_uid, st.st_gid);
        if (size >= 0)
                assert_int_equal(st.st_size, size);
        if (S_ISREG(mode))
                assert_int_equal(st.st_nlink, 1);
}

static void owner_group_and_mode_do_not_depend_on_the_umask(void **state) {
        static const mode_t masks[] = {0, 022, 027};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(masks); i++) {
                char user[] = {(char)('a' + i), '\0'};

                (void)umask(masks[i]);
                assert_int_equal(publish(user, '1', "AB"), 0);
                assert_node(below("keys/%s", user), S_IFDIR | 02750, -1);
                assert_node(below("keys/%s/%s", user, FINGERPRINT('A')), S_IFDIR | 02750, -1);
                assert_node(KEY_PATH(user, 'A', '1'), S_IFREG | 0640, -1);
                assert_node(KEY_PATH(user, 'B', '1'), S_IFREG | 0640, -1);
                assert_node(below("claims/%s", user), S_IFDIR | 02750, -1);
                assert_node(CLAIM_PATH(user, '1'), S_IFREG | 0660, 2 * CLAIM_SLOT_SIZE);
                assert_true(counts(user, 'A', '1'));
                assert_true(counts(user, 'B', '1'));
        }
}

static void umask_that_hides_keys_from_the_helper_stores_nothing(void **state) {
        static const mode_t masks[] = {077, 0777, 070, 010, 0200};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(masks); i++) {
                (void)umask(masks[i]);
                assert_int_equal(publish("ada", '1', "A"), -EBADMSG);
                (void)umask(022);
                assert_true(store_empty());
        }
        /* With existing directories no mask matters. */
        assert_int_equal(publish("ada", '1', "A"), 0);
        (void)umask(0777);
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_node(KEY_PATH("ada", 'A', '2'), S_IFREG | 0640, -1);
        assert_node(CLAIM_PATH("ada", '2'), S_IFREG | 0660, 2 * CLAIM_SLOT_SIZE);
}

static void stored_grant_is_read_back(void **state) {
        struct grant grant = scratch_grant("ada", 7, 3), read;
        struct store_place place = place_of("ada", 'A', '1');
        int fd;

        (void)state;
        grant.restricted = true;
        grant.n_sources = 1;
        assert_true(source_from_text("192.0.2.0/24", &grant.sources[0]));
        (void)snprintf(grant.principal, sizeof(grant.principal), "ops");
        (void)snprintf(grant.request_id, sizeof(grant.request_id), "REQ-1");
        assert_int_equal(publish_as(&grant, '1', "A"), 0);
        assert_int_equal(store_read(&store, &place, &read), 0);
        assert_string_equal(read.user, "ada");
        assert_int_equal(read.connections, 7);
        assert_true(read.restricted);
        assert_int_equal(read.n_sources, 1);
        assert_memory_equal(&read.sources[0], &grant.sources[0], sizeof(struct source));
        assert_string_equal(read.principal, "ops");
        assert_string_equal(read.request_id, "REQ-1");
        assert_true(read.life.boot_end_ns == grant.life.boot_end_ns);
        assert_node(CLAIM_PATH("ada", '1'), S_IFREG | 0660, 7 * CLAIM_SLOT_SIZE);
        fd = store_open_claim(&store, &place, O_RDWR);
        assert_true(fd >= 0);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        assert_int_equal(claim_count(fd, 7), 0);
        assert_int_equal(close(fd), 0);
}

static void any_user_name_can_be_stored(void **state) {
        static const char *const users[] = {"..", "a/b", "\xc3\xa9", "%", "a b"};
        char long_name[GRANT_USER_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(users); i++) {
                assert_int_equal(publish(users[i], '1', "A"), 0);
                assert_true(counts(users[i], 'A', '1'));
        }
        memset(long_name, 'l', sizeof(long_name));
        long_name[GRANT_USER_MAX - 1] = '\0';
        assert_int_equal(publish(long_name, '1', "A"), 0);
        assert_true(counts(long_name, 'A', '1'));
        assert_false(exists(below("a")));
}

static void grant_without_a_claim_file_does_not_count(void **state) {
        struct store_place place = place_of("ada", 'A', '1');
        struct grant grant;

        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(store_remove_claim(&store, &place), 0);
        assert_false(exists(below("claims/ada")));
        assert_int_equal(store_read(&store, &place, &grant), 0);
        assert_int_equal(store_open_claim(&store, &place, O_RDONLY), -ENOENT);
        assert_false(counts("ada", 'A', '1'));
}

static void unlimited_grant_has_an_empty_claim_file(void **state) {
        struct grant grant = scratch_grant("ada", 0, 0);

        (void)state;
        assert_int_equal(publish_as(&grant, '1', "A"), 0);
        assert_node(CLAIM_PATH("ada", '1'), S_IFREG | 0660, 0);
        assert_true(counts("ada", 'A', '1'));
}

static void assert_unchanged(const char *path, const struct stat *before) {
        struct stat st;

        assert_int_equal(lstat(path, &st), 0);
        assert_int_equal(st.st_ino, before->st_ino);
        assert_int_equal(st.st_size, before->st_size);
        assert_int_equal(st.st_mtim.tv_sec, before->st_mtim.tv_sec);
        assert_int_equal(st.st_mtim.tv_nsec, before->st_mtim.tv_nsec);
        assert_int_equal(st.st_ctim.tv_nsec, before->st_ctim.tv_nsec);
}

static void repeated_push_changes_nothing(void **state) {
        static const struct connection_id who = {100, 1};
        struct store_place place = place_of("ada", 'A', '1');
        struct grant other = scratch_grant("ada", 2, 0), read;
        struct stat key, claim;
        int fd;

        (void)state;
        assert_int_equal(publish("ada", '1', "AB"), 0);
        fd = store_open_claim(&store, &place, O_RDWR);
        assert_int_equal(claim_slot(fd, 2, &who, CLAIM_TAKE), CLAIM_TAKEN);
        assert_int_equal(close(fd), 0);
        assert_int_equal(lstat(KEY_PATH("ada", 'A', '1'), &key), 0);
        assert_int_equal(lstat(CLAIM_PATH("ada", '1'), &claim), 0);

        other.life.boot_end_ns += 1000 * NS_PER_S;
        (void)snprintf(other.principal, sizeof(other.principal), "mallory");
        assert_int_equal(publish_as(&other, '1', "AB"), 0);

        assert_unchanged(KEY_PATH("ada", 'A', '1'), &key);
        assert_unchanged(CLAIM_PATH("ada", '1'), &claim);
        assert_int_equal(store_read(&store, &place, &read), 0);
        assert_string_equal(read.principal, "");
        fd = store_open_claim(&store, &place, O_RDWR);
        assert_int_equal(claim_count(fd, 2), 1);
        assert_int_equal(claim_slot(fd, 2, &who, CLAIM_FIND), CLAIM_HELD);
        assert_int_equal(close(fd), 0);
}

static void repeated_push_finishes_an_interrupted_one(void **state) {
        struct stat key;

        (void)state;
        /* Killed after one key of three. */
        assert_int_equal(publish("ada", '1', "ABC"), 0);
        assert_int_equal(lstat(KEY_PATH("ada", 'A', '1'), &key), 0);
        assert_int_equal(unlink(CLAIM_PATH("ada", '1')), 0);
        assert_int_equal(unlink(KEY_PATH("ada", 'B', '1')), 0);
        assert_int_equal(unlink(KEY_PATH("ada", 'C', '1')), 0);
        assert_int_equal(rmdir(below("keys/ada/%s", FINGERPRINT('C'))), 0);

        assert_int_equal(publish("ada", '1', "ABC"), 0);
        assert_unchanged(KEY_PATH("ada", 'A', '1'), &key);
        assert_true(counts("ada", 'A', '1') && counts("ada", 'B', '1') && counts("ada", 'C', '1'));
}

static void two_grants_of_one_key_are_independent(void **state) {
        struct store_place place = place_of("ada", 'A', '1');

        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_int_equal(store_remove_claim(&store, &place), 0);
        assert_int_equal(store_remove_key(&store, &place), 0);
        assert_false(counts("ada", 'A', '1'));
        assert_true(counts("ada", 'A', '2'));
}

static void invalid_grant_is_not_stored(void **state) {
        struct grant grant = scratch_grant("ada", 1, 0);
        struct store_key keys[65];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(keys); i++)
                keys[i] = scratch_store_key('A');
        assert_int_equal(store_publish(&store, ID('1'), &grant, keys, 0), -EINVAL);
        assert_int_equal(store_publish(&store, ID('1'), &grant, keys, ELEMENTS(keys)), -EINVAL);
        assert_int_equal(store_publish(&store, ID('x'), &grant, keys, 1), -EINVAL);
        assert_int_equal(store_publish(&store, "../1", &grant, keys, 1), -EINVAL);
        assert_int_equal(store_publish(&store, "", &grant, keys, 1), -EINVAL);
        grant.connections = GRANT_CONNECTIONS_MAX + 1;
        assert_int_equal(store_publish(&store, ID('1'), &grant, keys, 1), -EMSGSIZE);
        grant.connections = 1;
        grant.user[0] = '\0';
        assert_int_equal(store_publish(&store, ID('1'), &grant, keys, 1), -EINVAL);
        assert_true(store_empty());
}

/* Stores three keys where there is room for `n` of whatever `option` counts. */
static int publish_with_room_for(const char *option, unsigned n, const char *unit) {
        char options[128];
        int r;

        (void)tear_down(NULL);
        (void)snprintf(options, sizeof(options), "mode=0755,%s=%u%s", option, n, unit);
        assert_int_equal(mount_store(options), 0);
        r = publish("ada", '1', "ABC");
        if (r == 0)
                assert_true(counts("ada", 'A', '1') && counts("ada", 'B', '1') && counts("ada", 'C', '1'));
        else if (!store_empty())
                fail_msg("%s: %s, and files are left", options, strerror(-r));
        return r;
}

static void failed_push_leaves_no_directory(void **state) {
        unsigned n, failed = 0;

        (void)state;
        /* Four inodes exist before: the root and its three directories. Nine more are needed. */
        for (n = 4; n < 40; n++) {
                int r = publish_with_room_for("nr_inodes", n, "");

                if (r == 0)
                        break;
                assert_int_equal(r, -ENOSPC);
                failed++;
        }
        assert_in_range(n, 13, 24);
        assert_in_range(failed, 9, 36);

        failed = 0;
        for (n = 1; n < 40; n++) {
                int r = publish_with_room_for("nr_blocks", n, "");

                if (r == 0)
                        break;
                assert_int_equal(r, -ENOSPC);
                failed++;
        }
        assert_in_range(n, 4, 16);
        assert_in_range(failed, 3, 15);
}

/* Leaves `left` free blocks. */
static void fill(unsigned left) {
        static const uint8_t block[4096];
        struct statfs fs;
        int fd = open(below("state/fill"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(fstatfs(fd, &fs), 0);
        while (fs.f_bavail > left) {
                assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
                assert_int_equal(fstatfs(fd, &fs), 0);
        }
        assert_int_equal(close(fd), 0);
}

static void failed_push_keeps_other_grants(void **state) {
        (void)state;
        assert_int_equal(publish("ada", '1', "AB"), 0);
        for (unsigned left = 0; left < 3; left++) {
                fill(left);
                assert_int_equal(publish("ada", '2', "ABC"), -ENOSPC);
                assert_false(exists(KEY_PATH("ada", 'A', '2')));
                assert_false(exists(KEY_PATH("ada", 'B', '2')));
                assert_false(exists(below("keys/ada/%s", FINGERPRINT('C'))));
                assert_false(exists(CLAIM_PATH("ada", '2')));
                assert_int_equal(publish("bob", '2', "ABC"), -ENOSPC);
                assert_false(exists(below("keys/bob")));
                assert_false(exists(below("claims/bob")));
                assert_true(counts("ada", 'A', '1') && counts("ada", 'B', '1'));
                assert_int_equal(unlink(below("state/fill")), 0);
        }
        assert_int_equal(publish("ada", '2', "ABC"), 0);
}

/* A failed call removes only what it made: an earlier call or store_tidy() finishes the rest. */
static void failed_repeat_keeps_what_it_found(void **state) {
        (void)state;
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(unlink(CLAIM_PATH("ada", '1')), 0);
        fill(1);
        assert_int_equal(publish("ada", '1', "AB"), -ENOSPC);
        assert_true(exists(KEY_PATH("ada", 'A', '1')));
        assert_false(exists(below("keys/ada/%s", FINGERPRINT('B'))));
        assert_int_equal(unlink(below("state/fill")), 0);
        assert_int_equal(publish("ada", '1', "AB"), 0);
        assert_true(counts("ada", 'A', '1') && counts("ada", 'B', '1'));
}

static void foreign_directory_gets_no_key(void **state) {
        (void)state;
        scratch_become(0);
        scratch_make_directory(root, "claims/ada", SCRATCH_OTHER, SCRATCH_OTHER, 0777);
        scratch_become(SCRATCH_AGENT);
        assert_int_equal(publish("ada", '1', "AB"), -EBADMSG);
        assert_true(directory_empty(below("keys")));
        assert_true(exists(below("claims/ada")));
        assert_int_equal(symlink("../state", below("keys/bob")), 0);
        assert_int_equal(publish("bob", '1', "AB"), -EBADMSG);
        assert_true(directory_empty(below("state")));
        assert_int_equal(mkdir(below("keys/eve"), 0750), 0);
        assert_int_equal(symlink("../../state", below("keys/eve/%s", FINGERPRINT('A'))), 0);
        assert_int_equal(publish("eve", '1', "A"), -EBADMSG);
        assert_true(directory_empty(below("state")));
        assert_false(exists(below("claims/eve")));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                STORE_TEST(owner_group_and_mode_do_not_depend_on_the_umask),
                STORE_TEST(umask_that_hides_keys_from_the_helper_stores_nothing),
                STORE_TEST(stored_grant_is_read_back),
                STORE_TEST(any_user_name_can_be_stored),
                STORE_TEST(grant_without_a_claim_file_does_not_count),
                STORE_TEST(unlimited_grant_has_an_empty_claim_file),
                STORE_TEST(repeated_push_changes_nothing),
                STORE_TEST(repeated_push_finishes_an_interrupted_one),
                STORE_TEST(two_grants_of_one_key_are_independent),
                STORE_TEST(invalid_grant_is_not_stored),
                STORE_TEST(failed_push_leaves_no_directory),
                STORE_TEST(failed_push_keeps_other_grants),
                STORE_TEST(failed_repeat_keeps_what_it_found),
                STORE_TEST(foreign_directory_gets_no_key),
        };

        (void)umask(022);
        scratch_mount_namespace();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
