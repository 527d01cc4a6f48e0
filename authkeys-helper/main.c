/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exc-authorized-keys: sshd's AuthorizedKeysCommand.
 *
 * 1. sshd runs it at each login, as exc-authorized-keys, with the user's name and the key that the client offers.
 * 2. It looks for that key in the store, takes a place for the connection, and prints one line, or nothing.
 * 3. Whatever is wrong on our side, it prints nothing and exits 0: sshd drops everything when the status is another, and
 *    a failure of ours must never take anybody's other way in.
 * 4. It has two seconds. sshd itself would wait until its LoginGraceTime.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "authkeys-helper/arguments.h"
#include "authkeys-helper/chain.h"
#include "authkeys-helper/event.h"
#include "authkeys-helper/identity.h"
#include "authkeys-helper/lookup.h"
#include "common/events.h"

enum { DEADLINE_S = 2 };

struct login {
        const struct arguments *asked;
        struct connection_id who;
        int who_result; /* 0, or why `who` is not known */
};

static void out_of_time(int signal) {
        (void)signal;
        _exit(EXIT_SUCCESS);
}

static const struct connection_id *known(const struct login *login) {
        return login->who_result < 0 ? NULL : &login->who;
}

static void give_key(const struct login *login, const struct store *store, int out_fd) {
        const struct arguments *asked = login->asked;
        char line[LOOKUP_LINE_MAX];
        struct lookup lookup;
        struct instant now;
        size_t length;
        int r;

        r = lookup_key(store, asked, &login->who, &lookup);
        if (r < 0)
                event_failure(asked->user, known(login), "The store cannot be read: %s", strerror(-r));
        if (r == LOOKUP_NO_SLOT)
                event_grant(EVENT_NO_PLACE, &lookup.grant, &lookup.place, &login->who);
        if (r != LOOKUP_FOUND)
                return;
        now = instant_now();
        length = lookup_line(&lookup.grant, &now, asked->expiry_time, line);
        if (length > 0 && write(out_fd, line, length) == (ssize_t)length && lookup.first)
                event_grant(EVENT_CLAIMED, &lookup.grant, &lookup.place, &login->who);
}

static void list_keys(const struct arguments *asked, const struct store *store, int out_fd) {
        FILE *to = fdopen(dup(out_fd), "w");

        if (!to)
                return;
        (void)lookup_list(store, asked->user, asked->expiry_time, to);
        (void)fclose(to);
}

static void answer(const struct login *login, const struct store *store, int out_fd) {
        const struct arguments *asked = login->asked;

        if (!asked->fingerprint)
                list_keys(asked, store, out_fd);
        else if (login->who_result == -EACCES)
                event_failure(asked->user, NULL,
                              "/proc hides sshd's processes (hidepid), so a connection cannot be told from "
                              "another: mount /proc with gid= of the group " HELPER_USER);
        else if (login->who_result < 0)
                event_failure(asked->user, NULL, "The sshd process that asks cannot be identified: %s",
                              strerror(-login->who_result));
        else
                give_key(login, store, out_fd);
}

/* Our own part, the same whether another command comes after it or not. */
static void own_part(void *context, int out_fd) {
        static const struct sigaction at_deadline = {.sa_handler = out_of_time};
        const struct login *login = context;
        const char *user = login->asked->user;
        struct store store;
        char why[256];
        sigset_t blocked;
        int r;

        (void)sigaction(SIGALRM, &at_deadline, NULL);
        /* A sshd that stops reading is not a failure. */
        (void)sigemptyset(&blocked);
        (void)sigaddset(&blocked, SIGPIPE);
        (void)sigprocmask(SIG_SETMASK, &blocked, NULL);
        (void)alarm(DEADLINE_S);

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return;
        r = getauxval(AT_EUID) == 0 ? identity_become(HELPER_USER) : 0;
        if (r < 0) {
                event_failure(user, known(login), "Started as root, but cannot become " HELPER_USER ": %s",
                              strerror(-r));
                return;
        }
        r = store_open(login->asked->runtime_dir, STORE_HELPER, &store, why);
        if (r < 0) {
                event_failure(user, known(login), "The store cannot be used: %s", why);
                return;
        }
        /* It stays open: the process ends here. */
        answer(login, &store, out_fd);
}

static const char usage[] =
        "Usage: exc-authorized-keys [OPTION…] USER [FINGERPRINT [TYPE KEY]] [-- COMMAND [ARG…]]\n"
        "\n"
        "Prints the live instance-connect key of USER that sshd asks about, for AuthorizedKeysCommand:\n"
        "  AuthorizedKeysCommand " PKGLIBEXECDIR "/exc-authorized-keys %u %f %t %k\n"
        "  AuthorizedKeysCommandUser " HELPER_USER "\n"
        "Without FINGERPRINT it lists the live keys of USER and takes no place in any of them.\n"
        "\n"
        "  --runtime-dir DIR   where the store is (" STORE_RUNTIME_DIR ")\n"
        "  --expiry-time       add expiry-time=, which sshd 9.1 and newer enforce as well\n"
        "  --chain-user NAME   run COMMAND as this user; sshd must run the helper as root then\n"
        "  --help, --version\n"
        "\n"
        "COMMAND is run when none of our keys matches. See exc-authorized-keys(8).\n";

int main(int argc, char *argv[]) {
        struct login login = {0};
        struct arguments asked;
        const char *why = "";

        login.asked = &asked;
        /* Before any fork: the parent is the sshd process of this connection. */
        login.who_result = connection_id_of_parent(&login.who);

        switch (arguments_parse(argc, argv, &asked, &why)) {
        case ARGUMENTS_HELP:
                (void)fputs(usage, stdout);
                return EXIT_SUCCESS;
        case ARGUMENTS_VERSION:
                (void)puts("exc-authorized-keys " PACKAGE_VERSION);
                return EXIT_SUCCESS;
        case ARGUMENTS_WRONG:
                (void)fprintf(stderr, "exc-authorized-keys: %s; see exc-authorized-keys --help\n", why);
                if (!asked.chain)
                        return EXIT_SUCCESS;
                chain_other(&asked);
        case ARGUMENTS_RUN:
                break;
        }
        if (asked.chain)
                chain_run(&asked, own_part, &login);
        own_part(&login, STDOUT_FILENO);
        return EXIT_SUCCESS;
}
