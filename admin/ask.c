/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/ask.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/output.h"
#include "wire/refusal.h"

#define JOURNAL "journalctl -t exc-instance-connect-agent"

static const char *hint_not_reached(int error) {
        switch (error) {
        case -ENOENT:
        case -ECONNREFUSED:
                return "start it with: systemctl restart exc-instance-connect.socket";
        case -EACCES:
        case -EPERM:
                return "run it as root, e.g. with sudo";
        case -ECONNRESET:
                if (geteuid() != 0)
                        return "the agent takes only root here: run it as root, e.g. with sudo; see also: " JOURNAL;
                return "see: " JOURNAL;
        default:
                return "see: " JOURNAL;
        }
}

static int no_answer(const struct options *options, const struct client *client, enum client_result result) {
        switch (result) {
        case CLIENT_NOT_REACHED:
                complain("%s: the agent was not reached: %s; %s", options->socket, client->why,
                         hint_not_reached(client->error));
                return EXIT_NOT_REACHED;
        case CLIENT_PROTOCOL:
                complain("%s: the answer is not the agent's: %s; see which program listens there with: ss -lxp",
                         options->socket, client->why);
                return EXIT_OWN_FAILURE;
        default:
                if (client->error == -ENAMETOOLONG)
                        complain("%s: %s; name a shorter one with --socket", options->socket, client->why);
                else
                        complain("cannot ask the agent: %s", client->why);
                return EXIT_OWN_FAILURE;
        }
}

static const char *hint_refused(enum refusal why) {
        switch (why) {
        case REFUSAL_PERMISSION_DENIED:
                return "run it as root, and on the administration socket (" ADMIN_SOCKET ")";
        case REFUSAL_TOO_LARGE:
                return "push fewer keys at a time";
        case REFUSAL_RATE_LIMITED:
                return "wait, and try again; RateLimit in exc-instance-connect.conf(5) sets the rate";
        case REFUSAL_NO_SUCH_USER:
                return "look for the name with: getent passwd NAME";
        case REFUSAL_USER_DENIED:
                return "see AllowUsers, DenyUsers, AllowGroups, DenyGroups and MinUid in exc-instance-connect.conf(5)";
        case REFUSAL_STORE_FULL:
                return "wait until keys expire, or drop some: see exc-instance-connect list and revoke";
        case REFUSAL_STORAGE_FAILURE:
                return "see: " JOURNAL;
        default:
                return NULL;
        }
}

static int refused(const struct options *options, const struct client_reply *reply) {
        static const char prefix[] = VARLINK_INTERFACE ".";
        size_t n = strlen(prefix);
        const char *name = strncmp(reply->error, prefix, n) == 0 ? reply->error + n : reply->error;
        enum refusal why = refusal_from_name(name);
        /* An error of varlink itself, or of a newer agent. */
        int status = why == REFUSAL_NONE ? EXIT_OWN_FAILURE : refusal_exit_status(why);
        const char *message = text_or(reply->parameters, "message", ""), *hint = hint_refused(why);

        if (options->json) {
                int r = print_json_new(json_pack("{ss sO}", "error", name, "parameters", reply->parameters));

                return r == EXIT_DONE ? status : r;
        }
        complain("the agent refused: %s%s%s", name, *message ? ": " : "", message);
        if (hint)
                complain("%s", hint);
        return status;
}

int ask_send(const struct options *options, const char *method, json_t *parameters, bool more, struct client *client) {
        enum client_result result = client_connect(client, options->socket, CLIENT_TIMEOUT_MS);
        char full_name[128];

        if (result == CLIENT_DONE) {
                (void)snprintf(full_name, sizeof(full_name), "%s.%s", VARLINK_INTERFACE, method);
                result = client_send(client, full_name, parameters, more);
        } else
                json_decref(parameters);
        return result == CLIENT_DONE ? EXIT_DONE : no_answer(options, client, result);
}

int ask_receive(const struct options *options, struct client *client, struct client_reply *ret) {
        enum client_result result;

        *ret = (struct client_reply){.parameters = NULL};
        result = client_receive(client, ret);
        if (result == CLIENT_REFUSED)
                return refused(options, ret);
        return result == CLIENT_DONE ? EXIT_DONE : no_answer(options, client, result);
}

int ask(const struct options *options, const char *method, json_t *parameters, struct client_reply *ret) {
        struct client client;
        int status;

        *ret = (struct client_reply){.parameters = NULL};
        status = ask_send(options, method, parameters, false, &client);
        if (status == EXIT_DONE)
                status = ask_receive(options, &client, ret);
        client_close(&client);
        return status;
}

static bool add_text(json_t *object, const char *name, const char *text) {
        return !text || json_object_set_new(object, name, json_string(text)) == 0;
}

/* Not by "s*" of json_pack(3), which leaves a member out both when it is NULL and when it cannot be copied. */
json_t *ask_which_keys(const struct options *options) {
        json_t *parameters = json_object();

        if (add_text(parameters, "fingerprint", options->fingerprint) && add_text(parameters, "user", options->user))
                return parameters;
        json_decref(parameters);
        return NULL;
}

int ask_misshapen(const struct options *options, const char *method) {
        complain("%s: the answer to %s is not what " VARLINK_INTERFACE " says; are agent and command of one version?",
                 options->socket, method);
        return EXIT_OWN_FAILURE;
}
