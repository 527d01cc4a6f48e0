/* SPDX-License-Identifier: Apache-2.0 */
/* exc-instance-connect-relay: connects a virtio-serial port to the agent. udev starts it when the port appears. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/debug.h"
#include "common/service_options.h"
#include "relay/relay.h"
#include "relay/relay_confine.h"

#define PROGRAM "exc-instance-connect-relay"
#define PORT "/dev/virtio-ports/in.excloud.InstanceConnect"
#define HOST_SOCKET "/run/exc-instance-connect/host.sock"

struct options {
        const char *port;
        const char *socket;
        bool verbose;
        enum syscall_filter_mode seccomp;
};

static const char usage[] = "Usage: " PROGRAM " [--port PATH] [--socket PATH] [--verbose] [--seccomp on|log|off]\n"
                            "\n"
                            "Copies bytes between a virtio-serial port and the instance connect agent. udev starts it\n"
                            "when the port appears. See " PROGRAM "(8).\n"
                            "\n"
                            "  --port PATH     the port (" PORT ")\n"
                            "  --socket PATH   the agent's host socket (" HOST_SOCKET ")\n"
                            "  --verbose       print a line for each stage on standard error, as EXC_DEBUG=1 does\n"
                            "  --seccomp MODE  log system calls that it should not make, or off; to find a fault (on)\n"
                            "  --help, --version\n";

/* -1, or an exit status. */
static int parse_options(int argc, char *argv[], struct options *ret) {
        const struct service_option table[] = {
                {"port", .take = service_take_text, .member = &ret->port},
                {"socket", .take = service_take_text, .member = &ret->socket},
                {"verbose", .flag = &ret->verbose},
                {"seccomp", .take = syscall_filter_mode_take, .member = &ret->seccomp,
                 .expected = SYSCALL_FILTER_MODES},
                {.name = NULL},
        };

        *ret = (struct options){.port = PORT, .socket = HOST_SOCKET};
        return service_options_parse(PROGRAM, usage, table, argc, argv);
}

static void log_stage(const char *text) {
        debug_line("debug: %s", text);
}

static void on_confinement(const char *text) {
        (void)fprintf(stderr, PROGRAM ": %s\n", text);
}

static const char *next_step(int error) {
        switch (error) {
        case -EBUSY:
                return "; stop the program that has it open, a port accepts one";
        case -ENOENT:
                return "; configure this port on the host, or check the udev rules of this package";
        case -EACCES:
                return "; check its owner, which a udev rule of this package sets to " PROGRAM;
        case -ENAMETOOLONG:
                return "; use a shorter path with --socket";
        default:
                return "";
        }
}

/* Returns when the port is unusable, with its negative errno. */
static int run(struct relay *relay) {
        int reported = 0, r;

        for (;;) {
                r = relay_step(relay, -1);
                if (r < 0)
                        return r;
                if (relay->connect_error < 0 && reported == 0)
                        (void)fprintf(stderr,
                                      PROGRAM ": %s: agent not reachable, the host waits: %s; "
                                              "run systemctl status exc-instance-connect-host.socket\n",
                                      relay->socket_path, strerror(-relay->connect_error));
                reported = relay->connect_error;
        }
}

int main(int argc, char *argv[]) {
        struct process_limits limits;
        struct options options;
        struct relay relay;
        int fd, r = parse_options(argc, argv, &options);

        if (r >= 0)
                return r;
        debug_init(PROGRAM, options.verbose);
        fd = open(options.port, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0) {
                r = -errno;
                (void)fprintf(stderr, PROGRAM ": %s: cannot be opened: %s%s\n", options.port, strerror(-r),
                              next_step(r));
                return EXIT_FAILURE;
        }
        r = relay_open(&relay, fd, options.socket);
        if (r < 0) {
                (void)fprintf(stderr, PROGRAM ": %s: cannot be used: %s%s\n",
                              r == -ENAMETOOLONG ? options.socket : options.port, strerror(-r), next_step(r));
                (void)close(fd);
                return EXIT_FAILURE;
        }
        relay.log_stage = log_stage;
        log_stage("port: opened");
        limits = relay_limits(options.seccomp);
        process_confine(&limits, on_confinement);
        r = run(&relay);
        relay_close(&relay);
        (void)close(fd);
        /* Unplugged, or the guest shuts down: not a failure. */
        if (r == -ENODEV) {
                log_stage("port: unplugged");
                return EXIT_SUCCESS;
        }
        (void)fprintf(stderr, PROGRAM ": %s: cannot be used any more: %s\n", options.port, strerror(-r));
        return EXIT_FAILURE;
}
