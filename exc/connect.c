/* SPDX-License-Identifier: Apache-2.0 */
/* exc compute connect: ssh into a VM with a key for this one connection. */
#include <string.h>

#include "cli/key_file.h"
#include "cli/output.h"
#include "exc/ssh_options.h"
#include "exc/ssh_run.h"

/* The key in the user's file, for --print-command. */
static int read_own_key(const char *path, struct ssh_key *ret) {
        struct key_list keys = {.n = 0};
        char why[KEY_FILE_WHY_MAX];

        if (!key_file_read_path(path, &keys, why)) {
                complain("%s", why);
                return EXIT_USAGE;
        }
        *ret = keys.at[0].key;
        return EXIT_DONE;
}

/* ssh wants the file of the private half; where there is none, the agent has it by the public half. */
static void identity_of(const char *public_key, char *ret, size_t size) {
        size_t n = strlen(public_key);

        if (n > 4 && n < size && strcmp(public_key + n - 4, ".pub") == 0)
                n -= 4;
        (void)snprintf(ret, size, "%.*s", (int)n, public_key);
}

static int print_json_command(const struct key_grant *grant, const struct words *words) {
        json_t *list = json_array(), *known_hosts = json_array();
        json_t *object;
        int status = EXIT_OWN_FAILURE;

        for (size_t i = 0; i < words->n; i++)
                (void)json_array_append_new(list, json_string(words->at[i]));
        for (size_t i = 0; i < grant->answer.n_host_keys; i++) {
                char text[SSH_KEY_TEXT_MAX];

                ssh_key_to_text(&grant->answer.host_keys[i], text);
                (void)json_array_append_new(known_hosts,
                                            json_sprintf(CONNECT_HOST_ALIAS "%s %s", grant->answer.vm_id, text));
        }
        object = json_pack("{ss ss ss si ss sI so so}", "vm_id", grant->answer.vm_id, "user", grant->answer.user,
                           "address", grant->route.address[0], "port", grant->route.port, "fingerprint",
                           grant->answer.fingerprint, "expires_at", (json_int_t)grant->answer.expires_at, "known_hosts",
                           known_hosts, "command", list);
        if (object)
                status = print_json(object);
        json_decref(object);
        return status;
}

static int print_command(const struct cli_line *line, const struct options *options, const struct key_grant *grant) {
        char identity[4096];
        const struct ssh_want want = {
                .program = "ssh",
                .vm_id = grant->answer.vm_id,
                .user = grant->answer.user,
                .route = &(struct ssh_route){.n = 1, .address = {grant->route.address[0]}, .port = grant->route.port},
                .identity_file = identity,
                .host_keys = grant->answer.host_keys,
                .n_host_keys = grant->answer.n_host_keys,
                .arguments = line->rest,
        };
        struct words words;
        int status = EXIT_DONE;

        if (options->server_key)
                (void)snprintf(identity, sizeof(identity), "%s", options->file);
        else
                identity_of(options->public_key, identity, sizeof(identity));
        if (!ssh_command_make(&want, &words)) {
                complain("out of memory");
                status = EXIT_OWN_FAILURE;
        } else if (options->json)
                status = print_json_command(grant, &words);
        else {
                words_print_shell(&words);
                complain("the command works once, within a minute; it needs the private key %s%s", identity,
                         options->server_key ? "" : ", or an ssh-agent that has it");
        }
        words_free(&words);
        return status;
}

static int run_ssh(const struct cli_line *line, const struct options *options, const struct key_grant *grant) {
        struct ssh_want want = {.arguments = line->rest};
        struct session_start start = {.input = 0};
        struct session session;
        int status = ssh_run_open(grant, &session);

        if (status == EXIT_DONE)
                status = ssh_run_start(options, grant, &want, &start, &session);
        if (status == EXIT_DONE)
                status = ssh_run_finish(grant, &session, 0);
        session_close(&session);
        return status;
}

static int check(const struct cli_line *line, const struct options *options) {
        if (options->json && !options->print_command)
                return cli_usage(line, "-o json needs --print-command: standard output is the VM's");
        if (options->print_command && options->server_key && !options->file)
                return cli_usage(line, "--print-command with --server-key needs --file for the private key");
        if (options->print_command && !options->server_key && !options->public_key)
                return cli_usage(line, "--print-command needs a key that lasts: --public-key FILE, or --server-key");
        if (!options->print_command && (options->public_key || options->file))
                return cli_usage(line, "--public-key and --file go with --print-command");
        if (options->server_key && options->public_key)
                return cli_usage(line, "--server-key and --public-key do not go together");
        return EXIT_DONE;
}

static int connect_to(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct key_grant grant = {.pair = {.private_half = NULL}};
        struct key_grant_want want = {.server_key = options->server_key, .save_private = options->file};
        struct ssh_key own_key;
        struct api *api;
        int status = check(line, options);

        if (status == EXIT_DONE)
                status = target_from_options(line, options, &grant.target);
        if (status == EXIT_DONE && options->public_key)
                status = read_own_key(options->public_key, &own_key);
        if (status == EXIT_DONE)
                status = api_open(options, &api);
        if (status != EXIT_DONE)
                return status;
        if (options->public_key)
                want.own_key = &own_key;
        key_grant_protect();
        status = key_grant_get(options, api, &want, &grant);
        api_close(api);
        if (status == EXIT_DONE)
                status = options->print_command ? print_command(line, options, &grant) : run_ssh(line, options, &grant);
        key_grant_end(&grant);
        return status;
}

static const struct cli_option connect_options[] = {
        {.name = "print-command",
         .take = cli_take_flag,
         .offset = offsetof(struct options, print_command),
         .help = "print the ssh command for a key of --public-key or --server-key, and do not run it"},
        {.name = "public-key",
         .value = "FILE",
         .take = cli_take_text,
         .offset = offsetof(struct options, public_key),
         .flags = CLI_BYTES,
         .completes = "files",
         .help = "with --print-command: your own public key"},
        {.name = "file",
         .value = "FILE",
         .take = cli_take_text,
         .offset = offsetof(struct options, file),
         .flags = CLI_BYTES,
         .completes = "files",
         .help = "with --print-command and --server-key: where the private key goes"},
        {.name = NULL},
};

const struct cli_command connect_command = {
        .words = "compute connect",
        .arguments = "[USER@]VM",
        .summary = "open a shell on a VM, or run ssh's arguments there",
        .most = 1,
        .completes = "vm",
        .rest = true,
        .rest_is = "SSH ARGUMENT…",
        .tables = {exc_vm_options, exc_ssh_options, connect_options},
        .run = connect_to,
};
