/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/api_confine.h"

#include <string.h>
#include <sys/socket.h>

void api_confinement(const struct api_config *config, enum syscall_filter_mode mode, struct api_confinement *ret) {
        /* SQLite removes what it made beside the database, and gives it the owner and mode of the database. */
        static const char *const calls[] = {"unlink", "unlinkat", "fchmod", "fchown", "fallocate", NULL};
        static const int families[] = {AF_UNIX, AF_UNSPEC};
        char *slash;

        memcpy(ret->database_directory, config->database, sizeof(ret->database_directory));
        slash = strrchr(ret->database_directory, '/');
        slash[slash == ret->database_directory ? 1 : 0] = '\0';
        ret->limits = (struct process_limits){
                .rules = {{ret->database_directory, PROCESS_KEEP_FILES},
                          {config->audit, PROCESS_KEEP_FILES},
                          {config->docs, LANDLOCK_READ},
                          {"/dev/urandom", LANDLOCK_ACCESS_FS_READ_FILE}}, /* SQLite */
                .filter = {.mode = mode,
                           .program = "exc-compute-api",
                           .advice = "see exc-compute-api(8), --seccomp",
                           .calls = calls,
                           .families = families},
        };
}
