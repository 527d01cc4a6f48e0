/* SPDX-License-Identifier: Apache-2.0 */
/* exc-host(8): reaches the VMs of this machine for the control plane. */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "common/service_options.h"
#include "host/host.h"
#include "host/host_confine.h"
#include "host/log.h"
#include "wire/refusal.h"

#define API_USER "exc-api"

enum {
        PEERS_MAX = 2,
        STOP_MS = 15 * 1000, /* for deliveries that are under way */
};

struct options {
        const char *config_dir;
        const char *socket; /* NULL: those that systemd passes */
        bool check;
        enum syscall_filter_mode seccomp;
};

/* What the thread for signals needs. */
struct program {
        struct host host;
        const char *config_dir;
        int signal_fd; /* SIGTERM, SIGINT, SIGHUP */
        int stop_fd;   /* an eventfd(2), readable when the server stops */
};

static const char usage[] = "Usage: exc-host [--config-dir DIR] [--socket PATH] [--check] [--seccomp on|log|off]\n"
                            "\n"
                            "Delivers signed pushes and revocations to the VMs of this machine. It is started by\n"
                            "exc-host.socket. See exc-host(8).\n"
                            "\n"
                            "  --config-dir DIR    where host.conf is (" HOST_CONFIG_DIR ")\n"
                            "  --socket PATH       listen here, where systemd passes no socket\n"
                            "  --check             only read the configuration, and report what is wrong with it\n"
                            "  --seccomp MODE      log system calls that it should not make, or off; to find a fault\n"
                            "                      (on)\n"
                            "  --help, --version\n";

/* -1, or an exit status. */
static int parse_options(int argc, char *argv[], struct options *ret) {
        const struct service_option table[] = {
                {"config-dir", .take = service_take_text, .member = &ret->config_dir},
                {"socket", .take = service_take_text, .member = &ret->socket},
                {"check", .flag = &ret->check},
                {"seccomp", .take = syscall_filter_mode_take, .member = &ret->seccomp,
                 .expected = SYSCALL_FILTER_MODES},
                {.name = NULL},
        };

        *ret = (struct options){.config_dir = HOST_CONFIG_DIR};
        return service_options_parse("exc-host", usage, table, argc, argv);
}

/* --- configuration ------------------------------------------------------------------------------------------------ */

static void on_report(void *context, const char *text) {
        (void)context;
        log_line(LOG_WARNING, "%s", text);
}

static int load(struct program *program, struct host_config *ret) {
        int r = host_config_load(program->config_dir, on_report, NULL, ret);

        if (r == 0)
                r = host_configure(&program->host, ret);
        if (r < 0)
                log_line(LOG_ERR, "%s", r == -EINVAL ? ret->error : strerror(-r));
        else
                log_line(LOG_INFO, "%s: %zu VMs", ret->name, ret->n_instances);
        return r;
}

static void reload(struct program *program) {
        struct host_config config;

        (void)sd_notify(0, "RELOADING=1");
        if (load(program, &config) < 0)
                log_line(LOG_ERR, "the configuration of before stays in force; fix it and reload");
        host_config_clear(&config);
        (void)sd_notify(0, "READY=1");
}

/*
 * root and the API's user. Their number, or -EINVAL: the configuration names a user that does not exist. Where it names
 * none, and there is no exc-api, only root may call.
 */
static int find_peers(const struct host_config *config, uid_t ret[static PEERS_MAX]) {
        const char *name = config->api_user[0] ? config->api_user : API_USER;
        const struct passwd *user = getpwnam(name);

        ret[0] = 0;
        if (user) {
                ret[1] = user->pw_uid;
                return 2;
        }
        log_line(config->api_user[0] ? LOG_ERR : LOG_WARNING,
                 "ApiUser: no such user '%s'; create it, or name another one", name);
        return config->api_user[0] ? -EINVAL : 1;
}

/* --- confinement -------------------------------------------------------------------------------------------------- */

static void ignore_report(void *context, const char *text) {
        (void)context;
        (void)text;
}

static void on_confinement(const char *text) {
        log_line(LOG_WARNING, "%s", text);
}

/*
 * Reads what must be known of the configuration before the process is confined. It is read again afterwards, so that the
 * start, --check and a reload see the same files: what leads out of the directories is reported by all of them. `peers`
 * may be NULL. Their number, or a negative errno that was logged.
 */
static int confine(const struct options *options, uid_t peers[PEERS_MAX]) {
        struct process_limits limits;
        struct host_config config;
        int r = host_config_load(options->config_dir, ignore_report, NULL, &config);

        if (r < 0)
                log_line(LOG_ERR, "%s", r == -EINVAL ? config.error : strerror(-r));
        else if (peers)
                r = find_peers(&config, peers);
        if (r >= 0) {
                limits = host_confinement(options->config_dir, config.vm_directory, options->seccomp);
                process_confine(&limits, on_confinement);
        }
        host_config_clear(&config);
        return r;
}

/* --check: 0 where nothing is to be reported. */
static void count_report(void *context, const char *text) {
        log_line(LOG_WARNING, "%s", text);
        ++*(unsigned *)context;
}

