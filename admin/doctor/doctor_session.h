/* SPDX-License-Identifier: Apache-2.0 */
/* What sshd runs for the user: a shell, a command or sftp, and in which root directory. */
#ifndef EXC_DOCTOR_SESSION_H
#define EXC_DOCTOR_SESSION_H

#include <pwd.h>

#include "admin/doctor/doctor.h"
#include "admin/sshd/sshd_clients.h"

/* `clients` NULL: what sshd says is not known, and a shell is expected. */
void doctor_session(struct examination *examination, const struct passwd *user, const struct sshd_clients *clients);

#endif
