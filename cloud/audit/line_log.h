/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log of JSON lines in one hash chain, in files that only grow: the audit of a node, and the signer's own log.
 *
 *      {"time":"2026-03-01T12:00:00.123456Z","seq":7,"prev":"64 hexadecimal digits", members of the caller's}
 *
 * 1. `seq` counts from 1 without a gap. `prev` is the hash of the line before: SHA-256 of its bytes without the newline;
 *    64 zeros in the first line.
 * 2. The files of the log NAME are DIRECTORY/NAME-SEQ.jsonl, where SEQ is the number of the file's first line, in 16
 *    digits. One that is full is left alone from then on, and the next one continues the chain. Nothing is ever deleted
 *    here. One process at a time writes to a log (DIRECTORY/NAME.lock).
 * 3. A line that was appended is on disk. Lines of several threads share one fdatasync(2). One that could not be written
 *    is cut off again; the chain goes on without it.
 */
#ifndef EXC_LINE_LOG_H
#define EXC_LINE_LOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        LINE_LOG_HASH_MAX = 64 + 1,    /* SHA-256 in hexadecimal, with a NUL */
        LINE_LOG_LINE_MAX = 32 * 1024, /* bytes of a line, with the newline */
        LINE_LOG_NAME_MAX = 128,       /* bytes of a log's name, with the NUL: letters, digits, '.', '_' and '-' */
        LINE_LOG_FILE_NAME_MAX = LINE_LOG_NAME_MAX + 32,
        LINE_LOG_WHY_MAX = 256,
};

#define LINE_LOG_FILE_SIZE (INT64_C(64) * 1024 * 1024) /* a file is full when it has as many bytes */

struct line_log;

struct line_log_head {
        uint64_t seq;                 /* of the last line; 0: there is none */
        char hash[LINE_LOG_HASH_MAX]; /* its hash; zeros where there is none */
};

/*
 * Opens the log `name` in a directory, makes its first file where there is none, and cuts off a last line without its
 * newline, which a crash left. `file_size`: LINE_LOG_FILE_SIZE, or less in tests. Negative errno, and `ret_why`: a
 * sentence with the path. -EBUSY: another process has the log open. -EBADMSG: the last line is not one of a log.
 */
int line_log_open(const char *directory, const char *name, int64_t file_size, struct line_log **ret,
                  char ret_why[static LINE_LOG_WHY_MAX]);
void line_log_close(struct line_log *log);

/*
 * Appends a line with the members of `object`, which must have none of time, seq and prev. From any thread; the object
 * stays the caller's. Returns when the line is on disk; `ret`, which may be NULL, is its number and hash. Negative errno: it
 * is not in the log: -ENOSPC and the like, -E2BIG, -ENOMEM, -ESTALE (somebody removed the file).
 */
int line_log_append(struct line_log *log, const json_t *object, struct line_log_head *ret);

/* The last line that is on disk. */
void line_log_last(struct line_log *log, struct line_log_head *ret);

/* --- reading (line_log_read.c) -------------------------------------------------------------------------------------- */

/* One line that was read. Valid within the callback. */
struct line_log_line {
        const char *file; /* its name without the directory */
        uint64_t number;  /* of the line in the file, from 1 */
        uint64_t seq;
        const char *hash; /* of this line */
        json_t *object;
};

struct line_log_reader {
        /* Called for each line whose `seq` can be read, in order. Other than 0 ends the reading, and is returned. */
        int (*line)(void *context, const struct line_log_line *line);
        /* Called for each break of the chain: a sentence. `number` 0: the file as a whole. */
        void (*fault)(void *context, const char *file, uint64_t number, const char *what);
        void *context;
};

/*
 * Reads the log `name` from its oldest file, and checks the chain. A log may begin after its line 1: older files were
 * archived, which only the caller can judge, by the first line's `seq`. What follows the last newline of the newest file is
 * being written, and is not read. 0; negative errno, and `ret_why`, where something could not be read.
 */
int line_log_read(const char *directory, const char *name, const struct line_log_reader *reader,
                  char ret_why[static LINE_LOG_WHY_MAX]);

/* SHA-256 in hexadecimal, as in the chain. False: OpenSSL has none. */
bool line_log_sha256(const void *bytes, size_t length, char ret[static LINE_LOG_HASH_MAX]);

/* Whether `file` is the name of a log's file, and of which log it is. */
bool line_log_file_name(const char *file, char ret_name[static LINE_LOG_NAME_MAX], uint64_t *ret_first_seq);

#endif
