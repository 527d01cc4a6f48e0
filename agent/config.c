/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/config_parse.h"

#define MAIN_FILE "agent.conf"
#define DROPIN_DIR "agent.conf.d"
#define DROPIN_SUFFIX ".conf"

enum {
        DEFAULT_TTL_S = 60,
        DEFAULT_MAX_TTL_S = 300,
        DEFAULT_RATE_LIMIT = 50,
};

/* --- one file --------------------------------------------------------------------------------------------------- */

/* What comes next is about this path: messages name it, and a change of it is seen. */
static int begin_path(struct config_load *load, const char *dir, const char *name) {
        int n = snprintf(load->file, sizeof(load->file), "%s%s%s", dir, name ? "/" : "", name ? name : "");

        load->line = 0;
        if (n >= (int)sizeof(load->file))
                return config_fail(load, "the path is too long");
        conf_files_add(&load->config->files, load->file);
        return 0;
}

static int check_owner(struct config_load *load, const struct stat *st) {
        if (st->st_uid != 0)
                return config_fail(load, "owned by user id %u, expected root; run chown root on it", st->st_uid);
        if (st->st_mode & (S_IWGRP | S_IWOTH))
                return config_fail(load, "writable by others than its owner; run chmod go-w on it");
        return 0;
}

static int parse_file(struct config_load *load, int fd) {
        char *text = malloc(CONFIG_FILE_MAX + 1);
        size_t used = 0;
        ssize_t n;
        int r;

        if (!text)
                return config_fail(load, "out of memory");
        do {
                n = read(fd, text + used, CONFIG_FILE_MAX + 1 - used);
                if (n > 0)
                        used += (size_t)n;
        } while (n > 0 && used <= CONFIG_FILE_MAX);
        if (n < 0)
                r = config_fail(load, "cannot read: %s; fix or remove it", strerror(errno));
        else if (used > CONFIG_FILE_MAX)
                r = config_fail(load, "larger than %d bytes; split it into files in " DROPIN_DIR, CONFIG_FILE_MAX);
        else
                r = config_parse(load, text, used);
        free(text);
        return r;
}

static int load_file(struct config_load *load, int dir_fd, const char *dir, const char *name) {
        struct stat st;
        int fd, r;

        r = begin_path(load, dir, name);
        if (r < 0)
                return r;
        /* O_NONBLOCK: opening a FIFO would wait for its writer. */
        fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return config_fail(load, "cannot open: %s; expected a file that the agent's user can read",
                                   strerror(errno));
        if (fstat(fd, &st) < 0)
                r = config_fail(load, "cannot stat: %s", strerror(errno));
        else if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
                r = 0; /* a link to /dev/null */
        else if (!S_ISREG(st.st_mode))
                r = config_fail(load, "not a regular file; replace or remove it");
        else {
                r = check_owner(load, &st);
                if (r >= 0)
                        r = parse_file(load, fd);
        }
        (void)close(fd);
        return r;
}

/* --- directories ------------------------------------------------------------------------------------------------ */

static bool is_missing(int dir_fd, const char *name) {
        struct stat st;

        /* A dangling link is not missing: a file was meant to be there. */
        return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

/* Opens the directory `dir`/`name`, or `dir` where `name` is NULL. 1: it is missing. Negative after config_fail(). */
static int open_dir(struct config_load *load, int dir_fd, const char *dir, const char *name, int *ret) {
        const char *path = name ? name : dir;
        struct stat st;
        int fd, r;

        r = begin_path(load, dir, name);
        if (r < 0)
                return r;
        fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
                int error = errno;

                if (error == ENOENT && is_missing(dir_fd, path))
                        return 1;
                return config_fail(load, "cannot open: %s; expected a directory that the agent's user can read",
                                   strerror(error));
        }
        if (fstat(fd, &st) < 0)
                r = config_fail(load, "cannot stat: %s", strerror(errno));
        else
                r = check_owner(load, &st);
        if (r < 0) {
                (void)close(fd);
                return r;
        }
        *ret = fd;
        return 0;
}

static int load_dropins(struct config_load *load, int dir_fd, const char *dir) {
        struct strv names = {.n = 0};
        char path[PATH_MAX];
        int fd = -EBADF, r;

        r = open_dir(load, dir_fd, dir, DROPIN_DIR, &fd);
        if (r != 0)
                return r < 0 ? r : 0;
        memcpy(path, load->file, sizeof(path));
        r = conf_files_list(fd, DROPIN_SUFFIX, &names);
        if (r < 0)
                r = config_fail(load, "cannot list: %s", strerror(-r));
        else if (names.n > CONFIG_FILES_MAX)
                r = config_fail(load, "more than %d *.conf files; merge some of them", CONFIG_FILES_MAX);
        for (size_t i = 0; r >= 0 && i < names.n; i++)
                r = load_file(load, fd, path, names.item[i]);
        strv_clear(&names);
        (void)close(fd);
        return r;
}

static int load_all(struct config_load *load, const char *dir) {
        int dir_fd = -EBADF, r;

        r = open_dir(load, AT_FDCWD, dir, NULL, &dir_fd);
        if (r != 0)
                return r < 0 ? r : 0;
        if (!is_missing(dir_fd, MAIN_FILE))
                r = load_file(load, dir_fd, dir, MAIN_FILE);
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
        config->instance_id[0] = '\0';
}

static int check_default_ttl(struct config_load *load) {
        struct config *config = load->config;

        if (config->default_ttl_s <= config->max_ttl_s)
                return 0;
        if (load->default_ttl_file[0] == '\0') {
                config->default_ttl_s = config->max_ttl_s;
                return 0;
        }
        memcpy(load->file, load->default_ttl_file, sizeof(load->file));
        load->line = load->default_ttl_line;
        return config_fail(load, "DefaultTtl: %u is above MaxTtl, which is %u; lower DefaultTtl or raise MaxTtl",
                           config->default_ttl_s, config->max_ttl_s);
}

int config_load(const char *dir, config_warning warning, void *context, struct config **ret) {
        struct config_load load = {.warning = warning, .context = context};

        load.config = calloc(1, sizeof(*load.config));
        if (!load.config)
                return -ENOMEM;
        set_defaults(load.config);
        if (load_all(&load, dir) < 0 || check_default_ttl(&load) < 0)
                set_defaults(load.config);
        *ret = load.config;
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
