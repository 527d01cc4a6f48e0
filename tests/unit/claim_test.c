/* SPDX-License-Identifier: Apache-2.0 */
#include "common/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/grant.h"
#include "tests/unit/scratch.h"

static const struct connection_id first = {100, 5000}, second = {101, 5000}, third = {100, 5001};

/* What the children of a test report. */
static struct shared {
        atomic_uint round;
        atomic_uint done[2];
        int result[2];
} *shared;

/* A claim file; its directory does not matter here. */
static char path[] = "/tmp/exc-claim-XXXXXX";

static int make_claims(void **state) {
        int fd;

        (void)state;
        memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
        fd = mkstemp(path);
        return fd < 0 ? -1 : close(fd);
}

static int remove_claims(void **state) {
        (void)state;
        return unlink(path);
}

static void write_claims(const void *content, size_t length) {
        int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, content, length), length);
        assert_int_equal(close(fd), 0);
}

static void free_claims(unsigned connections) {
        static const uint8_t zeros[(GRANT_CONNECTIONS_MAX + 1) * CLAIM_SLOT_SIZE];

        write_claims(zeros, connections * CLAIM_SLOT_SIZE);
}

static int claim(unsigned connections, const struct connection_id *who, enum claim_mode mode) {
        int fd = open(path, O_RDWR | O_CLOEXEC), r;

        assert_true(fd >= 0);
        r = claim_slot(fd, connections, who, mode);
        assert_int_equal(close(fd), 0);
        return r;
}

static int count(unsigned connections) {
        int fd = open(path, O_RDONLY | O_CLOEXEC), r;

        assert_true(fd >= 0);
        r = claim_count(fd, connections);
        assert_int_equal(close(fd), 0);
        return r;
}

static void connection_takes_one_slot_and_keeps_it(void **state) {
        (void)state;
        free_claims(2);
        assert_int_equal(count(2), 0);
        assert_int_equal(claim(2, &first, CLAIM_TAKE), CLAIM_TAKEN);
        assert_int_equal(count(2), 1);
        assert_int_equal(claim(2, &first, CLAIM_TAKE), CLAIM_HELD);
        assert_int_equal(claim(2, &first, CLAIM_FIND), CLAIM_HELD);
        assert_int_equal(count(2), 1);
}

static void finding_takes_no_slot(void **state) {
        (void)state;
        free_claims(1);
        assert_int_equal(claim(1, &first, CLAIM_FIND), CLAIM_NONE);
        assert_int_equal(count(1), 0);
        assert_int_equal(claim(1, &second, CLAIM_TAKE), CLAIM_TAKEN);
        assert_int_equal(claim(1, &first, CLAIM_FIND), CLAIM_NONE);
}

static void full_grant_serves_only_its_holders(void **state) {
        (void)state;
        free_claims(2);
        assert_int_equal(claim(2, &first, CLAIM_TAKE), CLAIM_TAKEN);
        assert_int_equal(claim(2, &second, CLAIM_TAKE), CLAIM_TAKEN);
        assert_int_equal(claim(2, &third, CLAIM_TAKE), CLAIM_NONE);
        assert_int_equal(claim(2, &third, CLAIM_FIND), CLAIM_NONE);
        assert_int_equal(claim(2, &second, CLAIM_TAKE), CLAIM_HELD);
        assert_int_equal(claim(2, &first, CLAIM_TAKE), CLAIM_HELD);
        assert_int_equal(count(2), 2);
}

static void reused_pid_is_another_connection(void **state) {
        (void)state;
        free_claims(1);
        assert_int_equal(claim(1, &first, CLAIM_TAKE), CLAIM_TAKEN);
        assert_int_equal(claim(1, &third, CLAIM_TAKE), CLAIM_NONE);
}

static void each_slot_serves_one_connection(void **state) {
        (void)state;
        free_claims(GRANT_CONNECTIONS_MAX);
        for (unsigned i = 1; i <= GRANT_CONNECTIONS_MAX + 1; i++) {
                struct connection_id who = {i + 1, i};

                assert_int_equal(claim(GRANT_CONNECTIONS_MAX, &who, CLAIM_TAKE),
                                 i <= GRANT_CONNECTIONS_MAX ? CLAIM_TAKEN : CLAIM_NONE);
        }
        assert_int_equal(count(GRANT_CONNECTIONS_MAX), GRANT_CONNECTIONS_MAX);
}

