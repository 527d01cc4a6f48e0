/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exc compute proxy-command: what ssh runs for "Host exc-*" of exc compute ssh-config. It has a key made for the ssh that has
 * started it, pushes that into the VM, leaves the host keys for ssh, and hands ssh a connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/output.h"
#include "exc/dial.h"
#include "exc/key_grant.h"
#include "exc/key_holder.h"
#include "exc/problem.h"
#include "libpush/known_hosts.h"

#define HOST_PREFIX "exc-"

/* Parallel clients begin many connections at once, and do not begin one again that has failed. */
enum { KEEP_DEFAULT_S = 120, PATIENCE_S = 45 };

/* By this clock and the server's: where they differ, a while. */
static int keep_s(int64_t expires_at) {
        int64_t left = expires_at - (int64_t)time(NULL);

        return left < 1 || left > KEY_HOLDER_KEEP_MAX_S ? KEEP_DEFAULT_S : (int)left;
}

/* Whole or not at all: another ssh may read it now. */
static int write_known_hosts(const char *directory, const char *host, const struct connect_answer *answer) {
        char path[PATH_MAX], temporary[PATH_MAX];
        FILE *file;
        int fd;

        (void)snprintf(path, sizeof(path), "%s/" KEY_HOLDER_KNOWN_HOSTS "/%s", directory, host);
        (void)snprintf(temporary, sizeof(temporary), "%s/.known_hosts-XXXXXX", directory);
        fd = mkostemp(temporary, O_CLOEXEC);
        file = fd >= 0 ? fdopen(fd, "w") : NULL;
        for (size_t i = 0; file && i < answer->n_host_keys; i++) {
                char line[KNOWN_HOSTS_LINE_MAX];

                known_hosts_line(KEY_HOLDER_ALIAS, &answer->host_keys[i], line);
                (void)fprintf(file, "%s\n", line);
        }
        if (file && fclose(file) == 0 && rename(temporary, path) == 0)
                return EXIT_DONE;
        complain("%s: cannot write it: %s", path, strerror(errno));
        if (fd >= 0)
                (void)unlink(temporary);
        return EXIT_OWN_FAILURE;
}

static int hand_over(const struct options *options, const struct key_grant *grant) {
        struct problem problem;
        char where[128];
        size_t which = 0;
        int fd = dial(grant->route.address, grant->route.n, grant->route.port, &which);

        if (fd >= 0) {
                int r = dial_hand_over(fd);

                (void)close(fd);
                return r == 0 ? EXIT_DONE : EXIT_OWN_FAILURE;
        }
        (void)snprintf(where, sizeof(where), "%s port %d", grant->route.address[which], grant->route.port);
        problem_of_route(grant->target.given, where, -fd, &problem);
        return problem_print(options, &problem, NULL);
}

static int push_key(const struct options *options, const struct ssh_key *key, struct key_grant *grant) {
        const struct key_grant_want want = {.own_key = key, .patience_s = PATIENCE_S};
        struct api *api;
        int status = api_open(options, &api);

        if (status != EXIT_DONE)
                return status;
        status = key_grant_get(options, api, &want, grant);
        api_close(api);
        return status;
}

static int serve(const struct options *options, const char *host, struct key_grant *grant) {
        struct ssh_key key;
        /* ssh has a shell run this, and that with exec: it is the parent. */
        int holder = key_holder_make(options->directory, getppid(), &key), status;

        if (holder < 0)
                return EXIT_OWN_FAILURE;
        status = push_key(options, &key, grant);
        (void)key_holder_keep(holder, &key, status == EXIT_DONE ? keep_s(grant->answer.expires_at) : 0);
        (void)close(holder);
        if (status == EXIT_DONE)
                status = write_known_hosts(options->directory, host, &grant->answer);
        return status == EXIT_DONE ? hand_over(options, grant) : status;
}

static bool stdout_takes_descriptors(void) {
        struct stat st;

        return fstat(STDOUT_FILENO, &st) == 0 && S_ISSOCK(st.st_mode);
}

static int run(const struct cli_line *line, const void *context) {
        struct options options = *(const struct options *)context;
        struct key_grant grant = {.pair = {.private_half = NULL}};
        const char *host = line->arguments[0];
        int status;

        if (!stdout_takes_descriptors())
                return cli_usage(line, "ssh runs this, with ProxyUseFdpass; see exc compute ssh-config");
        if (strncmp(host, HOST_PREFIX, strlen(HOST_PREFIX)) != 0 || strlen(host) > NAME_MAX || strchr(host, '/') ||
            !target_from_text(host + strlen(HOST_PREFIX), &grant.target))
                return cli_usage(line, "%s: expected exc- and the id or name of a VM", host);
        if (!exc_take_user(NULL, line->arguments[1], &options.user))
                return cli_usage(line, "%s: not a login name", line->arguments[1]);
        (void)snprintf(grant.target.user, sizeof(grant.target.user), "%s", line->arguments[1]);
        status = serve(&options, host, &grant);
        key_grant_end(&grant);
        return status;
}

static const struct cli_option proxy_options[] = {
        {.name = "directory",
         .value = "DIR",
         .take = cli_take_text,
         .offset = offsetof(struct options, directory),
         .flags = CLI_NEEDED | CLI_BYTES,
         .help = "of the key holder"},
        {.name = NULL},
};

const struct cli_command proxy_command = {
        .words = "compute proxy-command",
        .arguments = "exc-VM USER",
        .summary = "push a key and connect for the ssh that runs this; see ssh-config",
        .least = 2,
        .most = 2,
        .hidden = true,
        .tables = {proxy_options},
        .run = run,
};
