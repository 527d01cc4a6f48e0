/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/session.h"
#include "common/debug.h"
#include "push/ask.h"
#include "push/command.h"
#include "push/signing.h"
#include "push/submit.h"
#include "wire/refusal.h"

static bool has_command(const struct cli_line *line) {
        return line->rest && *line->rest;
}

static int check(const struct cli_line *line, const struct options *options) {
        bool keys = options->keys.n_files > 0;

        if (!options->envelope && !options->user)
                return cli_usage(line, "push needs --user");
        if (!options->envelope && !keys && !options->generate)
                return cli_usage(line, "push needs --key, or --generate with a command after --");
        if (keys && options->generate)
                return cli_usage(line, "--key and --generate do not go together");
        if (options->generate && !has_command(line))
                return cli_usage(line, "--generate needs a command after --: the key is wiped when the command ends");
        if (options->json && has_command(line))
                return cli_usage(line, "--json needs standard output, which is the command's");
        if (options->json && *options->known_hosts)
                return cli_usage(line, "--json and --known-hosts do not go together: the answer has the host keys");
        return signing_check(line, options, true);
}

static int print_json_answer(const struct push_answer *answer) {
        return print_json_new(json_pack("{ss so sI sb so}", "user", answer->user, "fingerprints",
                                        answer_fingerprints_to_json(answer), "expiresIn",
                                        (json_int_t)answer->expires_in, "duplicate", answer->duplicate, "hostKeys",
                                        answer_host_keys_to_json(&answer->host_keys)));
}

/* 0: any number. */
static int connections_of(const struct options *options) {
        return options->keys.connections >= 0 ? options->keys.connections : 1;
}

static void print_people(const struct options *options, const struct push_answer *answer, FILE *to) {
        char left[DURATION_MAX];

        duration_text(answer->expires_in, left);
        print_field_to(to, "User", "%s", answer->user);
        for (size_t i = 0; i < answer->n_fingerprints; i++)
                print_field_to(to, "Fingerprint", "%s", answer->fingerprints[i]);
        print_field_to(to, "Lives for", "%s%s", left,
                       !answer->duplicate       ? ""
                       : answer->expires_in > 0 ? "; it was stored before"
                                                : "; it was stored before, and can no longer be used");
        if (!options->envelope) /* which says so itself */
                print_connections(to, options->keys.connections);
        for (size_t i = 0; i < answer->host_keys.n; i++)
                print_state(to, OUTPUT_PLAIN, "Host key", "%s (%s)", answer->host_keys.at[i].fingerprint,
                            ssh_key_type_name(answer->host_keys.at[i].key.type));
}

/* --- the command -------------------------------------------------------------------------------------------------- */

/* With these, ssh uses the agent of its environment whatever ssh_config(5) sets. */
#define SSH_ANY_KEY "IdentitiesOnly=no"
#define SSH_AGENT "IdentityAgent=SSH_AUTH_SOCK"
#define SSH_OPTIONS "-o " SSH_ANY_KEY " -o " SSH_AGENT

/* The command finds them in its environment. */
static bool publish(const struct session *session) {
        if (session->agent_path[0] && (setenv("SSH_AUTH_SOCK", session->agent_path, 1) < 0 ||
                                       unsetenv("SSH_AGENT_PID") < 0 || setenv("EXC_SSH_OPTIONS", SSH_OPTIONS, 1) < 0))
                return false;
        return !session->known_hosts_path[0] || setenv("EXC_KNOWN_HOSTS", session->known_hosts_path, 1) == 0;
}

static bool is_ssh_program(const char *command) {
        static const char *const programs[] = {"ssh", "scp", "sftp"};
        const char *slash = strrchr(command, '/');

        for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
                if (strcmp(slash ? slash + 1 : command, programs[i]) == 0)
                        return true;
        return false;
}

/* ssh, scp and sftp get SSH_OPTIONS before their own. The words belong to `argv`; the caller frees the array. */
static char **with_ssh_options(char *const *argv) {
        static char dash_o[] = "-o", any_key[] = SSH_ANY_KEY, agent[] = SSH_AGENT;
        char *const own[] = {dash_o, any_key, dash_o, agent};
        const size_t n_own = is_ssh_program(argv[0]) ? sizeof(own) / sizeof(own[0]) : 0;
        size_t n = 0, at = 1;
        char **ret;

        while (argv[n])
                n++;
        ret = calloc(n + n_own + 1, sizeof(*ret));
        if (!ret)
                return NULL;
        ret[0] = argv[0];
        for (size_t i = 0; i < n_own; i++)
                ret[at++] = own[i];
        for (size_t i = 1; i < n; i++)
                ret[at++] = argv[i];
        return ret;
}

/* A command has failed; ssh's own words are the same whatever the reason. `connections` is the limit of the push. */
static void explain_failure(const char *command, const struct agent_socket *agent, int connections) {
        if (agent->n_signed == 0 && is_ssh_program(command))
                complain("%s: failed before it used the pushed key; run it with -v to see how far it came", command);
        else if (agent->n_signed == 0)
                complain("%s: failed without the pushed key, of which it wanted no signature; if ssh_config(5) sets "
                         "IdentitiesOnly or IdentityAgent, give its ssh $EXC_SSH_OPTIONS: " SSH_OPTIONS,
                         command);
        else if (connections > 0 && agent->n_signed >= (size_t)connections && agent->n_admitted > agent->n_signed)
                complain(
                        "%s: failed, and used the agent %zu times for a key that was pushed for %d connection%s; if it "
                        "opens several, push with --connections N, or 0",
                        command, agent->n_admitted, connections, connections == 1 ? "" : "s");
}

