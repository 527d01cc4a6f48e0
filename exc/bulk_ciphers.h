/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cipher of a copy. ssh's first choice is chacha20-poly1305, whose Poly1305 is portable C; where the processor has AES and
 * carry-less multiplication, AES-GCM takes half of its time.
 */
#ifndef EXC_BULK_CIPHERS_H
#define EXC_BULK_CIPHERS_H

#include <stdbool.h>

/*
 * Writes a configuration for ssh -F to `path`, a new file: the user's and the system's own, which ssh(1) would read, and behind
 * them, so that a cipher that they choose counts, AES-GCM as the first one. False where there is no such file, because the
 * processor has no AES, the user's own cannot be included as they are, or it cannot be written: ssh then chooses by itself.
 */
bool bulk_ciphers_write(const char *path);

#endif
