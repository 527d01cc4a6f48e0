/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's half of the store: storing and removing. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/store.h"
#include "common/store_internal.h"

/* A directory that is not empty stays. */
static void remove_directory(int parent_fd, const char *name) {
        (void)unlinkat(parent_fd, name, AT_REMOVEDIR);
}

/* Opens a directory, and makes it first where there is none. Group and setgid bit come from the parent's setgid bit. */
static int make_directory(int parent_fd, const char *name, uid_t owner, int *ret_fd) {
        bool made = mkdirat(parent_fd, name, 0750) == 0;
        int r;

        if (!made && errno != EEXIST)
                return -errno;
        r = store_open_directory(parent_fd, name, owner, ret_fd);
        /* A umask took bits away, or no descriptor was left: it must not be in the way of a later push. */
        if (r < 0 && made)
                remove_directory(parent_fd, name);
        return r;
}

/* 1: made. 0: the name exists. */
static int publish_file(int directory_fd, const char *name, mode_t mode, const uint8_t *content, size_t length) {
        char path[64];
        ssize_t n;
        int fd, r = 1;

        fd = openat(directory_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
        if (fd < 0)
                return -errno;
        n = length > 0 ? write(fd, content, length) : 0;
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (n < 0)
                r = -errno;
        else if ((size_t)n != length)
                r = -ENOSPC;
        else if (fchmod(fd, mode) < 0) /* whatever the umask was */
                r = -errno;
        else if (linkat(AT_FDCWD, path, directory_fd, name, AT_SYMLINK_FOLLOW) < 0)
                r = errno == EEXIST ? 0 : -errno;
        (void)close(fd);
        return r;
}

static int publish_key(const struct store *store, int user_fd, const char *id, const struct grant *common,
                       const struct store_key *key) {
        uint8_t raw[GRANT_FILE_MAX];
        struct grant grant = *common;
        size_t length;
        int fd, r;

        grant.key = key->key;
        length = grant_encode(&grant, raw, sizeof(raw));
        if (length == 0)
                return -EMSGSIZE;
        r = make_directory(user_fd, key->fingerprint, store->owner, &fd);
        if (r < 0)
                return r;
        r = publish_file(fd, id, STORE_KEY_MODE, raw, length);
        (void)close(fd);
        return r;
}

static int publish_claim(const struct store *store, const char *user, const char *id, unsigned connections) {
        static const uint8_t zeros[GRANT_CONNECTIONS_MAX * CLAIM_SLOT_SIZE];
        int fd, r;

        if (connections > GRANT_CONNECTIONS_MAX)
                return -EMSGSIZE;
        r = make_directory(store->claims_fd, user, store->owner, &fd);
        if (r < 0)
                return r;
        r = publish_file(fd, id, STORE_CLAIM_MODE, zeros, (size_t)connections * CLAIM_SLOT_SIZE);
        (void)close(fd);
        if (r < 0)
                remove_directory(store->claims_fd, user);
        return r;
}

/* `directory_fd` is that of keys/<user>/<fingerprint>. */
static int renew(int directory_fd, const char *id, const char *scratch_id, const uint8_t *raw, size_t length) {
        struct stat st;
        int r;

        if (fstatat(directory_fd, id, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        /* A kill leaves a key without a claim file here, which store_tidy() removes. */
        r = publish_file(directory_fd, scratch_id, STORE_KEY_MODE, raw, length);
        if (r <= 0)
                return r < 0 ? r : -EEXIST;
        if (renameat(directory_fd, scratch_id, directory_fd, id) == 0)
                return 0;
        r = -errno;
        (void)unlinkat(directory_fd, scratch_id, 0);
        return r;
}

int store_renew(const struct store *store, const struct store_place *place, const char *scratch_id,
                const struct grant *grant) {
        uint8_t raw[GRANT_FILE_MAX];
        size_t length = grant_encode(grant, raw, sizeof(raw));
        int user_fd, fd, r;

        if (length == 0 || !store_id_valid(scratch_id))
                return -EINVAL;
        r = store_open_directory(store->keys_fd, place->user, store->owner, &user_fd);
        if (r < 0)
                return r;
        r = store_open_directory(user_fd, place->fingerprint, store->owner, &fd);
        (void)close(user_fd);
        if (r < 0)
                return r;
        r = renew(fd, place->id, scratch_id, raw, length);
        (void)close(fd);
        return r;
}

static int remove_file(int directory_fd, const char *name) {
        return unlinkat(directory_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int store_remove_key(const struct store *store, const struct store_place *place) {
        int user_fd, fd, r;

        r = store_open_directory(store->keys_fd, place->user, store->owner, &user_fd);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        r = store_open_directory(user_fd, place->fingerprint, store->owner, &fd);
        if (r >= 0) {
                r = remove_file(fd, place->id);
                (void)close(fd);
        }
        remove_directory(user_fd, place->fingerprint);
        (void)close(user_fd);
        remove_directory(store->keys_fd, place->user);
        return r == -ENOENT ? 0 : r;
}

int store_remove_claim(const struct store *store, const struct store_place *place) {
        int fd, r;

        r = store_open_directory(store->claims_fd, place->user, store->owner, &fd);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        r = remove_file(fd, place->id);
        (void)close(fd);
        remove_directory(store->claims_fd, place->user);
        return r;
}

/* Removes the directories of a key that was not stored, where they are empty. */
static void remove_empty(const struct store *store, const struct store_place *place) {
        int user_fd;

        if (store_open_directory(store->keys_fd, place->user, store->owner, &user_fd) < 0)
                return;
        remove_directory(user_fd, place->fingerprint);
        (void)close(user_fd);
        remove_directory(store->keys_fd, place->user);
}

int store_publish(const struct store *store, const char *id, const struct grant *common, const struct store_key *keys,
                  size_t n) {
        struct store_place place = {0};
        size_t done = 0;
        bool made[64] = {false};
        int user_fd, r;

        if (n == 0 || n > sizeof(made) || !store_id_valid(id) || !store_user_name(common->user, place.user))
                return -EINVAL;
        memcpy(place.id, id, sizeof(place.id));

        r = make_directory(store->keys_fd, place.user, store->owner, &user_fd);
        if (r < 0)
                return r;
        for (; r >= 0 && done < n; done++) {
                r = publish_key(store, user_fd, id, common, &keys[done]);
                made[done] = r > 0;
        }
        (void)close(user_fd);
        if (r >= 0)
                r = publish_claim(store, place.user, id, common->connections);
        if (r >= 0)
                return 0;

        /* Without its claim file the grant does not count. Removes only what this call made. */
        for (size_t i = 0; i < done; i++) {
                memcpy(place.fingerprint, keys[i].fingerprint, sizeof(place.fingerprint));
                if (made[i])
                        (void)store_remove_key(store, &place);
                else
                        remove_empty(store, &place);
        }
        return r;
}

static int remove_if_grown(void *context, int directory_fd, const char *name) {
        int *n = context;
        struct stat st;

        if (fstatat(directory_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_size > GRANT_CONNECTIONS_MAX * CLAIM_SLOT_SIZE && remove_file(directory_fd, name) == 0)
                (*n)++;
        return 0;
}

struct grown {
        const struct store *store;
        int n;
};

static int remove_grown_of_user(void *context, int directory_fd, const char *name) {
        struct grown *grown = context;
        int fd, r;

        r = store_open_directory(directory_fd, name, grown->store->owner, &fd);
        if (r < 0)
                return 0;
        r = store_each_name(fd, store_id_valid, remove_if_grown, &grown->n);
        (void)close(fd);
        return r;
}

int store_remove_grown(const struct store *store) {
        struct grown grown = {.store = store};
        int r = store_each_user(store->claims_fd, remove_grown_of_user, &grown);

        return r < 0 ? r : grown.n;
}

struct tidy {
        const struct store *store;
        struct store_place place;
        int result;
};

/* A failure does not stop the rest. The first one is the result. */
static void tidy_result(struct tidy *tidy, int r) {
        if (r < 0 && tidy->result == 0)
                tidy->result = r;
}

static int tidy_key(void *context, const struct store_place *place) {
        struct tidy *tidy = context;
        int fd;

        fd = store_open_claim(tidy->store, place, O_RDONLY);
        if (fd == -ENOENT)
                tidy_result(tidy, store_remove_key(tidy->store, place));
        else if (fd < 0 && fd != -EBADMSG) /* damage stays until the key ends */
                tidy_result(tidy, fd);
        if (fd >= 0)
                (void)close(fd);
        return 0;
}

static int same_id(void *context, const struct store_place *place) {
        return strcmp(context, place->id) == 0;
}

static int tidy_claim(void *context, int directory_fd, const char *name) {
        struct tidy *tidy = context;
        int r;

        (void)snprintf(tidy->place.id, sizeof(tidy->place.id), "%s", name);
        r = store_walk(tidy->store, tidy->place.user, NULL, same_id, tidy->place.id);
        if (r == 0)
                tidy_result(tidy, remove_file(directory_fd, name));
        return r < 0 ? r : 0;
}

static int tidy_claims_user(void *context, int directory_fd, const char *name) {
        struct tidy *tidy = context;
        int fd, r;

        (void)snprintf(tidy->place.user, sizeof(tidy->place.user), "%s", name);
        r = store_open_directory(directory_fd, name, tidy->store->owner, &fd);
        if (r < 0)
                return 0;
        r = store_each_name(fd, store_id_valid, tidy_claim, tidy);
        (void)close(fd);
        remove_directory(directory_fd, name);
        return r;
}

static int tidy_empty(void *context, int directory_fd, const char *name) {
        (void)context;
        remove_directory(directory_fd, name);
        return 0;
}

static int tidy_keys_user(void *context, int directory_fd, const char *name) {
        const struct tidy *tidy = context;
        int fd, r;

        r = store_open_directory(directory_fd, name, tidy->store->owner, &fd);
        if (r < 0)
                return 0;
        r = store_each_name(fd, store_user_name_valid, tidy_empty, NULL);
        (void)close(fd);
        remove_directory(directory_fd, name);
        return r;
}

int store_tidy(const struct store *store) {
        struct tidy tidy = {.store = store};
        int r;

        r = store_walk(store, NULL, NULL, tidy_key, &tidy);
        if (r < 0)
                return r;
        r = store_each_user(store->claims_fd, tidy_claims_user, &tidy);
        if (r < 0)
                return r;
        r = store_each_user(store->keys_fd, tidy_keys_user, &tidy);
        return r < 0 ? r : tidy.result;
}
