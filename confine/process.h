/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a program confines itself once it has its configuration and its sockets, before the first byte from a peer: without
 * capabilities, by Landlock and by a filter of system calls. A layer that the kernel does not have is reported, and the
 * program goes on with the others.
 */
#ifndef EXC_PROCESS_H
#define EXC_PROCESS_H

#include "confine/landlock.h"
#include "confine/syscall_filter.h"

enum { PROCESS_RULES_MAX = 4 };

/* Rights below a directory whose files a program makes, writes and removes. */
#define PROCESS_KEEP_FILES                                                                                             \
        (LANDLOCK_READ | LANDLOCK_TRUNCATE |                                                                           \
         (uint64_t)(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE))

/*
 * Rules without a path are left out. One whose directory is missing is for the directory above, other than the root, so that
 * it can be made later.
 */
struct process_limits {
        struct landlock_rule rules[PROCESS_RULES_MAX]; /* all that may be opened below directories */
        uint16_t tcp_port; /* of peers that it may connect to, from version 4 of Landlock's ABI; 0: none */
        struct syscall_filter filter;
};

/* Landlock alone. no_new_privs must be set. Negative errno: it is not in effect. */
int process_limit_files(const struct process_limits *limits);

/*
 * Confines this thread, and those that it starts, for good. What `limits` points to must stay. `report` is called with a
 * sentence for each layer that is not in effect.
 */
void process_confine(const struct process_limits *limits, void (*report)(const char *text));

#endif
