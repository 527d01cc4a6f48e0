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
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base64.h"
#include "tests/bench/bench.h"
#include "wire/refusal.h"

enum { MESSAGE_MAX = 16 * 1024 };

struct message {
        size_t length; /* with the NUL */
        char text[MESSAGE_MAX];
};

static struct sockaddr_un address_of(const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        if (strlen(path) >= sizeof(address.sun_path))
                die("%s is too long for a socket", path);
        strcpy(address.sun_path, path);
        return address;
}

/* Reads up to the NUL. */
static size_t receive(int fd, char to[static MESSAGE_MAX]) {
        size_t used = 0;

        do {
                ssize_t n = read(fd, to + used, MESSAGE_MAX - used);

                if (n <= 0)
                        die("no answer");
                used += (size_t)n;
        } while (to[used - 1] != '\0');
        return used;
}

static void send_all(int fd, const char *text, size_t length) {
        if (write(fd, text, length) != (ssize_t)length)
                die("cannot write");
}

/* One question with its answer, from connect() to close(). */
static int64_t ask(const struct sockaddr_un *address, const struct message *question, struct message *ret) {
        int64_t start = now_ns();
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
                die("cannot connect to %s", address->sun_path);
        send_all(fd, question->text, question->length);
        ret->length = receive(fd, ret->text);
        (void)close(fd);
        return now_ns() - start;
}

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
                uint8_t blob[51] = "\0\0\0\013ssh-ed25519\0\0\0\040";
                char text[BASE64_LENGTH(51) + 1];

                if (getrandom(blob + 19, 32, 0) != 32)
                        die("no random bytes");
                base64_encode(blob, sizeof(blob), text);
                if (used + 128 > sizeof(parameters))
                        die("too many keys");
                used += (size_t)snprintf(parameters + used, sizeof(parameters) - used, "%s\"ssh-ed25519 %s\"",
                                         i > 0 ? "," : "", text);
        }
        (void)snprintf(parameters + used, sizeof(parameters) - used, "]");
        write_message(ret, "PushLocal", parameters);
}

static int64_t push(const struct sockaddr_un *agent, const char *user, size_t keys, struct message *ret_question,
                    struct message *ret_answer) {
        int64_t ns;

        write_push(ret_question, user, keys);
        ns = ask(agent, ret_question, ret_answer);
        if (strstr(ret_answer->text, "\"error\""))
                die("refused: %s", ret_answer->text);
        return ns;
}

static void revoke_all(const struct sockaddr_un *agent) {
        struct message question, answer;

        write_message(&question, "RevokeLocal", "");
        (void)ask(agent, &question, &answer);
        if (strstr(answer.text, "\"error\""))
                die("refused: %s", answer.text);
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
                        echoed[i] = ask(&echo, &question, &answer);
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
                (void)ask(&echo, &question, &answer);
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
