/* SPDX-License-Identifier: Apache-2.0 */
/* The mount namespace of a service's sshd, and settings of systemd's for it (systemd.exec(5)). */
#ifndef EXC_DOCTOR_NAMESPACE_H
#define EXC_DOCTOR_NAMESPACE_H

#include "admin/doctor/finding.h"
#include "admin/sshd/sshd.h"

/* Whether it runs and has one that is not this process's. */
bool doctor_own_mounts(const struct sshd_service *service);

/*
 * Enters the mount namespace of a process: a descriptor for doctor_leave_mounts(), or negative errno; -EALREADY where it is
 * the same.
 */
int doctor_enter_mounts(pid_t pid);
void doctor_leave_mounts(int own);

/* Writes a drop-in of ours for the service with this line, and restarts it. Sessions that are open go on. */
struct remedy doctor_service_remedy(const struct sshd_service *service, const char *file, const char *line);

#endif
