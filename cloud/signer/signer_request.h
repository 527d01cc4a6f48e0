/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of SignPush and SignRevoke (in.excloud.Signer.varlink), checked. */
#ifndef EXC_SIGNER_REQUEST_H
#define EXC_SIGNER_REQUEST_H

#include <jansson.h>

#include "cloud/audit/line_log.h"
#include "libpush/payload_make.h"
#include "wire/fingerprint.h"
#include "wire/refusal.h"
#include "wire/vm_id.h"

enum {
        SIGNER_CHALLENGE_MAX = 128,
        SIGNER_LABEL_CHARACTERS_MAX = 256,
        SIGNER_LABEL_MAX = 4 * SIGNER_LABEL_CHARACTERS_MAX, /* bytes */
};

enum signer_kind { SIGNER_PUSH, SIGNER_REVOKE };

/* What was not in the call is empty. */
struct signer_request {
        enum signer_kind kind;
        char instance[VM_ID_MAX];
        char user[LOGIN_MAX + 1];
        size_t n_keys;
        struct ssh_key keys[PUSH_MADE_KEYS_MAX];
        char fingerprints[PUSH_MADE_KEYS_MAX][FINGERPRINT_MAX]; /* of `keys`, or the first one that of a revocation */
        bool all;
        int64_t ttl;         /* 0: none was given */
        int64_t connections; /* as on the wire; -1: none was given */
        size_t n_sources;
        struct source sources[PUSH_MADE_SOURCES_MAX];
        bool restricted;
        char challenge[SIGNER_CHALLENGE_MAX + 1];
        char principal[SIGNER_LABEL_MAX + 1];
        char request_id[SIGNER_LABEL_MAX + 1];
        char audit_head[LINE_LOG_HASH_MAX];
};

/*
 * Takes the fields of a call. False: `ret_why` names the field at fault. What could be read of the others is in `ret`, who
 * asks and the audit's head first, for the log.
 */
bool signer_request_parse(enum signer_kind kind, json_t *parameters, struct signer_request *ret,
                          struct refused *ret_why);

#endif
