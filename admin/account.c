/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/account.h"

#include <pwd.h>
#include <string.h>
#include <sys/mman.h>

#include "admin/doctor/probe.h"

struct question {
        const char *user;
        char own_name[GRANT_USER_MAX]; /* "": not known */
};

static void ask(void *context) {
        struct question *question = context;
        const struct passwd *entry = getpwnam(question->user);

        if (entry && strlen(entry->pw_name) < sizeof(question->own_name))
                memcpy(question->own_name, entry->pw_name, strlen(entry->pw_name) + 1);
}

bool account_other_name(const char *user, char ret[static GRANT_USER_MAX]) {
        struct question *question;
        bool other;

        /* The name service may hang, so it is asked in a child. */
        question = mmap(NULL, sizeof(*question), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (question == MAP_FAILED)
                return false;
        question->user = user;
        other = probe_run(ask, question, ACCOUNT_TIMEOUT_MS) >= 0 && question->own_name[0] != '\0' &&
                strcmp(question->own_name, user) != 0;
        if (other)
                memcpy(ret, question->own_name, sizeof(question->own_name));
        (void)munmap(question, sizeof(*question));
        return other;
}