static void slot_is_pid_and_start_time(void **state) {
        static const struct connection_id who = {UINT64_C(0x0102030405060708), UINT64_C(0x090a0b0c0d0e0f10)};
        uint8_t slots[2 * CLAIM_SLOT_SIZE];
        int fd;

        (void)state;
        free_claims(2);
        assert_int_equal(claim(2, &first, CLAIM_TAKE), CLAIM_TAKEN);
        assert_int_equal(claim(2, &who, CLAIM_TAKE), CLAIM_TAKEN);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_int_equal(read(fd, slots, sizeof(slots)), sizeof(slots));
        assert_int_equal(close(fd), 0);
        assert_memory_equal(slots, "\0\0\0\0\0\0\0\144\0\0\0\0\0\0\023\210", CLAIM_SLOT_SIZE);
        assert_memory_equal(slots + CLAIM_SLOT_SIZE, "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20", CLAIM_SLOT_SIZE);
}

static void file_of_wrong_size_has_no_slot(void **state) {
        static const uint8_t zeros[(GRANT_CONNECTIONS_MAX + 1) * CLAIM_SLOT_SIZE];
        static const size_t sizes[] = {0, 1, 15, 16, 17, 31, 33, 47, 48, sizeof(zeros)};

        (void)state;
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                write_claims(zeros, sizes[i]);
                assert_int_equal(claim(2, &first, CLAIM_TAKE), CLAIM_NONE);
                assert_int_equal(claim(2, &first, CLAIM_FIND), CLAIM_NONE);
                assert_int_equal(count(2), 2);
        }
}

/* Not even for the connection that holds a slot in it. */
static void cut_or_grown_file_serves_no_holder(void **state) {
        (void)state;
        free_claims(2);
        assert_int_equal(claim(2, &first, CLAIM_TAKE), CLAIM_TAKEN);
        assert_int_equal(truncate(path, 2 * CLAIM_SLOT_SIZE + 1), 0);
        assert_int_equal(claim(2, &first, CLAIM_TAKE), CLAIM_NONE);
        assert_int_equal(truncate(path, 2 * CLAIM_SLOT_SIZE), 0);
        assert_int_equal(claim(2, &first, CLAIM_TAKE), CLAIM_HELD);
        assert_int_equal(truncate(path, CLAIM_SLOT_SIZE), 0);
        assert_int_equal(claim(2, &first, CLAIM_TAKE), CLAIM_NONE);
        assert_int_equal(count(2), 2);
}

static void connections_beyond_the_limit_have_no_slot(void **state) {
        (void)state;
        free_claims(GRANT_CONNECTIONS_MAX + 1);
        assert_int_equal(claim(GRANT_CONNECTIONS_MAX + 1, &first, CLAIM_TAKE), CLAIM_NONE);
        assert_int_equal(count(GRANT_CONNECTIONS_MAX + 1), GRANT_CONNECTIONS_MAX + 1);
        assert_int_equal(claim(UINT32_MAX / CLAIM_SLOT_SIZE + 1, &first, CLAIM_TAKE), CLAIM_NONE);
}

/* Also where the number of connections is the largest there is, and the file is a byte longer than that. */
static void one_byte_more_than_the_largest_file_is_seen(void **state) {
        (void)state;
        free_claims(GRANT_CONNECTIONS_MAX);
        assert_int_equal(truncate(path, GRANT_CONNECTIONS_MAX * CLAIM_SLOT_SIZE + 1), 0);
        assert_int_equal(claim(GRANT_CONNECTIONS_MAX, &first, CLAIM_TAKE), CLAIM_NONE);
        assert_int_equal(count(GRANT_CONNECTIONS_MAX), GRANT_CONNECTIONS_MAX);
}

static void grant_without_slots_has_none_to_take(void **state) {
        (void)state;
        free_claims(0);
        assert_int_equal(claim(0, &first, CLAIM_TAKE), CLAIM_NONE);
        assert_int_equal(count(0), 0);
}

