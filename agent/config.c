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
#define DROPIN_FOLDER "agent.conf.d"
#define DROPIN_SUFFIX ".conf"

enum {
        TTL_DEFAULT_S = 60,
        MAX_TTL_DEFAULT_S = 300,
        RATE_DEFAULT = 50,
};

/* The files */

static int check_owner(struct config_load *load, const struct stat *st) {
        if (st->st_uid != 0)
                return config_fail(load, "owned by user %u; it must be root's: chown root", st->st_uid);
        if (st->st_mode & (S_IWGRP | S_IWOTH))
                return config_fail(load, "others than its owner may write it: chmod go-w");
        return 0;
}

static int read_whole(struct config_load *load, int fd) {
        char *text;
        size_t used = 0;
        ssize_t n;
        int r;

        text = malloc(CONFIG_FILE_MAX + 1);
        if (!text)
                return config_fail(load, "out of memory");
        do {
                n = read(fd, text + used, CONFIG_FILE_MAX + 1 - used);
                if (n > 0)
                        used += (size_t)n;
        } while (n > 0 && used <= CONFIG_FILE_MAX);
        if (n < 0)
                r = config_fail(load, "cannot be read: %s; mend or remove it", strerror(errno));
        else if (used > CONFIG_FILE_MAX)
                r = config_fail(load, "larger than %d bytes; split it into files in " DROPIN_FOLDER, CONFIG_FILE_MAX);
        else
                r = config_parse(load, text, used);
        free(text);
        return r;
}

/* `name` in `dir_fd`; `path` is for messages. */
static int load_file(struct config_load *load, int dir_fd, const char *name, const char *path) {
        struct stat st;
        int fd, r;

        load->file = path;
        load->line = 0;
        /* Not to wait for a writer if it is a FIFO. */
        fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return config_fail(load, "cannot be opened: %s; the agent's user must be able to read it",
                                   strerror(errno));
        if (fstat(fd, &st) < 0)
                r = config_fail(load, "cannot be examined: %s", strerror(errno));
        else if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
                r = 0; /* a link to /dev/null */
        else if (!S_ISREG(st.st_mode))
                r = config_fail(load, "not a regular file; put one in its place or remove it");
        else {
                r = check_owner(load, &st);
                if (r >= 0)
                        r = read_whole(load, fd);
        }
        (void)close(fd);
        return r;
}

/* 0: opened. 1: there is none. Negative: refused. */
static int open_folder(struct config_load *load, int dir_fd, const char *name, const char *path, int *ret) {
        struct stat st;
        int fd, r;

        load->file = path;
        load->line = 0;
        fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
                if (errno == ENOENT && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
                        return 1;
                return config_fail(load, "cannot be opened: %s; it must be a folder that the agent's user can read",
                                   strerror(errno));
        }
        if (fstat(fd, &st) < 0)
                r = config_fail(load, "cannot be examined: %s", strerror(errno));
        else
                r = check_owner(load, &st);
        if (r < 0) {
                (void)close(fd);
                return r;
        }
        *ret = fd;
        return 0;
}

static int list_dropins(struct config_load *load, int fd, struct strv *ret) {
        int r;

        r = conf_files_list(fd, DROPIN_SUFFIX, ret);
        if (r == -ENOMEM)
                return config_fail(load, "out of memory");
        if (r < 0)
                return config_fail(load, "cannot be listed: %s", strerror(-r));
        if (ret->n > CONFIG_FILES_MAX)
                return config_fail(load, "more than %d *.conf files; join some of them", CONFIG_FILES_MAX);
        return 0;
}

static char *join(const char *folder, const char *name) {
        size_t n = strlen(folder), m = strlen(name);
        char *path = malloc(n + 1 + m + 1);

        if (path) {
                memcpy(path, folder, n);
                path[n] = '/';
                memcpy(path + n + 1, name, m + 1);
        }
        return path;
}

