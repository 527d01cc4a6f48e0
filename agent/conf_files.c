/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/conf_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SETTLE_S = 2 }; /* the coarsest time stamps of file systems in use */

static bool ends_in(const char *name, const char *suffix) {
        size_t n = strlen(name), m = strlen(suffix);

        return name[0] != '.' && n > m && strcmp(name + n - m, suffix) == 0;
}

int conf_files_list(int fd, const char *suffix, struct strv *ret) {
        int list_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
        DIR *folder = list_fd >= 0 ? fdopendir(list_fd) : NULL;
        struct strv words = {.n = 0};

        if (!folder) {
                r = -errno;
                if (list_fd >= 0)
                        (void)close(list_fd);
                return r;
        }
        while (r >= 0) {
                struct dirent *entry;

                errno = 0;
                entry = readdir(folder);
                if (!entry) {
                        r = -errno;
                        break;
                }
                if (ends_in(entry->d_name, suffix))
                        r = strv_add(&words, entry->d_name);
        }
        (void)closedir(folder);
        if (r < 0) {
                strv_clear(&words);
                return r;
        }
        strv_sort(&words);
        *ret = words; /* transferred */
        return 0;
}

static void fold(uint64_t *hash, uint64_t value) {
        /* FNV-1a, 64 bits. Nobody but root chooses what goes in. */
        for (size_t i = 0; i < sizeof(value); i++) {
                *hash ^= value >> (8 * i) & 0xff;
                *hash *= UINT64_C(0x100000001b3);
        }
}

static void fold_time(uint64_t *hash, const struct timespec *time) {
        fold(hash, (uint64_t)time->tv_sec);
        fold(hash, (uint64_t)time->tv_nsec);
}

void stamp_begin(struct stamp *ret) {
        struct timespec now;

        (void)clock_gettime(CLOCK_REALTIME, &now);
        *ret = (struct stamp){.settled = true, .now_s = now.tv_sec};
}

void stamp_add(struct stamp *stamp, int dir_fd, const char *name) {
        uint64_t hash = UINT64_C(0xcbf29ce484222325);
        struct stat st;

        for (const char *c = name; *c; c++)
                fold(&hash, (uint8_t)*c);
        if (fstatat(dir_fd, name, &st, 0) < 0)
                fold(&hash, (uint64_t)errno);
        else {
                fold(&hash, st.st_dev);
                fold(&hash, st.st_ino);
                fold(&hash, (uint64_t)st.st_size);
                fold(&hash, st.st_mode);
                fold(&hash, st.st_uid);
                fold_time(&hash, &st.st_mtim);
                fold_time(&hash, &st.st_ctim);
                if (st.st_ctim.tv_sec >= stamp->now_s - SETTLE_S && st.st_ctim.tv_sec <= stamp->now_s + SETTLE_S)
                        stamp->settled = false;
        }
        /* A sum, so that the order is all one. */
        stamp->hash += hash;
}

void stamp_add_listed(struct stamp *stamp, int fd, const char *suffix) {
        struct strv names = {.n = 0};

        if (conf_files_list(fd, suffix, &names) < 0)
                stamp->settled = false;
        for (size_t i = 0; i < names.n; i++)
                stamp_add(stamp, fd, names.item[i]);
        strv_clear(&names);
}

bool stamp_holds(const struct stamp *loaded, const struct stamp *now) {
        return loaded->settled && loaded->hash == now->hash;
}
