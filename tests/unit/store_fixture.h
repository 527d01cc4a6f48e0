/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the store share: a store on a tmpfs, with the agent's rights, and damage to it. */
#ifndef EXC_STORE_FIXTURE_H
#define EXC_STORE_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/store.h"
#include "common/store_internal.h"
#include "tests/unit/scratch.h"

#define ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))

static char root[64];
static struct store store = STORE_INIT;

static inline int mount_store(const char *options) {
        char why[256];

        scratch_mount_store(options, root);
        scratch_become(SCRATCH_AGENT);
        return store_open(root, STORE_AGENT, &store, why);
}

/* Each test runs with the agent's rights and a new store. */
static inline int set_up(void **state) {
        (void)state;
        return mount_store("mode=0755,size=1m");
}

static inline int tear_down(void **state) {
        (void)state;
        (void)umask(022);
        store_close(&store);
        scratch_become(0);
        scratch_unmount_store(root);
        return 0;
}

/* A path below the store; the last few asked for stay. */
__attribute__((format(printf, 1, 2))) static inline const char *below(const char *format, ...) {
        static char paths[4][1024];
        static unsigned next;
        char *path = paths[next++ % ELEMENTS(paths)];
        size_t n = (size_t)snprintf(path, sizeof(paths[0]), "%s/", root);
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(path + n, sizeof(paths[0]) - n, format, arguments);
        va_end(arguments);
        return path;
}

static const char *repeated(char c, size_t n) {
        static char texts[4][STORE_ID_MAX];
        static unsigned next;
        char *text = texts[next++ % ELEMENTS(texts)];

        memset(text, c, n);
        text[n] = '\0';
        return text;
}

#define FINGERPRINT(c) repeated(c, STORE_FINGERPRINT_NAME_MAX - 1)
#define ID(c) repeated(c, STORE_ID_MAX - 1)
#define KEY_PATH(user, fingerprint, id) below("keys/%s/%s/%s", user, FINGERPRINT(fingerprint), ID(id))
#define CLAIM_PATH(user, id) below("claims/%s/%s", user, ID(id))

static struct store_place place_of(const char *user, char fingerprint, char id) {
        struct store_place place;

        assert_true(store_user_name(user, place.user));
        scratch_fingerprint(fingerprint, place.fingerprint);
        scratch_id(id, place.id);
        return place;
}

/* One key for each character of `fingerprints`. */
static inline int publish_as(const struct grant *grant, char id, const char *fingerprints) {
        struct store_key keys[8];
        size_t n = strlen(fingerprints);

        for (size_t i = 0; i < n; i++)
                keys[i] = scratch_store_key(fingerprints[i]);
        return store_publish(&store, ID(id), grant, keys, n);
}

static inline int publish(const char *user, char id, const char *fingerprints) {
        struct grant grant = scratch_grant(user, 2, 0);

        return publish_as(&grant, id, fingerprints);
}

static inline bool exists(const char *path) {
        struct stat st;

        return lstat(path, &st) == 0;
}

static inline bool directory_empty(const char *path) {
        DIR *directory = opendir(path);
        unsigned n = 0;

        assert_non_null(directory);
        while (readdir(directory))
                n++;
        assert_int_equal(closedir(directory), 0);
        return n == 2;
}

static inline bool store_empty(void) {
        return directory_empty(below("keys")) && directory_empty(below("claims"));
}

/* Whether the grant counts: a key that can be read, and a claim file. */
static inline bool counts(const char *user, char fingerprint, char id) {
        struct store_place place = place_of(user, fingerprint, id);
        struct ssh_key expected = scratch_key((uint8_t)fingerprint);
        struct grant grant;
        int fd;

        if (store_read(&store, &place, &grant) < 0)
                return false;
        assert_string_equal(grant.user, user);
        assert_memory_equal(grant.key.blob, expected.blob, expected.blob_length);
        fd = store_open_claim(&store, &place, O_RDONLY);
        if (fd < 0)
                return false;
        assert_int_equal(claim_count(fd, grant.connections), 0);
        assert_int_equal(close(fd), 0);
        return true;
}

static inline unsigned open_descriptors(void) {
        DIR *directory = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_non_null(directory);
        while (readdir(directory))
                n++;
        assert_int_equal(closedir(directory), 0);
        return n;
}

