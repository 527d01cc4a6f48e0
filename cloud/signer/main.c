/* SPDX-License-Identifier: Apache-2.0 */
/* exc-signer: the only process that holds the signing key. See exc-signer(8). */
#include <errno.h>
#include <openssl/crypto.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "cloud/signer/signer_confine.h"
#include "cloud/signer/signer_journal.h"
#include "cloud/signer/signer_service.h"
#include "common/notify.h"
#include "common/service_options.h"
#include "wire/refusal.h"

enum {
        SECURE_HEAP_SIZE = 64 * 1024,
        SECURE_HEAP_LEAST = 32,
        STOP_MS = 35 * 1000, /* KeyTimeout= is 30 s at most */
};

static const char usage[] = "Usage: exc-signer [--config FILE] [--socket PATH] [--check] [--seccomp on|log|off]\n"
                            "\n"
                            "Signs pushes and revocations for the compute API. It is started by exc-signer.socket.\n"
                            "See exc-signer(8).\n"
                            "\n"
                            "  --config FILE   the configuration (" SIGNER_CONFIG_FILE ")\n"
                            "  --socket PATH   listen there, where systemd passes no socket\n"
                            "  --check         only read the configuration and the key\n"
                            "  --seccomp MODE  log system calls that it should not make, or off; to find a fault (on)\n"
                            "  --help, --version\n";

struct options {
        const char *config, *socket;
        bool check;
        enum syscall_filter_mode seccomp;
};

/* -1, or an exit status. */
static int parse_options(int argc, char *argv[], struct options *ret) {
        const struct service_option table[] = {
                {"config", .take = service_take_text, .member = &ret->config},
                {"socket", .take = service_take_text, .member = &ret->socket},
                {"check", .flag = &ret->check},
                {"seccomp", .take = syscall_filter_mode_take, .member = &ret->seccomp,
                 .expected = SYSCALL_FILTER_MODES},
                {.name = NULL},
        };

        *ret = (struct options){.config = SIGNER_CONFIG_FILE};
        return service_options_parse("exc-signer", usage, table, argc, argv);
}

/* --- the process -------------------------------------------------------------------------------------------------- */

/* Before the key is read: no core file, no ptrace(2) by other processes of the user, and locked memory where there is some. */
static void protect_memory(void) {
        const struct rlimit none = {0, 0};

        (void)prctl(PR_SET_DUMPABLE, 0);
        (void)setrlimit(RLIMIT_CORE, &none);
        if (CRYPTO_secure_malloc_init(SECURE_HEAP_SIZE, SECURE_HEAP_LEAST) != 1)
                signer_note(LOG_NOTICE, "key: memory cannot be locked, so it may be swapped out; raise LimitMEMLOCK=");
}

