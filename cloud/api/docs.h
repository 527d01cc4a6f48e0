/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the page at /docs. They are read once, at the start, by the names that docs.c has: no request names a path of
 * a file, and what an upgrade replaces meanwhile is served as it was.
 */
#ifndef EXC_API_DOCS_H
#define EXC_API_DOCS_H

#include <stddef.h>

enum { DOCS_FILE_MAX = 8 << 20 }; /* bytes */

struct docs_file {
        const char *name, *type;
        char *data;
        size_t length;
};

struct docs;

/*
 * Reads the files in a directory. -ENOENT: there is no such directory, as in an installation without the page. Another
 * negative errno: one of them cannot be read, and `ret_name` is which, or "" for the directory.
 */
int docs_load(const char *directory, struct docs **ret, const char **ret_name);
void docs_free(struct docs *docs);

/* The file of that name, or NULL; also where `docs` is NULL. */
const struct docs_file *docs_find(const struct docs *docs, const char *name);

#endif
