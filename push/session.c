/* SPDX-License-Identifier: Apache-2.0 */
#include "push/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/output.h"
#include "libpush/agent_socket.h"
#include "libpush/known_hosts.h"
#include "wire/refusal.h"

#define DIRECTORY "/exc-push-XXXXXX"
#define AGENT_NAME "/agent.sock"
#define KNOWN_HOSTS_NAME "/known_hosts"

enum { PATH_SIZE = sizeof(((struct sockaddr_un *)NULL)->sun_path) };

/* A running command and what was made for it. */
struct running {
        char directory[PATH_SIZE];
        char agent_path[PATH_SIZE];       /* "": none */
        char known_hosts_path[PATH_SIZE]; /* "": none */
        struct agent_socket agent;
        sigset_t before; /* signals that were blocked */
        int signal_fd;
        pid_t pid;
        int pidfd;
};

/*
 * Whether this user can make directories in it, and no other user but root can replace one. XDG_RUNTIME_DIR may be that
 * of another user, as after su(1).
 */
static bool safe_parent(const char *path) {
        struct stat st;

        return path && path[0] == '/' && strlen(path) < PATH_SIZE - strlen(DIRECTORY KNOWN_HOSTS_NAME) &&
               stat(path, &st) == 0 && S_ISDIR(st.st_mode) && (st.st_uid == geteuid() || st.st_uid == 0) &&
               ((st.st_mode & (S_IWGRP | S_IWOTH)) == 0 || (st.st_mode & S_ISVTX) != 0) &&
               euidaccess(path, W_OK | X_OK) == 0;
}

static int make_directory(struct running *running) {
        const char *parent = getenv("XDG_RUNTIME_DIR");

        if (!safe_parent(parent))
                parent = "/tmp";
        if (!safe_parent(parent)) {
                complain("%s: other users could replace a directory in it; set XDG_RUNTIME_DIR to a directory of yours",
                         parent);
                return -EPERM;
        }
        (void)snprintf(running->directory, sizeof(running->directory), "%s" DIRECTORY, parent);
        if (!mkdtemp(running->directory)) {
                int r = -errno;

                complain("%s: cannot make a directory in it: %s", parent, strerror(-r));
                running->directory[0] = '\0';
                return r;
        }
        return 0;
}

static int open_agent(struct running *running, const struct key_pair *pair) {
        char path[2 * PATH_SIZE];
        int r;

        (void)snprintf(path, sizeof(path), "%s" AGENT_NAME, running->directory);
        r = agent_socket_open(&running->agent, path, pair);
        if (r == 0) {
                memcpy(running->agent_path, path, strlen(path) + 1);
                if (setenv("SSH_AUTH_SOCK", path, 1) < 0 || unsetenv("SSH_AGENT_PID") < 0)
                        r = -errno;
        }
        if (r < 0)
                complain("%s: cannot open the agent's socket: %s", path, strerror(-r));
        return r;
}

static int write_known_hosts(struct running *running, const struct session *session) {
        char path[2 * PATH_SIZE];
        int fd, r = 0;
        FILE *file;

        (void)snprintf(path, sizeof(path), "%s" KNOWN_HOSTS_NAME, running->directory);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0)
                memcpy(running->known_hosts_path, path, strlen(path) + 1);
        file = fd >= 0 ? fdopen(fd, "w") : NULL;
        if (!file) {
                r = -errno;
                if (fd >= 0)
                        (void)close(fd);
        }
        for (size_t i = 0; file && i < session->host_keys->n; i++) {
                char line[KNOWN_HOSTS_LINE_MAX];

                known_hosts_line(session->known_hosts, &session->host_keys->at[i].key, line);
                (void)fprintf(file, "%s\n", line);
        }
        if (file && fclose(file) != 0)
                r = -errno;
        if (r == 0 && setenv("EXC_KNOWN_HOSTS", path, 1) < 0)
                r = -errno;
        if (r < 0)
                complain("%s: cannot write it: %s", path, strerror(-r));
        return r;
}

/* From here on no signal ends this process before the directory is removed. */
static int take_signals(struct running *running) {
        struct sigaction by_default = {.sa_handler = SIG_DFL};
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGINT);
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGHUP);
        (void)sigaddset(&set, SIGQUIT);
        (void)sigprocmask(SIG_BLOCK, &set, &running->before);
        /* Where it is ignored, the exit status is lost. */
        (void)sigaction(SIGCHLD, &by_default, NULL);
        running->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (running->signal_fd >= 0)
                return 0;
        complain("cannot wait for signals: %s", strerror(errno));
        return -EIO;
}

