/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/admin/paths.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/output.h"
#include "cloud/api/config.h"
#include "cloud/signer/signer_config.h"

/* A file that is there and cannot be read may name other paths than the defaults. */
static bool is_missing(const char *path) {
        return access(path, F_OK) < 0 && errno == ENOENT;
}

/* `option` has `value`; `offset` is that of the path in struct api_config, `buffer` for what is read. */
static const char *of_api(const char *option, const char *value, const char *otherwise, size_t offset,
                          char buffer[static PATH_MAX]) {
        char why[API_CONFIG_WHY_MAX];
        struct api_config *config;

        if (value)
                return value;
        if (is_missing(API_CONFIG_FILE))
                return otherwise;
        /* Its warnings are for the API to report. */
        if (api_config_load(API_CONFIG_FILE, NULL, &config, why) < 0) {
                complain("%s; fix this, or give --%s", why, option);
                return NULL;
        }
        memcpy(buffer, (const char *)config + offset, PATH_MAX);
        api_config_free(config);
        return buffer;
}

const char *paths_database(const struct options *options) {
        static char path[PATH_MAX];

        return of_api("database", options->database, "/var/lib/exc-compute-api/compute.db",
                      offsetof(struct api_config, database), path);
}

const char *paths_audit(const struct options *options) {
        static char path[PATH_MAX];

        return of_api("audit", options->audit, "/var/log/exc-compute-api/audit", offsetof(struct api_config, audit),
                      path);
}

const char *paths_signer_log(const struct options *options) {
        static char path[PATH_MAX];
        struct signer_config config;
        char why[CONF_ERROR_MAX];
        int r;

        if (options->signer_log)
                return options->signer_log;
        if (is_missing(SIGNER_CONFIG_FILE))
                return "/var/log/exc-signer";
        r = signer_config_load(SIGNER_CONFIG_FILE, NULL, &config, why);
        if (r < 0)
                complain("%s; fix this, or give --signer-log or --no-signer-log", why);
        else
                memcpy(path, config.log_directory, sizeof(path));
        signer_config_clear(&config);
        return r < 0 ? NULL : path;
}
