/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exc-instance-connect-metadata: asks the cloud's metadata service once, and hands what it has to the agent. A timer starts it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/debug.h"
#include "common/service_options.h"
#include "conf/metadata_conf.h"
#include "metadata/handover.h"
#include "metadata/http.h"
#include "metadata/metadata_confine.h"
#include "metadata/service.h"

#define PROGRAM "exc-instance-connect-metadata"
#define CONFIG_DIR "/etc/exc-instance-connect"

enum {
        EXIT_NO_AGENT = 3,
        WAIT_MAX_S = 600,
};

struct options {
        const char *config_dir;
        const char *socket;
        long wait_s;
        bool verbose;
        enum syscall_filter_mode seccomp;
};

static const char usage[] =
        "Usage: " PROGRAM " [--config-dir DIR] [--socket PATH] [--wait SECONDS]\n"
        "                                     [--verbose] [--seccomp on|log|off]\n"
        "\n"
        "Asks the cloud's metadata service for this machine's launch keys and hands them to the\n"
        "instance connect agent. " PROGRAM ".timer starts it. See " PROGRAM "(8).\n"
        "\n"
        "  --config-dir DIR   where metadata.conf is (" CONFIG_DIR ")\n"
        "  --socket PATH      the agent's metadata socket (" HANDOVER_SOCKET ")\n"
        "  --wait SECONDS     how long to wait until the network has a route to the service (0)\n"
        "  --verbose          print a line for each stage on standard error, as EXC_DEBUG=1 does\n"
        "  --seccomp MODE     log system calls that it should not make, or off; to find a fault (on)\n"
        "  --help, --version\n";

static bool take_wait(const char *text, void *member) {
        char *end;
        long value;

        errno = 0;
        value = strtol(text, &end, 10);
        if (errno > 0 || end == text || *end || value < 0 || value > WAIT_MAX_S)
                return false;
        *(long *)member = value;
        return true;
}

/* -1, or an exit status. */
static int parse_options(int argc, char *argv[], struct options *ret) {
        const struct service_option table[] = {
                {"config-dir", .take = service_take_text, .member = &ret->config_dir},
                {"socket", .take = service_take_text, .member = &ret->socket},
                {"wait", .take = take_wait, .member = &ret->wait_s, .expected = "0..600 seconds"},
                {"verbose", .flag = &ret->verbose},
                {"seccomp", .take = syscall_filter_mode_take, .member = &ret->seccomp,
                 .expected = SYSCALL_FILTER_MODES},
                {.name = NULL},
        };

        *ret = (struct options){.config_dir = CONFIG_DIR, .socket = HANDOVER_SOCKET};
        return service_options_parse(PROGRAM, usage, table, argc, argv);
}

static void on_confinement(const char *text) {
        (void)fprintf(stderr, PROGRAM ": %s\n", text);
}

static void on_warning(void *context, const char *file, unsigned line, const char *text) {
        (void)context;
        (void)fprintf(stderr, PROGRAM ": %s:%u: %s\n", file, line, text);
}

/* --- configuration ------------------------------------------------------------------------------------------------ */

/* EXIT_SUCCESS: there is something to ask. */
static int load(const struct options *options, struct metadata_conf *conf) {
        int r = metadata_conf_load(options->config_dir, on_warning, NULL, NULL, conf);

        if (r == -ENOENT)
                (void)fprintf(stderr,
                              PROGRAM ": %s/" METADATA_CONF_FILE ": there is none, so nothing is asked; see " PROGRAM
                                      ".conf(5)\n",
                              options->config_dir);
        else if (r < 0)
                (void)fprintf(stderr, PROGRAM ": %s\n", conf->error);
        else if (conf->user[0] == '\0' && !conf->instance_id)
                (void)fprintf(stderr,
                              PROGRAM ": %s/" METADATA_CONF_FILE ": nothing is asked; set User= or InstanceId=yes\n",
                              options->config_dir);
        else
                return EXIT_SUCCESS;
        return SERVICE_NOT_CONFIGURED;
}

/* --- what is asked ------------------------------------------------------------------------------------------------ */

/* What one address has. */
struct found {
        bool has_keys, has_id;
        struct answer_keys keys;
        char id[METADATA_INSTANCE_ID_MAX];
};

/* What is wrong at addresses where nothing answered: printed where none does. */
struct silent {
        char text[1024];
};

static void note_silent(struct silent *silent, const char *address, const char *why) {
        size_t used = strlen(silent->text);

        (void)snprintf(silent->text + used, sizeof(silent->text) - used, PROGRAM ": %.64s: %.192s\n", address, why);
}

static void ask_reached(struct service *service, struct http *http, const char *address, struct found *ret) {
        char why[SERVICE_WHY_MAX];
        int r = 0;

        /* Neither depends on the other. */
        if (service->conf->user[0] != '\0') {
                r = service_keys(service, &ret->keys, why);
                ret->has_keys = r >= 0;
                if (r < 0)
                        (void)fprintf(stderr, PROGRAM ": %s: %s\n", address, why);
        }
        if (service->conf->instance_id && clock_ms(CLOCK_MONOTONIC) < http->deadline_ms) {
                r = service_instance_id(service, ret->id, why);
                ret->has_id = r >= 0;
                if (r < 0)
                        (void)fprintf(stderr, PROGRAM ": %s: %s\n", address, why);
        }
}

