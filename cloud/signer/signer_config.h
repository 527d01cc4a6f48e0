/* SPDX-License-Identifier: Apache-2.0 */
/* The signer's configuration (exc-signer.conf(5)): one file with the section [Signer]. */
#ifndef EXC_SIGNER_CONFIG_H
#define EXC_SIGNER_CONFIG_H

#include <limits.h>
#include <stdint.h>

#include "conf/conf.h"
#include "wire/envelope.h"

#define SIGNER_CONFIG_FILE "/etc/exc-signer/signer.conf"
#define SIGNER_LOG_DIRECTORY "/var/log/exc-signer"

enum {
        SIGNER_COMMAND_MAX = 1024,
        SIGNER_KEY_ID_MAX = ENVELOPE_KEYID_MAX,
        SIGNER_MAX_TTL_S = 300,      /* the default */
        SIGNER_DEFAULT_TTL_S = 60,   /* where a call has none; MaxTtl= where that is less */
        SIGNER_REVOKE_VALID_S = 120, /* exp - iat of a revocation */
        SIGNER_RATE_MAX = 10000,     /* a second */
        SIGNER_BURST_MAX = 100000,
        SIGNER_KEY_TIMEOUT_S = 10, /* the default */
};

/* A word that ends in '*' stands for all that begins with what is before it. */
struct signer_config {
        char key[PATH_MAX];               /* a path, or "credential:NAME"; "": command */
        char command[SIGNER_COMMAND_MAX]; /* "": key */
        char public_key[PATH_MAX];        /* of the command; "": not known */
        char key_id[SIGNER_KEY_ID_MAX];   /* "": made from the public half */
        uint32_t key_timeout_s;
        char api_user[257];
        char log_directory[PATH_MAX];

        uint32_t max_ttl_s;
        struct strv deny_users, allow_users; /* no allow_users: all that are not denied */
        struct strv deny_instances, instances;
        uint32_t push_rate, push_burst; /* a second; at once. Rate 0: no limit */
        uint32_t revoke_rate, revoke_burst;
        uint32_t alarm_rate; /* pushes a minute; 0: no alarm */
};

/*
 * Reads `path`. Negative errno, and `ret_error`: "FILE:LINE: cause; next step". The caller clears `ret` in any case.
 * `warning` is called for each line that is ignored; it may be NULL.
 */
int signer_config_load(const char *path, conf_warning warning, struct signer_config *ret,
                       char ret_error[static CONF_ERROR_MAX]);
void signer_config_clear(struct signer_config *config);

/* Whether the user or the instance is one that this signer signs for. */
bool signer_config_allows_user(const struct signer_config *config, const char *user);
bool signer_config_allows_instance(const struct signer_config *config, const char *instance);

#endif
