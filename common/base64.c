/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* `last`: the two characters in which the alphabets differ. */
static int sextet(char c, const char last[static 2]) {
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        if (c == last[0])
                return 62;
        if (c == last[1])
                return 63;
        return -1;
}

static bool decode(const char *text, size_t n, const char last[static 2], uint8_t *dst, size_t size,
                   size_t *ret_length) {
        size_t padding = 0, length, used = 0;

        if (n % 4 != 0)
                return false;
        if (n > 0 && text[n - 1] == '=')
                padding = text[n - 2] == '=' ? 2 : 1;
        length = n / 4 * 3 - padding;
        if (length > size)
                return false;

        for (size_t i = 0; i < n; i += 4) {
                uint32_t group = 0;

                for (size_t j = i; j < i + 4; j++) {
                        int value = j < n - padding ? sextet(text[j], last) : 0;

                        if (value < 0)
                                return false;
                        group = group << 6 | (uint32_t)value;
                }
                for (int shift = 16; shift >= 0; shift -= 8) {
                        uint8_t byte = (uint8_t)(group >> shift);

                        if (used < length)
                                dst[used++] = byte;
                        else if (byte != 0) /* unused bits: otherwise the same bytes had a second text */
                                return false;
                }
        }
        *ret_length = length;
        return true;
}

bool base64_decode(const char *text, size_t n, uint8_t *dst, size_t size, size_t *ret_length) {
        return decode(text, n, "+/", dst, size, ret_length);
}

bool base64_decode_either(const char *text, size_t n, uint8_t *dst, size_t size, size_t *ret_length) {
        bool url_safe = memchr(text, '-', n) || memchr(text, '_', n);

        return decode(text, n, url_safe ? "-_" : "+/", dst, size, ret_length);
}

void base64_encode(const uint8_t *src, size_t n, char *dst) {
        for (size_t i = 0; i < n; i += 3) {
                size_t have = n - i < 3 ? n - i : 3;
                uint32_t group = 0;

                for (size_t j = 0; j < 3; j++)
                        group = group << 8 | (j < have ? src[i + j] : 0);
                *dst++ = alphabet[group >> 18];
                *dst++ = alphabet[group >> 12 & 63];
                *dst++ = have > 1 ? alphabet[group >> 6 & 63] : '=';
                *dst++ = have > 2 ? alphabet[group & 63] : '=';
        }
        *dst = '\0';
}
