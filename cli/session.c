/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/output.h"
#include "common/clock.h"
#include "libpush/known_hosts.h"
#include "wire/refusal.h"

#define AGENT_NAME "agent.sock"
#define PUBLIC_KEY_NAME "key.pub"
#define KNOWN_HOSTS_NAME "known_hosts"

static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

enum { N_PASSED_ON = sizeof(passed_on) / sizeof(passed_on[0]) };

int64_t session_now_ns(void) {
        return clock_ns(CLOCK_MONOTONIC);
}

/* --- the directory ----------------------------------------------------------------------------------------------- */

static void path_in(const struct session *session, const char *name, char ret[static PRIVATE_PATH_MAX]) {
        size_t n = strlen(session->directory);

        /* private_directory_make() leaves room. */
        memcpy(ret, session->directory, n);
        (void)snprintf(ret + n, PRIVATE_PATH_MAX - n, "/%s", name);
}

static int open_agent(struct session *session, const struct key_pair *pair) {
        char path[PRIVATE_PATH_MAX];
        int r;

        path_in(session, AGENT_NAME, path);
        r = agent_socket_open(&session->agent, path, pair);
        if (r == 0)
                memcpy(session->agent_path, path, sizeof(path));
        else
                complain("%s: cannot open the agent's socket: %s", path, strerror(-r));
        return r;
}

/* Creates a file and leaves its path in `ret_path` for session_close(). NULL when it has complained. */
static FILE *create(const struct session *session, const char *name, char ret_path[static PRIVATE_PATH_MAX]) {
        char path[PRIVATE_PATH_MAX];
        FILE *file;
        int fd;

        path_in(session, name, path);
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0)
                memcpy(ret_path, path, sizeof(path));
        file = fd >= 0 ? fdopen(fd, "w") : NULL;
        if (!file) {
                complain("%s: cannot write it: %s", path, strerror(errno));
                if (fd >= 0)
                        (void)close(fd);
        }
        return file;
}

static int finish(FILE *file, const char *path) {
        if (fclose(file) == 0)
                return 0;
        complain("%s: cannot write it: %s", path, strerror(errno));
        return -EIO;
}

static int write_known_hosts(struct session *session, const struct session_needs *needs) {
        FILE *file = create(session, KNOWN_HOSTS_NAME, session->known_hosts_path);

        if (!file)
                return -EIO;
        for (size_t i = 0; i < needs->n_host_keys; i++) {
                char line[KNOWN_HOSTS_LINE_MAX];

                known_hosts_line(needs->known_hosts, needs->host_keys[i], line);
                (void)fprintf(file, "%s\n", line);
        }
        return finish(file, session->known_hosts_path);
}

/* So that ssh knows which of an agent's keys is meant (IdentityFile in ssh_config(5)). */
static int write_public_key(struct session *session, const struct ssh_key *key) {
        FILE *file = create(session, PUBLIC_KEY_NAME, session->public_key_path);
        char text[SSH_KEY_TEXT_MAX];

        if (!file)
                return -EIO;
        ssh_key_to_text(key, text);
        (void)fprintf(file, "%s\n", text);
        return finish(file, session->public_key_path);
}

/* From here on no signal ends this process before the directory is removed. */
static int take_signals(struct session *session) {
        struct sigaction by_default = {.sa_handler = SIG_DFL};
        sigset_t set;

        (void)sigemptyset(&set);
        for (size_t i = 0; i < N_PASSED_ON; i++)
                (void)sigaddset(&set, passed_on[i]);
        (void)sigaddset(&set, SIGCHLD);
        (void)sigprocmask(SIG_BLOCK, &set, &session->before);
        /* Where it is ignored, the exit status is lost. */
        (void)sigaction(SIGCHLD, &by_default, NULL);
        session->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (session->signal_fd >= 0)
                return 0;
        complain("cannot wait for signals: %s", strerror(errno));
        return -EIO;
}

int session_open(struct session *ret, const struct session_needs *needs) {
        int r;

        *ret = (struct session){.agent = {.fd = -EBADF}, .signal_fd = -EBADF, .pidfd = -EBADF};
        for (size_t i = 0; i < AGENT_PEERS_MAX; i++)
                ret->agent.peers[i].fd = -EBADF;
        r = take_signals(ret);
        if (r == 0 && (needs->pair || needs->known_hosts))
                r = private_directory_make(needs->prefix, ret->directory);
        if (r == 0 && needs->pair)
                r = open_agent(ret, needs->pair);
        if (r == 0 && needs->public_key)
                r = write_public_key(ret, &needs->pair->public_half);
        if (r == 0 && needs->known_hosts)
                r = write_known_hosts(ret, needs);
        return r == 0 ? EXIT_DONE : EXIT_OWN_FAILURE;
}

