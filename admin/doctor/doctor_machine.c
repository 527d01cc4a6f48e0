/* SPDX-License-Identifier: Apache-2.0 */
/* What surrounds all of it: the clock, security modules, the journal, and /proc. */
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/doctor/doctor.h"
#include "admin/doctor/probe.h"
#include "admin/sshd/sshd.h"
#include "admin/sshd/systemd.h"
#include "agent/freshness.h"
#include "authkeys-helper/identity.h"
#include "common/journal.h"

#define SERVICE_DIRECTORIES "/etc/systemd/system"

/* The program that sets the clock, of those that Debian has: of two of them only one can be installed. "": none. */
struct time_service {
        char name[32];
        bool active;
};

static struct time_service find_time_service(void) {
        static const char *const known[] = {"systemd-timesyncd.service", "chrony.service", "ntpsec.service",
                                            "openntpd.service", "ntp.service"};
        struct time_service found = {.name = ""};

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]) && !found.active; i++) {
                struct unit_state state;

                if (systemd_unit_state(known[i], &state) < 0 || strcmp(state.load, "loaded") != 0)
                        continue;
                (void)snprintf(found.name, sizeof(found.name), "%s", known[i]);
                found.active = strcmp(state.active, "active") == 0;
        }
        return found;
}

/* What timedatectl(1) can switch on. */
static bool has_ntp_unit(void) {
        glob_t units;

        if (glob("/usr/lib/systemd/ntp-units.d/*.list", 0, NULL, &units) != 0)
                return false;
        globfree(&units);
        return true;
}

static void look_at_clock(struct examination *examination) {
        struct remedy remedy = remedy_of("apt-get install -y systemd-timesyncd");
        struct time_service service;

        if (freshness_clock_synchronized()) {
                pass(&examination->findings, "clock", "it is synchronized");
                return;
        }
        service = find_time_service();
        if (service.active) {
                warn(&examination->findings, "clock", NO_REMEDY,
                     "it is not synchronized, although %s runs: check which time servers that reaches; pushes that are "
                     "timed by the clock are refused, and those that sign a challenge are not",
                     service.name);
                return;
        }
        if (has_ntp_unit())
                remedy = remedy_of("timedatectl set-ntp true");
        else if (service.name[0])
                remedy = remedy_of("systemctl enable --now %s", service.name);
        warn(&examination->findings, "clock", remedy,
             "it is not synchronized: pushes that are timed by it are refused, and those that sign a challenge are "
             "not");
}

/* The first line of a small file of the kernel's, or "". */
static void read_line(const char *path, char *ret, size_t size) {
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, ret, size - 1) : -1;

        ret[n > 0 ? n : 0] = '\0';
        ret[strcspn(ret, "\n")] = '\0';
        if (fd >= 0)
                (void)close(fd);
}

static void look_at_modules(struct examination *examination) {
        char enforce[16], enabled[16], profile[256];

        read_line("/sys/fs/selinux/enforce", enforce, sizeof(enforce));
        if (strcmp(enforce, "1") == 0)
                warn(&examination->findings, "selinux", NO_REMEDY,
                     "SELinux is enforcing; what it denies can be seen with: ausearch -m avc -ts boot");
        else
                pass(&examination->findings, "selinux", "SELinux is %s", enforce[0] ? "permissive" : "off");
        read_line("/sys/module/apparmor/parameters/enabled", enabled, sizeof(enabled));
        read_line("/proc/1/attr/apparmor/current", profile, sizeof(profile));
        if (enabled[0] == 'Y' && access("/etc/apparmor.d/usr.sbin.sshd", F_OK) == 0)
                warn(&examination->findings, "apparmor", NO_REMEDY,
                     "AppArmor has a profile for sshd (/etc/apparmor.d/usr.sbin.sshd): it must let sshd "
                     "execute " HELPER_PROGRAM);
        else
                pass(&examination->findings, "apparmor", "AppArmor %s",
                     enabled[0] == 'Y' ? "has no profile for sshd" : "is off");
}

/* As the helper: without a journal logins work, but are not recorded. */
static void reach_journal(void *context) {
        struct examination *examination = context;
        int fd;

        if (probe_become(HELPER_USER) < 0)
                return; /* doctor_users() reports it */
        fd = journal_connect();
        if (fd < 0)
                warn(&examination->findings, "journal",
                     remedy_of("systemctl restart systemd-journald.socket systemd-journald.service"),
                     "%s cannot reach " JOURNAL_SOCKET ": %s; so it is not recorded which key was used", HELPER_USER,
                     strerror(-fd));
        else
                pass(&examination->findings, "journal", "%s reaches it", HELPER_USER);
}

void doctor_machine(struct examination *examination) {
        look_at_clock(examination);
        look_at_modules(examination);
        (void)probe_run(reach_journal, examination, 3000);
}

