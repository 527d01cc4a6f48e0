/* SPDX-License-Identifier: Apache-2.0 */
/* The system users, and the package's programs with the way to them. */
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/doctor/doctor.h"
#include "admin/program.h"
#include "agent/listener.h"
#include "authkeys-helper/identity.h"
#include "common/safe_path.h"

#define MAKE_USERS "systemd-sysusers exc-instance-connect.conf"

enum {
        HELPER_MODE = 0711, /* a user who could read the program could trace it */
        AGENT_MODE = 0755,
};

/* `failure`: whether keys that are pushed on this machine need it too. */
static void look_at_user(struct examination *examination, enum finding_status failure, const char *check,
                         const char *name) {
        struct remedy make = remedy_of(MAKE_USERS), move = remedy_of("usermod --gid %s %s", name, name);
        struct findings *findings = &examination->findings;
        struct system_user user;

        switch (system_user_look(name, &user)) {
        case SYSTEM_USER_UNKNOWN:
                found(findings, failure, check, NO_REMEDY, "%s cannot be looked up: %s", name, strerror(user.error));
                break;
        case SYSTEM_USER_MISSING:
                found(findings, failure, check, make, "there is no user %s", name);
                break;
        case SYSTEM_USER_NO_GROUP:
                found(findings, failure, check, remedy_both(make, move), "there is no group %s", name);
                break;
        case SYSTEM_USER_OTHER_GROUP:
                found(findings, failure, check, move,
                      "the primary group of %s is %u, and must be the group of that name, %u", name, user.primary,
                      user.group);
                break;
        case SYSTEM_USER_ROOT:
                found(findings, failure, check, NO_REMEDY,
                      "%s has user id 0: it is root; remove the entry from /etc/passwd and run: " MAKE_USERS, name);
                break;
        case SYSTEM_USER_FINE:
                pass(findings, check, "%s has user id %u and a group of its own", name, user.uid);
                break;
        }
}

void doctor_users(struct examination *examination) {
        look_at_user(examination, FINDING_FAILURE, "user-agent", AGENT_USER);
        look_at_user(examination, FINDING_FAILURE, "user-helper", HELPER_USER);
        look_at_user(examination, FINDING_HOST_FAILURE, "user-relay", LISTENER_RELAY_USER);
}

/* The program, and each directory above it. False when something is wrong, and reported as `fault`. */
static bool look_at_path(struct examination *examination, enum finding_status fault, const char *file_check,
                         const char *path_check, const char *program) {
        struct remedy reinstall = remedy_of(PACKAGE_REINSTALL);
        const char *check;
        struct safe_path path;

        (void)safe_path(program, &path);
        check = strcmp(path.at, program) == 0 ? file_check : path_check;
        switch (path.fault) {
        case SAFE_PATH_OK:
                pass(&examination->findings, path_check, "only root can change %s and the directories above it",
                     program);
                return true;
        case SAFE_PATH_ROOT_GROUP:
                warn(&examination->findings, check, remedy_of("chmod g-w %s", path.at),
                     "%s has mode %04o: sshd of Debian and Ubuntu runs what the group root can write, others do not",
                     path.at, path.mode);
                return true;
        case SAFE_PATH_RELATIVE:
                return false;
        case SAFE_PATH_MISSING:
                found(&examination->findings, fault, file_check, reinstall, "%s: %s", path.at, strerror(path.error));
                return false;
        case SAFE_PATH_NOT_REGULAR:
                found(&examination->findings, fault, file_check,
                      remedy_both(remedy_of("rm -rf %s", path.at), reinstall), "%s is no regular file", path.at);
                return false;
        /* It may have been changed already: the remedy takes that right away and reinstalls the files. */
        case SAFE_PATH_FOREIGN:
                found(&examination->findings, fault, check,
                      remedy_both(remedy_of("chown root:root %s", path.at), reinstall),
                      "%s belongs to user id %u, so sshd runs nothing there; it must be root's", path.at, path.owner);
                return false;
        case SAFE_PATH_WRITABLE:
                found(&examination->findings, fault, check, remedy_both(remedy_of("chmod go-w %s", path.at), reinstall),
                      "%s has mode %04o, so sshd runs nothing there; only root may write it", path.at, path.mode);
                return false;
        }
        return false;
}

/* As the user that is to run it: that needs more than a mode, namely each library. */
static void look_at_run(struct examination *examination, enum finding_status fault, const char *check, const char *path,
                        const char *user) {
        char version[] = "--version", program[256];
        struct remedy reinstall = remedy_of(PACKAGE_REINSTALL);
        char *argv[] = {program, version, NULL};
        struct program_result result;
        int r;

        (void)snprintf(program, sizeof(program), "%s", path);
        r = program_run(argv, user, DOCTOR_PROGRAM_MS, &result);
        if (r < 0) {
                found(&examination->findings, fault, check, reinstall, "%s cannot be run as %s: %s", path, user,
                      strerror(-r));
                return;
        }
        if (program_succeeded(&result)) {
                result.output[strcspn(result.output, "\n")] = '\0';
                pass(&examination->findings, check, "%s can run: %s", user, result.output);
        } else {
                result.complaint[strcspn(result.complaint, "\n")] = '\0';
                found(&examination->findings, fault, check, reinstall, "%s cannot be run as %s: %s", path, user,
                      result.complaint[0] ? result.complaint : "it ended with an error");
        }
        program_result_clear(&result);
}

/* False when those who are to run it cannot. */
static bool look_at_mode(struct examination *examination, enum finding_status fault, const char *check,
                         const char *path, unsigned mode) {
        struct remedy remedy = remedy_of("chmod %o %s", mode, path);
        struct stat st;

        if (stat(path, &st) < 0)
                return false;
        if ((st.st_mode & 0111) != 0111)
                found(&examination->findings, fault, check, remedy, "%s has mode %04o: not everybody can execute it",
                      path, st.st_mode & 07777);
        else if ((st.st_mode & 07777) != mode)
                warn(&examination->findings, check, remedy, "%s has mode %04o, and must have %04o", path,
                     st.st_mode & 07777, mode);
        else
                pass(&examination->findings, check, "%s has mode %04o", path, mode);
        return (st.st_mode & 0111) == 0111;
}

/* `fault`: what it is when the program cannot be run. */
static void look_at_program(struct examination *examination, enum finding_status fault, const char *const checks[3],
                            const char *path, unsigned mode, const char *user) {
        if (look_at_path(examination, fault, checks[0], checks[1], path) &&
            look_at_mode(examination, fault, checks[0], path, mode) && getpwnam(user))
                look_at_run(examination, fault, checks[2], path, user);
}

void doctor_programs(struct examination *examination) {
        static const char *const helper[] = {"helper-file", "helper-path", "helper-runs"},
                                 *const chain[] = {"chain-file", "chain-path", "chain-runs"},
                                 *const agent[] = {"agent-file", "agent-path", "agent-runs"};

        look_at_program(examination, FINDING_FAILURE, helper, HELPER_PROGRAM, HELPER_MODE, HELPER_USER);
        /* Where an sshd runs it, the self-test shows whether keys are kept out. */
        look_at_program(examination, FINDING_WARNING, chain, CHAIN_PROGRAM, HELPER_MODE, HELPER_USER);
        look_at_program(examination, FINDING_FAILURE, agent, AGENT_PROGRAM, AGENT_MODE, AGENT_USER);
}
