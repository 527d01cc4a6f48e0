/* SPDX-License-Identifier: Apache-2.0 */
/* exc compute revoke: --user here is whose keys, so [USER@]VM and --user say the same again. */
#include <inttypes.h>
#include <string.h>

#include "cli/output.h"
#include "exc/request.h"

static int print(const struct options *options, const struct target *target, const json_t *answer) {
        const json_t *revoked = json_object_get(answer, "revoked");
        const char *end = text_or(answer, "keys_end_at", NULL);

        if (options->json)
                return print_json(answer);
        if (strcmp(text_or(answer, "outcome", ""), "done") == 0)
                (void)printf("%" JSON_INTEGER_FORMAT " %s revoked\n", json_integer_value(revoked),
                             json_integer_value(revoked) == 1 ? "key" : "keys");
        else {
                complain("VM %s: it was not reached: the revocation is kept, and delivered when it is", target->vm);
                if (end)
                        complain("its keys end in any case at %s", end);
        }
        return EXIT_DONE;
}

static int revoke(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct target target;
        json_t *body, *answer = NULL;
        int status = target_from_options(line, options, &target);

        if (status != EXIT_DONE)
                return status;
        if ((*target.user != '\0') + (options->fingerprint != NULL) + options->all != 1)
                return cli_usage(line, "expected exactly one of --user, --fingerprint and --all");
        if (options->all)
                body = json_pack("{sb}", "all", 1);
        else if (options->fingerprint)
                body = json_pack("{ss}", "fingerprint", options->fingerprint);
        else
                body = json_pack("{ss}", "user", target.user);
        status = request_vm(options, &target, "POST", "revoke", body, &answer);
        if (status == EXIT_DONE)
                status = print(options, &target, answer);
        json_decref(answer);
        return status;
}

static const struct cli_option options[] = {
        {.name = "user",
         .value = "USER",
         .take = exc_take_user,
         .offset = offsetof(struct options, user),
         .expected = "a login name of 1 to 256 bytes that does not begin with '-'",
         .help = "the keys of this user"},
        {.name = "fingerprint",
         .value = "SHA256:…",
         .take = cli_take_fingerprint,
         .offset = offsetof(struct options, fingerprint),
         .expected = CLI_FINGERPRINT,
         .help = "the key with this fingerprint"},
        {.name = "all",
         .take = cli_take_flag,
         .offset = offsetof(struct options, all),
         .help = "all keys of all users"},
        {.name = NULL},
};

const struct cli_command revoke_command = {
        .words = "compute revoke",
        .arguments = "[USER@]VM",
        .summary = "drop keys from a VM before their time: of a user, one, or all",
        .most = 1,
        .completes = "vm",
        .tables = {exc_vm_id_options, options},
        .run = revoke,
};
