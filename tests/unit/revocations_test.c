/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/revocations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

/* Linked with --wrap=calloc, --wrap=pread and --wrap=pwrite. */
static int callocs_until_failure;
static bool no_read, short_writes;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size) {
        return callocs_until_failure > 0 && --callocs_until_failure == 0 ? NULL : __real_calloc(n, size);
}

ssize_t __real_pread(int fd, void *buffer, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *buffer, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *buffer, size_t size, off_t offset) {
        errno = EIO;
        return no_read ? -1 : __real_pread(fd, buffer, size, offset);
}

ssize_t __real_pwrite(int fd, const void *buffer, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *buffer, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *buffer, size_t size, off_t offset) {
        return short_writes ? (ssize_t)size - 1 : __real_pwrite(fd, buffer, size, offset);
}

enum {
        IAT_S = 1800000000,
        RECORD_SIZE = 512, /* bytes; the header has as many */
        FILE_SIZE = (REVOCATIONS_MAX + 1) * RECORD_SIZE,
        BIRTH_NS = 500,
};

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

/* Whether the clock was synchronized; without it the time of a revocation is its iat. */
static void add_with(struct revocation what, int64_t iat_s, struct instant received, bool synchronized) {
        assert_int_equal(revocations_add(&revocations, &what, iat_s, &received, synchronized), 0);
}

static void add_at(struct revocation what, int64_t iat_s, struct instant received) {
        add_with(what, iat_s, received, false);
}

static void add(struct revocation what, int64_t iat_s) {
        add_at(what, iat_s, start);
}

/* A push for that user, who is `canonical` to the name service, of keys with these fingerprints. */
static bool revoked_with(const char *user, const char *canonical, const char *fingerprints, int64_t iat_s,
                         struct instant now) {
        static struct push push;

        push = (struct push){.n_keys = strlen(fingerprints)};
        (void)snprintf(push.user, sizeof(push.user), "%s", user);
        for (size_t i = 0; i < push.n_keys; i++)
                scratch_fingerprint(fingerprints[i], push.keys[i].fingerprint);
        return revocations_match(&revocations, &push, canonical, iat_s, &now);
}

static bool revoked_as(const char *user, const char *canonical, const char *fingerprints, int64_t iat_s) {
        return revoked_with(user, canonical, fingerprints, iat_s, start);
}

static bool revoked_at(int64_t iat_s, struct instant now) {
        return revoked_with("alice", "alice", "a", iat_s, now);
}

static size_t n_used(void) {
        size_t n = 0;

        for (size_t i = 0; i < REVOCATIONS_MAX; i++)
                n += revocations.list[i].used;
        return n;
}

static bool revoked(const char *user, const char *fingerprints, int64_t iat_s) {
        return revoked_as(user, user, fingerprints, iat_s);
}

static void open_again(void) {
        revocations_close(&revocations);
        assert_int_equal(revocations_open(state_fd, BIRTH_NS, &revocations), 0);
}

static int setup(void **state) {
        (void)state;
        scratch_mount_namespace();
        scratch_mount_store("mode=0755", root);
        state_fd = openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(state_fd >= 0);
        no_read = short_writes = false;
        callocs_until_failure = 0;
        return revocations_open(state_fd, BIRTH_NS, &revocations);
}

static int teardown(void **state) {
        (void)state;
        no_read = short_writes = false;
        callocs_until_failure = 0;
        revocations_close(&revocations);
        revocations_close(&revocations); /* closing twice is no harm */
        (void)close(state_fd);
        scratch_unmount_store(root);
        return 0;
}

static void empty_memory_matches_nothing(void **state) {
        (void)state;
        assert_false(revoked("alice", "ab", 0));
        open_again();
        assert_false(revoked("alice", "ab", 0));
}

static void push_must_be_later_than_revocation(void **state) {
        (void)state;
        add(of_user("alice"), IAT_S);
        assert_true(revoked("alice", "a", IAT_S - 1));
        assert_true(revoked("alice", "a", IAT_S));
        assert_false(revoked("alice", "a", IAT_S + 1));
}