/*
 * Whether the helper sees sshd's processes in /proc, by which it tells one connection from another: on this machine, and
 * where a service's sshd has a /proc of its own (ProtectProc= in systemd.exec(5)).
 */

/* How /proc is mounted: "" where an option is not set. */
struct proc_mount {
        char hide[16];
        char gid[16];
};

static void take_option(const struct mntent *entry, const char *name, char ret[static 16]) {
        const char *at = hasmntopt(entry, name);

        at = at ? strchr(at, '=') : NULL;
        (void)snprintf(ret, 16, "%.*s", at ? (int)strcspn(at + 1, ",") : 0, at ? at + 1 : "");
}

static void find_proc(const char *mounts_path, struct proc_mount *ret) {
        FILE *mounts = setmntent(mounts_path, "re");
        const struct mntent *entry;

        *ret = (struct proc_mount){.hide = ""};
        while (mounts && (entry = getmntent(mounts)))
                if (strcmp(entry->mnt_dir, "/proc") == 0 && strcmp(entry->mnt_type, "proc") == 0) {
                        take_option(entry, "hidepid", ret->hide); /* the last one lies on top */
                        take_option(entry, "gid", ret->gid);
                }
        if (mounts)
                (void)endmntent(mounts);
}

static bool hides(const struct proc_mount *mount) {
        return mount->hide[0] && strcmp(mount->hide, "0") != 0 && strcmp(mount->hide, "off") != 0;
}

/* With "ptraceable" the kernel does not ask for the group (fs/proc/base.c, has_pid_permissions()). */
static bool shows_group(const struct proc_mount *mount) {
        return strcmp(mount->hide, "4") != 0 && strcmp(mount->hide, "ptraceable") != 0;
}

static bool hidden_from(const struct proc_mount *mount, gid_t group) {
        return hides(mount) && (!shows_group(mount) || !mount->gid[0] || strtoul(mount->gid, NULL, 10) != group);
}

static void look_at_machine(struct examination *examination, gid_t group) {
        struct proc_mount mount;
        struct remedy remedy;

        find_proc("/proc/self/mounts", &mount);
        if (!hidden_from(&mount, group)) {
                pass(&examination->findings, "hidepid", "/proc hides no sshd from %s", HELPER_USER);
                return;
        }
        remedy = shows_group(&mount) ? remedy_of("mount -o remount,gid=%u /proc", group)
                                     : remedy_of("mount -o remount,hidepid=invisible,gid=%u /proc", group);
        fail(&examination->findings, "hidepid", remedy,
             "/proc is mounted with hidepid=%s, so the helper cannot tell sshd's connections apart and gives no "
             "key out; for good, add %sgid=%u to the options of /proc in /etc/fstab or wherever they come from",
             mount.hide, shows_group(&mount) ? "" : "hidepid=invisible,", group);
}

/* Whether it has a mount namespace of its own. */
static bool own_mounts(const struct sshd_service *service) {
        struct stat its, own;
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)service->main_pid);
        return stat(path, &its) == 0 && stat("/proc/self/ns/mnt", &own) == 0 && its.st_ino != own.st_ino;
}

/* A restart leaves the sessions alone that are open: Debian's ssh.service has KillMode=process. */
static void look_at_service(struct examination *examination, const struct sshd_service *service, gid_t group) {
        struct proc_mount mount;
        char path[64], drop_ins[256];

        if (!service->active || service->main_pid <= 0 || !own_mounts(service))
                return;
        (void)snprintf(path, sizeof(path), "/proc/%d/mounts", (int)service->main_pid);
        find_proc(path, &mount);
        if (!hidden_from(&mount, group))
                return;
        (void)snprintf(drop_ins, sizeof(drop_ins), SERVICE_DIRECTORIES "/%s.d", service->name);
        fail(&examination->findings, "hidepid",
             remedy_of("mkdir -p %s && printf '[Service]\\nProtectProc=default\\n' >%s/zz-exc-instance-connect.conf && "
                       "systemctl daemon-reload && systemctl restart %s",
                       drop_ins, drop_ins, service->name),
             "%s has a /proc of its own that hides its processes (ProtectProc=), so the helper cannot tell its "
             "connections apart and gives no key out",
             service->name);
}

void doctor_proc(struct examination *examination) {
        struct sshd_service services[SSHD_SERVICES_MAX] = {{.name = NULL}};
        const struct group *entry = getgrnam(HELPER_USER);
        gid_t group = entry ? entry->gr_gid : 0;
        int n;

        if (!entry)
                return; /* doctor_users() reports it */
        look_at_machine(examination, group);
        n = sshd_services(services);
        for (int i = 0; i < n; i++)
                look_at_service(examination, &services[i], group);
        sshd_services_clear(services, n > 0 ? (size_t)n : 0);
}
