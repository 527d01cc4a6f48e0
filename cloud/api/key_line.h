/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXC_API_KEY_LINE_H
#define EXC_API_KEY_LINE_H

#include "common/ssh_key.h"

/*
 * One public key as ssh-keygen writes it into a .pub file: type, base64, perhaps a comment, which is dropped, and the end
 * of the line. Options are refused with the type that they stand before. NULL, or what is wrong with it.
 */
const char *key_line_parse(const char *text, struct ssh_key *ret);

#endif
