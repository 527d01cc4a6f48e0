/* SPDX-License-Identifier: Apache-2.0 */
#include "authkeys-helper/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ERRNO_MAX = 4095 }; /* the kernel's MAX_ERRNO */

/*
 * The 22nd field. The second one is the program's name in parentheses, and the name may hold blanks and parentheses, so
 * counting starts behind the last parenthesis.
 */
static bool start_ticks(const char *stat, uint64_t *ret) {
        const char *at = strrchr(stat, ')');

        for (int field = 2; at && field < 22; field++) {
                at = strchr(at, ' ');
                if (at)
                        at++;
        }
        return at && sscanf(at, "%" SCNu64, ret) == 1;
}

static int identify(struct connection_id *ret) {
        char path[64], stat[1024];
        pid_t parent = getppid();
        ssize_t n;
        int fd;

        /* init has adopted this process, or the parent is outside of this pid namespace. */
        if (parent <= 1)
                return -ESRCH;
        (void)snprintf(path, sizeof(path), "/proc/%d/stat", parent);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
                if (errno == ENOENT && getppid() != parent)
                        return -ESRCH;
                return errno == ENOENT || errno == EPERM ? -EACCES : -errno;
        }
        n = read(fd, stat, sizeof(stat) - 1);
        (void)close(fd);
        if (n <= 0)
                return -ESRCH;
        stat[n] = '\0';
        ret->pid = (uint64_t)parent;
        if (!start_ticks(stat, &ret->start_ticks))
                return -EBADMSG;
        /* Otherwise the file may be that of another process with the same pid. */
        return getppid() == parent ? 0 : -ESRCH;
}

void caller_identify(struct caller *ret) {
        *ret = (struct caller){0};
        ret->result = identify(&ret->id);
}

void caller_to_text(const struct caller *caller, char ret[static CALLER_TEXT_MAX]) {
        if (caller->result < 0)
                (void)snprintf(ret, CALLER_TEXT_MAX, "errno:%d", -caller->result);
        else
                (void)snprintf(ret, CALLER_TEXT_MAX, "%" PRIu64 ":%" PRIu64, caller->id.pid, caller->id.start_ticks);
}

/* Decimal digits up to `end`: strtoull() would accept a sign and blanks. */
static bool take_number(const char **at, char end, uint64_t *ret) {
        const char *start = *at;

        for (*ret = 0; **at >= '0' && **at <= '9'; (*at)++)
                if (__builtin_mul_overflow(*ret, UINT64_C(10), ret) ||
                    __builtin_add_overflow(*ret, (uint64_t)(**at - '0'), ret))
                        return false;
        return *at > start && **at == end;
}

bool caller_from_text(const char *text, struct caller *ret) {
        static const char error[] = "errno:";
        struct caller caller = {0};
        uint64_t number;

        if (strncmp(text, error, sizeof(error) - 1) == 0) {
                text += sizeof(error) - 1;
                if (!take_number(&text, '\0', &number) || number == 0 || number > ERRNO_MAX)
                        return false;
                caller.result = -(int)number;
        } else {
                if (!take_number(&text, ':', &caller.id.pid) || caller.id.pid <= 1)
                        return false;
                text++;
                if (!take_number(&text, '\0', &caller.id.start_ticks))
                        return false;
        }
        *ret = caller;
        return true;
}

int identity_become(const char *name) {
        const struct passwd *entry;

        errno = 0;
        entry = getpwnam(name);
        if (!entry)
                return errno > 0 && errno != ESRCH ? -errno : -ENOENT;
        if (geteuid() != 0)
                return entry->pw_uid == geteuid() ? 0 : -EPERM;
        if (initgroups(entry->pw_name, entry->pw_gid) < 0 ||
            setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) < 0 ||
            setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) < 0)
                return -errno;
        if (setenv("USER", entry->pw_name, 1) < 0 || setenv("LOGNAME", entry->pw_name, 1) < 0 ||
            setenv("HOME", entry->pw_dir, 1) < 0)
                return -errno;
        return 0;
}

int identity_sibling(const char *argv0, const char *name, char ret[static PATH_MAX]) {
        char *slash;

        if (!strchr(argv0, '/'))
                argv0 = HELPER_PROGRAM;
        if (!realpath(argv0, ret))
                return -errno;
        slash = strrchr(ret, '/');
        if ((size_t)(slash + 1 - ret) + strlen(name) >= PATH_MAX)
                return -ENAMETOOLONG;
        memcpy(slash + 1, name, strlen(name) + 1);
        return 0;
}