void session_close(struct session *session) {
        const char *const paths[] = {session->agent_path, session->public_key_path, session->known_hosts_path};

        agent_socket_close(&session->agent);
        for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
                if (paths[i][0])
                        (void)unlink(paths[i]);
        if (session->directory[0])
                (void)rmdir(session->directory);
        if (session->pidfd >= 0)
                (void)close(session->pidfd);
        if (session->signal_fd >= 0)
                (void)close(session->signal_fd);
        session->pidfd = session->signal_fd = -EBADF;
        /* The signals stay blocked: a late one must not replace the exit status. */
}

/* --- the command ------------------------------------------------------------------------------------------------- */

struct pipes {
        int input[2], output[2]; /* read end, write end */
};

static void close_pipes(const struct pipes *pipes) {
        for (int i = 0; i < 2; i++) {
                if (pipes->input[i] >= 0)
                        (void)close(pipes->input[i]);
                if (pipes->output[i] >= 0)
                        (void)close(pipes->output[i]);
        }
}

/* An errno. */
static int set_up(const struct session *session, const struct session_start *start, const struct pipes *pipes,
                  posix_spawnattr_t *attributes, posix_spawn_file_actions_t *actions) {
        int error = posix_spawnattr_setsigmask(attributes, &session->before);
        int input = start->ret_to ? pipes->input[0] : start->input;

        if (error == 0)
                error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK);
        if (error == 0 && (start->ret_to || start->input > 0))
                error = posix_spawn_file_actions_adddup2(actions, input, STDIN_FILENO);
        if (error == 0 && start->ret_from)
                error = posix_spawn_file_actions_adddup2(actions, pipes->output[1], STDOUT_FILENO);
        return error;
}

/* Signals that are ignored stay ignored in the command: ssh keeps to that too. What was set before is left in `ret`. */
static void ignore(struct sigaction ret[static N_PASSED_ON]) {
        const struct sigaction action = {.sa_handler = SIG_IGN};

        for (size_t i = 0; i < N_PASSED_ON; i++)
                (void)sigaction(passed_on[i], passed_on[i] == SIGTSTP ? NULL : &action, &ret[i]);
}

static void restore(const struct sigaction before[static N_PASSED_ON]) {
        for (size_t i = 0; i < N_PASSED_ON; i++)
                (void)sigaction(passed_on[i], &before[i], NULL);
}

/* An errno. */
static int spawn(struct session *session, const struct session_start *start, const struct pipes *pipes) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        struct sigaction before[N_PASSED_ON];
        int error = posix_spawnattr_init(&attributes);

        if (error != 0)
                return error;
        error = posix_spawn_file_actions_init(&actions);
        if (error == 0) {
                error = set_up(session, start, pipes, &attributes, &actions);
                if (start->keeps_signals)
                        ignore(before);
                if (error == 0)
                        error = posix_spawnp(&session->pid, start->argv[0], &actions, &attributes, start->argv,
                                             environ);
                if (start->keeps_signals)
                        restore(before);
                (void)posix_spawn_file_actions_destroy(&actions);
        }
        (void)posix_spawnattr_destroy(&attributes);
        if (error != 0)
                session->pid = 0;
        return error;
}

static int make_pipes(const struct session_start *start, struct pipes *ret) {
        *ret = (struct pipes){{-EBADF, -EBADF}, {-EBADF, -EBADF}};
        if ((start->ret_to && pipe2(ret->input, O_CLOEXEC) < 0) ||
            (start->ret_from && pipe2(ret->output, O_CLOEXEC) < 0)) {
                complain("%s: cannot make a pipe to it: %s", start->argv[0], strerror(errno));
                return -EMFILE;
        }
        return 0;
}

/* Leaves the caller's ends in `start`. */
static void hand_over(const struct session_start *start, struct pipes *pipes) {
        if (start->ret_to) {
                *start->ret_to = pipes->input[1];
                (void)fcntl(pipes->input[1], F_SETFL, O_NONBLOCK);
                pipes->input[1] = -EBADF;
        }
        if (start->ret_from) {
                *start->ret_from = pipes->output[0];
                (void)fcntl(pipes->output[0], F_SETFL, O_NONBLOCK);
                pipes->output[0] = -EBADF;
        }
}

int session_start(struct session *session, const struct session_start *start) {
        struct pipes pipes;
        int error;

        session->keeps_signals = start->keeps_signals;
        if (make_pipes(start, &pipes) < 0) {
                close_pipes(&pipes);
                return EXIT_OWN_FAILURE;
        }
        error = spawn(session, start, &pipes);
        if (error == 0)
                hand_over(start, &pipes);
        close_pipes(&pipes);
        if (error != 0) {
                complain("%s: cannot run it: %s", start->argv[0], strerror(error));
                return error == ENOENT ? SESSION_NOT_FOUND : SESSION_NOT_EXECUTABLE;
        }
        session->pidfd = (int)syscall(SYS_pidfd_open, session->pid, 0); /* glibc has it from 2.36 */
        if (session->pidfd >= 0)
                return EXIT_DONE;
        complain("cannot wait for %s: %s", start->argv[0], strerror(errno));
        (void)kill(session->pid, SIGKILL);
        (void)waitpid(session->pid, NULL, 0);
        session->pid = 0;
        return EXIT_OWN_FAILURE;
}

