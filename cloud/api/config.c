/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cloud/api/client_address.h"
#include "wire/name.h"

#define SECTION "Api"

enum {
        WORKERS = 256,
        MAX_CONNECTIONS = 12000,
        MAX_TTL_S = 300,
        TOKEN_DAYS = 90,
        DAY_S = 86400,

        /* A minute, of each. */
        ADDRESS_LIMIT = 6000,
        CALLER_LIMIT = 1200,
        INSTANCE_LIMIT = 120,
        AUTH_FAILURES = 30,
        KEYPAIRS = 30,
        NOTES = 60,

        BURST_PARTS = 6, /* as many at once as ten seconds give */
        BURST_LEAST = 5,
};

/* --- values --------------------------------------------------------------------------------------------------------- */

static int set_text(struct conf_load *load, const struct conf_key *key, const char *value, char *target, size_t size) {
        if (value[0] == '\0' || strlen(value) >= size)
                return conf_fail(load, "%s: expected 1..%zu bytes", key->name, size - 1);
        memcpy(target, value, strlen(value) + 1);
        return 0;
}

static int set_path(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        if (value[0] != '/' || strpbrk(value, " \t\"'"))
                return conf_fail(load, "%s: invalid path '%.64s': write an absolute path without blanks or quotes",
                                 key->name, value);
        return set_text(load, key, value, target, PATH_MAX);
}

static int set_socket_path(struct conf_load *load, const struct conf_key *key, const char *value, char *target) {
        static const char prefix[] = "unix:";
        const char *path = value + strlen(prefix);

        if (strncmp(value, prefix, strlen(prefix)) != 0 || path[0] != '/' || strpbrk(path, " \t"))
                return conf_fail(load, "%s: invalid socket '%.64s': write unix: and an absolute path", key->name,
                                 value);
        return set_text(load, key, path, target, API_CONFIG_SOCKET_MAX);
}

static int set_socket(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        return set_socket_path(load, key, value, target);
}

static int set_boolean(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        bool yes = strcmp(value, "yes") == 0;

        if (!yes && strcmp(value, "no") != 0)
                return conf_fail(load, "%s: invalid value '%.64s': expected yes or no", key->name, value);
        *(bool *)target = yes;
        return 0;
}

static int set_seconds(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        uint32_t number;

        if (conf_set_number(load, key, value, &number) < 0)
                return -EINVAL;
        *(int64_t *)target = number;
        return 0;
}

static int set_days(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        if (set_seconds(load, key, value, target) < 0)
                return -EINVAL;
        *(int64_t *)target *= DAY_S;
        return 0;
}

static struct limit_rate rate_of(uint32_t per_minute) {
        uint32_t burst = per_minute / BURST_PARTS;

        return (struct limit_rate){.per_minute = per_minute, .burst = burst > BURST_LEAST ? burst : BURST_LEAST};
}

static int set_rate(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        uint32_t number;

        if (conf_set_number(load, key, value, &number) < 0)
                return -EINVAL;
        *(struct limit_rate *)target = rate_of(number);
        return 0;
}

/* "*" and names never: what is reachable from elsewhere has to have TLS, and a proxy before it. */
static int set_listen(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        if (strncmp(value, "127.", 4) != 0 && strncmp(value, "[::1]:", 6) != 0)
                return conf_fail(load,
                                 "%s: invalid address '%.64s': write 127.0.0.1:PORT or [::1]:PORT, and put a proxy "
                                 "with TLS before it",
                                 key->name, value);
        return set_text(load, key, value, target, API_CONFIG_TEXT_MAX);
}

