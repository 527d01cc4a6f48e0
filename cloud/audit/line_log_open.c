/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/audit/line_log_internal.h"

int line_log_begin_file(struct line_log *log) {
        char file[LINE_LOG_FILE_NAME_MAX];
        int fd, r;

        line_log_file_name_make(log->name, log->head.seq + 1, file);
        fd = openat(log->directory_fd, file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
        if (fd < 0)
                return -errno;
        if (fsync(log->directory_fd) < 0) {
                r = -errno;
                (void)unlinkat(log->directory_fd, file, 0);
                (void)close(fd);
                return r;
        }
        if (log->fd >= 0)
                (void)close(log->fd);
        log->fd = fd;
        log->size = 0;
        return 0;
}

/* --- the end of a file -------------------------------------------------------------------------------------------- */

/* What a file ends with. */
struct tail {
        int64_t whole;             /* bytes of whole lines */
        bool readable;             /* the last of these is a line of a log: */
        struct line_log_head head; /* seq 0: there is no line */
};

static void find_tail(const char *bytes, size_t n, struct tail *ret) {
        const char *end = memrchr(bytes, '\n', n), *start;
        json_t *object;

        *ret = (struct tail){.readable = true};
        if (!end)
                return;
        ret->whole = end - bytes + 1;
        start = memrchr(bytes, '\n', (size_t)(end - bytes));
        start = start ? start + 1 : bytes;
        object = line_log_parse(start, (size_t)(end - start), &ret->head.seq);
        ret->readable = object && line_log_sha256(start, (size_t)(end - start), ret->head.hash);
        json_decref(object);
}

static int read_tail(int fd, struct tail *ret, int64_t *ret_size) {
        struct stat st;
        char *bytes;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EBADMSG;
        *ret_size = st.st_size;
        *ret = (struct tail){.readable = true};
        if (st.st_size == 0)
                return 0;
        bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED)
                return -errno;
        find_tail(bytes, (size_t)st.st_size, ret);
        (void)munmap(bytes, (size_t)st.st_size);
        return 0;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static int fail_at(const struct line_log *log, uint64_t first_seq, char why[static LINE_LOG_WHY_MAX], int error,
                   const char *what) {
        char file[LINE_LOG_FILE_NAME_MAX];

        line_log_file_name_make(log->name, first_seq, file);
        return line_log_fail(why, error, "%.100s/%s: %s", log->directory, file, what);
}

/* The end of the file `first_seq`, in which nothing is changed. */
static int read_end(const struct line_log *log, uint64_t first_seq, int flags, int *ret_fd, struct tail *ret,
                    int64_t *ret_size, char why[static LINE_LOG_WHY_MAX]) {
        char file[LINE_LOG_FILE_NAME_MAX];
        int fd, r;

        line_log_file_name_make(log->name, first_seq, file);
        fd = openat(log->directory_fd, file, flags | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        r = fd < 0 ? -errno : read_tail(fd, ret, ret_size);
        if (r < 0)
                r = fail_at(log, first_seq, why, r, r == -EBADMSG ? "not a regular file; remove it" : strerror(-r));
        else if (!ret->readable || (ret->head.seq > 0 && ret->head.seq < first_seq))
                r = fail_at(log, first_seq, why, -EBADMSG,
                            "the last line is damaged; move the log's files away to begin a new one, and keep them");
        if (r < 0) {
                if (fd >= 0)
                        (void)close(fd);
                return r;
        }
        *ret_fd = fd;
        return 0;
}

/* The chain's end where the newest file is still empty. */
static int continue_from_older(struct line_log *log, const uint64_t *files, size_t n,
                               char why[static LINE_LOG_WHY_MAX]) {
        struct tail tail = {.readable = true};
        int64_t size;
        int fd, r;

        if (n >= 2) {
                r = read_end(log, files[n - 2], O_RDONLY, &fd, &tail, &size, why);
                if (r < 0)
                        return r;
                (void)close(fd);
        }
        if (tail.head.seq + 1 != files[n - 1])
                return fail_at(log, files[n - 1], why, -EBADMSG,
                               "empty, and the line before is missing; put the file with it back");
        if (tail.head.seq > 0)
                log->head = tail.head;
        return 0;
}

static int continue_file(struct line_log *log, const uint64_t *files, size_t n, char why[static LINE_LOG_WHY_MAX]) {
        struct tail tail;
        int64_t size;
        int r;

        r = read_end(log, files[n - 1], O_RDWR, &log->fd, &tail, &size, why);
        if (r < 0)
                return r;
        log->size = tail.whole;
        if (tail.whole < size && (ftruncate(log->fd, tail.whole) < 0 || fdatasync(log->fd) < 0))
                return fail_at(log, files[n - 1], why, -errno, strerror(errno));
        if (tail.head.seq == 0)
                return continue_from_older(log, files, n, why);
        log->head = tail.head;
        return 0;
}

static int take_lock(struct line_log *log, char why[static LINE_LOG_WHY_MAX]) {
        char file[LINE_LOG_FILE_NAME_MAX];
        int r;

        (void)snprintf(file, sizeof(file), "%s.lock", log->name);
        log->lock_fd = openat(log->directory_fd, file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
        if (log->lock_fd >= 0 && flock(log->lock_fd, LOCK_EX | LOCK_NB) == 0)
                return 0;
        r = errno == EWOULDBLOCK ? -EBUSY : -errno;
        return line_log_fail(why, r, "%.100s/%s: %s", log->directory, file,
                             r == -EBUSY ? "another process has the log open" : strerror(-r));
}

static int open_files(struct line_log *log, char why[static LINE_LOG_WHY_MAX]) {
        uint64_t *files = NULL;
        size_t n = 0;
        int r;

        log->directory_fd = open(log->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (log->directory_fd < 0)
                return line_log_fail(why, -errno, "%.100s: %s", log->directory, strerror(errno));
        r = take_lock(log, why);
        if (r < 0)
                return r;
        r = line_log_list(log->directory_fd, log->name, &files, &n);
        if (r < 0)
                return line_log_fail(why, r, "%.100s: cannot list: %s", log->directory, strerror(-r));
        if (n > 0)
                r = continue_file(log, files, n, why);
        else {
                r = line_log_begin_file(log);
                if (r < 0)
                        r = line_log_fail(why, r, "%.100s: cannot make a file: %s", log->directory, strerror(-r));
        }
        free(files);
        return r;
}

static bool valid_name(const char *name) {
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
        size_t n = strlen(name);

        return n > 0 && n < LINE_LOG_NAME_MAX && name[0] != '.' && strspn(name, allowed) == n;
}

int line_log_open(const char *directory, const char *name, int64_t file_size, struct line_log **ret,
                  char ret_why[static LINE_LOG_WHY_MAX]) {
        struct line_log *log;
        int r;

        if (!valid_name(name))
                return line_log_fail(
                        ret_why, -EINVAL,
                        "log: a name has 1 to %d letters, digits, '.', '_' and '-', and does not begin with "
                        "a '.'",
                        LINE_LOG_NAME_MAX - 1);
        log = calloc(1, sizeof(*log));
        if (!log)
                return line_log_fail(ret_why, -ENOMEM, "out of memory");
        *log = (struct line_log){
                .directory = strdup(directory),
                .directory_fd = -EBADF,
                .lock_fd = -EBADF,
                .file_size = file_size,
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .changed = PTHREAD_COND_INITIALIZER,
                .fd = -EBADF,
        };
        log->end = &log->first;
        memcpy(log->name, name, strlen(name) + 1);
        memcpy(log->head.hash, line_log_no_hash, sizeof(line_log_no_hash));
        r = log->directory ? open_files(log, ret_why) : line_log_fail(ret_why, -ENOMEM, "out of memory");
        if (r < 0) {
                line_log_close(log);
                return r;
        }
        *ret = log;
        return 0;
}

static void close_fd(int fd) {
        if (fd >= 0)
                (void)close(fd);
}

void line_log_close(struct line_log *log) {
        if (!log)
                return;
        close_fd(log->fd);
        close_fd(log->lock_fd);
        close_fd(log->directory_fd);
        (void)pthread_mutex_destroy(&log->lock);
        (void)pthread_cond_destroy(&log->changed);
        free(log->batch);
        free(log->directory);
        free(log);
}