static void user_revocation_matches_user(void **state) {
        (void)state;
        add(of_user("alice"), IAT_S);
        assert_true(revoked("alice", "a", IAT_S));
        assert_false(revoked("alic", "a", IAT_S));
        assert_false(revoked("alicee", "a", IAT_S));
        assert_false(revoked("ALICE", "a", IAT_S));
        assert_false(revoked("bob", "a", IAT_S));
}

static void user_matches_under_both_names(void **state) {
        (void)state;
        add(of_user("alice"), IAT_S);
        assert_true(revoked_as("ALICE", "alice", "a", IAT_S));
        assert_true(revoked_as("alice", "alice@example.org", "a", IAT_S));
        assert_false(revoked_as("bob", "bob@example.org", "a", IAT_S));
}

static void fingerprint_revocation_matches_every_user(void **state) {
        (void)state;
        add(of_fingerprint('f'), IAT_S);
        assert_true(revoked("alice", "f", IAT_S));
        assert_true(revoked("bob", "abcdefgh", IAT_S));
        assert_false(revoked("alice", "abcdegh", IAT_S));
        assert_false(revoked("f", "a", IAT_S));
}

static void revocation_of_all_matches_everything(void **state) {
        (void)state;
        add(of_all(), IAT_S);
        assert_true(revoked("alice", "a", IAT_S));
        assert_true(revoked("bob", "bcd", 0));
        assert_false(revoked("bob", "bcd", IAT_S + 1));
}

static void revocations_keep_their_own_times(void **state) {
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

static void revocations_survive_restart(void **state) {
        char longest[GRANT_USER_MAX];

        (void)state;
        memset(longest, 'u', sizeof(longest));
        longest[sizeof(longest) - 1] = '\0';
        add(of_user(longest), IAT_S);
        add(of_fingerprint('f'), IAT_S + 1);
        open_again();
        assert_int_equal(n_used(), 2);
        assert_true(revoked(longest, "a", IAT_S));
        assert_true(revoked("x", "f", IAT_S + 1));
        add(of_all(), IAT_S + 2);
        open_again();
        assert_true(revoked("x", "y", IAT_S + 2));
        assert_false(revoked("x", "y", IAT_S + 3));
}

static void time_is_that_of_receipt(void **state) {
        static const int64_t iats_s[] = {0, IAT_S - 600, IAT_S - 1, IAT_S, IAT_S + 29, IAT_S + 600, INT64_C(1) << 40};

        (void)state;
        for (size_t i = 0; i < sizeof(iats_s) / sizeof(iats_s[0]); i++) {
                assert_int_equal(unlinkat(state_fd, "revocations", 0), 0);
                open_again();
                add_with(of_user("alice"), iats_s[i], start, true);
                for (int again = 0; again < 2; again++) {
                        assert_true(revoked_at(IAT_S - 1, start));
                        assert_true(revoked_at(IAT_S, start));
                        assert_false(revoked_at(IAT_S + 1, start));
                        open_again();
                }
        }
}

static void unsynchronized_time_is_iat_bounded_by_receipt(void **state) {
        (void)state;
        add(of_user("alice"), IAT_S + REVOCATIONS_AHEAD_MAX_S);
        assert_true(revoked_at(IAT_S + REVOCATIONS_AHEAD_MAX_S, start));
        assert_false(revoked_at(IAT_S + REVOCATIONS_AHEAD_MAX_S + 1, start));
        add(of_user("alice"), INT64_C(1) << 40);
        assert_true(revoked_at(IAT_S + REVOCATIONS_AHEAD_MAX_S, start));
        assert_false(revoked_at(IAT_S + REVOCATIONS_AHEAD_MAX_S + 1, start));
}

/* As after a boot without a clock of its own: a push that was held back comes once the clock is right. */
static void clock_set_after_receipt_opens_no_gap(void **state) {
        struct instant in_1970 = {.boot_ns = start.boot_ns, .wall_ns = 0};

        (void)state;
        add_at(of_user("alice"), IAT_S - 10, in_1970);
        open_again();
        assert_true(revoked_at(IAT_S - 10, after(5, 5)));
        assert_false(revoked_at(IAT_S - 9, after(5, 5)));
}

/* A push of before has at most PAYLOAD_WINDOW_MAX_S to live from then on, so it is Expired without us. */
static void revocation_is_forgotten_by_both_clocks(void **state) {
        static const struct {
                int64_t boot_s, wall_s;
                bool kept;
        } times[] = {{0, 0, true}, {660, 1000, true}, {661, 330, true}, {1000, -1000, true}, {661, 331, false}};

        (void)state;
        for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
                struct instant now = after(times[i].boot_s, times[i].wall_s);

                add_with(of_user("alice"), IAT_S, start, true);
                add_with(of_user("bob"), IAT_S, now, true);
                assert_int_equal(revoked("alice", "a", IAT_S), times[i].kept);
                assert_true(revoked("bob", "a", now.wall_ns / NS_PER_S));
                assert_int_equal(unlinkat(state_fd, "revocations", 0), 0);
                open_again();
        }
}

