/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/own_files.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "admin/sshd/text_file.h"

/* Only root can open it: on what others can open, they could hold a lock. */
#define LOCK_FILE "/run/exc-instance-connect-sshd.lock"
/* Begins with a dot, and so is matched by no pattern of an Include. */
#define TEMPORARY SSHD_DROP_IN_DIR "/." DROP_IN_BASE "-"

enum {
        LOCK_TRIES = 600,
        LOCK_PAUSE_NS = 100 * 1000 * 1000, /* in all, a minute: longer than sshd and a reload take */
        ASIDE_MAX = 99,
};

static int fail(char why[static SSHD_WHY_MAX], int error, const char *path, const char *what) {
        (void)snprintf(why, SSHD_WHY_MAX, "%s: %s", path, what);
        return error;
}

void own_files_aside_path(int index, char ret[static OWN_FILES_PATH_MAX]) {
        (void)snprintf(ret, OWN_FILES_PATH_MAX, "%s/.%s.disabled", SSHD_DROP_IN_DIR,
                       drop_in_paths[index] + sizeof(SSHD_DROP_IN_DIR));
}

void own_files_clear(struct own_files *files) {
        for (int i = 0; i < DROP_IN_FILES; i++)
                free(files->text[i]);
        *files = (struct own_files){.text = {NULL}};
}

bool own_files_copy(const struct own_files *from, struct own_files *ret) {
        struct own_files copy = {.text = {NULL}};

        for (int i = 0; i < DROP_IN_FILES; i++) {
                if (!from->text[i])
                        continue;
                copy.text[i] = strdup(from->text[i]);
                if (!copy.text[i]) {
                        own_files_clear(&copy);
                        return false;
                }
        }
        *ret = copy; /* transferred */
        return true;
}

/* What root writes there, nobody else may change or have made. */
static int check_owner(const char *path, const struct stat *st, char why[static SSHD_WHY_MAX]) {
        if (st->st_uid != 0)
                return fail(why, -EPERM, path, "does not belong to root");
        if ((st->st_mode & 022) != 0)
                return fail(why, -EPERM, path, "can be written by others than root");
        return 0;
}

static int load_one(const char *path, char **ret, char why[static SSHD_WHY_MAX]) {
        struct stat st, read_st;
        int r;

        if (lstat(path, &st) < 0)
                return errno == ENOENT || errno == ENOTDIR ? 0 : fail(why, -errno, path, strerror(errno));
        if (!S_ISREG(st.st_mode))
                return fail(why, -EPERM, path, "is not a regular file");
        r = check_owner(path, &st, why);
        if (r < 0)
                return r;
        r = text_file_read(path, ret, &read_st);
        if (r < 0)
                return fail(why, r, path, strerror(-r));
        if (strlen(*ret) != (size_t)read_st.st_size) {
                free(*ret);
                *ret = NULL;
                return fail(why, -EBADMSG, path, "has a NUL in it");
        }
        return 0;
}

int own_files_load(struct own_files *ret, struct own_files *ret_disabled, char ret_why[static SSHD_WHY_MAX]) {
        struct own_files files = {.text = {NULL}}, disabled = {.text = {NULL}};
        int r = 0;

        for (int i = 0; i < DROP_IN_FILES && r >= 0; i++) {
                char path[OWN_FILES_PATH_MAX];

                own_files_aside_path(i, path);
                r = load_one(drop_in_paths[i], &files.text[i], ret_why);
                if (r >= 0)
                        r = load_one(path, &disabled.text[i], ret_why);
        }
        if (r < 0) {
                own_files_clear(&files);
                own_files_clear(&disabled);
                return r;
        }
        *ret = files;             /* transferred */
        *ret_disabled = disabled; /* transferred */
        return 0;
}

/* What a run left that was ended between writing and renaming. */
static void sweep(void) {
        glob_t found = {.gl_pathc = 0};

        if (glob(TEMPORARY "*", 0, NULL, &found) == 0)
                for (size_t i = 0; i < found.gl_pathc; i++)
                        (void)unlink(found.gl_pathv[i]);
        globfree(&found);
}

/* Whether the locked file still has its name: the previous holder removes it. */
static bool is_current(int fd) {
        struct stat open_st, st;

        return fstat(fd, &open_st) == 0 && lstat(LOCK_FILE, &st) == 0 && open_st.st_dev == st.st_dev &&
               open_st.st_ino == st.st_ino;
}

int own_files_lock(char ret_why[static SSHD_WHY_MAX]) {
        for (int i = 0; i < LOCK_TRIES; i++) {
                const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
                int fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

                if (fd < 0)
                        return fail(ret_why, -errno, LOCK_FILE, strerror(errno));
                if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_current(fd)) {
                        sweep();
                        return fd;
                }
                (void)close(fd);
                (void)nanosleep(&pause, NULL);
        }
        return fail(ret_why, -ETIMEDOUT, LOCK_FILE, "another enable or disable has held it for a minute");
}

void own_files_unlock(int fd) {
        if (fd < 0)
                return;
        /* While it is held, so that no other has this name. */
        (void)unlink(LOCK_FILE);
        (void)close(fd);
}

