/* SPDX-License-Identifier: Apache-2.0 */
/* Small text files of the machine's configuration. */
#ifndef EXC_TEXT_FILE_H
#define EXC_TEXT_FILE_H

#include <stddef.h>
#include <sys/stat.h>

enum { TEXT_FILE_MAX = 1024 * 1024 };

/*
 * All of the regular file at `path`, links followed, ended by a NUL; to be freed. What stands behind a NUL in the file is
 * not seen. `ret_st` may be NULL. Negative errno; -EBADF for what is no regular file, -EFBIG above TEXT_FILE_MAX bytes.
 */
int text_file_read(const char *path, char **ret, struct stat *ret_st);

/* A copy of the line that begins at `*at`, without its end, and `*at` moved to the next. NULL without memory. */
char *text_line(const char **at);

#endif
