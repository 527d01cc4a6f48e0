/* SPDX-License-Identifier: Apache-2.0 */
/* Needs root, for another owner. Linked with --wrap=fallocate, --wrap=fstat, --wrap=pread and --wrap=pwrite. */
#include "agent/record_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { RECORD_SIZE = 64, N_SLOTS = 3, BIRTH_NS = 0x0102 };

static const struct record_file file = {
        .name = "records",
        .magic = {'T', 'E', 'S', 'T', 'F', 'I', 'L', '1'},
        .record_size = RECORD_SIZE,
};

static bool no_space, no_stat, no_read, no_write, short_write;

int __real_fallocate(int fd, int mode, off_t offset, off_t n);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t n);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t n) {
        errno = ENOSPC;
        return no_space ? -1 : __real_fallocate(fd, mode, offset, n);
}

int __real_fstat(int fd, struct stat *ret);
int __wrap_fstat(int fd, struct stat *ret);
int __wrap_fstat(int fd, struct stat *ret) {
        errno = EIO;
        return no_stat ? -1 : __real_fstat(fd, ret);
}

ssize_t __real_pread(int fd, void *buffer, size_t n, off_t offset);
ssize_t __wrap_pread(int fd, void *buffer, size_t n, off_t offset);
ssize_t __wrap_pread(int fd, void *buffer, size_t n, off_t offset) {
        errno = EIO;
        return no_read ? -1 : __real_pread(fd, buffer, n, offset);
}

ssize_t __real_pwrite(int fd, const void *buffer, size_t n, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *buffer, size_t n, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *buffer, size_t n, off_t offset) {
        errno = EIO;
        return no_write ? -1 : short_write ? (ssize_t)n - 1 : __real_pwrite(fd, buffer, n, offset);
}

static char dir[64];
static int state_fd;

static int set_up(void **state) {
        (void)state;
        no_space = no_stat = no_read = no_write = short_write = false;
        strcpy(dir, "/tmp/record_file_test.XXXXXX");
        if (!mkdtemp(dir))
                return -1;
        state_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return state_fd < 0 ? -1 : 0;
}

static int tear_down(void **state) {
        char command[128];

        (void)state;
        (void)close(state_fd);
        (void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
        return system(command);
}

static void make(void) {
        int fd = record_file_make(state_fd, &file, BIRTH_NS, N_SLOTS);

        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
}

static int open_it(void) {
        uint64_t birth_ns = 0;
        off_t size = 0;
        int fd = record_file_open(state_fd, &file, &birth_ns, &size);

        if (fd >= 0) {
                assert_int_equal(birth_ns, BIRTH_NS);
                assert_int_equal(size, (N_SLOTS + 1) * RECORD_SIZE);
        }
        return fd;
}

static void new_file_has_header_and_zeros(void **state) {
        static const uint8_t header[16] = {'T', 'E', 'S', 'T', 'F', 'I', 'L', '1', 0, 0, 0, 0, 0, 0, 1, 2};
        uint8_t raw[(N_SLOTS + 1) * RECORD_SIZE + 1], zeros[RECORD_SIZE * (N_SLOTS + 1)] = {0};
        struct stat st;
        int fd;

        (void)state;
        make();
        fd = open_it();
        assert_true(fd >= 0);
        assert_int_equal(pread(fd, raw, sizeof(raw), 0), sizeof(raw) - 1);
        assert_memory_equal(raw, header, sizeof(header));
        assert_memory_equal(raw + sizeof(header), zeros, sizeof(raw) - 1 - sizeof(header));
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_mode, S_IFREG | 0600);
        assert_int_equal(close(fd), 0);
}

