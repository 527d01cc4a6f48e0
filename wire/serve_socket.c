/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_FD = 3 }; /* SD_LISTEN_FDS_START */

static bool number(const char *text, long *ret) {
        char *end;

        errno = 0;
        *ret = text && *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;
        return *ret >= 0 && errno == 0 && *end == '\0';
}

static int option(int fd, int name) {
        socklen_t size = sizeof(int);
        int value;

        return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

int serve_inherited(int *ret, size_t max) {
        const char *pid_text = getenv("LISTEN_PID"), *count_text = getenv("LISTEN_FDS");
        long pid, count;

        if (!pid_text || !count_text)
                return 0;
        if (!number(pid_text, &pid) || !number(count_text, &count))
                return -EINVAL;
        /* Of another process, which did not unset them. */
        if (pid != getpid())
                return 0;
        (void)unsetenv("LISTEN_PID");
        (void)unsetenv("LISTEN_FDS");
        (void)unsetenv("LISTEN_FDNAMES");
        if (count > (long)max)
                return -EINVAL;
        for (int i = 0; i < count; i++) {
                int fd = FIRST_FD + i;

                if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                        return -errno;
                if (option(fd, SO_DOMAIN) != AF_UNIX || option(fd, SO_TYPE) != SOCK_STREAM ||
                    option(fd, SO_ACCEPTCONN) != 1)
                        return -EINVAL;
                ret[i] = fd;
        }
        return (int)count;
}

static int bind_and_listen(int fd, const struct sockaddr_un *address, mode_t mode) {
        struct stat st;

        if (lstat(address->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) && unlink(address->sun_path) < 0)
                return -errno;
        /* Before it is bound, so that nobody else can connect meanwhile; bind(2) takes the umask's bits away. */
        if (fchmod(fd, mode) < 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ||
            chmod(address->sun_path, mode) < 0 || listen(fd, SOMAXCONN) < 0)
                return -errno;
        return 0;
}

int serve_listen(const char *path, mode_t mode) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd, r;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, strlen(path) + 1);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        r = bind_and_listen(fd, &address, mode);
        if (r < 0) {
                (void)close(fd);
                return r;
        }
        return fd;
}
