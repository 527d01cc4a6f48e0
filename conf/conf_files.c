/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Seconds. The coarsest time stamps in use (FAT) are of two seconds, most are of the kernel's tick. */
enum { SETTLE_S = 2 };

static bool is_listed(const char *name, const char *suffix) {
        size_t n = strlen(name), m = strlen(suffix);

        return name[0] != '.' && n > m && strcmp(name + n - m, suffix) == 0;
}

int conf_files_list(int dir_fd, const char *suffix, struct strv *ret) {
        int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
        DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
        struct strv names = {.n = 0};

        if (!dir) {
                r = -errno;
                if (fd >= 0)
                        (void)close(fd);
                return r;
        }
        while (r >= 0) {
                struct dirent *entry;

                errno = 0;
                entry = readdir(dir);
                if (!entry) {
                        r = -errno;
                        break;
                }
                if (is_listed(entry->d_name, suffix))
                        r = strv_add(&names, entry->d_name);
        }
        (void)closedir(dir);
        if (r < 0) {
                strv_clear(&names);
                return r;
        }
        strv_sort(&names);
        *ret = names; /* transferred */
        return 0;
}

/* FNV-1a, 64 bits: only root chooses the input. */
static void hash_add(uint64_t *hash, uint64_t value) {
        for (size_t i = 0; i < sizeof(value); i++) {
                *hash ^= value >> (8 * i) & 0xff;
                *hash *= UINT64_C(0x100000001b3);
        }
}

static void hash_add_time(uint64_t *hash, const struct timespec *time) {
        hash_add(hash, (uint64_t)time->tv_sec);
        hash_add(hash, (uint64_t)time->tv_nsec);
}

/* `ret_changed_s`: the change time, in seconds since 1970, or INT64_MIN where there is no file. */
static void hash_add_file(uint64_t *hash, const char *path, int64_t *ret_changed_s) {
        struct stat st;

        *ret_changed_s = INT64_MIN;
        if (fstatat(AT_FDCWD, path, &st, 0) < 0) {
                hash_add(hash, (uint64_t)errno);
                return;
        }
        hash_add(hash, st.st_dev);
        hash_add(hash, st.st_ino);
        hash_add(hash, (uint64_t)st.st_size);
        hash_add(hash, st.st_mode);
        hash_add(hash, st.st_uid);
        hash_add(hash, st.st_gid);
        hash_add_time(hash, &st.st_mtim);
        hash_add_time(hash, &st.st_ctim);
        *ret_changed_s = st.st_ctim.tv_sec;
}

/*
 * A file that changed within SETTLE_S can change again and keep its time stamp. A change time of 0 is that of a file
 * system that records none, as FAT for its root directory.
 */
static bool is_settled(int64_t changed_s, int64_t now_s) {
        return changed_s != 0 && (changed_s < now_s - SETTLE_S || changed_s > now_s + SETTLE_S);
}

void conf_files_add(struct conf_files *files, const char *path) {
        struct timespec now;
        int64_t changed_s;

        if (strv_add(&files->paths, path) < 0) {
                files->unsettled = true;
                return;
        }
        (void)clock_gettime(CLOCK_REALTIME, &now);
        hash_add_file(&files->hash, path, &changed_s);
        if (!is_settled(changed_s, now.tv_sec))
                files->unsettled = true;
}

bool conf_files_look_same(const struct conf_files *files) {
        uint64_t hash = 0;
        int64_t changed_s;

        for (size_t i = 0; i < files->paths.n; i++)
                hash_add_file(&hash, files->paths.item[i], &changed_s);
        return hash == files->hash;
}

bool conf_files_changed(const struct conf_files *files) {
        return files->unsettled || files->paths.n == 0 || !conf_files_look_same(files);
}

void conf_files_clear(struct conf_files *files) {
        strv_clear(&files->paths);
        *files = (struct conf_files){.hash = 0};
}
