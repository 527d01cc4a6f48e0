/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exc-authorized-keys: sshd's AuthorizedKeysCommand.
 *
 * 1. sshd runs it at each login, as exc-authorized-keys, with the user's name and the key that the client offers.
 * 2. It looks for that key in the store, takes a slot for the connection, and prints one line, or nothing.
 * 3. On any failure it prints nothing and exits 0: sshd ignores the output of a command that fails, and a failure here
 *    must never take away another way to log in.
 * 4. It has ten seconds, and leaves an event where they are not enough.
 * 5. Once it has its arguments and its user it confines itself (confine.h), before it opens the store.
 * 6. It executes nothing, with one exception that comes before all else: a command line with "--" is executed again as
 *    exc-authorized-keys-chain. Earlier versions ran the other command themselves: an sshd that has not been reloaded,
 *    or a line that an administrator wrote, keeps both commands over an upgrade.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "authkeys-helper/arguments.h"
#include "authkeys-helper/confine.h"
#include "authkeys-helper/event.h"
#include "authkeys-helper/identity.h"
#include "authkeys-helper/lookup.h"
#include "common/debug.h"
#include "common/events.h"

#define PROGRAM "exc-authorized-keys"

static struct journal_entry at_deadline;
static volatile sig_atomic_t key_given;

static void out_of_time(int signal) {
        (void)signal;
        if (!key_given)
                event_failure_send(&at_deadline);
        _exit(EXIT_SUCCESS);
}

/* Returns the negative errno why it could not be executed, and does not return where it was. */
static int execute_chain(char *argv[]) {
        char path[PATH_MAX];
        int r = identity_sibling(argv[0], "exc-authorized-keys-chain", path);

        if (r < 0)
                return r;
        argv[0] = path;
        (void)execv(path, argv);
        return -errno;
}

/* A deadline that ends in success, and no SIGPIPE: a sshd that stops reading is not a failure. */
static void prepare_signals(const char *user, const struct connection_id *who) {
        static const struct sigaction end = {.sa_handler = out_of_time};
        sigset_t blocked;

        event_failure_make(&at_deadline, user, who,
                           "Looking for a key took too long, so none is given; check this machine's load and disks");
        (void)sigaction(SIGALRM, &end, NULL);
        (void)sigemptyset(&blocked);
        (void)sigaddset(&blocked, SIGPIPE);
        (void)sigprocmask(SIG_SETMASK, &blocked, NULL);
        (void)alarm(HELPER_DEADLINE_S);
}

static const char *result_text(int result) {
        return result == LOOKUP_FOUND ? "found" : result == LOOKUP_NO_SLOT ? "no free slot" : "no key";
}

static void give_key(const struct arguments *asked, const struct store *store, const struct connection_id *who) {
        char line[LOOKUP_LINE_MAX];
        struct lookup lookup;
        struct instant now;
        size_t length;
        bool written;
        int r;

        r = lookup_key(store, asked, who, &lookup);
        debug_line("lookup: %s", r < 0 ? strerror(-r) : result_text(r));
        if (r < 0)
                event_failure(asked->user, who, "The store cannot be read: %s", strerror(-r));
        if (r == LOOKUP_NO_SLOT)
                event_grant(EVENT_NO_SLOT, &lookup.grant, &lookup.place, who);
        if (r != LOOKUP_FOUND)
                return;
        debug_line("claim: grant %s, %s", lookup.place.id,
                   lookup.grant.connections == 0 ? "for any number of connections"
                   : lookup.first                ? "a slot taken"
                                                 : "a slot held since an earlier run");
        now = instant_now();
        length = lookup_line(&lookup.grant, &now, asked->expiry_time, line);
        written = length > 0 && write(STDOUT_FILENO, line, length) == (ssize_t)length;
        key_given = written;
        debug_line("output: %s", written ? "the key's line" : length == 0 ? "none, the key has expired" : "not read");
        if (written && lookup.first)
                event_grant(EVENT_CLAIMED, &lookup.grant, &lookup.place, who);
}

