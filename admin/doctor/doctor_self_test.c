/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole way of a key, gone once: a throw-away key is pushed to the agent, sshd's effective command is run as sshd runs
 * it, twice as for one login, and the key is revoked. Its private half is wiped before it is pushed.
 */
#include <errno.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/doctor/doctor.h"
#include "admin/doctor/doctor_keys_command.h"
#include "admin/doctor/doctor_namespace.h"
#include "admin/program.h"
#include "admin/sshd/keys_command.h"
#include "admin/sshd/sshd.h"
#include "authkeys-helper/identity.h"
#include "common/events.h"
#include "wire/client.h"
#include "wire/refusal.h"

#define JOURNALCTL "/bin/journalctl"

enum {
        ASK_MS = 8 * 1000, /* longer than the agent needs to give up on a name service */
        TTL_S = 10,
        ORDINARY_UID = 1000,
        NOBODY_UID = 65534,
        USERS_TRIED_MAX = 8,
        NAME_MAX_BYTES = 256 + 1,
        WHY_MAX = 1024,
};

static enum client_result ask_agent(const struct examination *examination, const char *method, json_t *parameters,
                                    struct client_reply *ret, char ret_why[static WHY_MAX]) {
        char full_name[128];
        enum client_result result;
        struct client client;

        (void)snprintf(full_name, sizeof(full_name), VARLINK_INTERFACE ".%s", method);
        result = client_connect(&client, examination->socket, ASK_MS);
        if (result == CLIENT_DONE)
                result = client_call(&client, full_name, parameters, ret);
        else
                json_decref(parameters);
        if (result == CLIENT_REFUSED) {
                const char *dot = strrchr(ret->error, '.');
                const char *message = json_string_value(json_object_get(ret->parameters, "message"));

                (void)snprintf(ret_why, WHY_MAX, "%s: %s", dot ? dot + 1 : ret->error, message ? message : "");
                if (ret_why[strlen(ret_why) - 1] == '.')
                        ret_why[strlen(ret_why) - 1] = '\0';
        } else
                (void)snprintf(ret_why, WHY_MAX, "%s", client.why);
        client_close(&client);
        return result;
}

/* sshd gives its command the name that the name service has (%u), and events have it too. */
static void take_account(struct examination *examination, const char *user, json_t *answer) {
        const char *account = json_string_value(json_object_get(answer, "user"));

        (void)snprintf(examination->account, sizeof(examination->account), "%s", account ? account : user);
}

static bool push(struct examination *examination, const char *user, enum refusal *ret_refusal,
                 char ret_why[static WHY_MAX]) {
        struct client_reply reply = {.parameters = NULL};
        char key[SSH_KEY_TEXT_MAX], request[64];
        enum client_result result;
        const char *dot;

        ssh_key_to_text(&examination->key, key);
        (void)snprintf(request, sizeof(request), "doctor-%d", (int)getpid());
        /* From here on it may be there, whatever is answered. */
        examination->pushed = true;
        result = ask_agent(examination, "PushLocal",
                           json_pack("{ss s[s] si si ss ss}", "user", user, "keys", key, "ttl", TTL_S, "connections", 1,
                                     "principal", "exc-instance-connect doctor", "requestId", request),
                           &reply, ret_why);
        if (result == CLIENT_DONE)
                take_account(examination, user, reply.parameters);
        dot = result == CLIENT_REFUSED ? strrchr(reply.error, '.') : NULL;
        *ret_refusal = dot ? refusal_from_name(dot + 1) : REFUSAL_NONE;
        json_decref(reply.parameters);
        return result == CLIENT_DONE;
}

/* How many keys went, or negative when the agent did not do it. */
static json_int_t take_back(struct examination *examination, char ret_why[static WHY_MAX]) {
        struct client_reply reply = {.parameters = NULL};
        json_int_t revoked = -1;

        if (ask_agent(examination, "RevokeLocal", json_pack("{ss}", "fingerprint", examination->fingerprint), &reply,
                      ret_why) == CLIENT_DONE) {
                if (json_unpack(reply.parameters, "{sI}", "revoked", &revoked) < 0)
                        revoked = -1;
                examination->pushed = false;
        }
        json_decref(reply.parameters);
        return revoked;
}

