/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config_keys.h"

#define MAIN_FILE "agent.conf"
#define DROPIN_DIR "agent.conf.d"
#define DROPIN_SUFFIX ".conf"

enum {
        DEFAULT_TTL_S = 60,
        DEFAULT_MAX_TTL_S = 300,
        DEFAULT_RATE_LIMIT = 50,
};

static int load_dropins(struct conf_load *load, int dir_fd, const char *dir) {
        struct strv names = {.n = 0};
        char path[PATH_MAX];
        int fd = -EBADF, r;

        r = conf_open_dir(load, dir_fd, dir, DROPIN_DIR, &fd);
        if (r != 0)
                return r < 0 ? r : 0;
        memcpy(path, load->file, sizeof(path));
        r = conf_list(load, fd, DROPIN_SUFFIX, CONFIG_FILES_MAX, &names);
        for (size_t i = 0; r >= 0 && i < names.n; i++)
                r = conf_load_file(load, fd, path, names.item[i]);
        strv_clear(&names);
        (void)close(fd);
        return r;
}

static int load_all(struct conf_load *load, const char *dir) {
        int dir_fd = -EBADF, r;

        r = conf_open_dir(load, AT_FDCWD, dir, NULL, &dir_fd);
        if (r != 0)
                return r < 0 ? r : 0;
        if (!conf_is_missing(dir_fd, MAIN_FILE))
                r = conf_load_file(load, dir_fd, dir, MAIN_FILE);
        if (r >= 0)
                r = load_dropins(load, dir_fd, dir);
        (void)close(dir_fd);
        return r;
}

/* --- the whole -------------------------------------------------------------------------------------------------- */

static void set_defaults(struct config *config) {
        strv_clear(&config->allow_users);
        strv_clear(&config->deny_users);
        strv_clear(&config->allow_groups);
        strv_clear(&config->deny_groups);
        strv_clear(&config->host_key_files);
        config->min_uid = 0;
        config->max_ttl_s = DEFAULT_MAX_TTL_S;
        config->default_ttl_s = DEFAULT_TTL_S;
        config->rate_limit = DEFAULT_RATE_LIMIT;
        config->trust = CONFIG_TRUST_SIGNED;
        config->trust_credential = true;
        config->instance_id[0] = '\0';
}

static int check_default_ttl(struct conf_load *load) {
        const struct config_load *set = load->context;
        struct config *config = load->target;

        if (config->default_ttl_s <= config->max_ttl_s)
                return 0;
        if (set->default_ttl_file[0] == '\0') {
                config->default_ttl_s = config->max_ttl_s;
                return 0;
        }
        memcpy(load->file, set->default_ttl_file, sizeof(load->file));
        load->line = set->default_ttl_line;
        return conf_fail(load, "DefaultTtl: %u is above MaxTtl, which is %u; lower DefaultTtl or raise MaxTtl",
                         config->default_ttl_s, config->max_ttl_s);
}

static void pass_warning(void *context, const char *file, unsigned line, const char *text) {
        const struct config_load *load = context;

        load->warning(load->context, file, line, text);
}

int config_load(const char *dir, config_warning warning, void *context, struct config **ret) {
        struct config_load config_load = {.warning = warning, .context = context};
        struct config *config = calloc(1, sizeof(*config));
        struct conf_load load = {
                .section = "Agent",
                .keys = config_keys,
                .target = config,
                .reader = "the agent's user",
                .advice = "split it into files in " DROPIN_DIR,
                .warning = warning ? pass_warning : NULL,
                .context = &config_load,
        };

        if (!config)
                return -ENOMEM;
        load.files = &config->files;
        set_defaults(config);
        if (load_all(&load, dir) < 0 || check_default_ttl(&load) < 0) {
                set_defaults(config);
                memcpy(config->error_text, load.error, sizeof(config->error_text));
                config->error = config->error_text;
        }
        *ret = config;
        return 0;
}

bool config_changed(const struct config *config) {
        return config->error || conf_files_changed(&config->files);
}

bool config_looks_same(const struct config *config) {
        return conf_files_look_same(&config->files);
}

void config_free(struct config *config) {
        if (!config)
                return;
        set_defaults(config);
        conf_files_clear(&config->files);
        free(config);
}
