/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base64 as RFC 4648 section 4 has it, and only its canonical form: padded, no white space, no other character, and the
 * unused bits of the last one zero. So a text has one decoding and bytes have one text, which is what lets the helper
 * compare what sshd hands it with what is stored. The URL-safe alphabet of section 5 is for envelopes alone, whose identity
 * is that of the decoded bytes.
 */
#ifndef EXC_BASE64_H
#define EXC_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters that `n` bytes take, without the NUL. */
#define BASE64_LENGTH(n) (((n) + 2) / 3 * 4)

/* Decodes `n` characters into `dst` of `size` bytes. False when they are not canonical or do not fit. */
bool base64_decode(const char *text, size_t n, uint8_t *dst, size_t size, size_t *ret_length);

/*
 * The same for text that may be in the URL-safe alphabet instead (RFC 4648 section 5), padded as well: DSSE allows either.
 * One text in both alphabets is refused.
 */
bool base64_decode_either(const char *text, size_t n, uint8_t *dst, size_t size, size_t *ret_length);

/* Writes BASE64_LENGTH(n) characters and a NUL into `dst`. */
void base64_encode(const uint8_t *src, size_t n, char *dst);

#endif
