/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock (landlock(7), Linux 5.13): which files a process may still open, make and remove. Versions 1 to 7 of its ABI are
 * used by best effort: what a kernel does not know is left out. It needs the C library alone.
 *
 *      struct landlock landlock;
 *
 *      if (landlock_begin(LANDLOCK_LIMIT_ALL, &landlock) >= 0) {
 *              landlock_allow(&landlock, AT_FDCWD, "/etc", 0, LANDLOCK_READ);
 *              r = landlock_enforce(&landlock);
 *      }
 *
 * Descriptors that are open keep their rights. A rule is for what is at a path when it is made: a directory's holds for
 * files that are replaced in it, a file's does not. Neither stat(2) nor connect(2) to a unix socket's path is limited.
 */
#ifndef EXC_LANDLOCK_H
#define EXC_LANDLOCK_H

#include <linux/landlock.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bit 14, since version 3: linux/landlock.h of Debian 12 ends with version 2. */
#define LANDLOCK_TRUNCATE (UINT64_C(1) << 14)

/* Rights below a directory. */
#define LANDLOCK_READ ((uint64_t)(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR))
/* Files and directories, and their names within one directory; with version 1, none can move to another directory. */
#define LANDLOCK_MANAGE                                                                                                \
        (LANDLOCK_READ | LANDLOCK_TRUNCATE |                                                                           \
         (uint64_t)(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |        \
                    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER))

/* What a process may not do besides, whatever its rules are. */
enum {
        LANDLOCK_LIMIT_TCP = 1,     /* bind and connect TCP sockets; since version 4 */
        LANDLOCK_LIMIT_SOCKETS = 2, /* connect to abstract unix sockets of others; since version 6 */
        LANDLOCK_LIMIT_SIGNALS = 4, /* signal others; since version 6 */
        LANDLOCK_LIMIT_ALL = 7,
};

struct landlock {
        int fd;
        int error;       /* the first one of a rule */
        uint64_t rights; /* that this kernel knows */
        bool tcp;        /* it knows those of TCP, and they are limited */
};

struct landlock_rule {
        const char *path;
        uint64_t rights;
};

/*
 * Begins a ruleset that allows nothing. Negative errno: -ENOSYS or -EOPNOTSUPP where the kernel has no Landlock. After
 * success landlock_enforce() must follow.
 */
int landlock_begin(unsigned limits, struct landlock *ret);

/*
 * Allows `rights` to what is below `path`, which is relative to `dir_fd` as for openat(2). `flags`, of open(2): O_NOFOLLOW,
 * O_DIRECTORY. Of a file, only rights of files can be given. What is missing, or may not be searched, adds no right; other
 * errors are landlock_enforce()'s.
 */
void landlock_allow(struct landlock *landlock, int dir_fd, const char *path, int flags, uint64_t rights);

/* The same for `n` absolute paths; links are followed. */
void landlock_allow_all(struct landlock *landlock, const struct landlock_rule *rules, size_t n);

/*
 * Allows to connect TCP sockets to `port` of any address, where LANDLOCK_LIMIT_TCP is in effect. Before version 4 of the ABI it
 * changes nothing.
 */
void landlock_allow_connect(struct landlock *landlock, uint16_t port);

/*
 * Confines this thread, and those that it starts, for good; ends `landlock`. no_new_privs must be set. Negative errno: it is
 * not confined.
 */
int landlock_enforce(struct landlock *landlock);

#endif
