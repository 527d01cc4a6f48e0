/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/audit/line_log_internal.h"
#include "wire/json.h"

enum {
        SEQ_DIGITS = 16,
        DIGEST_SIZE = 32,
        BUFFER_SIZE = 4 * LINE_LOG_LINE_MAX,
        WHAT_MAX = 160,
};

const char line_log_no_hash[LINE_LOG_HASH_MAX] = "0000000000000000000000000000000000000000000000000000000000000000";

int line_log_fail(char why[static LINE_LOG_WHY_MAX], int error, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(why, LINE_LOG_WHY_MAX, format, arguments);
        va_end(arguments);
        return error;
}

bool line_log_sha256(const void *bytes, size_t length, char ret[static LINE_LOG_HASH_MAX]) {
        static const char digits[] = "0123456789abcdef";
        uint8_t digest[DIGEST_SIZE];

        if (EVP_Digest(bytes, length, digest, NULL, EVP_sha256(), NULL) != 1)
                return false;
        for (size_t i = 0; i < sizeof(digest); i++) {
                ret[2 * i] = digits[digest[i] >> 4];
                ret[2 * i + 1] = digits[digest[i] & 0xf];
        }
        ret[2 * sizeof(digest)] = '\0';
        return true;
}

json_t *line_log_parse(const char *line, size_t length, uint64_t *ret_seq) {
        json_t *object = json_read(line, length, LINE_LOG_DEPTH_MAX);
        json_t *seq = json_is_object(object) ? json_object_get(object, "seq") : NULL;

        if (!json_is_integer(seq) || json_integer_value(seq) < 1) {
                json_decref(object);
                return NULL;
        }
        *ret_seq = (uint64_t)json_integer_value(seq);
        return object;
}

/* --- names -------------------------------------------------------------------------------------------------------- */

void line_log_file_name_make(const char *name, uint64_t first_seq, char ret[static LINE_LOG_FILE_NAME_MAX]) {
        (void)snprintf(ret, LINE_LOG_FILE_NAME_MAX, "%s-%0*" PRIu64 LINE_LOG_SUFFIX, name, SEQ_DIGITS, first_seq);
}

bool line_log_file_name(const char *file, char ret_name[static LINE_LOG_NAME_MAX], uint64_t *ret_first_seq) {
        size_t n = strlen(file), n_suffix = strlen(LINE_LOG_SUFFIX), n_end = 1 + SEQ_DIGITS + n_suffix;
        const char *end = file + n - n_end;
        uint64_t seq = 0;

        if (n <= n_end || n - n_end >= LINE_LOG_NAME_MAX || end[0] != '-' ||
            strcmp(end + 1 + SEQ_DIGITS, LINE_LOG_SUFFIX) != 0)
                return false;
        for (size_t i = 1; i <= SEQ_DIGITS; i++) {
                if (end[i] < '0' || end[i] > '9')
                        return false;
                seq = seq * 10 + (uint64_t)(end[i] - '0');
        }
        if (seq == 0)
                return false;
        memcpy(ret_name, file, n - n_end);
        ret_name[n - n_end] = '\0';
        *ret_first_seq = seq;
        return true;
}

static int compare(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return x < y ? -1 : x > y;
}

static int add_number(uint64_t **list, size_t *n, uint64_t number) {
        uint64_t *larger = reallocarray(*list, *n + 1, sizeof(**list));

        if (!larger)
                return -ENOMEM;
        larger[(*n)++] = number;
        *list = larger;
        return 0;
}

int line_log_list(int directory_fd, const char *name, uint64_t **ret, size_t *ret_n) {
        int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
        DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
        uint64_t *list = NULL;
        size_t n = 0;

        if (!directory) {
                r = -errno;
                if (fd >= 0)
                        (void)close(fd);
                return r;
        }
        while (r == 0) {
                char of[LINE_LOG_NAME_MAX];
                struct dirent *entry;
                uint64_t seq;

                errno = 0;
                entry = readdir(directory);
                if (!entry) {
                        r = -errno;
                        break;
                }
                if (line_log_file_name(entry->d_name, of, &seq) && strcmp(of, name) == 0)
                        r = add_number(&list, &n, seq);
        }
        (void)closedir(directory);
        if (r < 0) {
                free(list);
                return r;
        }
        if (n > 0)
                qsort(list, n, sizeof(*list), compare);
        *ret = list; /* transferred */
        *ret_n = n;
        return 0;
}

/* --- the chain ---------------------------------------------------------------------------------------------------- */

/* Where the reading is, and the line before. */
struct chain {
        const struct line_log_reader *reader;
        char file[LINE_LOG_FILE_NAME_MAX];
        uint64_t first_seq; /* by the file's name */
        uint64_t number;    /* of the line in the file */

        bool begun;
        char before_file[LINE_LOG_FILE_NAME_MAX];
        uint64_t before_number;
        struct line_log_head before;
};

__attribute__((format(printf, 4, 5))) static void fault(const struct chain *chain, const char *file, uint64_t number,
                                                        const char *format, ...) {
        char what[WHAT_MAX];
        va_list arguments;

        if (!chain->reader->fault)
                return;
        va_start(arguments, format);
        (void)vsnprintf(what, sizeof(what), format, arguments);
        va_end(arguments);
        chain->reader->fault(chain->reader->context, file, number, what);
}

