/* SPDX-License-Identifier: Apache-2.0 */
/* What the relay may do while it copies bytes: read and write its port, and connect to unix sockets. It opens no file. */
#ifndef EXC_RELAY_CONFINE_H
#define EXC_RELAY_CONFINE_H

#include "confine/process.h"

struct process_limits relay_limits(enum syscall_filter_mode mode);

#endif
