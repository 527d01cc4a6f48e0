/* SPDX-License-Identifier: Apache-2.0 */
/* The store: where it is mounted, who may do what in it, and how much room is left (common/store.h). */
#include <errno.h>
#include <fts.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <mntent.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "admin/doctor/doctor.h"
#include "admin/sshd/systemd.h"
#include "authkeys-helper/identity.h"
#include "common/store.h"

/* Mounts, makes directories, and stops the agent, which may have others open. */
#define MAKE_DIRECTORIES "systemctl start exc-instance-connect-store.service"

enum {
        ENTRIES_MAX = 8,
        ROOM_LEAST_BYTES = 256 * 1024, /* a push of 8 keys takes 16 pages and a directory or two */
        ROOM_LEAST_INODES = 64,
};

struct ids {
        uid_t agent;
        gid_t agent_group, helper_group;
};

static bool find_ids(struct ids *ret) {
        const struct passwd *agent = getpwnam(AGENT_USER);
        const struct group *helper;

        if (!agent)
                return false;
        ret->agent = agent->pw_uid;
        ret->agent_group = agent->pw_gid;
        helper = getgrnam(HELPER_USER);
        if (!helper)
                return false;
        ret->helper_group = helper->gr_gid;
        return true;
}

/*
 * The sockets lie in the directory that is mounted over, so they are stopped and made again. What is mounted there goes
 * first, by systemd: after an umount(8) it may hold the mount for there still, and start nothing.
 */
static struct remedy mount_remedy(const char *unit_name) {
        struct remedy unmask = NO_REMEDY;
        struct unit_state unit;

        if (systemd_unit_state(unit_name, &unit) == 0 && strcmp(unit.load, "masked") == 0)
                unmask = strcmp(unit.file, "masked-runtime") == 0
                                 ? remedy_of("systemctl unmask --runtime %s", unit_name)
                                 : remedy_of("systemctl unmask %s", unit_name);
        return remedy_both(remedy_of("systemctl stop " DOCTOR_SOCKETS " %s", unit_name),
                           remedy_both(unmask, remedy_of(MAKE_DIRECTORIES " && systemctl start " DOCTOR_SOCKETS)));
}

/* The options of what is mounted at `path`, or "". */
static void find_mount(const char *path, char ret_options[static 512]) {
        FILE *mounts = setmntent("/proc/self/mounts", "r");
        const struct mntent *entry;

        ret_options[0] = '\0';
        if (!mounts)
                return;
        while ((entry = getmntent(mounts)))
                if (strcmp(entry->mnt_dir, path) == 0) /* the last one lies on top */
                        (void)snprintf(ret_options, 512, ",%s,", entry->mnt_opts);
        (void)endmntent(mounts);
}

/* False when there is nothing to check further. */
static bool look_at_mount(struct examination *examination) {
        static const char *const wanted[] = {"nosuid", "nodev", "noexec"};
        char options[512], missing[64] = "";
        struct statfs fs;

        if (statfs(STORE_RUNTIME_DIR, &fs) < 0) {
                int error = errno;

                fail(&examination->findings, "store-mount", mount_remedy(DOCTOR_MOUNT_UNIT), "%s: %s",
                     STORE_RUNTIME_DIR, strerror(error));
                return false;
        }
        find_mount(STORE_RUNTIME_DIR, options);
        if (fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC) {
                fail(&examination->findings, "store-mount", mount_remedy(DOCTOR_MOUNT_UNIT),
                     "%s is on a disk, where keys would outlive a reboot: nothing is stored there", STORE_RUNTIME_DIR);
                return true;
        }
        if (!options[0]) {
                /* A container may not be able to mount anything. */
                bool can_mount = prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) == 1;

                warn(&examination->findings, "store-mount", can_mount ? mount_remedy(DOCTOR_MOUNT_UNIT) : NO_REMEDY,
                     "%s has no tmpfs of its own: it shares its room with all of /run", STORE_RUNTIME_DIR);
                return true;
        }
        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
                char option[16];

                (void)snprintf(option, sizeof(option), ",%s,", wanted[i]);
                if (!strstr(options, option))
                        (void)snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), "%s%s",
                                       missing[0] ? "," : "", wanted[i]);
        }
        if (missing[0])
                warn(&examination->findings, "store-mount",
                     remedy_of("mount -o remount,%s %s", missing, STORE_RUNTIME_DIR), "%s is mounted without %s",
                     STORE_RUNTIME_DIR, missing);
        else
                pass(&examination->findings, "store-mount", "%s is a tmpfs of its own", STORE_RUNTIME_DIR);
        return true;
}