void session_kill(const struct session *session, int signal_number) {
        if (session->pid > 0)
                (void)kill(session->pid, signal_number);
}

void session_set_aside(struct session *session, struct session_aside *ret) {
        *ret = (struct session_aside){
                .pid = session->pid, .pidfd = session->pidfd, .keeps_signals = session->keeps_signals};
        session->pid = 0;
        session->pidfd = -EBADF;
        session->keeps_signals = false;
}

void session_take_back(struct session *session, const struct session_aside *aside) {
        if (session->pidfd >= 0)
                (void)close(session->pidfd);
        session->pid = aside->pid;
        session->pidfd = aside->pidfd;
        session->keeps_signals = aside->keeps_signals;
}

/*
 * Stops as the command has stopped: its stop is read once, so that one stop of the command is one of this process. At the stop
 * key some commands, as scp, stop themselves by SIGSTOP; without the key that one is between others and the command.
 */
static void stop_with(struct session *session) {
        siginfo_t info = {.si_pid = 0};

        if (session->pid > 0 && waitid(P_PID, (id_t)session->pid, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid != 0 &&
            (info.si_status != SIGSTOP || session->stopping)) {
                session->stopping = false;
                (void)raise(SIGSTOP);
        }
}

/* The terminal's signals (SI_KERNEL) reach the whole process group, which includes the command. */
static void take_signal(struct session *session) {
        struct signalfd_siginfo from;
        bool child = false;

        while (read(session->signal_fd, &from, sizeof(from)) == (ssize_t)sizeof(from)) {
                int number = (int)from.ssi_signo;

                if (number == SIGCHLD) {
                        child = true;
                        continue;
                }
                session->stopping = session->stopping || (number == SIGTSTP && from.ssi_code == SI_KERNEL);
                if (number != SIGTSTP && session->signal == 0)
                        session->signal = number;
                if (session->keeps_signals && number != SIGTSTP)
                        continue;
                if (from.ssi_code != SI_KERNEL)
                        session_kill(session, number);
        }
        /* After a stop key that came before it, whichever is read first. */
        if (child)
                stop_with(session);
}

static enum session_event reap(struct session *session) {
        while (waitpid(session->pid, &session->status, 0) < 0)
                if (errno != EINTR) {
                        complain("the command's exit status is not known: %s", strerror(errno));
                        session->pid = 0;
                        return SESSION_FAILED;
                }
        session->pid = 0;
        return SESSION_ENDED;
}

/* For poll(2); -1: none. */
static int left_ms(int64_t deadline_ns) {
        int64_t left = (deadline_ns - session_now_ns() + 999999) / 1000000;

        if (deadline_ns == 0)
                return -1;
        return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

enum session_event session_wait(struct session *session, int fd, short events, int64_t deadline_ns) {
        struct pollfd polled[3 + AGENT_POLL_MAX];

        for (;;) {
                size_t n = 0;
                int ready;

                polled[0] = (struct pollfd){.fd = session->pid > 0 ? session->pidfd : -1, .events = POLLIN};
                polled[1] = (struct pollfd){.fd = session->signal_fd, .events = POLLIN};
                polled[2] = (struct pollfd){.fd = fd, .events = events};
                if (session->agent.fd >= 0)
                        n = agent_socket_poll(&session->agent, polled + 3);
                ready = poll(polled, 3 + n, left_ms(deadline_ns));
                if (ready < 0) {
                        if (errno == EINTR)
                                continue;
                        /* Out of memory. The command continues without the agent. */
                        complain("cannot serve the command any more: %s", strerror(errno));
                        return session->pid > 0 ? reap(session) : SESSION_FAILED;
                }
                if (polled[1].revents != 0) {
                        take_signal(session);
                        if (session->keeps_signals && session->signal != 0)
                                return SESSION_SIGNAL;
                }
                agent_socket_serve(&session->agent, polled + 3, n);
                if (polled[2].revents != 0)
                        return SESSION_READY;
                if (polled[0].revents != 0)
                        return reap(session);
                if (ready == 0)
                        return SESSION_TIME;
        }
}

int session_status(const struct session *session) {
        return WIFSIGNALED(session->status) ? SESSION_SIGNALLED + WTERMSIG(session->status)
                                            : WEXITSTATUS(session->status);
}
