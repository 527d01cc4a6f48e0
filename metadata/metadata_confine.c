/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata/metadata_confine.h"

#include <sys/socket.h>

#include "metadata/http.h"

struct process_limits metadata_limits(enum syscall_filter_mode mode) {
        static const int families[] = {AF_INET, AF_INET6, AF_UNIX, AF_UNSPEC};

        return (struct process_limits){
                .tcp_port = HTTP_PORT,
                .filter = {.mode = mode,
                           .program = "exc-instance-connect-metadata",
                           .advice = "see exc-instance-connect-metadata(8), --seccomp",
                           .families = families},
        };
}
