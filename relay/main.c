/* SPDX-License-Identifier: Apache-2.0 */
/* exc-instance-connect-relay: the agent's way out over virtio-serial. udev starts it where the port is. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/relay.h"

#define PORT "/dev/virtio-ports/in.excloud.InstanceConnect"
#define HOST_SOCKET "/run/exc-instance-connect/host.sock"

enum { EXIT_WRONG_USAGE = 2 };

struct options {
        const char *port;
        const char *socket;
};

static const char usage[] =
        "Usage: exc-instance-connect-relay [--port PATH] [--socket PATH]\n"
        "\n"
        "Moves bytes between a virtio-serial port and the instance connect agent. It is started by\n"
        "udev where the port is, not by hand. See exc-instance-connect-relay(8).\n"
        "\n"
        "  --port PATH     the port (" PORT ")\n"
        "  --socket PATH   the agent's host socket (" HOST_SOCKET ")\n"
        "  --help, --version\n";

static void parse_options(int argc, char *argv[], struct options *ret) {
        static const struct option known[] = {
                {"port", required_argument, NULL, 'p'},
                {"socket", required_argument, NULL, 's'},
                {"help", no_argument, NULL, 'h'},
                {"version", no_argument, NULL, 'v'},
                {NULL, 0, NULL, 0},
        };

        *ret = (struct options){.port = PORT, .socket = HOST_SOCKET};
        for (;;) {
                switch (getopt_long(argc, argv, "", known, NULL)) {
                case -1:
                        if (optind == argc)
                                return;
                        (void)fprintf(stderr, "exc-instance-connect-relay: %s: no argument is expected; see --help\n",
                                      argv[optind]);
                        exit(EXIT_WRONG_USAGE);
                case 'p':
                        ret->port = optarg;
                        break;
                case 's':
                        ret->socket = optarg;
                        break;
                case 'h':
                        (void)fputs(usage, stdout);
                        exit(EXIT_SUCCESS);
                case 'v':
                        (void)puts("exc-instance-connect-relay " PACKAGE_VERSION);
                        exit(EXIT_SUCCESS);
                default:
                        (void)fputs("See exc-instance-connect-relay --help.\n", stderr);
                        exit(EXIT_WRONG_USAGE);
                }
        }
}

static const char *hint(int error) {
        switch (error) {
        case -EBUSY:
                return ": another program has it open; a port takes one";
        case -ENOENT:
                return ": the host gives this machine no such port, or udev made no link to it";
        case -EACCES:
                return ": it belongs to the user exc-instance-connect-relay by a udev rule of this package";
        default:
                return "";
        }
}

/* Until the port is gone. */
static int run(struct relay *relay) {
        int refused = 0, r;

        for (;;) {
                r = relay_step(relay, -1);
                if (r < 0)
                        return r;
                if (relay->refused < 0 && refused == 0)
                        (void)fprintf(stderr,
                                      "%s: the agent cannot be reached: %s; the host waits meanwhile. "
                                      "See: systemctl status exc-instance-connect-host.socket\n",
                                      relay->socket_path, strerror(-relay->refused));
                refused = relay->refused;
        }
}

int main(int argc, char *argv[]) {
        struct options options;
        struct relay relay;
        int fd, r;

        parse_options(argc, argv, &options);
        fd = open(options.port, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        r = fd < 0 ? -errno : relay_open(&relay, fd, options.socket);
        if (r < 0) {
                (void)fprintf(stderr, "%s: cannot be used: %s%s\n", options.port, strerror(-r), hint(r));
                return EXIT_FAILURE;
        }
        r = run(&relay);
        relay_close(&relay);
        (void)close(fd);
        /* Unplugged, or the guest goes down: no failure. */
        if (r == -ENODEV)
                return EXIT_SUCCESS;
        (void)fprintf(stderr, "%s: cannot be used any more: %s\n", options.port, strerror(-r));
        return EXIT_FAILURE;
}