/* EXIT_DONE, or an exit status when the reason is printed. */
static int start(struct running *running, char *const *argv) {
        posix_spawnattr_t attributes;
        int error;

        error = posix_spawnattr_init(&attributes);
        if (error == 0) {
                error = posix_spawnattr_setsigmask(&attributes, &running->before);
                if (error == 0)
                        error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
                if (error == 0)
                        error = posix_spawnp(&running->pid, argv[0], NULL, &attributes, argv, environ);
                (void)posix_spawnattr_destroy(&attributes);
        }
        if (error != 0) {
                complain("%s: cannot run it: %s", argv[0], strerror(error));
                return error == ENOENT ? SESSION_NOT_FOUND : SESSION_NOT_EXECUTABLE;
        }
        running->pidfd = (int)syscall(SYS_pidfd_open, running->pid, 0); /* glibc has it from 2.36 */
        if (running->pidfd >= 0)
                return EXIT_DONE;
        complain("cannot wait for %s: %s", argv[0], strerror(errno));
        (void)kill(running->pid, SIGKILL);
        (void)waitpid(running->pid, NULL, 0);
        return EXIT_OWN_FAILURE;
}

/* The terminal's signals (SI_KERNEL) reach the whole process group, which includes the command. */
static void forward_signals(const struct running *running) {
        struct signalfd_siginfo from;

        while (read(running->signal_fd, &from, sizeof(from)) == (ssize_t)sizeof(from))
                if (from.ssi_code != SI_KERNEL)
                        (void)kill(running->pid, (int)from.ssi_signo);
}

static int exit_status(const struct running *running) {
        int status;

        while (waitpid(running->pid, &status, 0) < 0)
                if (errno != EINTR) {
                        complain("the command's exit status is not known: %s", strerror(errno));
                        return EXIT_OWN_FAILURE;
                }
        return WIFSIGNALED(status) ? SESSION_SIGNALLED + WTERMSIG(status) : WEXITSTATUS(status);
}

static int serve_until_end(struct running *running) {
        struct pollfd polled[2 + AGENT_POLL_MAX];

        for (;;) {
                size_t n = 0;

                polled[0] = (struct pollfd){.fd = running->pidfd, .events = POLLIN};
                polled[1] = (struct pollfd){.fd = running->signal_fd, .events = POLLIN};
                if (running->agent.fd >= 0)
                        n = agent_socket_poll(&running->agent, polled + 2);
                if (poll(polled, 2 + n, -1) < 0) {
                        if (errno == EINTR)
                                continue;
                        /* Out of memory. The command continues without the agent. */
                        complain("cannot serve the command any more: %s", strerror(errno));
                        return exit_status(running);
                }
                if (polled[0].revents != 0)
                        return exit_status(running);
                if (polled[1].revents != 0)
                        forward_signals(running);
                agent_socket_serve(&running->agent, polled + 2, n);
        }
}

static void clean_up(struct running *running) {
        agent_socket_close(&running->agent);
        if (running->agent_path[0])
                (void)unlink(running->agent_path);
        if (running->known_hosts_path[0])
                (void)unlink(running->known_hosts_path);
        if (running->directory[0])
                (void)rmdir(running->directory);
        if (running->pidfd >= 0)
                (void)close(running->pidfd);
        if (running->signal_fd >= 0)
                (void)close(running->signal_fd);
        /* The signals stay blocked: a late one must not replace the exit status. */
}

int session_run(const struct session *session) {
        struct running running = {.agent = {.fd = -EBADF}, .signal_fd = -EBADF, .pidfd = -EBADF};
        int r, status = EXIT_OWN_FAILURE;

        for (size_t i = 0; i < AGENT_PEERS_MAX; i++)
                running.agent.peers[i].fd = -EBADF;
        r = take_signals(&running);
        if (r == 0 && (session->pair || session->known_hosts))
                r = make_directory(&running);
        if (r == 0 && session->pair)
                r = open_agent(&running, session->pair);
        if (r == 0 && session->known_hosts)
                r = write_known_hosts(&running, session);
        if (r == 0) {
                status = start(&running, session->argv);
                if (status == EXIT_DONE)
                        status = serve_until_end(&running);
        }
        clean_up(&running);
        return status;
}
