/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an sshd with mounts of its own sees of the helper and the store (ProtectSystem=, ReadOnlyPaths=, InaccessiblePaths=,
 * TemporaryFileSystem= and the like in systemd.exec(5)). The helper, which it runs, sees the same.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "admin/doctor/doctor.h"
#include "admin/doctor/doctor_namespace.h"
#include "admin/sshd/sshd.h"
#include "common/journal.h"
#include "common/store.h"

#define DROP_IN "zz-exc-instance-connect-mounts.conf"

enum view { SEEN, HIDDEN, READ_ONLY, NOT_EXECUTABLE };

/* Through the root directory of the process: its mounts count then (proc_pid_root(5)). */
static enum view view_of(const struct sshd_service *service, const char *path, unsigned long unwanted) {
        char its_path[PATH_MAX];
        struct stat own, its;
        struct statvfs fs;

        (void)snprintf(its_path, sizeof(its_path), "/proc/%d/root%s", (int)service->main_pid, path);
        if (stat(path, &own) < 0)
                return SEEN; /* others report that it is missing */
        if (stat(its_path, &its) < 0 || its.st_dev != own.st_dev || its.st_ino != own.st_ino)
                return HIDDEN;
        if (statvfs(its_path, &fs) < 0 || (fs.f_flag & unwanted) == 0)
                return SEEN;
        return unwanted == ST_RDONLY ? READ_ONLY : NOT_EXECUTABLE;
}

/* Whether systemd's own inaccessible directory or file lies on it, or on one above it: then nothing below can be added. */
static bool is_inaccessible(const struct sshd_service *service, const char *path) {
        char name[64], line[4096], root[PATH_MAX], at[PATH_MAX];
        bool found = false;
        FILE *file;

        (void)snprintf(name, sizeof(name), "/proc/%d/mountinfo", (int)service->main_pid);
        file = fopen(name, "re");
        while (file && !found && fgets(line, sizeof(line), file))
                if (sscanf(line, "%*s %*s %*s %4095s %4095s", root, at) == 2) {
                        size_t n = strlen(at);

                        found = strstr(root, "/inaccessible/") && strncmp(path, at, n) == 0 &&
                                (path[n] == '/' || path[n] == '\0');
                }
        if (file)
                (void)fclose(file);
        return found;
}

/* `bind`: what is to be seen there. */
static void report_hidden(struct examination *examination, enum finding_status status,
                          const struct sshd_service *service, const char *path, const char *bind, const char *harm) {
        char line[PATH_MAX];

        if (is_inaccessible(service, path)) {
                found(&examination->findings, status, "sshd-mounts", NO_REMEDY,
                      "%s cannot see %s, so %s: InaccessiblePaths= of the service hides it or a directory above it; "
                      "remove that from the files that \"systemctl cat %s\" shows, and restart the service",
                      service->name, path, harm, service->name);
                return;
        }
        (void)snprintf(line, sizeof(line), "BindPaths=-%s", bind);
        found(&examination->findings, status, "sshd-mounts", doctor_service_remedy(service, DROP_IN, line),
              "%s has mounts of its own and does not see %s (TemporaryFileSystem= or the like), so %s", service->name,
              path, harm);
}

static bool look_at_helper(struct examination *examination, const struct sshd_service *service) {
        switch (view_of(service, HELPER_PROGRAM, ST_NOEXEC)) {
        case HIDDEN:
                report_hidden(examination, FINDING_FAILURE, service, HELPER_PROGRAM, PKGLIBEXECDIR,
                              "it cannot run the helper");
                return false;
        case NOT_EXECUTABLE:
                fail(&examination->findings, "sshd-mounts",
                     doctor_service_remedy(service, DROP_IN, "ExecPaths=-" PKGLIBEXECDIR),
                     "%s may not execute %s (NoExecPaths=), so it cannot run the helper", service->name,
                     HELPER_PROGRAM);
                return false;
        case SEEN:
        case READ_ONLY:
                break;
        }
        return true;
}

static bool look_at_store(struct examination *examination, const struct sshd_service *service) {
        static const char *const directories[] = {STORE_RUNTIME_DIR "/keys", STORE_RUNTIME_DIR "/claims"};

        for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
                if (view_of(service, directories[i], 0) == HIDDEN) {
                        report_hidden(examination, FINDING_FAILURE, service, directories[i], STORE_RUNTIME_DIR,
                                      "the helper finds no key");
                        return false;
                }
        if (view_of(service, directories[1], ST_RDONLY) == READ_ONLY) {
                fail(&examination->findings, "sshd-mounts",
                     doctor_service_remedy(service, DROP_IN, "ReadWritePaths=-" STORE_RUNTIME_DIR),
                     "%s sees %s read-only (ProtectSystem=strict, ReadOnlyPaths=), so the helper cannot take a slot "
                     "and "
                     "gives no key out",
                     service->name, directories[1]);
                return false;
        }
        return true;
}

void doctor_mounts(struct examination *examination) {
        struct sshd_service services[SSHD_SERVICES_MAX] = {{.name = NULL}};
        int n = sshd_services(services);

        for (int i = 0; i < n; i++) {
                const struct sshd_service *service = &services[i];

                if (!doctor_own_mounts(service))
                        continue;
                if (!look_at_helper(examination, service) || !look_at_store(examination, service))
                        continue;
                if (view_of(service, JOURNAL_SOCKET, 0) == HIDDEN)
                        report_hidden(examination, FINDING_WARNING, service, JOURNAL_SOCKET,
                                      STORE_RUNTIME_DIR " -" JOURNAL_SOCKET, "it is not recorded which key was used");
                else
                        pass(&examination->findings, "sshd-mounts",
                             "%s has mounts of its own, with all that the helper needs", service->name);
        }
        sshd_services_clear(services, n > 0 ? (size_t)n : 0);
}
