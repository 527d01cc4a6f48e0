/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sshd -T said, for doctor: its checks run in children, one after another, and most of them ask the same. So sshd is
 * asked once, and all checks judge the same answer.
 */
#ifndef EXC_SSHD_MEMORY_H
#define EXC_SSHD_MEMORY_H

/*
 * From now on this process, and the children that it forks, remember answers, of which one asks at a time. Without it, without
 * memory for it, and when that is full, sshd is asked each time.
 */
void sshd_memory_start(void);

/* In a child that is about to give up its rights: what root believes is no longer its to write. Nothing is found or added then. */
void sshd_memory_forget(void);

/* `arguments` and `specification` are those of sshd_effective_for(). A copy of the answer, to be freed; NULL: none. */
char *sshd_memory_find(char *const arguments[], const char *specification);
void sshd_memory_add(char *const arguments[], const char *specification, const char *answer);

#endif
