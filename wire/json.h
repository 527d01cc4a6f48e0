/* SPDX-License-Identifier: Apache-2.0 */
/* Untrusted JSON. */
#ifndef EXC_JSON_H
#define EXC_JSON_H

#include <jansson.h>
#include <stddef.h>

/*
 * Parses `text`, all of it, as an object or array, which the caller drops. NULL when it is not JSON, is nested deeper
 * than `depth_max`, names a member twice, or has invalid UTF-8 or a NUL: strings in the result are C strings. NULL too
 * where memory was short. All JSON that means anything is read by this: json_loadb() may lose characters then.
 */
json_t *json_read(const char *text, size_t length, unsigned depth_max);

/*
 * From now on jansson frees memory by `release` in place of free(3). Not by json_set_alloc_funcs(), which json_read() needs
 * for itself. To be called before threads are.
 */
void json_free_with(void (*release)(void *at));

#endif
