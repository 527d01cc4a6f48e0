/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/account.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <sys/mman.h>

#include "admin/probe.h"

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

int account_other_name(const char *user, char ret[static GRANT_USER_MAX]) {
        struct question *question;
        int r;

        /* The name service may hang, so it is asked in a child. */
        question = mmap(NULL, sizeof(*question), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (question == MAP_FAILED)
                return -errno;
        question->user = user;
        r = probe_run(ask, question, ACCOUNT_TIMEOUT_MS);
        if (r >= 0 && question->own_name[0] != '\0' && strcmp(question->own_name, user) != 0) {
                memcpy(ret, question->own_name, sizeof(question->own_name));
                r = 1;
        }
        (void)munmap(question, sizeof(*question));
        return r;
}

const char *account_own_name(struct account_names *names, const char *user) {
        size_t n_known = names->n < ACCOUNT_NAMES ? names->n : ACCOUNT_NAMES;
        struct account_answer *answer;
        int r;

        for (size_t i = 0; i < n_known; i++)
                if (strcmp(names->answers[i].user, user) == 0)
                        return names->answers[i].own;
        if (names->failure < 0 || strlen(user) >= sizeof(answer->user))
                return user;
        answer = &names->answers[names->n % ACCOUNT_NAMES];
        r = account_other_name(user, answer->own);
        if (r < 0) {
                names->failure = r;
                return user;
        }
        memcpy(answer->user, user, strlen(user) + 1);
        if (r == 0)
                memcpy(answer->own, user, strlen(user) + 1);
        names->n++;
        return answer->own;
}
