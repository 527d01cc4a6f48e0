/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a system call that the filter (confine/syscall_filter.h) does not allow: the kernel sends SIGSYS to the
 * thread that made it, and the handler
 *
 * 1. sends one event, EVENT_CALL_REFUSED, to the journal, with the number and the architecture of the call, or prints its
 *    message on standard error where there is no journal, and
 * 2. ends the program by that signal; but
 * 3. on a thread that runs code of others, which is marked for that, the call fails with EPERM, each call is reported
 *    once, and the thread learns of it.
 *
 * A thread that blocks SIGSYS is ended by the kernel, with the program, and without an event. The C library blocks all
 * signals where it makes a process: the filter lets that fail with EPERM, and fork() is noted before it is tried.
 */
#ifndef EXC_SYSCALL_TRAP_H
#define EXC_SYSCALL_TRAP_H

#include <stddef.h>
#include <stdint.h>

enum { SYSCALL_TEXT_MAX = 64 }; /* with the NUL */

struct syscall_refused {
        uint32_t architecture; /* AUDIT_ARCH_*, of linux/audit.h; 0: no call */
        int number;
};

/*
 * Prepares the handler. `program` is the identifier for the journal and `advice` the end of the message, where to read on;
 * both must stay. Negative errno; -ENOSYS on an architecture that this is not written for.
 */
int syscall_trap_start(const char *program, const char *advice);

/* From now on fork() is a call that is not allowed, as by the handler. Negative errno. */
int syscall_trap_note_forks(void);

/* Marks this thread: a call that is not allowed fails with EPERM here. Works without a filter too. */
void syscall_trap_spare_thread(void);

/* The first call of this thread that was refused since this was called last. */
struct syscall_refused syscall_trap_take(void);

/* "execve (59)"; without a name, or for another architecture than this program's: "number 59 of architecture c000003e". */
void syscall_text(struct syscall_refused refused, char ret[static SYSCALL_TEXT_MAX]);

/* By the numbers of this architecture, made from the kernel's headers; NULL in the gaps. */
extern const char *const syscall_names[];
extern const size_t syscall_names_n;

#endif
