/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/store_fixture.h"

static void assert_not_opened(const char *path, enum store_side side, int expected, const char *named,
                              const char *reason) {
        struct store other = {.root_fd = 70, .keys_fd = 71, .claims_fd = 72, .state_fd = 73, .owner = 74};
        unsigned before = open_descriptors();
        char why[256] = "";
        int r;

        r = store_open(path, side, &other, why);
        if (r != expected || !strstr(why, named) || !strstr(why, reason))
                fail_msg("%s: %d \"%s\" and not %d \"%s … %s\"", path, r, why, expected, named, reason);
        assert_int_equal(other.root_fd, 70);
        assert_int_equal(other.keys_fd, 71);
        assert_int_equal(other.claims_fd, 72);
        assert_int_equal(other.state_fd, 73);
        assert_int_equal(other.owner, 74);
        assert_int_equal(open_descriptors(), before);
}

static void agent_opens_its_own_store(void **state) {
        (void)state;
        assert_true(store.keys_fd >= 0 && store.claims_fd >= 0 && store.state_fd >= 0);
        assert_int_equal(store.owner, SCRATCH_AGENT);
        assert_true(fcntl(store.keys_fd, F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(store.claims_fd, F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(store.state_fd, F_GETFD) & FD_CLOEXEC);
}

static void store_can_be_closed_twice(void **state) {
        unsigned before = open_descriptors();

        (void)state;
        store_close(&store);
        assert_int_equal(open_descriptors(), before - 4);
        assert_int_equal(store.keys_fd, -EBADF);
        store_close(&store);
        assert_int_equal(open_descriptors(), before - 4);
}

static void helper_opens_it_without_state(void **state) {
        struct store other;
        char why[256];

        (void)state;
        scratch_become(0);
        assert_int_equal(rmdir(below("state")), 0);
        scratch_become(SCRATCH_HELPER);
        assert_int_equal(store_open(root, STORE_HELPER, &other, why), 0);
        assert_int_equal(other.state_fd, -EBADF);
        assert_int_equal(other.owner, SCRATCH_AGENT);
        store_close(&other);
        scratch_become(SCRATCH_AGENT);
        assert_not_opened(root, STORE_AGENT, -ENOENT, below("state"), "cannot be opened");
}

static void other_user_cannot_open_it(void **state) {
        (void)state;
        scratch_become(SCRATCH_OTHER);
        assert_not_opened(root, STORE_HELPER, -EACCES, below("keys"), "cannot be opened");
        assert_not_opened(root, STORE_AGENT, -EACCES, below("keys"), "cannot be opened");
}

static void owner_must_be_the_agents_user(void **state) {
        (void)state;
        scratch_become(0);
        assert_not_opened(root, STORE_AGENT, -EPERM, below("keys"), "belongs to user id 60001, not to 0");
}

static void runtime_dir_on_a_disk_is_refused(void **state) {
        (void)state;
        scratch_become(0);
        assert_not_opened("/proc", STORE_AGENT, -EPERM, "/proc", "not on a tmpfs");
        assert_not_opened("/proc", STORE_HELPER, -EPERM, "/proc", "not on a tmpfs");
}

static void directory_on_a_disk_is_refused(void **state) {
        static const char *const names[] = {"keys", "claims", "state"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                scratch_become(0);
                assert_int_equal(mount("/proc/self", below("%s", names[i]), NULL, MS_BIND, NULL), 0);
                scratch_become(SCRATCH_AGENT);
                assert_not_opened(root, STORE_AGENT, -EPERM, below("%s", names[i]), "not on a tmpfs");
                scratch_become(0);
                assert_int_equal(umount2(below("%s", names[i]), MNT_DETACH), 0);
        }
}

static void ramfs_is_accepted(void **state) {
        struct store other;
        char why[256];

        (void)state;
        scratch_become(0);
        assert_int_equal(mount("ramfs", root, "ramfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0755"), 0);
        scratch_make_directory(root, "keys", SCRATCH_AGENT, SCRATCH_HELPER, 02750);
        scratch_make_directory(root, "claims", SCRATCH_AGENT, SCRATCH_HELPER, 02750);
        scratch_become(SCRATCH_HELPER);
        assert_int_equal(store_open(root, STORE_HELPER, &other, why), 0);
        store_close(&other);
        scratch_become(0);
        assert_int_equal(umount2(root, MNT_DETACH), 0);
}

/* As claims.mount makes it. */
static void claims_may_be_a_tmpfs_of_their_own(void **state) {
        struct store other;
        char why[256];

        (void)state;
        scratch_become(0);
        assert_int_equal(mount("tmpfs", below("claims"), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=2750"), 0);
        assert_int_equal(chown(below("claims"), SCRATCH_AGENT, SCRATCH_HELPER), 0);
        assert_int_equal(chmod(below("claims"), 02750), 0);
        scratch_become(SCRATCH_HELPER);
        assert_int_equal(store_open(root, STORE_HELPER, &other, why), 0);
        store_close(&other);
        scratch_become(0);
        assert_int_equal(umount2(below("claims"), MNT_DETACH), 0);
}

static void writable_runtime_dir_is_refused(void **state) {
        static const mode_t modes[] = {0775, 0757, 0777, 01777, 0720, 0702};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(modes); i++) {
                scratch_become(0);
                assert_int_equal(chmod(root, modes[i]), 0);
                assert_not_opened(root, STORE_HELPER, -EPERM, root, "writable by root alone");
        }
        assert_int_equal(chmod(root, 0755), 0);
        assert_int_equal(chown(root, SCRATCH_AGENT, SCRATCH_AGENT), 0);
        assert_not_opened(root, STORE_HELPER, -EPERM, root, "must be root's");
        scratch_become(SCRATCH_AGENT);
        assert_not_opened(root, STORE_AGENT, -EPERM, root, "must be root's");
}

static void runtime_dir_must_be_a_directory(void **state) {
        char link[80], file[80];

        (void)state;
        scratch_become(0);
        (void)snprintf(link, sizeof(link), "%s.link", root);
        (void)snprintf(file, sizeof(file), "%s/file", root);
        assert_int_equal(symlink(root, link), 0);
        assert_not_opened(link, STORE_HELPER, -ENOTDIR, link, "cannot be opened");
        assert_int_equal(unlink(link), 0);
        assert_not_opened(link, STORE_HELPER, -ENOENT, link, "cannot be opened");
        assert_int_equal(mknod(file, S_IFREG | 0644, 0), 0);
        assert_not_opened(file, STORE_HELPER, -ENOTDIR, file, "cannot be opened");
}

static void each_directory_must_match_the_table(void **state) {
        static const struct {
                const char *name;
                mode_t mode;
                mode_t wrong[5];
        } directories[] = {
                {"keys", 02750, {0750, 02755, 02770, 0700, 06750}},
                {"claims", 02750, {0750, 02751, 02770, 02700, 03750}},
                {"state", 0700, {0750, 02700, 0701, 0770, 01700}},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(directories); i++) {
                const char *name = directories[i].name;
                char path[128], aside[128], named[16];
                bool helper_needs_it = strcmp(name, "state") != 0;

                (void)snprintf(path, sizeof(path), "%s/%s", root, name);
                (void)snprintf(aside, sizeof(aside), "%s/aside", root);
                for (size_t j = 0; j < ELEMENTS(directories[i].wrong); j++) {
                        scratch_become(0);
                        assert_int_equal(chmod(path, directories[i].wrong[j]), 0);
                        (void)snprintf(named, sizeof(named), "mode %04o", directories[i].wrong[j]);
                        scratch_become(SCRATCH_AGENT);
                        assert_not_opened(root, STORE_AGENT, -EPERM, path, named);
                        scratch_become(0);
                        if (helper_needs_it)
                                assert_not_opened(root, STORE_HELPER, -EPERM, path, named);
                }
                assert_int_equal(chmod(path, directories[i].mode), 0);

                /* Root can open it with any owner. */
                assert_int_equal(chown(path, SCRATCH_OTHER, SCRATCH_AGENT), 0);
                assert_int_equal(chmod(path, directories[i].mode), 0);
                if (strcmp(name, "claims") == 0)
                        assert_not_opened(root, STORE_HELPER, -EPERM, path, "belongs to user id 60003, not to 60001");
                if (strcmp(name, "keys") == 0)
                        assert_not_opened(root, STORE_HELPER, -EPERM, below("claims"),
                                          "belongs to user id 60001, not to 60003");
                assert_int_equal(chown(path, SCRATCH_AGENT, helper_needs_it ? SCRATCH_HELPER : SCRATCH_AGENT), 0);
                assert_int_equal(chmod(path, directories[i].mode), 0);

                assert_int_equal(rename(path, aside), 0);
                assert_int_equal(symlink("aside", path), 0);
                scratch_become(SCRATCH_AGENT);
                assert_not_opened(root, STORE_AGENT, -ENOTDIR, path, "cannot be opened");
                scratch_become(SCRATCH_HELPER);
                if (helper_needs_it)
                        assert_not_opened(root, STORE_HELPER, -ENOTDIR, path, "cannot be opened");
                scratch_become(0);
                assert_int_equal(unlink(path), 0);
                scratch_become(SCRATCH_AGENT);
                assert_not_opened(root, STORE_AGENT, -ENOENT, path, "cannot be opened");
                scratch_become(0);
                assert_int_equal(mkfifo(path, 0640), 0);
                scratch_become(SCRATCH_AGENT);
                assert_not_opened(root, STORE_AGENT, -ENOTDIR, path, "cannot be opened");
                scratch_become(0);
                assert_int_equal(unlink(path), 0);
                assert_int_equal(rename(aside, path), 0);
        }
        scratch_become(SCRATCH_AGENT);
        store_close(&store);
        {
                char why[256];

                assert_int_equal(store_open(root, STORE_AGENT, &store, why), 0);
        }
}

static void long_path_is_cut_in_the_reason(void **state) {
        char path[4000], why[256 + 8];
        struct store other;

        (void)state;
        memset(path, 'p', sizeof(path));
        path[0] = '/';
        path[200] = '/';
        path[400] = '\0';
        memset(why, 0x5a, sizeof(why));
        assert_int_equal(store_open(path, STORE_HELPER, &other, why), -ENOENT);
        assert_int_equal(strlen(why), 255);
        assert_int_equal(why[256], 0x5a);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                STORE_TEST(agent_opens_its_own_store),          STORE_TEST(store_can_be_closed_twice),
                STORE_TEST(helper_opens_it_without_state),      STORE_TEST(other_user_cannot_open_it),
                STORE_TEST(owner_must_be_the_agents_user),      STORE_TEST(runtime_dir_on_a_disk_is_refused),
                STORE_TEST(directory_on_a_disk_is_refused),     STORE_TEST(ramfs_is_accepted),
                STORE_TEST(claims_may_be_a_tmpfs_of_their_own), STORE_TEST(writable_runtime_dir_is_refused),
                STORE_TEST(runtime_dir_must_be_a_directory),    STORE_TEST(each_directory_must_match_the_table),
                STORE_TEST(long_path_is_cut_in_the_reason),
        };

        (void)umask(022);
        scratch_mount_namespace();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
