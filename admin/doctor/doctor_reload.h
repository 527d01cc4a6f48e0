/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXC_DOCTOR_RELOAD_H
#define EXC_DOCTOR_RELOAD_H

#include <stdbool.h>

#include "admin/doctor/finding.h"

/* Whether a socket of systemd's starts this service: "ssh.socket" does so with "ssh@.service" and "ssh.service". */
bool doctor_socket_listens(const char *service);

/*
 * What makes an sshd read its configuration again. One that a socket of systemd's starts does not find that again when it is
 * reloaded (Debian 13), and is restarted: its connections are processes of their own.
 */
struct remedy doctor_reload(const char *service);

/*
 * An editor at the line that sets a keyword of sshd's, where only a person knows what is right, and then `service` (NULL:
 * none) reads it. Without a remedy where no such line is to be found.
 */
struct remedy doctor_edit(const char *keyword, const char *service);

#endif
