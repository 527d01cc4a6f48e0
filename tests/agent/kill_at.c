/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded: kills the process before the call number TEST_KILL_AT, from 1, of those that change the store or say so: a
 * directory is made, a name appears or goes, a slot or a record is written, the helper or the agent answers.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void count(void) {
        static int calls;
        const char *at = getenv("TEST_KILL_AT");

        if (at && ++calls == atoi(at)) {
                (void)kill(getpid(), SIGKILL);
                _exit(EXIT_FAILURE); /* the helper's filter refuses kill(2) */
        }
}

int mkdirat(int fd, const char *name, mode_t mode) {
        int (*next)(int, const char *, mode_t) = (int (*)(int, const char *, mode_t))dlsym(RTLD_NEXT, "mkdirat");

        count();
        return next(fd, name, mode);
}

int linkat(int fd, const char *name, int new_fd, const char *new_name, int flags) {
        int (*next)(int, const char *, int, const char *, int) =
                (int (*)(int, const char *, int, const char *, int))dlsym(RTLD_NEXT, "linkat");

        count();
        return next(fd, name, new_fd, new_name, flags);
}

int unlinkat(int fd, const char *name, int flags) {
        int (*next)(int, const char *, int) = (int (*)(int, const char *, int))dlsym(RTLD_NEXT, "unlinkat");

        count();
        return next(fd, name, flags);
}

int renameat(int fd, const char *name, int new_fd, const char *new_name) {
        int (*next)(int, const char *, int, const char *) =
                (int (*)(int, const char *, int, const char *))dlsym(RTLD_NEXT, "renameat");

        count();
        return next(fd, name, new_fd, new_name);
}

ssize_t pwrite(int fd, const void *from, size_t n, off_t at) {
        ssize_t (*next)(int, const void *, size_t, off_t) =
                (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");

        count();
        return next(fd, from, n, at);
}

ssize_t write(int fd, const void *from, size_t n) {
        ssize_t (*next)(int, const void *, size_t) = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");

        if (fd == STDOUT_FILENO)
                count();
        return next(fd, from, n);
}

ssize_t send(int fd, const void *from, size_t n, int flags) {
        ssize_t (*next)(int, const void *, size_t, int) =
                (ssize_t(*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");

        count();
        return next(fd, from, n, flags);
}
