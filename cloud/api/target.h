/* SPDX-License-Identifier: Apache-2.0 */
/* The target of a request line: its path and query, decoded once (RFC 3986 section 3.3 and 3.4). */
#ifndef EXC_API_TARGET_H
#define EXC_API_TARGET_H

#include <stdbool.h>

#include "cloud/api/request.h"

/*
 * Takes a target apart: "/compute/instance/42?limit=10". Refused are everything but printable ASCII, a fragment, a
 * segment that is empty, "." or "..", an encoded slash, NUL or control character, segments that are not ASCII, query
 * parameters without a name, with the same name or that are not UTF-8, and what is longer than the struct has room for.
 * "/" has no segment. A "+" stands for itself.
 *
 * False: `ret_why` is a phrase for people. `ret` is undefined then.
 */
bool target_parse(const char *text, struct request_target *ret, const char **ret_why);

#endif
