/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/signer/signer_confine.h"

#include <sys/socket.h>

struct process_limits signer_limits(const char *log_directory, enum syscall_filter_mode mode) {
        /* A log's new file that could not be made durable is removed again. */
        static const char *const calls[] = {"unlinkat", NULL};
        static const int families[] = {AF_UNIX, AF_UNSPEC};

        return (struct process_limits){
                .rules = {{log_directory, PROCESS_KEEP_FILES}},
                .filter = {.mode = mode,
                           .program = "exc-signer",
                           .advice = "see exc-signer(8), --seccomp",
                           .calls = calls,
                           .families = families},
        };
}
