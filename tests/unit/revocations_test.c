/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/revocations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

/* Linked with --wrap=calloc, --wrap=malloc, --wrap=read and --wrap=write. */
static bool no_array, no_memory, no_read, short_writes;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size) {
        return no_array ? NULL : __real_calloc(n, size);
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size) {
        return no_memory ? NULL : __real_malloc(size);
}

ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size) {
        errno = EIO;
        return no_read ? -1 : __real_read(fd, buffer, size);
}

ssize_t __real_write(int fd, const void *buffer, size_t size);
ssize_t __wrap_write(int fd, const void *buffer, size_t size);
ssize_t __wrap_write(int fd, const void *buffer, size_t size) {
        return short_writes ? (ssize_t)size - 1 : __real_write(fd, buffer, size);
}

enum { IAT_S = 1800000000 };

static const struct instant start = {.boot_ns = 1000 * NS_PER_S, .wall_ns = IAT_S * NS_PER_S};
static char root[64];
static int state_fd;
static struct revocations revocations;

static struct instant after(int64_t boot_s, int64_t wall_s) {
        return (struct instant){start.boot_ns + boot_s * NS_PER_S, start.wall_ns + wall_s * NS_PER_S};
}

static struct revocation of_user(const char *user) {
        struct revocation what = {.all = false};

        (void)snprintf(what.user, sizeof(what.user), "%s", user);
        return what;
}

static struct revocation of_fingerprint(char c) {
        struct revocation what = {.all = false};

        scratch_fingerprint(c, what.fingerprint);
        return what;
}

static struct revocation of_all(void) {
        return (struct revocation){.all = true};
}

static void add_at(struct revocation what, int64_t iat_s, struct instant now) {
        assert_int_equal(revocations_add(&revocations, &what, iat_s, &now), 0);
}

static void add(struct revocation what, int64_t iat_s) {
        add_at(what, iat_s, start);
}

/* A push for that user, who is `canonical` to the name service, of keys with these fingerprints. */
static bool revoked_as(const char *user, const char *canonical, const char *fingerprints, int64_t iat_s) {
        static struct push push;

        push = (struct push){.n_keys = strlen(fingerprints)};
        (void)snprintf(push.user, sizeof(push.user), "%s", user);
        for (size_t i = 0; i < push.n_keys; i++)
                scratch_fingerprint(fingerprints[i], push.keys[i].fingerprint);
        return revocations_match(&revocations, &push, canonical, iat_s);
}

static bool revoked(const char *user, const char *fingerprints, int64_t iat_s) {
        return revoked_as(user, user, fingerprints, iat_s);
}

static void open_again(void) {
        revocations_close(&revocations);
        assert_int_equal(revocations_open(state_fd, &revocations), 0);
}

static int setup(void **state) {
        (void)state;
        scratch_mount_namespace();
        scratch_mount_store("mode=0755", root);
        state_fd = openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(state_fd >= 0);
        no_array = no_memory = no_read = short_writes = false;
        return revocations_open(state_fd, &revocations);
}

static int teardown(void **state) {
        (void)state;
        no_array = no_memory = no_read = short_writes = false;
        revocations_close(&revocations);
        revocations_close(&revocations); /* closing twice is no harm */
        (void)close(state_fd);
        scratch_unmount_store(root);
        return 0;
}

static void without_a_revocation_nothing_is_revoked(void **state) {
        (void)state;
        assert_false(revoked("alice", "ab", 0));
        open_again();
        assert_false(revoked("alice", "ab", 0));
}

static void a_push_must_be_signed_later_than_the_revocation(void **state) {
        (void)state;
        add(of_user("alice"), IAT_S);
        assert_true(revoked("alice", "a", IAT_S - 1));
        assert_true(revoked("alice", "a", IAT_S));
        assert_false(revoked("alice", "a", IAT_S + 1));
}

static void a_revocation_of_a_user_is_for_him_alone(void **state) {
        (void)state;
        add(of_user("alice"), IAT_S);
        assert_true(revoked("alice", "a", IAT_S));
        assert_false(revoked("alic", "a", IAT_S));
        assert_false(revoked("alicee", "a", IAT_S));
        assert_false(revoked("ALICE", "a", IAT_S));
        assert_false(revoked("bob", "a", IAT_S));
}

