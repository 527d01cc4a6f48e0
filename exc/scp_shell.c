/* SPDX-License-Identifier: Apache-2.0 */
#include "exc/scp_shell.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/output.h"

#define NS_PER_MS INT64_C(1000000)
#define TEMPORARY "temporary "

/* ssh notices within 60 s that a connection is dead. What has not been removed in time is removed all the same, unseen. */
enum { KEEP_MS = 75 * 1000, REMOVE_MS = 10 * 1000, ABORT_MS = 500 };

enum { OUTPUT_MAX = 64 * 1024, SSH_FAILED = 255 };

/* --- what is sent ------------------------------------------------------------------------------------------------ */

static void put_quoted(FILE *to, const char *name, const char *value) {
        (void)fprintf(to, "%s='", name);
        for (; *value; value++)
                if (*value == '\'')
                        (void)fputs("'\\''", to);
                else
                        (void)putc(*value, to);
        (void)fputs("'\n", to);
}

/* The caller frees it. NULL: no memory. */
static char *make_script(const struct scp_place *place, const char *mark) {
        char *text = NULL;
        size_t length;
        FILE *file = open_memstream(&text, &length);

        if (!file)
                return NULL;
        if (place->home)
                (void)fputs("cd 2>/dev/null || cd /\n", file);
        put_quoted(file, "mark", mark);
        put_quoted(file, "destination", place->destination);
        put_quoted(file, "name", place->name);
        (void)fputs(scp_script, file);
        if (fclose(file) == 0)
                return text;
        free(text);
        return NULL;
}

/* A write to a shell that has ended must not end this process. Commands get the signals as they were before the session. */
static void block_sigpipe(void) {
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGPIPE);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
}

static enum session_event send_text(struct session *session, int fd, const char *text) {
        size_t n = strlen(text), sent = 0;
        enum session_event event = SESSION_READY;

        while (sent < n && event == SESSION_READY) {
                ssize_t now = write(fd, text + sent, n - sent);

                if (now > 0)
                        sent += (size_t)now;
                else if (now < 0 && errno == EAGAIN)
                        event = session_wait(session, fd, POLLOUT, 0);
                else if (errno != EINTR)
                        event = session_wait(session, -EBADF, 0, 0); /* its end */
        }
        return event;
}

/* --- what it answers --------------------------------------------------------------------------------------------- */

/* The text behind the mark. NULL: not all of it is there. Skips what a login shell's files print before it. */
static const char *find_answer(const char *output, size_t n, const struct scp_shell *shell) {
        const char *at = memmem(output, n, shell->mark, strlen(shell->mark));

        return at && memchr(at, '\0', n - (size_t)(at - output)) ? at + strlen(shell->mark) : NULL;
}

/* SESSION_READY: `ret` is the next answer, until the next call. With a deadline no signal ends the wait. */
static enum session_event receive(struct session *session, const struct scp_shell *shell, int64_t deadline_ns,
                                  const char **ret) {
        static char output[OUTPUT_MAX];
        size_t n = 0;
        int fd = shell->from;

        for (;;) {
                enum session_event event = session_wait(session, fd, POLLIN, deadline_ns);
                ssize_t got;

                if (event == SESSION_SIGNAL && deadline_ns != 0)
                        continue;
                if (event != SESSION_READY)
                        return event;
                got = read(fd, output + n, sizeof(output) - n);
                if (got < 0 && (errno == EAGAIN || errno == EINTR))
                        continue;
                if (got <= 0)
                        fd = -EBADF; /* it ends */
                else
                        n += (size_t)got;
                *ret = find_answer(output, n, shell);
                if (*ret)
                        return SESSION_READY;
                if (n == sizeof(output)) {
                        n /= 2;
                        memcpy(output, output + n, n);
                }
        }
}

void scp_shell_leave(struct scp_shell *shell) {
        if (shell->to >= 0)
                (void)close(shell->to);
        shell->to = -EBADF;
}

static void close_pipes(struct scp_shell *shell) {
        scp_shell_leave(shell);
        if (shell->from >= 0)
                (void)close(shell->from);
        shell->from = -EBADF;
}

/* Waits for its end. False: it was killed. */
static bool await_end(struct session *session, int timeout_ms) {
        int64_t deadline_ns = session_now_ns() + timeout_ms * NS_PER_MS;
        enum session_event event;

        do
                event = session_wait(session, -EBADF, 0, deadline_ns);
        while (event == SESSION_SIGNAL);
        if (event == SESSION_ENDED || session->pid == 0)
                return event == SESSION_ENDED;
        session_kill(session, SIGKILL);
        do
                event = session_wait(session, -EBADF, 0, 0);
        while (event == SESSION_SIGNAL);
        return false;
}

static enum session_event set_aside(struct session *session, struct scp_shell *shell, enum session_event event) {
        shell->open = event == SESSION_READY;
        if (shell->open) {
                session_set_aside(session, &shell->command);
                return event;
        }
        close_pipes(shell);
        /* ssh may be asking for a second factor, without an echo: at the end of its own accord it restores the terminal. */
        if (session->pid > 0)
                (void)await_end(session, ABORT_MS);
        return event;
}

enum session_event scp_shell_start(struct session *session, const struct scp_place *place, struct scp_shell *shell) {
        enum session_event event = SESSION_FAILED;
        unsigned char random[(SCP_MARK_MAX - 1) / 2];
        char *script = NULL;

        block_sigpipe();
        if (getrandom(random, sizeof(random), 0) == (ssize_t)sizeof(random)) {
                for (size_t i = 0; i < sizeof(random); i++)
                        (void)snprintf(shell->mark + 2 * i, 3, "%02x", random[i]);
                script = make_script(place, shell->mark);
        }
        if (script)
                event = send_text(session, shell->to, script);
        else
                complain("out of memory");
        free(script);
        return set_aside(session, shell, event);
}

enum session_event scp_shell_wait(struct session *session, struct scp_shell *shell) {
        enum session_event event;
        const char *answer;

        session_take_back(session, &shell->command);
        event = receive(session, shell, 0, &answer);
        /* The VM may be hostile. */
        if (event == SESSION_READY && strncmp(answer, TEMPORARY, strlen(TEMPORARY)) == 0 && strlen(answer) < PATH_MAX)
                shell->temporary = strdup(answer + strlen(TEMPORARY));
        return set_aside(session, shell, event);
}

enum scp_shell_result scp_shell_end(struct session *session, struct scp_shell *shell, bool keep) {
        int64_t deadline_ns = session_now_ns() + (keep ? KEEP_MS : REMOVE_MS) * NS_PER_MS;
        enum scp_shell_result result = SCP_SHELL_LEFT;
        enum session_event event;
        const char *answer;

        session_take_back(session, &shell->command);
        shell->open = false;
        if (keep)
                (void)!write(shell->to, "keep\n", 5);
        scp_shell_leave(shell);
        event = receive(session, shell, deadline_ns, &answer);
        if (event == SESSION_READY && strcmp(answer, "kept") == 0)
                result = SCP_SHELL_KEPT;
        else if (event == SESSION_READY && strcmp(answer, "removed") == 0)
                result = SCP_SHELL_REMOVED;
        else if (event == SESSION_ENDED && WIFEXITED(session->status) && WEXITSTATUS(session->status) == SSH_FAILED)
                result = SCP_SHELL_LOST;
        /* ssh waits for scp's channel too, as long as the SFTP server does not end: for a disk that hangs, for ever. */
        if (session->pid > 0)
                (void)await_end(session, ABORT_MS);
        close_pipes(shell);
        return result;
}