/* False when it is not as it must be. */
static bool look_at_directory(struct examination *examination, const char *check, const char *path, uid_t owner,
                              gid_t group, const char *ownership, unsigned mode) {
        /* With fewer than five digits chmod(1) leaves a directory's setuid and setgid bits as they are. */
        struct remedy set_mode = remedy_of("chmod 0%o %s", mode, path);
        struct stat st;

        if (lstat(path, &st) < 0) {
                fail(&examination->findings, check, remedy_of(MAKE_DIRECTORIES), "%s: %s", path, strerror(errno));
                return false;
        }
        if (!S_ISDIR(st.st_mode)) {
                fail(&examination->findings, check, remedy_of("rm -f %s && " MAKE_DIRECTORIES, path),
                     "%s is not a directory", path);
                return false;
        }
        if (st.st_uid != owner || st.st_gid != group)
                fail(&examination->findings, check, remedy_both(remedy_of("chown %s %s", ownership, path), set_mode),
                     "%s belongs to %u:%u, and must to %s", path, st.st_uid, st.st_gid, ownership);
        else if ((st.st_mode & 07777) != mode)
                fail(&examination->findings, check, set_mode, "%s has mode %04o, and must have %04o", path,
                     st.st_mode & 07777, mode);
        else {
                pass(&examination->findings, check, "%s: %s %04o", path, ownership, mode);
                return true;
        }
        return false;
}

/* What is wrong with an entry below keys/ or claims/; false when nothing is. */
static bool judge_entry(const FTSENT *entry, const struct ids *ids, unsigned file_mode, char ret_why[static 96]) {
        const struct stat *st = entry->fts_statp;
        bool directory = S_ISDIR(st->st_mode);
        unsigned mode = directory ? 02750 : file_mode;

        if (!directory && (!S_ISREG(st->st_mode) || st->st_nlink > 1)) {
                (void)snprintf(ret_why, 96, "is nothing that the agent makes");
                return true;
        }
        if (st->st_uid == ids->agent && st->st_gid == ids->helper_group && (st->st_mode & 07777) == mode)
                return false;
        (void)snprintf(ret_why, 96, "has %u:%u %04o, and must have %u:%u %04o", st->st_uid, st->st_gid,
                       st->st_mode & 07777, ids->agent, ids->helper_group, mode);
        return true;
}

/*
 * The directory of that user goes. Below keys/ and claims/ everything belongs to the agent's user: a process of that user
 * could replace by a link what root's chown or chmod goes through. rm(1) follows none, and the name right below keys/ is
 * reached through no link.
 */
static struct remedy drop_entry(const char *root, const char *path) {
        char user[STORE_USER_NAME_MAX + 64];
        size_t n = strlen(root) + 1;

        n += strcspn(path + n, "/");
        if (n >= sizeof(user))
                return NO_REMEDY;
        (void)snprintf(user, sizeof(user), "%.*s", (int)n, path);
        return remedy_of("rm -rf %s", user);
}

/* Keys come and go meanwhile: what is gone is no fault. What is wrong may keep out one key, not all. */
static void look_below(struct examination *examination, char *root, const struct ids *ids, unsigned file_mode) {
        char *const roots[] = {root, NULL};
        unsigned n = 0;
        FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
        FTSENT *entry;

        while (walk && n < ENTRIES_MAX && (entry = fts_read(walk))) {
                char why[96];

                if (entry->fts_level == FTS_ROOTLEVEL || entry->fts_info == FTS_DP || entry->fts_info == FTS_NS ||
                    !judge_entry(entry, ids, file_mode, why))
                        continue;
                n++;
                warn(&examination->findings, "store-entries", drop_entry(root, entry->fts_path), "%s %s",
                     entry->fts_path, why);
        }
        if (walk)
                (void)fts_close(walk);
        if (n == 0)
                pass(&examination->findings, "store-entries", "all in %s is as the agent makes it", root);
}

