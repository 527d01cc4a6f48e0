/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/relay_confine.h"

#include <sys/socket.h>

struct process_limits relay_limits(enum syscall_filter_mode mode) {
        static const int families[] = {AF_UNIX, AF_UNSPEC};

        return (struct process_limits){
                .filter = {.mode = mode,
                           .program = "exc-instance-connect-relay",
                           .advice = "see exc-instance-connect-relay(8), --seccomp",
                           .families = families},
        };
}
