/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What exc-compute-api may do while it serves: its database, its audit log, the page at /docs, and connecting to unix
 * sockets. It has the sockets that it listens on before.
 */
#ifndef EXC_API_CONFINE_H
#define EXC_API_CONFINE_H

#include <limits.h>

#include "cloud/api/config.h"
#include "confine/process.h"

struct api_confinement {
        char database_directory[PATH_MAX];
        struct process_limits limits;
};

/* `ret` and `config` must stay. */
void api_confinement(const struct api_config *config, enum syscall_filter_mode mode, struct api_confinement *ret);

#endif
