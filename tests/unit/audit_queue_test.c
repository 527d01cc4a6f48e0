/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked with --wrap=clock_gettime, --wrap=poll and --wrap=sd_event_source_set_time_relative: the time that the queue
 * waits passes at once.
 */
#include "agent/audit_queue.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include <cmocka.h>

#include "agent/audit_lost.h"
#include "common/events.h"
#include "common/lifetime.h"
#include "tests/unit/journal_socket.h"

#define WAIT_NS (60 * NS_PER_S) /* for what must happen at some time */
#define FASTER 50               /* how much faster the queue's timers fire */
#define STATE "/run/state"

static sd_event *event;
static int state_fd = -EBADF;
static unsigned n_emptied;

/* CLOCK_MONOTONIC stands still but for what a test, or a poll(2) that waits, adds. */
static int64_t monotonic_ms;
static void (*on_poll)(void); /* called before each poll(2) that waits */

int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret) {
        if (id != CLOCK_MONOTONIC)
                return __real_clock_gettime(id, ret);
        *ret = (struct timespec){.tv_sec = 1000 + monotonic_ms / 1000, .tv_nsec = monotonic_ms % 1000 * 1000000};
        return 0;
}

int __real_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms) {
        int r;

        if (timeout_ms > 0 && on_poll)
                on_poll();
        r = __real_poll(fds, n, 0);
        if (r == 0)
                monotonic_ms += timeout_ms;
        return r;
}

int __real_sd_event_source_set_time_relative(sd_event_source *source, uint64_t us);
int __wrap_sd_event_source_set_time_relative(sd_event_source *source, uint64_t us);
int __wrap_sd_event_source_set_time_relative(sd_event_source *source, uint64_t us) {
        return __real_sd_event_source_set_time_relative(source, us / FASTER);
}

static void on_emptied(void *context) {
        assert_ptr_equal(context, &n_emptied);
        n_emptied++;
}

static void begin(void) {
        assert_int_equal(sd_event_new(&event), 0);
        assert_int_equal(audit_queue_start(event, on_emptied, &n_emptied), 0);
        n_emptied = 0;
}

static void end(void) {
        audit_queue_stop();
        event = sd_event_unref(event);
}

/* What `work` writes to standard error, ended by a NUL. */
static const char *errors_of(void (*work)(void)) {
        static char text[65536];
        int saved = dup(STDERR_FILENO), file = memfd_create("stderr", MFD_CLOEXEC);
        ssize_t n;

        assert_true(saved >= 0 && file >= 0);
        assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
        work();
        (void)fflush(stderr);
        assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
        n = pread(file, text, sizeof(text) - 1, 0);
        assert_true(n >= 0);
        text[n] = '\0';
        (void)close(file);
        (void)close(saved);
        return text;
}

