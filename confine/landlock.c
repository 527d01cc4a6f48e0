/* SPDX-License-Identifier: Apache-2.0 */
#include "confine/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/landlock.h of Debian 12 ends with version 2; the later parts of the structure, and their bits, are of the ABI. */
struct ruleset {
        uint64_t handled_access_fs;
        uint64_t handled_access_net; /* since version 4: bits 0 and 1, TCP's bind and connect */
        uint64_t scoped;             /* since version 6: bit 0, abstract unix sockets, and bit 1, signals */
};

/* The rights of files that a version of the ABI knows: 13 in the first, one more in versions 2, 3 and 5. */
static uint64_t rights_of(long version) {
        int n = 13 + (version >= 2) + (version >= 3) + (version >= 5);

        return (UINT64_C(1) << n) - 1;
}

static size_t size_of(long version) {
        return version >= 6   ? sizeof(struct ruleset)
               : version >= 4 ? offsetof(struct ruleset, scoped)
                              : offsetof(struct ruleset, handled_access_net);
}

int landlock_begin(unsigned limits, struct landlock *ret) {
        long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
        struct ruleset ruleset = {
                .handled_access_fs = rights_of(version),
                .handled_access_net = (limits & LANDLOCK_LIMIT_TCP) != 0 ? 3 : 0,
                .scoped = (uint64_t)((limits & LANDLOCK_LIMIT_SOCKETS) != 0) |
                          (uint64_t)((limits & LANDLOCK_LIMIT_SIGNALS) != 0) << 1,
        };
        int fd;

        if (version < 1)
                return version < 0 ? -errno : -EOPNOTSUPP;
        fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, size_of(version), 0);
        if (fd < 0)
                return -errno;
        *ret = (struct landlock){
                .fd = fd,
                .rights = ruleset.handled_access_fs,
                .tcp = version >= 4 && ruleset.handled_access_net != 0,
        };
        return 0;
}

static bool is_missing(int error) {
        return error == ENOENT || error == EACCES || error == ENOTDIR || error == ELOOP;
}

void landlock_allow(struct landlock *landlock, int dir_fd, const char *path, int flags, uint64_t rights) {
        struct landlock_path_beneath_attr rule = {.allowed_access = rights & landlock->rights};
        int fd = openat(dir_fd, path, O_PATH | O_CLOEXEC | flags), error = 0;

        rule.parent_fd = fd;
        if (fd < 0)
                error = is_missing(errno) ? 0 : -errno;
        else if (syscall(SYS_landlock_add_rule, landlock->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
                error = -errno;
        if (landlock->error == 0)
                landlock->error = error;
        if (fd >= 0)
                (void)close(fd);
}

/* struct landlock_net_port_attr and LANDLOCK_RULE_NET_PORT, which linux/landlock.h of Debian 12 does not have. */
struct net_port {
        uint64_t allowed_access; /* bit 1: connect */
        uint64_t port;
};

void landlock_allow_connect(struct landlock *landlock, uint16_t port) {
        enum { RULE_NET_PORT = 2, ACCESS_NET_CONNECT_TCP = 2 };
        struct net_port rule = {.allowed_access = ACCESS_NET_CONNECT_TCP, .port = port};

        if (landlock->tcp && syscall(SYS_landlock_add_rule, landlock->fd, RULE_NET_PORT, &rule, 0) < 0 &&
            landlock->error == 0)
                landlock->error = -errno;
}

void landlock_allow_all(struct landlock *landlock, const struct landlock_rule *rules, size_t n) {
        for (size_t i = 0; i < n; i++)
                landlock_allow(landlock, AT_FDCWD, rules[i].path, 0, rules[i].rights);
}

int landlock_enforce(struct landlock *landlock) {
        int r = landlock->error;

        if (r == 0 && syscall(SYS_landlock_restrict_self, landlock->fd, 0) < 0)
                r = -errno;
        (void)close(landlock->fd);
        return r;
}
