/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What several tests share: keys and grants to store, a store on a tmpfs in a private mount namespace, and the rights of
 * another user. Users are numbers, so that none has to exist. The tests run as root.
 */
#ifndef EXC_SCRATCH_H
#define EXC_SCRATCH_H

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/store.h"

enum {
        SCRATCH_AGENT = 60001,
        SCRATCH_HELPER = 60002,
        SCRATCH_OTHER = 60003,
};

/*
 * Changes to the rights of a user, without any other group, and back. The kernel checks the effective ids for files, and a
 * process with another effective id than root's has no capability, while asserts and coverage counters still work.
 */
static inline void scratch_become(uid_t id) {
        if (seteuid(0) < 0 || setgroups(0, NULL) < 0 || setegid((gid_t)id) < 0 || seteuid(id) < 0)
                abort();
        /* Changed ids make a process undumpable, and the leak sanitizer cannot examine it then. */
        (void)prctl(PR_SET_DUMPABLE, 1);
}

/* Flushed before, so that no output is written twice. */
static inline pid_t scratch_fork(void) {
        (void)fflush(NULL);
        return fork();
}

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define SCRATCH_SANITIZED
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SCRATCH_SANITIZED
#endif

/* Ends a child, and writes its coverage. The leak sanitizer cannot examine a child with namespaces of its own. */
_Noreturn static inline void scratch_exit(int status) {
#ifdef SCRATCH_SANITIZED
        _exit(status);
#else
        exit(status);
#endif
}

static inline void scratch_mount_namespace(void) {
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
                perror("these tests run as root: unshare");
                abort();
        }
}

static inline void scratch_make_directory(const char *root, const char *name, uid_t owner, gid_t group, mode_t mode) {
        char path[512];

        (void)snprintf(path, sizeof(path), "%s/%s", root, name);
        if (mkdir(path, 0700) < 0 || chown(path, owner, group) < 0 || chmod(path, mode) < 0)
                abort();
}

/* Mounts a tmpfs with `options` at a new directory, whose path is written to `ret`, and makes the store's directories. */
static inline void scratch_mount_store(const char *options, char ret[static 64]) {
        (void)snprintf(ret, 64, "/tmp/exc-store-XXXXXX");
        if (!mkdtemp(ret) || mount("tmpfs", ret, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0)
                abort();
        scratch_make_directory(ret, "keys", SCRATCH_AGENT, SCRATCH_HELPER, 02750);
        scratch_make_directory(ret, "claims", SCRATCH_AGENT, SCRATCH_HELPER, 02750);
        scratch_make_directory(ret, "state", SCRATCH_AGENT, SCRATCH_AGENT, 0700);
}

static inline void scratch_unmount_store(const char *root) {
        if (umount2(root, MNT_DETACH) < 0 || rmdir(root) < 0)
                abort();
}

/* An Ed25519 key of 32 times the same byte. */
static inline struct ssh_key scratch_key(uint8_t fill) {
        uint8_t blob[51] = "\0\0\0\013ssh-ed25519\0\0\0\040";
        struct ssh_key key;

        memset(blob + 19, fill, 32);
        if (ssh_key_from_blob(blob, sizeof(blob), &key) != SSH_KEY_OK)
                abort();
        return key;
}

/* A fingerprint's file name, and the identity of a push, made of one character. */
static inline void scratch_fingerprint(char c, char ret[static STORE_FINGERPRINT_NAME_MAX]) {
        memset(ret, c, STORE_FINGERPRINT_NAME_MAX - 1);
        ret[STORE_FINGERPRINT_NAME_MAX - 1] = '\0';
}

static inline void scratch_id(char c, char ret[static STORE_ID_MAX]) {
        memset(ret, c, STORE_ID_MAX - 1);
        ret[STORE_ID_MAX - 1] = '\0';
}

static inline struct store_key scratch_store_key(char c) {
        struct store_key key;

        scratch_fingerprint(c, key.fingerprint);
        key.key = scratch_key((uint8_t)c);
        return key;
}

/* A grant of `user` that was received `age_s` seconds ago and lives a minute from now. */
static inline struct grant scratch_grant(const char *user, uint8_t connections, int64_t age_s) {
        struct instant now = instant_now();
        struct grant grant = {
                .life = {{now.boot_ns - age_s * NS_PER_S, now.wall_ns - age_s * NS_PER_S},
                         now.boot_ns + 60 * NS_PER_S,
                         INT64_MAX,
                         true},
                .connections = connections,
        };

        (void)snprintf(grant.user, sizeof(grant.user), "%s", user);
        return grant;
}

#endif
