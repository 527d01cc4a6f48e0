/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ssh command line: an array of checked values, never a shell's text.
 *
 *      ssh PINS -l USER -p PORT SSH-OPTIONS DEFAULTS -- ADDRESS [COMMAND...]
 *
 * For most options ssh takes the first value that it finds, and finds those of the command line before those of
 * ~/.ssh/config. So the pins hold whatever the user has configured; the user's own arguments come before the defaults, and
 * so win over these, which in turn win over the user's files.
 */
#ifndef EXC_SSH_COMMAND_H
#define EXC_SSH_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "exc/connect_answer.h"

/* Words of a command, each allocated. */
struct words {
        char **at; /* ends with NULL */
        size_t n, size;
        bool failed; /* without memory: the rest is not added */
};

void words_add(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));
void words_free(struct words *words);

/* How the VM's sshd is reached: the addresses to try, in order. */
struct ssh_route {
        size_t n;
        const char *address[CONNECT_ADDRESSES_MAX];
        int port;
};

struct ssh_want {
        const char *program; /* "ssh" */
        const char *vm_id;
        const char *user;
        const struct ssh_route *route;
        const char *identity_file; /* a public or private key */
        const char *agent;         /* a socket; NULL: the user's own agent */
        const char *known_hosts;   /* a file; NULL: `host_keys` on the command line */
        const struct ssh_key *host_keys;
        size_t n_host_keys;
        const char *config;       /* for -F; NULL: the user's and the system's */
        const char *control_path; /* where ssh listens for others that use the connection; NULL: nowhere */
        bool batch;               /* a command of exc's own: no forwardings, no local command, no terminal */
        bool terminal;            /* with `batch`: a terminal all the same */
        bool subsystem;           /* `command` is the name of one */
        const char *command;      /* one word; NULL: what is in `arguments` */
        char *const *arguments;   /* the user's own: options of ssh, then perhaps a command; NULL: none */
};

/* Fills `ret`, which the caller frees in any case. False: no memory. */
bool ssh_command_make(const struct ssh_want *want, struct words *ret);

/*
 * The number of words at the front of `arguments` that are ssh's options, with their values and a "--"; the rest is a
 * command. `ret_own_route`: whether they say how to reach the VM (-J, ProxyJump, ProxyCommand).
 */
size_t ssh_command_options(char *const *arguments, bool *ret_own_route);

/* Prints the words as a POSIX shell reads them. */
void words_print_shell(const struct words *words);

#endif
