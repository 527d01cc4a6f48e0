/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded: the name service takes its time for three users, a moment for "slow", a second and a half for "late" and
 * eight seconds for "hang". It has other names for a fourth, as SSSD has with a default domain: "dana" and "DANA" are
 * dana@corp.example, and so long as NAME_SERVICE_FAILS names a file that is there, it cannot say so.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

typedef int lookup(const char *, struct passwd *, char *, size_t, struct passwd **);

int getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size, struct passwd **found) {
        lookup *next = (lookup *)dlsym(RTLD_NEXT, "getpwnam_r");

        if (strcmp(name, "slow") == 0)
                (void)usleep(500 * 1000);
        if (strcmp(name, "late") == 0)
                (void)usleep(1500 * 1000);
        if (strcmp(name, "hang") == 0)
                (void)sleep(8);
        if (strcasecmp(name, "dana") == 0) {
                const char *fails = getenv("NAME_SERVICE_FAILS");

                *found = NULL;
                if (fails && access(fails, F_OK) == 0)
                        return EIO;
                name = "dana@corp.example";
        }
        return next(name, entry, buffer, size, found);
}
