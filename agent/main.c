/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exc-instance-connect-agent: takes pushed keys and stores them for sshd's helper.
 *
 * systemd holds its sockets and starts it at a connection. It exits when no message came for a while and no key is live. What it
 * must remember is in the store.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include "agent/agent.h"
#include "agent/audit.h"
#include "agent/listener.h"
#include "common/debug.h"
#include "common/service_options.h"

struct options {
        const char *runtime_dir;
        const char *config_dir;
        struct confinement confinement;
        bool make_memory;
        bool verbose;
};

static const char usage[] =
        "Usage: exc-instance-connect-agent [--runtime-dir DIR] [--config-dir DIR] [--verbose]\n"
        "                                  [--seccomp on|log|off] [--name-service-network]\n"
        "\n"
        "Takes pushed SSH keys on the sockets that systemd passes to it. It is started by\n"
        "exc-instance-connect.socket, not by hand. See exc-instance-connect-agent(8).\n"
        "\n"
        "  --runtime-dir DIR   where the store is (" STORE_RUNTIME_DIR ")\n"
        "  --config-dir DIR    where agent.conf is (" CONFIG_DIR ")\n"
        "  --make-memory       only make the memory of signed pushes, unless it is there\n"
        "  --seccomp MODE      a system call that is not allowed is refused (on, the default), only\n"
        "                      logged by the kernel (log), or allowed (off)\n"
        "  --name-service-network  a module of the name service uses the network\n"
        "  --verbose           print a line for each stage on standard error, as EXC_DEBUG=1 does\n"
        "  --help, --version\n";

/* -1, or an exit status. */
static int parse_options(int argc, char *argv[], struct options *ret) {
        const struct service_option table[] = {
                {"runtime-dir", .take = service_take_text, .member = &ret->runtime_dir},
                {"config-dir", .take = service_take_text, .member = &ret->config_dir},
                {"make-memory", .flag = &ret->make_memory},
                {"name-service-network", .flag = &ret->confinement.network},
                {"seccomp", .take = syscall_filter_mode_take, .member = &ret->confinement.calls,
                 .expected = SYSCALL_FILTER_MODES},
                {"verbose", .flag = &ret->verbose},
                {.name = NULL},
        };

        *ret = (struct options){.runtime_dir = STORE_RUNTIME_DIR, .config_dir = CONFIG_DIR};
        return service_options_parse("exc-instance-connect-agent", usage, table, argc, argv);
}

/* SIGTERM and SIGINT end the loop between two events, so never in the middle of storing. */
static int take_signals(sd_event *event) {
        sigset_t signals;
        int r;

        (void)sigemptyset(&signals);
        (void)sigaddset(&signals, SIGTERM);
        (void)sigaddset(&signals, SIGINT);
        if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
                return -errno;
        r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
        return r < 0 ? r : sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
}

int main(int argc, char *argv[]) {
        struct listeners listeners = {.n = 0};
        struct options options;
        struct agent agent;
        int r;

        r = parse_options(argc, argv, &options);
        if (r >= 0)
                return r;
        debug_init("exc-instance-connect-agent", options.verbose);
        (void)umask(0027);
        /* Without a journal each event is one line here, and not a write for each character of it. */
        (void)setvbuf(stderr, NULL, _IOLBF, 0);
        if (options.make_memory)
                return agent_make_memory(options.runtime_dir) < 0 ? EXIT_OWN_FAILURE : EXIT_DONE;
        /* Threads for the name service must not each bring a heap of their own. */
        (void)mallopt(M_ARENA_MAX, 1);
        /* The memory of a long listing goes back to the kernel. By default the threshold grows with the first one. */
        (void)mallopt(M_MMAP_THRESHOLD, 128 * 1024);

        r = agent_start(&agent, options.runtime_dir, options.config_dir);
        if (r >= 0)
                r = take_signals(agent.event);
        if (r < 0)
                audit_note(LOG_ERR, "agent: could not start: %s", strerror(-r));
        else
                r = listeners_start(&listeners, &agent);
        if (r >= 0) {
                agent.confinement = options.confinement;
                confine_agent(&agent);
                agent_check_names(&agent);
                r = sd_event_loop(agent.event);
                if (r < 0)
                        audit_note(LOG_ERR, "event loop: failed: %s", strerror(-r));
        }
        listeners_stop(&listeners);
        agent_stop(&agent);
        if (r == -ENOTCONN && listeners.n == 0)
                return SERVICE_NOT_CONFIGURED;
        return r < 0 ? EXIT_OWN_FAILURE : EXIT_DONE;
}
