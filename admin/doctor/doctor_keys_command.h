/* SPDX-License-Identifier: Apache-2.0 */
/* The AuthorizedKeysCommand of each sshd: whether it is ours, and whether it says what it must. */
#ifndef EXC_DOCTOR_KEYS_COMMAND_H
#define EXC_DOCTOR_KEYS_COMMAND_H

#include "admin/doctor/doctor.h"
#include "admin/sshd/sshd.h"

/* `n` may be 0: sshd's usual configuration is then looked at. `version` as sshd_version() gives it. */
void doctor_keys_command(struct examination *examination, const struct sshd_service *services, size_t n, int version);

/* Whether a command is ours, whatever else is in it. */
bool doctor_command_is_ours(const char *command);

#endif
