/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/config/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/output.h"

enum { DIRECTORY_MODE = 0755, FILE_MODE = 0644 };

static int fail(const char *dir, const char *name, int r) {
        const char *hint = geteuid() != 0 && (r == -EACCES || r == -EPERM) ? "; run it as root, e.g. with sudo" : "";

        complain("%s%s%s: %s%s", dir, name ? "/" : "", name ? name : "", strerror(-r), hint);
        return r;
}

static int check_dir(const struct config_dir *dir) {
        struct stat st;

        if (fstat(dir->fd, &st) < 0)
                return fail(dir->path, NULL, -errno);
        if (st.st_uid != 0 || (st.st_mode & 022) != 0) {
                complain("%s: writable by others than root, so that the agent does not believe what is in it; look at "
                         "its files, then run: chown root:root %s && chmod 0755 %s",
                         dir->path, dir->path, dir->path);
                return -EPERM;
        }
        /* Another group than root's may be the agent's. */
        if ((st.st_mode & 05) != 05 && st.st_gid == 0)
                complain("%s: the agent's user cannot read it; run: chmod 0755 %s", dir->path, dir->path);
        return 0;
}

/* `at_fd` and `name` are `dir->path`. */
static int open_one(int at_fd, const char *name, bool make, struct config_dir *dir) {
        bool made = make && mkdirat(at_fd, name, DIRECTORY_MODE) == 0;
        int r;

        if (make && !made && errno != EEXIST)
                return fail(dir->path, NULL, -errno);
        dir->fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (dir->fd < 0) {
                r = -errno;
                if (r == -ENOENT && !make)
                        return r;
                if (r != -ELOOP && r != -ENOTDIR)
                        return fail(dir->path, NULL, r);
                complain("%s: a symbolic link, or not a directory; move it away, then run this again", dir->path);
                return r;
        }
        if (made && (fchown(dir->fd, 0, 0) < 0 || fchmod(dir->fd, DIRECTORY_MODE) < 0))
                r = fail(dir->path, NULL, -errno);
        else
                r = check_dir(dir);
        if (r < 0)
                config_dir_close(dir);
        return r;
}

int config_dir_open(const char *parent, const char *name, bool make, struct config_dir *ret) {
        struct config_dir dir = {.fd = -EBADF}, below = {.fd = -EBADF};
        int r;

        (void)snprintf(dir.path, sizeof(dir.path), "%s", parent);
        r = open_one(AT_FDCWD, parent, make, &dir);
        if (r < 0)
                return r;
        if (name) {
                if (snprintf(below.path, sizeof(below.path), "%s/%s", parent, name) < (int)sizeof(below.path))
                        r = open_one(dir.fd, name, make, &below);
                else
                        r = fail(parent, NULL, -ENAMETOOLONG);
                /* So that the name of one that was just made is on disk, too. */
                if (r >= 0 && make && fsync(dir.fd) < 0)
                        r = fail(parent, NULL, -errno);
                config_dir_close(&dir);
                if (r < 0) {
                        config_dir_close(&below);
                        return r;
                }
                dir = below;
        }
        *ret = dir; /* transferred */
        return 0;
}

void config_dir_close(struct config_dir *dir) {
        if (dir->fd >= 0)
                (void)close(dir->fd);
        dir->fd = -EBADF;
}

bool config_file_exists(const struct config_dir *dir, const char *name) {
        struct stat st;

        return fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int fill(int fd, const char *data, size_t n) {
        while (n > 0) {
                ssize_t written = write(fd, data, n);

                if (written < 0 && errno != EINTR)
                        return -errno;
                if (written > 0) {
                        data += written;
                        n -= (size_t)written;
                }
        }
        if (fchown(fd, 0, 0) < 0 || fchmod(fd, FILE_MODE) < 0 || fsync(fd) < 0)
                return -errno;
        return 0;
}

/* Begins with a dot, and has another end: the agent reads no such file. -EEXIST: left by a process with this number. */
static int make_temporary(const struct config_dir *dir, char ret_name[static NAME_MAX + 1]) {
        int fd = -EEXIST;

        (void)snprintf(ret_name, NAME_MAX + 1, ".new-%d", (int)getpid());
        for (int i = 0; i < 2 && fd == -EEXIST; i++) {
                fd = openat(dir->fd, ret_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
                if (fd < 0)
                        fd = -errno;
                if (fd == -EEXIST)
                        (void)unlinkat(dir->fd, ret_name, 0);
        }
        return fd;
}

int config_file_write(const struct config_dir *dir, const char *name, const void *data, size_t n, bool replace) {
        char temporary[NAME_MAX + 1];
        int fd, r;

        fd = make_temporary(dir, temporary);
        if (fd < 0)
                return fail(dir->path, name, fd);
        r = fill(fd, data, n);
        if (close(fd) < 0 && r >= 0)
                r = -errno;
        if (r >= 0 && replace && renameat(dir->fd, temporary, dir->fd, name) < 0)
                r = -errno;
        if (r >= 0 && !replace && linkat(dir->fd, temporary, dir->fd, name, 0) < 0)
                r = -errno;
        if (r < 0 || !replace)
                (void)unlinkat(dir->fd, temporary, 0);
        if (r >= 0 && fsync(dir->fd) < 0)
                r = -errno;
        return r < 0 ? fail(dir->path, name, r) : 0;
}

int config_file_remove(const struct config_dir *dir, const char *name) {
        if (unlinkat(dir->fd, name, 0) < 0 || fsync(dir->fd) < 0)
                return fail(dir->path, name, -errno);
        return 0;
}
