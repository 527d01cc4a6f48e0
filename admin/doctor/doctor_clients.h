/* SPDX-License-Identifier: Apache-2.0 */
/* A check of what sshd says, made for each client that it may treat differently (admin/sshd/sshd_clients.h). */
#ifndef EXC_DOCTOR_CLIENTS_H
#define EXC_DOCTOR_CLIENTS_H

#include "admin/doctor/doctor.h"
#include "admin/sshd/sshd_clients.h"

/* How the text of a FINDING_CLIENT_WARNING begins. */
#define DOCTOR_DEPENDS "it depends on where the client is: "

/* Adds the finding about this client, the same one check each time, or none. */
typedef void (*doctor_judge)(void *context, const struct sshd_client *client, struct findings *to);

/*
 * Adds one finding for all clients: what each got, where that is the same, and otherwise which client gets what. That has no
 * remedy, since who is let in from where is for the administrator to decide; with --from there is none either where the
 * configuration names clients.
 */
void doctor_clients_judge(struct examination *examination, const struct sshd_clients *clients, doctor_judge judge,
                          void *context);

/* Adds a warning for each client that sshd could not be asked about. */
void doctor_clients_not_asked(struct examination *examination, const struct sshd_clients *clients);

/* Adds a failure where each client is refused, and not each by the same check. */
void doctor_clients_end(struct examination *examination);

#endif
