/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/doctor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/doctor/doctor_clients.h"
#include "admin/probe.h"
#include "admin/sshd/sshd_memory.h"
#include "cli/output.h"
#include "common/clock.h"
#include "common/debug.h"
#include "libpush/key_pair.h"
#include "wire/refusal.h"
#include "wire/terminal.h"

enum { REVOKE_MS = 10 * 1000 };

static const struct section {
        const char *name; /* of the finding when it does not come to an end */
        const char *what; /* for people who wait */
        void (*look)(struct examination *examination);
        int timeout_ms;
        bool of_user; /* only where a user is given */
} sections[] = {
        {"users", "the system users", doctor_users, 10 * 1000, false},
        {"programs", "the programs", doctor_programs, 20 * 1000, false},
        {"sshd", "sshd's configuration", doctor_sshd, 60 * 1000, false},
        {"account", "the user's account", doctor_account, 20 * 1000, true},
        {"pam", "PAM's account stage", doctor_pam, 30 * 1000, true},
        {"sockets", "the sockets", doctor_sockets, 30 * 1000, false},
        {"agent", "the agent", doctor_agent, 20 * 1000, false},
        {"agent-calls", "the journal for system calls that the agent may not make", doctor_calls, 20 * 1000, false},
        {"selinux", "SELinux", doctor_selinux, 20 * 1000, false},
        {"store", "the store", doctor_store, 20 * 1000, false},
        {"config", "agent.conf", doctor_config, 15 * 1000, false},
        {"host-keys", "sshd's host keys", doctor_host_keys, 30 * 1000, false},
        {"trust", "anchors and instance id", doctor_trust, 10 * 1000, false},
        {"metadata", "launch keys", doctor_metadata, 20 * 1000, false},
        {"proc", "/proc", doctor_proc, 30 * 1000, false},
        {"mounts", "what sshd sees of the file system", doctor_mounts, 30 * 1000, false},
        {"drops", "the journal for dropped connections", doctor_drops, 20 * 1000, false},
        {"apparmor", "AppArmor", doctor_apparmor, 20 * 1000, false},
        {"machine", "clock, AppArmor and journal", doctor_machine, 10 * 1000, false},
        {"self-test", "the way of a key, with a throw-away one", doctor_self_test, 60 * 1000, false},
};

struct visit {
        struct examination *examination;
        bool json, all;
        size_t printed; /* findings */

        const struct section *section; /* now */
        int64_t began_ms;              /* CLOCK_MONOTONIC */
        int64_t shown_s;               /* since then, as progress says */
};

static void look(void *context) {
        struct visit *visit = context;

        visit->section->look(visit->examination);
}

static void look_at_end(void *context) {
        doctor_self_test_end(context);
}

static void print_new(struct visit *visit) {
        const struct findings *findings = &visit->examination->findings;
        size_t n = findings->n;

        if (visit->json)
                return;
        for (; visit->printed < n; visit->printed++) {
                const struct finding *finding = &findings->at[visit->printed];

                if (finding->status == FINDING_PASS && !visit->all)
                        continue;
                progress_end();
                finding_print(stdout, finding);
                (void)fflush(stdout);
        }
}

static void tick(void *context) {
        struct visit *visit = context;
        int64_t since_s = (clock_ms(CLOCK_MONOTONIC) - visit->began_ms) / 1000;

        print_new(visit);
        if (since_s == visit->shown_s)
                return;
        visit->shown_s = since_s;
        progress("Checking %s: %d s", visit->section->what, (int)since_s);
}

static void run_section(struct visit *visit) {
        struct findings *findings = &visit->examination->findings;
        int r;

        visit->began_ms = clock_ms(CLOCK_MONOTONIC);
        visit->shown_s = 0;
        debug_line("check: %s", visit->section->name);
        r = probe_watch(look, tick, visit, visit->section->timeout_ms);
        if (r == -ETIMEDOUT)
                fail(findings, visit->section->name, NO_REMEDY,
                     "no answer within %d s: something that was asked hangs, such as a directory service or a file "
                     "system",
                     visit->section->timeout_ms / 1000);
        else if (r < 0)
                fail(findings, visit->section->name, NO_REMEDY, "the check failed: %s", strerror(-r));
        progress_end();
        print_new(visit);
}

