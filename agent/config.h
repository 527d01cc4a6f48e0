/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the administrator decided: DIR/agent.conf, then the *.conf files of DIR/agent.conf.d in byte order of their
 * names.
 *
 * 1. INI, one section, [Agent]. Lists are separated by blanks and add up; of other values the last one wins. An
 *    indented line continues the one before. A comment has a line of its own and begins with # or ;.
 * 2. What is missing has its default. An empty file, or a link to /dev/null, adds nothing.
 * 3. A key or section that is not known is a warning. Everything else that cannot be taken as it stands is an error: a
 *    line that is passed over could be the one that keeps somebody out.
 * 4. The folders and files must be root's, and writable by nobody else.
 */
#ifndef EXC_CONFIG_H
#define EXC_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/conf_files.h"
#include "agent/strv.h"

#define CONFIG_DIR "/etc/exc-instance-connect"
#define CONFIG_HOST_KEY_PATTERN "/etc/ssh/ssh_host_*_key.pub" /* where HostKeyFiles names none */

enum {
        CONFIG_FILE_MAX = 64 * 1024, /* bytes of one file */
        CONFIG_FILES_MAX = 64,       /* in agent.conf.d */
        CONFIG_NAME_MAX = 256,       /* bytes of a user's or group's name */
        CONFIG_INSTANCE_ID_MAX = 256,
        CONFIG_TTL_MAX = 86400,
        CONFIG_RATE_MAX = 10000,
        CONFIG_RATE_BURST = 4, /* times the rate */
        CONFIG_ERROR_MAX = 512,
};

enum trust {
        TRUST_SIGNED,
        TRUST_CHANNEL,
};

struct config {
        /* NULL, or why nothing may be allowed by this configuration: "FILE:LINE: what is wrong; what to do", ASCII. */
        const char *error;

        struct strv allow_users, deny_users, allow_groups, deny_groups;
        struct strv host_key_files; /* absolute paths; none: CONFIG_HOST_KEY_PATTERN */
        uint32_t min_uid;
        uint32_t max_ttl_s;     /* 1 to CONFIG_TTL_MAX */
        uint32_t default_ttl_s; /* 1 to max_ttl_s */
        uint32_t rate_limit;    /* pushes a second for each socket; 0: no limit */
        enum trust trust;
        char instance_id[CONFIG_INSTANCE_ID_MAX + 1]; /* printable ASCII without blanks, or "" */

        struct conf_files files; /* that this was read from */
        char error_text[CONFIG_ERROR_MAX];
};

/* Told of what is passed over. `text` is printable ASCII and names the key or section; `file` is a path. */
typedef void (*config_warning)(void *context, const char *file, unsigned line, const char *text);

/*
 * Reads the configuration below `dir`. Gives a configuration also when it is not in order: `error` is then set, and
 * everything else is as if nothing were configured. So a caller that loads again puts the new one in the place of the
 * old in any case, and refuses with `error` until it is NULL. Negative errno only where there is no configuration at
 * all (-ENOMEM). The caller frees it with config_free.
 */
int config_load(const char *dir, config_warning warning, void *context, struct config **ret);

/*
 * Whether the files changed since they were read, or may have (agent/conf_files.h). True also after an error, which may have been
 * a passing one. Reads no file.
 */
bool config_changed(const struct config *config);

/* Whether the files look as they did: what is reported of them is known. */
bool config_looks_same(const struct config *config);

void config_free(struct config *config);

#endif
