/* SPDX-License-Identifier: Apache-2.0 */
/* What a Match line asks for, and a connection that sshd is asked about with -C. */
#ifndef EXC_MATCH_LINE_H
#define EXC_MATCH_LINE_H

#include "admin/sshd/pattern.h"

/* In the order of a specification. */
enum match_attribute {
        MATCH_USER,
        MATCH_GROUP,
        MATCH_HOST,
        MATCH_ADDRESS,
        MATCH_LOCAL_ADDRESS,
        MATCH_LOCAL_PORT,
        MATCH_RDOMAIN,
        MATCH_ATTRIBUTES,
};

/*
 * The lists of patterns that stand behind "Match", by attribute and to be freed, NULL where it does not ask. The result is
 * NULL, or why no connection can be made up that meets it; the lists are to be freed even then.
 */
const char *match_condition(const char *condition, char *lists[static MATCH_ATTRIBUTES]);

/* What a pattern matches, with nothing for "*" and "x" for "?". */
void match_instance(const char *pattern, char ret[static PATTERN_MAX]);

/*
 * For -C, to be freed. The user must be there; of a NULL else there is what holds for a client on this machine. It has all
 * that a Match line can ask about, for without it sshd refuses to answer. NULL without memory.
 */
char *match_specification(const char *const values[static MATCH_ATTRIBUTES]);

#endif
