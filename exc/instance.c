/* SPDX-License-Identifier: Apache-2.0 */
/* exc compute instance list, show and accept-host-keys. */
#include "cli/output.h"
#include "exc/request.h"

static const struct column columns[] = {
        {"id", "ID", "Id"},
        {"name", "NAME", "Name"},
        {"host", "HOST", "Host"},
        {"default_user", "USER", "Default user"},
        {"state", "STATE", "State"},
        {"addresses.public_ipv4", "PUBLIC", "Public IPv4"},
        {"addresses.private_ipv4", "PRIVATE", "Private IPv4"},
        {"addresses.ipv6", "IPV6", "IPv6"},
        {"addresses.port", NULL, "Port"},
        {"tunnel", NULL, "Tunnel"},
        {"keypair", NULL, "Key pair"},
        {"channel", NULL, "Channel"},
        {"created_at", NULL, "Created"},
};
enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

static int list(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        char *path = api_path("compute", "instance", NULL);

        (void)line;
        if (options->name)
                path = api_path_query(path, "name", options->name);
        return request_list(options, path, columns, COLUMNS);
}

static int show(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct target target;
        json_t *object = NULL;
        int status = target_from_options(line, options, &target);

        if (status == EXIT_DONE)
                status = request_vm(options, &target, "GET", NULL, NULL, &object);
        if (status == EXIT_DONE)
                status = request_print(options, object, columns, COLUMNS);
        json_decref(object);
        return status;
}

static int accept_host_keys(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct target target;
        json_t *object = NULL;
        int status = target_from_options(line, options, &target);

        if (status == EXIT_DONE)
                status = request_vm(options, &target, "POST", "accept-host-keys", json_object(), &object);
        json_decref(object);
        if (status == EXIT_DONE && !options->json)
                complain("VM %s: the host keys that it has shown last are accepted", target.vm);
        return status;
}

static const struct cli_option list_options[] = {
        {.name = "name",
         .value = "NAME",
         .take = cli_take_text,
         .offset = offsetof(struct options, name),
         .help = "those with this name alone"},
        {.name = NULL},
};

const struct cli_command instance_list_command = {
        .words = "compute instance list",
        .summary = "list the VMs that you may see",
        .tables = {list_options},
        .run = list,
};
const struct cli_command instance_show_command = {
        .words = "compute instance show",
        .arguments = "VM",
        .summary = "show a VM",
        .most = 1,
        .completes = "vm",
        .tables = {exc_vm_id_options},
        .run = show,
};
const struct cli_command accept_host_keys_command = {
        .words = "compute instance accept-host-keys",
        .arguments = "VM",
        .summary = "accept the host keys of a VM that was reinstalled",
        .most = 1,
        .completes = "vm",
        .tables = {exc_vm_id_options},
        .run = accept_host_keys,
};
