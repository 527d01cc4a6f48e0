/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

enum {
        RECORD_SIZE = 128,
        SLOTS_MIN = 256,
        PUSHES_MIN = SLOTS_MIN - REPLAY_RESERVED,        /* that fit before the memory has to grow */
        PUSHES_SECOND = 2 * SLOTS_MIN - REPLAY_RESERVED, /* before it has to grow again, */
        PUSHES_THIRD = 4 * SLOTS_MIN - REPLAY_RESERVED,  /* and again */
        PUSHES_MAX = REPLAY_MAX - REPLAY_RESERVED,
        BIRTH_NS = 500,
};

/* Bytes of the file: its head has the room of a record. */
static off_t size_of(off_t n_slots) {
        return (n_slots + 1) * RECORD_SIZE;
}

/* Linked with --wrap=calloc, --wrap=pread and --wrap=pwrite. */
static bool no_memory;
static int preads_until_failure; /* 0: none fails */
static size_t n_preads;
static bool short_writes;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size) {
        return no_memory ? NULL : __real_calloc(n, size);
}

ssize_t __real_pread(int fd, void *buffer, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *buffer, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *buffer, size_t size, off_t offset) {
        n_preads++;
        if (preads_until_failure > 0 && --preads_until_failure == 0) {
                errno = EIO;
                return -1;
        }
        return __real_pread(fd, buffer, size, offset);
}

ssize_t __real_pwrite(int fd, const void *buffer, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *buffer, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *buffer, size_t size, off_t offset) {
        return short_writes ? (ssize_t)size - 1 : __real_pwrite(fd, buffer, size, offset);
}

static const struct instant start = {.boot_ns = 1000 * NS_PER_S, .wall_ns = 1800000000 * NS_PER_S};
static char root[64];
static int state_fd;
static struct replay replay;

static struct instant after(int64_t boot_s, int64_t wall_s) {
        return (struct instant){start.boot_ns + boot_s * NS_PER_S, start.wall_ns + wall_s * NS_PER_S};
}

/* A number as the hash of a jti. */
static const uint8_t *jti(uint32_t number) {
        static uint8_t hash[REPLAY_HASH_SIZE];
        uint32_t mixed = number * UINT32_C(2654435761);

        memset(hash, 0, sizeof(hash));
        memcpy(hash, &mixed, sizeof(mixed));
        memcpy(hash + 8, &number, sizeof(number));
        return hash;
}

static struct replay_record record_of(uint32_t number) {
        struct replay_record record = {
                .state = REPLAY_PENDING,
                .life = {start, start.boot_ns + 60 * NS_PER_S, start.wall_ns + 70 * NS_PER_S, true},
                .forget_wall_ns = start.wall_ns + 90 * NS_PER_S,
                .forget_boot_ns = start.boot_ns + 120 * NS_PER_S,
        };

        memcpy(record.jti, jti(number), sizeof(record.jti));
        memset(record.pae, (int)number, sizeof(record.pae));
        return record;
}

static int add_at(uint32_t number, struct instant now, uint32_t *ret_slot) {
        struct replay_record record = record_of(number);

        return replay_add(&replay, &record, &now, ret_slot);
}

static uint32_t add(uint32_t number) {
        uint32_t slot;
        int r = add_at(number, start, &slot);

        if (r != 0)
                fail_msg("%u: %s", number, strerror(-r));
        return slot;
}

static void add_many(uint32_t from, uint32_t to) {
        for (uint32_t i = from; i < to; i++)
                (void)add(i);
}

static bool known(uint32_t number) {
        struct replay_record record;
        uint32_t slot;
        int r = replay_find(&replay, jti(number), &record, &slot);

        if (r != 0 && r != -ENOENT)
                fail_msg("%u: %s", number, strerror(-r));
        if (r == 0)
                assert_memory_equal(record.jti, jti(number), REPLAY_HASH_SIZE);
        return r == 0;
}

static struct replay_record find(uint32_t number) {
        struct replay_record record;
        uint32_t slot;

        assert_int_equal(replay_find(&replay, jti(number), &record, &slot), 0);
        return record;
}

static void open_again(void) {
        replay_close(&replay);
        assert_int_equal(replay_open(state_fd, BIRTH_NS, &replay), 0);
}

static off_t file_size(void) {
        struct stat st;

        assert_int_equal(fstatat(state_fd, "pushes", &st, 0), 0);
        return st.st_size;
}

