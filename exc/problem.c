/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/problem.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "wire/terminal.h"

#define AGENT_STEP                                                                                                     \
        "Is it running? If it is, its agent is missing or stopped. On the VM:\n"                                       \
        "  curl -fsSL https://repo.excloud.in/RepoKey.gpg | sudo gpg --dearmor -o "                                    \
        "/usr/share/keyrings/excloud-apt.gpg\n"                                                                        \
        "  echo \"deb [signed-by=/usr/share/keyrings/excloud-apt.gpg] https://repo.excloud.in stable main\" | "        \
        "sudo tee /etc/apt/sources.list.d/excloud.list\n"                                                              \
        "  sudo chmod 0644 /usr/share/keyrings/excloud-apt.gpg\n"                                                      \
        "  sudo apt update && sudo apt install exc-instance-connect"

__attribute__((format(printf, 3, 4))) static void set(struct problem *ret, int status, const char *format, ...) {
        va_list arguments;

        ret->status = status;
        va_start(arguments, format);
        (void)vsnprintf(ret->text, sizeof(ret->text), format, arguments);
        va_end(arguments);
}

__attribute__((format(printf, 2, 3))) static void step(struct problem *ret, const char *format, ...) {
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(ret->step, sizeof(ret->step), format, arguments);
        va_end(arguments);
}

static const char *or_else(const char *text, const char *otherwise) {
        return text && *text ? text : otherwise;
}

/* "VM 42", "key pair deploy", or the endpoint. */
static void name_object(const struct config *config, const struct problem_about *about, char *ret, size_t size) {
        if (about->object)
                (void)snprintf(ret, size, "%s", about->object);
        else if (about->vm)
                (void)snprintf(ret, size, "VM %s", about->vm);
        else
                (void)snprintf(ret, size, "%s", config->endpoint);
}

/* --- errors of the API --------------------------------------------------------------------------------------------- */

static bool proxy_is_set(void) {
        static const char *const variables[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};

        for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
                if (*or_else(getenv(variables[i]), ""))
                        return true;
        return false;
}

static void denied(const struct api_answer *answer, const struct problem_about *about, const char *object,
                   struct problem *ret) {
        const char *action = text_or(answer->body, "action", "");
        const char *resource = text_or(answer->body, "resource", "");
        json_t *statement;
        char *text;

        if (!*action || !*resource) {
                set(ret, EXIT_DENIED, "%s: denied: %s", object, answer->message);
                return;
        }
        set(ret, EXIT_DENIED, "%s: denied: your policies do not allow %s on %s", object, action, resource);
        statement = json_pack("{ss ss ss}", "Effect", "Allow", "Action", action, "Resource", resource);
        text = statement ? json_dumps(statement, JSON_ENSURE_ASCII | JSON_PRESERVE_ORDER) : NULL;
        if (text)
                step(ret, "Who administers policies can allow it with this statement, where no Deny matches:\n  %s",
                     text);
        /* Digits alone are hardly a name. */
        if (text && about->as_id && about->vm[strspn(about->vm, "0123456789")]) {
                size_t used = strlen(ret->step);

                (void)snprintf(ret->step + used, sizeof(ret->step) - used,
                               "\nIf %s is a VM's name, the statement needs the VM's id in its place", about->vm);
        }
        free(text);
        json_decref(statement);
}

static void unreachable(const struct api_answer *answer, const char *object, struct problem *ret) {
        /* What the host's connect(2) says where no VM holds the other end. */
        bool stopped = strstr(answer->message, "No such file") || strstr(answer->message, "onnection refused") ||
                       strstr(answer->message, "No such device");

        if (stopped) {
                set(ret, EXIT_GUEST_UNREACHABLE, "%s: it seems to be stopped: %s", object, answer->message);
                step(ret, "Start the VM, and run the command again when it is up. Nothing was changed");
                return;
        }
        /* What exc-host says of an instance that it has no channel to. */
        if (strstr(answer->message, "this host has no such VM")) {
                set(ret, EXIT_GUEST_UNREACHABLE, "%s: its host does not have it", object);
                step(ret, "Nothing was changed. Ask who administers the hosts: is the VM in exc-host.conf(5) there?");
                return;
        }
        set(ret, EXIT_GUEST_UNREACHABLE, "%s: its agent does not answer: %s", object, answer->message);
        step(ret, "%s", AGENT_STEP);
}

