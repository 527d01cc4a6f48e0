/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "cli/output.h"
#include "push/ask.h"
#include "push/command.h"
#include "wire/refusal.h"

static int print(const struct options *options, const struct status_answer *answer) {
        const char *trust = answer->signed_only ? "signed" : "channel";
        const char *sshd = answer->sshd_enabled ? "enabled" : "disabled";

        if (options->json)
                return print_json_new(json_pack("{ss so ss sI sI so ss}", "version", answer->version, "instance",
                                                text_or_null(answer->instance), "trust", trust, "anchors",
                                                (json_int_t)answer->anchors, "keys", (json_int_t)answer->keys, "clock",
                                                ask_clock(&answer->clock), "sshd", sshd));
        print_field("Agent", "%s", answer->version);
        print_field("Instance", "%s", *answer->instance ? answer->instance : "none: signed pushes are refused");
        print_field("Trust", "%s", trust);
        print_field("Anchors", "%" PRId64 "%s", answer->anchors,
                    answer->anchors == 0 && answer->signed_only ? ": signed pushes are refused" : "");
        print_field("Keys", "%" PRId64, answer->keys);
        print_clock(stdout, answer->clock.unix_s, answer->clock.synchronized);
        print_field("sshd", "%s", sshd);
        return EXIT_DONE;
}

static enum client_result call(void *context, struct guest *guest) {
        return guest_status(guest, context);
}

static int status(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct status_answer answer;
        struct guest guest;
        int r;

        (void)line;
        r = ask_guest(options, call, &answer, &guest);
        guest_close(&guest);
        return r == EXIT_DONE ? print(options, &answer) : r;
}

const struct cli_command status_command = {
        .words = "status",
        .summary = "show how a guest's agent is set up, and what it holds",
        .more = "Shows a guest's agent version, instance id, whom it trusts, how many keys it stores, its clock, and\n"
                "whether its sshd asks for keys.\n",
        .tables = {push_guest_options},
        .run = status,
};