static void answer(const struct arguments *asked, const struct store *store, const struct caller *caller) {
        if (!asked->fingerprint) {
                (void)lookup_list(store, asked->user, asked->expiry_time, stdout);
                (void)fflush(stdout);
        } else if (caller->result == -EACCES)
                event_failure(asked->user, NULL,
                              "/proc hides sshd's processes (hidepid), so connections cannot be identified: mount "
                              "/proc with gid= of the group " HELPER_USER);
        else if (caller->result < 0)
                event_failure(asked->user, NULL, "The sshd process that asks cannot be identified: %s",
                              strerror(-caller->result));
        else
                give_key(asked, store, &caller->id);
}

static void run(const struct arguments *asked, const struct caller *caller) {
        const struct connection_id *who = caller_connection(caller);
        struct store store;
        char why[256];
        int r;

        prepare_signals(asked->user, who);
        r = getauxval(AT_EUID) == 0 ? identity_become(HELPER_USER) : 0;
        if (r < 0) {
                event_failure(asked->user, who, "Started as root, but cannot become " HELPER_USER ": %s", strerror(-r));
                return;
        }
        r = confine(asked->runtime_dir, CONFINE_FILES | CONFINE_CALLS);
        if (r < 0) {
                event_failure(asked->user, who, "It cannot be confined: %s", strerror(-r));
                return;
        }
        debug_line("confined: files %s, system calls %s", (r & CONFINE_FILES) != 0 ? "by Landlock" : "not",
                   (r & CONFINE_CALLS) != 0 ? "by seccomp" : "not");
        r = store_open(asked->runtime_dir, STORE_HELPER, &store, why);
        if (r < 0) {
                event_failure(asked->user, who, "The store cannot be used: %s", why);
                return;
        }
        debug_line("store: %s opened, the agent is user id %u", asked->runtime_dir, store.owner);
        /* It stays open: the process ends here. */
        answer(asked, &store, caller);
}

static const char usage[] =
        "Usage: exc-authorized-keys [OPTION…] USER [FINGERPRINT [TYPE KEY]]\n"
        "\n"
        "Prints the live instance-connect key of USER that sshd asks about, for AuthorizedKeysCommand:\n"
        "  AuthorizedKeysCommand " PKGLIBEXECDIR "/exc-authorized-keys %u %f %t %k\n"
        "  AuthorizedKeysCommandUser " HELPER_USER "\n"
        "Without FINGERPRINT it lists the live keys of USER and takes no slot in any of them.\n"
        "\n"
        "  --runtime-dir DIR        the store's directory (" STORE_RUNTIME_DIR ")\n"
        "  --expiry-time            add expiry-time=, which sshd 9.1 and newer enforce as well\n"
        "  --connection PID:START   the connection, where exc-authorized-keys-chain has identified it\n"
        "  --verbose                print what happens on standard error, as EXC_DEBUG=1 does\n"
        "  --help, --version\n"
        "\n"
        "To run another AuthorizedKeysCommand when no key matches: exc-authorized-keys-chain(8).\n"
        "See exc-authorized-keys(8).\n";

int main(int argc, char *argv[]) {
        struct arguments asked;
        struct caller caller;
        const char *why = "";
        int chain = 0;

        if (arguments_separator(argc, argv) < argc) {
                chain = execute_chain(argv);
                argc = arguments_separator(argc, argv);
        }
        switch (arguments_parse(argc, argv, &asked, &why)) {
        case ARGUMENTS_HELP:
                (void)fputs(usage, stdout);
                return EXIT_SUCCESS;
        case ARGUMENTS_VERSION:
                (void)puts(PROGRAM " " PACKAGE_VERSION);
                return EXIT_SUCCESS;
        case ARGUMENTS_WRONG:
                caller_identify(&caller);
                event_failure(asked.user, caller_connection(&caller), "%s; see " PROGRAM " --help", why);
                return EXIT_SUCCESS;
        case ARGUMENTS_RUN:
                break;
        }
        debug_init(PROGRAM, asked.verbose);
        if (asked.has_caller)
                caller = asked.caller;
        else
                caller_identify(&caller);
        if (caller.result < 0)
                debug_line("connection: not identified: %s", strerror(-caller.result));
        else
                debug_line("connection: process %" PRIu64 ", started %" PRIu64 " ticks after boot", caller.id.pid,
                           caller.id.start_ticks);
        run(&asked, &caller);
        if (chain < 0)
                event_failure(
                        asked.user, caller_connection(&caller),
                        "exc-authorized-keys-chain: %s; the command after -- is not run, install the package again",
                        strerror(-chain));
        return EXIT_SUCCESS;
}