/* Whether the service answered at this address, well or not. */
static bool ask(const struct metadata_conf *conf, const char *address, int64_t deadline_ms, struct found *ret,
                struct silent *silent) {
        static struct service service; /* 64 KiB */
        char why[SERVICE_WHY_MAX];
        struct http http;
        bool reached;
        int r;

        r = http_open(&http, address, deadline_ms);
        if (r < 0) {
                note_silent(silent, address, strerror(-r));
                return false;
        }
        r = service_begin(&service, conf, http_send, &http, why);
        reached = http.reached;
        if (r >= 0)
                ask_reached(&service, &http, address, ret);
        else if (reached)
                (void)fprintf(stderr, PROGRAM ": %s: %s\n", address, why);
        else
                note_silent(silent, address, why);
        http_close(&http);
        return reached;
}

static void ask_all(const struct metadata_conf *conf, const struct options *options, struct found *ret) {
        static const char *const usual[] = METADATA_ADDRESSES;
        const char *addresses[METADATA_ADDRESSES_MAX];
        struct silent silent = {.text = ""};
        int64_t deadline_ms;
        size_t n = 0;

        for (size_t i = 0; i < conf->addresses.n; i++)
                addresses[n++] = conf->addresses.item[i];
        for (size_t i = 0; conf->addresses.n == 0 && i < sizeof(usual) / sizeof(usual[0]); i++)
                addresses[n++] = usual[i];
        if (!http_await_route(addresses, n, clock_ms(CLOCK_MONOTONIC) + options->wait_s * 1000)) {
                (void)fprintf(stderr, PROGRAM ": %s: no route to it; is the network configured?\n", addresses[0]);
                return;
        }
        deadline_ms = clock_ms(CLOCK_MONOTONIC) + HTTP_TOTAL_MS;
        for (size_t i = 0; i < n; i++)
                if (ask(conf, addresses[i], deadline_ms, ret, &silent))
                        return;
        (void)fputs(silent.text, stderr);
}

/* --- to the agent ------------------------------------------------------------------------------------------------- */

static int report(enum handover result, const struct options *options, const char *why) {
        switch (result) {
        case HANDOVER_DONE:
                return EXIT_SUCCESS;
        case HANDOVER_NOT_REACHED:
                (void)fprintf(stderr, PROGRAM ": %s: agent not reached: %s; run systemctl status " PROGRAM ".socket\n",
                              options->socket, why);
                return EXIT_NO_AGENT;
        case HANDOVER_REFUSED:
                (void)fprintf(stderr, PROGRAM ": agent: %s\n", why);
                break;
        }
        return EXIT_FAILURE;
}

static int hand_keys(const struct options *options, const struct answer_keys *keys) {
        char why[HANDOVER_WHY_MAX];
        size_t n_rejected = 0;
        int status;

        debug_line("debug: keys: %zu", keys->n);
        if (keys->n_left_out > 0)
                (void)fprintf(stderr, PROGRAM ": keys: %zu left out; of the first: %s\n", keys->n_left_out,
                              ssh_key_fault_text(keys->left_out));
        status = report(handover_keys(options->socket, keys, &n_rejected, why), options, why);
        if (n_rejected > 0)
                (void)fprintf(stderr, PROGRAM ": keys: %zu rejected by the agent; of the last: %s\n", n_rejected, why);
        return status;
}

static int hand_over(const struct metadata_conf *conf, const struct options *options, const struct found *found) {
        int status = EXIT_SUCCESS, id_status = EXIT_SUCCESS;
        char why[HANDOVER_WHY_MAX];

        if (conf->user[0] != '\0')
                status = found->has_keys ? hand_keys(options, &found->keys) : EXIT_FAILURE;
        if (conf->instance_id)
                id_status = found->has_id ? report(handover_instance_id(options->socket, found->id, why), options, why)
                                          : EXIT_FAILURE;
        return status != EXIT_SUCCESS ? status : id_status;
}

int main(int argc, char *argv[]) {
        static struct found found; /* 20 KiB */
        struct process_limits limits;
        struct metadata_conf conf;
        struct options options;
        int status = parse_options(argc, argv, &options);

        if (status >= 0)
                return status;
        debug_init(PROGRAM, options.verbose);
        status = load(&options, &conf);
        if (status == EXIT_SUCCESS && !http_start()) {
                (void)fprintf(stderr, PROGRAM ": libcurl: cannot be used\n");
                status = EXIT_FAILURE;
        }
        if (status == EXIT_SUCCESS) {
                limits = metadata_limits(options.seccomp);
                process_confine(&limits, on_confinement);
                ask_all(&conf, &options, &found);
                status = hand_over(&conf, &options, &found);
                http_stop();
        }
        metadata_conf_clear(&conf);
        return status;
}