static void revocation_outlives_fresh_pushes(void **state) {
        (void)state;
        add(of_user("alice"), IAT_S);
        for (int64_t s = 0; s <= PAYLOAD_WINDOW_MAX_S; s += 10) {
                add_at(of_user("bob"), IAT_S, after(s, s));
                assert_true(revoked("alice", "a", IAT_S));
        }
}

static void full_list_is_merged_into_one(void **state) {
        char user[32];

        (void)state;
        for (int i = 0; i < REVOCATIONS_MAX; i++) {
                (void)snprintf(user, sizeof(user), "user%d", i);
                add(of_user(user), IAT_S + i % 100);
        }
        assert_false(revoked("somebody", "a", IAT_S));
        open_again();
        assert_int_equal(n_used(), REVOCATIONS_MAX);
        add(of_user("last"), IAT_S + 200);
        for (int again = 0; again < 2; again++) {
                assert_true(revoked("user7", "a", IAT_S + 7));
                assert_true(revoked("somebody", "a", IAT_S + 200));
                assert_false(revoked("somebody", "a", IAT_S + 201));
                assert_true(revoked("last", "a", IAT_S + 200));
                open_again();
        }
        /* It lives as long as the one of them that had to live longest. */
        add_at(of_user("late"), IAT_S, after(360, 10000));
        assert_true(revoked("somebody", "a", IAT_S + 200));
}

/* Whatever the clock was at each receipt: none of them may count for less than it did. */
static void merged_revocation_keeps_latest_time(void **state) {
        for (int kind = 0; kind < 4; kind++) {
                bool first = kind & 1, last = kind & 2;

                (void)state;
                assert_int_equal(unlinkat(state_fd, "revocations", 0), 0);
                open_again();
                for (int i = 0; i < REVOCATIONS_MAX; i++)
                        add_with(of_user("alice"), IAT_S + 5, after(i / 10, i / 10), first);
                add_with(of_user("bob"), IAT_S + 7, after(40, 40), last);
                assert_true(revoked_at(first ? IAT_S + 25 : IAT_S + 5, after(50, 50)));
                assert_true(revoked_with("bob", "bob", "a", last ? IAT_S + 40 : IAT_S + 7, after(50, 50)));
                assert_false(revoked_at(IAT_S + 341, after(50, 50)));
        }
}

static void repeated_merges_lose_nothing(void **state) {
        enum { N = 3 * REVOCATIONS_MAX };

        (void)state;
        for (int i = 0; i < N; i++)
                add_with(of_user("alice"), 0, after(i, i), true);
        assert_true(revoked_at(IAT_S + N - 1, after(N, N)));
        assert_false(revoked_at(IAT_S + N, after(N, N)));
}

static void write_file(const void *bytes, size_t length) {
        int fd = openat(state_fd, "revocations", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, bytes, length), length);
        assert_int_equal(close(fd), 0);
}

static void read_file(uint8_t bytes[static FILE_SIZE]) {
        int fd = openat(state_fd, "revocations", O_RDONLY | O_CLOEXEC);

        assert_int_equal(read(fd, bytes, FILE_SIZE), FILE_SIZE);
        assert_int_equal(close(fd), 0);
}

static void assert_refused(const void *bytes, size_t length) {
        struct revocations other;

        memset(&other, 0x55, sizeof(other));
        write_file(bytes, length);
        assert_int_equal(revocations_open(state_fd, BIRTH_NS, &other), -EBADMSG);
        assert_int_equal(other.fd, 0x55555555); /* untouched */
}

