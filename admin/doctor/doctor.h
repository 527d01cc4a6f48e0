/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What doctor checks, one function for each part of a key's way. Each runs in a child of its own under a deadline
 * (admin/probe.h), so it may become another user and need not clean up; its findings are in shared memory.
 */
#ifndef EXC_DOCTOR_H
#define EXC_DOCTOR_H

#include <stdint.h>
#include <sys/types.h>

#include "admin/doctor/finding.h"
#include "admin/system_user.h"
#include "agent/instance_id.h"
#include "authkeys-helper/identity.h"
#include "common/grant.h"
#include "common/ssh_key.h"
#include "wire/fingerprint.h"

#define AGENT_PROGRAM PKGLIBEXECDIR "/exc-instance-connect-agent"
#define PACKAGE_REINSTALL "apt-get install --reinstall -y exc-instance-connect"

#define DOCTOR_MOUNT_UNIT "run-exc\\x2dinstance\\x2dconnect.mount"
#define DOCTOR_CLAIMS_MOUNT_UNIT "run-exc\\x2dinstance\\x2dconnect-claims.mount"
#define DOCTOR_SOCKETS "exc-instance-connect.socket exc-instance-connect-host.socket"

/* How the text of a FINDING_MORE_WARNING begins, where it is the same for all clients. */
#define DOCTOR_MORE "sshd accepts keys, and needs also "

enum { DOCTOR_PROGRAM_MS = 5 * 1000 }; /* for each program that is run */

struct examination {
        struct findings findings;
        const char *socket; /* the agent's */
        const char *user;   /* NULL: any */
        const char *from;   /* the client's address; NULL: any */
        bool ask_pam;       /* whatever its modules do then */

        bool sshd_hangs;  /* it is not run again then */
        int sshd_version; /* as sshd_version() gives it */

        /* Of the clients that sshd is asked about (doctor_clients.h), as bits. */
        uint32_t clients, clients_refused;

        bool sftp_only; /* the user can do nothing but sftp */

        /* The agent's answer to Status. */
        bool agent_answered;
        char agent_instance[INSTANCE_ID_MAX]; /* "" where it has none */

        bool pam_not_asked; /* so that it is not known whether it lets `user` in */

        bool nobody_known; /* without `user`: none of those who were tried may be given a key */

        /* The throw-away key, which is revoked whatever happens. */
        struct ssh_key key;
        char fingerprint[FINGERPRINT_MAX];
        bool pushed;
        char account[GRANT_USER_MAX]; /* that it was pushed for, by the name service's name */
};

/* In this order. */
void doctor_users(struct examination *examination);     /* the system users and groups */
void doctor_programs(struct examination *examination);  /* the package's programs, and the way to them */
void doctor_sshd(struct examination *examination);      /* every sshd: its configuration, and whether it read it */
void doctor_account(struct examination *examination);   /* the given user's account, and what sshd allows it */
void doctor_pam(struct examination *examination);       /* whether PAM lets the given user in */
void doctor_sockets(struct examination *examination);   /* the units, their sockets, and the channels */
void doctor_agent(struct examination *examination);     /* whether it answers, and what */
void doctor_calls(struct examination *examination);     /* system calls that were refused to the agent since boot */
void doctor_selinux(struct examination *examination);   /* its module, labels, and what it denied */
void doctor_store(struct examination *examination);     /* the store's mount, owners and modes, and room */
void doctor_config(struct examination *examination);    /* agent.conf, and whether it allows the user */
void doctor_host_keys(struct examination *examination); /* whether the answer to a push has sshd's host keys */
void doctor_trust(struct examination *examination);     /* anchors and instance id */
void doctor_metadata(struct examination *examination);  /* launch keys, where they are configured */
void doctor_proc(struct examination *examination);      /* whether the helper sees sshd's processes */
void doctor_mounts(struct examination *examination);    /* whether sshd sees the helper and the store */
void doctor_drops(struct examination *examination);     /* connections that sshd drops before authentication */
void doctor_apparmor(struct examination *examination);  /* profiles of AppArmor, and what they denied */
void doctor_machine(struct examination *examination);   /* clock, AppArmor, journal */

/* A push, two runs of the helper and a revocation. `doctor_self_test_end` revokes the key if that is still to do. */
void doctor_self_test(struct examination *examination);
void doctor_self_test_end(struct examination *examination);

#endif