static int setup_with(const char *options) {
        scratch_mount_namespace();
        scratch_mount_store(options, root);
        state_fd = openat(AT_FDCWD, root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(state_fd >= 0);
        replay = (struct replay)REPLAY_INIT;
        no_memory = short_writes = false;
        preads_until_failure = 0;
        return replay_open(state_fd, BIRTH_NS, &replay);
}

static int setup(void **state) {
        (void)state;
        return setup_with("mode=0755");
}

static int setup_small(void **state) {
        (void)state;
        return setup_with("mode=0755,size=40k");
}

static int teardown(void **state) {
        (void)state;
        no_memory = short_writes = false;
        preads_until_failure = 0;
        replay_close(&replay);
        replay_close(&replay); /* closing twice is no harm */
        (void)close(state_fd);
        scratch_unmount_store(root);
        return 0;
}

static void unknown_jti_is_not_found(void **state) {
        (void)state;
        assert_false(known(1));
        (void)add(1);
        assert_true(known(1));
        assert_false(known(2));
}

static void record_round_trips(void **state) {
        struct replay_record in = record_of(1), out;
        uint32_t slot, found;

        (void)state;
        in.life.synchronized = false;
        in.life.wall_end_ns = INT64_MAX;
        in.life.received.wall_ns = -1;
        assert_int_equal(replay_add(&replay, &in, &start, &slot), 0);
        for (int again = 0; again < 2; again++) {
                assert_int_equal(replay_find(&replay, in.jti, &out, &found), 0);
                assert_int_equal(found, slot);
                assert_int_equal(out.state, REPLAY_PENDING);
                assert_memory_equal(out.pae, in.pae, sizeof(in.pae));
                assert_memory_equal(&out.life.received, &in.life.received, sizeof(in.life.received));
                assert_int_equal(out.life.boot_end_ns, in.life.boot_end_ns);
                assert_int_equal(out.life.wall_end_ns, INT64_MAX);
                assert_false(out.life.synchronized);
                assert_int_equal(out.forget_wall_ns, in.forget_wall_ns);
                assert_int_equal(out.forget_boot_ns, in.forget_boot_ns);
                open_again();
        }
        assert_int_equal(replay_add(&replay,
                                    &(struct replay_record){.state = REPLAY_PENDING, .life.synchronized = true}, &start,
                                    &slot),
                         0);
        assert_int_equal(replay_find(&replay, (const uint8_t[REPLAY_HASH_SIZE]){0}, &out, &found), 0);
        assert_true(out.life.synchronized);
}

static void equal_prefixes_are_distinct(void **state) {
        struct replay_record one = record_of(1), other = record_of(1), found;
        uint32_t slot;

        (void)state;
        other.jti[REPLAY_HASH_SIZE - 1] ^= 1;
        other.pae[0] ^= 1;
        assert_int_equal(replay_add(&replay, &one, &start, &slot), 0);
        assert_int_equal(replay_find(&replay, other.jti, &found, &slot), -ENOENT);
        assert_int_equal(replay_add(&replay, &other, &start, &slot), 0);
        assert_int_equal(replay_find(&replay, other.jti, &found, &slot), 0);
        assert_memory_equal(found.pae, other.pae, sizeof(found.pae));
        assert_int_equal(replay_find(&replay, one.jti, &found, &slot), 0);
        assert_memory_equal(found.pae, one.pae, sizeof(found.pae));
}

static void push_is_pending_until_done(void **state) {
        uint32_t one, other;

        (void)state;
        one = add(1);
        other = add(2);
        assert_int_equal(replay_set_done(&replay, other), 0);
        for (int again = 0; again < 2; again++) {
                assert_int_equal(find(1).state, REPLAY_PENDING);
                assert_int_equal(find(2).state, REPLAY_DONE);
                open_again();
        }
        assert_int_equal(replay_set_done(&replay, one), 0);
        open_again();
        assert_int_equal(find(1).state, REPLAY_DONE);
        assert_int_equal(find(1).life.boot_end_ns, record_of(1).life.boot_end_ns);
}

static void dropped_slot_is_reused(void **state) {
        uint32_t slot;

        (void)state;
        (void)add(1);
        slot = add(2);
        (void)add(3);
        assert_int_equal(replay_drop(&replay, slot), 0);
        assert_false(known(2));
        assert_true(known(1) && known(3));
        assert_int_equal(add(4), slot);
        assert_true(known(4));
        assert_false(known(2));
        (void)add(2);
        open_again();
        for (uint32_t i = 1; i <= 4; i++)
                assert_true(known(i));
}

static void voiding_ends_only_pending_pushes(void **state) {
        struct replay_record revocation = record_of(3);
        uint32_t slot;

        (void)state;
        (void)add(1);
        assert_int_equal(replay_set_done(&replay, add(2)), 0);
        revocation.state = REPLAY_DONE;
        revocation.life = (struct lifetime){.boot_end_ns = 0};
        assert_int_equal(replay_add(&replay, &revocation, &start, &slot), 0);
        assert_int_equal(replay_void_pending(&replay), 0);
        for (int again = 0; again < 2; again++) {
                struct replay_record voided = find(1), before = record_of(1);

                assert_int_equal(voided.state, REPLAY_DONE);
                assert_int_equal(lifetime_left_ns(&voided.life, &start), 0);
                assert_int_equal(voided.forget_boot_ns, before.forget_boot_ns);
                assert_int_equal(voided.forget_wall_ns, before.forget_wall_ns);
                assert_memory_equal(voided.pae, before.pae, REPLAY_HASH_SIZE);
                assert_int_equal(find(2).state, REPLAY_DONE);
                assert_int_equal(find(2).life.boot_end_ns, record_of(2).life.boot_end_ns);
                assert_int_equal(find(3).state, REPLAY_DONE);
                open_again();
        }
}

static void growing_keeps_records(void **state) {
        (void)state;
        assert_int_equal(file_size(), size_of(SLOTS_MIN));
        add_many(0, 5000);
        assert_int_equal(file_size(), size_of(8192));
        for (int again = 0; again < 2; again++) {
                for (uint32_t i = 0; i < 5000; i++)
                        assert_true(known(i));
                assert_false(known(5000));
                open_again();
        }
        assert_int_equal(file_size(), size_of(8192));
}

/* push.md, "Replay": only when both clocks are past. */
static void record_is_forgotten_by_both_clocks(void **state) {
        static const struct {
                int64_t boot_s, wall_s;
                bool forgotten;
        } times[] = {
                {0, 0, false},    {120, 90, false}, {121, 90, false},  {120, 91, false},
                {1000, 0, false}, {0, 1000, false}, {1000, -5, false}, {121, 91, true},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
                struct instant now = after(times[i].boot_s, times[i].wall_s);
                uint32_t slot;

                replay_close(&replay);
                assert_int_equal(unlinkat(state_fd, "pushes", 0), 0);
                assert_int_equal(replay_open(state_fd, BIRTH_NS, &replay), 0);
                add_many(0, PUSHES_MIN);
                /* There is no free slot, so what can be forgotten is. */
                assert_int_equal(add_at(SLOTS_MIN, now, &slot), 0);
                assert_int_equal(known(7), !times[i].forgotten);
                assert_true(known(SLOTS_MIN));
                assert_int_equal(file_size(), size_of((times[i].forgotten ? 1 : 2) * SLOTS_MIN));
        }
}

static void forgetting_is_exact(void **state) {
        struct instant now = {record_of(0).forget_boot_ns + 1, record_of(0).forget_wall_ns};
        uint32_t slot;

        (void)state;
        add_many(0, PUSHES_MIN);
        assert_int_equal(add_at(PUSHES_MIN, now, &slot), 0);
        assert_true(known(0));
        add_many(PUSHES_MIN + 1, PUSHES_SECOND);
        now = (struct instant){record_of(0).forget_boot_ns, record_of(0).forget_wall_ns + 1};
        assert_int_equal(add_at(5000, now, &slot), 0);
        assert_true(known(0));
        add_many(5001, 5000 + PUSHES_THIRD - PUSHES_SECOND);
        now.boot_ns++;
        assert_int_equal(add_at(6000, now, &slot), 0);
        assert_false(known(0));
}

/* Of a push with a challenge: no wall clock was asked. */
static void record_without_wall_deadline_uses_boot_clock(void **state) {
        uint32_t slot;

        (void)state;
        for (uint32_t i = 0; i < PUSHES_MIN; i++) {
                struct replay_record record = record_of(i);

                record.forget_wall_ns = 0;
                assert_int_equal(replay_add(&replay, &record, &start, &slot), 0);
        }
        assert_int_equal(add_at(1000, after(120, 0), &slot), 0);
        assert_true(known(0));
        add_many(1001, 1000 + PUSHES_SECOND - PUSHES_MIN);
        assert_int_equal(add_at(2000, after(121, -1700000000), &slot), 0);
        assert_false(known(0));
        assert_true(known(1000));
}

static void only_expired_records_make_room(void **state) {
        (void)state;
        for (uint32_t i = 0; i < PUSHES_MIN; i++) {
                struct replay_record record = record_of(i);
                uint32_t slot;

                if (i % 2)
                        record.forget_boot_ns = start.boot_ns - 1, record.forget_wall_ns = start.wall_ns - 1;
                assert_int_equal(replay_add(&replay, &record, &start, &slot), 0);
        }
        add_many(1000, 1000 + PUSHES_MIN / 2);
        assert_int_equal(file_size(), size_of(SLOTS_MIN));
        for (uint32_t i = 0; i < PUSHES_MIN; i++)
                assert_int_equal(known(i), i % 2 == 0);
        for (uint32_t i = 1000; i < 1000 + PUSHES_MIN / 2; i++)
                assert_true(known(i));
}

static void full_memory_forgets_nothing_early(void **state) {
        uint32_t slot;

        (void)state;
        add_many(0, PUSHES_MAX);
        assert_int_equal(file_size(), size_of(REPLAY_MAX));
        for (int again = 0; again < 3; again++) {
                assert_int_equal(add_at(PUSHES_MAX, after(1000, 90), &slot), -ENOSPC);
                assert_false(known(PUSHES_MAX));
                if (again == 1)
                        open_again();
        }
        assert_int_equal(file_size(), size_of(REPLAY_MAX));
        for (uint32_t i = 0; i < PUSHES_MAX; i += 61)
                assert_true(known(i));
        assert_true(known(PUSHES_MAX - 1));
        assert_int_equal(add_at(PUSHES_MAX, after(121, 91), &slot), 0);
        assert_true(known(PUSHES_MAX));
        assert_false(known(0));
}

/* As where storing fails again and again: each time there is one free slot, and it must be found at once. */
static void dropping_and_adding_stays_fast(void **state) {
        enum { CYCLES = 20000 };
        uint32_t slot = 0;

        (void)state;
        for (uint32_t i = 0; i < 959; i++)
                slot = add(i);
        slot = add(5000);
        n_preads = 0;
        for (uint32_t i = 0; i < CYCLES; i++) {
                assert_int_equal(replay_drop(&replay, slot), 0);
                slot = add(10000 + i);
        }
        assert_true(known(10000 + CYCLES - 1));
        assert_false(known(10000));
        for (uint32_t i = 0; i < 959; i += 10)
                assert_true(known(i));
        assert_false(known(999999));
        assert_true(replay.index_used < replay.index_size);
        assert_true(n_preads < 4 * CYCLES);
}

static void dropping_all_leaves_all_room(void **state) {
        uint32_t slots[190];

        (void)state;
        for (uint32_t round = 0; round < 50; round++) {
                for (uint32_t i = 0; i < 190; i++)
                        slots[i] = add(1000 * round + i);
                for (uint32_t i = 0; i < 190; i++)
                        assert_int_equal(replay_drop(&replay, slots[(i * 7) % 190]), 0);
        }
        assert_int_equal(file_size(), size_of(SLOTS_MIN));
        assert_int_equal(replay.n_free, SLOTS_MIN);
        assert_false(known(0));
}

static void write_file(const void *bytes, size_t length) {
        int fd;

        replay_close(&replay);
        fd = openat(state_fd, "pushes", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, bytes, length), length);
        assert_int_equal(close(fd), 0);
}

