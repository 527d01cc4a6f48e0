/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/output.h"
#include "cli/table.h"
#include "cloud/admin/change.h"
#include "cloud/admin/command.h"
#include "cloud/admin/database.h"
#include "wire/name.h"
#include "wire/refusal.h"
#include "wire/vm_id.h"

static int instance_put(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct store_instance instance = options->instance;
        struct store *store;
        int64_t version;
        int status;

        if (!vm_id_valid(line->arguments[0])) {
                complain("instance %s: an id has 1 to 64 small letters, digits, '.', '_' and '-', the first a letter "
                         "or a "
                         "digit, and is not connect",
                         line->arguments[0]);
                return EXIT_USAGE;
        }
        (void)snprintf(instance.id, sizeof(instance.id), "%s", line->arguments[0]);
        status = database_open(options, &store);
        if (status != EXIT_DONE)
                return status;
        status = database_status(
                store, store_instance_put(store, &instance, 0, (int64_t)time(NULL), &version), "instance", instance.id,
                "its id was deleted, and is never used again; or its name is another's, or an id; or its "
                "id is another's name",
                "the key pair does not exist");
        if (status == EXIT_DONE)
                change_log("compute:instance:put", "exc:compute:instance/%s of the host %s", instance.id,
                           instance.host);
        store_close(store);
        return status;
}

/* --- get and list --------------------------------------------------------------------------------------------------- */

static json_t *keypair_json(const struct store_instance *instance) {
        return instance->keypair[0]
                       ? json_pack("{ss ss}", "account", instance->keypair_account, "name", instance->keypair)
                       : json_null();
}

static json_t *instance_json(const struct store_instance *instance) {
        const struct store_addresses *addresses = &instance->addresses;
        char created[TIME_TEXT_MAX];

        return json_pack("{ss so ss so s{so so so so} so sb so so sI ss}", "id", instance->id, "name",
                         text_or_null(instance->name), "host", instance->host, "default_user",
                         text_or_null(instance->default_user), "addresses", "public_ipv4",
                         text_or_null(addresses->public_ipv4), "private_ipv4", text_or_null(addresses->private_ipv4),
                         "ipv6", text_or_null(addresses->ipv6), "port",
                         addresses->port ? json_integer(addresses->port) : json_null(), "keypair",
                         keypair_json(instance), "tunnel", (int)instance->tunnel, "channel",
                         text_or_null(instance->channel), "state", text_or_null(instance->state), "version",
                         (json_int_t)instance->version, "created_at", time_text(instance->created, created));
}

static void field(const char *name, const char *value) {
        print_field(name, "%s", *value ? value : "-");
}

static void print_instance(const struct store_instance *instance) {
        char created[TIME_TEXT_MAX], port[16];

        (void)snprintf(port, sizeof(port), "%lld", (long long)instance->addresses.port);
        field("Id", instance->id);
        field("Name", instance->name);
        field("Host", instance->host);
        field("Default user", instance->default_user);
        field("Public IPv4", instance->addresses.public_ipv4);
        field("Private IPv4", instance->addresses.private_ipv4);
        field("IPv6", instance->addresses.ipv6);
        field("Port", instance->addresses.port ? port : "");
        if (instance->keypair[0])
                print_field("Key pair", "%s/%s", instance->keypair_account, instance->keypair);
        field("Tunnel", instance->tunnel ? "the only way to its sshd" : "");
        field("Channel", instance->channel);
        field("State", instance->state);
        field("Created", time_text(instance->created, created));
}

static int instance_get(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        const char *id = line->arguments[0];
        struct store_instance instance;
        struct store *store;
        int status = database_open(options, &store);

        if (status != EXIT_DONE)
                return status;
        status = database_status(store, store_instance_get(store, id, &instance), "instance", id, NULL, NULL);
        if (status == EXIT_DONE && options->json)
                status = print_json_new(instance_json(&instance));
        else if (status == EXIT_DONE)
                print_instance(&instance);
        store_close(store);
        return status;
}

static const char *const headings[] = {"INSTANCE", "NAME", "HOST", "USER", "ADDRESS", "CHANNEL", "STATE"};

