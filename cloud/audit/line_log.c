/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/audit/line_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cloud/audit/line_log_internal.h"

enum {
        BATCH_MAX = 256 * 1024, /* bytes that are written at a time, at least */
        PREFIX_MAX = 192,       /* bytes of time, seq and prev */
};

/* --- lines -------------------------------------------------------------------------------------------------------- */

static int make_prefix(const struct line_log_head *last, char ret[static PREFIX_MAX]) {
        struct timespec now;
        struct tm utc;
        char date[32];

        (void)clock_gettime(CLOCK_REALTIME, &now);
        if (!gmtime_r(&now.tv_sec, &utc) || strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc) == 0)
                return -EOVERFLOW;
        return snprintf(ret, PREFIX_MAX, "{\"time\":\"%s.%06ldZ\",\"seq\":%" PRIu64 ",\"prev\":\"%s\"", date,
                        now.tv_nsec / 1000, last->seq + 1, last->hash);
}

static int make_room(struct line_log *log, size_t n) {
        char *larger;

        if (n <= log->batch_room)
                return 0;
        larger = realloc(log->batch, n);
        if (!larger)
                return -ENOMEM;
        log->batch = larger;
        log->batch_room = n;
        return 0;
}

/* Adds the line to the batch, at *used, and chains it to `last`. */
static int add_line(struct line_log *log, struct line_log_waiting *line, size_t *used, struct line_log_head *last) {
        const char *rest = line->members + 1;
        size_t n_rest = line->length - 1, n;
        char prefix[PREFIX_MAX], *at;
        int n_prefix, r;

        n_prefix = make_prefix(last, prefix);
        if (n_prefix < 0)
                return n_prefix;
        n = (size_t)n_prefix + (n_rest > 1 ? 1 : 0) + n_rest + 1;
        if (n > LINE_LOG_LINE_MAX)
                return -E2BIG;
        r = make_room(log, *used + n);
        if (r < 0)
                return r;
        at = log->batch + *used;
        memcpy(at, prefix, (size_t)n_prefix);
        at += n_prefix;
        if (n_rest > 1)
                *at++ = ',';
        memcpy(at, rest, n_rest);
        at[n_rest] = '\n';
        line->head.seq = last->seq + 1;
        if (!line_log_sha256(log->batch + *used, n - 1, line->head.hash))
                return -EIO;
        *used += n;
        *last = line->head;
        return 0;
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static int write_at(int fd, const char *bytes, size_t n, int64_t offset) {
        while (n > 0) {
                ssize_t written = pwrite(fd, bytes, n, offset);

                if (written < 0 && errno == EINTR)
                        continue;
                if (written <= 0)
                        return written < 0 ? -errno : -EIO;
                bytes += written;
                n -= (size_t)written;
                offset += written;
        }
        return 0;
}

/* Makes sure that the file ends where the chain does, and that it is the one which the log's readers find. */
static int prepare_file(struct line_log *log) {
        struct stat st;

        if (log->cut_off) {
                if (ftruncate(log->fd, log->size) < 0)
                        return -errno;
                log->cut_off = false;
        }
        if (log->size >= log->file_size)
                return line_log_begin_file(log);
        if (fstat(log->fd, &st) < 0)
                return -errno;
        return st.st_nlink > 0 ? 0 : -ESTALE;
}

static int write_batch(struct line_log *log, size_t used) {
        int r;

        r = write_at(log->fd, log->batch, used, log->size);
        if (r == 0 && fdatasync(log->fd) < 0)
                r = -errno;
        if (r == 0) {
                log->size += (int64_t)used;
                return 0;
        }
        /* The next batch tries again where this fails too. */
        log->cut_off = ftruncate(log->fd, log->size) < 0;
        return r;
}

/* --- appending ---------------------------------------------------------------------------------------------------- */

/* Writes the lines of the list, and sets their results. Without the lock: `writing` keeps others away. */
static void write_lines(struct line_log *log, struct line_log_waiting *first, struct line_log_head *ret_head) {
        struct line_log_head last = log->head;
        size_t used = 0;
        int r;

        r = prepare_file(log);
        for (struct line_log_waiting *line = first; line; line = line->next)
                line->result = r < 0 ? r : add_line(log, line, &used, &last);
        if (r == 0 && used > 0)
                r = write_batch(log, used);
        if (r == 0) {
                *ret_head = last;
                return;
        }
        for (struct line_log_waiting *line = first; line; line = line->next)
                if (line->result == 0)
                        line->result = r;
}

/* The lines that are written now: all, up to BATCH_MAX. The others stay. */
static struct line_log_waiting *take_lines(struct line_log *log) {
        struct line_log_waiting *first = log->first, **end = &log->first;

        for (size_t used = 0; *end && used < BATCH_MAX; end = &(*end)->next)
                used += (*end)->length;
        log->first = *end;
        if (!log->first)
                log->end = &log->first;
        *end = NULL;
        return first;
}

/* With the lock. */
static void write_waiting(struct line_log *log) {
        struct line_log_waiting *lines = take_lines(log);
        struct line_log_head head = log->head;

        log->writing = true;
        (void)pthread_mutex_unlock(&log->lock);
        write_lines(log, lines, &head);
        (void)pthread_mutex_lock(&log->lock);
        log->head = head;
        log->writing = false;
        for (struct line_log_waiting *line = lines; line; line = line->next)
                line->done = true;
        (void)pthread_cond_broadcast(&log->changed);
}

int line_log_append(struct line_log *log, const json_t *object, struct line_log_head *ret) {
        char *text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
        struct line_log_waiting line = {.members = text};

        if (!text)
                return -ENOMEM;
        line.length = strlen(text);
        (void)pthread_mutex_lock(&log->lock);
        *log->end = &line;
        log->end = &line.next;
        while (!line.done)
                if (log->writing)
                        (void)pthread_cond_wait(&log->changed, &log->lock);
                else
                        write_waiting(log);
        (void)pthread_mutex_unlock(&log->lock);
        free(text);
        if (line.result < 0)
                return line.result;
        if (ret)
                *ret = line.head;
        return 0;
}

void line_log_last(struct line_log *log, struct line_log_head *ret) {
        (void)pthread_mutex_lock(&log->lock);
        *ret = log->head;
        (void)pthread_mutex_unlock(&log->lock);
}