/* How the line follows the one before. */
static void check_link(const struct chain *chain, uint64_t seq, const char *prev) {
        if (chain->number == 1 && seq != chain->first_seq)
                fault(chain, chain->file, 1, "line %" PRIu64 " of the log in a file that begins with %" PRIu64, seq,
                      chain->first_seq);
        if (!chain->begun) {
                if (seq == 1 && strcmp(prev, line_log_no_hash) != 0)
                        fault(chain, chain->file, chain->number, "changed: the first line follows no other");
                return;
        }
        if (seq > chain->before.seq + 1)
                fault(chain, chain->file, chain->number, "removed: lines %" PRIu64 " to %" PRIu64 " before this one",
                      chain->before.seq + 1, seq - 1);
        else if (seq <= chain->before.seq)
                fault(chain, chain->file, chain->number, "changed: line %" PRIu64 " after line %" PRIu64, seq,
                      chain->before.seq);
        else if (strcmp(prev, chain->before.hash) != 0)
                fault(chain, chain->before_file, chain->before_number,
                      "changed: the line after it has another hash for it");
}

static int take_line(struct chain *chain, const char *text, size_t length) {
        struct line_log_line line = {.file = chain->file, .number = ++chain->number};
        struct line_log_head head = {.seq = 0};
        const char *prev;
        int r = 0;

        if (!line_log_sha256(text, length, head.hash))
                return -EIO;
        line.object = line_log_parse(text, length, &head.seq);
        if (line.object) {
                prev = json_string_value(json_object_get(line.object, "prev"));
                check_link(chain, head.seq, prev ? prev : "");
                line.seq = head.seq;
                line.hash = head.hash;
                if (chain->reader->line)
                        r = chain->reader->line(chain->reader->context, &line);
                json_decref(line.object);
        } else {
                fault(chain, chain->file, chain->number, "changed: not a line of a log");
                /* The next line shows whether one is missing here. */
                head.seq = chain->begun ? chain->before.seq + 1 : chain->first_seq;
        }
        chain->begun = true;
        chain->before = head;
        chain->before_number = chain->number;
        memcpy(chain->before_file, chain->file, sizeof(chain->file));
        return r;
}

/* The whole lines in the buffer; what is left is moved to its front. */
static int take_lines(struct chain *chain, char *buffer, size_t *used) {
        char *at = buffer, *end;
        size_t left = *used;
        int r = 0;

        while (r == 0 && (end = memchr(at, '\n', left))) {
                r = take_line(chain, at, (size_t)(end - at));
                left -= (size_t)(end - at) + 1;
                at = end + 1;
        }
        memmove(buffer, at, left);
        *used = left;
        return r;
}

static int read_lines(struct chain *chain, int fd, char *buffer, bool newest) {
        size_t used = 0;

        for (;;) {
                ssize_t n = read(fd, buffer + used, BUFFER_SIZE - used);
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                used += (size_t)n;
                r = take_lines(chain, buffer, &used);
                if (r != 0)
                        return r;
                if (used == BUFFER_SIZE) {
                        fault(chain, chain->file, chain->number + 1, "changed: longer than any line of a log");
                        return 0;
                }
        }
        if (used > 0 && !newest)
                fault(chain, chain->file, chain->number + 1, "changed: the line has no end");
        return 0;
}

static int read_file(struct chain *chain, int directory_fd, char *buffer, bool newest) {
        int fd, r;

        fd = openat(directory_fd, chain->file, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = read_lines(chain, fd, buffer, newest);
        (void)close(fd);
        return r;
}

int line_log_read(const char *directory, const char *name, const struct line_log_reader *reader,
                  char ret_why[static LINE_LOG_WHY_MAX]) {
        struct chain chain = {.reader = reader};
        int directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
        char *buffer = NULL;
        uint64_t *files = NULL;
        size_t n = 0;

        if (directory_fd < 0)
                return line_log_fail(ret_why, -errno, "%.100s: %s", directory, strerror(errno));
        r = line_log_list(directory_fd, name, &files, &n);
        if (r == 0)
                buffer = malloc(BUFFER_SIZE);
        if (r == 0 && !buffer)
                r = -ENOMEM;
        if (r < 0)
                r = line_log_fail(ret_why, r, "%.100s: cannot read: %s", directory, strerror(-r));
        else if (n == 0)
                r = line_log_fail(ret_why, -ENOENT, "%.100s: it has no log %s", directory, name);
        for (size_t i = 0; r == 0 && i < n; i++) {
                chain.first_seq = files[i];
                chain.number = 0;
                line_log_file_name_make(name, files[i], chain.file);
                r = read_file(&chain, directory_fd, buffer, i + 1 == n);
                if (r < 0)
                        (void)line_log_fail(ret_why, r, "%.100s/%s: %s", directory, chain.file, strerror(-r));
        }
        free(buffer);
        free(files);
        (void)close(directory_fd);
        return r;
}