/* Syncs the directory, so that a name in it is on disk when this returns. */
static int sync_directory(char why[static SSHD_WHY_MAX]) {
        int fd = open(SSHD_DROP_IN_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

        if (fd < 0 || fsync(fd) < 0)
                r = fail(why, -errno, SSHD_DROP_IN_DIR, strerror(errno));
        if (fd >= 0)
                (void)close(fd);
        return r;
}

static int check_directory(char why[static SSHD_WHY_MAX]) {
        struct stat st;

        if (mkdir(SSHD_DROP_IN_DIR, 0755) < 0 && errno != EEXIST)
                return fail(why, -errno, SSHD_DROP_IN_DIR, strerror(errno));
        if (stat(SSHD_DROP_IN_DIR, &st) < 0)
                return fail(why, -errno, SSHD_DROP_IN_DIR, strerror(errno));
        return check_owner(SSHD_DROP_IN_DIR, &st, why);
}

static int write_text(int fd, const char *text) {
        for (size_t left = strlen(text); left > 0;) {
                ssize_t n = write(fd, text, left);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0) {
                        text += n;
                        left -= (size_t)n;
                }
        }
        return 0;
}

static int write_file(const char *path, const char *text, char why[static SSHD_WHY_MAX]) {
        char temporary[] = TEMPORARY "XXXXXX", flag[] = "-f";
        char *arguments[] = {flag, temporary, NULL};
        int fd, r;

        fd = mkostemp(temporary, O_CLOEXEC);
        if (fd < 0)
                return fail(why, -errno, path, strerror(errno));
        r = write_text(fd, text);
        /* Root's, readable for all as the files beside it, whatever the umask is. */
        if (r >= 0 && (fchown(fd, 0, 0) < 0 || fchmod(fd, 0644) < 0 || fsync(fd) < 0))
                r = -errno;
        if (close(fd) < 0 && r >= 0)
                r = -errno;
        if (r < 0)
                (void)fail(why, r, path, strerror(-r));
        else
                /* By itself, so that what sshd cannot read never gets a name that it reads, not for a moment. */
                r = sshd_test(arguments, why);
        if (r >= 0 && rename(temporary, path) < 0)
                r = fail(why, -errno, path, strerror(errno));
        if (r < 0)
                (void)unlink(temporary);
        return r;
}

static bool same_text(const char *a, const char *b) {
        return a && b ? strcmp(a, b) == 0 : a == b;
}

/* File `i` of `to` on disk. */
static int change_one(const struct own_files *to, int i, char why[static SSHD_WHY_MAX]) {
        if (to->text[i])
                return write_file(drop_in_paths[i], to->text[i], why);
        if (unlink(drop_in_paths[i]) < 0 && errno != ENOENT)
                return fail(why, -errno, drop_in_paths[i], strerror(errno));
        return 0;
}

/* Written before others are taken away, so that at each moment one of them is there. */
static int change_all(const struct own_files *from, const struct own_files *to, char why[static SSHD_WHY_MAX]) {
        int r = 0;

        for (int pass = 0; pass < 2; pass++)
                for (int i = 0; i < DROP_IN_FILES; i++) {
                        int one;

                        if (same_text(from->text[i], to->text[i]) || (pass == 0) != (to->text[i] != NULL))
                                continue;
                        one = change_one(to, i, why);
                        if (one < 0)
                                r = one;
                }
        return r < 0 ? r : sync_directory(why);
}

int own_files_change(const struct own_files *from, const struct own_files *to, char ret_why[static SSHD_WHY_MAX]) {
        char ignored[SSHD_WHY_MAX];
        bool changes = false, writes = false;
        int r = 0;

        for (int i = 0; i < DROP_IN_FILES; i++)
                if (!same_text(from->text[i], to->text[i])) {
                        changes = true;
                        writes = writes || to->text[i];
                }
        if (!changes)
                return 0;
        if (writes)
                r = check_directory(ret_why);
        if (r < 0)
                return r;
        r = change_all(from, to, ret_why);
        if (r < 0)
                (void)change_all(to, from, ignored);
        return r;
}

int own_files_put_aside(int index, char ret_why[static SSHD_WHY_MAX]) {
        char aside[OWN_FILES_PATH_MAX], older[OWN_FILES_PATH_MAX + 4];
        int r = -EEXIST;

        own_files_aside_path(index, aside);
        for (int i = 1; i <= ASIDE_MAX && r == -EEXIST; i++) {
                (void)snprintf(older, sizeof(older), "%s.%d", aside, i);
                r = renameat2(AT_FDCWD, aside, AT_FDCWD, older, RENAME_NOREPLACE) < 0 ? -errno : 0;
        }
        if (r < 0 && r != -ENOENT)
                return fail(ret_why, r, aside, strerror(-r));
        if (rename(drop_in_paths[index], aside) < 0)
                return fail(ret_why, -errno, drop_in_paths[index], strerror(errno));
        return sync_directory(ret_why);
}

int own_files_forget_disabled(int index) {
        char path[OWN_FILES_PATH_MAX];

        own_files_aside_path(index, path);
        return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}
