/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/doctor_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SERVICE_DIRECTORIES "/etc/systemd/system"

static bool other_mounts(pid_t pid) {
        struct stat its, own;
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
        return stat(path, &its) == 0 && stat("/proc/self/ns/mnt", &own) == 0 && its.st_ino != own.st_ino;
}

bool doctor_own_mounts(const struct sshd_service *service) {
        return service->active && service->main_pid > 0 && other_mounts(service->main_pid);
}

int doctor_enter_mounts(pid_t pid) {
        int own, its, r = 0;
        char path[64];

        if (!other_mounts(pid))
                return -EALREADY;
        own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
        if (own < 0)
                return -errno;
        (void)snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
        its = open(path, O_RDONLY | O_CLOEXEC);
        if (its < 0 || setns(its, CLONE_NEWNS) < 0)
                r = -errno;
        if (its >= 0)
                (void)close(its);
        if (r >= 0)
                return own;
        (void)close(own);
        return r;
}

void doctor_leave_mounts(int own) {
        (void)setns(own, CLONE_NEWNS);
        (void)close(own);
}

struct remedy doctor_service_remedy(const struct sshd_service *service, const char *file, const char *line) {
        char directory[256], path[320];

        (void)snprintf(directory, sizeof(directory), SERVICE_DIRECTORIES "/%s.d", service->name);
        (void)snprintf(path, sizeof(path), "%s/%s", directory, file);
        return remedy_of("mkdir -p %s && printf '[Service]\\n%%s\\n' %s >%s && systemctl daemon-reload && "
                         "systemctl restart %s",
                         directory, line, path, service->name);
}
