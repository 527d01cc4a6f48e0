/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/doctor_session.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "admin/doctor/doctor_clients.h"
#include "admin/doctor/doctor_reload.h"

enum { COMMAND_MAX = 256 };

#define INTERNAL_SFTP "internal-sftp"

struct session {
        const struct passwd *user;
        bool sftp, other; /* for some client: sftp alone works, more than that does */
};

/* What sshd does for one client. */
struct plan {
        char root[PATH_MAX]; /* ChrootDirectory, its tokens replaced; "": none */
        char command[COMMAND_MAX];
        bool forced_sftp; /* ForceCommand is sshd's own sftp server, which needs no shell and no file */
        bool own_sftp;    /* who asks for sftp gets that one */
};

static void take(const char *effective, const char *setting, char *ret, size_t size) {
        ret[0] = '\0';
        if (effective && sshd_setting(effective, setting, 0, ret, size) && strcasecmp(ret, "none") == 0)
                ret[0] = '\0';
}

/* IS_INTERNAL_SFTP() in OpenSSH's session.c */
static bool is_internal_sftp(const char *command) {
        size_t n = sizeof(INTERNAL_SFTP) - 1;

        return strncmp(command, INTERNAL_SFTP, n) == 0 && strchr(" \t", command[n]);
}

/* %h, %u, %U and %% (do_setusercontext() in OpenSSH's session.c). */
static void expand(const char *path, const struct passwd *user, char ret[static PATH_MAX]) {
        char number[16];
        size_t n = 0;

        (void)snprintf(number, sizeof(number), "%u", user->pw_uid);
        ret[0] = '\0';
        for (; *path && n < PATH_MAX; path++) {
                char one[2] = {*path};
                const char *value = one;

                if (path[0] == '%' && path[1] != '\0') {
                        path++;
                        one[0] = *path;
                        value = *path == 'h'   ? user->pw_dir
                                : *path == 'u' ? user->pw_name
                                : *path == 'U' ? number
                                               : one;
                }
                n += (size_t)snprintf(ret + n, PATH_MAX - n, "%s", value);
        }
}

static void make_plan(const struct session *session, const char *effective, struct plan *ret) {
        char root[PATH_MAX], subsystem[COMMAND_MAX];

        *ret = (struct plan){.root = ""};
        take(effective, "chrootdirectory", root, sizeof(root));
        expand(root, session->user, ret->root);
        take(effective, "forcecommand", ret->command, sizeof(ret->command));
        ret->forced_sftp = is_internal_sftp(ret->command);
        for (size_t i = 0; effective && sshd_setting(effective, "subsystem", i, subsystem, sizeof(subsystem)); i++)
                if (strncmp(subsystem, "sftp ", 5) == 0)
                        ret->own_sftp = is_internal_sftp(subsystem + 5);
        ret->own_sftp |= ret->forced_sftp;
}

/* NULL, or why it is no program. */
static const char *fault_of(const char *root, const char *shell) {
        char path[2 * PATH_MAX];
        struct stat st;

        (void)snprintf(path, sizeof(path), "%s%s", root, shell);
        if (stat(path, &st) < 0)
                return strerror(errno);
        return S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0 ? NULL : "it is no program";
}

static bool lets_nobody_in(const char *shell) {
        const char *base = strrchr(shell, '/');

        base = base ? base + 1 : shell;
        return strcmp(base, "nologin") == 0 || strcmp(base, "false") == 0;
}

static const char *shell_of(const struct passwd *user) {
        return user->pw_shell && user->pw_shell[0] ? user->pw_shell : "/bin/sh";
}