static void limited(const struct api_answer *answer, const char *object, struct problem *ret) {
        set(ret, EXIT_LIMITED, "%s: too many requests: %s", object, answer->message);
        if (answer->retry_after > 0)
                step(ret, "Wait %ld s, and run the command again", answer->retry_after);
        else
                step(ret, "Wait a while, and run the command again");
}

static void not_found(const struct problem_about *about, const char *object, struct problem *ret) {
        set(ret, EXIT_NOT_FOUND, "%s: there is none with this %s", object,
            about->vm && !about->object ? "id or name" : "name");
        if (about->vm && !about->object)
                step(ret, "List those that you may see with: exc compute instance list");
}

/* The errors that need no more than a status and a sentence. */
static const struct {
        const char *error;
        int status;
        const char *cause, *step;
} errors[] = {
        {"SignerRefused", EXIT_DENIED, "the signer does not sign this",
         "Its own limits are in exc-signer.conf(5): ask who administers the control plane"},
        {"Conflict", EXIT_CONFLICT, NULL, NULL},
        {"Revoked", EXIT_CONFLICT, "it was revoked while the connect was under way",
         "Run the command again if you still may"},
        {"PreconditionFailed", EXIT_CONFLICT, NULL, "Run the command again"},
        {"HostUnreachable", EXIT_GUEST_UNREACHABLE, "its host does not answer",
         "Nothing was changed. Ask who administers the hosts: exc-host.service runs there?"},
        {"SignerUnavailable", EXIT_UNAVAILABLE, "nothing can be signed now",
         "Try again, or ask who administers the control plane: exc-signer.service runs there?"},
        {"StoreUnavailable", EXIT_UNAVAILABLE, "the control plane cannot use its database now",
         "Try again, or ask who administers the control plane"},
        {"AuditUnavailable", EXIT_UNAVAILABLE, "the control plane cannot write its audit log now",
         "Nothing was changed. Ask who administers the control plane: is its disk full?"},
        {"Internal", EXIT_UNAVAILABLE, "a fault of the control plane",
         "Its journal has the cause with the request's id"},
        {"GuestTimeout", EXIT_GUEST_UNREACHABLE, "its agent did not answer in time",
         "The key that may have arrived is revoked. Run the command again"},
        {"InvalidRequest", EXIT_USAGE, NULL, NULL},
        {"AmbiguousName", EXIT_NOT_FOUND, NULL, NULL},
};

static void by_table(const struct api_answer *answer, const char *object, struct problem *ret) {
        for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
                if (strcmp(answer->error, errors[i].error) != 0)
                        continue;
                if (errors[i].cause)
                        set(ret, errors[i].status, "%s: %s: %s", object, errors[i].cause, answer->message);
                else
                        set(ret, errors[i].status, "%s: %s", object, answer->message);
                step(ret, "%s", or_else(errors[i].step, ""));
                return;
        }
        set(ret, EXIT_OWN_FAILURE, "%s: %s: %s", object, answer->error, answer->message);
}

