/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/metadata_conf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HEX "0123456789abcdef"
#define DIGITS "0123456789"

/* --- values ------------------------------------------------------------------------------------------------------- */

static int set_user(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        if (value[0] == '\0' || strlen(value) >= METADATA_USER_MAX || strpbrk(value, " \t*?,\"'=:;[]/"))
                return conf_fail(load, "%s: invalid name '%.64s': write the name of one user", key->name, value);
        memcpy(target, value, strlen(value) + 1);
        return 0;
}

static int set_format(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        static const char *const names[] = {
                [METADATA_EC2] = "ec2",
                [METADATA_CLOUDSTACK] = "cloudstack",
                [METADATA_EXOSCALE] = "exoscale",
        };

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (strcmp(value, names[i]) == 0) {
                        *(enum metadata_format *)target = (enum metadata_format)i;
                        return 0;
                }
        return conf_fail(load, "%s: invalid value '%.64s': expected ec2, cloudstack or exoscale", key->name, value);
}

static int check_address(struct conf_load *load, const struct conf_key *key, const char *word) {
        struct in6_addr address;

        if (inet_pton(AF_INET, word, &address) != 1 && inet_pton(AF_INET6, word, &address) != 1)
                return conf_fail(load, "%s: invalid address '%.64s': expected an IPv4 or IPv6 address, not a name",
                                 key->name, word);
        return 0;
}

static int set_addresses(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        struct strv *list = target;
        int r = conf_set_list(load, key, value, list, check_address);

        if (r >= 0 && list->n > METADATA_ADDRESSES_MAX)
                return conf_fail(load, "%s: more than %d addresses; remove some", key->name, METADATA_ADDRESSES_MAX);
        return r;
}

static const struct conf_key keys[] = {
        {.name = "User", .set = set_user, .offset = offsetof(struct metadata_conf, user)},
        {.name = "MaxAge",
         .set = conf_set_number,
         .offset = offsetof(struct metadata_conf, max_age_s),
         .min = METADATA_AGE_MIN_S,
         .max = METADATA_AGE_MAX_S,
         .unit = " seconds"},
        {.name = "Format", .set = set_format, .offset = offsetof(struct metadata_conf, format)},
        {.name = "Address", .set = set_addresses, .offset = offsetof(struct metadata_conf, addresses), .list = true},
        {.name = "TokenRequired", .set = conf_set_boolean, .offset = offsetof(struct metadata_conf, token_required)},
        {.name = "InstanceId", .set = conf_set_boolean, .offset = offsetof(struct metadata_conf, instance_id)},
        {.name = NULL},
};

/* --- the file ----------------------------------------------------------------------------------------------------- */

static void set_defaults(struct metadata_conf *conf) {
        strv_clear(&conf->addresses);
        *conf = (struct metadata_conf){.max_age_s = METADATA_AGE_DEFAULT_S, .token_required = true};
}

static int load_file(struct conf_load *load, const char *dir) {
        int fd = -EBADF, r;

        r = conf_open_dir(load, AT_FDCWD, dir, NULL, &fd);
        if (r != 0)
                return r < 0 ? r : -ENOENT;
        if (conf_is_missing(fd, METADATA_CONF_FILE)) {
                r = conf_begin_path(load, dir, METADATA_CONF_FILE);
                if (r >= 0)
                        r = -ENOENT;
        } else
                r = conf_load_file(load, fd, dir, METADATA_CONF_FILE);
        (void)close(fd);
        return r;
}

int metadata_conf_load(const char *dir, conf_warning warning, void *context, struct conf_files *files,
                       struct metadata_conf *ret) {
        struct conf_load load = {
                .section = "Metadata",
                .keys = keys,
                .target = ret,
                .reader = "the users exc-instance-connect and exc-instance-connect-metadata",
                .advice = "shorten it",
                .warning = warning,
                .context = context,
                .files = files,
        };
        int r;

        *ret = (struct metadata_conf){.user = ""};
        set_defaults(ret);
        r = load_file(&load, dir);
        if (r >= 0)
                return 0;
        set_defaults(ret);
        if (r != -ENOENT)
                memcpy(ret->error, load.error, sizeof(ret->error));
        return r;
}

void metadata_conf_clear(struct metadata_conf *conf) {
        strv_clear(&conf->addresses);
}

/* --- ids ---------------------------------------------------------------------------------------------------------- */

static bool is_ec2(const char *text) {
        size_t n = strlen(text);

        return strncmp(text, "i-", 2) == 0 && n >= 2 + 8 && n <= 2 + 32 && strspn(text + 2, HEX) == n - 2;
}

static bool is_uuid(const char *text) {
        static const size_t parts[] = {8, 4, 4, 4, 12};

        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
                if (i > 0 && *text++ != '-')
                        return false;
                if (strspn(text, HEX) != parts[i])
                        return false;
                text += parts[i];
        }
        return *text == '\0';
}

/* "i-N-N-VM": account, machine. */
static bool is_cloudstack(const char *text) {
        if (strlen(text) >= METADATA_INSTANCE_ID_MAX || strncmp(text, "i-", 2) != 0)
                return false;
        text += 2;
        for (int i = 0; i < 2; i++) {
                size_t n = strspn(text, DIGITS);

                if (n == 0 || text[n] != '-')
                        return false;
                text += n + 1;
        }
        return strcmp(text, "VM") == 0;
}

bool metadata_instance_id_valid(enum metadata_format format, const char *text) {
        return format == METADATA_EC2 ? is_ec2(text) : is_uuid(text) || is_cloudstack(text);
}
