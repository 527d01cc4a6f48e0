/* SPDX-License-Identifier: Apache-2.0 */
/* What POST /compute/instance/connect asks for (compute-api.md, Connect). */
#ifndef EXC_CONNECT_REQUEST_H
#define EXC_CONNECT_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cloud/api/signer_client.h"
#include "cloud/store/store.h"
#include "common/source.h"
#include "common/ssh_key.h"
#include "wire/json_dispatch.h"

/* A boolean that may be left out. */
enum named { NAMED_NOT, NAMED_FALSE, NAMED_TRUE };

struct connect_request {
        char vm_id[STORE_NAME_MAX];
        char user[STORE_TEXT_MAX]; /* "": the instance's default */
        struct ssh_key key;        /* where has_key is set */
        bool has_key;
        enum named return_private_key;
        int64_t connections; /* -1: not named */
        int64_t ttl_s;       /* 0: not named */
        size_t n_sources;
        struct source sources[SIGNER_SOURCES_MAX];
        enum named restricted;
};

/* The members, and the value to start from. */
extern const struct json_dispatch_field connect_request_fields[];
#define CONNECT_REQUEST_INIT {.connections = -1}

/*
 * The rules between members, after the table. NULL, and what was not named has its default; or the member at fault, and
 * `ret_why` a sentence.
 */
const char *connect_request_complete(struct connect_request *request, const char **ret_why);

/* Whether a key is pushed: else a session alone is made. */
bool connect_request_pushes(const struct connect_request *request);

#endif
