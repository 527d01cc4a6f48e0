/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "admin/ask.h"
#include "admin/command.h"
#include "admin/config/instance_id_dispute.h"
#include "admin/config/instance_id_seen.h"
#include "cli/output.h"
#include "wire/refusal.h"

static void print_disputed_id(void) {
        char why[INSTANCE_ID_WHY_MAX];
        bool by_file;

        if (instance_id_dispute(why, &by_file))
                print_field("Warning", "%s", why);
}

/* Why the agent has none is not in its answer. */
static void print_no_instance(void) {
        struct instance_seen seen;

        if (instance_id_seen(&seen) < 0 || !seen.fault)
                print_state(stdout, OUTPUT_WARNING, "Instance", "none: signed pushes are refused");
        else
                print_state(stdout, OUTPUT_WARNING, "Instance",
                            "none: signed pushes are refused, since %s does not count: %s",
                            strcmp(seen.source, "the file " INSTANCE_ID_FILE) == 0 ? CONFIG_DIR "/" INSTANCE_ID_FILE
                                                                                   : seen.source,
                            seen.fault);
}

static int print(const struct options *options, json_t *answer) {
        const char *version, *trust, *sshd, *instance = text_or(answer, "instance", NULL);
        json_int_t anchors, keys, launch_keys, unix_time;
        int synchronized;
        bool refused;

        if (json_unpack(answer, "{ss ss sI sI s{sI sb} ss}", "version", &version, "trust", &trust, "anchors", &anchors,
                        "keys", &keys, "clock", "unix", &unix_time, "synchronized", &synchronized, "sshd", &sshd) < 0)
                return ask_misshapen(options, "Status");
        if (options->json)
                return print_json(answer);
        print_field("Agent", "%s", version);
        if (instance)
                print_field("Instance", "%s", instance);
        else
                print_no_instance();
        print_disputed_id();
        print_field("Trust", "%s", trust);
        refused = anchors == 0 && strcmp(trust, "signed") == 0;
        print_state(stdout, refused ? OUTPUT_WARNING : OUTPUT_PLAIN, "Anchors", "%" PRId64 "%s", (int64_t)anchors,
                    refused ? ": signed pushes are refused" : "");
        launch_keys = json_integer_value(json_object_get(answer, "launchKeys"));
        if (launch_keys > 0)
                print_field("Keys", "%" PRId64 ", of which %" PRId64 " from the metadata service", (int64_t)keys,
                            (int64_t)launch_keys);
        else
                print_field("Keys", "%" PRId64, (int64_t)keys);
        print_clock(stdout, unix_time, synchronized);
        print_state(stdout, strcmp(sshd, "enabled") == 0 ? OUTPUT_GOOD : OUTPUT_BAD, "sshd", "%s", sshd);
        return EXIT_DONE;
}

static int status(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct client_reply reply;
        int r;

        (void)line;
        r = ask(options, "Status", json_object(), &reply);
        if (r == EXIT_DONE)
                r = print(options, reply.parameters);
        json_decref(reply.parameters);
        return r;
}

const struct cli_command status_command = {
        .words = "status",
        .summary = "show how the agent is set up, and what it holds",
        .more = "Shows the agent's version, this machine's instance id, whom the agent trusts, how many\n"
                "keys are stored, the clock, and whether sshd asks for keys.\n",
        .tables = {admin_agent_options},
        .run = status,
};