/* Where the store has a tmpfs of its own, the claim files have one too: see systemd/claims.mount. */
static void look_at_claims_mount(struct examination *examination) {
        char store[512], claims[512];

        find_mount(STORE_RUNTIME_DIR, store);
        find_mount(STORE_RUNTIME_DIR "/claims", claims);
        if (store[0] && !claims[0])
                warn(&examination->findings, "store-mount", mount_remedy(DOCTOR_CLAIMS_MOUNT_UNIT),
                     STORE_RUNTIME_DIR "/claims has no tmpfs of its own: the user " HELPER_USER
                                       " could take the store's room");
}

static void look_at_room(struct examination *examination, const char *path) {
        uint64_t bytes, size;
        struct statvfs fs;
        struct remedy remedy = {.command = ""};
        char options[512];

        if (statvfs(path, &fs) < 0)
                return;
        bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
        size = (uint64_t)fs.f_blocks * fs.f_frsize;
        find_mount(path, options);
        if (size > 0 && size / 1024 / 1024 < UINT32_MAX / 2 && fs.f_files < UINT32_MAX / 2)
                remedy = remedy_of("mount -o remount,size=%uM,nr_inodes=%u %s", (unsigned)(size / 1024 / 1024 * 2 + 1),
                                   (unsigned)(fs.f_files * 2), options[0] ? path : "/run");
        /* A ramfs says 0 of all. */
        if (size > 0 && bytes < ROOM_LEAST_BYTES)
                fail(&examination->findings, "store-room", remedy, "%s is full: %" PRIu64 " KiB left", path,
                     bytes / 1024);
        else if (fs.f_files > 0 && fs.f_favail < ROOM_LEAST_INODES)
                fail(&examination->findings, "store-room", remedy, "%s is full: free inodes: %" PRIu64, path,
                     (uint64_t)fs.f_favail);
        else if (bytes < size / 10 || fs.f_favail < fs.f_files / 10)
                warn(&examination->findings, "store-room", remedy,
                     "%s is nearly full: %" PRIu64 " KiB and %" PRIu64 " inodes left", path, bytes / 1024,
                     (uint64_t)fs.f_favail);
        else
                pass(&examination->findings, "store-room", "%s has %" PRIu64 " KiB and %" PRIu64 " inodes left", path,
                     bytes / 1024, (uint64_t)fs.f_favail);
}

void doctor_store(struct examination *examination) {
        char keys[] = STORE_RUNTIME_DIR "/keys", claims[] = STORE_RUNTIME_DIR "/claims",
             state[] = STORE_RUNTIME_DIR "/state";
        struct ids ids;

        if (!look_at_mount(examination))
                return;
        /* Where others can replace a directory by a link, no remedy for that directory is safe. */
        if (!look_at_directory(examination, "store-root", STORE_RUNTIME_DIR, 0, 0, "root:root", 0755))
                return;
        if (!find_ids(&ids))
                return; /* doctor_users() reports it */
        (void)look_at_directory(examination, "store-keys", keys, ids.agent, ids.helper_group,
                                AGENT_USER ":" HELPER_USER, 02750);
        (void)look_at_directory(examination, "store-claims", claims, ids.agent, ids.helper_group,
                                AGENT_USER ":" HELPER_USER, 02750);
        (void)look_at_directory(examination, "store-state", state, ids.agent, ids.agent_group,
                                AGENT_USER ":" AGENT_USER, 0700);
        look_below(examination, keys, &ids, 0640);
        look_below(examination, claims, &ids, 0660);
        look_at_claims_mount(examination);
        look_at_room(examination, STORE_RUNTIME_DIR);
        look_at_room(examination, claims);
}