static void a_user_is_matched_as_asked_for_and_as_the_name_service_has_him(void **state) {
        (void)state;
        add(of_user("alice"), IAT_S);
        assert_true(revoked_as("ALICE", "alice", "a", IAT_S));
        assert_true(revoked_as("alice", "alice@example.org", "a", IAT_S));
        assert_false(revoked_as("bob", "bob@example.org", "a", IAT_S));
}

static void a_revocation_of_a_fingerprint_is_for_every_push_with_that_key(void **state) {
        (void)state;
        add(of_fingerprint('f'), IAT_S);
        assert_true(revoked("alice", "f", IAT_S));
        assert_true(revoked("bob", "abcdefgh", IAT_S));
        assert_false(revoked("alice", "abcdegh", IAT_S));
        assert_false(revoked("f", "a", IAT_S));
}

static void a_revocation_of_all_is_for_every_push(void **state) {
        (void)state;
        add(of_all(), IAT_S);
        assert_true(revoked("alice", "a", IAT_S));
        assert_true(revoked("bob", "bcd", 0));
        assert_false(revoked("bob", "bcd", IAT_S + 1));
}

static void each_of_several_counts_by_its_own_time(void **state) {
        (void)state;
        add(of_user("alice"), IAT_S + 10);
        add(of_user("bob"), IAT_S + 20);
        add(of_fingerprint('f'), IAT_S + 30);
        add(of_user("alice"), IAT_S - 50);
        for (int again = 0; again < 2; again++) {
                assert_true(revoked("alice", "a", IAT_S + 10));
                assert_false(revoked("alice", "a", IAT_S + 11));
                assert_true(revoked("bob", "a", IAT_S + 20));
                assert_false(revoked("bob", "a", IAT_S + 21));
                assert_true(revoked("carol", "f", IAT_S + 30));
                assert_false(revoked("carol", "a", IAT_S));
                open_again();
        }
}

static void revocations_outlive_the_agent(void **state) {
        char longest[GRANT_USER_MAX];

        (void)state;
        memset(longest, 'u', sizeof(longest));
        longest[sizeof(longest) - 1] = '\0';
        add(of_user(longest), IAT_S);
        add(of_fingerprint('f'), IAT_S + 1);
        open_again();
        assert_int_equal(revocations.n, 2);
        assert_true(revoked(longest, "a", IAT_S));
        assert_true(revoked("x", "f", IAT_S + 1));
        add(of_all(), IAT_S + 2);
        open_again();
        assert_true(revoked("x", "y", IAT_S + 2));
        assert_false(revoked("x", "y", IAT_S + 3));
}

/* A push of before has at most PAYLOAD_WINDOW_MAX_S to live from then on, so it is Expired without us. */
static void a_revocation_is_forgotten_when_both_clocks_are_past_what_it_could_refuse(void **state) {
        static const struct {
                int64_t boot_s, wall_s;
                bool kept;
        } times[] = {{0, 0, true}, {360, 1000, true}, {361, 330, true}, {1000, -1000, true}, {361, 331, false}};

        (void)state;
        for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
                add(of_user("alice"), IAT_S);
                add_at(of_user("bob"), IAT_S, after(times[i].boot_s, times[i].wall_s));
                assert_int_equal(revoked("alice", "a", IAT_S), times[i].kept);
                assert_true(revoked("bob", "a", IAT_S));
                revocations.n = 0;
        }
}

static void as_long_as_a_push_could_be_fresh_its_revocation_is_there(void **state) {
        (void)state;
        add(of_user("alice"), IAT_S);
        for (int64_t s = 0; s <= PAYLOAD_WINDOW_MAX_S; s += 10) {
                add_at(of_user("bob"), IAT_S, after(s, s));
                assert_true(revoked("alice", "a", IAT_S));
        }
}

static void a_full_list_becomes_one_that_refuses_more_and_never_less(void **state) {
        char user[32];

        (void)state;
        for (int i = 0; i < REVOCATIONS_MAX; i++) {
                (void)snprintf(user, sizeof(user), "user%d", i);
                add(of_user(user), IAT_S + i % 100);
        }
        assert_false(revoked("somebody", "a", IAT_S));
        open_again();
        assert_int_equal(revocations.n, REVOCATIONS_MAX);
        add(of_user("last"), IAT_S + 200);
        for (int again = 0; again < 2; again++) {
                assert_int_equal(revocations.n, 2);
                assert_true(revoked("user7", "a", IAT_S + 7));
                assert_true(revoked("somebody", "a", IAT_S + 99));
                assert_false(revoked("somebody", "a", IAT_S + 100));
                assert_true(revoked("last", "a", IAT_S + 200));
                open_again();
        }
        /* It lives as long as the one of them that had to live longest. */
        add_at(of_user("late"), IAT_S, after(360, 10000));
        assert_true(revoked("somebody", "a", IAT_S + 99));
}

