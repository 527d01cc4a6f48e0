/* SPDX-License-Identifier: Apache-2.0 */
/* Linked with --wrap for the functions below, so that each of their calls can be made to fail. Needs root, for a full disk. */
#include "cloud/audit/line_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NAME "node-1"
#define FIRST NAME "-0000000000000001.jsonl"

static char directory[64];
static struct line_log *log_;
static char why[LINE_LOG_WHY_MAX];

/* --- failures --------------------------------------------------------------------------------------------------------- */

static int pwrite_error, fdatasync_error, ftruncate_error;
static atomic_uint n_syncs, n_waits;
static atomic_bool slow_disk; /* a sync ends when two more lines wait */

ssize_t __real_pwrite(int fd, const void *bytes, size_t n, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t n, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t n, off_t offset) {
        /* Half of it arrives. */
        if (pwrite_error != 0 && n > 1) {
                errno = pwrite_error;
                (void)!__real_pwrite(fd, bytes, n / 2, offset);
                return -1;
        }
        return __real_pwrite(fd, bytes, n, offset);
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd) {
        atomic_fetch_add(&n_syncs, 1);
        while (atomic_load(&slow_disk) && atomic_load(&n_waits) < 2)
                (void)usleep(1000);
        atomic_store(&slow_disk, false);
        if (fdatasync_error == 0)
                return __real_fdatasync(fd);
        errno = fdatasync_error;
        return -1;
}

int __real_ftruncate(int fd, off_t length);
int __wrap_ftruncate(int fd, off_t length);
int __wrap_ftruncate(int fd, off_t length) {
        if (ftruncate_error == 0)
                return __real_ftruncate(fd, length);
        errno = ftruncate_error;
        return -1;
}

int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex) {
        atomic_fetch_add(&n_waits, 1);
        return __real_pthread_cond_wait(condition, mutex);
}

/* --- fixture ---------------------------------------------------------------------------------------------------------- */

static int setup(void **state) {
        (void)state;
        strcpy(directory, "/tmp/line_log_test.XXXXXX");
        pwrite_error = fdatasync_error = ftruncate_error = 0;
        log_ = NULL;
        return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state) {
        char command[128];

        (void)state;
        line_log_close(log_);
        (void)snprintf(command, sizeof(command), "rm -rf '%s'", directory);
        return system(command);
}

static const char *path(const char *file) {
        static char text[256];

        (void)snprintf(text, sizeof(text), "%s/%s", directory, file);
        return text;
}

static void reopen_with(int64_t file_size) {
        line_log_close(log_);
        log_ = NULL;
        if (line_log_open(directory, NAME, file_size, &log_, why) < 0)
                fail_msg("%s", why);
}

static void reopen(void) {
        reopen_with(LINE_LOG_FILE_SIZE);
}

static int append_to(struct line_log *to, int n, struct line_log_head *ret) {
        json_t *object = json_pack("{si}", "n", n);
        int r;

        assert_non_null(object);
        r = line_log_append(to, object, ret);
        json_decref(object);
        return r;
}

static struct line_log_head append(int n) {
        struct line_log_head head;

        assert_int_equal(append_to(log_, n, &head), 0);
        return head;
}

static void append_raw(const char *file, const char *text, size_t n) {
        int fd = open(path(file), O_WRONLY | O_APPEND | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, n), n);
        assert_int_equal(close(fd), 0);
}

/* The whole file, which the caller frees. */
static char *read_all(const char *file, size_t *ret_n) {
        FILE *from = fopen(path(file), "re");
        char *text = NULL;
        size_t room = 0;
        ssize_t n;

        assert_non_null(from);
        n = getdelim(&text, &room, -1, from);
        (void)fclose(from);
        *ret_n = n < 0 ? 0 : (size_t)n;
        return text;
}

static void write_all(const char *file, const char *text, size_t n) {
        int fd = open(path(file), O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, n), n);
        assert_int_equal(close(fd), 0);
}

struct seen {
        unsigned n_lines, n_faults;
        uint64_t first, last;
        int n[16]; /* the member of each line */
        char file[LINE_LOG_FILE_NAME_MAX];
        uint64_t number;
        char what[200];
        struct line_log_head head;
};

