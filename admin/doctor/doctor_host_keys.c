/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a client that believes the host keys in the answer to its push comes to an sshd that has them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/doctor/doctor.h"
#include "admin/doctor/doctor_keys_command.h"
#include "admin/probe.h"
#include "admin/sshd/sshd_host_keys.h"
#include "admin/sshd/text_file.h"
#include "agent/config.h"
#include "common/ssh_key.h"
#include "wire/client.h"
#include "wire/refusal.h"

#define OWN_FILE CONFIG_DIR "/agent.conf.d/50-host-keys.conf"
/* An agent that runs may read no other directories than when it started. */
#define RESTART "systemctl restart exc-instance-connect.service"

enum {
        ANSWER_MS = 5 * 1000,
        READ_MS = 5 * 1000,
};

struct looking {
        struct examination *examination;
        struct strv paths; /* of the public halves of sshd's keys */
        json_t *answer;    /* what the agent answers with */
        const char *path;  /* the one that is checked */
};

static bool ask_agent(const char *socket, json_t **ret) {
        struct client_reply reply = {.parameters = NULL};
        struct client client;
        bool answered = client_connect(&client, socket, ANSWER_MS) == CLIENT_DONE &&
                        client_call(&client, VARLINK_INTERFACE ".HostKeys", json_object(), &reply) == CLIENT_DONE;

        client_close(&client);
        if (answered)
                *ret = json_incref(json_object_get(reply.parameters, "hostKeys"));
        json_decref(reply.parameters);
        return answered && *ret;
}

/* Of "type key comment". */
static bool is_answered(const json_t *answer, const char *line, bool *ret_type) {
        char type[64] = "", key[SSH_KEY_TEXT_MAX] = "";
        const json_t *entry;
        bool has = false;
        size_t i;

        if (sscanf(line, "%63s", type) == 1) {
                line += strcspn(line, " \t");
                line += strspn(line, " \t");
                (void)snprintf(key, sizeof(key), "%.*s", (int)strcspn(line, " \t\r\n"), line);
        }
        *ret_type = false;
        json_array_foreach(answer, i, entry) {
                const char *its_type = json_string_value(json_object_get(entry, "type")),
                           *its_key = json_string_value(json_object_get(entry, "key"));

                if (!its_type || strcmp(its_type, type) != 0)
                        continue;
                *ret_type = true;
                has = has || (its_key && strcmp(its_key, key) == 0);
        }
        return has;
}

/* As the agent's user. Its unit hides some directories from it, too. */
static void look_as_agent(void *context) {
        struct looking *looking = context;
        struct findings *findings = &looking->examination->findings;
        struct remedy remedy = remedy_of("chmod a+r %s", looking->path);

        if (probe_become(AGENT_USER) < 0)
                return; /* doctor_users() reports it */
        for (const char *slash = strchr(looking->path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                char directory[PATH_MAX];

                (void)snprintf(directory, sizeof(directory), "%.*s", (int)(slash - looking->path), looking->path);
                if (access(directory, X_OK) == 0)
                        continue;
                remedy = remedy_of("chmod a+x %s", directory);
                break;
        }
        if (access(looking->path, R_OK) < 0)
                warn(findings, "host-keys", remedy,
                     "the agent cannot read %s, so the answer to a push does not have this host key of sshd's",
                     looking->path);
        else
                warn(findings, "host-keys", remedy_of(RESTART),
                     "the answer to a push does not have the host key in %s: it is in a directory that the agent did "
                     "not know when it started, or that its unit hides, as /home, /root, /run/user, /tmp and /var/tmp; "
                     "or it is none that the agent knows",
                     looking->path);
}

static void say_missing(struct looking *looking, const struct config *config) {
        char *line = sshd_host_keys_line(&looking->paths);
        struct remedy remedy = {.command = ""};

        if (sshd_host_key_is_named(config, looking->path)) {
                (void)probe_run(look_as_agent, looking, READ_MS);
        } else {
                if (line)
                        remedy = remedy_of("printf '[Agent]\\n%%s\\n' %s | install -D -o root -g root -m 0644 "
                                           "/dev/stdin " OWN_FILE " && " RESTART,
                                           line);
                warn(&looking->examination->findings, "host-keys", remedy,
                     "the answer to a push does not have sshd's host key in %s, so ssh would warn of an attack: "
                     "HostKeyFiles in %s/agent.conf does not name it",
                     looking->path, CONFIG_DIR);
        }
        free(line);
}

/* The private half without a public one, which sshd does not need. */
static void say_half(struct looking *looking) {
        char private[PATH_MAX];

        (void)snprintf(private, sizeof(private), "%.*s", (int)strlen(looking->path) - 4, looking->path);
        warn(&looking->examination->findings, "host-keys",
             remedy_of("ssh-keygen -y -f %s >%s && chmod 0644 %s", private, looking->path, looking->path),
             "%s, the public half of sshd's host key, cannot be read, so the answer to a push does not have it",
             looking->path);
}

/*
 * A client prefers the types of keys that it knows. So one that is not in the answer does harm where another of its type is,
 * or where none of sshd's is.
 */
static void look_at_keys(struct looking *looking, const struct config *config) {
        struct findings *findings = &looking->examination->findings;
        size_t answered = 0, before = findings_count(findings, "host-keys");

        for (int pass = 0; pass < 2; pass++)
                for (size_t i = 0; i < looking->paths.n; i++) {
                        bool type = false, there, has;
                        char *text = NULL;

                        looking->path = looking->paths.item[i];
                        there = text_file_read(looking->path, &text, NULL) >= 0;
                        has = there && is_answered(looking->answer, text, &type);
                        free(text);
                        if (pass == 0)
                                answered += has;
                        else if (!there)
                                say_half(looking);
                        else if (!has && (type || answered == 0))
                                say_missing(looking, config);
                }
        if (findings_count(findings, "host-keys") == before)
                pass(findings, "host-keys", "the answer to a push has sshd's host keys");
}

static bool asks_us(const struct sshd_service *service) {
        struct sshd_keys_command command;
        char why[SSHD_WHY_MAX];
        bool asks;

        if (sshd_keys_command(service->arguments, NULL, &command, why) < 0)
                return false;
        asks = command.command && doctor_command_is_ours(command.command);
        sshd_keys_command_clear(&command);
        return asks;
}

void doctor_host_keys(struct examination *examination) {
        struct looking looking = {.examination = examination};
        struct sshd_service services[SSHD_SERVICES_MAX] = {{.name = NULL}};
        struct config *config;
        char why[SSHD_WHY_MAX];
        int n;

        /* Else another check reports it. */
        if (!examination->agent_answered || examination->sshd_hangs || config_load(CONFIG_DIR, NULL, NULL, &config) < 0)
                return;
        n = sshd_services(services);
        for (int i = 0; i < n; i++)
                if ((services[i].active || services[i].per_connection) && asks_us(&services[i]))
                        (void)sshd_host_keys_add(services[i].arguments, &looking.paths, why);
        if (n >= 0)
                sshd_services_clear(services, (size_t)n);
        if (looking.paths.n == 0)
                (void)sshd_host_keys_add(NULL, &looking.paths, why);
        if (!config->error && looking.paths.n > 0 && ask_agent(examination->socket, &looking.answer))
                look_at_keys(&looking, config);
        json_decref(looking.answer);
        strv_clear(&looking.paths);
        config_free(config);
}
