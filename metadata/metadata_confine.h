/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXC_METADATA_CONFINE_H
#define EXC_METADATA_CONFINE_H

#include "confine/process.h"

/* It opens no file, and makes sockets to one port of IP addresses and to the agent. */
struct process_limits metadata_limits(enum syscall_filter_mode mode);

#endif
