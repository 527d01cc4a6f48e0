/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of the audit system, as the kernel and auditd(8) write them, about accesses that SELinux denied to the domains of the
 * module exc_instance_connect, or to others at its types.
 */
#ifndef EXC_SELINUX_DENIAL_H
#define EXC_SELINUX_DENIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        SELINUX_NAME_MAX = 64, /* of a type or class, with the NUL */
        SELINUX_ACCESSES_MAX = 128,
};

/* All of it consists of a-z, 0-9 and _, and blanks between accesses; zeros follow, so that two can be compared. */
struct selinux_denial {
        char domain[SELINUX_NAME_MAX];
        char accesses[SELINUX_ACCESSES_MAX]; /* "read open" */
        char class[SELINUX_NAME_MAX];
        char target[SELINUX_NAME_MAX];
};

/* Whether the line is one, of an access that was really denied. */
bool selinux_denial_parse(const char *line, struct selinux_denial *ret);

/* Whether the line says that a policy was loaded. */
bool selinux_policy_was_loaded(const char *line);

/* The time of a line of auditd's, in Unix seconds; -1: it has none. */
int64_t selinux_line_time(const char *line);

#endif
