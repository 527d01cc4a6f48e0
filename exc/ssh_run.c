/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/ssh_run.h"

#include <errno.h>
#include <sys/wait.h>

#include "cli/output.h"
#include "exc/problem.h"

#define NS_PER_S INT64_C(1000000000)

enum { SSH_FAILED = 255, KILL_AFTER_S = 5 };

int ssh_run_open(const struct key_grant *grant, struct session *ret) {
        const struct ssh_key *host_keys[CONNECT_HOST_KEYS_MAX];
        char alias[sizeof(CONNECT_HOST_ALIAS) + VM_ID_MAX];
        const struct session_needs needs = {
                .prefix = "exc-",
                .pair = &grant->pair,
                .public_key = true,
                .known_hosts = alias,
                .host_keys = host_keys,
                .n_host_keys = grant->answer.n_host_keys,
        };

        (void)snprintf(alias, sizeof(alias), CONNECT_HOST_ALIAS "%s", grant->answer.vm_id);
        for (size_t i = 0; i < grant->answer.n_host_keys; i++)
                host_keys[i] = &grant->answer.host_keys[i];
        return session_open(ret, &needs);
}

int ssh_run_start(const struct options *options, const struct key_grant *grant, struct ssh_want *want,
                  struct session_start *start, struct session *session) {
        struct words words;
        int status = EXIT_OWN_FAILURE;

        want->program = "ssh";
        want->vm_id = grant->answer.vm_id;
        want->user = grant->answer.user;
        want->route = &grant->route;
        want->identity_file = session->public_key_path;
        want->agent = session->agent_path;
        want->known_hosts = session->known_hosts_path;
        if (!ssh_command_make(want, &words))
                complain("out of memory");
        else {
                start->argv = words.at;
                verbose(options, "VM %s: ssh to %s@%s port %d", grant->target.given, grant->answer.user,
                        grant->route.address[0], grant->route.port);
                status = session_start(session, start);
        }
        words_free(&words);
        return status;
}

/* Where ssh fails before it asks for the key, it has not reached the VM's sshd, or this is another machine. */
static void explain(const struct key_grant *grant, const struct session *session) {
        if (session->agent.n_admitted == 0)
                complain("VM %s: ssh ended before it used the key; if there is no route from here (VPN, firewall), "
                         "choose another address with --address public|private|ipv6",
                         grant->target.given);
}

int ssh_run_status(const struct key_grant *grant, const struct session *session) {
        int status = session_status(session);

        if (session->signal != 0 && (WIFSIGNALED(session->status) || status == SSH_FAILED))
                return EXIT_SIGNALLED + session->signal;
        if (!WIFSIGNALED(session->status) && status != SSH_FAILED)
                return status;
        explain(grant, session);
        return SSH_FAILED;
}

/* ssh ends at SIGTERM, unless it is stopped. */
static int time_out(const struct key_grant *grant, struct session *session, int timeout_s) {
        complain("VM %s: the command has not ended within %d s; it may go on in the VM", grant->target.given,
                 timeout_s);
        session_kill(session, SIGTERM);
        session_kill(session, SIGCONT);
        if (session_wait(session, -EBADF, 0, session_now_ns() + KILL_AFTER_S * NS_PER_S) == SESSION_TIME) {
                session_kill(session, SIGKILL);
                (void)session_wait(session, -EBADF, 0, 0);
        }
        return EXIT_TIMED_OUT;
}

int ssh_run_finish(const struct key_grant *grant, struct session *session, int timeout_s) {
        int64_t deadline_ns = timeout_s > 0 ? session_now_ns() + timeout_s * NS_PER_S : 0;

        switch (session_wait(session, -EBADF, 0, deadline_ns)) {
        case SESSION_ENDED:
                return ssh_run_status(grant, session);
        case SESSION_TIME:
                return time_out(grant, session, timeout_s);
        default:
                return EXIT_OWN_FAILURE;
        }
}
