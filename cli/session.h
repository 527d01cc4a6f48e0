/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a command that logs in, with a key that exists nowhere else and the guest's host keys.
 *
 * 1. session_open() makes a private directory with the agent's socket, the public key and the file of known hosts, as far as
 *    requested.
 * 2. session_start() starts the command in this process group, so it has the terminal.
 * 3. session_wait() serves the agent. SIGINT, SIGTERM, SIGHUP and SIGQUIT are passed on to the command; the terminal's own
 *    signals reach it directly. When the command stops (Ctrl-Z, or ssh's ~^Z), this process stops too, so that the shell
 *    gets the terminal back.
 * 4. session_close() ends the agent and removes the directory.
 */
#ifndef EXC_SESSION_H
#define EXC_SESSION_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/private_directory.h"
#include "libpush/agent_socket.h"
#include "libpush/key_pair.h"

enum {
        SESSION_NOT_EXECUTABLE = 126, /* as the shell and env(1) have it */
        SESSION_NOT_FOUND = 127,
        SESSION_SIGNALLED = 128, /* and the signal's number added */
};

struct session_needs {
        const char *prefix;          /* of the directory's name */
        const struct key_pair *pair; /* NULL: no agent */
        bool public_key;             /* and a file with its public half */
        const char *known_hosts;     /* a name; NULL: no such file */
        const struct ssh_key *const *host_keys;
        size_t n_host_keys;
};

/* A command and what was made for it. Its members are for reading. */
struct session {
        char directory[PRIVATE_PATH_MAX]; /* "": none; so are these */
        char agent_path[PRIVATE_PATH_MAX];
        char public_key_path[PRIVATE_PATH_MAX];
        char known_hosts_path[PRIVATE_PATH_MAX];
        struct agent_socket agent;
        sigset_t before; /* signals that were blocked */
        int signal_fd;
        pid_t pid; /* 0: none, or it has ended */
        int pidfd;
        int status; /* SESSION_ENDED: of the command, as wait(2) has it */
        int signal; /* the first that this process got, 0: none */
        bool keeps_signals;
        bool stopping; /* the terminal's stop key was pressed, and the command has not stopped yet */
};

enum session_event {
        SESSION_READY, /* the descriptor */
        SESSION_ENDED, /* the command */
        SESSION_TIME,  /* the deadline has passed */
        SESSION_SIGNAL,
        SESSION_FAILED, /* out of memory; it has complained */
};

/* EXIT_DONE, or EXIT_OWN_FAILURE when the reason is printed. `ret` must be closed in any case. */
int session_open(struct session *ret, const struct session_needs *needs);

/* How a command is started. All zeros: it has this process's streams and gets its signals. */
struct session_start {
        char *const *argv;
        int *ret_to, *ret_from; /* not NULL: pipes to its standard input, from its standard output; do not block */
        int input;              /* above 0: its standard input */
        bool keeps_signals;     /* signals are ignored by the command, and end session_wait() with SESSION_SIGNAL */
};

/* EXIT_DONE, or SESSION_NOT_FOUND, SESSION_NOT_EXECUTABLE or EXIT_OWN_FAILURE when the reason is printed. */
int session_start(struct session *session, const struct session_start *start);

/* Serves until something happens. `fd` below 0: none. `deadline_ns`, of CLOCK_MONOTONIC: 0 is none. */
enum session_event session_wait(struct session *session, int fd, short events, int64_t deadline_ns);

/* Sends the command a signal where it runs. */
void session_kill(const struct session *session, int signal_number);

/* A command that goes on while the session runs another one. */
struct session_aside {
        pid_t pid;
        int pidfd;
        bool keeps_signals;
};

/* Another command may be started then. */
void session_set_aside(struct session *session, struct session_aside *ret);

/* session_wait() is about that command again. The other one must have ended. */
void session_take_back(struct session *session, const struct session_aside *aside);

/* The command's status as a shell has it. */
int session_status(const struct session *session);

void session_close(struct session *session);

/* CLOCK_MONOTONIC, for deadlines. */
int64_t session_now_ns(void);

#endif
