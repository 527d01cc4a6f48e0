/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long pushes take. Each has a connection of its own, and new keys.
 *
 *   push once SOCKET USER TIMES          the median of so many pushes, in nanoseconds
 *   push echo SOCKET USER ROUNDS TIMES   by turns with an echo of as many bytes over the same kind of socket: for each
 *                                        round the median of both
 *   push fill SOCKET USERS PUSHES KEYS   PUSHES pushes of KEYS keys for each of the users bench0, bench1 and so on:
 *                                        pushes a second, and echoes a second
 *
 * What was stored stays there, but for the rounds of `echo`, each of which ends with a revocation.
 */
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "tests/bench/message.h"

static void write_message(struct message *ret, const char *method, const char *parameters) {
        int n = snprintf(ret->text, sizeof(ret->text), "{\"method\":\"" VARLINK_INTERFACE ".%s\",\"parameters\":{%s}}",
                         method, parameters);

        if (n < 0 || (size_t)n >= sizeof(ret->text))
                die("the message is too long");
        ret->length = (size_t)n + 1;
}

static void write_push(struct message *ret, const char *user, size_t keys) {
        char parameters[MESSAGE_MAX / 2];
        size_t used = 0;

        used += (size_t)snprintf(parameters, sizeof(parameters), "\"user\":\"%s\",\"ttl\":300,\"keys\":[", user);
        for (size_t i = 0; i < keys; i++) {
                char key[KEY_TEXT_MAX];

                write_key(key);
                if (used + sizeof(key) > sizeof(parameters))
                        die("too many keys");
                used += (size_t)snprintf(parameters + used, sizeof(parameters) - used, "%s%s", i > 0 ? "," : "", key);
        }
        (void)snprintf(parameters + used, sizeof(parameters) - used, "]");
        write_message(ret, "PushLocal", parameters);
}

static int64_t push(const struct sockaddr_un *agent, const char *user, size_t keys, struct message *ret_question,
                    struct message *ret_answer) {
        int64_t ns;

        write_push(ret_question, user, keys);
        ns = ask(agent, ret_question->text, ret_question->length, ret_answer);
        must_be_done(ret_answer->text);
        return ns;
}

static void revoke_all(const struct sockaddr_un *agent) {
        struct message question, answer;

        write_message(&question, "RevokeLocal", "");
        (void)ask(agent, question.text, question.length, &answer);
        must_be_done(answer.text);
}

/* The floor: a process that waits, reads a message, and answers with as many bytes as the agent does. */
static pid_t start_echo(const char *path, size_t answer_length, struct sockaddr_un *ret) {
        static char text[MESSAGE_MAX], answer[MESSAGE_MAX];
        int listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        pid_t child;

        *ret = address_of(path);
        (void)unlink(path);
        if (listen_fd < 0 || bind(listen_fd, (const struct sockaddr *)ret, sizeof(*ret)) < 0 ||
            listen(listen_fd, 16) < 0)
                die("cannot listen on %s", path);
        child = fork();
        if (child < 0)
                die("cannot fork");
        if (child > 0) {
                (void)close(listen_fd);
                return child;
        }
        memset(answer, 'x', answer_length - 1);
        for (;;) {
                int fd = accept(listen_fd, NULL, NULL);

                if (fd < 0)
                        die("cannot accept");
                (void)receive(fd, text);
                send_all(fd, answer, answer_length);
                (void)close(fd);
        }
}

static void stop_echo(pid_t child, const struct sockaddr_un *address) {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
        (void)unlink(address->sun_path);
}

static int once(const struct sockaddr_un *agent, const char *user, size_t times) {
        int64_t *ns = calloc(times, sizeof(*ns));
        struct message question, answer;

        if (!ns)
                die("no memory");
        for (size_t i = 0; i < times; i++)
                ns[i] = push(agent, user, 1, &question, &answer);
        printf("%lld\n", (long long)median_ns(ns, times));
        free(ns);
        return EXIT_SUCCESS;
}

static int by_turns(const struct sockaddr_un *agent, const char *echo_path, const char *user, size_t rounds,
                    size_t times) {
        int64_t *pushed = calloc(times, sizeof(*pushed)), *echoed = calloc(times, sizeof(*echoed));
        struct message question, answer;
        struct sockaddr_un echo;
        pid_t child;

        if (!pushed || !echoed)
                die("no memory");
        (void)push(agent, user, 1, &question, &answer);
        revoke_all(agent);
        child = start_echo(echo_path, answer.length, &echo);
        for (size_t round = 0; round < rounds; round++) {
                for (size_t i = 0; i < times; i++) {
                        pushed[i] = push(agent, user, 1, &question, &answer);
                        echoed[i] = ask(&echo, question.text, question.length, &answer);
                }
                revoke_all(agent);
                printf("%lld %lld\n", (long long)median_ns(pushed, times), (long long)median_ns(echoed, times));
                (void)fflush(stdout);
        }
        stop_echo(child, &echo);
        free(pushed);
        free(echoed);
        return EXIT_SUCCESS;
}

static int fill(const struct sockaddr_un *agent, const char *echo_path, size_t users, size_t pushes, size_t keys) {
        struct message question, answer;
        struct sockaddr_un echo;
        int64_t start, pushed, echoed;
        pid_t child;

        start = now_ns();
        for (size_t i = 0; i < users * pushes; i++) {
                char user[32];

                (void)snprintf(user, sizeof(user), "bench%zu", i % users);
                (void)push(agent, user, keys, &question, &answer);
        }
        pushed = now_ns() - start;
        child = start_echo(echo_path, answer.length, &echo);
        start = now_ns();
        for (size_t i = 0; i < users * pushes; i++) {
                write_push(&question, "bench", keys);
                (void)ask(&echo, question.text, question.length, &answer);
        }
        echoed = now_ns() - start;
        stop_echo(child, &echo);
        printf("%.0f %.0f\n", (double)(users * pushes) / ((double)pushed / 1e9),
               (double)(users * pushes) / ((double)echoed / 1e9));
        return EXIT_SUCCESS;
}

int main(int argc, char *argv[]) {
        struct sockaddr_un agent;
        char echo_path[200];

        if (argc < 5)
                die("usage: push once SOCKET USER TIMES | echo SOCKET USER ROUNDS TIMES | fill SOCKET USERS PUSHES "
                    "KEYS");
        (void)signal(SIGPIPE, SIG_IGN);
        agent = address_of(argv[2]);
        (void)snprintf(echo_path, sizeof(echo_path), "%s.echo", argv[2]);
        if (strcmp(argv[1], "once") == 0 && argc == 5)
                return once(&agent, argv[3], count_argument(argv[4]));
        if (strcmp(argv[1], "echo") == 0 && argc == 6)
                return by_turns(&agent, echo_path, argv[3], count_argument(argv[4]), count_argument(argv[5]));
        if (strcmp(argv[1], "fill") == 0 && argc == 6)
                return fill(&agent, echo_path, count_argument(argv[3]), count_argument(argv[4]),
                            count_argument(argv[5]));
        die("push: what is asked for is not known");
}