struct instances {
        const char *name; /* NULL: all */
        bool json;
        struct table table;
};

static enum store_result read_instances(struct store *store, const void *context, const char *after, size_t max,
                                        void *items, size_t *ret_n) {
        return store_instance_list(store, ((const struct instances *)context)->name, after, max, items, ret_n);
}

static const char *id_of(const void *item) {
        return ((const struct store_instance *)item)->id;
}

static int show(void *context, struct store *store, const void *item) {
        const struct store_instance *instance = item;
        const struct store_addresses *addresses = &instance->addresses;
        struct instances *instances = context;
        const char *address = addresses->public_ipv4[0] ? addresses->public_ipv4
                              : addresses->ipv6[0]      ? addresses->ipv6
                                                        : addresses->private_ipv4;

        (void)store;
        if (instances->json)
                return print_json_new(instance_json(instance));
        if (table_add(&instances->table,
                      (const char *const[]){instance->id, instance->name, instance->host, instance->default_user,
                                            address, instance->channel, instance->state}))
                return EXIT_DONE;
        complain("out of memory");
        return EXIT_OWN_FAILURE;
}

static int instance_list(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct instances instances = {
                .name = *options->instance.name ? options->instance.name : NULL,
                .json = options->json,
                .table = {.headings = headings, .columns = sizeof(headings) / sizeof(headings[0])},
        };
        const struct listing listing = {
                .item_size = sizeof(struct store_instance),
                .read = read_instances,
                .name = id_of,
                .show = show,
                .context = &instances,
        };
        struct store *store;
        int status = database_open(options, &store);

        (void)line;
        if (status != EXIT_DONE)
                return status;
        status = list_all(store, &listing);
        table_print(&instances.table);
        store_close(store);
        return status;
}

static int instance_delete(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        const char *id = line->arguments[0];
        struct store *store;
        int status = database_open(options, &store);

        if (status != EXIT_DONE)
                return status;
        status = database_status(store, store_instance_delete(store, id, 0), "instance", id, NULL, NULL);
        if (status == EXIT_DONE)
                change_log("compute:instance:delete", "exc:compute:instance/%s", id);
        store_close(store);
        return status;
}

/* --- the command line ---------------------------------------------------------------------------------------------- */

static bool take_host(const struct cli_option *option, const char *text, void *member) {
        (void)option;
        (void)snprintf(member, STORE_TEXT_MAX, "%s", text);
        return name_plain_valid(text);
}

static bool take_default_user(const struct cli_option *option, const char *text, void *member) {
        (void)option;
        (void)snprintf(member, STORE_TEXT_MAX, "%s", text);
        return name_user_valid(text);
}

/* A label for people: 1 to 256 bytes without control characters, and not blank. */
static bool take_name(const struct cli_option *option, const char *text, void *member) {
        size_t n = strlen(text);

        (void)option;
        for (size_t i = 0; i < n; i++)
                if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
                        return false;
        (void)snprintf(member, STORE_TEXT_MAX, "%s", text);
        return n < STORE_TEXT_MAX && strspn(text, " ") < n;
}

/* Addresses are kept in one form, as POST and PUT of the API keep them. */
static bool take_address(int family, const char *text, char ret[static STORE_ADDRESS_MAX]) {
        struct in6_addr address; /* the larger of the two */

        if (inet_pton(family, text, &address) != 1 || (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address)))
                return false;
        return inet_ntop(family, &address, ret, STORE_ADDRESS_MAX);
}

static bool take_ipv4(const struct cli_option *option, const char *text, void *member) {
        (void)option;
        return take_address(AF_INET, text, member);
}

static bool take_ipv6(const struct cli_option *option, const char *text, void *member) {
        (void)option;
        return take_address(AF_INET6, text, member);
}

/* int64_t, as the store has it. */
static bool take_port(const struct cli_option *option, const char *text, void *member) {
        int port = 0;
        bool valid = cli_take_number(option, text, &port);

        *(int64_t *)member = port;
        return valid;
}