/* What the file begins with: made at 42 ns on the boot clock. */
static const uint8_t head[16] = {'E', 'X', 'C', 'P', 'U', 'S', 'H', '2', 0, 0, 0, 0, 0, 0, 0, 42};

static void truncated_file_is_refused(void **state) {
        static const off_t slots[] = {0, 3, SLOTS_MIN - 1, SLOTS_MIN + 1, 3 * SLOTS_MIN, REPLAY_MAX + 1};
        static uint8_t empty[(SLOTS_MIN + 1) * RECORD_SIZE];

        (void)state;
        memcpy(empty, head, sizeof(head));
        for (size_t i = 0; i < 2 * sizeof(slots) / sizeof(slots[0]); i++) {
                off_t size = size_of(slots[i / 2]) + (i % 2 ? 1 : 0);

                add_many(0, 10);
                assert_int_equal(ftruncate(replay.fd, size), 0);
                replay_close(&replay);
                assert_int_equal(replay_open(state_fd, BIRTH_NS, &replay), -EBADMSG);
                assert_int_equal(replay.fd, -EBADF);
                assert_int_equal(file_size(), size);
                write_file(empty, sizeof(empty));
                assert_int_equal(replay_open(state_fd, BIRTH_NS, &replay), 0);
        }
}

static void birth_is_time_of_creation(void **state) {
        (void)state;
        assert_int_equal(replay.birth_boot_ns, BIRTH_NS);
        add_many(0, 5000);
        assert_int_equal(replay.birth_boot_ns, BIRTH_NS);
        replay_close(&replay);
        assert_int_equal(replay_open(state_fd, BIRTH_NS + 1000, &replay), 0);
        assert_int_equal(replay.birth_boot_ns, BIRTH_NS);
        replay_close(&replay);
        assert_int_equal(unlinkat(state_fd, "pushes", 0), 0);
        assert_int_equal(replay_open(state_fd, BIRTH_NS + 1000, &replay), 0);
        assert_int_equal(replay.birth_boot_ns, BIRTH_NS + 1000);
}

