/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base64 of RFC 4648 section 4 in its canonical form alone: padded, no white space, no other character, and the unused
 * bits of the last character zero. So text and bytes correspond one to one, and the helper can compare sshd's %k with
 * what is stored. Only envelopes may use the URL-safe alphabet of section 5: they are identified by the decoded bytes.
 */
#ifndef EXC_BASE64_H
#define EXC_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters of the text of `n` bytes, without the NUL. */
#define BASE64_LENGTH(n) (((n) + 2) / 3 * 4)

/*
 * Decodes `n` characters into `dst` of `size` bytes. False when they are not canonical or do not fit; `dst` is then
 * undefined.
 */
bool base64_decode(const char *text, size_t n, uint8_t *dst, size_t size, size_t *ret_length);

/*
 * The same for text that may be in the URL-safe alphabet instead (RFC 4648 section 5), padded as well: DSSE allows
 * either. Text that mixes the alphabets is refused.
 */
bool base64_decode_either(const char *text, size_t n, uint8_t *dst, size_t size, size_t *ret_length);

/* Writes BASE64_LENGTH(n) characters and a NUL into `dst`. */
void base64_encode(const uint8_t *src, size_t n, char *dst);

#endif
