/* SPDX-License-Identifier: Apache-2.0 */
/* Options that the commands which push have in common: which keys, and what they may be used for. */
#ifndef EXC_CLI_KEY_OPTIONS_H
#define EXC_CLI_KEY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/key_file.h"
#include "cli/options.h"
#include "common/grant.h"
#include "common/source.h"

struct key_options {
        const char *files[KEY_LIST_MAX];
        size_t n_files;
        int connections; /* -1: not given */
        struct source sources[GRANT_SOURCES_MAX];
        size_t n_sources;
        bool restricted;
};

/* Members of struct key_options. */
bool key_options_take_file(const struct cli_option *option, const char *text, void *member);
bool key_options_take_source(const struct cli_option *option, const char *text, void *member);

/* Why key_options_take_source() did not take `text`. */
const char *key_options_source_fault(const char *text);

/* As key_file_read_path(), for each of the files. */
bool key_options_read(const struct key_options *options, struct key_list *to, char ret_why[static KEY_FILE_WHY_MAX]);

/* Rows of a table for struct `type`, which has a struct key_options `keys`. */
#define KEY_OPTIONS_FILE_ROW(type, more_flags)                                                                         \
        {.name = "key",                                                                                                \
         .value = "FILE",                                                                                              \
         .take = key_options_take_file,                                                                                \
         .offset = offsetof(type, keys),                                                                               \
         .flags = CLI_MANY | (more_flags),                                                                             \
         .expected = "a public key file, at most 8 times",                                                             \
         .completes = "files",                                                                                         \
         .help = "public key file, - for standard input; may be repeated,\nat most 8 keys in all"}
#define KEY_OPTIONS_USE_ROWS(type)                                                                                     \
        {.name = "connections",                                                                                        \
         .value = "N",                                                                                                 \
         .take = cli_take_number,                                                                                      \
         .offset = offsetof(type, keys.connections),                                                                   \
         .max = GRANT_CONNECTIONS_MAX,                                                                                 \
         .expected = "0..100 connections",                                                                             \
         .help = "SSH connections that may use them, 0 for any number;\nclients such as ansible and rclone open "      \
                 "several; default: 1"},                                                                               \
                {.name = "source",                                                                                     \
                 .value = "CIDR",                                                                                      \
                 .take = key_options_take_source,                                                                      \
                 .offset = offsetof(type, keys),                                                                       \
                 .flags = CLI_MANY,                                                                                    \
                 .fault = key_options_source_fault,                                                                    \
                 .help = "address or range that clients must come from;\nmay be repeated, at most 16 times"},          \
                {.name = "restrict",                                                                                   \
                 .take = cli_take_flag,                                                                                \
                 .offset = offsetof(type, keys.restricted),                                                            \
                 .help = "a shell, but no forwarding of any kind"}

#endif
