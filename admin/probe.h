/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A check of something that may never answer: a name service, a home on a network, a process that is stopped. It runs in a
 * child, which is killed when its time is up.
 */
#ifndef EXC_PROBE_H
#define EXC_PROBE_H

/*
 * Forks, calls `look` there, and waits until it returns. What it learns it must put into shared memory. It may change its
 * user. 0, -ETIMEDOUT after `timeout_ms` (it has been killed, but one that hangs in the kernel may end later), -EIO where it
 * ended before it was done, or what fork(2) says. What it had started ends with it when its time is up; so the caller has
 * no other children then.
 */
int probe_run(void (*look)(void *context), void *context, int timeout_ms);

/* The same; meanwhile it calls `tick` ten times a second, in this process. */
int probe_watch(void (*look)(void *context), void (*tick)(void *context), void *context, int timeout_ms);

/*
 * For a check: identity_become() or unprivileged(), after which it still ends with its parent. What is remembered of sshd is out
 * of reach then; the memory that checks share is not (doctor_journal.h).
 */
int probe_become(const char *user);
int probe_unprivileged(const char **ret_what);

#endif
