/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of exc-compute-api (exc-compute-api.conf(5)): one file with the section [Api], read at the start. */
#ifndef EXC_API_CONFIG_H
#define EXC_API_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cloud/api/limits.h"
#include "conf/conf.h"

#define API_CONFIG_FILE "/etc/exc-compute/api.conf"

enum {
        API_CONFIG_TEXT_MAX = 256,
        API_CONFIG_HOSTS_MAX = 1024,
        API_CONFIG_PROXIES_MAX = 32,
        API_CONFIG_SOCKET_MAX = 108, /* sockaddr_un */
        API_CONFIG_WHY_MAX = 512,
};

/* Host=NAME unix:PATH */
struct api_host {
        char name[API_CONFIG_TEXT_MAX];
        char socket[API_CONFIG_SOCKET_MAX];
};

struct api_config {
        char listen[API_CONFIG_TEXT_MAX]; /* "127.0.0.1:8080", "[::1]:8080"; "": only what systemd passes */
        size_t n_proxies;
        char proxy[API_CONFIG_PROXIES_MAX][46]; /* TrustedProxies=: IP literals */
        char public_url[API_CONFIG_TEXT_MAX]; /* an origin, "https://compute.example.org"; "": no Origin is accepted */
        char database[PATH_MAX];
        bool durable;
        char audit[PATH_MAX]; /* directory */
        char node[64 + 1];    /* name of this node's chain */
        char docs[PATH_MAX];  /* directory of the page at /docs */
        char signer[API_CONFIG_SOCKET_MAX];
        size_t n_hosts;
        struct api_host *hosts; /* in order of their names */
        int64_t max_ttl_s;
        bool console_needs_connect_only;

        uint32_t workers;         /* threads */
        uint32_t max_connections; /* HTTP connections at once */
        int64_t max_token_life_s;
        struct limit_rate rates[LIMIT_MAX_];
};

/*
 * Reads the file. `warning` is called for each line that is ignored; NULL: none is reported. Negative errno, and `ret_why`:
 * "FILE:LINE: cause; next step". The caller frees it.
 */
int api_config_load(const char *path, conf_warning warning, struct api_config **ret,
                    char ret_why[static API_CONFIG_WHY_MAX]);
void api_config_free(struct api_config *config);

/* The socket of a host, or NULL where no host has that name. */
const char *api_config_host(const struct api_config *config, const char *name);

#endif
