/* SPDX-License-Identifier: Apache-2.0 */
#include "common/journal.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/lifetime.h"
#include "tests/unit/journal_socket.h"

enum { LONG_MS = 30 * 1000 };

static struct journal_entry entry;

static void compose(const char *message) {
        journal_begin(&entry);
        journal_add(&entry, "MESSAGE", message);
}

/* Whether a datagram with this text is in the queue, which is read to its end. */
static bool has_got(const char *text) {
        bool found = false;
        ssize_t n;

        while ((n = journal_socket_read()) > 0)
                found |= memmem(journal_datagram, (size_t)n, text, strlen(text)) != NULL;
        return found;
}

static void entry_reaches_journal(void **state) {
        (void)state;
        compose("here");
        assert_int_equal(journal_send(&entry, 0), 0);
        assert_true(has_got("here"));
}

static void number_is_decimal(void **state) {
        struct bytes from, name, value;

        (void)state;
        journal_begin(&entry);
        journal_add_number(&entry, "N", UINT64_MAX);
        from = (struct bytes){entry.raw, entry.to.used};
        assert_true(journal_socket_field(&from, &name, &value));
        assert_true(bytes_equal(value, "18446744073709551615", 20));
}

static void full_journal_is_busy(void **state) {
        (void)state;
        assert_true(journal_socket_fill() > 0);
        compose("late");
        assert_int_equal(journal_send(&entry, 0), -EAGAIN);
        assert_false(has_got("late"));
}

static void *read_after_a_moment(void *context) {
        (void)context;
        (void)usleep(50 * 1000);
        (void)journal_socket_read();
        return NULL;
}

static void entry_waits_for_full_journal(void **state) {
        pthread_t reader;

        (void)state;
        assert_true(journal_socket_fill() > 0);
        compose("waited");
        assert_int_equal(pthread_create(&reader, NULL, read_after_a_moment, NULL), 0);
        assert_int_equal(journal_send(&entry, LONG_MS), 0);
        assert_int_equal(pthread_join(reader, NULL), 0);
        assert_true(has_got("waited"));
}

static void wait_is_bounded(void **state) {
        int64_t begun_ns = instant_now().boot_ns, took_ns;

        (void)state;
        assert_true(journal_socket_fill() > 0);
        compose("never");
        assert_int_equal(journal_send(&entry, 50), -EAGAIN);
        took_ns = instant_now().boot_ns - begun_ns;
        assert_true(took_ns >= 49 * NS_PER_S / 1000); /* the clock is read in whole milliseconds */
        assert_true(took_ns < LONG_MS * NS_PER_S / 1000);
}

static void missing_journal_is_not_waited_for(void **state) {
        (void)state;
        compose("nobody");
        assert_int_equal(journal_send(&entry, LONG_MS), -ENOENT);
        /* The socket of a killed journal. */
        assert_int_equal(journal_socket_listen(NULL), 0);
        assert_int_equal(close(journal_socket), 0);
        journal_socket = -EBADF;
        assert_int_equal(journal_send(&entry, LONG_MS), -ECONNREFUSED);
        assert_int_equal(journal_socket_stop(NULL), 0);
}

static void replaced_journal_needs_reconnect(void **state) {
        int fd = journal_connect();

        (void)state;
        assert_true(fd >= 0);
        compose("first");
        assert_int_equal(journal_put(fd, entry.raw, entry.to.used), 0);
        assert_int_equal(journal_socket_listen(NULL), 0);
        assert_int_equal(journal_put(fd, entry.raw, entry.to.used), -ECONNREFUSED);
        assert_int_equal(journal_put(fd, entry.raw, entry.to.used), -ENOTCONN);
        assert_int_equal(close(fd), 0);
        fd = journal_connect();
        assert_int_equal(journal_put(fd, entry.raw, entry.to.used), 0);
        assert_int_equal(close(fd), 0);
        assert_true(has_got("first"));
}

static void open_descriptor_outlives_journal(void **state) {
        int fd = journal_open();

        (void)state;
        assert_true(fd >= 0);
        compose("first");
        assert_int_equal(journal_send_on(fd, &entry), 0);
        assert_true(has_got("first"));
        assert_int_equal(journal_socket_listen(NULL), 0);
        compose("second");
        assert_int_equal(journal_send_on(fd, &entry), 0);
        assert_true(has_got("second"));
        assert_true(journal_socket_fill() > 0);
        assert_int_equal(journal_send_on(fd, &entry), -EAGAIN);
        assert_int_equal(journal_socket_stop(NULL), 0);
        assert_int_equal(journal_send_on(fd, &entry), -ENOENT);
        assert_int_equal(close(fd), 0);
}

static void oversized_entry_is_not_sent(void **state) {
        static char text[JOURNAL_ENTRY_MAX + 1];

        (void)state;
        memset(text, 'x', sizeof(text) - 1);
        compose(text);
        assert_int_equal(journal_send(&entry, LONG_MS), -EMSGSIZE);
        assert_int_equal(journal_send_on(-EBADF, &entry), -EMSGSIZE);
        assert_int_equal(journal_socket_read(), -1);
}

#define JOURNAL_TEST(test) cmocka_unit_test_setup_teardown(test, journal_socket_listen, journal_socket_stop)

int main(void) {
        const struct CMUnitTest tests[] = {
                JOURNAL_TEST(entry_reaches_journal),
                cmocka_unit_test(number_is_decimal),
                JOURNAL_TEST(full_journal_is_busy),
                JOURNAL_TEST(entry_waits_for_full_journal),
                JOURNAL_TEST(wait_is_bounded),
                cmocka_unit_test(missing_journal_is_not_waited_for),
                JOURNAL_TEST(replaced_journal_needs_reconnect),
                JOURNAL_TEST(open_descriptor_outlives_journal),
                JOURNAL_TEST(oversized_entry_is_not_sent),
        };

        journal_socket_prepare();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