static void damaged_file_is_refused(void **state) {
        static const struct {
                size_t at;
                uint8_t value;
        } changes[] = {
                {RECORD_SIZE, 2},        /* neither used nor free */
                {RECORD_SIZE + 1, 2},    /* neither all nor one */
                {RECORD_SIZE + 2, 0xff}, /* neither synchronized nor not */
                {RECORD_SIZE + 3, 0x80}, /* negative times */
                {RECORD_SIZE + 11, 0x80}, {RECORD_SIZE + 19, 0x80},
                {RECORD_SIZE + 27, 0xff}, /* a longer name than there is */
                {RECORD_SIZE + 29, 0x02}, /* a longer name than a user has */
                {RECORD_SIZE + 32, '\0'}, /* a NUL in the name */
                {2 * RECORD_SIZE, 7},     /* the same of the next */
        };
        static uint8_t raw[FILE_SIZE], changed[FILE_SIZE + 1];

        (void)state;
        add(of_user("alice"), IAT_S);
        add(of_fingerprint('f'), IAT_S);
        read_file(raw);
        for (size_t cut = RECORD_SIZE; cut < FILE_SIZE; cut += 97)
                assert_refused(raw, cut);
        assert_refused(raw, FILE_SIZE - 1);
        memcpy(changed, raw, FILE_SIZE);
        assert_refused(changed, FILE_SIZE + 1);
        for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
                memcpy(changed, raw, FILE_SIZE);
                changed[changes[i].at] = changes[i].value;
                assert_refused(changed, FILE_SIZE);
        }
        write_file(raw, FILE_SIZE);
        open_again();
        assert_int_equal(n_used(), 2);
}

static void file_of_other_memory_is_replaced(void **state) {
        static uint8_t raw[FILE_SIZE];

        (void)state;
        add(of_all(), IAT_S);
        read_file(raw);
        revocations_close(&revocations);
        assert_int_equal(revocations_open(state_fd, BIRTH_NS + 1, &revocations), 0);
        assert_false(revoked("alice", "a", IAT_S));
        add(of_all(), IAT_S);
        /* As one before births were recorded, and one that nothing was written to. */
        write_file("\0\0\0\0\005alice", 10);
        open_again();
        assert_false(revoked("alice", "a", IAT_S));
        write_file("", 0);
        open_again();
        assert_int_equal(n_used(), 0);
        write_file(raw, FILE_SIZE);
        open_again();
        assert_true(revoked("alice", "a", IAT_S));
}

/* No time that a file can hold makes the sums overflow. */
static void largest_times_round_trip(void **state) {
        static uint8_t raw[FILE_SIZE];

        (void)state;
        add_with(of_user("alice"), IAT_S, start, true);
        read_file(raw);
        for (size_t i = 0; i < 3; i++) {
                memset(raw + RECORD_SIZE + 3 + 8 * i, 0xff, 8);
                raw[RECORD_SIZE + 3 + 8 * i] = 0x7f;
        }
        write_file(raw, FILE_SIZE);
        open_again();
        add_at(of_user("bob"), IAT_S, after(1000000, 1000000));
        assert_true(revoked("alice", "a", IAT_S));
}

static void foreign_file_is_refused(void **state) {
        struct revocations other;

        (void)state;
        assert_int_equal(linkat(state_fd, "revocations", state_fd, "other", 0), 0);
        assert_int_equal(revocations_open(state_fd, BIRTH_NS, &other), -EBADMSG);
        assert_int_equal(unlinkat(state_fd, "other", 0), 0);
        assert_int_equal(fchownat(state_fd, "revocations", SCRATCH_OTHER, 0, 0), 0);
        assert_int_equal(revocations_open(state_fd, BIRTH_NS, &other), -EBADMSG);
        assert_int_equal(unlinkat(state_fd, "revocations", 0), 0);
        assert_int_equal(symlinkat("other", state_fd, "revocations"), 0);
        assert_int_equal(revocations_open(state_fd, BIRTH_NS, &other), -ELOOP);
        assert_int_equal(unlinkat(state_fd, "revocations", 0), 0);
        assert_int_equal(mkdirat(state_fd, "revocations", 0700), 0);
        assert_int_equal(revocations_open(state_fd, BIRTH_NS, &other), -EISDIR);
        assert_int_equal(unlinkat(state_fd, "revocations", AT_REMOVEDIR), 0);
        write_file("", 0);
        no_read = true;
        assert_int_equal(revocations_open(state_fd, BIRTH_NS, &other), -EIO);
        no_read = false;
        open_again();
        for (int n = 1; n <= 2; n++) {
                callocs_until_failure = n;
                assert_int_equal(revocations_open(state_fd, BIRTH_NS, &other), -ENOMEM);
        }
        callocs_until_failure = 0;
        write_file("", 0);
        short_writes = true;
        assert_int_equal(revocations_open(state_fd, BIRTH_NS, &other), -ENOSPC);
        short_writes = false;
        open_again();
}