/* Before there are threads, so that none takes one. */
static int signal_fd(void) {
        sigset_t signals;

        (void)sigemptyset(&signals);
        (void)sigaddset(&signals, SIGTERM);
        (void)sigaddset(&signals, SIGINT);
        (void)signal(SIGPIPE, SIG_IGN);
        if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
                return -errno;
        return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void on_warning(void *context, const char *file, unsigned line, const char *text) {
        (void)context;
        signer_note(LOG_WARNING, "%s:%u: %s", file, line, text);
}

static void on_confinement(const char *text) {
        signer_note(LOG_WARNING, "%s", text);
}

/* What a command inherits would confine it, too: it may need files and a network of its own. */
static void confine(const struct options *options, const struct signer_config *config) {
        struct process_limits limits = signer_limits(config->log_directory, options->seccomp);

        if (config->command[0] == '\0')
                process_confine(&limits, on_confinement);
        else
                signer_note(LOG_NOTICE, "confinement: left to the unit, since KeyCommand= would inherit it");
}

/* --- serving ------------------------------------------------------------------------------------------------------ */

/* Root, for Status, and the API. Returns how many. */
static size_t find_peers(const struct signer_config *config, uid_t ret[static 2]) {
        const struct passwd *entry = getpwnam(config->api_user);
        size_t n = 0;

        ret[n++] = 0;
        if (entry)
                ret[n++] = entry->pw_uid;
        else
                signer_note(LOG_WARNING, "ApiUser: there is no user %s; only root can connect", config->api_user);
        return n;
}

static int open_sockets(const struct options *options, int sockets[static SERVE_SOCKETS_MAX]) {
        int n = serve_inherited(sockets, SERVE_SOCKETS_MAX), fd;

        if (n < 0)
                signer_note(LOG_ERR, "sockets: what systemd passed cannot be used: %s", strerror(-n));
        if (n != 0)
                return n;
        if (!options->socket) {
                signer_note(LOG_ERR, "sockets: none; start exc-signer.socket, or give --socket");
                return -ENOTCONN;
        }
        fd = serve_listen(options->socket, 0660);
        if (fd < 0) {
                signer_note(LOG_ERR, "%s: %s", options->socket, strerror(-fd));
                return fd;
        }
        sockets[0] = fd;
        return 1;
}

static int serve(const struct options *options, const struct signer_config *config, struct signer_service *service) {
        int sockets[SERVE_SOCKETS_MAX], stop_fd = signal_fd(), n, r;
        uid_t peers[2];
        struct serve_settings settings = {
                .methods = signer_methods,
                .context = service,
                .interface = SIGNER_INTERFACE,
                .interface_text = signer_interface_text,
                .product = "exc-signer",
                .version = PACKAGE_VERSION,
                .peers = peers,
                .n_peers = find_peers(config, peers),
                .denied = signer_service_denied,
                .sockets = sockets,
                .stop_fd = stop_fd,
                .stop_ms = STOP_MS,
        };

        if (stop_fd < 0)
                return EXIT_OWN_FAILURE;
        n = open_sockets(options, sockets);
        if (n < 0)
                return n == -ENOTCONN ? SERVICE_NOT_CONFIGURED : EXIT_OWN_FAILURE;
        settings.n_sockets = (size_t)n;
        confine(options, config);
        notify_ready();
        r = serve_run(&settings);
        if (r == -ETIMEDOUT)
                /* Their threads still use everything. */
                _Exit(EXIT_OWN_FAILURE);
        if (r < 0)
                signer_note(LOG_ERR, "server: %s", strerror(-r));
        for (int i = 0; i < n; i++)
                (void)close(sockets[i]);
        (void)close(stop_fd);
        return r < 0 ? EXIT_OWN_FAILURE : EXIT_DONE;
}

static int run(const struct options *options, const struct signer_config *config) {
        struct signer_service service = {.config = config, .lock = PTHREAD_MUTEX_INITIALIZER};
        char why[SIGNER_KEY_WHY_MAX], log_why[LINE_LOG_WHY_MAX];
        struct signer_key key;
        int status;

        if (signer_key_load(config, &key, why) < 0) {
                signer_note(LOG_ERR, "%s", why);
                return EXIT_OWN_FAILURE;
        }
        service.key = &key;
        if (options->check) {
                signer_key_close(&key);
                return EXIT_DONE;
        }
        service.log = signer_log_new(config->log_directory);
        if (!service.log) {
                signer_key_close(&key);
                return EXIT_OWN_FAILURE;
        }
        if (signer_log_open(service.log, log_why) < 0)
                signer_note(LOG_CRIT, "log: %s; nothing is signed until it can be written", log_why);
        status = serve(options, config, &service);
        signer_log_free(service.log);
        signer_key_close(&key);
        return status;
}

int main(int argc, char *argv[]) {
        char error[CONF_ERROR_MAX];
        struct signer_config config;
        struct options options;
        int status = parse_options(argc, argv, &options);

        if (status >= 0)
                return status;
        status = EXIT_OWN_FAILURE;
        (void)umask(0077);
        protect_memory();
        if (signer_config_load(options.config, on_warning, &config, error) < 0)
                signer_note(LOG_ERR, "%s", error);
        else
                status = run(&options, &config);
        signer_config_clear(&config);
        (void)CRYPTO_secure_malloc_done();
        return status;
}