static int check(const struct options *options) {
        struct host_config config;
        unsigned n_reports = 0;
        int r = confine(options, NULL);

        if (r < 0)
                return EXIT_OWN_FAILURE;
        r = host_config_load(options->config_dir, count_report, &n_reports, &config);
        if (r < 0)
                log_line(LOG_ERR, "%s", r == -EINVAL ? config.error : strerror(-r));
        else
                (void)printf("%s: %zu VMs\n", config.name, config.n_instances);
        host_config_clear(&config);
        return r < 0 || n_reports > 0 ? EXIT_OWN_FAILURE : EXIT_DONE;
}

/* --- signals ------------------------------------------------------------------------------------------------------ */

static int take_signals(struct program *program) {
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGINT);
        (void)sigaddset(&set, SIGHUP);
        (void)signal(SIGPIPE, SIG_IGN);
        if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
                return -EIO;
        program->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
        program->stop_fd = eventfd(0, EFD_CLOEXEC);
        return program->signal_fd < 0 || program->stop_fd < 0 ? -errno : 0;
}

static void *handle_signals(void *context) {
        struct program *program = context;

        for (;;) {
                struct signalfd_siginfo got;
                ssize_t n = read(program->signal_fd, &got, sizeof(got));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n != (ssize_t)sizeof(got) || got.ssi_signo != SIGHUP)
                        break;
                reload(program);
        }
        (void)sd_notify(0, "STOPPING=1");
        (void)eventfd_write(program->stop_fd, 1);
        return NULL;
}

/* --- serving ------------------------------------------------------------------------------------------------------ */

/* Their number, or an exit status below 0. */
static int open_sockets(const struct options *options, int ret[static SERVE_SOCKETS_MAX]) {
        int n = serve_inherited(ret, SERVE_SOCKETS_MAX);

        if (n < 0) {
                log_line(LOG_ERR, "the sockets that systemd passes cannot be used: %s", strerror(-n));
                return -EXIT_OWN_FAILURE;
        }
        if (options->socket && n == 0) {
                ret[0] = serve_listen(options->socket, 0660);
                if (ret[0] >= 0)
                        return 1;
                log_line(LOG_ERR, "%s: cannot listen: %s", options->socket, strerror(-ret[0]));
                return -EXIT_OWN_FAILURE;
        }
        if (n == 0)
                log_line(LOG_ERR, "no socket was passed; start exc-host.socket, or give --socket");
        return n > 0 ? n : -SERVICE_NOT_CONFIGURED;
}

static int serve(struct program *program, const int *sockets, int n_sockets, const uid_t *peers, int n_peers) {
        const struct serve_settings settings = {
                .methods = host_methods,
                .context = &program->host,
                .interface = HOST_INTERFACE,
                .interface_text = host_interface_text,
                .product = "exc-host",
                .version = PACKAGE_VERSION,
                .peers = peers,
                .n_peers = (size_t)n_peers,
                .sockets = sockets,
                .n_sockets = (size_t)n_sockets,
                .stop_fd = program->stop_fd,
                .stop_ms = STOP_MS,
        };
        pthread_t thread;
        int r = -pthread_create(&thread, NULL, handle_signals, program);

        if (r < 0)
                return r;
        (void)sd_notify(0, "READY=1");
        r = serve_run(&settings);
        /* Calls still run: nothing that they use may be freed. The guests know what they got. */
        if (r == -ETIMEDOUT)
                _exit(EXIT_DONE);
        if (r < 0)
                (void)kill(getpid(), SIGTERM);
        (void)pthread_join(thread, NULL);
        return r;
}

int main(int argc, char *argv[]) {
        struct program program = {.signal_fd = -EBADF, .stop_fd = -EBADF};
        int sockets[SERVE_SOCKETS_MAX], n_sockets, n_peers, r;
        struct host_config config;
        uid_t peers[PEERS_MAX];
        struct options options;

        r = parse_options(argc, argv, &options);
        if (r >= 0)
                return r;
        (void)umask(0077);
        (void)setvbuf(stderr, NULL, _IOLBF, 0);
        /* Each of up to 256 threads must not bring a heap of its own. */
        (void)mallopt(M_ARENA_MAX, 2);
        if (options.check)
                return check(&options);
        program.config_dir = options.config_dir;
        n_sockets = open_sockets(&options, sockets);
        if (n_sockets < 0)
                return -n_sockets;
        n_peers = confine(&options, peers);
        if (n_peers < 0)
                return EXIT_OWN_FAILURE;
        r = take_signals(&program);
        if (r >= 0)
                r = host_start(&program.host);
        if (r < 0) {
                log_line(LOG_ERR, "cannot start: %s", strerror(-r));
                return EXIT_OWN_FAILURE;
        }
        r = load(&program, &config);
        host_config_clear(&config);
        if (r >= 0) {
                r = serve(&program, sockets, n_sockets, peers, n_peers);
                if (r < 0)
                        log_line(LOG_ERR, "cannot serve: %s", strerror(-r));
        }
        host_stop(&program.host);
        (void)close(program.signal_fd);
        (void)close(program.stop_fd);
        return r < 0 ? EXIT_OWN_FAILURE : EXIT_DONE;
}