/* Every kind of wrong file or directory. */
enum kind {
        KIND_SYMLINK,
        KIND_FIFO,
        KIND_DEVICE,
        KIND_SOCKET,
        KIND_OTHER_TYPE, /* a directory instead of a file, a file instead of a directory */
        KIND_HARD_LINK,  /* for a file */
        KIND_MODE_MORE,
        KIND_MODE_LESS,
        KIND_MODE_NONE,
        KIND_OWNER,
        KIND_MAX_,
};

static inline void put_wrong(const char *path, enum kind kind, bool directory, mode_t mode) {
        static unsigned n;
        char aside[128];

        scratch_become(0);
        (void)snprintf(aside, sizeof(aside), "%s/state/aside%u", root, n++);
        if (kind <= KIND_OTHER_TYPE)
                assert_int_equal(rename(path, aside), 0);
        switch (kind) {
        case KIND_SYMLINK:
                assert_int_equal(symlink(aside, path), 0);
                break;
        case KIND_FIFO:
                assert_int_equal(mknod(path, S_IFIFO | mode, 0), 0);
                break;
        case KIND_DEVICE:
                assert_int_equal(mknod(path, S_IFCHR | mode, makedev(1, 3)), 0);
                break;
        case KIND_SOCKET:
                assert_int_equal(mknod(path, S_IFSOCK | mode, 0), 0);
                break;
        case KIND_OTHER_TYPE:
                assert_int_equal(directory ? mknod(path, S_IFREG | mode, 0) : mkdir(path, mode), 0);
                break;
        case KIND_HARD_LINK:
                assert_int_equal(link(path, aside), 0);
                return;
        case KIND_MODE_MORE:
                assert_int_equal(chmod(path, mode | 0006), 0);
                return;
        case KIND_MODE_LESS:
                assert_int_equal(chmod(path, mode & (mode_t)~0040), 0);
                return;
        case KIND_MODE_NONE:
                assert_int_equal(chmod(path, 0), 0);
                return;
        case KIND_OWNER:
                assert_int_equal(chown(path, SCRATCH_OTHER, SCRATCH_AGENT), 0);
                assert_int_equal(chmod(path, mode), 0);
                return;
        case KIND_MAX_:
                break;
        }
        assert_int_equal(lchown(path, SCRATCH_AGENT, SCRATCH_HELPER), 0);
        if (kind != KIND_SYMLINK)
                assert_int_equal(chmod(path, mode), 0);
}

/* A new store with three grants of ada and one of bob, in which what is at `path` is made wrong. */
static inline void damage(const char *path, enum kind kind, bool directory, mode_t mode) {
        (void)tear_down(NULL);
        assert_int_equal(set_up(NULL), 0);
        assert_int_equal(publish("ada", '1', "A"), 0);
        assert_int_equal(publish("ada", '2', "A"), 0);
        assert_int_equal(publish("ada", '3', "B"), 0);
        assert_int_equal(publish("bob", '4', "A"), 0);
        put_wrong(below("%s", path), kind, directory, mode);
        scratch_become(SCRATCH_AGENT);
}

struct seen {
        unsigned n;
        char text[1024];
};

/* "user:" and the first characters of fingerprint and id of each key, in any order. */
static inline int see(void *context, const struct store_place *place) {
        struct seen *seen = context;
        size_t used = strlen(seen->text);

        assert_int_equal(strlen(place->fingerprint), STORE_FINGERPRINT_NAME_MAX - 1);
        assert_int_equal(strlen(place->id), STORE_ID_MAX - 1);
        seen->n++;
        (void)snprintf(seen->text + used, sizeof(seen->text) - used, " %s:%c%c", place->user, place->fingerprint[0],
                       place->id[0]);
        return 0;
}

static inline void assert_seen(const char *user, const char *fingerprint, unsigned n, ...) {
        struct seen seen = {0};
        va_list expected;

        assert_int_equal(store_walk(&store, user, fingerprint, see, &seen), 0);
        va_start(expected, n);
        for (unsigned i = 0; i < n; i++) {
                const char *one = va_arg(expected, const char *);

                if (!strstr(seen.text, one))
                        fail_msg("%s is not among%s", one, seen.text);
        }
        va_end(expected);
        if (seen.n != n)
                fail_msg("%u instead of %u:%s", seen.n, n, seen.text);
}

#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