static int set_up(void **state) {
        on_poll = NULL;
        (void)unlink(STATE "/lost");
        state_fd = open(STATE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (state_fd < 0 || journal_socket_listen(state) < 0)
                return -1;
        begin();
        return 0;
}

static int tear_down(void **state) {
        if (event)
                (void)errors_of(end);
        (void)close(state_fd);
        return journal_socket_stop(state);
}

static void add_long(unsigned number, const char *padding) {
        struct journal_entry entry;
        char message[64];

        (void)snprintf(message, sizeof(message), "event %u.", number);
        journal_begin(&entry);
        journal_add(&entry, "MESSAGE", message);
        journal_add(&entry, "PADDING", padding);
        audit_queue_add(&entry, message);
}

static void add(unsigned number) {
        add_long(number, "");
}

static void add_from_to(unsigned first, unsigned last) {
        for (unsigned i = first; i <= last; i++)
                add(i);
}

/* The value of a field of the datagram that was read last, ended by a NUL; NULL: it has none of that name. */
static const char *value_of(const char *name, size_t size) {
        static char text[JOURNAL_ENTRY_MAX + 1];
        struct bytes from = {(const uint8_t *)journal_datagram, size}, found_name, value;

        while (journal_socket_field(&from, &found_name, &value))
                if (bytes_equal(found_name, name, strlen(name)) && bytes_to_text(value, text, sizeof(text)))
                        return text;
        return NULL;
}

/* The next datagram that is not noise; its size, or -1. */
static ssize_t next_event(void) {
        ssize_t n;

        while ((n = journal_socket_read()) > 0)
                if (memcmp(journal_datagram, "MESSAGE=noise", 13) != 0)
                        return n;
        return -1;
}

/* What is read from the journal until the queue is empty: numbers of events, and -N for N lost ones. */
struct got {
        size_t n, n_late;
        long numbers[2 * AUDIT_QUEUE_MAX];
        int64_t since_us;
};

static void take(struct got *got) {
        ssize_t n;

        while ((n = next_event()) > 0) {
                const char *lost = value_of(FIELD_LOST, (size_t)n), *message;
                unsigned number = 0;

                assert_true(got->n < sizeof(got->numbers) / sizeof(got->numbers[0]));
                if (lost) {
                        got->numbers[got->n++] = -atol(lost);
                        assert_string_equal(value_of("MESSAGE_ID", (size_t)n), EVENT_LOST);
                        got->since_us = atol(value_of(FIELD_LOST_SINCE, (size_t)n));
                        assert_non_null(strstr(value_of("MESSAGE", (size_t)n),
                                               got->numbers[got->n - 1] == -1 ? "1 event before this one was lost, "
                                                                              : " events before this one were lost, "));
                        continue;
                }
                message = value_of("MESSAGE", (size_t)n);
                assert_int_equal(sscanf(message, "event %u.", &number), 1);
                got->numbers[got->n++] = number;
                got->n_late += value_of(FIELD_TIME, (size_t)n) != NULL;
        }
}

static void take_until_empty(struct got *got) {
        int64_t until_ns = instant_now().boot_ns + WAIT_NS;

        *got = (struct got){.n = 0};
        do {
                take(got);
                assert_true(sd_event_run(event, 20 * 1000) >= 0);
                assert_true(instant_now().boot_ns < until_ns);
        } while (!audit_queue_empty());
        take(got);
}

static void assert_got(const struct got *got, const long *expected, size_t n) {
        assert_int_equal(got->n, n);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(got->numbers[i], expected[i]);
}

#define ASSERT_GOT(got, ...)                                                                                           \
        assert_got(got, (const long[]){__VA_ARGS__}, sizeof((const long[]){__VA_ARGS__}) / sizeof(long))

static int64_t now_us(void) {
        return instant_now().wall_ns / 1000;
}

static void event_is_sent_at_once(void **state) {
        struct got got = {.n = 0};

        (void)state;
        add(1);
        assert_true(audit_queue_empty());
        take(&got);
        ASSERT_GOT(&got, 1);
        assert_int_equal(got.n_late, 0);
}

static void events_wait_in_order(void **state) {
        int64_t before_us = now_us();
        struct got got;

        (void)state;
        assert_true(journal_socket_fill() > 0);
        add_from_to(1, 20);
        assert_false(audit_queue_empty());
        assert_int_equal(n_emptied, 0);
        take_until_empty(&got);
        assert_int_equal(got.n, 20);
        for (size_t i = 0; i < got.n; i++)
                assert_int_equal(got.numbers[i], i + 1);
        assert_int_equal(got.n_late, 20);
        assert_int_equal(n_emptied, 1);
        add(21);
        assert_true(next_event() > 0);
        assert_true(now_us() >= before_us);
}

static void late_event_has_its_time(void **state) {
        int64_t before_us = now_us(), after_us;
        ssize_t n;

        (void)state;
        assert_true(journal_socket_fill() > 0);
        add(1);
        after_us = now_us();
        while (now_us() == after_us)
                ;
        while (journal_socket_read() > 0)
                ;
        assert_true(sd_event_run(event, (uint64_t)WAIT_NS / 1000) >= 0);
        n = next_event();
        assert_true(n > 0);
        assert_in_range(atol(value_of(FIELD_TIME, (size_t)n)), before_us, after_us);
}

static void new_event_does_not_overtake(void **state) {
        struct got got;

        (void)state;
        assert_true(journal_socket_fill() > 0);
        add(1);
        while (journal_socket_read() > 0)
                ;
        /* There is room now, and the loop has not seen it. */
        add(2);
        take_until_empty(&got);
        ASSERT_GOT(&got, 1, 2);
}

static void overflow_is_counted_and_reported(void **state) {
        int64_t before_us = now_us();
        struct got got;

        (void)state;
        assert_true(journal_socket_fill() > 0);
        add_from_to(1, AUDIT_QUEUE_MAX + 7);
        take_until_empty(&got);
        assert_int_equal(got.n, AUDIT_QUEUE_MAX + 1);
        for (size_t i = 0; i < AUDIT_QUEUE_MAX; i++)
                assert_int_equal(got.numbers[i], i + 1);
        assert_int_equal(got.numbers[AUDIT_QUEUE_MAX], -7);
        assert_in_range(got.since_us, before_us, now_us());
        /* That was all. */
        add(1000);
        take_until_empty(&got);
        ASSERT_GOT(&got, 1000);
}

static void report_precedes_next_event(void **state) {
        struct got got;
        size_t n;

        (void)state;
        assert_true(journal_socket_fill() > 0);
        add_from_to(1, AUDIT_QUEUE_MAX + 3);
        (void)journal_socket_read();
        (void)journal_socket_read();
        /* The event makes room for itself and the report. */
        assert_true(sd_event_run(event, (uint64_t)WAIT_NS / 1000) >= 0);
        add(2000);
        take_until_empty(&got);
        n = got.n;
        assert_int_equal(n, AUDIT_QUEUE_MAX + 2);
        assert_int_equal(got.numbers[n - 2], -3);
        assert_int_equal(got.numbers[n - 1], 2000);
}

static void queue_is_bounded_in_bytes(void **state) {
        static char padding[7000];
        long lost = 0;
        struct got got;

        (void)state;
        memset(padding, 'x', sizeof(padding) - 1);
        assert_true(journal_socket_fill() > 0);
        for (unsigned i = 1; i <= 200; i++)
                add_long(i, padding);
        take_until_empty(&got);
        lost = -got.numbers[got.n - 1];
        assert_in_range(lost, 200 - AUDIT_QUEUE_BYTES_MAX / 7000, 199);
        assert_int_equal(lost + (long)got.n - 1, 200);
}

static void adding_never_blocks(void **state) {
        (void)state;
        assert_true(journal_socket_fill() > 0);
        add_from_to(1, 10000);
        assert_false(audit_queue_empty());
}

static void oversized_event_is_counted(void **state) {
        static char padding[JOURNAL_ENTRY_MAX];
        struct got got;

        (void)state;
        add(1);
        memset(padding, 'x', sizeof(padding) - 1);
        add_long(2, padding);
        add(3);
        take_until_empty(&got);
        ASSERT_GOT(&got, 1, -1, 3);
}

static void replaced_socket_is_found(void **state) {
        struct got got;

        (void)state;
        assert_true(journal_socket_fill() > 0);
        add_from_to(1, 3);
        assert_int_equal(journal_socket_listen(NULL), 0);
        take_until_empty(&got);
        ASSERT_GOT(&got, 1, 2, 3);
}

/* As where a socket unit is restarted and the old socket is still held open. */
static void replaced_socket_is_found_beside_open_one(void **state) {
        int old = dup(journal_socket);
        struct got got;

        (void)state;
        assert_true(journal_socket_fill() > 0);
        add_from_to(1, 3);
        assert_int_equal(journal_socket_listen(NULL), 0);
        take_until_empty(&got);
        ASSERT_GOT(&got, 1, 2, 3);
        assert_int_equal(close(old), 0);
}

/* Nothing is sent to the old socket, though it takes it. */
static void replaced_socket_gets_next_event(void **state) {
        int old = dup(journal_socket);
        struct got got = {.n = 0};

        (void)state;
        add(1);
        take(&got);
        assert_int_equal(journal_socket_listen(NULL), 0);
        add(2);
        take(&got);
        ASSERT_GOT(&got, 1, 2);
        assert_int_equal(got.n_late, 0);
        assert_int_equal(close(old), 0);
}

static void short_absence_loses_nothing(void **state) {
        struct got got = {.n = 0};

        (void)state;
        add(1);
        take(&got);
        ASSERT_GOT(&got, 1);
        assert_int_equal(journal_socket_stop(NULL), 0);
        add_from_to(2, 4);
        monotonic_ms += AUDIT_QUEUE_ABSENT_S * 1000;
        assert_true(sd_event_run(event, (uint64_t)WAIT_NS / 1000) > 0);
        assert_false(audit_queue_empty());
        assert_int_equal(journal_socket_listen(NULL), 0);
        take_until_empty(&got);
        ASSERT_GOT(&got, 2, 3, 4);
}

static void run_until_empty(void) {
        int64_t until_ns = instant_now().boot_ns + WAIT_NS;

        while (!audit_queue_empty()) {
                assert_true(sd_event_run(event, 100 * 1000) >= 0);
                assert_true(instant_now().boot_ns < until_ns);
        }
}

static void long_absence_is_counted(void **state) {
        struct got got = {.n = 0};

        (void)state;
        add(1);
        take(&got);
        assert_int_equal(journal_socket_stop(NULL), 0);
        add_from_to(2, 3);
        monotonic_ms += AUDIT_QUEUE_ABSENT_S * 1000 + 1;
        assert_string_equal(errors_of(run_until_empty),
                            AUDIT_IDENTIFIER ": event 2.\n" AUDIT_IDENTIFIER ": event 3.\n");
        assert_int_equal(journal_socket_listen(NULL), 0);
        add(4);
        take_until_empty(&got);
        ASSERT_GOT(&got, 4, -2);
}

static void add_two(void) {
        add_from_to(1, 2);
}

static void no_journal_means_stderr(void **state) {
        (void)state;
        assert_int_equal(journal_socket_stop(NULL), 0);
        assert_string_equal(errors_of(add_two), AUDIT_IDENTIFIER ": event 1.\n" AUDIT_IDENTIFIER ": event 2.\n");
        assert_true(audit_queue_empty());
        assert_int_equal(audit_queue_use_state(state_fd), 0);
        end();
        assert_int_equal(access(STATE "/lost", F_OK), -1);
}

static struct got got_at_stop;

static void read_some(void) {
        take(&got_at_stop);
}

static void stop_flushes(void **state) {
        (void)state;
        got_at_stop = (struct got){.n = 0};
        assert_int_equal(audit_queue_use_state(state_fd), 0);
        assert_true(journal_socket_fill() > 0);
        add_from_to(1, 20);
        on_poll = read_some;
        end();
        read_some();
        assert_int_equal(got_at_stop.n, 20);
        assert_int_equal(access(STATE "/lost", F_OK), -1);
}

static void leftover_is_reported_by_next_agent(void **state) {
        int64_t before_us = now_us();
        struct audit_lost lost;
        struct stat st;
        struct got got;

        (void)state;
        assert_int_equal(audit_queue_use_state(state_fd), 0);
        assert_true(journal_socket_fill() > 0);
        add_from_to(1, AUDIT_QUEUE_MAX + 5);
        assert_non_null(strstr(errors_of(end), AUDIT_IDENTIFIER ": event 1.\n"));
        assert_int_equal(stat(STATE "/lost", &st), 0);
        assert_int_equal(st.st_mode, S_IFREG | 0600);
        assert_int_equal(audit_lost_read(state_fd, &lost), 0);
        assert_int_equal(lost.n, AUDIT_QUEUE_MAX + 5);
        assert_in_range(lost.since_us, before_us, now_us());

        /* The next one does not get through either: nothing is counted twice, and nothing forgotten. */
        begin();
        assert_int_equal(audit_queue_use_state(state_fd), 0);
        add(1000);
        (void)errors_of(end);
        assert_int_equal(audit_lost_read(state_fd, &lost), 0);
        assert_int_equal(lost.n, AUDIT_QUEUE_MAX + 6);

        begin();
        assert_int_equal(audit_queue_use_state(state_fd), 0);
        assert_int_equal(access(STATE "/lost", F_OK), 0);
        take_until_empty(&got);
        ASSERT_GOT(&got, -(AUDIT_QUEUE_MAX + 6));
        assert_int_equal(got.since_us, lost.since_us);
        assert_int_equal(access(STATE "/lost", F_OK), -1);
        end();
        assert_int_equal(access(STATE "/lost", F_OK), -1);
}

static void damaged_count_is_removed(void **state) {
        int fd;

        (void)state;
        assert_int_equal(symlink("/etc/passwd", STATE "/lost"), 0);
        assert_int_equal(audit_queue_use_state(state_fd), -EBADMSG);
        assert_int_equal(access(STATE "/lost", F_OK), -1);
        fd = open(STATE "/lost", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, "0123456789abcdef!", 17), 17);
        assert_int_equal(close(fd), 0);
        assert_int_equal(audit_queue_use_state(state_fd), -EBADMSG);
        assert_int_equal(access(STATE "/lost", F_OK), -1);
}

