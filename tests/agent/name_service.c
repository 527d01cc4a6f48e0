/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded: the name service takes its time for three users, a moment for "slow", a second and a half for "late" and
 * eight seconds for "hang".
 */
#include <dlfcn.h>
#include <pwd.h>
#include <string.h>
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
        return next(name, entry, buffer, size, found);
}
