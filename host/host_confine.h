/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What exc-host may do while it serves: read its configuration, and connect to unix sockets and to VMs by vsock. It writes
 * no file.
 */
#ifndef EXC_HOST_CONFINE_H
#define EXC_HOST_CONFINE_H

#include "confine/process.h"

/* The directories must stay: those of host.conf and of the VMs' files. */
struct process_limits host_confinement(const char *config_dir, const char *vm_directory, enum syscall_filter_mode mode);

#endif
