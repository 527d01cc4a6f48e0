/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/doctor/probe.h"
#include "cli/output.h"
#include "libpush/key_pair.h"
#include "wire/refusal.h"
#include "wire/terminal.h"

enum { REVOKE_MS = 10 * 1000 };

static const struct section {
        const char *name; /* of the finding when it does not come to an end */
        void (*look)(struct examination *examination);
        int timeout_ms;
        bool of_user; /* only where a user is given */
} sections[] = {
        {"users", doctor_users, 10 * 1000, false},         {"programs", doctor_programs, 20 * 1000, false},
        {"sshd", doctor_sshd, 60 * 1000, false},           {"account", doctor_account, 20 * 1000, true},
        {"sockets", doctor_sockets, 30 * 1000, false},     {"agent", doctor_agent, 20 * 1000, false},
        {"store", doctor_store, 20 * 1000, false},         {"config", doctor_config, 15 * 1000, false},
        {"host-keys", doctor_host_keys, 30 * 1000, false}, {"trust", doctor_trust, 10 * 1000, false},
        {"proc", doctor_proc, 30 * 1000, false},           {"machine", doctor_machine, 10 * 1000, false},
        {"self-test", doctor_self_test, 60 * 1000, false},
};

struct visit {
        const struct section *section;
        struct examination *examination;
};

static void look(void *context) {
        struct visit *visit = context;

        visit->section->look(visit->examination);
}

static void look_at_end(void *context) {
        doctor_self_test_end(context);
}

static void run_section(const struct section *section, struct examination *examination) {
        struct visit visit = {section, examination};
        int r = probe_run(look, &visit, section->timeout_ms);

        if (r == -ETIMEDOUT)
                found(&examination->findings, FINDING_FAILURE, section->name, NULL,
                      "no answer within %d s: something that was asked hangs, such as a directory service or a file "
                      "system",
                      section->timeout_ms / 1000);
        else if (r < 0)
                found(&examination->findings, FINDING_FAILURE, section->name, NULL, "could not be looked at: %s",
                      strerror(-r));
}

/* The one sentence that matters. */
static void make_verdict(const struct examination *examination, char *ret, size_t size) {
        const struct finding *failure = findings_first_failure(&examination->findings);
        char can[FINDING_TEXT_MAX] = "Users can log in", cannot[FINDING_TEXT_MAX] = "Nobody can log in";
        const char *colon, *remedy;

        if (examination->user) {
                (void)snprintf(can, sizeof(can), "%s can log in", examination->user);
                (void)snprintf(cannot, sizeof(cannot), "%s cannot log in", examination->user);
        }
        if (!failure && examination->nobody_known) {
                (void)snprintf(ret, size,
                               "Nothing was found that keeps users out, but no key was tried: name a user "
                               "with --user.");
                return;
        }
        if (!failure) {
                (void)snprintf(ret, size, "%s with a pushed key.", can);
                return;
        }
        remedy = failure->remedy.command;
        colon = remedy[0] ? ": " : "";
        switch (failure->status) {
        case FINDING_OPEN_FAILURE:
                (void)snprintf(ret, size, "It is not known whether %s can log in with a pushed key: %s%s%s",
                               examination->user ? examination->user : "users", failure->text, colon, remedy);
                break;
        case FINDING_HOST_FAILURE:
                (void)snprintf(ret, size,
                               "%s with a key that is pushed on this machine, but not with one from the host: %s%s%s",
                               can, failure->text, colon, remedy);
                break;
        case FINDING_LAX_FAILURE:
                (void)snprintf(ret, size, "%s with a pushed key, but not as it should be: %s%s%s", can, failure->text,
                               colon, remedy);
                break;
        default:
                (void)snprintf(ret, size, "%s with a pushed key: %s%s%s", cannot, failure->text, colon, remedy);
        }
}

static int print_all(const struct examination *examination, const char *verdict) {
        json_t *answer = json_pack("{ss? sb ss so}", "user", examination->user, "healthy",
                                   findings_first_failure(&examination->findings) == NULL, "verdict", verdict, "checks",
                                   findings_json(&examination->findings));
        int status;

        if (!answer) {
                complain("out of memory");
                return EXIT_OWN_FAILURE;
        }
        status = print_json(answer);
        json_decref(answer);
        return status;
}

static int examine(const struct options *options, struct examination *examination) {
        bool json = options->given & OPTION_JSON;
        char verdict[2 * FINDING_TEXT_MAX + REMEDY_MAX + 128];
        size_t printed = 0;
        int status = EXIT_DONE;

        for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
                if (sections[i].of_user && !examination->user)
                        continue;
                run_section(&sections[i], examination);
                for (; !json && printed < examination->findings.n; printed++)
                        finding_print(stdout, &examination->findings.at[printed]);
        }
        if (examination->pushed)
                (void)probe_run(look_at_end, examination, REVOKE_MS);
        make_verdict(examination, verdict, sizeof(verdict));
        if (json)
                status = print_all(examination, verdict);
        else {
                (void)fputc('\n', stdout);
                terminal_print(stdout, verdict);
                (void)fputc('\n', stdout);
        }
        if (status != EXIT_DONE)
                return status;
        return findings_first_failure(&examination->findings) ? EXIT_OWN_FAILURE : EXIT_DONE;
}

static int doctor(const struct options *options) {
        struct examination *examination;
        struct key_pair pair;
        int r;

        if (geteuid() != 0) {
                complain("doctor looks at what only root may see: run it as root, e.g. with sudo");
                return EXIT_OWN_FAILURE;
        }
        /* Shared with the children that look. */
        examination = mmap(NULL, sizeof(*examination), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (examination == MAP_FAILED) {
                complain("out of memory");
                return EXIT_OWN_FAILURE;
        }
        examination->socket = options->socket;
        examination->user = options->user;
        r = key_pair_make(&pair);
        if (r >= 0) {
                examination->key = pair.public_half;
                key_pair_wipe(&pair);
                r = fingerprint_of(&examination->key, examination->fingerprint);
        }
        if (r < 0) {
                complain("no throw-away key can be made: %s", strerror(-r));
                r = EXIT_OWN_FAILURE;
        } else
                r = examine(options, examination);
        (void)munmap(examination, sizeof(*examination));
        return r;
}

const struct command doctor_command = {
        .name = "doctor",
        .summary = "tell why a login would not work, and what to do",
        .help = "exc-instance-connect doctor [--user USER]\n"
                "\n"
                "Looks at everything that a pushed key needs on its way into a login, top to bottom, and\n"
                "tries it with a throw-away key. Each line is pass, warning or failure; a remedy is a\n"
                "command for root's shell. The exit status is 0 without a failure, and 1 with one.\n"
                "Nothing is changed.\n"
                "\n"
                "  --user USER         whether this user could log in, with his account and sshd's rules for him\n"
                "  --json              print all as one line of JSON\n"
                "  --socket PATH       ask on this socket instead of " ADMIN_SOCKET "\n",
        .takes = OPTION_USER,
        .run = doctor,
};