static void birth_in_future_is_refused(void **state) {
        (void)state;
        replay_close(&replay);
        assert_int_equal(replay_open(state_fd, BIRTH_NS - 1, &replay), -EBADMSG);
}

/* One of a version before births were recorded: nothing says since when it remembers. */
static void memory_without_birth_is_replaced(void **state) {
        static uint8_t old[SLOTS_MIN * RECORD_SIZE];

        (void)state;
        for (size_t length = 0; length <= sizeof(old); length += 1000) {
                old[0] = REPLAY_DONE;
                memcpy(old + 1, jti(1), REPLAY_HASH_SIZE);
                write_file(old, length);
                assert_int_equal(replay_open(state_fd, BIRTH_NS + 1, &replay), 0);
                assert_int_equal(replay.birth_boot_ns, BIRTH_NS + 1);
                assert_false(known(1));
                assert_int_equal(file_size(), size_of(SLOTS_MIN));
        }
}

static void revocations_have_reserved_slots(void **state) {
        struct replay_record revocation = record_of(0);
        uint32_t slot, n = 0;

        (void)state;
        add_many(0, PUSHES_MAX);
        revocation.life = (struct lifetime){.boot_end_ns = 0};
        for (int r = 0; r == 0; n += r == 0) {
                memcpy(revocation.jti, jti(1000000 + n), sizeof(revocation.jti));
                r = replay_add(&replay, &revocation, &start, &slot);
                assert_true(r == 0 || r == -ENOSPC);
                assert_int_equal(add_at(2000000, start, &slot), -ENOSPC);
        }
        assert_int_equal(n, REPLAY_RESERVED);
        open_again();
        assert_true(known(1000000) && known(1000000 + REPLAY_RESERVED - 1) && known(0));
}