static void refused(const struct api_answer *answer, const struct config *config, const struct problem_about *about,
                    struct problem *ret) {
        const char *guest_error = text_or(answer->body, "guest_error", NULL);
        char object[CONFIG_ENDPOINT_MAX + 64];

        name_object(config, about, object, sizeof(object));
        if (strcmp(answer->error, "Unauthenticated") == 0) {
                set(ret, EXIT_NOT_LOGGED_IN, "%s: the token is unknown or has expired", config->endpoint);
                step(ret, "Run: exc login, with a new token%s",
                     *or_else(getenv("EXC_TOKEN"), "") ? ". EXC_TOKEN comes before the one of exc login" : "");
        } else if (strcmp(answer->error, "AccessDenied") == 0)
                denied(answer, about, object, ret);
        else if (strcmp(answer->error, "NotFound") == 0)
                not_found(about, object, ret);
        else if (strcmp(answer->error, "GuestUnreachable") == 0)
                unreachable(answer, object, ret);
        else if (guest_error && problem_of_guest(guest_error, about, ret)) {
                size_t used = strlen(ret->text);

                (void)snprintf(ret->text + used, sizeof(ret->text) - used, " (%s: %s)", guest_error,
                               text_or(answer->body, "guest_message", answer->message));
        } else if (guest_error && strcmp(answer->error, "GuestRefused") == 0)
                set(ret, EXIT_GUEST_REFUSED, "%s: its agent refused: %s: %s", object, guest_error, answer->message);
        else if (strcmp(answer->error, "TooManyRequests") == 0)
                limited(answer, object, ret);
        else
                by_table(answer, object, ret);
}

/* --- no answer of the API ------------------------------------------------------------------------------------------ */

static void foreign(const struct api_answer *answer, const char *endpoint, struct problem *ret) {
        if (answer->status >= 502 && answer->status <= 504) {
                set(ret, EXIT_NOT_REACHED, "%s: a proxy before the API answered %ld: the API does not run, or is slow",
                    endpoint, answer->status);
                step(ret, "Try again, or ask who administers the control plane: exc-compute-api.service runs there?");
                return;
        }
        if (answer->status / 100 == 3)
                set(ret, EXIT_NOT_REACHED, "%s: it answers with a redirect (%ld), which is not followed", endpoint,
                    answer->status);
        else if (answer->status > 0)
                set(ret, EXIT_NOT_REACHED, "%s: the answer (%ld) is not that of the compute API%s%s", endpoint,
                    answer->status, *answer->message ? ": " : "", answer->message);
        else
                set(ret, EXIT_NOT_REACHED, "%s: no HTTP is spoken there: %s", endpoint, answer->message);
        step(ret, "Is the endpoint right? Change it with: exc config set endpoint URL");
}

static void not_answered(const struct api_answer *answer, const struct config *config, struct problem *ret) {
        const char *endpoint = config->endpoint, *why = answer->message;
        const char *proxy = proxy_is_set() ? ". A proxy is set in the environment: --no-proxy goes without" : "";

        switch (answer->end) {
        case API_FOREIGN:
                foreign(answer, endpoint, ret);
                return;
        case API_NO_NAME:
                set(ret, EXIT_NOT_REACHED, "%s: its name has no address: %s", endpoint, why);
                step(ret, "Is the endpoint right (exc config get endpoint), and this machine online?");
                return;
        case API_NO_PROXY:
                set(ret, EXIT_NOT_REACHED, "%s: the proxy of HTTPS_PROXY or ALL_PROXY does not lead there: %s",
                    endpoint, why);
                step(ret, "Correct the variable, name the host in NO_PROXY, or use --no-proxy");
                return;
        case API_NO_CONNECTION:
                set(ret, EXIT_NOT_REACHED, "%s: cannot connect: %s", endpoint, why);
                step(ret, "Is the endpoint right (exc config get endpoint), and the API running?%s", proxy);
                return;
        case API_TLS:
                set(ret, EXIT_NOT_REACHED, "%s: its certificate is not trusted, or TLS failed: %s", endpoint, why);
                step(ret, "Where it is signed by an authority of your own: --ca-file FILE, or EXC_CA_FILE");
                return;
        case API_TIMED_OUT:
                set(ret, EXIT_NOT_REACHED, "%s: no answer in time: %s", endpoint, why);
                step(ret, "Whether the request was carried out is not known. Run the command again%s", proxy);
                return;
        case API_CUT:
                set(ret, EXIT_NOT_REACHED, "%s: the connection ended before the answer: %s", endpoint, why);
                step(ret, "Whether the request was carried out is not known. Run the command again%s", proxy);
                return;
        case API_TOO_LARGE:
                set(ret, EXIT_NOT_REACHED, "%s: the answer has more than %d bytes", endpoint, API_ANSWER_MAX);
                step(ret, "Is the endpoint right? Change it with: exc config set endpoint URL");
                return;
        case API_ANSWERED:
        case API_REFUSED:
        case API_OWN_FAILURE:
                break;
        }
        set(ret, EXIT_OWN_FAILURE, "cannot send the request: %s", why);
}

