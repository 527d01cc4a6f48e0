/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from somebody who is not trusted. */
#ifndef EXC_JSON_H
#define EXC_JSON_H

#include <jansson.h>
#include <stddef.h>

/*
 * The object or array that `text` is, to the last byte. NULL when it is no JSON, nested deeper than `depth_max`, names a
 * member twice, or holds invalid UTF-8 or a NUL: strings in the result are C strings.
 */
json_t *json_read(const char *text, size_t length, unsigned depth_max);

#endif
