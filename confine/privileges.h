/* SPDX-License-Identifier: Apache-2.0 */
/* What a process can lose at once: its capabilities, and any that a program which it executes would add. */
#ifndef EXC_PRIVILEGES_H
#define EXC_PRIVILEGES_H

/*
 * Sets no_new_privs, and drops all capabilities of this thread and of those that it starts. Without a capability it makes
 * two system calls. Negative errno of the first step that failed; the others are taken all the same.
 */
int privileges_drop(void);

#endif
