/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/audit_lost.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bytes.h"

#define FILE_NAME "lost"
#define NEW_FILE_NAME "lost.new"

enum { FILE_SIZE = 16, FILE_MODE = 0600 };

void audit_lost_add(struct audit_lost *lost, uint64_t n, int64_t since_us) {
        if (n == 0)
                return;
        if (lost->n == 0 || since_us < lost->since_us)
                lost->since_us = since_us;
        if (__builtin_add_overflow(lost->n, n, &lost->n))
                lost->n = UINT64_MAX;
}

static int decode(int fd, struct audit_lost *ret) {
        uint8_t raw[FILE_SIZE + 1];
        struct audit_lost lost;
        struct bytes from;
        struct stat st;
        uint64_t since;
        ssize_t n;

        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != geteuid() ||
            (st.st_mode & 07777) != FILE_MODE)
                return -EBADMSG;
        n = read(fd, raw, sizeof(raw));
        if (n < 0)
                return -errno;
        from = (struct bytes){raw, (size_t)n};
        if (n != FILE_SIZE || !bytes_u64(&from, &lost.n) || !bytes_u64(&from, &since) || lost.n == 0 ||
            since > INT64_MAX)
                return -EBADMSG;
        lost.since_us = (int64_t)since;
        *ret = lost;
        return 0;
}

int audit_lost_read(int state_fd, struct audit_lost *ret) {
        int fd, r;

        fd = openat(state_fd, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? -ENOENT : -EBADMSG;
        r = decode(fd, ret);
        (void)close(fd);
        return r;
}

int audit_lost_write(int state_fd, const struct audit_lost *lost) {
        uint8_t raw[FILE_SIZE];
        struct writer to = {.data = raw, .size = sizeof(raw)};
        int fd, r = 0;
        ssize_t n;

        writer_u64(&to, lost->n);
        writer_u64(&to, (uint64_t)lost->since_us);
        /* Left by an agent that was killed here. */
        (void)unlinkat(state_fd, NEW_FILE_NAME, 0);
        fd = openat(state_fd, NEW_FILE_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
        if (fd < 0)
                return -errno;
        n = write(fd, raw, sizeof(raw));
        if (n < 0)
                r = -errno;
        else if (n != (ssize_t)sizeof(raw))
                r = -ENOSPC;
        (void)close(fd);
        if (r >= 0 && renameat(state_fd, NEW_FILE_NAME, state_fd, FILE_NAME) < 0)
                r = -errno;
        if (r < 0)
                (void)unlinkat(state_fd, NEW_FILE_NAME, 0);
        return r;
}

void audit_lost_remove(int state_fd) {
        (void)unlinkat(state_fd, FILE_NAME, 0);
}
