/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/confine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>

#include "agent/agent.h"
#include "agent/audit.h"
#include "agent/audit_queue.h"
#include "common/debug.h"
#include "confine/landlock.h"
#include "confine/privileges.h"
#include "confine/sanitized.h"

/* --- files -------------------------------------------------------------------------------------------------------- */

/*
 * Modules of the name service read configuration, caches and sockets' directories anywhere below these. Homes, /boot, /srv,
 * /mnt, /media and /tmp are not among them, and of /dev only what gives bytes. Programs cannot be executed anywhere.
 */
static const char *const readable[] = {"/etc", "/usr", "/lib",       "/lib32",     "/lib64", "/libx32", "/opt",
                                       "/var", "/run", "/nix/store", "/gnu/store", "/proc",  "/sys"};

/* Files of the above that may be links to elsewhere. */
static const char *const linked[] = {"/etc/group", "/etc/nsswitch.conf", "/etc/passwd", "/etc/ssh"};

static const struct landlock_rule devices[] = {
        {"/dev/null", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE},
        {"/dev/random", LANDLOCK_ACCESS_FS_READ_FILE},
        {"/dev/urandom", LANDLOCK_ACCESS_FS_READ_FILE},
        {"/dev/zero", LANDLOCK_ACCESS_FS_READ_FILE},
};

/* "/a/b" to "/a", "/a" to "/". */
static void go_up(char *path) {
        char *slash = strrchr(path, '/');

        slash[slash == path ? 1 : 0] = '\0';
}

/*
 * Allows to read what a path leads to: a directory, or the one that a file is in, since files are replaced by others of their
 * name. A file of the root directory, and what is no file, is allowed alone.
 */
static void allow_target(struct landlock *landlock, struct confinement *confinement, const char *path) {
        char real[PATH_MAX];
        struct stat st;

        if (!realpath(path, real) || stat(real, &st) < 0) {
                if ((errno != ENOENT && errno != EACCES) || path[0] != '/' || strlen(path) >= sizeof(real))
                        return;
                (void)snprintf(real, sizeof(real), "%s", path);
                st.st_mode = S_IFREG; /* it may come to be there, or to be readable */
        }
        if (S_ISREG(st.st_mode) && strrchr(real, '/') != real)
                go_up(real);
        else if (!S_ISDIR(st.st_mode)) {
                landlock_allow(landlock, AT_FDCWD, real, 0, LANDLOCK_ACCESS_FS_READ_FILE);
                return;
        }
        landlock_allow(landlock, AT_FDCWD, real, 0, LANDLOCK_READ);
        /* Without memory, confine_check_config() notes too much. */
        (void)strv_add(&confinement->readable, real);
}

/* Allows to read a directory, and what the links in it lead to. */
static void allow_directory(struct landlock *landlock, struct confinement *confinement, const char *path) {
        DIR *dir = opendir(path);
        struct dirent *entry;

        allow_target(landlock, confinement, path);
        while (dir && (entry = readdir(dir))) {
                char name[PATH_MAX];

                if ((entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN) && entry->d_name[0] != '.' &&
                    snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) < (int)sizeof(name))
                        allow_target(landlock, confinement, name);
        }
        if (dir)
                (void)closedir(dir);
}

/* Those of the configuration and credentials, wherever --config-dir, links and HostKeyFiles lead. */
static void allow_config(struct landlock *landlock, struct agent *agent) {
        static const char *const below[] = {"", "/agent.conf.d", ("/" TRUST_DIR_NAME)};
        struct confinement *confinement = &agent->confinement;
        const char *credentials = getenv("CREDENTIALS_DIRECTORY");
        char path[PATH_MAX];

        for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); i++)
                if (snprintf(path, sizeof(path), "%s%s", agent->config_dir, below[i]) < (int)sizeof(path))
                        allow_directory(landlock, confinement, path);
        allow_directory(landlock, confinement, TRUST_VENDOR_DIR);
        if (credentials)
                allow_target(landlock, confinement, credentials);
        for (size_t i = 0; i < agent->config->host_key_files.n; i++)
                allow_target(landlock, confinement, agent->config->host_key_files.item[i]);
}