/* ACCOUNT/NAME: the whole struct store_instance. */
static bool take_keypair(const struct cli_option *option, const char *text, void *member) {
        struct store_instance *instance = member;
        const char *slash = strchr(text, '/');
        size_t n = slash ? (size_t)(slash - text) : 0;

        (void)option;
        if (!slash || n >= sizeof(instance->keypair_account) || !name_plain_valid(slash + 1))
                return false;
        (void)snprintf(instance->keypair_account, sizeof(instance->keypair_account), "%.*s", (int)n, text);
        (void)snprintf(instance->keypair, sizeof(instance->keypair), "%s", slash + 1);
        return name_account_valid(instance->keypair_account);
}

#define NAME_EXPECTED "1 to 256 bytes, not all blanks, without control characters"

static const struct cli_option put_options[] = {
        {.name = "host",
         .value = "NAME",
         .take = take_host,
         .offset = offsetof(struct options, instance.host),
         .flags = CLI_NEEDED,
         .expected = "the name of a host: 1 to 64 letters, digits, '.', '_' and '-', the first a letter or a digit",
         .help = "the host that runs it"},
        {.name = "name",
         .value = "NAME",
         .take = take_name,
         .offset = offsetof(struct options, instance.name),
         .expected = NAME_EXPECTED,
         .help = "a name for people, which no other instance has"},
        {.name = "default-user",
         .value = "NAME",
         .take = take_default_user,
         .offset = offsetof(struct options, instance.default_user),
         .expected = "a login name: 1 to 256 bytes without control characters, not beginning with '-'",
         .help = "the login name of connections that name none"},
        {.name = "public-ipv4",
         .value = "ADDRESS",
         .take = take_ipv4,
         .offset = offsetof(struct options, instance.addresses.public_ipv4),
         .expected = "an IPv4 address",
         .help = "where its sshd is reached"},
        {.name = "private-ipv4",
         .value = "ADDRESS",
         .take = take_ipv4,
         .offset = offsetof(struct options, instance.addresses.private_ipv4),
         .expected = "an IPv4 address",
         .help = "the same, on its private network"},
        {.name = "ipv6",
         .value = "ADDRESS",
         .take = take_ipv6,
         .offset = offsetof(struct options, instance.addresses.ipv6),
         .expected = "an IPv6 address",
         .help = "the same, over IPv6"},
        {.name = "port",
         .value = "NUMBER",
         .take = take_port,
         .offset = offsetof(struct options, instance.addresses.port),
         .min = 1,
         .max = 65535,
         .expected = "a number from 1 to 65535",
         .help = "the port of its sshd, where it is not 22"},
        {.name = "keypair",
         .value = "ACCOUNT/NAME",
         .take = take_keypair,
         .offset = offsetof(struct options, instance),
         .expected = "ACCOUNT/NAME",
         .help = "a key pair of an account"},
        {.name = "tunnel",
         .take = cli_take_flag,
         .offset = offsetof(struct options, instance.tunnel),
         .help = "only a tunnel reaches its sshd"},
        {.name = NULL},
};

static const struct cli_option list_options[] = {
        {.name = "name",
         .value = "NAME",
         .take = take_name,
         .offset = offsetof(struct options, instance.name),
         .expected = NAME_EXPECTED,
         .help = "the one with this name alone"},
        {.name = NULL},
};

const struct cli_command instance_put_command = {
        .words = "instance put",
        .arguments = "ID",
        .summary = "create or replace an instance in the register",
        .least = 1,
        .most = 1,
        .tables = {put_options},
        .run = instance_put,
};
const struct cli_command instance_get_command = {
        .words = "instance get",
        .arguments = "ID",
        .summary = "show an instance",
        .least = 1,
        .most = 1,
        .run = instance_get,
};
const struct cli_command instance_list_command = {
        .words = "instance list",
        .summary = "list instances, or the one with a name",
        .tables = {list_options},
        .run = instance_list,
};
const struct cli_command instance_delete_command = {
        .words = "instance delete",
        .arguments = "ID",
        .summary = "delete an instance; its id is never used again",
        .least = 1,
        .most = 1,
        .run = instance_delete,
};