static void judge_shell(void *context, const struct sshd_client *client, struct findings *to) {
        struct session *session = context;
        const char *name = session->user->pw_name, *shell = shell_of(session->user), *fault;
        struct remedy remedy = remedy_of("usermod --shell /bin/bash %s", name);
        struct plan plan;

        make_plan(session, client ? client->effective : NULL, &plan);
        fault = fault_of(plan.root, shell);
        /* sshd itself looks for the shell where it does not change the root directory (allowed_user() in auth.c). */
        if (fault && !plan.root[0]) {
                if (plan.forced_sftp)
                        remedy = remedy_of("usermod --shell /bin/false %s", name);
                fail(to, "user-shell", remedy, "the shell of %s is %s: %s; sshd then refuses", name, shell, fault);
        } else if (plan.forced_sftp) {
                session->sftp = true;
                pass(to, "user-shell", "sshd itself serves sftp to %s, and nothing else (ForceCommand)", name);
        } else if (fault && !plan.own_sftp) {
                fail(to, "user-shell", NO_REMEDY, "the shell of %s is %s, which sshd looks for in %s: %s", name, shell,
                     plan.root, fault);
        } else if (plan.own_sftp && !plan.command[0] && (fault || lets_nobody_in(shell))) {
                session->sftp = true;
                pass(to, "user-shell", "sshd itself serves sftp to %s; the shell, %s, lets nobody do anything else",
                     name, shell);
        } else if (fault || lets_nobody_in(shell)) {
                fail(to, "user-shell", remedy, "the shell of %s is %s, which lets nobody in", name, shell);
        } else {
                session->other = true;
                pass(to, "user-shell", "%s%s%s", shell,
                     plan.command[0] ? "; in place of what a client asks for, it runs " : "", plan.command);
        }
}

/* What sshd asks of each directory down to it (safely_chroot() in OpenSSH's session.c). False, and a finding, where not. */
static bool look_at_directory(const char *path, struct findings *to) {
        struct stat st;

        if (stat(path, &st) < 0)
                fail(to, "sshd-chroot", remedy_of("install -d -m 0755 %s", path), "ChrootDirectory: %s: %s", path,
                     strerror(errno));
        else if (!S_ISDIR(st.st_mode))
                fail(to, "sshd-chroot", NO_REMEDY, "ChrootDirectory: %s is no directory", path);
        else if (st.st_uid != 0)
                fail(to, "sshd-chroot", remedy_of("chown root:root %s", path),
                     "ChrootDirectory: %s belongs to user id %u, and must to root, or sshd ends each session", path,
                     st.st_uid);
        else if ((st.st_mode & 022) != 0)
                fail(to, "sshd-chroot", remedy_of("chmod go-w %s", path),
                     "ChrootDirectory: %s has mode %04o, and only root may write it, or sshd ends each session", path,
                     st.st_mode & 07777);
        else
                return true;
        return false;
}

static void judge_root(void *context, const struct sshd_client *client, struct findings *to) {
        const struct session *session = context;
        char path[PATH_MAX];
        struct plan plan;

        make_plan(session, client->effective, &plan);
        if (!plan.root[0]) {
                pass(to, "sshd-chroot", "sshd changes no root directory");
                return;
        }
        if (plan.root[0] != '/') {
                fail(to, "sshd-chroot", doctor_edit("ChrootDirectory", "ssh.service"),
                     "ChrootDirectory is %s, which is no absolute path", plan.root);
                return;
        }
        for (const char *slash = plan.root; slash; slash = strchr(slash + 1, '/')) {
                (void)snprintf(path, sizeof(path), "%.*s", slash == plan.root ? 1 : (int)(slash - plan.root),
                               plan.root);
                if (!look_at_directory(path, to))
                        return;
        }
        if (look_at_directory(plan.root, to))
                pass(to, "sshd-chroot", "sshd changes the root directory to %s once the helper has answered",
                     plan.root);
}

void doctor_session(struct examination *examination, const struct passwd *user, const struct sshd_clients *clients) {
        struct session session = {.user = user};

        if (!clients) {
                judge_shell(&session, NULL, &examination->findings);
                return;
        }
        doctor_clients_judge(examination, clients, judge_shell, &session);
        doctor_clients_judge(examination, clients, judge_root, &session);
        examination->sftp_only = session.sftp && !session.other;
}
