/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/output.h"
#include "cloud/token/token.h"
#include "exc/endpoint.h"
#include "wire/json.h"
#include "wire/name.h"
#include "wire/wipe.h"

#define DIRECTORY "/exc"
#define FILE_NAME "/config.json"

enum { FILE_MAX = 64 * 1024, DEPTH_MAX = 2 };

int config_path(char ret[static PATH_MAX]) {
        const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
        int n;

        if (base && base[0] == '/') /* relative ones are ignored, as the XDG specification has it */
                n = snprintf(ret, PATH_MAX, "%s" DIRECTORY FILE_NAME, base);
        else if (home && home[0] == '/')
                n = snprintf(ret, PATH_MAX, "%s/.config" DIRECTORY FILE_NAME, home);
        else
                return -ENOENT;
        return n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static json_t *parse(const char *path, const char *text, size_t n) {
        static const char *const members[] = {"endpoint", "token", "user"};
        json_t *config = json_read(text, n, DEPTH_MAX), *value;
        const char *name;

        if (!json_is_object(config)) {
                json_decref(config);
                complain("%s: it is not a JSON object; correct it, or remove it and run: exc login", path);
                return NULL;
        }
        json_object_foreach(config, name, value) {
                bool known = false;

                for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
                        known = known || strcmp(name, members[i]) == 0;
                if (known && json_is_string(value))
                        continue;
                complain("%s: %s: %s; correct it, or run: exc config unset %s", path, name,
                         known ? "it is not a string" : "unknown setting, expected endpoint, token or user", name);
                json_decref(config);
                return NULL;
        }
        return config;
}

static bool private_file(const char *path, const struct stat *st) {
        if (!S_ISREG(st->st_mode))
                complain("%s: it is not a regular file; remove it and run: exc login", path);
        else if (st->st_uid != geteuid())
                complain("%s: it belongs to uid %u and not to you; run: sudo chown %u %s", path, (unsigned)st->st_uid,
                         (unsigned)geteuid(), path);
        else if (st->st_mode & (S_IRWXG | S_IRWXO))
                complain("%s: other users may read it, and it may hold a token; run: chmod 600 %s", path, path);
        else
                return true;
        return false;
}

static json_t *read_file(const char *path, int fd) {
        char *text = malloc(FILE_MAX + 1);
        json_t *config = NULL;
        struct stat st;
        ssize_t n = -1;
        size_t used = 0;

        if (!text || fstat(fd, &st) < 0)
                complain("%s: cannot read it: %s", path, strerror(errno));
        else if (private_file(path, &st)) {
                while (used <= FILE_MAX && (n = read(fd, text + used, FILE_MAX + 1 - used)) > 0)
                        used += (size_t)n;
                if (n < 0)
                        complain("%s: cannot read it: %s", path, strerror(errno));
                else if (used > FILE_MAX)
                        complain("%s: more than %d bytes; remove it and run: exc login", path, FILE_MAX);
                else
                        config = parse(path, text, used);
        }
        wipe_free(text);
        return config;
}

/* `ret_missing`: there is none, which is not complained of. */
static json_t *read_config(bool *ret_missing) {
        char path[PATH_MAX];
        json_t *config;
        int fd, r = config_path(path);

        *ret_missing = r == -ENOENT;
        if (r < 0) {
                if (r != -ENOENT)
                        complain("the path of the configuration is too long; set XDG_CONFIG_HOME to a shorter one");
                return NULL;
        }
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0) {
                *ret_missing = errno == ENOENT || errno == ENOTDIR;
                if (!*ret_missing)
                        complain("%s: cannot open it: %s", path, strerror(errno));
                return NULL;
        }
        config = read_file(path, fd);
        (void)close(fd);
        return config;
}

