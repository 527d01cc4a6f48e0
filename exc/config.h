/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the API is, and with which token: from the command line (endpoint), the environment (EXC_ENDPOINT, EXC_TOKEN,
 * EXC_USER, EXC_CA_FILE) or $XDG_CONFIG_HOME/exc/config.json, in this order. The file is the user's own with mode 0600, or refused.
 */
#ifndef EXC_EXC_CONFIG_H
#define EXC_EXC_CONFIG_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>

#include "exc/command.h"
#include "exc/endpoint.h"

enum {
        CONFIG_ENDPOINT_MAX = 1024, /* bytes, with the NUL; so are these */
        CONFIG_TOKEN_MAX = 64,
        CONFIG_USER_MAX = 256 + 1,
};

struct config {
        char endpoint[CONFIG_ENDPOINT_MAX]; /* "": not set */
        char token[CONFIG_TOKEN_MAX];       /* "": not set */
        char user[CONFIG_USER_MAX];         /* default for --user, "": the VM's own */
        char ca_file[PATH_MAX];             /* "": the system's */
};

/* Whether it has the form of a token. */
bool config_token_valid(const char *text);

/* Where the file is, or would be. -ENOENT without HOME and XDG_CONFIG_HOME, -ENAMETOOLONG. */
int config_path(char ret[static PATH_MAX]);

/* EXIT_DONE, or a status when it has complained. What is not set is "". The file's token is for the file's endpoint alone. */
int config_load(const struct options *options, struct config *ret);

/* The file alone, as an object that the caller drops; empty where there is none. NULL when it has complained. */
json_t *config_read(void);

/* Replaces the file atomically, with mode 0600, and makes its directory (0700). EXIT_DONE, or it has complained. */
int config_write(const json_t *config);

#endif