struct users {
        size_t n;
        char name[USERS_TRIED_MAX][NAME_MAX_BYTES];
};

static void add_user(struct users *users, const char *name) {
        if (!name || !name[0] || strlen(name) >= NAME_MAX_BYTES || users->n == USERS_TRIED_MAX)
                return;
        for (size_t i = 0; i < users->n; i++)
                if (strcmp(users->name[i], name) == 0)
                        return;
        (void)snprintf(users->name[users->n++], NAME_MAX_BYTES, "%s", name);
}

/* Who asks, root, and people of this machine: the first that policy allows. */
static void find_users(const struct examination *examination, struct users *ret) {
        const struct passwd *entry;

        ret->n = 0;
        if (examination->user) {
                add_user(ret, examination->user);
                return;
        }
        add_user(ret, getenv("SUDO_USER"));
        add_user(ret, "root");
        setpwent();
        while (ret->n < USERS_TRIED_MAX && (entry = getpwent()))
                if (entry->pw_uid >= ORDINARY_UID && entry->pw_uid != NOBODY_UID && !strstr(entry->pw_shell, "nologin"))
                        add_user(ret, entry->pw_name);
        endpwent();
}

/* A command, and the sshd that runs it. */
struct found_command {
        struct sshd_keys_command keys;
        pid_t sshd; /* 0: it has no process now */
};

/* The command of the first sshd that asks us, for some client at least. */
static bool find_command(const struct examination *examination, const char *user, struct found_command *ret) {
        struct sshd_service services[SSHD_SERVICES_MAX] = {{.name = NULL}};
        int n = sshd_services(services);
        bool there = false;

        for (int i = 0; !there && (i < n || i == 0); i++) {
                struct sshd_clients *clients = NULL;
                char why[SSHD_WHY_MAX];
                size_t first = 0;

                if (n > 0 && !services[i].active && !services[i].per_connection && i + 1 < n)
                        continue;
                if (sshd_clients_ask(n > 0 ? services[i].arguments : NULL, user, examination->from,
                                     examination->sshd_version, &clients, why) < 0)
                        continue;
                there = doctor_keys_command_of(clients, &first, &ret->keys) && ret->keys.user;
                if (there)
                        ret->sshd = n > 0 ? services[i].main_pid : 0;
                else
                        sshd_keys_command_clear(&ret->keys);
                sshd_clients_free(clients);
        }
        sshd_services_clear(services, n > 0 ? (size_t)n : 0);
        return there;
}

/*
 * For the first who may be given one. The key lives for seconds only, and sshd -T may take as many to print which
 * command it runs: so it is asked before each push.
 */
static const char *push_for_first(struct examination *examination, const struct users *users,
                                  struct found_command *ret_command) {
        char why[WHY_MAX] = "there is no user to push it for";
        bool denied = !examination->user;

        for (size_t i = 0; i < users->n; i++) {
                enum refusal refusal;

                sshd_keys_command_clear(&ret_command->keys);
                if (!examination->sshd_hangs)
                        (void)find_command(examination, users->name[i], ret_command);
                if (push(examination, users->name[i], &refusal, why))
                        return examination->account;
                if (refusal != REFUSAL_USER_DENIED && refusal != REFUSAL_NO_SUCH_USER) {
                        denied = false;
                        break;
                }
        }
        /* There may be others: a name service need not list all, and a policy may be about few. */
        examination->nobody_known = denied;
        if (denied)
                warn(&examination->findings, "self-test", NO_REMEDY,
                     "not tried: none of the users that were tried (%zu) may be given a key; name one with --user",
                     users->n);
        else
                fail(&examination->findings, "self-test", NO_REMEDY, "a throw-away key could not be pushed: %s", why);
        return NULL;
}