json_t *config_read(void) {
        bool missing;
        json_t *config = read_config(&missing);

        if (config || !missing)
                return config;
        config = json_object();
        if (!config)
                complain("out of memory");
        return config;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* All directories above the file, which are made for this user alone. */
static int make_directories(const char *path) {
        char above[PATH_MAX];

        (void)snprintf(above, sizeof(above), "%s", path);
        for (char *slash = strchr(above + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (mkdir(above, 0700) < 0) {
                        int r = -errno;

                        if (access(above, F_OK) < 0)
                                return r;
                }
                *slash = '/';
        }
        return 0;
}

static int write_text(int fd, const char *text) {
        size_t left = strlen(text);

        while (left > 0) {
                ssize_t n = write(fd, text, left);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0) {
                        text += n;
                        left -= (size_t)n;
                }
        }
        return fsync(fd) < 0 ? -errno : 0;
}

static int replace(const char *path, const char *text) {
        char temporary[PATH_MAX + 8];
        int fd, r;

        (void)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
        fd = mkostemp(temporary, O_CLOEXEC); /* 0600 */
        if (fd < 0)
                return -errno;
        r = write_text(fd, text);
        (void)close(fd);
        if (r == 0 && rename(temporary, path) < 0)
                r = -errno;
        if (r < 0)
                (void)unlink(temporary);
        return r;
}

int config_write(const json_t *config) {
        char path[PATH_MAX], target[PATH_MAX], *text, *whole = NULL;
        int r = config_path(path);

        if (r < 0) {
                complain(r == -ENOENT ? "no place for the configuration: set HOME or XDG_CONFIG_HOME"
                                      : "the path of the configuration is too long; set XDG_CONFIG_HOME");
                return EXIT_OWN_FAILURE;
        }
        text = json_dumps(config, JSON_INDENT(4) | JSON_ENSURE_ASCII);
        if (!text || asprintf(&whole, "%s\n", text) < 0)
                r = -ENOMEM;
        if (r == 0)
                r = make_directories(path);
        /* Where it is a link, as people keep them in a repository, the link stays. */
        if (r == 0)
                r = replace(realpath(path, target) ? target : path, whole);
        if (r < 0)
                complain(
                        "%s: cannot write it: %s; set XDG_CONFIG_HOME to a directory of yours, or use EXC_ENDPOINT and "
                        "EXC_TOKEN",
                        path, strerror(-r));
        wipe_free(text);
        wipe_free(whole);
        return r < 0 ? EXIT_OWN_FAILURE : EXIT_DONE;
}

/* --- all sources --------------------------------------------------------------------------------------------------- */

bool config_token_valid(const char *text) {
        struct cloud_token token;
        bool valid = cloud_token_parse(text, strlen(text), &token);

        explicit_bzero(&token, sizeof(token));
        return valid;
}

struct source {
        const char *of_option, *of_environment;
        const char *variable, *member; /* NULL: it is not in the file */
        bool (*valid)(const char *text);
        const char *expected;
        char *ret;
        size_t size;
};

static bool endpoint_usable(const char *text) {
        return endpoint_kind(text) != ENDPOINT_INVALID;
}

static bool any_path(const char *text) {
        return *text;
}

static int take(const struct source *source, const char *text, const char *where) {
        if (source->valid(text) && strlen(text) < source->size) {
                memcpy(source->ret, text, strlen(text) + 1);
                return EXIT_DONE;
        }
        complain("%s: expected %s", where, source->expected);
        return EXIT_USAGE;
}

static int take_first(const struct source *source, const json_t *file, const char *path) {
        const char *text = getenv(source->variable);
        char where[PATH_MAX + 64];

        if (source->of_option)
                return take(source, source->of_option, source->of_environment);
        if (text && *text)
                return take(source, text, source->variable);
        text = source->member ? json_string_value(json_object_get(file, source->member)) : NULL;
        if (!text)
                return EXIT_DONE;
        (void)snprintf(where, sizeof(where), "%s: %s", path, source->member);
        return take(source, text, where);
}

static bool is_set(const char *variable) {
        const char *text = getenv(variable);

        return text && *text;
}

/* A token that was kept for one API is not shown to another. */
static void drop_token_of_another(const json_t *file, struct config *config) {
        const char *endpoint = json_string_value(json_object_get(file, "endpoint"));

        if (!is_set("EXC_TOKEN") && endpoint && strcmp(endpoint, config->endpoint) != 0)
                explicit_bzero(config->token, sizeof(config->token));
}

int config_load(const struct options *options, struct config *ret) {
        const struct source sources[] = {
                {options->endpoint, "--endpoint", "EXC_ENDPOINT", "endpoint", endpoint_usable,
                 "an endpoint as https://compute.example.org or unix:/path", ret->endpoint, sizeof(ret->endpoint)},
                {NULL, NULL, "EXC_TOKEN", "token", config_token_valid,
                 "a token: exc_, 8 characters, _ and 43 characters, all of it", ret->token, sizeof(ret->token)},
                {NULL, NULL, "EXC_USER", "user", name_user_valid, "a login name", ret->user, sizeof(ret->user)},
                {options->ca_file, "--ca-file", "EXC_CA_FILE", NULL, any_path, "a file", ret->ca_file,
                 sizeof(ret->ca_file)},
        };
        char path[PATH_MAX] = "";
        int status = EXIT_DONE;
        bool missing = false;
        json_t *file = NULL;

        *ret = (struct config){.endpoint = ""};
        (void)config_path(path);
        /* Jobs that have all of it in their environment need no readable home. */
        if (!is_set("EXC_TOKEN") || (!options->endpoint && !is_set("EXC_ENDPOINT"))) {
                file = read_config(&missing);
                if (!file && !missing)
                        return EXIT_OWN_FAILURE;
        }
        for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]) && status == EXIT_DONE; i++)
                status = take_first(&sources[i], file, path);
        drop_token_of_another(file, ret);
        json_decref(file);
        return status;
}