static int serve(struct session *session, char *const *argv, int connections) {
        char **with_options = session->agent_path[0] ? with_ssh_options(argv) : NULL;
        const struct session_start start = {.argv = with_options ? with_options : argv};
        int status = EXIT_OWN_FAILURE;

        if (session->agent_path[0] && !with_options)
                complain("out of memory");
        else if (!publish(session))
                complain("cannot set the command's environment: %s", strerror(errno));
        else {
                debug_line("command: %s", argv[0]);
                status = session_start(session, &start);
        }
        free(with_options);
        if (status != EXIT_DONE)
                return status;
        if (session_wait(session, -EBADF, 0, 0) != SESSION_ENDED)
                return EXIT_OWN_FAILURE;
        status = session_status(session);
        if (status != EXIT_DONE && WIFEXITED(session->status) && session->agent_path[0])
                explain_failure(argv[0], &session->agent, connections);
        return status;
}

static int run_command(const struct cli_line *line, const struct options *options, const struct signing_keys *keys,
                       const struct push_answer *answer) {
        const struct ssh_key *host_keys[ANSWER_HOST_KEYS_MAX];
        const struct session_needs needs = {
                .prefix = "exc-push-",
                .pair = options->generate ? &keys->pair : NULL,
                .known_hosts = *options->known_hosts ? options->known_hosts : NULL,
                .host_keys = host_keys,
                .n_host_keys = answer->host_keys.n,
        };
        struct session session;
        int status;

        for (size_t i = 0; i < answer->host_keys.n; i++)
                host_keys[i] = &answer->host_keys.at[i].key;
        status = session_open(&session, &needs);
        if (status == EXIT_DONE)
                status = serve(&session, line->rest, connections_of(options));
        session_close(&session);
        return status;
}

static int print(const struct options *options, const struct push_answer *answer) {
        if (options->json)
                return print_json_answer(answer);
        print_people(options, answer, ask_stream(options));
        return *options->known_hosts ? ask_print_known_hosts(options, &answer->host_keys) : EXIT_DONE;
}

/* With a command nothing is printed: the terminal is the command's. */
static int finish(const struct cli_line *line, const struct options *options, const struct signing_keys *keys,
                  const struct push_answer *answer) {
        if (!has_command(line))
                return print(options, answer);
        if (*options->known_hosts && answer->host_keys.n == 0)
                return ask_no_host_keys(options);
        return run_command(line, options, keys, answer);
}

/* The guest's index counts keys; print the file and line. */
static void say_which_key(const struct options *options, const struct signing_keys *keys, const struct guest *guest) {
        int index = guest->refusal.refused.index;

        if (guest->refusal.refused.why == REFUSAL_KEY_REJECTED && index < (int)keys->list.n && !options->json)
                complain("that is the key in %s:%u", keys->list.at[index].file, keys->list.at[index].line);
}

struct pushed {
        const struct signing_keys *keys;
        struct push_answer *answer;
};

static enum client_result call(void *context, struct guest *guest, json_t *envelope) {
        const struct pushed *pushed = context;
        const struct signing_keys *keys = pushed->keys;

        return guest_push(guest, envelope, keys->n > 0 ? keys->fingerprints : NULL, keys->n, pushed->answer);
}

static int send(const struct options *options, const struct signer *signer, const struct signing_keys *keys,
                struct push_answer *ret) {
        struct pushed pushed = {.keys = keys, .answer = ret};
        struct guest guest;
        int status;

        status = submit(options, signer, keys, call, &pushed, &guest);
        if (status >= EXIT_REFUSED)
                say_which_key(options, keys, &guest);
        guest_close(&guest);
        return status;
}

static int push(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct signing_keys keys = {.n = 0};
        struct signer signer = {.key = NULL};
        struct push_answer answer;
        int status;

        status = check(line, options);
        if (status != EXIT_DONE)
                return status;
        status = signing_open(options, &signer);
        if (status == EXIT_DONE && !options->envelope) {
                status = signing_read_keys(options, &keys);
                if (status == EXIT_DONE)
                        status = signing_try(line, options, &keys, true);
        }
        if (status == EXIT_DONE)
                status = send(options, &signer, &keys, &answer);
        signer_close(&signer);
        if (status == EXIT_DONE)
                status = finish(line, options, &keys, &answer);
        signing_wipe_keys(&keys);
        return status;
}

static const struct cli_option push_options[] = {
        {.name = "generate",
         .take = cli_take_flag,
         .offset = offsetof(struct options, generate),
         .help = "push a key made for this one use; COMMAND has it in its ssh-agent"},
        {.name = NULL},
};

const struct cli_command push_command = {
        .words = "push",
        .summary = "let a user's public key into a guest for about a minute",
        .more = "exc-push push --to ADDRESS SIGNER --instance ID --user USER --key FILE… [OPTION…]\n"
                "exc-push push --to ADDRESS SIGNER --instance ID --user USER --generate [OPTION…] -- COMMAND…\n"
                "exc-push push --to ADDRESS --envelope FILE [OPTION…]\n"
                "\n" PUSH_SIGNER_IS
                "COMMAND is run when the keys are in; its exit status is the result. With --known-hosts, it finds the\n"
                "host keys in the file $EXC_KNOWN_HOSTS.\n",
        .rest = true,
        .rest_is = "COMMAND…",
        .tables = {push_guest_options, push_signing_options, push_envelope_options, push_key_options, push_options,
                   push_known_hosts_options},
        .run = push,
};
