/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How systemd's units start a program. systemd, where it runs, says which files make up a unit; in an image that is being
 * built, they are looked for where it would. They are read by ourselves: systemd does not say what $SSHD_OPTS is. See
 * systemd.unit(5), "Unit File Load Path", and systemd.service(5), "Command Lines".
 */
#ifndef EXC_UNIT_H
#define EXC_UNIT_H

#include <stdbool.h>

#include "conf/strv.h"

#define UNIT_SUFFIX ".service"

struct unit {
        struct strv
                words; /* the program with what stands before its path, and its arguments, with specifiers and variables */
        size_t first;    /* index of the first argument, if there is one */
        char *file_with; /* see unit_read(); NULL: none */
};

/* Whether it is the name of a template: "foo@.service". */
bool unit_is_template(const char *name);

/*
 * The service `name`, or an instance of a template, if one of its ExecStart= lines runs `program` (or another path to it).
 * `file_with` is the last of its files, and of those of EnvironmentFile=, that has `word` in it. -ENOENT where there is no
 * such unit, where it is masked, or runs something else; else negative errno: -EBADMSG where quotes are not closed.
 */
int unit_read(const char *name, const char *program, const char *word, struct unit *ret);
void unit_clear(struct unit *unit);

/*
 * Adds services and templates, without their aliases, whose own files have `word` in them, and sorts them; one that several
 * directories have is there more than once. Negative errno.
 */
int unit_names(const char *word, struct strv *ret);

#endif
