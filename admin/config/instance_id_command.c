/* SPDX-License-Identifier: Apache-2.0 */
/* exc-instance-connect instance-id: sets and shows the id that signed pushes have to name. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/ask.h"
#include "admin/command.h"
#include "admin/config/config_file.h"
#include "admin/config/instance_id_seen.h"
#include "agent/config.h"
#include "agent/instance_id.h"
#include "cli/output.h"
#include "wire/refusal.h"

/* --- set ---------------------------------------------------------------------------------------------------------- */

static void note_configured(const char *id) {
        struct config *config;

        if (config_load(CONFIG_DIR, NULL, NULL, &config) < 0)
                return;
        if (config->error)
                complain("%s", config->error);
        else if (config->instance_id[0] != '\0')
                complain(
                        "InstanceId= in the configuration comes first, so the id is %s, and not %s; take that line out "
                        "of " CONFIG_DIR "/agent.conf or agent.conf.d",
                        config->instance_id, id);
        config_free(config);
}

static int set(const struct cli_line *line, const void *context) {
        char id[INSTANCE_ID_MAX], text[INSTANCE_ID_MAX + 1];
        struct config_dir dir;
        int n, r;

        (void)context;
        if (!instance_id_parse(line->arguments[0], id))
                return cli_usage(line,
                                 "%s: not an instance id: expected 1..%d printable ASCII characters without "
                                 "blanks",
                                 line->arguments[0], CONFIG_INSTANCE_ID_MAX);
        /* As doctor prints the command. */
        if (strcmp(id, "ID") == 0)
                return cli_usage(line, "ID: put in the id that the host has for this machine");
        if (config_dir_open(CONFIG_DIR, NULL, true, &dir) < 0)
                return EXIT_OWN_FAILURE;
        n = snprintf(text, sizeof(text), "%s\n", id);
        r = config_file_write(&dir, INSTANCE_ID_FILE, text, (size_t)n, true);
        if (r >= 0) {
                print_field("Instance", "%s", id);
                print_field("Written", "%s/" INSTANCE_ID_FILE, dir.path);
                note_configured(id);
        }
        config_dir_close(&dir);
        return r < 0 ? EXIT_OWN_FAILURE : EXIT_DONE;
}

const struct cli_command instance_id_set_command = {
        .words = "instance-id set",
        .arguments = "ID",
        .summary = "set the id that signed pushes have to name",
        .more = "Writes " CONFIG_DIR "/" INSTANCE_ID_FILE ", which counts from the next push.\n"
                "InstanceId= in exc-instance-connect.conf(5) comes before it.\n",
        .least = 1,
        .most = 1,
        .run = set,
};

/* --- show --------------------------------------------------------------------------------------------------------- */

static int print(const struct options *options, const char *id, const char *source) {
        if (!options->json) {
                print_field("Instance", "%s", id);
                print_field("From", "%s", source);
                return EXIT_DONE;
        }
        return print_json_new(json_pack("{ss ss}", "instance", id, "source", source));
}

/* systemd hands a credential to the agent alone. */
static int show_agents(const struct options *options) {
        struct client_reply reply;
        int status = ask(options, "Status", json_object(), &reply);
        const char *id = text_or(reply.parameters, "instance", NULL);

        if (status == EXIT_DONE && id)
                status = print(options, id, "the credential exc.instance_id, as the agent says");
        else if (status == EXIT_DONE) {
                complain("this machine has no instance id; set one with: exc-instance-connect instance-id set ID");
                status = EXIT_NO_MATCH;
        }
        json_decref(reply.parameters);
        return status;
}

static int show_seen(const struct options *options, const struct instance_seen *seen) {
        if (seen->fault) {
                complain("%s does not count: %s; set the id with: exc-instance-connect instance-id set ID",
                         seen->source, seen->fault);
                return EXIT_OWN_FAILURE;
        }
        return seen->id[0] != '\0' ? print(options, seen->id, seen->source) : show_agents(options);
}

static int show(const struct cli_line *line, const void *context) {
        struct instance_seen seen;
        int r = instance_id_seen(&seen);

        (void)line;
        if (r < 0) {
                complain("the configuration cannot be read: %s", strerror(-r));
                return EXIT_OWN_FAILURE;
        }
        return show_seen(context, &seen);
}

const struct cli_command instance_id_show_command = {
        .words = "instance-id show",
        .summary = "show the id, and where it is from",
        .more = "Where no file here has one, the agent is asked: a credential is known to it alone. The exit\n"
                "status is 4 where there is none.\n",
        .tables = {admin_agent_options},
        .run = show,
};