static void file_truncated_while_open_is_error(void **state) {
        struct replay_record record;
        uint32_t slot;

        (void)state;
        add_many(0, PUSHES_MIN);
        assert_int_equal(ftruncate(replay.fd, 3 * RECORD_SIZE + 50), 0);
        assert_true(known(0));
        assert_int_equal(replay_find(&replay, jti(3), &record, &slot), -EIO);
        assert_int_equal(replay_find(&replay, jti(9), &record, &slot), -EIO);
        assert_int_equal(add_at(1000, start, &slot), -EIO);
        assert_int_equal(replay_void_pending(&replay), -EIO);
        assert_int_equal(replay_find(&replay, jti(9), &record, &slot), -EIO);
}

/* The index must not lose what could not be read when it was made. */
static void read_error_forgets_nothing(void **state) {
        uint32_t slot;

        (void)state;
        add_many(0, 2 * PUSHES_MIN);
        for (int failing = 1; failing <= 8; failing++) {
                preads_until_failure = failing;
                (void)add_at(10000 + (uint32_t)failing, start, &slot);
                preads_until_failure = 0;
                for (uint32_t i = 0; i < 2 * PUSHES_MIN; i++)
                        assert_true(known(i));
        }
        assert_int_equal(replay_drop(&replay, 0), 0);
        preads_until_failure = 1;
        assert_int_equal(add_at(20000, start, &slot), -EIO);
        preads_until_failure = 0;
        assert_false(known(20000));
        (void)add(20000);
        assert_true(known(20000));
}

