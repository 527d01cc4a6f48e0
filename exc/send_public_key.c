/* SPDX-License-Identifier: Apache-2.0 */
/* exc compute send-public-key: one's own key into a VM for a while. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "cli/key_file.h"
#include "cli/output.h"
#include "exc/request.h"

enum { TTL_MAX_S = 24 * 60 * 60, CONNECTIONS_MAX = 100 };

/* The one key of a file, as the text of authorized_keys without its comment. */
static int read_key(const char *path, char ret[static SSH_KEY_TEXT_MAX]) {
        struct key_list keys = {.n = 0};
        char why[KEY_FILE_WHY_MAX];

        if (!key_file_read_path(path, &keys, why)) {
                complain("%s", why);
                return EXIT_USAGE;
        }
        if (keys.n != 1) {
                complain("%s: it has %zu keys: give a file with one", path, keys.n);
                return EXIT_USAGE;
        }
        ssh_key_to_text(&keys.at[0].key, ret);
        return EXIT_DONE;
}

/* What a shell takes for one word that is no option. */
static bool plain_word(const char *text) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-";

        return *text && *text != '-' && text[strspn(text, plain)] == '\0';
}

/* The server's, which is checked: people copy the line. */
static const char *first_address(const json_t *answer) {
        static const char *const members[] = {"public_ipv4", "private_ipv4", "ipv6"};
        const json_t *addresses = json_object_get(answer, "addresses");
        struct in6_addr address;

        for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
                const char *text = text_or(addresses, members[i], NULL);

                if (text && inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, &address) == 1)
                        return text;
        }
        return NULL;
}

static void print_ssh(const struct options *options, const json_t *answer, const char *vm, const char *user) {
        const json_t *port = json_object_get(json_object_get(answer, "addresses"), "port");
        const char *address = first_address(answer), *dot_pub = strstr(options->public_key, ".pub");
        int n = dot_pub && !dot_pub[4] ? (int)(dot_pub - options->public_key) : (int)strlen(options->public_key);
        json_t *lines = json_object_get(answer, "known_hosts"), *value;
        size_t i;

        print_field("User", "%s", user);
        print_field("Expires", "%s", text_or(answer, "expires_at", "-"));
        print_field("Fingerprint", "%s", text_or(answer, "fingerprint", "-"));
        json_array_foreach(lines, i, value)
                if (json_is_string(value))
                        print_field("Host key", "%s", json_string_value(value));
        if (address && plain_word(options->public_key) && plain_word(user))
                print_field("Connect", "ssh -i %.*s -o IdentitiesOnly=yes -o HostKeyAlias=exc-vm-%s -p %d %s@%s", n,
                            options->public_key, vm, json_is_integer(port) ? (int)json_integer_value(port) : 22, user,
                            address);
}

static int print(const struct options *options, const struct target *target, const json_t *answer) {
        struct problem problem;
        int status = EXIT_DONE;

        if (options->json)
                status = print_json(answer);
        else
                print_ssh(options, answer, target->vm, text_or(answer, "user", target->user));
        if (!json_is_true(json_object_get(answer, "host_keys_changed")))
                return status;
        problem_of_host_keys(target->given, &problem);
        complain("%s", problem.text);
        complain("%s", "accept them before you connect: see exc compute instance accept-host-keys --help");
        return problem.status;
}

static int send_it(const struct options *options, struct api *api, struct target *target, const char *key,
                   struct api_answer *answer) {
        int status = target_prepare(api, options, target);
        bool ok;

        if (status != EXIT_DONE)
                return status;
        do {
                json_t *body = json_pack("{ss ss}", "vm_id", target->vm, "public_key", key);

                if (body && *target->user)
                        (void)json_object_set_new(body, "user", json_string(target->user));
                if (body && options->ttl > 0)
                        (void)json_object_set_new(body, "ttl", json_integer(options->ttl));
                if (body && options->connections >= 0)
                        (void)json_object_set_new(body, "connections", json_integer(options->connections));
                ok = api_call(api, "POST", "/compute/instance/connect", body, answer);
        } while (!ok && target_is_name(api, target, answer));
        return ok ? EXIT_DONE : target_report(options, api, target, answer);
}

static int send_public_key(const struct cli_line *line, const void *context) {
        struct api_answer answer = {.body = NULL};
        const struct options *options = context;
        char key[SSH_KEY_TEXT_MAX];
        struct target target;
        struct api *api;
        int status = target_from_options(line, options, &target);

        if (status == EXIT_DONE)
                status = read_key(options->public_key, key);
        if (status == EXIT_DONE)
                status = api_open(options, &api);
        if (status != EXIT_DONE)
                return status;
        status = send_it(options, api, &target, key, &answer);
        if (status == EXIT_DONE)
                status = print(options, &target, answer.body);
        api_answer_clear(&answer);
        api_close(api);
        return status;
}

static const struct cli_option options[] = {
        {.name = "public-key",
         .value = "FILE",
         .take = cli_take_text,
         .offset = offsetof(struct options, public_key),
         .flags = CLI_NEEDED | CLI_BYTES,
         .completes = "files",
         .help = "a file with one public key, - for standard input"},
        {.name = "ttl",
         .value = "SECONDS",
         .take = cli_take_number,
         .offset = offsetof(struct options, ttl),
         .min = 1,
         .max = TTL_MAX_S,
         .expected = "1..86400 seconds",
         .help = "how long the key lives; the server cuts it to its limit"},
        {.name = "connections",
         .value = "N",
         .take = cli_take_number,
         .offset = offsetof(struct options, connections),
         .max = CONNECTIONS_MAX,
         .expected = "0..100",
         .help = "SSH connections that may use it; default 0: any number"},
        {.name = NULL},
};

const struct cli_command send_public_key_command = {
        .words = "compute send-public-key",
        .arguments = "[USER@]VM",
        .summary = "let a key of your own into a VM for a while",
        .most = 1,
        .completes = "vm",
        .tables = {exc_vm_options, options},
        .run = send_public_key,
};