static struct seen seen;

static int on_line(void *context, const struct line_log_line *line) {
        assert_ptr_equal(context, &seen);
        if (seen.n_lines == 0)
                seen.first = line->seq;
        if (seen.n_lines < 16)
                seen.n[seen.n_lines] = (int)json_integer_value(json_object_get(line->object, "n"));
        seen.n_lines++;
        seen.last = line->seq;
        (void)snprintf(seen.head.hash, sizeof(seen.head.hash), "%s", line->hash);
        return 0;
}

static void on_fault(void *context, const char *file, uint64_t number, const char *what) {
        assert_ptr_equal(context, &seen);
        seen.n_faults++;
        (void)snprintf(seen.file, sizeof(seen.file), "%s", file);
        (void)snprintf(seen.what, sizeof(seen.what), "%s", what);
        seen.number = number;
}

static void read_log(void) {
        const struct line_log_reader reader = {.line = on_line, .fault = on_fault, .context = &seen};

        seen = (struct seen){.n_lines = 0};
        if (line_log_read(directory, NAME, &reader, why) < 0)
                fail_msg("%s", why);
}

static void assert_whole(unsigned n) {
        read_log();
        if (seen.n_faults > 0)
                fail_msg("%s:%" PRIu64 ": %s", seen.file, seen.number, seen.what);
        assert_int_equal(seen.n_lines, n);
}

static void assert_fault(uint64_t number, const char *what) {
        read_log();
        assert_int_equal(seen.n_faults, 1);
        assert_int_equal(seen.number, number);
        if (strncmp(seen.what, what, strlen(what)) != 0)
                fail_msg("\"%s\" should begin with \"%s\"", seen.what, what);
}

/* --- appending -------------------------------------------------------------------------------------------------------- */

static void lines_are_numbered_and_chained(void **state) {
        struct line_log_head first, second, last;
        char *text, expected[128];
        size_t n;

        (void)state;
        reopen();
        line_log_last(log_, &last);
        assert_int_equal(last.seq, 0);
        first = append(1);
        second = append(2);
        assert_int_equal(first.seq, 1);
        assert_int_equal(second.seq, 2);
        line_log_last(log_, &last);
        assert_memory_equal(&last, &second, sizeof(last));
        text = read_all(FIRST, &n);
        (void)snprintf(expected, sizeof(expected), "\"seq\":2,\"prev\":\"%s\",\"n\":2}\n", first.hash);
        assert_string_equal(strstr(text, "\"seq\":2"), expected);
        assert_memory_equal(text, "{\"time\":\"20", 11);
        free(text);
        assert_whole(2);
        assert_string_equal(seen.head.hash, second.hash);
}

static void empty_object_and_foreign_text_are_lines(void **state) {
        json_t *object = json_object();
        char *text;
        size_t n;

        (void)state;
        reopen();
        assert_int_equal(line_log_append(log_, object, NULL), 0);
        assert_int_equal(json_object_set_new(object, "t", json_string("a\nb\xc3\xa9")), 0);
        assert_int_equal(line_log_append(log_, object, NULL), 0);
        json_decref(object);
        text = read_all(FIRST, &n);
        assert_non_null(strstr(text, "0\"}\n{"));
        assert_non_null(strstr(text, "\"t\":\"a\\nb\\u00E9\"}\n"));
        free(text);
        assert_whole(2);
}

static void chain_continues_after_a_restart(void **state) {
        (void)state;
        reopen();
        (void)append(1);
        reopen();
        (void)append(2);
        reopen();
        assert_whole(2);
        assert_int_equal(append(3).seq, 3);
        assert_whole(3);
}

static void half_line_is_cut_off(void **state) {
        (void)state;
        reopen();
        (void)append(1);
        (void)append(2);
        append_raw(FIRST, "{\"time\":\"20", 11);
        assert_whole(2);
        reopen();
        assert_int_equal(append(3).seq, 3);
        assert_whole(3);
        /* Some file systems leave zeros. */
        append_raw(FIRST, "\0\0\0\0", 4);
        reopen();
        assert_int_equal(append(4).seq, 4);
        assert_whole(4);
}

