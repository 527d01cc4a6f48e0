/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of fixed-size records in the store's state directory: the memories of pushes and of revocations.
 *
 * A header of the size of a record has 8 bytes that name the format and its version, and the birth: CLOCK_BOOTTIME in
 * nanoseconds, big-endian, when the memory of pushes was made. Then come the records. Space for them is allocated in
 * advance, as zeros, so that no write into a slot fails for lack of it.
 */
#ifndef EXC_RECORD_FILE_H
#define EXC_RECORD_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct record_file {
        const char *name;
        char magic[8];
        size_t record_size; /* bytes; divides a page, so that no record spans two and a kill leaves it whole */
};

/* The offset of a slot, and so the size of a file with that many. */
off_t record_file_offset(const struct record_file *file, uint32_t slot);

/*
 * Opens a file for reading and writing; returns the descriptor. -ENOENT: it is missing, or of another version.
 * -EBADMSG: it is not a regular file with one link that belongs to this user. Other negative errno. Whether the size is
 * right is for the caller to check.
 */
int record_file_open(int state_fd, const struct record_file *file, uint64_t *ret_birth_ns, off_t *ret_size);

/*
 * Replaces the file by one with `n_slots` of zeros; returns the descriptor. It appears with its header and all of its
 * space, or not at all. Negative errno.
 */
int record_file_make(int state_fd, const struct record_file *file, uint64_t birth_ns, uint32_t n_slots);

/* Writes `record_size` bytes into a slot. Negative errno. */
int record_file_write(int fd, const struct record_file *file, uint32_t slot, const uint8_t *raw);

#endif
