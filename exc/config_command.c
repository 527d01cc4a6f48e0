/* SPDX-License-Identifier: Apache-2.0 */
/* exc config: get, set, unset, path. A token is set by exc login alone: here others would see it in the list of processes. */
#include <stdio.h>
#include <string.h>

#include "cli/output.h"
#include "exc/config.h"
#include "wire/name.h"

static const char settings[] = "endpoint, token or user";

static bool is_setting(const char *name) {
        return strcmp(name, "endpoint") == 0 || strcmp(name, "token") == 0 || strcmp(name, "user") == 0;
}

static int check(const struct cli_line *line) {
        return is_setting(line->arguments[0])
                       ? EXIT_DONE
                       : cli_usage(line, "%s: unknown setting, expected %s", line->arguments[0], settings);
}

static int get(const struct cli_line *line, const void *context) {
        struct config config;
        const char *text;
        int status = check(line);

        if (status == EXIT_DONE)
                status = config_load(context, &config);
        if (status != EXIT_DONE)
                return status;
        text = strcmp(line->arguments[0], "endpoint") == 0 ? config.endpoint
               : strcmp(line->arguments[0], "user") == 0   ? config.user
                                                           : config.token;
        if (!*text) {
                complain("%s: it is not set", line->arguments[0]);
                status = EXIT_NOT_FOUND;
        } else if (text == config.token) /* exc_ and the id say which it is */
                (void)printf("%.12s_…\n", text);
        else
                (void)puts(text);
        explicit_bzero(&config, sizeof(config));
        return status;
}

static int change(const char *name, const char *value) {
        json_t *config = config_read();
        int status;

        if (!config)
                return EXIT_OWN_FAILURE;
        if (value)
                (void)json_object_set_new(config, name, json_string(value));
        else
                (void)json_object_del(config, name);
        status = config_write(config);
        json_decref(config);
        return status;
}

static int set(const struct cli_line *line, const void *context) {
        const char *name = line->arguments[0], *value = line->arguments[1];
        enum endpoint_kind kind = endpoint_kind(value);
        int status = check(line);

        (void)context;
        if (status != EXIT_DONE)
                return status;
        if (strcmp(name, "token") == 0)
                return cli_usage(line, "token: others would see it in the list of processes; use exc login");
        if (strcmp(name, "endpoint") == 0 && kind == ENDPOINT_HTTP)
                return cli_usage(line, "%s: plain http to another machine would show the token to everyone on the way",
                                 value);
        if (strcmp(name, "endpoint") == 0 && kind == ENDPOINT_INVALID)
                return cli_usage(line, "%s: expected an endpoint as https://compute.example.org or unix:/path", value);
        if (strcmp(name, "user") == 0 && !name_user_valid(value))
                return cli_usage(line, "%s: expected a login name", value);
        return change(name, value);
}

static int unset(const struct cli_line *line, const void *context) {
        int status = check(line);

        (void)context;
        return status == EXIT_DONE ? change(line->arguments[0], NULL) : status;
}

static int path(const struct cli_line *line, const void *context) {
        char text[PATH_MAX];

        (void)line;
        (void)context;
        if (config_path(text) < 0) {
                complain("no place for the configuration: set HOME or XDG_CONFIG_HOME");
                return EXIT_OWN_FAILURE;
        }
        (void)puts(text);
        return EXIT_DONE;
}

const struct cli_command config_get_command = {
        .words = "config get",
        .arguments = "endpoint|token|user",
        .summary = "print a setting, from wherever it comes; of a token its id alone",
        .least = 1,
        .most = 1,
        .completes = "endpoint token user",
        .run = get,
};
const struct cli_command config_set_command = {
        .words = "config set",
        .arguments = "endpoint|user VALUE",
        .summary = "keep a setting",
        .least = 2,
        .most = 2,
        .completes = "endpoint user",
        .run = set,
};
const struct cli_command config_unset_command = {
        .words = "config unset",
        .arguments = "endpoint|token|user",
        .summary = "forget a setting",
        .least = 1,
        .most = 1,
        .completes = "endpoint token user",
        .run = unset,
};
const struct cli_command config_path_command = {
        .words = "config path",
        .summary = "print where the settings are kept",
        .run = path,
};