static void however_often_the_list_is_full_nothing_is_lost(void **state) {
        (void)state;
        for (int i = 0; i < 3 * REVOCATIONS_MAX; i++)
                add(of_user("alice"), IAT_S + i);
        assert_true(revocations.n <= REVOCATIONS_MAX);
        assert_true(revoked("alice", "a", IAT_S + 3 * REVOCATIONS_MAX - 1));
        assert_false(revoked("alice", "a", IAT_S + 3 * REVOCATIONS_MAX));
}

static void write_file(const char *name, const void *bytes, size_t length) {
        int fd = openat(state_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(__real_write(fd, bytes, length), length);
        assert_int_equal(close(fd), 0);
}

static size_t read_file(void *bytes, size_t size) {
        int fd = openat(state_fd, "revocations", O_RDONLY | O_CLOEXEC);
        ssize_t n = __real_read(fd, bytes, size);

        assert_true(n > 0 && (size_t)n < size);
        assert_int_equal(close(fd), 0);
        return (size_t)n;
}

static void assert_refused(const void *bytes, size_t length) {
        struct revocations other;

        memset(&other, 0x55, sizeof(other));
        write_file("revocations", bytes, length);
        assert_int_equal(revocations_open(state_fd, &other), -EBADMSG);
        assert_int_equal(other.n, 0x5555555555555555); /* untouched */
}

static void a_file_that_was_cut_or_changed_is_refused(void **state) {
        uint8_t raw[1024], changed[1024];
        size_t n, one;

        (void)state;
        add(of_user("alice"), IAT_S);
        one = read_file(raw, sizeof(raw));
        add(of_fingerprint('f'), IAT_S);
        n = read_file(raw, sizeof(raw));
        for (size_t cut = 1; cut < n; cut++)
                if (cut != one)
                        assert_refused(raw, cut);
        memcpy(changed, raw, n);
        changed[0] = 2; /* neither true nor false */
        assert_refused(changed, n);
        memcpy(changed, raw, n);
        changed[4] = 0xff; /* a longer name than there is */
        assert_refused(changed, n);
        memcpy(changed, raw, n);
        changed[6] = '\0'; /* a NUL in the name */
        assert_refused(changed, n);
        memcpy(changed, raw, n);
        changed[one - 16] = 0x80; /* a negative time */
        assert_refused(changed, n);
        memcpy(changed, raw, n);
        changed[one - 8] = 0x80;
        assert_refused(changed, n);
        memset(changed, 0xff, sizeof(changed));
        assert_refused(changed, sizeof(changed));
        write_file("revocations", raw, n);
        open_again();
        assert_int_equal(revocations.n, 2);
}

/* No time that a file can hold makes the sums overflow. */
static void the_greatest_times_that_a_file_can_hold_are_kept(void **state) {
        uint8_t raw[1024];
        size_t n;

        (void)state;
        add(of_user("alice"), IAT_S);
        n = read_file(raw, sizeof(raw));
        memset(raw + n - 16, 0xff, 16);
        raw[n - 16] = raw[n - 8] = 0x7f;
        write_file("revocations", raw, n);
        open_again();
        add_at(of_user("bob"), IAT_S, after(1000000, 1000000));
        assert_true(revoked("alice", "a", INT64_MAX));
}

static void more_records_than_there_can_be_are_refused(void **state) {
        static uint8_t raw[(REVOCATIONS_MAX + 1) * 25];

        (void)state;
        assert_refused(raw, sizeof(raw));
        write_file("revocations", raw, sizeof(raw) - 25);
        open_again();
        assert_int_equal(revocations.n, REVOCATIONS_MAX);
}

static void what_is_no_file_of_ours_is_refused(void **state) {
        struct revocations other;

        (void)state;
        assert_int_equal(symlinkat("other", state_fd, "revocations"), 0);
        assert_int_equal(revocations_open(state_fd, &other), -ELOOP);
        assert_int_equal(unlinkat(state_fd, "revocations", 0), 0);
        assert_int_equal(mkdirat(state_fd, "revocations", 0700), 0);
        assert_int_equal(revocations_open(state_fd, &other), -EISDIR);
        assert_int_equal(unlinkat(state_fd, "revocations", AT_REMOVEDIR), 0);
        write_file("revocations", "", 0);
        no_read = true;
        assert_int_equal(revocations_open(state_fd, &other), -EIO);
        no_read = false;
        no_memory = true;
        assert_int_equal(revocations_open(state_fd, &other), -ENOMEM);
        no_memory = false;
        no_array = true;
        assert_int_equal(revocations_open(state_fd, &other), -ENOMEM);
        no_array = false;
        open_again();
}

/* What could not be written is an error, so that it is not answered as done; what was written before is still there. */
static void what_cannot_be_written_is_an_error_and_harms_nothing(void **state) {
        struct revocation what = of_user("bob");

        (void)state;
        add(of_user("alice"), IAT_S);
        no_memory = true;
        assert_int_equal(revocations_add(&revocations, &what, IAT_S, &start), -ENOMEM);
        no_memory = false;
        short_writes = true;
        assert_int_equal(revocations_add(&revocations, &what, IAT_S, &start), -ENOSPC);
        short_writes = false;
        assert_int_equal(unlinkat(state_fd, "revocations.new", 0), 0);
        assert_int_equal(mkdirat(state_fd, "revocations.new", 0700), 0);
        assert_int_equal(revocations_add(&revocations, &what, IAT_S, &start), -EISDIR);
        assert_int_equal(unlinkat(state_fd, "revocations.new", AT_REMOVEDIR), 0);
        assert_int_equal(symlinkat("/dev/full", state_fd, "revocations.new"), 0);
        assert_int_equal(revocations_add(&revocations, &what, IAT_S, &start), -ELOOP);
        assert_int_equal(unlinkat(state_fd, "revocations.new", 0), 0);
        open_again();
        assert_true(revoked("alice", "a", IAT_S));
}

static void a_file_system_that_is_full_is_an_error_and_harms_nothing(void **state) {
        struct revocation what = of_user("bob");
        struct stat st;

        (void)state;
        add(of_user("alice"), IAT_S);
        assert_int_equal(mount(NULL, root, NULL, MS_REMOUNT, "size=4k"), 0);
        assert_int_equal(revocations_add(&revocations, &what, IAT_S, &start), -ENOSPC);
        open_again();
        assert_true(revoked("alice", "a", IAT_S));
        assert_int_equal(unlinkat(state_fd, "revocations", 0), 0);
        assert_int_equal(fstatat(state_fd, "revocations.new", &st, 0), 0);
        assert_int_equal(mkdirat(state_fd, "revocations", 0700), 0);
        assert_int_equal(revocations_add(&revocations, &what, IAT_S, &start), -EISDIR);
        assert_int_equal(unlinkat(state_fd, "revocations", AT_REMOVEDIR), 0);
        add(what, IAT_S);
        open_again();
        assert_true(revoked("bob", "a", IAT_S));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(without_a_revocation_nothing_is_revoked),
                TEST(a_push_must_be_signed_later_than_the_revocation),
                TEST(a_revocation_of_a_user_is_for_him_alone),
                TEST(a_user_is_matched_as_asked_for_and_as_the_name_service_has_him),
                TEST(a_revocation_of_a_fingerprint_is_for_every_push_with_that_key),
                TEST(a_revocation_of_all_is_for_every_push),
                TEST(each_of_several_counts_by_its_own_time),
                TEST(revocations_outlive_the_agent),
                TEST(a_revocation_is_forgotten_when_both_clocks_are_past_what_it_could_refuse),
                TEST(as_long_as_a_push_could_be_fresh_its_revocation_is_there),
                TEST(a_full_list_becomes_one_that_refuses_more_and_never_less),
                TEST(however_often_the_list_is_full_nothing_is_lost),
                TEST(a_file_that_was_cut_or_changed_is_refused),
                TEST(the_greatest_times_that_a_file_can_hold_are_kept),
                TEST(more_records_than_there_can_be_are_refused),
                TEST(what_is_no_file_of_ours_is_refused),
                TEST(what_cannot_be_written_is_an_error_and_harms_nothing),
                TEST(a_file_system_that_is_full_is_an_error_and_harms_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