static void no_memory_adds_and_forgets_nothing(void **state) {
        struct replay other = REPLAY_INIT;
        uint32_t slot;

        (void)state;
        add_many(0, PUSHES_MIN);
        no_memory = true;
        assert_int_equal(add_at(1000, start, &slot), -ENOMEM);
        assert_int_equal(replay_open(state_fd, BIRTH_NS, &other), -ENOMEM);
        no_memory = false;
        for (uint32_t i = 0; i < PUSHES_MIN; i++)
                assert_true(known(i));
        assert_false(known(1000));
        (void)add(1000);
        add_many(2000, 3000);
        assert_true(known(1000));
}

static void garbage_is_survived(void **state) {
        static uint8_t raw[(SLOTS_MIN + 1) * RECORD_SIZE];
        uint32_t seed = 1;

        (void)state;
        for (size_t i = 0; i < sizeof(raw); i++) {
                seed = seed * 1103515245 + 12345;
                raw[i] = (uint8_t)(seed >> 16);
        }
        memcpy(raw, head, sizeof(head));
        write_file(raw, sizeof(raw));
        assert_int_equal(replay_open(state_fd, BIRTH_NS, &replay), 0);
        assert_int_equal(replay_void_pending(&replay), 0);
        add_many(0, 3 * SLOTS_MIN);
        for (uint32_t i = 0; i < 3 * SLOTS_MIN; i++)
                assert_true(known(i));
        memset(raw, 0xff, sizeof(raw));
        memcpy(raw, head, sizeof(head));
        write_file(raw, sizeof(raw));
        assert_int_equal(replay_open(state_fd, BIRTH_NS, &replay), 0);
        add_many(0, 3 * SLOTS_MIN);
        open_again();
        assert_true(known(0));
}

/* An unknown state means neither a free slot nor a push to finish. */
static void unknown_state_is_done(void **state) {
        static uint8_t raw[(SLOTS_MIN + 1) * RECORD_SIZE];

        (void)state;
        memcpy(raw, head, sizeof(head));
        raw[RECORD_SIZE] = 0x7f;
        memcpy(raw + RECORD_SIZE + 1, jti(1), REPLAY_HASH_SIZE);
        write_file(raw, sizeof(raw));
        assert_int_equal(replay_open(state_fd, BIRTH_NS, &replay), 0);
        assert_int_equal(find(1).state, REPLAY_DONE);
}

static void foreign_file_is_refused(void **state) {
        (void)state;
        replay_close(&replay);
        assert_int_equal(linkat(state_fd, "pushes", state_fd, "other", 0), 0);
        assert_int_equal(replay_open(state_fd, BIRTH_NS, &replay), -EBADMSG);
        assert_int_equal(unlinkat(state_fd, "other", 0), 0);
        assert_int_equal(fchownat(state_fd, "pushes", SCRATCH_OTHER, 0, 0), 0);
        assert_int_equal(replay_open(state_fd, BIRTH_NS, &replay), -EBADMSG);
        assert_int_equal(unlinkat(state_fd, "pushes", 0), 0);
        assert_int_equal(symlinkat("other", state_fd, "pushes"), 0);
        assert_int_equal(replay_open(state_fd, BIRTH_NS, &replay), -ELOOP);
        assert_int_equal(unlinkat(state_fd, "pushes", 0), 0);
        assert_int_equal(mkfifoat(state_fd, "pushes", 0600), 0);
        assert_int_equal(replay_open(state_fd, BIRTH_NS, &replay), -EBADMSG);
        assert_int_equal(unlinkat(state_fd, "pushes", 0), 0);
        assert_int_equal(mkdirat(state_fd, "pushes", 0700), 0);
        assert_int_equal(replay_open(state_fd, BIRTH_NS, &replay), -EISDIR);
        assert_int_equal(unlinkat(state_fd, "pushes", AT_REMOVEDIR), 0);
        assert_int_equal(replay_open(state_fd, BIRTH_NS, &replay), 0);
        assert_int_equal(replay_open(-EBADF, BIRTH_NS, &(struct replay)REPLAY_INIT), -EBADF);
}