/* What is needed beside the key, behind `before`; "" where it is enough. */
static void say_more(const struct examination *examination, const struct finding *more, const char *before, char *ret,
                     size_t size) {
        const char *needs = examination->user ? "needs" : "need";

        ret[0] = '\0';
        if (more && strncmp(more->text, DOCTOR_MORE, strlen(DOCTOR_MORE)) == 0)
                (void)snprintf(ret, size, "%s %s also %s", before, needs, more->text + strlen(DOCTOR_MORE));
        else if (more)
                (void)snprintf(ret, size, "%s from some clients %s also more (AuthenticationMethods)", before, needs);
}

/* The one sentence that matters. `failure`: the one that decides it, or NULL. */
static void make_verdict(const struct examination *examination, const struct finding *failure, char *ret, size_t size) {
        const char *user = examination->user ? examination->user : "users", *from = examination->from;
        const struct finding *by_client = findings_first(&examination->findings, FINDING_CLIENT_WARNING);
        const struct finding *more = findings_first(&examination->findings, FINDING_MORE_WARNING);
        char can[FINDING_TEXT_MAX], cannot[FINDING_TEXT_MAX], besides[FINDING_TEXT_MAX], also[FINDING_TEXT_MAX];
        char who[GRANT_USER_MAX + 2];

        say_more(examination, more, ", and", besides, sizeof(besides));
        (void)snprintf(who, sizeof(who), "; %s", user);
        say_more(examination, more, who, also, sizeof(also));
        (void)snprintf(can, sizeof(can), "%s can log in%s%s", examination->user ? user : "Users", from ? " from " : "",
                       from ? from : "");
        (void)snprintf(cannot, sizeof(cannot), "%s%s log in%s%s", examination->user ? user : "Nobody",
                       examination->user ? " cannot" : " can", from ? " from " : "", from ? from : "");
        switch (failure ? failure->status : FINDING_PASS) {
        case FINDING_PASS:
        case FINDING_WARNING:
        case FINDING_MORE_WARNING:
        case FINDING_CLIENT_WARNING:
                if (by_client)
                        (void)snprintf(ret, size,
                                       "Whether %s can log in with a pushed key depends on where the client is: %s%s",
                                       user, by_client->text + strlen(DOCTOR_DEPENDS), also);
                else if (examination->nobody_known)
                        (void)snprintf(ret, size,
                                       "Nothing was found that keeps users out, but no key was tried: name a user "
                                       "with --user.");
                else if (examination->pam_not_asked)
                        (void)snprintf(ret, size,
                                       "Nothing was found that keeps %s out, but whether PAM does is not known%s.",
                                       user, also);
                else if (more && strncmp(more->text, DOCTOR_DEPENDS, strlen(DOCTOR_DEPENDS)) == 0)
                        (void)snprintf(ret, size,
                                       "Whether a pushed key is enough for %s depends on where the client is: %s", user,
                                       more->text + strlen(DOCTOR_DEPENDS));
                else
                        (void)snprintf(ret, size, "%s with a pushed key%s%s.", can,
                                       examination->sftp_only ? ", for sftp alone" : "", besides);
                return;
        case FINDING_OPEN_FAILURE:
                (void)snprintf(ret, size, "It is not known whether %s can log in with a pushed key: %s", user,
                               failure->text);
                return;
        case FINDING_HOST_FAILURE:
                (void)snprintf(ret, size,
                               "%s with a key that is pushed on this machine%s, but not with one from the host: %s",
                               can, besides, failure->text);
                return;
        case FINDING_LAX_FAILURE:
                (void)snprintf(ret, size, "%s with a pushed key%s, but not as it should be: %s", can, besides,
                               failure->text);
                return;
        case FINDING_FAILURE:
                (void)snprintf(ret, size, "%s with a pushed key: %s", cannot, failure->text);
        }
}

static int print_answer(const struct examination *examination, const char *verdict, const char *remedy) {
        return print_json_new(json_pack("{ss? ss? sb ss ss? so}", "user", examination->user, "from", examination->from,
                                        "healthy", findings_first_failure(&examination->findings) == NULL, "verdict",
                                        verdict, "remedy", remedy, "checks", findings_json(&examination->findings)));
}

static void print_end(const struct examination *examination, const char *verdict, const char *remedy) {
        size_t n = 0;

        for (size_t i = 0; i < examination->findings.n; i++)
                n += examination->findings.at[i].status == FINDING_PASS;
        (void)printf("%zu check%s passed\n\n", n, n == 1 ? "" : "s");
        print_wrapped(stdout, 0, 0, 0, verdict);
        (void)fputc('\n', stdout);
        if (!remedy)
                return;
        (void)fputs("  ", stdout);
        terminal_print(stdout, remedy);
        (void)fputc('\n', stdout);
}

