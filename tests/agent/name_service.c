/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded: the name service takes its time for three users, a moment for "slow", a second and a half for "late" and
 * eight seconds for "hang". It has other names for a fourth, as SSSD has with a default domain: "dana" and "DANA" are
 * dana@corp.example, and so long as NAME_SERVICE_FAILS names a file that is there, it cannot say so. For "acts" it tries
 * what a module has no business to do, prints the results on standard error, and finds the user all the same; for "inet"
 * it makes a socket of the internet.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int lookup(const char *, struct passwd *, char *, size_t, struct passwd **);

static const char *result(int r) {
        return r >= 0 ? "done" : strerrorname_np(errno);
}

static void act(void) {
        const char *path = getenv("NAME_SERVICE_OPENS");
        const char *opened = result(open(path ? path : "/", O_RDONLY | O_CLOEXEC));
        pid_t pid = fork();

        if (pid == 0)
                _exit(0);
        (void)fprintf(stderr, "acts: open %s, fork %s\n", opened, result(pid));
        if (pid > 0)
                (void)waitpid(pid, NULL, 0);
}

int getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size, struct passwd **found) {
        lookup *next = (lookup *)dlsym(RTLD_NEXT, "getpwnam_r");

        if (strcmp(name, "slow") == 0)
                (void)usleep(500 * 1000);
        if (strcmp(name, "late") == 0)
                (void)usleep(1500 * 1000);
        if (strcmp(name, "hang") == 0)
                (void)sleep(8);
        if (strcmp(name, "acts") == 0)
                act();
        if (strcmp(name, "inet") == 0)
                (void)fprintf(stderr, "inet: %s\n", result(socket(AF_INET, SOCK_STREAM, 0)));
        if (strcasecmp(name, "dana") == 0) {
                const char *fails = getenv("NAME_SERVICE_FAILS");

                *found = NULL;
                if (fails && access(fails, F_OK) == 0)
                        return EIO;
                name = "dana@corp.example";
        }
        return next(name, entry, buffer, size, found);
}