static void failed_write_is_error(void **state) {
        int fd = openat(state_fd, "pushes", O_RDONLY | O_CLOEXEC);
        uint32_t slot, other;

        (void)state;
        slot = add(1);
        short_writes = true;
        assert_int_equal(add_at(2, start, &other), -ENOSPC);
        assert_int_equal(replay_set_done(&replay, slot), -EIO);
        short_writes = false;
        assert_int_equal(find(1).state, REPLAY_PENDING);
        assert_true(fd >= 0);
        assert_int_equal(dup3(fd, replay.fd, O_CLOEXEC), replay.fd);
        assert_int_equal(close(fd), 0);
        assert_int_equal(add_at(2, start, &other), -EBADF);
        assert_int_equal(replay_set_done(&replay, slot), -EBADF);
        assert_int_equal(replay_drop(&replay, slot), -EBADF);
        assert_int_equal(replay_void_pending(&replay), -EBADF);
        assert_int_equal(find(1).state, REPLAY_PENDING);
        assert_false(known(2));
        replay.n_free = 0; /* room would have to be made */
        assert_true(add_at(3, start, &other) < 0);
        assert_true(known(1));
}

static void full_file_system_stops_neither_push_nor_revocation(void **state) {
        struct replay_record revocation = record_of(0);
        uint32_t n = 0, slot;
        int r;

        (void)state;
        while ((r = add_at(n, start, &slot)) == 0)
                n++;
        assert_int_equal(r, -ENOSPC);
        assert_int_equal(n, PUSHES_MIN);
        for (int again = 0; again < 2; again++) {
                for (uint32_t i = 0; i < n; i++)
                        assert_true(known(i));
                assert_false(known(n));
                open_again();
        }
        assert_int_equal(replay_set_done(&replay, 0), 0);
        revocation.life = (struct lifetime){.boot_end_ns = 0};
        memcpy(revocation.jti, jti(7000), sizeof(revocation.jti));
        assert_int_equal(replay_add(&replay, &revocation, &start, &slot), 0);
        assert_true(known(7000));
        assert_int_equal(replay_drop(&replay, 0), 0);
        assert_int_equal(replay_drop(&replay, 1), 0);
        (void)add(n);
        assert_true(known(n));
}

static void no_room_for_first_records_makes_no_memory(void **state) {
        struct stat st;

        (void)state;
        replay_close(&replay);
        assert_int_equal(unlinkat(state_fd, "pushes", 0), 0);
        assert_int_equal(mount(NULL, root, NULL, MS_REMOUNT, "size=16k"), 0);
        assert_int_equal(replay_open(state_fd, BIRTH_NS, &replay), -ENOSPC);
        assert_int_equal(fstatat(state_fd, "pushes", &st, 0), -1);
}

static void closing_unopened_memory_is_harmless(void **state) {
        struct replay none = REPLAY_INIT;

        (void)state;
        replay_close(&none);
        assert_int_equal(none.fd, -EBADF);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(unknown_jti_is_not_found),
                TEST(record_round_trips),
                TEST(equal_prefixes_are_distinct),
                TEST(push_is_pending_until_done),
                TEST(dropped_slot_is_reused),
                TEST(voiding_ends_only_pending_pushes),
                TEST(growing_keeps_records),
                TEST(record_is_forgotten_by_both_clocks),
                TEST(forgetting_is_exact),
                TEST(record_without_wall_deadline_uses_boot_clock),
                TEST(only_expired_records_make_room),
                TEST(full_memory_forgets_nothing_early),
                TEST(dropping_and_adding_stays_fast),
                TEST(dropping_all_leaves_all_room),
                TEST(truncated_file_is_refused),
                TEST(birth_is_time_of_creation),
                TEST(birth_in_future_is_refused),
                TEST(memory_without_birth_is_replaced),
                TEST(revocations_have_reserved_slots),
                TEST(file_truncated_while_open_is_error),
                TEST(read_error_forgets_nothing),
                TEST(no_memory_adds_and_forgets_nothing),
                TEST(garbage_is_survived),
                TEST(unknown_state_is_done),
                TEST(foreign_file_is_refused),
                TEST(failed_write_is_error),
                cmocka_unit_test_setup_teardown(full_file_system_stops_neither_push_nor_revocation, setup_small,
                                                teardown),
                TEST(no_room_for_first_records_makes_no_memory),
                TEST(closing_unopened_memory_is_harmless),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
