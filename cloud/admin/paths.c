/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/admin/paths.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/output.h"
#include "cloud/api/config.h"
#include "cloud/signer/signer_config.h"
#include "wire/refusal.h"

/* A file that is there and cannot be read may name other paths than the defaults. */
static bool is_missing(const char *path) {
        return access(path, F_OK) < 0 && errno == ENOENT;
}

static int find_of_api(struct options *options, int missing) {
        static char database[PATH_MAX], audit[PATH_MAX];
        char why[API_CONFIG_WHY_MAX];
        struct api_config *config;

        if (is_missing(API_CONFIG_FILE))
                return EXIT_DONE;
        /* Its warnings are for the API to report. */
        if (api_config_load(API_CONFIG_FILE, NULL, &config, why) < 0) {
                complain("%s; fix this, or give --%s", why, option_name(missing));
                return EXIT_OWN_FAILURE;
        }
        memcpy(database, config->database, sizeof(database));
        memcpy(audit, config->audit, sizeof(audit));
        api_config_free(config);
        if (missing & OPTION_DATABASE)
                options->database = database;
        if (missing & OPTION_AUDIT)
                options->audit = audit;
        return EXIT_DONE;
}

static int find_of_signer(struct options *options) {
        static char log[PATH_MAX];
        struct signer_config config;
        char why[CONF_ERROR_MAX];
        int status = EXIT_DONE;

        if (is_missing(SIGNER_CONFIG_FILE))
                return EXIT_DONE;
        if (signer_config_load(SIGNER_CONFIG_FILE, NULL, &config, why) < 0) {
                complain("%s; fix this, or give --signer-log or --no-signer-log", why);
                status = EXIT_OWN_FAILURE;
        } else {
                memcpy(log, config.log_directory, sizeof(log));
                options->signer_log = log;
        }
        signer_config_clear(&config);
        return status;
}

int paths_find(struct options *options, int used) {
        int missing = used & ~options->given, status = EXIT_DONE;

        if (missing & (OPTION_DATABASE | OPTION_AUDIT))
                status = find_of_api(options, missing & (OPTION_DATABASE | OPTION_AUDIT));
        if (status == EXIT_DONE && (missing & OPTION_SIGNER_LOG) && !(options->given & OPTION_NO_SIGNER_LOG))
                status = find_of_signer(options);
        return status;
}