/* The environment that sshd gives it (subprocess() in misc.c). */
struct environment {
        char name[NAME_MAX_BYTES + 8], log_name[NAME_MAX_BYTES + 8], home[1024], path[64];
};

static void make_environment(const char *user, struct environment *ret) {
        const struct passwd *entry = getpwnam(user);

        (void)snprintf(ret->name, sizeof(ret->name), "USER=%s", user);
        (void)snprintf(ret->log_name, sizeof(ret->log_name), "LOGNAME=%s", user);
        (void)snprintf(ret->home, sizeof(ret->home), "HOME=%s", entry ? entry->pw_dir : "/");
        (void)snprintf(ret->path, sizeof(ret->path), "PATH=/usr/bin:/bin:/usr/sbin:/sbin");
}

/* One run, as sshd does it. Its parent is this process, which so plays the part of the connection. */
static int run_command(const struct keys_command *words, const char *as, pid_t sshd, struct program_result *ret) {
        char env[] = "/usr/bin/env", clean[] = "-i";
        char *argv[KEYS_COMMAND_WORDS_MAX + 8];
        struct environment environment;
        int r, own = -EBADF;
        size_t n = 0;

        make_environment(as, &environment);
        argv[n++] = env;
        argv[n++] = clean;
        argv[n++] = environment.name;
        argv[n++] = environment.log_name;
        argv[n++] = environment.home;
        argv[n++] = environment.path;
        for (int i = 0; i < words->n; i++)
                argv[n++] = words->word[i];
        argv[n] = NULL;
        /* With the mounts that sshd's own children have. */
        if (sshd > 0)
                own = doctor_enter_mounts(sshd);
        r = program_run(argv, as, DOCTOR_PROGRAM_MS, ret);
        if (own >= 0)
                doctor_leave_mounts(own);
        return r;
}

/* Whether a line is the key, behind options perhaps. Without the fingerprint the helper gives all keys of the user. */
static bool has_key(const char *output, const char *key) {
        size_t length = strlen(key);

        for (const char *end; (end = strchr(output, '\n')); output = end + 1) {
                size_t n = (size_t)(end - output);

                if (n >= length && strncmp(end - length, key, length) == 0 &&
                    (n == length || end[-(ptrdiff_t)length - 1] == ' '))
                        return true;
        }
        return false;
}

/*
 * What the helper logged when it gave nothing to us, or what failed for this user where it could not determine who
 * asks. Anybody may write there, with each field but _UID.
 */
static void why_nothing(const char *user, char ret[static WHY_MAX]) {
        char program[] = JOURNALCTL, quiet[] = "-q", pager[] = "--no-pager", output[] = "--output=cat",
             last[] = "--lines=1", since[] = "--since=-15s", root[] = "_UID=0", uid[32] = "_UID=0",
             no_slot[] = "MESSAGE_ID=" EVENT_NO_SLOT, failure[] = "MESSAGE_ID=" EVENT_FAILURE, connection[32],
             either[] = "+", whom[sizeof(FIELD_USER) + NAME_MAX_BYTES];
        char *argv[] = {program, quiet,      pager,  output, last, since,   root, uid, no_slot,
                        failure, connection, either, root,   uid,  failure, whom, NULL};
        const struct passwd *helper = getpwnam(HELPER_USER);
        struct program_result result;

        ret[0] = '\0';
        if (helper)
                (void)snprintf(uid, sizeof(uid), "_UID=%u", helper->pw_uid);
        (void)snprintf(connection, sizeof(connection), FIELD_SSHD_PID "=%d", (int)getpid());
        (void)snprintf(whom, sizeof(whom), FIELD_USER "=%s", user);
        if (program_run(argv, NULL, DOCTOR_PROGRAM_MS, &result) < 0)
                return;
        if (program_succeeded(&result) && result.output[0])
                (void)snprintf(ret, WHY_MAX, ": %.*s", (int)strcspn(result.output, "\n"), result.output);
        program_result_clear(&result);
}

