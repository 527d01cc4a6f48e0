/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/record_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bytes.h"

enum { HEADER_SIZE = 16 }; /* bytes that are used */

off_t record_file_offset(const struct record_file *file, uint32_t slot) {
        return ((off_t)slot + 1) * (off_t)file->record_size;
}

static int write_at(int fd, off_t offset, const uint8_t *raw, size_t n) {
        ssize_t written = pwrite(fd, raw, n, offset);

        if (written < 0)
                return -errno;
        return (size_t)written == n ? 0 : -ENOSPC;
}

int record_file_write(int fd, const struct record_file *file, uint32_t slot, const uint8_t *raw) {
        return write_at(fd, record_file_offset(file, slot), raw, file->record_size);
}

static int read_header(int fd, const struct record_file *file, uint64_t *ret_birth_ns, off_t *ret_size) {
        uint8_t raw[HEADER_SIZE];
        struct bytes from = {raw, sizeof(raw)}, magic;
        struct stat st;
        ssize_t n;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != geteuid())
                return -EBADMSG;
        n = pread(fd, raw, sizeof(raw), 0);
        if (n < 0)
                return -errno;
        if (n != (ssize_t)sizeof(raw) || !bytes_slice(&from, sizeof(file->magic), &magic) ||
            !bytes_equal(magic, file->magic, sizeof(file->magic)) || !bytes_u64(&from, ret_birth_ns))
                return -ENOENT;
        *ret_size = st.st_size;
        return 0;
}

int record_file_open(int state_fd, const struct record_file *file, uint64_t *ret_birth_ns, off_t *ret_size) {
        int fd, r;

        fd = openat(state_fd, file->name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = read_header(fd, file, ret_birth_ns, ret_size);
        if (r < 0) {
                (void)close(fd);
                return r;
        }
        return fd;
}

static int fill(int fd, int state_fd, const struct record_file *file, uint64_t birth_ns, uint32_t n_slots) {
        uint8_t raw[HEADER_SIZE];
        struct writer to = {.data = raw, .size = sizeof(raw)};
        char path[64];
        int r;

        writer_put(&to, file->magic, sizeof(file->magic));
        writer_u64(&to, birth_ns);
        r = write_at(fd, 0, raw, sizeof(raw));
        if (r < 0)
                return r;
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (fallocate(fd, 0, 0, record_file_offset(file, n_slots)) < 0 ||
            linkat(AT_FDCWD, path, state_fd, file->name, AT_SYMLINK_FOLLOW) < 0)
                return -errno;
        return 0;
}

int record_file_make(int state_fd, const struct record_file *file, uint64_t birth_ns, uint32_t n_slots) {
        int fd, r;

        if (unlinkat(state_fd, file->name, 0) < 0 && errno != ENOENT)
                return -errno;
        fd = openat(state_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;
        r = fill(fd, state_fd, file, birth_ns, n_slots);
        if (r < 0) {
                (void)close(fd);
                return r;
        }
        return fd;
}
