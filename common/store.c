/* SPDX-License-Identifier: Apache-2.0 */
#include "common/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/store_internal.h"

__attribute__((format(printf, 2, 3))) static int store_wrong(char ret_why[static 256], const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(ret_why, 256, format, arguments);
        va_end(arguments);
        return -EPERM;
}

static bool on_memory(int fd) {
        struct statfs fs;

        return fstatfs(fd, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

/* Where the store is, and what RUNTIME itself is on. */
struct opening {
        const char *runtime_dir;
        int root_fd;
        dev_t device; /* on a tmpfs or ramfs, as has been checked */
};

/*
 * Opens a directory right below RUNTIME and checks it. `owner` is (uid_t)-1 where any owner is accepted. One device is
 * one file system, so only a mount of its own (claims.mount) is asked what it is.
 */
static int open_top(const struct opening *opening, const char *name, uid_t owner, mode_t mode, int *ret_fd,
                    uid_t *ret_owner, char ret_why[static 256]) {
        const char *runtime_dir = opening->runtime_dir;
        struct stat st;
        int fd;

        fd = openat(opening->root_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) {
                int r = -errno;

                (void)store_wrong(ret_why, "%s/%s cannot be opened: %s", runtime_dir, name, strerror(-r));
                return r;
        }
        *ret_fd = fd;
        if (fstat(fd, &st) < 0 || (st.st_dev != opening->device && !on_memory(fd)))
                return store_wrong(ret_why, "%s/%s is not on a tmpfs or ramfs", runtime_dir, name);
        if (owner != (uid_t)-1 && st.st_uid != owner)
                return store_wrong(ret_why, "%s/%s belongs to user id %u, not to %u", runtime_dir, name, st.st_uid,
                                   owner);
        if ((st.st_mode & 07777) != mode)
                return store_wrong(ret_why, "%s/%s has mode %04o, not %04o", runtime_dir, name, st.st_mode & 07777,
                                   mode);
        *ret_owner = st.st_uid;
        return 0;
}

static int open_tops(const char *runtime_dir, enum store_side side, struct store *store, char ret_why[static 256]) {
        uid_t agent = side == STORE_AGENT ? geteuid() : (uid_t)-1, claims_owner;
        struct opening opening = {runtime_dir, store->root_fd, 0};
        struct stat st;
        int r;

        if (fstat(store->root_fd, &st) < 0 || !on_memory(store->root_fd))
                return store_wrong(ret_why, "%s is not on a tmpfs or ramfs", runtime_dir);
        if (st.st_uid != 0 || (st.st_mode & 022) != 0)
                return store_wrong(ret_why, "%s must be root's and writable by root alone", runtime_dir);
        opening.device = st.st_dev;

        r = open_top(&opening, "keys", agent, STORE_DIRECTORY_MODE, &store->keys_fd, &store->owner, ret_why);
        if (r < 0)
                return r;
        r = open_top(&opening, "claims", store->owner, STORE_DIRECTORY_MODE, &store->claims_fd, &claims_owner, ret_why);
        if (r < 0 || side == STORE_HELPER)
                return r;
        return open_top(&opening, "state", agent, 0700, &store->state_fd, &store->owner, ret_why);
}

int store_open(const char *runtime_dir, enum store_side side, struct store *ret, char ret_why[static 256]) {
        struct store store = STORE_INIT;
        int r;

        store.root_fd = open(runtime_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (store.root_fd < 0) {
                r = -errno;
                (void)store_wrong(ret_why, "%s cannot be opened: %s", runtime_dir, strerror(-r));
                return r;
        }
        r = open_tops(runtime_dir, side, &store, ret_why);
        if (r < 0) {
                store_close(&store);
                return r;
        }
        *ret = store;
        return 0;
}

void store_close(struct store *store) {
        int *const fds[] = {&store->root_fd, &store->keys_fd, &store->claims_fd, &store->state_fd};

        for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
                if (*fds[i] >= 0)
                        (void)close(*fds[i]);
                *fds[i] = -EBADF;
        }
}

/* FNV-1a, 64 bits. Collisions can be found, and do no harm: the key file holds the whole name. */
static uint64_t name_hash(const char *user) {
        uint64_t hash = UINT64_C(0xcbf29ce484222325);

        for (; *user; user++)
                hash = (hash ^ (uint8_t)*user) * UINT64_C(0x100000001b3);
        return hash;
}

static bool plain(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
               c == '.';
}

bool store_user_name(const char *user, char ret[static STORE_USER_NAME_MAX]) {
        static const char hex[] = "0123456789abcdef";
        size_t used = 0;

        if (user[0] == '\0')
                return false;
        for (const char *c = user; *c; c++) {
                bool keep = plain(*c) && !(c == user && *c == '.');

                if (used + (keep ? 1 : 3) >= STORE_USER_NAME_MAX) {
                        /* 'h' is not a hex digit, so no escaped name looks like this. */
                        (void)snprintf(ret, STORE_USER_NAME_MAX, "%%h%016llx", (unsigned long long)name_hash(user));
                        return true;
                }
                if (keep) {
                        ret[used++] = *c;
                } else {
                        ret[used++] = '%';
                        ret[used++] = hex[(uint8_t)*c >> 4];
                        ret[used++] = hex[*c & 15];
                }
        }
        ret[used] = '\0';
        return true;
}

static bool fingerprint_name_valid(const char *name) {
        if (strlen(name) != STORE_FINGERPRINT_NAME_MAX - 1)
                return false;
        for (; *name; name++)
                if (!plain(*name) || *name == '.')
                        return false;
        return true;
}

bool store_fingerprint_name(const char *fingerprint, char ret[static STORE_FINGERPRINT_NAME_MAX]) {
        char name[STORE_FINGERPRINT_NAME_MAX];

        if (strncmp(fingerprint, "SHA256:", 7) != 0 || strlen(fingerprint + 7) != sizeof(name) - 1)
                return false;
        memcpy(name, fingerprint + 7, sizeof(name));
        for (char *c = name; *c; c++) {
                if (*c == '-' || *c == '_')
                        return false;
                *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
        }
        if (!fingerprint_name_valid(name))
                return false;
        memcpy(ret, name, sizeof(name));
        return true;
}

void store_fingerprint_text(const char *name, char ret[static STORE_FINGERPRINT_NAME_MAX + 7]) {
        (void)snprintf(ret, STORE_FINGERPRINT_NAME_MAX + 7, "SHA256:%s", name);
        for (char *c = ret + 7; *c; c++)
                *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
}

bool store_id_valid(const char *name) {
        return strlen(name) == STORE_ID_MAX - 1 && strspn(name, "0123456789abcdef") == STORE_ID_MAX - 1;
}

bool store_user_name_valid(const char *name) {
        return strlen(name) < STORE_USER_NAME_MAX && name[0] != '.';
}

int store_open_directory(int parent_fd, const char *name, uid_t owner, int *ret_fd) {
        struct stat st;
        int fd;

        fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) /* both sides can open what the store makes */
                return errno == ENOTDIR || errno == ELOOP || errno == EACCES ? -EBADMSG : -errno;
        if (fstat(fd, &st) < 0 || st.st_uid != owner || (st.st_mode & 07777) != STORE_DIRECTORY_MODE) {
                (void)close(fd);
                return -EBADMSG;
        }
        *ret_fd = fd;
        return 0;
}

/*
 * getdents64(2) itself: opendir(3) makes six system calls more, for each directory of each login. -ENOENT: `each` has
 * removed the directory with its last entry.
 */
int store_each_name(int directory_fd, bool (*valid)(const char *name), store_each each, void *context) {
        _Alignas(struct dirent64) char entries[4096];
        ssize_t n;

        while ((n = getdents64(directory_fd, entries, sizeof(entries))) > 0)
                for (ssize_t at = 0; at < n;) {
                        const struct dirent64 *entry = (const void *)(entries + at);
                        int r;

                        at += entry->d_reclen;
                        if (!valid(entry->d_name))
                                continue;
                        r = each(context, directory_fd, entry->d_name);
                        if (r != 0)
                                return r;
                }
        return n < 0 && errno != ENOENT ? -errno : 0;
}

int store_each_user(int top_fd, store_each each, void *context) {
        int fd = openat(top_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

        if (fd < 0)
                return -errno;
        r = store_each_name(fd, store_user_name_valid, each, context);
        (void)close(fd);
        return r;
}

enum { REPLACED_MAX = 8 }; /* tries */

/*
 * Opens a file that the agent wrote and checks it: regular, one link, the agent's own, with the mode it was made with.
 * -ESTALE: it was removed or replaced in between.
 */
static int open_file(int directory_fd, const char *name, int flags, uid_t owner, mode_t mode, int *ret_fd,
                     off_t *ret_size) {
        struct stat st = {.st_nlink = 1};
        int fd;

        fd = openat(directory_fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return errno == ELOOP || errno == ENXIO || errno == EISDIR || errno == EACCES ? -EBADMSG : -errno;
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != owner ||
            (st.st_mode & 07777) != mode) {
                (void)close(fd);
                return st.st_nlink == 0 ? -ESTALE : -EBADMSG;
        }
        *ret_fd = fd;
        *ret_size = st.st_size;
        return 0;
}

static int read_grant(int fd, off_t size, const struct store_place *place, struct grant *ret) {
        uint8_t raw[GRANT_FILE_MAX];
        char user[STORE_USER_NAME_MAX];
        ssize_t n;

        if (size <= 0 || size > (off_t)sizeof(raw))
                return -EBADMSG;
        n = read(fd, raw, (size_t)size);
        if (n < 0)
                return -errno;
        if (n != size || !grant_decode(raw, (size_t)n, ret) || !store_user_name(ret->user, user) ||
            strcmp(user, place->user) != 0)
                return -EBADMSG;
        return 0;
}

/* `directory_fd` is that of keys/<user>/<fingerprint>. */
static int read_key(const struct store *store, int directory_fd, const struct store_place *place, struct grant *ret) {
        off_t size;
        int fd, r, tries = 0;

        do
                r = open_file(directory_fd, place->id, O_RDONLY, store->owner, STORE_KEY_MODE, &fd, &size);
        while (r == -ESTALE && ++tries < REPLACED_MAX);
        if (r < 0)
                return r == -ESTALE ? -ENOENT : r;
        r = read_grant(fd, size, place, ret);
        (void)close(fd);
        return r;
}

int store_read(const struct store *store, const struct store_place *place, struct grant *ret) {
        int user_fd, fd, r;

        r = store_open_directory(store->keys_fd, place->user, store->owner, &user_fd);
        if (r < 0)
                return r;
        r = store_open_directory(user_fd, place->fingerprint, store->owner, &fd);
        (void)close(user_fd);
        if (r < 0)
                return r;
        r = read_key(store, fd, place, ret);
        (void)close(fd);
        return r;
}

int store_open_claim(const struct store *store, const struct store_place *place, int flags) {
        int user_fd, fd, r;
        off_t size;

        r = store_open_directory(store->claims_fd, place->user, store->owner, &user_fd);
        if (r < 0)
                return r;
        r = open_file(user_fd, place->id, flags, store->owner, STORE_CLAIM_MODE, &fd, &size);
        (void)close(user_fd);
        if (r == -ESTALE)
                return -ENOENT;
        return r < 0 ? r : fd;
}

/* One of `visit` and `visit_grant` is set. */
struct walk {
        const struct store *store;
        const char *fingerprint; /* NULL: all */
        store_visit visit;
        store_visit_grant visit_grant;
        void *context;
        struct store_place place;
};

static int walk_id(void *context, int directory_fd, const char *name) {
        struct walk *walk = context;
        struct grant grant;

        memcpy(walk->place.id, name, sizeof(walk->place.id));
        if (walk->visit)
                return walk->visit(walk->context, &walk->place);
        if (read_key(walk->store, directory_fd, &walk->place, &grant) < 0)
                return 0;
        return walk->visit_grant(walk->context, &walk->place, &grant);
}

/*
 * A directory that is gone, or that the store did not make, holds no keys: it never hides those in other directories.
 */
static int walk_into(struct walk *walk, int parent_fd, const char *name, bool (*valid)(const char *name),
                     store_each each) {
        int fd, r;

        r = store_open_directory(parent_fd, name, walk->store->owner, &fd);
        if (r == -ENOENT || r == -EBADMSG)
                return 0;
        if (r < 0)
                return r;
        r = store_each_name(fd, valid, each, walk);
        (void)close(fd);
        return r;
}

static int walk_fingerprint(void *context, int directory_fd, const char *name) {
        struct walk *walk = context;

        (void)snprintf(walk->place.fingerprint, sizeof(walk->place.fingerprint), "%s", name);
        return walk_into(walk, directory_fd, name, store_id_valid, walk_id);
}

/* One fingerprint of one user: straight there, however many others there are. */
static int walk_known_fingerprint(struct walk *walk, const char *user) {
        int fd, r;

        r = store_open_directory(walk->store->keys_fd, user, walk->store->owner, &fd);
        if (r < 0)
                return r == -ENOENT || r == -EBADMSG ? 0 : r;
        r = walk_fingerprint(walk, fd, walk->fingerprint);
        (void)close(fd);
        return r;
}

static int walk_user(void *context, int directory_fd, const char *name) {
        struct walk *walk = context;

        (void)snprintf(walk->place.user, sizeof(walk->place.user), "%s", name);
        if (walk->fingerprint)
                return walk_known_fingerprint(walk, name);
        return walk_into(walk, directory_fd, name, fingerprint_name_valid, walk_fingerprint);
}

static int walk_store(struct walk *walk, const char *user) {
        return user ? walk_user(walk, walk->store->keys_fd, user)
                    : store_each_user(walk->store->keys_fd, walk_user, walk);
}

int store_walk(const struct store *store, const char *user, const char *fingerprint, store_visit visit, void *context) {
        struct walk walk = {.store = store, .fingerprint = fingerprint, .visit = visit, .context = context};

        return walk_store(&walk, user);
}

int store_read_each(const struct store *store, const char *user, const char *fingerprint, store_visit_grant visit,
                    void *context) {
        struct walk walk = {.store = store, .fingerprint = fingerprint, .visit_grant = visit, .context = context};

        return walk_store(&walk, user);
}
