/* SPDX-License-Identifier: Apache-2.0 */
/* Which files make up a service's unit, and which services there are. See systemd.unit(5), "Unit File Load Path". */
#ifndef EXC_UNIT_FILES_H
#define EXC_UNIT_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "admin/sshd/unit.h"

enum { UNIT_PATHS_MAX = 64 };

struct unit_paths {
        char *path[UNIT_PATHS_MAX];
        size_t n;
};

/*
 * The unit's own file, and then its drop-ins, in the order in which they count. -ENOENT where there is no such unit, or it is
 * masked; -E2BIG.
 */
int unit_paths_find(const char *unit, struct unit_paths *ret);
void unit_paths_clear(struct unit_paths *paths);

/* "foo@.service" of "foo@bar.service", and its instance. False for what is no instance. */
bool unit_template_of(const char *name, char ret_template[static UNIT_NAME_MAX],
                      char ret_instance[static UNIT_NAME_MAX]);

/*
 * Services and templates, without their aliases, whose files have `word` in them: a first choice. The number of them;
 * negative errno, -E2BIG where there are more than fit.
 */
int unit_names(const char *word, char ret[static UNIT_NAMES_MAX][UNIT_NAME_MAX]);

#endif