static void any_byte_in_a_slot_makes_it_taken(void **state) {
        (void)state;
        for (size_t at = 0; at < CLAIM_SLOT_SIZE; at++) {
                uint8_t slots[2 * CLAIM_SLOT_SIZE] = {0};

                slots[at] = 1;
                write_claims(slots, CLAIM_SLOT_SIZE);
                assert_int_equal(claim(1, &first, CLAIM_TAKE), CLAIM_NONE);
                assert_int_equal(count(1), 1);
                /* The next one is free all the same. */
                write_claims(slots, sizeof(slots));
                assert_int_equal(claim(2, &first, CLAIM_TAKE), CLAIM_TAKEN);
                assert_int_equal(claim(2, &second, CLAIM_TAKE), CLAIM_NONE);
                assert_int_equal(count(2), 2);
        }
}

static void unwritable_claim_is_an_error(void **state) {
        int fd;

        (void)state;
        free_claims(1);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_int_equal(claim_slot(fd, 1, &first, CLAIM_TAKE), -EBADF);
        assert_int_equal(claim_slot(fd, 1, &first, CLAIM_FIND), -EBADF);
        assert_int_equal(close(fd), 0);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_int_equal(claim_slot(fd, 1, &first, CLAIM_TAKE), -EBADF);
        assert_int_equal(claim_count(fd, 1), -EBADF);
        assert_int_equal(close(fd), 0);
        assert_int_equal(claim_slot(-EBADF, 1, &first, CLAIM_TAKE), -EBADF);
        assert_int_equal(claim_count(-EBADF, 1), -EBADF);
        assert_int_equal(count(1), 0);
}