static void half_line_alone_is_cut_off(void **state) {
        (void)state;
        reopen();
        append_raw(FIRST, "{\"time", 6);
        reopen();
        assert_int_equal(append(1).seq, 1);
        assert_whole(1);
}

static void damaged_last_line_is_not_continued(void **state) {
        (void)state;
        reopen();
        (void)append(1);
        append_raw(FIRST, "{}\n", 3);
        line_log_close(log_);
        log_ = NULL;
        assert_int_equal(line_log_open(directory, NAME, LINE_LOG_FILE_SIZE, &log_, why), -EBADMSG);
        assert_non_null(strstr(why, FIRST ": the last line is damaged"));
}

static void full_file_is_followed_by_another(void **state) {
        (void)state;
        reopen_with(300);
        for (int i = 1; i <= 7; i++)
                (void)append(i);
        assert_whole(7);
        assert_int_equal(access(path(NAME "-0000000000000004.jsonl"), F_OK), 0);
        assert_int_equal(access(path(NAME "-0000000000000007.jsonl"), F_OK), 0);
        reopen_with(300);
        assert_int_equal(append(8).seq, 8);
        assert_whole(8);
}

static void empty_new_file_continues_the_one_before(void **state) {
        (void)state;
        reopen();
        (void)append(1);
        write_all(NAME "-0000000000000002.jsonl", "", 0);
        reopen();
        assert_int_equal(append(2).seq, 2);
        assert_whole(2);
        assert_string_equal(seen.file, "");
        write_all(NAME "-0000000000000009.jsonl", "", 0);
        line_log_close(log_);
        log_ = NULL;
        assert_int_equal(line_log_open(directory, NAME, LINE_LOG_FILE_SIZE, &log_, why), -EBADMSG);
}

static void archived_files_are_not_needed(void **state) {
        (void)state;
        reopen_with(1);
        for (int i = 1; i <= 3; i++)
                (void)append(i);
        assert_int_equal(unlink(path(FIRST)), 0);
        reopen_with(1);
        (void)append(4);
        assert_whole(3);
        assert_int_equal(seen.first, 2);
}

static void second_process_is_refused(void **state) {
        struct line_log *other;

        (void)state;
        reopen();
        assert_int_equal(line_log_open(directory, NAME, LINE_LOG_FILE_SIZE, &other, why), -EBUSY);
        assert_int_equal(line_log_open(directory, "node", LINE_LOG_FILE_SIZE, &other, why), 0);
        assert_int_equal(append_to(other, 1, NULL), 0);
        line_log_close(other);
}

static void wrong_names_are_refused(void **state) {
        static const char *const names[] = {"", ".a", "a/b", "..", "a b"};
        struct line_log *other;
        uint64_t seq;
        char name[LINE_LOG_NAME_MAX];

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                assert_int_equal(line_log_open(directory, names[i], 1, &other, why), -EINVAL);
        assert_int_equal(line_log_open("/nowhere", NAME, 1, &other, why), -ENOENT);
        assert_true(line_log_file_name("a-b-0000000000000042.jsonl", name, &seq));
        assert_string_equal(name, "a-b");
        assert_int_equal(seq, 42);
        assert_false(line_log_file_name("-0000000000000042.jsonl", name, &seq));
        assert_false(line_log_file_name("a-000000000000004x.jsonl", name, &seq));
        assert_false(line_log_file_name("a-0000000000000000.jsonl", name, &seq));
        assert_false(line_log_file_name("a-0000000000000042.json", name, &seq));
        assert_false(line_log_file_name("a.jsonl", name, &seq));
}

/* --- failures --------------------------------------------------------------------------------------------------------- */

static void failed_write_leaves_no_half_line(void **state) {
        struct line_log_head before, after;
        struct stat st;
        off_t size;

        (void)state;
        reopen();
        before = append(1);
        assert_int_equal(stat(path(FIRST), &st), 0);
        size = st.st_size;
        pwrite_error = ENOSPC;
        assert_int_equal(append_to(log_, 2, NULL), -ENOSPC);
        pwrite_error = 0;
        fdatasync_error = EIO;
        assert_int_equal(append_to(log_, 3, NULL), -EIO);
        fdatasync_error = 0;
        assert_int_equal(stat(path(FIRST), &st), 0);
        assert_int_equal(st.st_size, size);
        line_log_last(log_, &after);
        assert_memory_equal(&before, &after, sizeof(before));
        assert_int_equal(append(4).seq, 2);
        assert_whole(2);
        assert_int_equal(seen.n[1], 4);
}