static int examine(const struct options *options, struct examination *examination) {
        struct visit visit = {.examination = examination, .json = options->json, .all = options->all};
        char verdict[3 * FINDING_TEXT_MAX + 128];
        const struct finding *failure;
        const char *remedy;
        int status = EXIT_DONE;

        for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
                visit.section = &sections[i];
                if (!visit.section->of_user || examination->user)
                        run_section(&visit);
        }
        if (examination->pushed)
                (void)probe_run(look_at_end, examination, REVOKE_MS);
        doctor_clients_end(examination);
        print_new(&visit);
        failure = findings_first_failure(&examination->findings);
        remedy = failure && failure->remedy.command[0] ? failure->remedy.command : NULL;
        make_verdict(examination, failure, verdict, sizeof(verdict));
        if (visit.json)
                status = print_answer(examination, verdict, remedy);
        else
                print_end(examination, verdict, remedy);
        return status == EXIT_DONE && failure ? EXIT_OWN_FAILURE : status;
}

static int doctor(const struct cli_line *line, const void *context) {
        const struct options *options = context;
        struct examination *examination;
        struct key_pair pair;
        int r;

        if (options->pam && !options->user)
                return cli_usage(line, "--pam: PAM is asked about one user; name it with --user");
        if (geteuid() != 0) {
                complain("doctor checks what only root may see: run it as root, e.g. with sudo");
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
        examination->from = options->from[0] ? options->from : NULL;
        examination->ask_pam = options->pam;
        sshd_memory_start();
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

/* As sshd writes it: an IPv4 client of an IPv6 socket has its IPv4 address, and a link-local address its zone. */
static bool take_address(const struct cli_option *option, const char *text, void *member) {
        size_t n = strcspn(text, "%"), size = sizeof(((struct options *)NULL)->from);
        char address[INET6_ADDRSTRLEN], *to = member;
        struct in6_addr v6;
        struct in_addr v4;

        (void)option;
        if (n >= sizeof(address) || strlen(text) >= size || strchr(text, ','))
                return false;
        (void)snprintf(address, sizeof(address), "%.*s", (int)n, text);
        if (inet_pton(AF_INET, text, &v4) == 1)
                return inet_ntop(AF_INET, &v4, to, (socklen_t)size) != NULL;
        if (inet_pton(AF_INET6, address, &v6) != 1)
                return false;
        if (IN6_IS_ADDR_V4MAPPED(&v6))
                return inet_ntop(AF_INET, &v6.s6_addr[12], to, (socklen_t)size) != NULL;
        if (!inet_ntop(AF_INET6, &v6, to, (socklen_t)size) || strlen(to) + strlen(text + n) >= size)
                return false;
        (void)strcat(to, text + n);
        return true;
}

static const struct cli_option doctor_options[] = {
        {.name = "user",
         .value = "USER",
         .take = admin_take_user,
         .offset = offsetof(struct options, user),
         .expected = "a login name of 1 to 256 bytes",
         .help = "whether this user could log in: the account, and what sshd\nallows it"},
        {.name = "from",
         .value = "ADDRESS",
         .take = take_address,
         .offset = offsetof(struct options, from),
         .expected = "an IPv4 or IPv6 address",
         .help = "for a client with this address, where sshd decides by that"},
        {.name = "pam",
         .take = cli_take_flag,
         .offset = offsetof(struct options, pam),
         .help = "ask PAM about that user also where this changes something,\nas a count of failures"},
        {.name = "all",
         .take = cli_take_flag,
         .offset = offsetof(struct options, all),
         .help = "print the checks that passed too"},
        {.name = NULL},
};

const struct cli_command doctor_command = {
        .words = "doctor",
        .summary = "explain why a login would not work, and what to do",
        .more = "Checks everything that a pushed key needs on its way into a login, top to bottom, and tries\n"
                "it with a throw-away key. Each line is a warning or a failure; a remedy is a command for\n"
                "root's shell. The exit status is 0 without a failure, and 1 with one. Nothing is changed,\n"
                "but what PAM changes with --pam.\n",
        .tables = {doctor_options, admin_agent_options},
        .run = doctor,
};
