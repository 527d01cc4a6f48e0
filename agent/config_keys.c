/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config_keys.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/*
 * The list names accounts exactly. What other programs write there (sshd's patterns, single quotes, commas, sudo's and
 * netgroups' prefixes, a key on an indented line) would be an account that does not exist: a deny list that denies
 * nobody.
 */
static int check_name(struct conf_load *load, const struct conf_key *key, const char *word) {
        if (strlen(word) > CONFIG_NAME_MAX)
                return conf_fail(load, "%s: name '%.32s...' is too long: expected at most %d bytes", key->name, word,
                                 CONFIG_NAME_MAX);
        if (strchr("!'#%+@&", word[0]) || strpbrk(word, "*?,\"=:;[]/"))
                return conf_fail(load,
                                 "%s: invalid name '%.64s': write exact names separated by blanks, one that has a "
                                 "blank in double quotes, without patterns, and each key at the start of a line",
                                 key->name, word);
        return 0;
}

static int check_path(struct conf_load *load, const struct conf_key *key, const char *word) {
        if (word[0] != '/' || strlen(word) >= PATH_MAX || strpbrk(word, "*?[\"'"))
                return conf_fail(load,
                                 "%s: invalid path '%.64s': write absolute paths separated by blanks, one that has a "
                                 "blank in double quotes, without patterns",
                                 key->name, word);
        return 0;
}

static int set_names(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        return conf_set_list(load, key, value, target, check_name);
}

static int set_paths(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        return conf_set_list(load, key, value, target, check_path);
}

static int set_default_ttl(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        struct config_load *config = load->context;

        if (conf_set_number(load, key, value, target) < 0)
                return -EINVAL;
        memcpy(config->default_ttl_file, load->file, sizeof(config->default_ttl_file));
        config->default_ttl_line = load->line;
        return 0;
}

static int set_instance_id(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        size_t n = strlen(value);
        bool valid = n > 0 && n <= CONFIG_INSTANCE_ID_MAX;

        for (size_t i = 0; valid && i < n; i++)
                valid = value[i] > ' ' && value[i] <= '~';
        if (!valid)
                return conf_fail(load,
                                 "%s: invalid value '%.64s': expected 1..%d printable ASCII characters without "
                                 "blanks",
                                 key->name, value, CONFIG_INSTANCE_ID_MAX);
        memcpy(target, value, n + 1);
        return 0;
}

static int set_trust(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        enum config_trust *trust = target;

        if (strcmp(value, "signed") == 0)
                *trust = CONFIG_TRUST_SIGNED;
        else if (strcmp(value, "channel") == 0)
                *trust = CONFIG_TRUST_CHANNEL;
        else
                return conf_fail(load, "%s: invalid value '%.64s': expected signed or channel", key->name, value);
        return 0;
}

const struct conf_key config_keys[] = {
        {.name = "AllowUsers", .set = set_names, .offset = offsetof(struct config, allow_users), .list = true},
        {.name = "DenyUsers", .set = set_names, .offset = offsetof(struct config, deny_users), .list = true},
        {.name = "AllowGroups", .set = set_names, .offset = offsetof(struct config, allow_groups), .list = true},
        {.name = "DenyGroups", .set = set_names, .offset = offsetof(struct config, deny_groups), .list = true},
        {.name = "HostKeyFiles", .set = set_paths, .offset = offsetof(struct config, host_key_files), .list = true},
        {.name = "MinUid",
         .set = conf_set_number,
         .offset = offsetof(struct config, min_uid),
         .min = 0,
         .max = UINT32_MAX - 1,
         .unit = ""},
        {.name = "MaxTtl",
         .set = conf_set_number,
         .offset = offsetof(struct config, max_ttl_s),
         .min = 1,
         .max = CONFIG_TTL_MAX,
         .unit = " seconds"},
        {.name = "DefaultTtl",
         .set = set_default_ttl,
         .offset = offsetof(struct config, default_ttl_s),
         .min = 1,
         .max = CONFIG_TTL_MAX,
         .unit = " seconds"},
        {.name = "RateLimit",
         .set = conf_set_number,
         .offset = offsetof(struct config, rate_limit),
         .min = 0,
         .max = CONFIG_RATE_MAX,
         .unit = " pushes a second"},
        {.name = "Trust", .set = set_trust, .offset = offsetof(struct config, trust)},
        {.name = "TrustCredential", .set = conf_set_boolean, .offset = offsetof(struct config, trust_credential)},
        {.name = "InstanceId", .set = set_instance_id, .offset = offsetof(struct config, instance_id)},
        {.name = NULL},
};
