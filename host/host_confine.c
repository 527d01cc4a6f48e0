/* SPDX-License-Identifier: Apache-2.0 */
#include "host/host_confine.h"

#include <sys/socket.h>

struct process_limits host_confinement(const char *config_dir, const char *vm_directory,
                                       enum syscall_filter_mode mode) {
        static const int families[] = {AF_UNIX, AF_VSOCK, AF_UNSPEC};

        return (struct process_limits){
                .rules = {{config_dir, LANDLOCK_READ},
                          {vm_directory, LANDLOCK_READ},
                          {"/dev/null", LANDLOCK_ACCESS_FS_READ_FILE}}, /* a link to it is no VM */
                .filter = {.mode = mode,
                           .program = "exc-host",
                           .advice = "see exc-host(8), --seccomp",
                           .families = families},
        };
}