/* A file that can be locked and read, and that no byte can be added to or changed in. */
static void failed_write_takes_no_slot(void **state) {
        static const uint8_t zeros[CLAIM_SLOT_SIZE];
        int fd = memfd_create("claim", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        (void)state;
        assert_true(fd >= 0);
        assert_int_equal(write(fd, zeros, sizeof(zeros)), sizeof(zeros));
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
        assert_int_equal(claim_slot(fd, 1, &first, CLAIM_TAKE), -EPERM);
        assert_int_equal(claim_slot(fd, 1, &first, CLAIM_FIND), CLAIM_NONE);
        assert_int_equal(claim_count(fd, 1), 0);
        assert_int_equal(close(fd), 0);
}

static int end_claims(unsigned connections, struct connection_id *ret) {
        int fd = open(path, O_RDWR | O_CLOEXEC), r;

        assert_true(fd >= 0);
        r = claim_end(fd, connections, ret);
        assert_int_equal(close(fd), 0);
        return r;
}

static void holders_are_connections_with_slots(void **state) {
        struct connection_id holders[GRANT_CONNECTIONS_MAX];
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        (void)state;
        free_claims(3);
        assert_int_equal(claim_holders(fd, 3, holders), 0);
        assert_int_equal(claim(3, &first, CLAIM_TAKE), CLAIM_TAKEN);
        assert_int_equal(claim(3, &second, CLAIM_TAKE), CLAIM_TAKEN);
        assert_int_equal(claim_holders(fd, 3, holders), 2);
        assert_memory_equal(&holders[0], &first, sizeof(first));
        assert_memory_equal(&holders[1], &second, sizeof(second));
        assert_int_equal(claim_holders(fd, 2, holders), -EBADMSG);
        assert_int_equal(close(fd), 0);
        assert_int_equal(claim_holders(fd, 3, holders), -EBADF);
}

static void ended_grant_gives_no_slot(void **state) {
        struct connection_id holders[GRANT_CONNECTIONS_MAX];
        int early = open(path, O_RDWR | O_CLOEXEC);

        (void)state;
        free_claims(3);
        assert_int_equal(claim(3, &first, CLAIM_TAKE), CLAIM_TAKEN);
        assert_int_equal(end_claims(3, holders), 1);
        assert_memory_equal(&holders[0], &first, sizeof(first));
        /* Also for a helper that opened it before. */
        assert_int_equal(claim_slot(early, 3, &second, CLAIM_TAKE), CLAIM_NONE);
        assert_int_equal(close(early), 0);
        assert_int_equal(claim(3, &first, CLAIM_FIND), CLAIM_HELD);
        assert_int_equal(end_claims(3, holders), 1);
        assert_memory_equal(&holders[0], &first, sizeof(first));
}

static void ending_does_not_wait_for_helper(void **state) {
        struct connection_id holders[GRANT_CONNECTIONS_MAX];
        int helper = open(path, O_RDWR | O_CLOEXEC);

        (void)state;
        free_claims(2);
        assert_int_equal(claim_slot(helper, 2, &first, CLAIM_TAKE), CLAIM_TAKEN);
        assert_int_equal(end_claims(2, holders), -EAGAIN);
        assert_int_equal(close(helper), 0);
        assert_int_equal(claim(2, &second, CLAIM_TAKE), CLAIM_TAKEN);
        assert_int_equal(end_claims(2, holders), 2);
}

static void damaged_claim_file_is_not_ended(void **state) {
        struct connection_id holders[GRANT_CONNECTIONS_MAX];
        int fd;

        (void)state;
        free_claims(2);
        assert_int_equal(end_claims(1, holders), -EBADMSG);
        assert_int_equal(end_claims(3, holders), -EBADMSG);
        assert_int_equal(claim(2, &first, CLAIM_TAKE), CLAIM_TAKEN);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(claim_end(fd, 2, holders) < 0);
        assert_int_equal(close(fd), 0);
}

enum { ROUNDS = 2000 };

static void race(unsigned me) {
        const struct connection_id who = {1000 + me, 1};

        for (unsigned round = 1; round <= ROUNDS; round++) {
                int fd;

                while (atomic_load(&shared->round) < round)
                        (void)sched_yield();
                fd = open(path, O_RDWR | O_CLOEXEC);
                shared->result[me] = fd < 0 ? -errno : claim_slot(fd, 1, &who, CLAIM_TAKE);
                if (fd >= 0)
                        (void)close(fd);
                atomic_store(&shared->done[me], round);
        }
}

static void one_of_two_racing_connections_takes_the_slot(void **state) {
        unsigned won[2] = {0};
        pid_t children[2];
        int status;

        (void)state;
        memset(shared, 0, sizeof(*shared));
        for (unsigned i = 0; i < 2; i++) {
                children[i] = scratch_fork();
                if (children[i] == 0) {
                        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                        race(i);
                        scratch_exit(EXIT_SUCCESS);
                }
                assert_true(children[i] > 0);
        }
        for (unsigned round = 1; round <= ROUNDS; round++) {
                free_claims(1);
                atomic_store(&shared->round, round);
                while (atomic_load(&shared->done[0]) < round || atomic_load(&shared->done[1]) < round)
                        (void)sched_yield();
                assert_int_equal(shared->result[0] + shared->result[1], CLAIM_TAKEN);
                assert_int_not_equal(shared->result[0], CLAIM_HELD);
                won[shared->result[0] == CLAIM_TAKEN ? 0 : 1]++;
        }
        assert_int_equal(won[0] + won[1], ROUNDS);
        for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(waitpid(children[i], &status, 0), children[i]);
                assert_int_equal(status, 0);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(connection_takes_one_slot_and_keeps_it),
                cmocka_unit_test(finding_takes_no_slot),
                cmocka_unit_test(full_grant_serves_only_its_holders),
                cmocka_unit_test(reused_pid_is_another_connection),
                cmocka_unit_test(each_slot_serves_one_connection),
                cmocka_unit_test(slot_is_pid_and_start_time),
                cmocka_unit_test(file_of_wrong_size_has_no_slot),
                cmocka_unit_test(cut_or_grown_file_serves_no_holder),
                cmocka_unit_test(connections_beyond_the_limit_have_no_slot),
                cmocka_unit_test(one_byte_more_than_the_largest_file_is_seen),
                cmocka_unit_test(grant_without_slots_has_none_to_take),
                cmocka_unit_test(any_byte_in_a_slot_makes_it_taken),
                cmocka_unit_test(unwritable_claim_is_an_error),
                cmocka_unit_test(failed_write_takes_no_slot),
                cmocka_unit_test(holders_are_connections_with_slots),
                cmocka_unit_test(ended_grant_gives_no_slot),
                cmocka_unit_test(ending_does_not_wait_for_helper),
                cmocka_unit_test(damaged_claim_file_is_not_ended),
                cmocka_unit_test(one_of_two_racing_connections_takes_the_slot),
        };

        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED)
                return EXIT_FAILURE;
        return cmocka_run_group_tests(tests, make_claims, remove_claims);
}