/* A store that is not there may be mounted yet, and a rule for the directory below the mount would not count then. */
static void allow_store(struct landlock *landlock, const struct agent *agent) {
        char path[PATH_MAX];

        if (!realpath(agent->runtime_dir, path) && snprintf(path, sizeof(path), "%s", agent->runtime_dir) < 0)
                return;
        if (agent->store.keys_fd < 0 && strrchr(path, '/') != NULL && strrchr(path, '/') != path)
                go_up(path);
        landlock_allow(landlock, AT_FDCWD, path, 0, LANDLOCK_MANAGE);
}

static int confine_files(struct agent *agent) {
        unsigned limits = agent->confinement.network ? LANDLOCK_LIMIT_SIGNALS : LANDLOCK_LIMIT_ALL;
        struct landlock landlock;
        int r = landlock_begin(limits, &landlock);

        if (r < 0)
                return r;
        for (size_t i = 0; i < sizeof(readable) / sizeof(readable[0]); i++)
                landlock_allow(&landlock, AT_FDCWD, readable[i], 0, LANDLOCK_READ);
        for (size_t i = 0; i < sizeof(linked) / sizeof(linked[0]); i++)
                allow_target(&landlock, &agent->confinement, linked[i]);
        landlock_allow_all(&landlock, devices, sizeof(devices) / sizeof(devices[0]));
        allow_config(&landlock, agent);
        allow_store(&landlock, agent);
        r = landlock_enforce(&landlock);
        agent->confinement.files = r >= 0;
        return r;
}

static bool is_below(const char *path, const char *dir) {
        size_t n = strlen(dir);

        return strncmp(path, dir, n) == 0 && path[n] == '/';
}

static bool is_readable(const struct agent *agent, const char *path) {
        const struct strv *more = &agent->confinement.readable;

        for (size_t i = 0; i < sizeof(readable) / sizeof(readable[0]); i++)
                if (is_below(path, readable[i]))
                        return true;
        for (size_t i = 0; i < more->n; i++)
                if (is_below(path, more->item[i]))
                        return true;
        return false;
}

void confine_check_config(const struct agent *agent) {
        const struct strv *files = &agent->config->host_key_files;
        char real[PATH_MAX];

        for (size_t i = 0; agent->confinement.files && i < files->n; i++)
                if (realpath(files->item[i], real) && !is_readable(agent, real))
                        audit_note(
                                LOG_WARNING,
                                "HostKeyFiles: %s: not in a directory that this agent may read; run systemctl restart "
                                "exc-instance-connect.service",
                                files->item[i]);
}

/* --- system calls ------------------------------------------------------------------------------------------------- */

static int confine_calls(const struct confinement *confinement) {
        enum { NETWORK_CALLS = 1, NETWORK_FAMILIES = 3 };
        /* First those that a module needs which uses the network. The others are for the store, and to ask for the clock. */
        static const char *const calls[] = {"bind",    "adjtimex", "clock_adjtime", "fallocate", "fchmod", "linkat",
                                            "mkdirat", "renameat", "renameat2",     "unlinkat",  NULL};
        static const int families[] = {AF_INET, AF_INET6, AF_NETLINK, AF_UNIX, AF_UNSPEC};
        struct syscall_filter filter = {
                .mode = SANITIZED ? SYSCALL_FILTER_OFF : confinement->calls,
                .program = AUDIT_IDENTIFIER,
                .advice = "see --seccomp in exc-instance-connect-agent(8)",
                .calls = confinement->network ? calls : calls + NETWORK_CALLS,
                .families = confinement->network ? families : families + NETWORK_FAMILIES,
                .loads_modules = true,
        };

        return syscall_filter_install(&filter);
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

static void report(const char *layer, int r) {
        if (r < 0)
                audit_note(LOG_NOTICE, "confinement: %s: not in effect: %s", layer, strerror(-r));
        debug_line("confined: %s: %s", layer, r < 0 ? strerror(-r) : "yes");
}

void confine_agent(struct agent *agent) {
        report("no privileges", privileges_drop());
        report("files, by Landlock", confine_files(agent));
        report("system calls, by seccomp", confine_calls(&agent->confinement));
}
