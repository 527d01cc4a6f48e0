/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sshd's host keys, of which the agent answers a push with the public halves. The agent cannot ask sshd: it is not root and
 * executes nothing. It reads the files of HostKeyFiles= (exc-instance-connect.conf(5)).
 */
#ifndef EXC_SSHD_HOST_KEYS_H
#define EXC_SSHD_HOST_KEYS_H

#include <stdbool.h>

#include "admin/sshd/sshd.h"
#include "agent/config.h"
#include "conf/strv.h"

/*
 * Adds the paths of the public halves that an sshd with these -f and -o has (HostKey in sshd -T), each once, also where
 * there is no such file. A HostKey of which nothing is there is left out, as sshd does it. Negative errno, and then
 * `ret_why` says why.
 */
int sshd_host_keys_add(char *const arguments[], struct strv *to, char ret_why[static SSHD_WHY_MAX]);

/* Whether the agent reads this one, by HostKeyFiles= or where that is not set. */
bool sshd_host_key_is_named(const struct config *config, const char *path);

/* The line of agent.conf with these paths, to be freed. NULL without memory, or where a path has a blank. */
char *sshd_host_keys_line(const struct strv *paths);

#endif