/* As browsers send it: scheme, host and port alone, in small letters. */
static int set_public_url(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        const char *host = strstr(value, "://");
        bool valid = host && (strncmp(value, "https://", 8) == 0 || strncmp(value, "http://", 7) == 0);

        host = valid ? host + 3 : "";
        if (!valid || host[0] == '\0' || strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") != strlen(host))
                return conf_fail(load,
                                 "%s: invalid value '%.64s': write https://HOST or https://HOST:PORT, in small "
                                 "letters and without a path",
                                 key->name, value);
        return set_text(load, key, value, target, API_CONFIG_TEXT_MAX);
}

static int set_node(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        if (!name_plain_valid(value))
                return conf_fail(load, "%s: invalid name '%.64s': expected up to 64 letters, digits, '.', '_' and '-'",
                                 key->name, value);
        return set_text(load, key, value, target, sizeof(((struct api_config *)NULL)->node));
}

static int add_proxy(struct conf_load *load, const struct conf_key *key, const char *word) {
        struct api_config *config = load->target;
        char address[REQUEST_ADDRESS_MAX];

        if (!client_address_parse(word, address))
                return conf_fail(load, "%s: invalid address '%.64s': write IP addresses separated by blanks", key->name,
                                 word);
        if (config->n_proxies == API_CONFIG_PROXIES_MAX)
                return conf_fail(load, "%s: more than %d addresses", key->name, API_CONFIG_PROXIES_MAX);
        memcpy(config->proxy[config->n_proxies++], address, sizeof(address));
        return 0;
}

static int set_proxies(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        char *save, *word;
        int n = 0;

        (void)target;
        for (word = strtok_r(value, " \t", &save); word; word = strtok_r(NULL, " \t", &save), n++)
                if (add_proxy(load, key, word) < 0)
                        return -EINVAL;
        return n;
}

/* --- hosts ---------------------------------------------------------------------------------------------------------- */

static int compare_hosts(const void *a, const void *b) {
        return strcmp(((const struct api_host *)a)->name, ((const struct api_host *)b)->name);
}

const char *api_config_host(const struct api_config *config, const char *name) {
        struct api_host key = {.name = ""};
        const struct api_host *found;

        if (config->n_hosts == 0 || strlen(name) >= sizeof(key.name))
                return NULL;
        memcpy(key.name, name, strlen(name) + 1);
        found = bsearch(&key, config->hosts, config->n_hosts, sizeof(key), compare_hosts);
        return found ? found->socket : NULL;
}

/* Host=NAME unix:PATH */
static int set_host(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        struct api_config *config = load->target;
        struct api_host host = {.name = ""}, *hosts;
        char *save, *name = strtok_r(value, " \t", &save), *socket = strtok_r(NULL, " \t", &save);

        (void)target;
        if (!name || !socket || strtok_r(NULL, " \t", &save) || !name_plain_valid(name))
                return conf_fail(load, "%s: write the host's name, a blank, and unix: with an absolute path",
                                 key->name);
        if (set_socket_path(load, key, socket, host.socket) < 0)
                return -EINVAL;
        memcpy(host.name, name, strlen(name) + 1);
        if (api_config_host(config, host.name))
                return conf_fail(load, "%s: %.64s twice", key->name, host.name);
        if (config->n_hosts == API_CONFIG_HOSTS_MAX)
                return conf_fail(load, "%s: more than %d hosts", key->name, API_CONFIG_HOSTS_MAX);
        hosts = reallocarray(config->hosts, config->n_hosts + 1, sizeof(host));
        if (!hosts)
                return conf_fail(load, "out of memory");
        config->hosts = hosts;
        config->hosts[config->n_hosts++] = host;
        qsort(config->hosts, config->n_hosts, sizeof(host), compare_hosts);
        return 0;
}

/* --- the file ------------------------------------------------------------------------------------------------------- */

#define TARGET(member) offsetof(struct api_config, member)

static const struct conf_key keys[] = {
        {"Listen", set_listen, TARGET(listen), false, 0, 0, ""},
        {"TrustedProxies", set_proxies, TARGET(proxy), true, 0, 0, ""},
        {"PublicUrl", set_public_url, TARGET(public_url), false, 0, 0, ""},
        {"DocsDirectory", set_path, TARGET(docs), false, 0, 0, ""},
        {"Database", set_path, TARGET(database), false, 0, 0, ""},
        {"Durable", set_boolean, TARGET(durable), false, 0, 0, ""},
        {"Audit", set_path, TARGET(audit), false, 0, 0, ""},
        {"Node", set_node, TARGET(node), false, 0, 0, ""},
        {"Signer", set_socket, TARGET(signer), false, 0, 0, ""},
        {"Host", set_host, TARGET(hosts), false, 0, 0, ""},
        {"MaxTtl", set_seconds, TARGET(max_ttl_s), false, 1, 3600, " seconds"},
        {"MaxTokenLife", set_days, TARGET(max_token_life_s), false, 1, 3650, " days"},
        {"ConsoleNeedsConnectOnly", set_boolean, TARGET(console_needs_connect_only), false, 0, 0, ""},
        {"Workers", conf_set_number, TARGET(workers), false, 2, 256, " threads"},
        {"MaxConnections", conf_set_number, TARGET(max_connections), false, 16, 1000000, " connections"},
        {"AddressLimit", set_rate, TARGET(rates[LIMIT_ADDRESS]), false, 0, 10000000, " requests a minute"},
        {"CallerLimit", set_rate, TARGET(rates[LIMIT_CALLER]), false, 0, 10000000, " requests a minute"},
        {"InstanceLimit", set_rate, TARGET(rates[LIMIT_INSTANCE]), false, 0, 10000000, " connects a minute"},
        {"AuthFailureLimit", set_rate, TARGET(rates[LIMIT_AUTH_FAILURE]), false, 0, 10000000, " failures a minute"},
        {"KeyPairLimit", set_rate, TARGET(rates[LIMIT_KEYPAIR]), false, 0, 10000000, " key pairs a minute"},
        {.name = NULL},
};

static void set_defaults(struct api_config *config) {
        char host[sizeof(config->node)] = "";

        *config = (struct api_config){
                .database = "/var/lib/exc-compute-api/compute.db",
                .audit = "/var/log/exc-compute-api/audit",
                .docs = DOCSDIR,
                .signer = "/run/exc-signer/signer.sock",
                .max_ttl_s = MAX_TTL_S,
                .max_token_life_s = (int64_t)TOKEN_DAYS * DAY_S,
                .console_needs_connect_only = true,
                .workers = WORKERS,
                .max_connections = MAX_CONNECTIONS,
                .rates =
                        {
                                [LIMIT_ADDRESS] = rate_of(ADDRESS_LIMIT),
                                [LIMIT_CALLER] = rate_of(CALLER_LIMIT),
                                [LIMIT_INSTANCE] = rate_of(INSTANCE_LIMIT),
                                [LIMIT_AUTH_FAILURE] = rate_of(AUTH_FAILURES),
                                [LIMIT_KEYPAIR] = rate_of(KEYPAIRS),
                                [LIMIT_NOTE] = rate_of(NOTES),
                        },
        };
        /* A name that cannot be one of an audit chain is left to Node=. */
        if (gethostname(host, sizeof(host) - 1) == 0 && name_plain_valid(host))
                memcpy(config->node, host, sizeof(config->node));
}

static int load_file(const char *path, conf_warning warning, struct api_config *config,
                     char ret_why[static API_CONFIG_WHY_MAX]) {
        const char *slash = strrchr(path, '/');
        struct conf_load load = {
                .section = SECTION,
                .keys = keys,
                .target = config,
                .reader = "the API's user",
                .advice = "shorten it",
                .warning = warning,
        };
        char dir[PATH_MAX];
        int fd = -EBADF, r;

        if (!slash || (size_t)(slash - path) >= sizeof(dir)) {
                (void)snprintf(ret_why, API_CONFIG_WHY_MAX, "%.200s: expected an absolute path of a file", path);
                return -EINVAL;
        }
        memcpy(dir, path, (size_t)(slash - path));
        dir[slash - path] = '\0';
        r = conf_open_dir(&load, AT_FDCWD, dir[0] ? dir : "/", NULL, &fd);
        if (r == 0)
                r = conf_load_file(&load, fd, dir, slash + 1);
        else if (r > 0)
                r = conf_fail(&load, "there is no such directory; install the package, or give --config");
        if (fd >= 0)
                (void)close(fd);
        if (r >= 0 && config->node[0] == '\0')
                r = conf_fail(&load, "Node: missing, and the machine's name cannot be used; set it");
        (void)snprintf(ret_why, API_CONFIG_WHY_MAX, "%.*s", API_CONFIG_WHY_MAX - 1, load.error);
        return r;
}

int api_config_load(const char *path, conf_warning warning, struct api_config **ret,
                    char ret_why[static API_CONFIG_WHY_MAX]) {
        struct api_config *config = malloc(sizeof(*config));
        int r;

        if (!config) {
                (void)snprintf(ret_why, API_CONFIG_WHY_MAX, "%s", "out of memory");
                return -ENOMEM;
        }
        set_defaults(config);
        r = load_file(path, warning, config, ret_why);
        if (r < 0) {
                api_config_free(config);
                return r;
        }
        *ret = config;
        return 0;
}

void api_config_free(struct api_config *config) {
        if (!config)
                return;
        free(config->hosts);
        free(config);
}
