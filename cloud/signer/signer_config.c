/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/signer/signer_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* --- values ------------------------------------------------------------------------------------------------------- */

static int check_pattern(struct conf_load *load, const struct conf_key *key, const char *word) {
        const char *star = strchr(word, '*');

        if (strlen(word) > key->max || (star && star[1] != '\0') || strpbrk(word, "?\"'[]{},;!"))
                return conf_fail(
                        load,
                        "%s: invalid value '%.64s': write names separated by blanks, exact or with '*' as the last "
                        "character",
                        key->name, word);
        return 0;
}

static int set_patterns(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        return conf_set_list(load, key, value, target, check_pattern);
}

/* The first item takes the default's place. */
static int set_deny_users(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        bool *given = load->context;

        if (!*given)
                strv_clear(target);
        *given = true;
        return set_patterns(load, key, value, target);
}

static int set_text(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        size_t n = strlen(value);

        if (n < key->min || n > key->max)
                return conf_fail(load, "%s: expected %u to %u characters", key->name, key->min, key->max);
        memcpy(target, value, n + 1);
        return 0;
}

static int set_path(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        if (value[0] != '/' || strlen(value) >= PATH_MAX)
                return conf_fail(load, "%s: invalid path '%.64s': write one absolute path", key->name, value);
        memcpy(target, value, strlen(value) + 1);
        return 0;
}

static int set_key(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        static const char prefix[] = "credential:";
        const char *name = value + strlen(prefix);

        if (strncmp(value, prefix, strlen(prefix)) != 0)
                return set_path(load, key, value, target);
        if (*name == '\0' || *name == '.' || strchr(name, '/') || strlen(value) >= PATH_MAX)
                return conf_fail(load, "%s: invalid value '%.64s': write a path, or credential:NAME", key->name, value);
        memcpy(target, value, strlen(value) + 1);
        return 0;
}

static int set_key_id(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        for (const char *c = value; *c; c++)
                if (*c <= ' ' || *c > '~')
                        return conf_fail(load, "%s: expected printable ASCII without blanks", key->name);
        return set_text(load, key, value, target);
}

#define AT(member) .offset = offsetof(struct signer_config, member)

static const struct conf_key keys[] = {
        {"Key", set_key, AT(key)},
        {"KeyCommand", set_text, AT(command), .min = 1, .max = SIGNER_COMMAND_MAX - 1},
        {"PublicKey", set_path, AT(public_key)},
        {"KeyId", set_key_id, AT(key_id), .min = 1, .max = SIGNER_KEY_ID_MAX - 1},
        {"KeyTimeout", conf_set_number, AT(key_timeout_s), .min = 1, .max = 30, .unit = " seconds"},
        {"ApiUser", set_text, AT(api_user), .min = 1, .max = 256},
        {"Log", set_path, AT(log_directory)},
        {"MaxTtl", conf_set_number, AT(max_ttl_s), .min = 1, .max = 3600, .unit = " seconds"},
        {"DenyUsers", set_deny_users, AT(deny_users), .list = true, .max = 256},
        {"AllowUsers", set_patterns, AT(allow_users), .list = true, .max = 256},
        {"DenyInstances", set_patterns, AT(deny_instances), .list = true, .max = 64},
        {"Instances", set_patterns, AT(instances), .list = true, .max = 64},
        {"PushRate", conf_set_number, AT(push_rate), .max = SIGNER_RATE_MAX, .unit = " pushes a second"},
        {"PushBurst", conf_set_number, AT(push_burst), .min = 1, .max = SIGNER_BURST_MAX, .unit = " pushes"},
        {"RevokeRate", conf_set_number, AT(revoke_rate), .max = SIGNER_RATE_MAX, .unit = " revocations a second"},
        {"RevokeBurst", conf_set_number, AT(revoke_burst), .min = 1, .max = SIGNER_BURST_MAX, .unit = " revocations"},
        {"AlarmRate", conf_set_number, AT(alarm_rate), .max = SIGNER_BURST_MAX, .unit = " pushes a minute"},
        {.name = NULL},
};

/* --- the file ----------------------------------------------------------------------------------------------------- */

static int set_defaults(struct signer_config *config) {
        *config = (struct signer_config){
                .key_timeout_s = SIGNER_KEY_TIMEOUT_S,
                .api_user = "exc-api",
                .log_directory = SIGNER_LOG_DIRECTORY,
                .max_ttl_s = SIGNER_MAX_TTL_S,
                .push_rate = 20,
                .push_burst = 200,
                .revoke_rate = 50,
                .revoke_burst = 500,
                .alarm_rate = 300,
        };
        return strv_add(&config->deny_users, "root");
}

static int check_key(struct conf_load *load, const struct signer_config *config) {
        load->line = 0;
        if ((config->key[0] == '\0') == (config->command[0] == '\0'))
                return conf_fail(load, "Key, KeyCommand: expected one of them; write Key=/etc/exc-signer/key.pem");
        if (config->public_key[0] != '\0' && config->command[0] == '\0')
                return conf_fail(load, "PublicKey: only goes with KeyCommand; remove the line");
        return 0;
}

int signer_config_load(const char *path, conf_warning warning, struct signer_config *ret,
                       char ret_error[static CONF_ERROR_MAX]) {
        const char *slash = strrchr(path, '/');
        char dir[PATH_MAX] = ".";
        bool deny_users_given = false;
        struct conf_load load = {
                .section = "Signer",
                .keys = keys,
                .target = ret,
                .reader = "the signer's user",
                .advice = "remove comments",
                .warning = warning,
                .context = &deny_users_given,
        };
        int fd, r;

        if (set_defaults(ret) < 0) {
                (void)snprintf(ret_error, CONF_ERROR_MAX, "out of memory");
                return -ENOMEM;
        }
        if (slash && (size_t)(slash - path) < sizeof(dir))
                (void)snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
                r = -errno;
                (void)snprintf(ret_error, CONF_ERROR_MAX, "%.200s: cannot open: %s", dir, strerror(-r));
                return r;
        }
        r = conf_load_file(&load, fd, dir, slash ? slash + 1 : path);
        (void)close(fd);
        if (r == 0)
                r = check_key(&load, ret);
        if (r < 0)
                (void)snprintf(ret_error, CONF_ERROR_MAX, "%s", load.error);
        return r;
}

void signer_config_clear(struct signer_config *config) {
        strv_clear(&config->deny_users);
        strv_clear(&config->allow_users);
        strv_clear(&config->deny_instances);
        strv_clear(&config->instances);
}

/* --- questions ---------------------------------------------------------------------------------------------------- */

enum match { EXACT, FOLDED };

static bool matches(const struct strv *patterns, const char *text, enum match how) {
        for (size_t i = 0; i < patterns->n; i++) {
                const char *word = patterns->item[i];
                size_t n = strlen(word);
                bool all = word[n - 1] == '*';

                /* With the NUL, where nothing may follow. */
                n = all ? n - 1 : n + 1;
                if (how == FOLDED ? strncasecmp(word, text, n) == 0 : strncmp(word, text, n) == 0)
                        return true;
        }
        return false;
}

/* Some name services know "Root" as root, so denials do not ask for the case. */
bool signer_config_allows_user(const struct signer_config *config, const char *user) {
        if (matches(&config->deny_users, user, FOLDED))
                return false;
        return config->allow_users.n == 0 || matches(&config->allow_users, user, EXACT);
}

bool signer_config_allows_instance(const struct signer_config *config, const char *instance) {
        if (matches(&config->deny_instances, instance, FOLDED))
                return false;
        return config->instances.n == 0 || matches(&config->instances, instance, EXACT);
}