/* A revocation that is not on file is an error, so that it is not answered as done; this agent applies it. */
static void failed_write_is_error_but_applies(void **state) {
        int read_only = openat(state_fd, "revocations", O_RDONLY | O_CLOEXEC);
        struct revocation what = of_user("bob");

        (void)state;
        assert_true(read_only >= 0);
        add(of_user("alice"), IAT_S);
        short_writes = true;
        assert_int_equal(revocations_add(&revocations, &what, IAT_S, &start, true), -ENOSPC);
        short_writes = false;
        assert_true(revoked("bob", "a", IAT_S));
        assert_int_equal(dup3(read_only, revocations.fd, O_CLOEXEC), revocations.fd);
        assert_int_equal(close(read_only), 0);
        assert_int_equal(revocations_add(&revocations, &what, IAT_S, &start, true), -EBADF);
        open_again();
        assert_true(revoked("alice", "a", IAT_S));
        assert_false(revoked("bob", "a", IAT_S - 1));
}

static void fill(void) {
        int fd = openat(state_fd, "fill", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        static const uint8_t page[4096];

        assert_true(fd >= 0);
        while (write(fd, page, sizeof(page)) > 0)
                ;
        assert_int_equal(errno, ENOSPC);
        assert_int_equal(close(fd), 0);
}

static void full_file_system_does_not_stop_revocation(void **state) {
        (void)state;
        assert_int_equal(mount(NULL, root, NULL, MS_REMOUNT, "size=1m"), 0);
        fill();
        for (int i = 0; i < 2 * REVOCATIONS_MAX; i++)
                add_with(of_user("alice"), 0, after(i, i), true);
        open_again();
        assert_true(revoked_at(IAT_S + 2 * REVOCATIONS_MAX - 1, after(600, 600)));
}

static void no_room_makes_no_memory(void **state) {
        struct revocations other;

        (void)state;
        assert_int_equal(unlinkat(state_fd, "revocations", 0), 0);
        revocations_close(&revocations);
        assert_int_equal(mount(NULL, root, NULL, MS_REMOUNT, "size=64k"), 0);
        assert_int_equal(revocations_open(state_fd, BIRTH_NS, &other), -ENOSPC);
        assert_int_equal(faccessat(state_fd, "revocations", F_OK, 0), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(empty_memory_matches_nothing),
                TEST(push_must_be_later_than_revocation),
                TEST(user_revocation_matches_user),
                TEST(user_matches_under_both_names),
                TEST(fingerprint_revocation_matches_every_user),
                TEST(revocation_of_all_matches_everything),
                TEST(revocations_keep_their_own_times),
                TEST(revocations_survive_restart),
                TEST(time_is_that_of_receipt),
                TEST(unsynchronized_time_is_iat_bounded_by_receipt),
                TEST(clock_set_after_receipt_opens_no_gap),
                TEST(revocation_is_forgotten_by_both_clocks),
                TEST(revocation_outlives_fresh_pushes),
                TEST(full_list_is_merged_into_one),
                TEST(merged_revocation_keeps_latest_time),
                TEST(repeated_merges_lose_nothing),
                TEST(damaged_file_is_refused),
                TEST(file_of_other_memory_is_replaced),
                TEST(largest_times_round_trip),
                TEST(foreign_file_is_refused),
                TEST(failed_write_is_error_but_applies),
                TEST(full_file_system_does_not_stop_revocation),
                TEST(no_room_makes_no_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
