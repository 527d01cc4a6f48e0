/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What exc-authorized-keys may still do once it has its arguments: read the keys, write slots into claims that are there,
 * send a datagram to the journal, and write to the descriptors that it has. Two layers, beside the rights of its user:
 * Landlock for files, and a filter of system calls.
 *
 * A kernel, or a C library, that differs from those that this was tested with must not keep anybody out: a layer that the
 * kernel does not have is left out, and a system call outside the filter fails with ENOSYS, so that the C library tries
 * another one.
 */
#ifndef EXC_CONFINE_H
#define EXC_CONFINE_H

enum {
        CONFINE_FILES = 1, /* Landlock (Linux 5.13): no file but those of the store, no TCP, no signal to others */
        CONFINE_CALLS = 2, /* seccomp(2): no program, no process, no socket but AF_UNIX, no memory that is executed */
};

/*
 * Confines this process for good. `runtime_dir` is the store's directory; one that is missing adds no right. It also sets
 * no_new_privs, and RLIMIT_NPROC to 0. Returns the layers that are in effect; negative errno where no_new_privs cannot be
 * set, and then it has no layer. Not for a process with threads.
 */
int confine(const char *runtime_dir, unsigned layers);

#endif
