/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal has what others wrote: names that clients chose, and all that users of this machine send to it. So it is opened
 * as root, and read without root's rights.
 */
#ifndef EXC_UNPRIVILEGED_H
#define EXC_UNPRIVILEGED_H

/*
 * This process gives up its rights for good. As root it becomes nobody, with the one group systemd-journal (where there is
 * one), which reads what the journal writes from then on. Whatever its user: no capabilities, and no_new_privs;
 * where the kernel and the architecture have seccomp filters, also no programs, no other process's memory, and no input into
 * a terminal (TIOCSTI). It may fork: a name service that may hang is asked in a child (admin/account.h). Not for a process with
 * threads.
 *
 * Negative errno: it may have given up a part. `*ret_what` is then the call that failed.
 */
int unprivileged(const char **ret_what);

#endif
