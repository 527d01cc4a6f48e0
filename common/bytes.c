/* SPDX-License-Identifier: Apache-2.0 */
#include "common/bytes.h"

#include <string.h>

bool bytes_take(struct bytes *from, void *dst, size_t n) {
        struct bytes part;

        if (!bytes_slice(from, n, &part))
                return false;
        if (n > 0)
                memcpy(dst, part.at, n);
        return true;
}

/* The only pointer arithmetic on bytes that a peer sent: all other functions here call this one. */
bool bytes_slice(struct bytes *from, size_t n, struct bytes *ret) {
        if (n > from->left)
                return false;
        *ret = (struct bytes){from->at, n};
        if (n > 0)
                from->at += n;
        from->left -= n;
        return true;
}

bool bytes_u8(struct bytes *from, uint8_t *ret) {
        return bytes_take(from, ret, 1);
}

bool bytes_u32(struct bytes *from, uint32_t *ret) {
        uint8_t raw[4];

        if (!bytes_take(from, raw, sizeof(raw)))
                return false;
        *ret = (uint32_t)raw[0] << 24 | (uint32_t)raw[1] << 16 | (uint32_t)raw[2] << 8 | raw[3];
        return true;
}

bool bytes_u64(struct bytes *from, uint64_t *ret) {
        struct bytes ahead = *from;
        uint32_t high, low;

        if (!bytes_u32(&ahead, &high) || !bytes_u32(&ahead, &low))
                return false;
        *from = ahead;
        *ret = (uint64_t)high << 32 | low;
        return true;
}

bool bytes_string(struct bytes *from, struct bytes *ret) {
        struct bytes ahead = *from;
        uint32_t length;

        if (!bytes_u32(&ahead, &length) || !bytes_slice(&ahead, length, ret))
                return false;
        *from = ahead;
        return true;
}

bool bytes_equal(struct bytes a, const void *b, size_t n) {
        return a.left == n && (n == 0 || memcmp(a.at, b, n) == 0);
}

bool bytes_to_text(struct bytes from, char *dst, size_t size) {
        if (from.left >= size || (from.left > 0 && memchr(from.at, '\0', from.left)))
                return false;
        if (from.left > 0)
                memcpy(dst, from.at, from.left);
        dst[from.left] = '\0';
        return true;
}

void writer_put(struct writer *to, const void *src, size_t n) {
        if (to->full || n > to->size - to->used) {
                to->full = true;
                return;
        }
        if (n > 0)
                memcpy(to->data + to->used, src, n);
        to->used += n;
}

void writer_u8(struct writer *to, uint8_t value) {
        writer_put(to, &value, 1);
}

void writer_u32(struct writer *to, uint32_t value) {
        uint8_t raw[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};

        writer_put(to, raw, sizeof(raw));
}

void writer_u64(struct writer *to, uint64_t value) {
        writer_u32(to, (uint32_t)(value >> 32));
        writer_u32(to, (uint32_t)value);
}

void writer_string(struct writer *to, const void *src, size_t n) {
        if (n > UINT32_MAX) {
                to->full = true;
                return;
        }
        writer_u32(to, (uint32_t)n);
        writer_put(to, src, n);
}

void writer_text(struct writer *to, const char *text) {
        writer_string(to, text, strlen(text));
}
