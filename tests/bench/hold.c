/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What systemd does for the agent, without systemd: hold UID GID DIR COMMAND...
 *
 * Holds the listening sockets DIR/admin.sock and DIR/host.sock. Whenever somebody connects and the command does not
 * run, starts it as that user, with the sockets and LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES (sd_listen_fds(3)).
 */
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/bench.h"

static const char *const names[] = {"admin.sock", "host.sock"};

enum { SOCKETS = sizeof(names) / sizeof(names[0]), FIRST_FD = 3 };

static int listen_on(const char *dir, const char *name) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", dir, name);

        if (n < 0 || (size_t)n >= sizeof(address.sun_path))
                die("%s is too long for a socket", dir);
        (void)unlink(address.sun_path);
        if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 128) < 0)
                die("cannot listen on %s", address.sun_path);
        return fd;
}

_Noreturn static void become(uid_t uid, gid_t gid, const struct pollfd sockets[static SOCKETS], char *command[]) {
        char pid[16];

        for (int i = 0; i < SOCKETS; i++)
                if (dup2(sockets[i].fd, FIRST_FD + i) < 0)
                        die("cannot pass a socket");
        (void)snprintf(pid, sizeof(pid), "%d", getpid());
        if (setenv("LISTEN_PID", pid, 1) < 0 || setenv("LISTEN_FDS", "2", 1) < 0 ||
            setenv("LISTEN_FDNAMES", "admin:host", 1) < 0)
                die("no memory");
        if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
                die("cannot become %u", uid);
        (void)execv(command[0], command);
        die("%s does not run", command[0]);
}

int main(int argc, char *argv[]) {
        struct pollfd sockets[SOCKETS];

        if (argc < 5)
                die("usage: hold UID GID DIR COMMAND...");
        (void)umask(0177);
        for (int i = 0; i < SOCKETS; i++) {
                /* Out of the way of where they are passed. */
                int fd = listen_on(argv[3], names[i]), high = fcntl(fd, F_DUPFD_CLOEXEC, 10);

                if (high < 0)
                        die("no file descriptor");
                (void)close(fd);
                sockets[i] = (struct pollfd){.fd = high, .events = POLLIN};
        }
        for (;;) {
                pid_t child;
                int status;

                if (poll(sockets, SOCKETS, -1) < 0)
                        die("cannot wait");
                child = fork();
                if (child < 0)
                        die("cannot fork");
                if (child == 0)
                        become((uid_t)count_argument(argv[1]), (gid_t)count_argument(argv[2]), sockets, argv + 4);
                /* Else it would be started again and again. */
                if (waitpid(child, &status, 0) != child || status != 0)
                        die("%s ended with %#x", argv[4], (unsigned)status);
        }
}