static int load_dropins(struct config_load *load, int dir_fd, const char *path) {
        struct strv names = {.n = 0};
        int fd = -EBADF, r;

        r = open_folder(load, dir_fd, DROPIN_FOLDER, path, &fd);
        if (r != 0)
                return r < 0 ? r : 0;
        r = list_dropins(load, fd, &names);
        for (size_t i = 0; r >= 0 && i < names.n; i++) {
                char *file;

                file = join(path, names.item[i]);
                r = file ? load_file(load, fd, names.item[i], file) : config_fail(load, "out of memory");
                free(file);
        }
        strv_clear(&names);
        (void)close(fd);
        return r;
}

static int load_all(struct config_load *load, const char *dir) {
        char *file, *folder;
        struct stat st;
        int dir_fd = -EBADF, r;

        r = open_folder(load, AT_FDCWD, dir, dir, &dir_fd);
        if (r != 0)
                return r < 0 ? r : 0;
        file = join(dir, MAIN_FILE);
        folder = join(dir, DROPIN_FOLDER);
        if (!file || !folder)
                r = config_fail(load, "out of memory");
        /* A link that leads nowhere is no missing file: somebody wanted something to be there. */
        else if (fstatat(dir_fd, MAIN_FILE, &st, AT_SYMLINK_NOFOLLOW) >= 0 || errno != ENOENT)
                r = load_file(load, dir_fd, MAIN_FILE, file);
        if (r >= 0)
                r = load_dropins(load, dir_fd, folder);

        free(file);
        free(folder);
        (void)close(dir_fd);
        return r;
}

static void set_defaults(struct config *config) {
        strv_clear(&config->allow_users);
        strv_clear(&config->deny_users);
        strv_clear(&config->allow_groups);
        strv_clear(&config->deny_groups);
        strv_clear(&config->host_key_files);
        config->min_uid = 0;
        config->max_ttl_s = MAX_TTL_DEFAULT_S;
        config->default_ttl_s = TTL_DEFAULT_S;
        config->rate_limit = RATE_DEFAULT;
        config->trust = TRUST_SIGNED;
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
        load->file = load->default_ttl_file;
        load->line = load->default_ttl_line;
        return config_fail(load, "DefaultTtl: %u is above MaxTtl, which is %u; lower DefaultTtl or raise MaxTtl",
                           config->default_ttl_s, config->max_ttl_s);
}

/* Whether something has changed */

static void stamp_now(const char *dir, struct stamp *ret) {
        int dir_fd, fd;

        stamp_begin(ret);
        stamp_add(ret, AT_FDCWD, dir);
        dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0)
                return;
        stamp_add(ret, dir_fd, MAIN_FILE);
        stamp_add(ret, dir_fd, DROPIN_FOLDER);
        fd = openat(dir_fd, DROPIN_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        (void)close(dir_fd);
        if (fd < 0)
                return;
        stamp_add_listed(ret, fd, DROPIN_SUFFIX);
        (void)close(fd);
}

int config_load(const char *dir, config_warning warning, void *context, struct config **ret) {
        struct config *config;
        struct config_load load = {.warning = warning, .context = context};

        config = calloc(1, sizeof(*config));
        if (!config)
                return -ENOMEM;
        config->dir = strdup(dir);
        if (!config->dir) {
                free(config);
                return -ENOMEM;
        }
        /* Before the files are read: a change in between then shows as one. */
        stamp_now(dir, &config->stamp);

        set_defaults(config);
        load.config = config;
        if (load_all(&load, dir) < 0 || check_default_ttl(&load) < 0)
                set_defaults(config);
        *ret = config;
        return 0;
}

bool config_changed(const struct config *config) {
        struct stamp now;

        stamp_now(config->dir, &now);
        return !stamp_holds(&config->stamp, &now);
}

bool config_looks_same(const struct config *config) {
        struct stamp now;

        stamp_now(config->dir, &now);
        return now.hash == config->stamp.hash;
}

void config_free(struct config *config) {
        if (!config)
                return;
        set_defaults(config);
        free(config->dir);
        free(config);
}
