/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that the agent's own filter has refused since boot (confine/syscall_trap.h): to a module of the name service,
 * whose pushes then fail, or to the agent itself, which ends. Those from before the last change of its drop-ins do not count:
 * what was changed may be the remedy.
 */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-id128.h>
#include <systemd/sd-journal.h>

#include "admin/doctor/doctor_journal.h"
#include "common/events.h"
#include "confine/syscall_trap.h"

enum {
        US_PER_S = 1000 * 1000,
        CALLS_MAX = 8,           /* that are told apart */
        ENTRIES_MAX = 10 * 1000, /* that are read, from the last one on */
};

#define DROP_INS "/etc/systemd/system/exc-instance-connect.service.d"

/* A module that makes sockets needs more than the agent's filter allows: its unit keeps it off the network too. */
#define NETWORK "PrivateNetwork=no\\nIPAddressDeny=\\nRestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK\\n"

static int match(sd_journal *journal, const char *name, const char *value) {
        char text[128];

        (void)snprintf(text, sizeof(text), "%s=%s", name, value);
        return sd_journal_add_match(journal, text, 0);
}

/* Of this boot, and from the agent's user: anybody can write the rest. Negative errno; -ENOENT: there is no such user. */
static int match_refused(sd_journal *journal, const void *context) {
        const struct passwd *agent = getpwnam(AGENT_USER);
        char boot[SD_ID128_STRING_MAX], uid[24];
        sd_id128_t id;
        int r;

        (void)context;
        if (!agent)
                return -ENOENT;
        r = sd_id128_get_boot(&id);
        (void)snprintf(uid, sizeof(uid), "%" PRIu32, (uint32_t)agent->pw_uid);
        if (r >= 0)
                r = match(journal, "_BOOT_ID", sd_id128_to_string(id, boot));
        if (r >= 0)
                r = match(journal, "_UID", uid);
        return r < 0 ? r : match(journal, "MESSAGE_ID", EVENT_CALL_REFUSED);
}

/* The number in a field; -1: there is none. */
static long number_in(sd_journal *journal, const char *name, int base) {
        size_t length, prefix = strlen(name) + 1;
        char text[24], *end;
        const void *raw;
        long number;

        if (sd_journal_get_data(journal, name, &raw, &length) < 0 || length <= prefix ||
            length - prefix >= sizeof(text))
                return -1;
        memcpy(text, (const char *)raw + prefix, length - prefix);
        text[length - prefix] = '\0';
        errno = 0;
        number = strtol(text, &end, base);
        return errno != 0 || *end != '\0' || number < 0 ? -1 : number;
}

struct calls {
        unsigned n;
        struct syscall_refused at[CALLS_MAX];
};

static bool is_known(const struct calls *calls, const struct syscall_refused *call) {
        for (unsigned i = 0; i < calls->n; i++)
                if (calls->at[i].number == call->number && calls->at[i].architecture == call->architecture)
                        return true;
        return false;
}

/* From the last entry back, to `context`: when the drop-ins changed last (Unix seconds). */
static int read_refused(sd_journal *journal, const void *context, void *result) {
        const int64_t *changed_s = context;
        struct calls *calls = result;
        int r = sd_journal_seek_tail(journal);

        for (unsigned entries = 0; r >= 0 && entries < ENTRIES_MAX && calls->n < CALLS_MAX; entries++) {
                struct syscall_refused call;
                long number, architecture;
                uint64_t at_us;

                r = sd_journal_previous(journal);
                if (r > 0 && sd_journal_get_realtime_usec(journal, &at_us) >= 0 &&
                    (int64_t)at_us / US_PER_S < *changed_s)
                        break;
                if (r <= 0)
                        break;
                number = number_in(journal, FIELD_CALL, 10);
                architecture = number_in(journal, FIELD_ARCHITECTURE, 16);
                if (number < 0 || number > INT_MAX || architecture <= 0 || architecture > UINT32_MAX)
                        continue;
                call = (struct syscall_refused){(uint32_t)architecture, (int)number};
                if (!is_known(calls, &call))
                        calls->at[calls->n++] = call;
        }
        return r;
}

static struct remedy drop_in(const char *option, const char *more) {
        return remedy_of(
                "mkdir -p " DROP_INS " && printf '[Service]\\nExecStart=\\nExecStart=%%s\\n%%b' %s %s >" DROP_INS
                "/seccomp.conf && systemctl daemon-reload && systemctl try-restart exc-instance-connect.service",
                option, more);
}

static void report(struct examination *examination, struct syscall_refused call) {
        char text[SYSCALL_TEXT_MAX];

        syscall_text(call, text);
        warn(&examination->findings, "agent-calls",
             strncmp(text, "socket (", strlen("socket (")) == 0
                     ? drop_in(AGENT_PROGRAM " --name-service-network", NETWORK)
                     : drop_in(AGENT_PROGRAM " --seccomp=off", ""),
             "the agent was refused the system call %s since boot: pushes for which a module of the name service needs "
             "it fail; if no module of this machine does, report it",
             text);
}

void doctor_calls(struct examination *examination) {
        struct calls calls = {.n = 0};
        struct stat st = {0};
        int64_t changed_s;
        const struct doctor_journal how = {match_refused, read_refused, &changed_s};
        char why[DOCTOR_JOURNAL_WHY_MAX];
        int r;

        (void)stat(DROP_INS, &st);
        changed_s = st.st_mtim.tv_sec;
        r = doctor_journal_read(examination, &how, &calls, sizeof(calls), why);
        for (unsigned i = 0; i < calls.n && i < CALLS_MAX; i++)
                report(examination, calls.at[i]);
        if (r >= 0 && calls.n == 0)
                pass(&examination->findings, "agent-calls", "since boot no system call was refused to the agent");
        else if (r < 0 && r != -ENOENT) /* doctor_users() reports that one */
                warn(&examination->findings, "agent-calls", NO_REMEDY,
                     "it is not known whether system calls are refused to the agent: %s", why);
}