static void record_is_written_into_its_slot(void **state) {
        uint8_t raw[RECORD_SIZE], read_back[RECORD_SIZE];
        int fd;

        (void)state;
        make();
        fd = open_it();
        memset(raw, 0xab, sizeof(raw));
        assert_int_equal(record_file_write(fd, &file, 2, raw), 0);
        assert_int_equal(record_file_offset(&file, 2), 3 * RECORD_SIZE);
        assert_int_equal(pread(fd, read_back, sizeof(read_back), 3 * RECORD_SIZE), sizeof(read_back));
        assert_memory_equal(read_back, raw, sizeof(raw));
        assert_int_equal(pread(fd, read_back, 1, 3 * RECORD_SIZE - 1), 1);
        assert_int_equal(read_back[0], 0);
        short_write = true;
        assert_int_equal(record_file_write(fd, &file, 0, raw), -ENOSPC);
        no_write = true;
        assert_int_equal(record_file_write(fd, &file, 0, raw), -EIO);
        assert_int_equal(close(fd), 0);
}

static void missing_file_and_other_version_are_enoent(void **state) {
        int fd;

        (void)state;
        assert_int_equal(open_it(), -ENOENT);
        make();
        fd = openat(state_fd, "records", O_RDWR | O_CLOEXEC);
        assert_int_equal(pwrite(fd, "2", 1, 7), 1);
        assert_int_equal(open_it(), -ENOENT);
        assert_int_equal(pwrite(fd, "1", 1, 7), 1);
        assert_int_equal(ftruncate(fd, 15), 0);
        assert_int_equal(open_it(), -ENOENT);
        assert_int_equal(close(fd), 0);
}

static void foreign_file_is_refused(void **state) {
        (void)state;
        make();
        assert_int_equal(linkat(state_fd, "records", state_fd, "other", 0), 0);
        assert_int_equal(open_it(), -EBADMSG);
        assert_int_equal(unlinkat(state_fd, "other", 0), 0);
        assert_int_equal(fchownat(state_fd, "records", 12345, 0, 0), 0);
        assert_int_equal(open_it(), -EBADMSG);
        assert_int_equal(unlinkat(state_fd, "records", 0), 0);
        assert_int_equal(symlinkat("other", state_fd, "records"), 0);
        assert_int_equal(open_it(), -ELOOP);
        assert_int_equal(unlinkat(state_fd, "records", 0), 0);
        assert_int_equal(mkfifoat(state_fd, "records", 0600), 0);
        assert_int_equal(open_it(), -EBADMSG);
}

static void failed_read_is_error(void **state) {
        (void)state;
        make();
        no_stat = true;
        assert_int_equal(open_it(), -EIO);
        no_stat = false;
        no_read = true;
        assert_int_equal(open_it(), -EIO);
}

static void file_is_made_whole_or_not_at_all(void **state) {
        bool *const failures[] = {&no_write, &short_write, &no_space};
        static const int errors[] = {-EIO, -ENOSPC, -ENOSPC};
        int r;

        (void)state;
        for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
                *failures[i] = true;
                assert_int_equal(record_file_make(state_fd, &file, BIRTH_NS, N_SLOTS), errors[i]);
                *failures[i] = false;
                assert_int_equal(open_it(), -ENOENT);
        }
        assert_int_equal(mkdirat(state_fd, "records", 0700), 0);
        assert_int_equal(record_file_make(state_fd, &file, BIRTH_NS, N_SLOTS), -EISDIR);
        assert_int_equal(unlinkat(state_fd, "records", AT_REMOVEDIR), 0);
        assert_int_equal(rmdir(dir), 0);
        /* A removed directory: which error it is depends on the kernel's file system. */
        r = record_file_make(state_fd, &file, BIRTH_NS, N_SLOTS);
        assert_true(r == -ENOENT || r == -EPERM);
}

static void new_file_replaces_old_one(void **state) {
        int fd;

        (void)state;
        fd = openat(state_fd, "records", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        assert_int_equal(write(fd, "something else", 14), 14);
        assert_int_equal(close(fd), 0);
        make();
        fd = open_it();
        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(new_file_has_header_and_zeros),
                TEST(record_is_written_into_its_slot),
                TEST(missing_file_and_other_version_are_enoent),
                TEST(foreign_file_is_refused),
                TEST(failed_read_is_error),
                TEST(file_is_made_whole_or_not_at_all),
                TEST(new_file_replaces_old_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
