/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's configuration (exc-instance-connect.conf(5)): DIR/agent.conf, then the *.conf files of DIR/agent.conf.d
 * in byte order of their names.
 *
 * 1. INI with one section, [Agent]. Lists are separated by blanks and add up, and an item that has a blank is in double
 *    quotes; of other keys the last value counts. An indented line continues a list. A comment has a line of its own and
 *    begins with # or ;.
 * 2. What is not set has its default. An empty file, or a link to /dev/null, adds nothing.
 * 3. An unknown key or section is a warning. Everything else that is invalid is an error: an ignored line could be the
 *    one that denies somebody.
 * 4. The directories and files must be owned by root, and writable by nobody else.
 */
#ifndef EXC_CONFIG_H
#define EXC_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"

#define CONFIG_DIR "/etc/exc-instance-connect"
#define CONFIG_HOST_KEY_PATTERN "/etc/ssh/ssh_host_*_key.pub" /* without HostKeyFiles */

enum {
        CONFIG_FILE_MAX = CONF_FILE_MAX,
        CONFIG_FILES_MAX = 64, /* in agent.conf.d */
        CONFIG_NAME_MAX = 256, /* bytes of a user or group name */
        CONFIG_INSTANCE_ID_MAX = 256,
        CONFIG_TTL_MAX = 86400,  /* seconds */
        CONFIG_RATE_MAX = 10000, /* pushes a second */
        CONFIG_RATE_BURST_S = 4, /* seconds: as many at once as that many seconds give */
        CONFIG_ERROR_MAX = CONF_ERROR_MAX,
};

enum config_trust {
        CONFIG_TRUST_SIGNED,
        CONFIG_TRUST_CHANNEL,
};

struct config {
        /*
         * NULL, or why nothing may be allowed: "FILE:LINE: cause; next step" in printable ASCII. All other values are
         * the defaults then.
         */
        const char *error;

        struct strv allow_users, deny_users, allow_groups, deny_groups;
        struct strv host_key_files; /* absolute paths; none: CONFIG_HOST_KEY_PATTERN */
        uint32_t min_uid;
        uint32_t max_ttl_s;     /* 1 to CONFIG_TTL_MAX */
        uint32_t default_ttl_s; /* 1 to max_ttl_s */
        uint32_t rate_limit;    /* pushes a second on each socket; 0: no limit */
        enum config_trust trust;
        bool trust_credential; /* without another anchor, those of the credential exc.trust count */
        char instance_id[CONFIG_INSTANCE_ID_MAX + 1]; /* printable ASCII without blanks, or "" */

        struct conf_files files; /* that this was read from */
        char error_text[CONFIG_ERROR_MAX];
};

typedef conf_warning config_warning;

/*
 * Reads the configuration in `dir`. A configuration that is invalid is returned too, with `error` set: the caller
 * replaces the old one with it and refuses pushes until a later one has no error. -ENOMEM: there is none. The caller
 * frees it with config_free(). `warning` may be NULL.
 */
int config_load(const char *dir, config_warning warning, void *context, struct config **ret);

/*
 * Whether the files changed since they were read, or may have (conf/conf_files.h). True also after an error, which may
 * have been a passing one. Reads no file.
 */
bool config_changed(const struct config *config);

/* Whether the files look as they did: what is reported of them is known. */
bool config_looks_same(const struct config *config);

void config_free(struct config *config);

#endif
