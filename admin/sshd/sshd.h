/* SPDX-License-Identifier: Apache-2.0 */
/* What sshd says of its configuration, and which services of this machine run an sshd. */
#ifndef EXC_SSHD_H
#define EXC_SSHD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/sshd_drop_in.h"

#define SSHD_PROGRAM "/usr/sbin/sshd"
#define SSHD_CONFIG "/etc/ssh/sshd_config"

enum {
        SSHD_WHY_MAX = 512,
        SSHD_ARGUMENTS_MAX = 34,
        SSHD_SERVICES_MAX = 16,
};

/*
 * Asks sshd for its effective configuration (sshd -T; with -C user=… when `user` is not NULL), with `arguments` (-f, -o;
 * ended by NULL, or NULL) before that. `ret` is to be freed. Negative errno, and then `ret_why` says what sshd or the system
 * said, in one line. An sshd without /run/sshd is given it; where systemd runs it stays there.
 */
int sshd_effective(char *const arguments[], const char *user, char **ret, char ret_why[static SSHD_WHY_MAX]);

/* The same for a connection, as -C takes it (sshd(8)); NULL: none. */
int sshd_effective_for(char *const arguments[], const char *specification, char **ret,
                       char ret_why[static SSHD_WHY_MAX]);

/*
 * Of what sshd_effective() gave: the value of the `nth` line (from 0) with this name, in any case; false where there is none,
 * or it is too long. And whether there is one with this value.
 */
bool sshd_setting(const char *effective, const char *name, size_t nth, char *ret, size_t size);
bool sshd_setting_is(const char *effective, const char *name, const char *value);

/* The AuthorizedKeysCommand that is in effect. */
struct sshd_keys_command {
        char *command; /* as sshd -T prints it; NULL: none */
        char *user;    /* AuthorizedKeysCommandUser; NULL: none */
};

/*
 * What of that is about our command. Names are compared without regard to case: sshd prints them in lower case up to 10.3
 * and in mixed case since.
 */
int sshd_keys_command(char *const arguments[], const char *user, struct sshd_keys_command *ret,
                      char ret_why[static SSHD_WHY_MAX]);

/* The same of what sshd_effective() gave. False without memory. */
bool sshd_keys_command_of(const char *effective, struct sshd_keys_command *ret);
void sshd_keys_command_clear(struct sshd_keys_command *command);

/* sshd -t with these arguments: 0, or negative errno and what it said. */
int sshd_test(char *const arguments[], char ret_why[static SSHD_WHY_MAX]);

/* OpenSSH's version as major * 100 + minor (9.2p1: 902). Negative errno. */
int sshd_version(void);

/* A systemd service, or a template that a socket starts for each connection, whose ExecStart is an sshd. */
struct sshd_service {
        char *name; /* ssh.service, ssh@.service */
        bool active;
        bool per_connection;                     /* sshd -i: reads its configuration at every connection */
        pid_t main_pid;                          /* 0 where there is none */
        char *keys_command_file;                 /* of the unit's, one with AuthorizedKeysCommand in it; NULL: none */
        char *arguments[SSHD_ARGUMENTS_MAX + 1]; /* -f and -o and their values alone, ended by NULL */
};

/*
 * Those that are loaded or installed. The number of them, up to SSHD_SERVICES_MAX; negative errno. Where no systemd runs
 * (an offline chroot) the unit files are read.
 */
int sshd_services(struct sshd_service ret[static SSHD_SERVICES_MAX]);
void sshd_services_clear(struct sshd_service *services, size_t n);

#endif