static void half_line_that_stays_is_cut_off_later(void **state) {
        (void)state;
        reopen();
        (void)append(1);
        pwrite_error = ENOSPC;
        ftruncate_error = EIO;
        assert_int_equal(append_to(log_, 2, NULL), -ENOSPC);
        pwrite_error = 0;
        assert_int_equal(append_to(log_, 3, NULL), -EIO);
        ftruncate_error = 0;
        (void)append(4);
        assert_whole(2);
}

static void line_that_is_too_long_is_refused(void **state) {
        static char text[LINE_LOG_LINE_MAX];
        json_t *object;

        (void)state;
        memset(text, 'x', sizeof(text) - 1);
        object = json_pack("{ss}", "t", text);
        reopen();
        assert_int_equal(line_log_append(log_, object, NULL), -E2BIG);
        json_decref(object);
        (void)append(1);
        assert_whole(1);
}

static void removed_file_is_an_error(void **state) {
        (void)state;
        reopen();
        (void)append(1);
        assert_int_equal(unlink(path(FIRST)), 0);
        assert_int_equal(append_to(log_, 2, NULL), -ESTALE);
}

static void full_disk_is_an_error_until_there_is_room(void **state) {
        static char text[4000];
        struct line_log *full;
        json_t *object;
        unsigned n = 0;
        int r;

        (void)state;
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", directory, "tmpfs", 0, "size=64k") < 0)
                fail_msg("these tests run as root");
        memset(text, 'x', sizeof(text) - 1);
        object = json_pack("{ss}", "t", text);
        write_all("ballast", text, sizeof(text));
        assert_int_equal(line_log_open(directory, NAME, LINE_LOG_FILE_SIZE, &full, why), 0);
        while ((r = line_log_append(full, object, NULL)) == 0)
                n++;
        assert_int_equal(r, -ENOSPC);
        assert_true(n > 1);
        assert_whole(n);
        assert_int_equal(line_log_append(full, object, NULL), -ENOSPC);
        assert_int_equal(unlink(path("ballast")), 0);
        assert_int_equal(line_log_append(full, object, NULL), 0);
        assert_whole(n + 1);
        json_decref(object);
        line_log_close(full);
        assert_int_equal(umount2(directory, MNT_DETACH), 0);
}

/* --- threads ---------------------------------------------------------------------------------------------------------- */

enum { THREADS = 16, LINES = 100 };

static void *append_many(void *argument) {
        const int *first = argument;
        uint64_t last = 0;

        for (int i = 0; i < LINES; i++) {
                struct line_log_head head;

                if (append_to(log_, *first + i, &head) < 0 || head.seq <= last)
                        abort();
                last = head.seq;
        }
        return NULL;
}

static void threads_share_a_sync(void **state) {
        pthread_t threads[THREADS];
        int first[THREADS];

        (void)state;
        reopen();
        atomic_store(&n_syncs, 0);
        atomic_store(&n_waits, 0);
        atomic_store(&slow_disk, true);
        for (int i = 0; i < THREADS; i++) {
                first[i] = i * LINES;
                assert_int_equal(pthread_create(&threads[i], NULL, append_many, &first[i]), 0);
        }
        for (int i = 0; i < THREADS; i++)
                assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_whole(THREADS * LINES);
        assert_true(atomic_load(&n_syncs) < THREADS * LINES);
}

/* --- reading ---------------------------------------------------------------------------------------------------------- */

static void make_five(void) {
        reopen();
        for (int i = 1; i <= 5; i++)
                (void)append(i);
        line_log_close(log_);
        log_ = NULL;
}

static char *find_line(char *text, int seq) {
        char key[32];
        char *at;

        (void)snprintf(key, sizeof(key), "\"seq\":%d,", seq);
        at = strstr(text, key);
        assert_non_null(at);
        while (at > text && at[-1] != '\n')
                at--;
        return at;
}

