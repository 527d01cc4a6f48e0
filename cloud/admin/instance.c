/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/output.h"
#include "cli/table.h"
#include "cloud/admin/change.h"
#include "cloud/admin/command.h"
#include "cloud/admin/database.h"
#include "wire/refusal.h"
#include "wire/vm_id.h"

static int instance_put(const struct options *options, const char *const *arguments) {
        struct store_instance instance = options->instance;
        struct store *store;
        int64_t version;
        int status;

        if (!vm_id_valid(arguments[0])) {
                complain("instance %s: an id has 1 to 64 small letters, digits, '.', '_' and '-', the first a letter "
                         "or a "
                         "digit, and is not connect",
                         arguments[0]);
                return EXIT_USAGE;
        }
        (void)snprintf(instance.id, sizeof(instance.id), "%s", arguments[0]);
        status = database_open(options, false, &store);
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

static int instance_get(const struct options *options, const char *const *arguments) {
        struct store_instance instance;
        struct store *store;
        int status = database_open(options, false, &store);

        if (status != EXIT_DONE)
                return status;
        status = database_status(store, store_instance_get(store, arguments[0], &instance), "instance", arguments[0],
                                 NULL, NULL);
        if (status == EXIT_DONE && (options->given & OPTION_JSON))
                status = print_object(instance_json(&instance));
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
                return print_object(instance_json(instance));
        if (table_add(&instances->table,
                      (const char *const[]){instance->id, instance->name, instance->host, instance->default_user,
                                            address, instance->channel, instance->state}))
                return EXIT_DONE;
        complain("out of memory");
        return EXIT_OWN_FAILURE;
}

static int instance_list(const struct options *options, const char *const *arguments) {
        struct instances instances = {
                .name = options->given & OPTION_NAME ? options->instance.name : NULL,
                .json = options->given & OPTION_JSON,
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
        int status = database_open(options, false, &store);

        (void)arguments;
        if (status != EXIT_DONE)
                return status;
        status = list_all(store, &listing);
        table_print(&instances.table);
        store_close(store);
        return status;
}

static int instance_delete(const struct options *options, const char *const *arguments) {
        struct store *store;
        int status = database_open(options, false, &store);

        if (status != EXIT_DONE)
                return status;
        status = database_status(store, store_instance_delete(store, arguments[0], 0), "instance", arguments[0], NULL,
                                 NULL);
        if (status == EXIT_DONE)
                change_log("compute:instance:delete", "exc:compute:instance/%s", arguments[0]);
        store_close(store);
        return status;
}

const struct command instance_put_command = {
        .name = "instance",
        .verb = "put",
        .arguments = "ID",
        .summary = "create or replace an instance in the register",
        .least = 1,
        .most = 1,
        .takes = OPTION_HOST | OPTION_NAME | OPTION_DEFAULT_USER | OPTION_PUBLIC_IPV4 | OPTION_PRIVATE_IPV4 |
                 OPTION_IPV6 | OPTION_PORT | OPTION_KEYPAIR | OPTION_TUNNEL,
        .needs = OPTION_HOST,
        .run = instance_put,
};
const struct command instance_get_command = {
        .name = "instance",
        .verb = "get",
        .arguments = "ID",
        .summary = "show an instance",
        .least = 1,
        .most = 1,
        .run = instance_get,
};
const struct command instance_list_command = {
        .name = "instance",
        .verb = "list",
        .arguments = "",
        .summary = "list instances, or the one with a name",
        .takes = OPTION_NAME,
        .run = instance_list,
};
const struct command instance_delete_command = {
        .name = "instance",
        .verb = "delete",
        .arguments = "ID",
        .summary = "delete an instance; its id is never used again",
        .least = 1,
        .most = 1,
        .run = instance_delete,
};