static void count_replaces_stale_file(void **state) {
        const struct audit_lost written = {.n = 3, .since_us = 77};
        struct audit_lost lost;

        (void)state;
        assert_int_equal(symlink("/etc/passwd", STATE "/lost.new"), 0);
        assert_int_equal(audit_lost_write(state_fd, &written), 0);
        assert_int_equal(audit_lost_read(state_fd, &lost), 0);
        assert_int_equal(lost.n, 3);
        assert_int_equal(lost.since_us, 77);
        assert_int_equal(access(STATE "/lost.new", F_OK), -1);
        audit_lost_add(&lost, 2, 90);
        audit_lost_add(&lost, UINT64_MAX, 50);
        assert_int_equal(lost.since_us, 50);
        assert_true(lost.n == UINT64_MAX);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(event_is_sent_at_once),
                TEST(events_wait_in_order),
                TEST(late_event_has_its_time),
                TEST(new_event_does_not_overtake),
                TEST(overflow_is_counted_and_reported),
                TEST(report_precedes_next_event),
                TEST(queue_is_bounded_in_bytes),
                TEST(adding_never_blocks),
                TEST(oversized_event_is_counted),
                TEST(replaced_socket_is_found),
                TEST(replaced_socket_is_found_beside_open_one),
                TEST(replaced_socket_gets_next_event),
                TEST(short_absence_loses_nothing),
                TEST(long_absence_is_counted),
                TEST(no_journal_means_stderr),
                TEST(stop_flushes),
                TEST(leftover_is_reported_by_next_agent),
                TEST(damaged_count_is_removed),
                TEST(count_replaces_stale_file),
        };

        journal_socket_prepare();
        if (mkdir(STATE, 0700) < 0)
                return EXIT_FAILURE;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