static void changed_line_is_found(void **state) {
        char *text;
        size_t n;

        (void)state;
        make_five();
        text = read_all(FIRST, &n);
        *(strstr(text, "\"n\":3}") + 4) = '7';
        write_all(FIRST, text, n);
        free(text);
        assert_fault(3, "changed: ");
        assert_int_equal(seen.n_lines, 5);
}

static void destroyed_line_is_found(void **state) {
        char *text;
        size_t n;

        (void)state;
        make_five();
        text = read_all(FIRST, &n);
        *find_line(text, 3) = 'x';
        write_all(FIRST, text, n);
        free(text);
        read_log();
        assert_int_equal(seen.n_faults, 2); /* the line itself, and that its hash is another one */
        assert_int_equal(seen.n_lines, 4);
}

static void removed_line_is_found(void **state) {
        char *text, *third, *fourth;
        size_t n;

        (void)state;
        make_five();
        text = read_all(FIRST, &n);
        third = find_line(text, 3);
        fourth = find_line(text, 4);
        memmove(third, fourth, n - (size_t)(fourth - text));
        write_all(FIRST, text, n - (size_t)(fourth - third));
        free(text);
        assert_fault(3, "removed: lines 3 to 3");
}

static void removed_first_line_is_found(void **state) {
        char *text, *second;
        size_t n;

        (void)state;
        make_five();
        text = read_all(FIRST, &n);
        second = find_line(text, 2);
        write_all(FIRST, second, n - (size_t)(second - text));
        free(text);
        assert_fault(1, "line 2 of the log in a file that begins with 1");
}

static void repeated_line_is_found(void **state) {
        char *text, *fifth;
        size_t n;

        (void)state;
        make_five();
        text = read_all(FIRST, &n);
        fifth = find_line(text, 5);
        append_raw(FIRST, fifth, n - (size_t)(fifth - text));
        free(text);
        assert_fault(6, "changed: line 5 after line 5");
}

static void removed_file_is_found(void **state) {
        (void)state;
        reopen_with(1);
        for (int i = 1; i <= 4; i++)
                (void)append(i);
        assert_int_equal(unlink(path(NAME "-0000000000000003.jsonl")), 0);
        assert_fault(1, "removed: lines 3 to 3");
        assert_string_equal(seen.file, NAME "-0000000000000004.jsonl");
}

static void cut_off_older_file_is_found(void **state) {
        (void)state;
        reopen_with(1);
        (void)append(1);
        (void)append(2);
        append_raw(FIRST, "x", 1);
        assert_fault(2, "changed: the line has no end");
}

static int stop_reading(void *context, const struct line_log_line *line) {
        (void)context;
        return line->seq == 3 ? -ECANCELED : 0;
}

static void reader_may_stop(void **state) {
        const struct line_log_reader reader = {.line = stop_reading};

        (void)state;
        make_five();
        assert_int_equal(line_log_read(directory, NAME, &reader, why), -ECANCELED);
        assert_int_equal(line_log_read(directory, "other", &reader, why), -ENOENT);
        assert_int_equal(line_log_read("/nowhere", NAME, &reader, why), -ENOENT);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(lines_are_numbered_and_chained),
                TEST(empty_object_and_foreign_text_are_lines),
                TEST(chain_continues_after_a_restart),
                TEST(half_line_is_cut_off),
                TEST(half_line_alone_is_cut_off),
                TEST(damaged_last_line_is_not_continued),
                TEST(full_file_is_followed_by_another),
                TEST(empty_new_file_continues_the_one_before),
                TEST(archived_files_are_not_needed),
                TEST(second_process_is_refused),
                TEST(wrong_names_are_refused),
                TEST(failed_write_leaves_no_half_line),
                TEST(half_line_that_stays_is_cut_off_later),
                TEST(line_that_is_too_long_is_refused),
                TEST(removed_file_is_an_error),
                TEST(full_disk_is_an_error_until_there_is_room),
                TEST(threads_share_a_sync),
                TEST(changed_line_is_found),
                TEST(destroyed_line_is_found),
                TEST(removed_line_is_found),
                TEST(removed_first_line_is_found),
                TEST(repeated_line_is_found),
                TEST(removed_file_is_found),
                TEST(cut_off_older_file_is_found),
                TEST(reader_may_stop),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
