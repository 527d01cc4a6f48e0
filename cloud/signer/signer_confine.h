/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What exc-signer may do while it serves, with the key in its memory: write its log, and connect to unix sockets. It reads
 * no other file, not even the key's.
 */
#ifndef EXC_SIGNER_CONFINE_H
#define EXC_SIGNER_CONFINE_H

#include "confine/process.h"

/* `log_directory` must stay. */
struct process_limits signer_limits(const char *log_directory, enum syscall_filter_mode mode);

#endif
