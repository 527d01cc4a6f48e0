/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of cloud/audit/line_log.h share. */
#ifndef EXC_LINE_LOG_INTERNAL_H
#define EXC_LINE_LOG_INTERNAL_H

#include <pthread.h>

#include "cloud/audit/line_log.h"

#define LINE_LOG_SUFFIX ".jsonl"

enum { LINE_LOG_DEPTH_MAX = 8 };

/* A line that waits to be written, in its caller's thread. */
struct line_log_waiting {
        const char *members; /* "{…}" */
        size_t length;
        struct line_log_head head;
        bool done;
        int result;
        struct line_log_waiting *next;
};

/*
 * One thread of those that wait takes all lines that are waiting, chains them, writes them and syncs once; the others wait for
 * it. The state of the chain changes only when the lines are on disk.
 */
struct line_log {
        char *directory;
        char name[LINE_LOG_NAME_MAX];
        int directory_fd, lock_fd;
        int64_t file_size;

        pthread_mutex_t lock;
        pthread_cond_t changed;
        bool writing; /* a thread is, and what follows is its own */
        struct line_log_waiting *first, **end;

        int fd;
        int64_t size; /* of the file: bytes of whole lines that are on disk */
        bool cut_off; /* bytes behind that could not be cut off yet */
        struct line_log_head head;
        char *batch;
        size_t batch_room;
};

/* Makes the file of the next line, and goes on in it. */
int line_log_begin_file(struct line_log *log);

/* The numbers in the names of the log's files, in order. The caller frees `ret`. Negative errno. */
int line_log_list(int directory_fd, const char *name, uint64_t **ret, size_t *ret_n);
void line_log_file_name_make(const char *name, uint64_t first_seq, char ret[static LINE_LOG_FILE_NAME_MAX]);

/* `seq` of a line, and the object, which the caller drops. NULL: it is none of a log. */
json_t *line_log_parse(const char *line, size_t length, uint64_t *ret_seq);

extern const char line_log_no_hash[LINE_LOG_HASH_MAX];

int line_log_fail(char why[static LINE_LOG_WHY_MAX], int error, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

#endif
