/* SPDX-License-Identifier: Apache-2.0 */
/* exc-compute-api: who asks for access, may they, and what happened. See exc-compute-api(8). */
#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "cloud/api/api.h"
#include "cloud/api/api_confine.h"
#include "cloud/api/http.h"
#include "cloud/api/journal.h"
#include "common/debug.h"
#include "common/service_options.h"
#include "wire/refusal.h"
#include "wire/serve.h"
#include "wire/wipe.h"

enum {
        ARENAS = 4, /* heaps: workers share them */
        SECURE_HEAP_SIZE = 256 * 1024,
        SECURE_HEAP_LEAST = 32,
};

static const char usage[] =
        "Usage: exc-compute-api [--config FILE] [--check] [--verbose] [--seccomp on|log|off]\n"
        "\n"
        "The compute API: decides who may connect to which instance, and has it done. It is started\n"
        "by exc-compute-api.service. See exc-compute-api(8).\n"
        "\n"
        "  --config FILE   the configuration (" API_CONFIG_FILE ")\n"
        "  --check         only read the configuration\n"
        "  --verbose       print a line for each stage on standard error, as EXC_DEBUG=1 does\n"
        "  --seccomp MODE  log system calls that it should not make, or off; to find a fault (on)\n"
        "  --help, --version\n";

struct options {
        const char *config;
        bool check, verbose;
        enum syscall_filter_mode seccomp;
};

/* -1, or an exit status. */
static int parse_options(int argc, char *argv[], struct options *ret) {
        const struct service_option table[] = {
                {"config", .take = service_take_text, .member = &ret->config},
                {"check", .flag = &ret->check},
                {"verbose", .flag = &ret->verbose},
                {"seccomp", .take = syscall_filter_mode_take, .member = &ret->seccomp,
                 .expected = SYSCALL_FILTER_MODES},
                {.name = NULL},
        };

        *ret = (struct options){.config = API_CONFIG_FILE};
        return service_options_parse("exc-compute-api", usage, table, argc, argv);
}

/* --- sockets -------------------------------------------------------------------------------------------------------- */

static int open_sockets(const struct api_config *config, int sockets[static HTTP_LISTENERS_MAX]) {
        int n = serve_inherited(sockets, HTTP_LISTENERS_MAX - 1), fd;

        if (n < 0) {
                journal_note(LOG_ERR, "sockets: what systemd passed cannot be used: %s", strerror(-n));
                return n;
        }
        if (config->listen[0] == '\0') {
                if (n == 0)
                        journal_note(LOG_ERR, "sockets: none; start exc-compute-api.socket, or set Listen=");
                return n;
        }
        fd = http_listen(config->listen);
        if (fd < 0) {
                journal_note(LOG_ERR, "Listen: %s: %s", config->listen, strerror(-fd));
                return fd;
        }
        sockets[n] = fd;
        return n + 1;
}

/* --- the loop ------------------------------------------------------------------------------------------------------- */

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *context) {
        (void)source;
        (void)info;
        (void)sd_notify(0, "STOPPING=1");
        http_stop(context);
        return 0;
}

/* Blocked before there are threads, so that no other takes one. */
static int block_signals(void) {
        sigset_t signals;

        (void)sigemptyset(&signals);
        (void)sigaddset(&signals, SIGTERM);
        (void)sigaddset(&signals, SIGINT);
        (void)signal(SIGPIPE, SIG_IGN);
        return sigprocmask(SIG_BLOCK, &signals, NULL) < 0 ? -errno : 0;
}

static int serve(struct api *api, const int *sockets, size_t n) {
        sd_event *event = NULL;
        struct http *http = NULL;
        int r = sd_event_new(&event);

        if (r >= 0)
                r = http_start(api, event, sockets, n, &http);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, on_signal, http);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, on_signal, http);
        if (r >= 0) {
                (void)sd_notify(0, "READY=1");
                r = sd_event_loop(event);
        }
        if (r < 0)
                journal_note(LOG_ERR, "server: %s", strerror(-r));
        /* Workers still use everything. */
        if (r > 0)
                _Exit(EXIT_OWN_FAILURE);
        http_free(http);
        (void)sd_event_unref(event);
        return r < 0 ? EXIT_OWN_FAILURE : EXIT_DONE;
}

/* --- the program ---------------------------------------------------------------------------------------------------- */

static void on_confinement(const char *text) {
        journal_note(LOG_WARNING, "%s", text);
}

/* Returns the exit status. */
static int run(const struct options *options, const struct api_config *config) {
        int sockets[HTTP_LISTENERS_MAX], n = open_sockets(config, sockets), r;
        struct api_confinement confinement;
        struct api api;

        if (n <= 0)
                return n < 0 ? EXIT_OWN_FAILURE : SERVICE_NOT_CONFIGURED;
        /* Before there are threads: they share it. */
        api_confinement(config, options->seccomp, &confinement);
        process_confine(&confinement.limits, on_confinement);
        if (block_signals() < 0 || api_start(config, &api) < 0)
                return EXIT_OWN_FAILURE;
        r = serve(&api, sockets, (size_t)n);
        api_stop(&api);
        return r;
}

static void on_warning(void *context, const char *file, unsigned line, const char *text) {
        (void)context;
        journal_note(LOG_WARNING, "%s:%u: %s", file, line, text);
}

int main(int argc, char *argv[]) {
        char why[API_CONFIG_WHY_MAX];
        struct api_config *config;
        struct options options;
        int r;

        r = parse_options(argc, argv, &options);
        if (r >= 0)
                return r;
        debug_init("exc-compute-api", options.verbose);
        (void)umask(0027);
        (void)setvbuf(stderr, NULL, _IOLBF, 0);
        (void)mallopt(M_ARENA_MAX, ARENAS);
        r = api_config_load(options.config, on_warning, &config, why);
        if (r < 0) {
                journal_note(LOG_ERR, "%s", why);
                return EXIT_OWN_FAILURE;
        }
        if (options.check) {
                api_config_free(config);
                return EXIT_DONE;
        }
        wipe_json();
        /* Where the limit on locked memory is too low, keys are made in ordinary memory, and wiped all the same. */
        (void)CRYPTO_secure_malloc_init(SECURE_HEAP_SIZE, SECURE_HEAP_LEAST);
        r = run(&options, config);
        api_config_free(config);
        return r;
}
