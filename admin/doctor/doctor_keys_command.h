/* SPDX-License-Identifier: Apache-2.0 */
/* The AuthorizedKeysCommand of each sshd: whether it is ours, and whether it says what it must. */
#ifndef EXC_DOCTOR_KEYS_COMMAND_H
#define EXC_DOCTOR_KEYS_COMMAND_H

#include "admin/doctor/doctor.h"
#include "admin/sshd/sshd.h"
#include "admin/sshd/sshd_clients.h"

/*
 * `n` may be 0: sshd's usual configuration is then looked at. `clients`: what each service says to its clients, or NULL;
 * one also where `n` is 0.
 */
void doctor_keys_command(struct examination *examination, const struct sshd_service *services,
                         struct sshd_clients *const clients[], size_t n);

/*
 * The command of the first client from index `*i` on for which it is ours, to be cleared, and its index in `*i`. False where
 * there is none.
 */
bool doctor_keys_command_of(const struct sshd_clients *clients, size_t *i, struct sshd_keys_command *ret);

/* Whether a command is ours, whatever else is in it. */
bool doctor_command_is_ours(const char *command);

#endif
