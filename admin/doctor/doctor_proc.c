/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the helper sees sshd's processes in /proc, by which it tells one connection from another: on this machine, and
 * where a service's sshd has a /proc of its own (ProtectProc= in systemd.exec(5)).
 */
#include <grp.h>
#include <mntent.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/doctor/doctor.h"
#include "admin/doctor/doctor_namespace.h"
#include "admin/sshd/sshd.h"
#include "authkeys-helper/identity.h"

enum { GROUPS_MAX = 1024 };

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

/* What the helper is in when it runs: sshd and identity_become() give it all groups of its user (initgroups(3)). */
struct groups {
        gid_t own; /* the primary one */
        gid_t all[GROUPS_MAX];
        int n;
};

static bool find_groups(struct groups *ret) {
        const struct passwd *helper = getpwnam(HELPER_USER);

        if (!helper)
                return false; /* doctor_users() reports it */
        ret->own = helper->pw_gid;
        ret->n = GROUPS_MAX;
        return getgrouplist(HELPER_USER, ret->own, ret->all, &ret->n) >= 0;
}

static bool hidden_from(const struct proc_mount *mount, const struct groups *groups) {
        unsigned long gid = strtoul(mount->gid, NULL, 10);

        if (!hides(mount))
                return false;
        for (int i = 0; shows_group(mount) && mount->gid[0] && i < groups->n; i++)
                if (groups->all[i] == gid)
                        return false;
        return true;
}

/* A group that somebody chose has members of its own: the helper's user joins it. */
static void report_hidden(struct examination *examination, const struct proc_mount *mount,
                          const struct groups *groups) {
        const struct group *chosen = mount->gid[0] ? getgrgid((gid_t)strtoul(mount->gid, NULL, 10)) : NULL;
        struct remedy remount, join;

        if (chosen) {
                join = remedy_of("usermod --append --groups %s %s", chosen->gr_name, HELPER_USER);
                remount = shows_group(mount) ? NO_REMEDY : remedy_of("mount -o remount,hidepid=invisible /proc");
                fail(&examination->findings, "hidepid", remedy_both(join, remount),
                     "/proc is mounted with hidepid=%s and shows processes to the group %s alone%s, so the helper "
                     "cannot "
                     "tell sshd's connections apart and gives no key out",
                     mount->hide, chosen->gr_name,
                     shows_group(mount) ? "" : ", and not even to that without hidepid=invisible");
                return;
        }
        remount = shows_group(mount) ? remedy_of("mount -o remount,gid=%u /proc", groups->own)
                                     : remedy_of("mount -o remount,hidepid=invisible,gid=%u /proc", groups->own);
        fail(&examination->findings, "hidepid", remount,
             "/proc is mounted with hidepid=%s, so the helper cannot tell sshd's connections apart and gives no "
             "key out; for good, add %sgid=%u to the options of /proc in /etc/fstab or wherever they come from",
             mount->hide, shows_group(mount) ? "" : "hidepid=invisible,", groups->own);
}

/* A restart leaves the sessions alone that are open: Debian's ssh.service has KillMode=process. */
static void look_at_service(struct examination *examination, const struct sshd_service *service,
                            const struct proc_mount *machine, const struct groups *groups) {
        struct proc_mount mount;
        char path[64];

        if (!doctor_own_mounts(service))
                return;
        (void)snprintf(path, sizeof(path), "/proc/%d/mounts", (int)service->main_pid);
        find_proc(path, &mount);
        /* The machine's is reported already. */
        if (!hidden_from(&mount, groups) ||
            (strcmp(mount.hide, machine->hide) == 0 && strcmp(mount.gid, machine->gid) == 0))
                return;
        fail(&examination->findings, "hidepid",
             doctor_service_remedy(service, "zz-exc-instance-connect.conf", "ProtectProc=default"),
             "%s has a /proc of its own that hides its processes (ProtectProc=), so the helper cannot tell its "
             "connections apart and gives no key out",
             service->name);
}

void doctor_proc(struct examination *examination) {
        struct sshd_service services[SSHD_SERVICES_MAX] = {{.name = NULL}};
        struct proc_mount machine;
        struct groups groups;
        int n;

        if (!find_groups(&groups))
                return;
        find_proc("/proc/self/mounts", &machine);
        if (hidden_from(&machine, &groups))
                report_hidden(examination, &machine, &groups);
        else
                pass(&examination->findings, "hidepid", "/proc hides no sshd from %s", HELPER_USER);
        n = sshd_services(services);
        for (int i = 0; i < n; i++)
                look_at_service(examination, &services[i], &machine, &groups);
        sshd_services_clear(services, n > 0 ? (size_t)n : 0);
}