void problem_of_answer(const struct api_answer *answer, const struct config *config, const struct problem_about *about,
                       struct problem *ret) {
        *ret = (struct problem){.status = EXIT_OWN_FAILURE};
        if (answer->end == API_REFUSED)
                refused(answer, config, about, ret);
        else
                not_answered(answer, config, ret);
}

/* --- behind the API ------------------------------------------------------------------------------------------------ */

void problem_of_host_keys(const char *vm, struct problem *ret) {
        *ret = (struct problem){.status = EXIT_HOST_KEYS_CHANGED};
        set(ret, EXIT_HOST_KEYS_CHANGED,
            "VM %s: its host keys have changed: none of those on record is among the new ones", vm);
        step(ret,
             "Where the VM was reinstalled, accept them with: exc compute instance accept-host-keys %s\n"
             "Else something stands in its place: tell who administers it",
             vm);
}

void problem_of_route(const char *vm, const char *address, int error, struct problem *ret) {
        *ret = (struct problem){.status = EXIT_GUEST_UNREACHABLE};
        set(ret, EXIT_GUEST_UNREACHABLE, "VM %s: no connection to %s: %s", vm, address, strerror(error));
        if (error == ECONNREFUSED)
                step(ret, "sshd does not listen there. On the VM, look at: systemctl status ssh");
        else
                step(ret, "Is there a route from here (VPN, firewall, security group)? Choose another address with\n"
                          "--address public|private|ipv6, which exc compute instance show lists");
}

/* --- printing ------------------------------------------------------------------------------------------------------ */

/* The next steps below each other: each line through wire/terminal.h, which would escape the newline. */
static void print_step(const char *text) {
        while (*text) {
                size_t n = strcspn(text, "\n");

                terminal_print_bytes(stderr, text, n);
                (void)fputc('\n', stderr);
                text += n + (text[n] == '\n');
        }
}

static void print_as_json(const struct problem *problem, const struct api_answer *answer) {
        json_t *object = answer && answer->end == API_REFUSED ? json_deep_copy(answer->body) : json_object();

        if (object && !json_object_get(object, "error"))
                (void)json_object_set_new(object, "error",
                                          json_string(problem->status == EXIT_NOT_REACHED ? "NotReached" : "Failed"));
        (void)json_object_set_new(object, "summary", json_string(problem->text));
        (void)json_object_set_new(object, "next", json_string(problem->step));
        (void)json_object_set_new(object, "exit_status", json_integer(problem->status));
        if (object)
                (void)print_json(object);
        json_decref(object);
}

int problem_print(const struct options *options, const struct problem *problem, const struct api_answer *answer) {
        complain("%s", problem->text);
        print_step(problem->step);
        if (answer && *answer->request_id && problem->status != EXIT_NOT_LOGGED_IN)
                complain("request %s", answer->request_id);
        if (options->json)
                print_as_json(problem, answer);
        return problem->status;
}

int problem_report(const struct options *options, const struct api *api, const struct api_answer *answer,
                   const struct problem_about *about) {
        struct problem problem;

        problem_of_answer(answer, api_config(api), about, &problem);
        return problem_print(options, &problem, answer);
}
