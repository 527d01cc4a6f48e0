/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/pam_ask.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "admin/doctor/pam_stack.h"
#include "admin/probe.h"

#define PAM_LIBRARY "libpam.so.0"

/* Of security/_pam_types.h, which are part of the library's ABI. */
enum {
        PAM_CONV_ERR = 19,
        PAM_TTY = 3,
        PAM_RHOST = 4,
        PAM_ERROR_MSG = 3,
        PAM_TEXT_INFO = 4,
        PAM_MESSAGES_MAX = 32,
};

struct pam_message {
        int style;
        const char *text;
};

struct pam_response {
        char *text;
        int code;
};

struct pam_conv {
        int (*talk)(int n, const struct pam_message **messages, struct pam_response **ret, void *context);
        void *context;
};

struct pam_functions {
        int (*start)(const char *service, const char *user, const struct pam_conv *conv, void **ret);
        int (*set_item)(void *pam, int item, const void *value);
        int (*acct_mgmt)(void *pam, int flags);
        const char *(*strerror)(void *pam, int code);
        int (*end)(void *pam, int code);
};

/* Shared with the child. */
struct question {
        const char *service, *user, *client;
        struct pam_answer answer;
        bool answered;
};

/* As sshd before authentication: messages are for the user, and nothing is answered. */
static int talk(int n, const struct pam_message **messages, struct pam_response **ret, void *context) {
        struct pam_answer *answer = context;
        struct pam_response *responses;

        if (n <= 0 || n > PAM_MESSAGES_MAX)
                return PAM_CONV_ERR;
        for (int i = 0; i < n; i++) {
                if (messages[i]->style != PAM_ERROR_MSG && messages[i]->style != PAM_TEXT_INFO)
                        return PAM_CONV_ERR;
                (void)snprintf(answer->message, sizeof(answer->message), "%s", messages[i]->text);
        }
        responses = calloc((size_t)n, sizeof(*responses));
        if (!responses)
                return PAM_CONV_ERR;
        *ret = responses; /* transferred */
        return PAM_SUCCESS;
}

static bool load(struct pam_functions *ret) {
        const struct {
                const char *name;
                void **at;
        } symbols[] = {
                {"pam_start", (void **)&ret->start},
                {"pam_set_item", (void **)&ret->set_item},
                {"pam_acct_mgmt", (void **)&ret->acct_mgmt},
                {"pam_strerror", (void **)&ret->strerror},
                {"pam_end", (void **)&ret->end},
        };
        /* Its symbols for all, as a program that is linked with it has them: modules may count on that. */
        void *library = dlopen(PAM_LIBRARY, RTLD_NOW | RTLD_GLOBAL);

        for (size_t i = 0; library && i < sizeof(symbols) / sizeof(symbols[0]); i++)
                if (!(*symbols[i].at = dlsym(library, symbols[i].name)))
                        return false;
        return library != NULL;
}

/* Modules, and what they run, get what sshd gives them: no standard streams, and nothing of this environment. */
static void leave_streams(void) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        (void)clearenv();
        if (null < 0)
                _exit(EXIT_FAILURE);
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                (void)dup2(null, fd);
}

/* Modules of the other stages are loaded too, and none of their functions is called. */
static void ask(void *context) {
        struct question *question = context;
        const struct pam_conv conv = {.talk = talk, .context = &question->answer};
        struct pam_functions pam;
        void *handle;

        leave_streams();
        if (!load(&pam) || pam.start(question->service, question->user, &conv, &handle) != PAM_SUCCESS)
                return;
        (void)pam.set_item(handle, PAM_RHOST, question->client);
        (void)pam.set_item(handle, PAM_TTY, "ssh"); /* as in sshd's auth-pam.c: some modules want one */
        question->answer.code = pam.acct_mgmt(handle, 0);
        (void)snprintf(question->answer.text, PAM_TEXT_MAX, "%s", pam.strerror(handle, question->answer.code));
        question->answered = true;
        (void)pam.end(handle, question->answer.code);
}

int pam_ask(const char *service, const char *user, const char *client, int timeout_ms, struct pam_answer *ret) {
        struct question *question =
                mmap(NULL, sizeof(*question), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        int r;

        if (question == MAP_FAILED)
                return -errno;
        *question = (struct question){.service = service, .user = user, .client = client};
        r = probe_run(ask, question, timeout_ms);
        if (r >= 0 && !question->answered)
                r = -ELIBACC;
        if (r >= 0)
                *ret = question->answer;
        (void)munmap(question, sizeof(*question));
        return r;
}