/* False when something is wrong, and reported. */
static bool ask_once(struct examination *examination, const char *user, const struct keys_command *words,
                     const struct found_command *command, int number) {
        const char *as = command->keys.user;
        char key[SSH_KEY_TEXT_MAX], why[WHY_MAX];
        struct program_result result;
        bool given = false;
        int r;

        ssh_key_to_text(&examination->key, key);
        r = run_command(words, as, command->sshd, &result);
        if (r < 0) {
                fail(&examination->findings, "self-test", NO_REMEDY, "%s cannot be run as %s: %s", words->word[0], as,
                     strerror(-r));
                return false;
        }
        given = program_succeeded(&result) && has_key(result.output, key);
        if (!given && program_succeeded(&result) && !result.output[0]) {
                why_nothing(user, why);
                fail(&examination->findings, "self-test", NO_REMEDY,
                     number == 1 ? "the helper does not give the key that was pushed%s"
                                 : "the helper does not give the key a second time, which one login needs%s",
                     why);
        } else if (!given)
                fail(&examination->findings, "self-test", NO_REMEDY,
                     "sshd would refuse the helper's answer: it %s: %.200s",
                     program_succeeded(&result) ? "is without that key" : "ended with an error",
                     result.complaint[0] ? result.complaint : result.output);
        program_result_clear(&result);
        return given;
}

static bool ask_helper(struct examination *examination, const char *user, const struct found_command *command) {
        char key[SSH_KEY_TEXT_MAX], uid[16] = "0", home[1024] = "/";
        static struct keys_command words, expanded;
        struct keys_command_tokens tokens;
        const struct passwd *entry;
        bool passed = false;
        char *blob;

        if (!command->keys.command) {
                fail(&examination->findings, "self-test", NO_REMEDY,
                     "no sshd runs exc-authorized-keys for %s, so it was not tried", user);
                return false;
        }
        entry = getpwnam(user);
        if (entry) {
                (void)snprintf(uid, sizeof(uid), "%u", entry->pw_uid);
                (void)snprintf(home, sizeof(home), "%s", entry->pw_dir);
        }
        ssh_key_to_text(&examination->key, key);
        blob = strchr(key, ' ');
        *blob++ = '\0';
        tokens = (struct keys_command_tokens){user, uid, home, examination->fingerprint, key, blob};
        if (!keys_command_split(command->keys.command, &words) || !keys_command_expand(&words, &tokens, &expanded))
                fail(&examination->findings, "self-test", NO_REMEDY, "sshd cannot run this AuthorizedKeysCommand: %s",
                     command->keys.command);
        else
                passed = ask_once(examination, user, &expanded, command, 1) &&
                         ask_once(examination, user, &expanded, command, 2);
        return passed;
}

void doctor_self_test(struct examination *examination) {
        struct found_command command = {.sshd = 0};
        char why[WHY_MAX];
        struct users users;
        const char *user;
        bool given;

        if (!examination->agent_answered) {
                fail(&examination->findings, "self-test", NO_REMEDY, "not tried: the agent does not answer");
                return;
        }
        find_users(examination, &users);
        user = push_for_first(examination, &users, &command);
        if (!user) {
                doctor_self_test_end(examination);
                sshd_keys_command_clear(&command.keys);
                return;
        }
        given = ask_helper(examination, user, &command);
        sshd_keys_command_clear(&command.keys);
        if (take_back(examination, why) != 1)
                warn(&examination->findings, "self-test", NO_REMEDY,
                     "the throw-away key was not revoked, or was gone before; it expires within %d s: %s", TTL_S, why);
        else if (given)
                pass(&examination->findings, "self-test",
                     "a key was pushed for %s, given to sshd's command twice, and revoked", user);
}

void doctor_self_test_end(struct examination *examination) {
        char why[WHY_MAX];

        if (examination->pushed)
                (void)take_back(examination, why);
}
