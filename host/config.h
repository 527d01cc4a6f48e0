/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration of exc-host (exc-host.conf(5)): DIR/host.conf with the section [Host], and a file with the section
 * [Instance] for each VM, *.conf in VmDirectory=. Read as conf/conf.h says.
 *
 * A VM's file that is wrong is reported and leaves out that VM alone. Two files with one id, or with one channel, are
 * both left out: nobody can say which of them is right, and a key would reach the wrong VM.
 */
#ifndef EXC_HOST_CONFIG_H
#define EXC_HOST_CONFIG_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"
#include "host/instances.h"

#define HOST_CONFIG_DIR "/etc/exc-host"

enum {
        HOST_VMS_MAX = 4096,
        HOST_USER_MAX = 256 + 1, /* bytes, with the NUL */
};

struct host_limits {
        uint32_t waiting;       /* calls that wait for their turn, on this host */
        uint32_t guest_waiting; /* and for one guest */
};

#define HOST_LIMITS_DEFAULT ((struct host_limits){.waiting = 128, .guest_waiting = 16})

struct host_config {
        char name[VM_ID_MAX];
        char vm_directory[PATH_MAX];
        char api_user[HOST_USER_MAX]; /* whose processes may call, besides root's; "": not set */
        struct host_limits limits;
        struct instance_setting *instances;
        size_t n_instances;
        char error[CONF_ERROR_MAX]; /* "": none */
};

/* Called for each VM that is left out, and for each line that is ignored: "FILE:LINE: cause; next step". */
typedef void (*host_config_report)(void *context, const char *text);

/*
 * Reads the configuration below `dir`. -EINVAL with the cause in `error` where host.conf, or the directory of VMs,
 * cannot be used; -ENOMEM. `ret` must be cleared in any case.
 */
int host_config_load(const char *dir, host_config_report report, void *context, struct host_config *ret);

void host_config_clear(struct host_config *config);

#endif
