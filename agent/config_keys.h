/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of agent.conf and their values (exc-instance-connect.conf(5)). */
#ifndef EXC_CONFIG_KEYS_H
#define EXC_CONFIG_KEYS_H

#include "agent/config.h"
#include "conf/conf.h"

/* One config_load() call: the context of its struct conf_load. */
struct config_load {
        config_warning warning; /* NULL: warnings are dropped */
        void *context;

        /* Where DefaultTtl was set last; "": nowhere. MaxTtl may come in a later file, so it is compared at the end. */
        char default_ttl_file[PATH_MAX];
        unsigned default_ttl_line;
};

/* Into struct config. */
extern const struct conf_key config_keys[];

#endif
