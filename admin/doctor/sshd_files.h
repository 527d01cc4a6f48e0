/* SPDX-License-Identifier: Apache-2.0 */
/* Where in sshd's files something stands: for what people are told. What is in effect, sshd alone says (admin/sshd/sshd.h). */
#ifndef EXC_SSHD_FILES_H
#define EXC_SSHD_FILES_H

#include <limits.h>
#include <stdbool.h>

enum { SSHD_FILES_VALUE_MAX = 1024 };

struct sshd_file_line {
        char path[PATH_MAX];
        unsigned number;                  /* from 1 */
        char value[SSHD_FILES_VALUE_MAX]; /* what stands behind the keyword, cut to that */
};

/*
 * The first line with this keyword (in any case) that `accept` takes, in the order in which sshd reads the files that are
 * usual: those in sshd_config.d, then sshd_config. Lines in Match blocks count too.
 */
bool sshd_files_find(const char *keyword, bool (*accept)(const char *value), struct sshd_file_line *ret);

#endif
