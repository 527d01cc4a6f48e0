/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which lines of sshd's configuration set AuthorizedKeysCommand and AuthorizedKeysCommandUser: read as sshd reads it
 * (servconf.c), with the files of Include lines, so that it can be said where something stands and what would be with
 * other files of ours. What is in effect, sshd itself is asked (admin/sshd/sshd.h).
 */
#ifndef EXC_SSHD_CONFIG_H
#define EXC_SSHD_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "admin/sshd/drop_in.h"
#include "admin/sshd/sshd.h"

enum {
        CONFIG_PLACES_MAX = 512,
        CONFIG_BLOCKS_MAX = 512,
        SSHD_CONFIG_FILES_MAX = 512,
        CONFIG_DEPTH_MAX = 16, /* SERVCONF_MAX_DEPTH in OpenSSH's servconf.c */
};

/* Our own files as they would be, in the order of drop_in_paths: their text, or NULL for none. Those on disk are not read. */
struct own_files {
        char *text[DROP_IN_FILES];
};

enum config_word { CONFIG_COMMAND, CONFIG_USER, CONFIG_OWN_INCLUDE };

/* A line that sets one of the two, or that includes a numbered file of ours, whether there or not. */
struct config_place {
        enum config_word word;
        char *value;   /* as sshd -T prints it; NULL for an include */
        char *file;    /* NULL: the command line */
        unsigned line; /* from 1 */
        int block;     /* index of the Match block that it is in; negative: none */
        bool always;   /* it is in no block, or in one of "Match all" that is in none */
        int own;       /* the file of ours (index) that it is in, or that is included; negative: none */
};

/* A Match line. */
struct config_block {
        char *condition; /* what stands behind "Match" */
        char *file;
        unsigned line;
        bool conditional; /* it is in a file that is included in another block, not of "Match all" */
};

struct sshd_config {
        char *root; /* the file where reading began */
        struct config_place place[CONFIG_PLACES_MAX];
        size_t n_places;
        struct config_block block[CONFIG_BLOCKS_MAX];
        size_t n_blocks;
        bool reads_own[DROP_IN_FILES]; /* which files of ours are read */

        /* Of the files that were read, and the directories in which an Include looks for some: what was changed last. */
        char *newest;
        struct timespec newest_at; /* st_ctim, since a file that is moved here keeps the time when it was written */
};

/*
 * Reads the configuration of an sshd that has these -f and -o (as in admin/sshd/sshd.h). `own` NULL: our files are read from
 * disk, as all others are, and none is known as ours. Negative errno, and then `ret_why` says where and what; -ENOENT where
 * there is no such file. To be freed with sshd_config_free().
 */
int sshd_config_read(char *const arguments[], const struct own_files *own, struct sshd_config **ret,
                     char ret_why[static SSHD_WHY_MAX]);
void sshd_config_free(struct sshd_config *config);

/* Whether `a` is before `b`; for newest_at. */
bool sshd_config_earlier(const struct timespec *a, const struct timespec *b);

/* Where something stands. */
struct sshd_line {
        char file[PATH_MAX];
        unsigned number; /* from 1 */
};

/*
 * The first line with this keyword (in any case) that `accept` takes, in the order in which an sshd with these -f and -o reads
 * its files; lines in Match blocks count too. False where there is none in a file, or they cannot be read.
 */
bool sshd_config_find(char *const arguments[], const char *keyword, bool (*accept)(const char *value),
                      struct sshd_line *ret);

/* Files in a directory, under the numbers from 0. */
struct config_copy {
        unsigned n;          /* of them; set also where copying fails */
        char root[PATH_MAX]; /* where reading begins */
};

/*
 * Writes what sshd_config_read() reads to `directory`, an absolute path, with Include lines that name the copies; what an -o
 * includes stays. `without_ours`: without lines that set AuthorizedKeysCommand to exc-authorized-keys, wherever they stand.
 * Negative errno, and then `ret_why` is set.
 */
int sshd_config_copy(char *const arguments[], const struct own_files *own, bool without_ours, const char *directory,
                     struct config_copy *ret, char ret_why[static SSHD_WHY_MAX]);

/* The first of each, or NULL. "none" is a value like others here. */
struct config_pair {
        const struct config_place *command, *user;
};

/*
 * `theirs`: as if no file of ours were there. `block`: what counts in it; negative: what counts where no block does.
 */
struct config_pair sshd_config_pair(const struct sshd_config *config, int block, bool theirs);

/* What a plain sshd -T says: the same, but for blocks of "Match all", which count before all that stands in none. */
struct config_pair sshd_config_plain(const struct sshd_config *config, bool theirs);

#endif
