/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* --- one file --------------------------------------------------------------------------------------------------- */

int conf_begin_path(struct conf_load *load, const char *dir, const char *name) {
        int n = snprintf(load->file, sizeof(load->file), "%s%s%s", dir, name ? "/" : "", name ? name : "");

        load->line = 0;
        if (n >= (int)sizeof(load->file))
                return conf_fail(load, "the path is too long");
        if (load->files)
                conf_files_add(load->files, load->file);
        return 0;
}

static int check_owner(struct conf_load *load, const struct stat *st) {
        if (st->st_uid != 0)
                return conf_fail(load, "owned by user id %u, expected root; run chown root on it", st->st_uid);
        if (st->st_mode & (S_IWGRP | S_IWOTH))
                return conf_fail(load, "writable by others than its owner; run chmod go-w on it");
        return 0;
}

static int parse_file(struct conf_load *load, int fd) {
        char *text = malloc(CONF_FILE_MAX + 1);
        size_t used = 0;
        ssize_t n;
        int r;

        if (!text)
                return conf_fail(load, "out of memory");
        do {
                n = read(fd, text + used, CONF_FILE_MAX + 1 - used);
                if (n > 0)
                        used += (size_t)n;
        } while (n > 0 && used <= CONF_FILE_MAX);
        if (n < 0)
                r = conf_fail(load, "cannot read: %s; fix or remove it", strerror(errno));
        else if (used > CONF_FILE_MAX)
                r = conf_fail(load, "larger than %d bytes; %s", CONF_FILE_MAX, load->advice);
        else
                r = conf_parse(load, text, used);
        free(text);
        return r;
}

int conf_load_file(struct conf_load *load, int dir_fd, const char *dir, const char *name) {
        struct stat st;
        int fd, r;

        r = conf_begin_path(load, dir, name);
        if (r < 0)
                return r;
        /* O_NONBLOCK: opening a FIFO would wait for its writer. */
        fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return conf_fail(load, "cannot open: %s; expected a file that %s can read", strerror(errno),
                                 load->reader);
        if (fstat(fd, &st) < 0)
                r = conf_fail(load, "cannot stat: %s", strerror(errno));
        else if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
                r = 0; /* a link to /dev/null */
        else if (!S_ISREG(st.st_mode))
                r = conf_fail(load, "not a regular file; replace or remove it");
        else {
                r = check_owner(load, &st);
                if (r >= 0)
                        r = parse_file(load, fd);
        }
        (void)close(fd);
        return r;
}

/* --- directories ------------------------------------------------------------------------------------------------ */

bool conf_is_missing(int dir_fd, const char *name) {
        struct stat st;

        return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

int conf_open_dir(struct conf_load *load, int dir_fd, const char *dir, const char *name, int *ret) {
        const char *path = name ? name : dir;
        struct stat st;
        int fd, r;

        r = conf_begin_path(load, dir, name);
        if (r < 0)
                return r;
        fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
                int error = errno;

                if (error == ENOENT && conf_is_missing(dir_fd, path))
                        return 1;
                return conf_fail(load, "cannot open: %s; expected a directory that %s can read", strerror(error),
                                 load->reader);
        }
        if (fstat(fd, &st) < 0)
                r = conf_fail(load, "cannot stat: %s", strerror(errno));
        else
                r = check_owner(load, &st);
        if (r < 0) {
                (void)close(fd);
                return r;
        }
        *ret = fd;
        return 0;
}

int conf_list(struct conf_load *load, int fd, const char *suffix, size_t most, struct strv *ret) {
        struct strv names = {.n = 0};
        int r;

        r = conf_files_list(fd, suffix, &names);
        if (r < 0)
                return conf_fail(load, "cannot list: %s", strerror(-r));
        if (names.n > most) {
                strv_clear(&names);
                return conf_fail(load, "more than %zu *%s files; merge some of them", most, suffix);
        }
        *ret = names;
        return 0;
}
