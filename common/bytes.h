/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cursor that parses all untrusted bytes in this project, and the writer that encodes trusted ones.
 *
 * A cursor never runs past its end: each function returns false when fewer bytes are left than it needs, and then
 * leaves the cursor and the result unchanged. Integers are big-endian, and a string is a 32-bit length followed by that
 * many bytes (RFC 4251 section 5).
 */
#ifndef EXC_BYTES_H
#define EXC_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
        const uint8_t *at;
        size_t left;
};

bool bytes_take(struct bytes *from, void *dst, size_t n);
bool bytes_slice(struct bytes *from, size_t n, struct bytes *ret);
bool bytes_u8(struct bytes *from, uint8_t *ret);
bool bytes_u32(struct bytes *from, uint32_t *ret);
bool bytes_u64(struct bytes *from, uint64_t *ret);
bool bytes_string(struct bytes *from, struct bytes *ret);

bool bytes_equal(struct bytes a, const void *b, size_t n);

/* Copies `from` as a C string into `dst` of `size` bytes. False when it does not fit, or holds a NUL. */
bool bytes_to_text(struct bytes from, char *dst, size_t size);

/*
 * Appends to memory of a fixed size. Bytes that do not fit set `full`, and nothing is written after that: check it
 * once, at the end, and discard the content if it is set.
 */
struct writer {
        uint8_t *data;
        size_t size;
        size_t used;
        bool full;
};

void writer_put(struct writer *to, const void *src, size_t n);
void writer_u8(struct writer *to, uint8_t value);
void writer_u32(struct writer *to, uint32_t value);
void writer_u64(struct writer *to, uint64_t value);
void writer_string(struct writer *to, const void *src, size_t n);
void writer_text(struct writer *to, const char *text);

#endif
