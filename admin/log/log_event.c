/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/log/log_event.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-messages.h>

#include "common/events.h"

#define AGENT_USER "exc-instance-connect"
#define HELPER_USER "exc-authorized-keys"

static const struct {
        const char *id;
        enum log_event_kind kind;
        bool of_helper;
} ours[] = {
        {EVENT_RECEIVED, LOG_EVENT_RECEIVED, false},     {EVENT_REFUSED, LOG_EVENT_REFUSED, false},
        {EVENT_EXPIRED, LOG_EVENT_EXPIRED, false},       {EVENT_REVOKED, LOG_EVENT_REVOKED, false},
        {EVENT_CLAIMED, LOG_EVENT_CLAIMED, true},        {EVENT_NO_SLOT, LOG_EVENT_NO_SLOT, true},
        {EVENT_FAILURE, LOG_EVENT_HELPER_FAILURE, true}, {EVENT_LOST, LOG_EVENT_LOST, false},
};

/* sshd is one program up to OpenSSH 9.7; since 9.8 a connection is sshd-session's. */
static const char *const sshd_names[] = {"sshd", "sshd-session"};

static int user_id(const char *name, uid_t *ret) {
        const struct passwd *entry;

        errno = 0;
        entry = getpwnam(name);
        if (!entry)
                return errno > 0 && errno != ESRCH ? -errno : -ENOENT;
        *ret = entry->pw_uid;
        return 0;
}

int log_senders_find(struct log_senders *ret) {
        struct log_senders senders;
        int r = user_id(AGENT_USER, &senders.agent);

        if (r >= 0)
                r = user_id(HELPER_USER, &senders.helper);
        if (r < 0)
                return r;
        *ret = senders;
        return 0;
}

/* Matches of one field are alternatives, and those of several must all hold. */
static int match(sd_journal *journal, const char *name, const char *value) {
        char text[128];

        (void)snprintf(text, sizeof(text), "%s=%s", name, value);
        return sd_journal_add_match(journal, text, 0);
}

static int match_user(sd_journal *journal, uid_t uid) {
        char text[24];

        (void)snprintf(text, sizeof(text), "%" PRIu32, (uint32_t)uid);
        return match(journal, "_UID", text);
}

static int match_ours(sd_journal *journal, bool of_helper, uid_t uid) {
        int r = match_user(journal, uid);

        for (size_t i = 0; r >= 0 && i < sizeof(ours) / sizeof(ours[0]); i++)
                if (ours[i].of_helper == of_helper)
                        r = match(journal, "MESSAGE_ID", ours[i].id);
        return r < 0 ? r : sd_journal_add_disjunction(journal);
}

/* Those of the helper, and the failures of exc-authorized-keys-chain, which sshd runs as root. */
static int match_helper(sd_journal *journal, const struct log_senders *senders) {
        int r = match_user(journal, 0);

        if (r >= 0)
                r = match(journal, "MESSAGE_ID", EVENT_FAILURE);
        if (r >= 0)
                r = sd_journal_add_disjunction(journal);
        return r < 0 ? r : match_ours(journal, true, senders->helper);
}

/* systemd-journald's own messages: no other sender's have this transport. */
static int match_dropped(sd_journal *journal) {
        int r = match_user(journal, 0);

        if (r >= 0)
                r = match(journal, "_TRANSPORT", "driver");
        if (r >= 0)
                r = match(journal, "MESSAGE_ID", SD_MESSAGE_JOURNAL_DROPPED_STR);
        return r < 0 ? r : sd_journal_add_disjunction(journal);
}

int log_event_match_evidence(sd_journal *journal, const struct log_senders *senders) {
        int r = match_dropped(journal);

        return r < 0 ? r : match_ours(journal, false, senders->agent);
}

int log_event_match_ours(sd_journal *journal, const struct log_senders *senders) {
        int r = match_ours(journal, false, senders->agent);

        return r < 0 ? r : match_helper(journal, senders);
}

int log_event_match(sd_journal *journal, const struct log_senders *senders) {
        int r = log_event_match_evidence(journal, senders);

        if (r >= 0)
                r = match_helper(journal, senders);
        if (r >= 0)
                r = match_user(journal, 0);
        for (size_t i = 0; r >= 0 && i < sizeof(sshd_names) / sizeof(sshd_names[0]); i++)
                r = match(journal, "SYSLOG_IDENTIFIER", sshd_names[i]);
        return r;
}

/* What the entry has under a name, cut at the size. 1; 0: nothing, and "" is in `ret`. */
static int field(sd_journal *journal, const char *name, char *ret, size_t size) {
        size_t length, prefix = strlen(name) + 1;
        const void *raw;
        int r;

        ret[0] = '\0';
        r = sd_journal_get_data(journal, name, &raw, &length);
        if (r == -ENOENT || r == -E2BIG || r == -EBADMSG)
                return 0;
        if (r < 0)
                return r;
        if (length < prefix)
                return 0;
        length -= prefix;
        if (length >= size)
                length = size - 1;
        memcpy(ret, (const char *)raw + prefix, length);
        ret[length] = '\0';
        return 1;
}

/* A decimal number and nothing else; 0 otherwise. */
static uint64_t as_number(const char *text) {
        char *end;
        uint64_t value;

        if (*text < '0' || *text > '9')
                return 0;
        errno = 0;
        value = strtoull(text, &end, 10);
        return *end || errno > 0 ? 0 : value;
}

/* What is no number counts as 0. */
static bool sent_by(const char *uid, uid_t expected) {
        return expected == 0 ? strcmp(uid, "0") == 0 : as_number(uid) == expected;
}

static bool names_sshd(const char *program) {
        for (size_t i = 0; i < sizeof(sshd_names) / sizeof(sshd_names[0]); i++)
                if (strcmp(program, sshd_names[i]) == 0)
                        return true;
        return false;
}

/* 1: it is. 0: it is not. `ret_certain` is false when the journal does not know the program. */
static int is_sshd(sd_journal *journal, const char *uid, bool *ret_certain) {
        char name[64], program[512];
        const char *base;
        int r;

        if (!sent_by(uid, 0))
                return 0;
        r = field(journal, "SYSLOG_IDENTIFIER", name, sizeof(name));
        if (r <= 0 || !names_sshd(name))
                return r < 0 ? r : 0;
        r = field(journal, "_COMM", name, sizeof(name));
        if (r < 0 || (r > 0 && !names_sshd(name)))
                return r < 0 ? r : 0;
        *ret_certain = r > 0;
        r = field(journal, "_EXE", program, sizeof(program));
        if (r <= 0)
                return r < 0 ? r : 1;
        base = strrchr(program, '/');
        return base && names_sshd(base + 1);
}

static enum log_event_kind kind_of(const char *message_id, const char *uid, const struct log_senders *senders,
                                   bool *ret_of_helper) {
        for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
                if (strcmp(ours[i].id, message_id) == 0 &&
                    (sent_by(uid, ours[i].of_helper ? senders->helper : senders->agent) ||
                     (ours[i].kind == LOG_EVENT_HELPER_FAILURE && sent_by(uid, 0)))) {
                        *ret_of_helper = ours[i].of_helper;
                        return ours[i].kind;
                }
        return 0;
}

/* A time since 1970 that is not after `latest_us`; 0 otherwise. */
static int64_t as_time(const char *text, int64_t latest_us) {
        uint64_t us = as_number(text);

        return us > 0 && us <= (uint64_t)latest_us ? (int64_t)us : 0;
}

/* When it was sent. The journal's own time is when it was read. */
static int read_time(sd_journal *journal, struct log_event *ret) {
        char text[32];
        uint64_t us;
        int r;

        r = sd_journal_get_monotonic_usec(journal, &us, &ret->boot);
        if (r >= 0)
                r = sd_journal_get_realtime_usec(journal, &us);
        if (r < 0)
                return r;
        ret->sent_us = (int64_t)us;
        r = field(journal, "_SOURCE_REALTIME_TIMESTAMP", text, sizeof(text));
        if (r < 0)
                return r;
        us = as_number(text);
        if (us > 0 && us <= INT64_MAX)
                ret->sent_us = (int64_t)us;
        ret->at_us = ret->sent_us;
        return 1;
}

struct wanted {
        const char *name;
        char *to;
        size_t size;
};

static int read_fields(sd_journal *journal, const struct wanted *fields, size_t n) {
        for (size_t i = 0; i < n; i++) {
                int r = field(journal, fields[i].name, fields[i].to, fields[i].size);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* All values of a field that may be repeated, of which field() finds one. */
static int read_pids(sd_journal *journal, struct log_event *ret) {
        static const char prefix[] = FIELD_SSHD_PID "=";
        const void *raw;
        size_t length;
        int r;

        sd_journal_restart_data(journal);
        while ((r = sd_journal_enumerate_available_data(journal, &raw, &length)) > 0) {
                char text[24];
                uint64_t pid;

                if (length < sizeof(prefix) - 1 || length - (sizeof(prefix) - 1) >= sizeof(text) ||
                    memcmp(raw, prefix, sizeof(prefix) - 1) != 0)
                        continue;
                length -= sizeof(prefix) - 1;
                memcpy(text, (const char *)raw + sizeof(prefix) - 1, length);
                text[length] = '\0';
                pid = as_number(text);
                if (pid > 0 && ret->n_pids < GRANT_CONNECTIONS_MAX)
                        ret->pids[ret->n_pids++] = pid;
        }
        return r;
}

/* "1 of 2"; what else stands there says nothing. */
static void take_connections(const char *text, struct log_event *ret) {
        unsigned taken, all;
        char rest;

        if (sscanf(text, "%u of %u%c", &taken, &all, &rest) != 2 || taken > all || all > GRANT_CONNECTIONS_MAX)
                return;
        ret->n_taken = taken;
        ret->slots_final = true;
}

/* What only the agent's events have. */
static int read_agents(sd_journal *journal, struct log_event *ret) {
        char time[32], lost[32], since[32], stored[32], connections[32];
        const struct wanted fields[] = {
                {FIELD_TIME, time, sizeof(time)},
                {FIELD_LOST, lost, sizeof(lost)},
                {FIELD_LOST_SINCE, since, sizeof(since)},
                {FIELD_STORED, stored, sizeof(stored)},
                {FIELD_CONNECTIONS, connections, sizeof(connections)},
        };
        int64_t happened_us;
        int r = read_fields(journal, fields, sizeof(fields) / sizeof(fields[0]));

        if (r < 0)
                return r;
        happened_us = as_time(time, ret->sent_us);
        if (happened_us > 0)
                ret->at_us = happened_us;
        ret->n_lost = as_number(lost);
        ret->lost_since_us = as_time(since, ret->at_us);
        if (ret->kind != LOG_EVENT_EXPIRED && ret->kind != LOG_EVENT_REVOKED)
                return 1;
        ret->stored_us = as_time(stored, ret->at_us);
        take_connections(connections, ret);
        r = read_pids(journal, ret);
        if (ret->n_taken < ret->n_pids)
                ret->n_taken = (unsigned)ret->n_pids;
        return r < 0 ? r : 1;
}

static int read_ours(sd_journal *journal, bool of_helper, struct log_event *ret) {
        char pid[32] = "";
        const struct wanted fields[] = {
                {"MESSAGE", ret->message, sizeof(ret->message)},
                {FIELD_USER, ret->user, sizeof(ret->user)},
                {FIELD_FINGERPRINT, ret->fingerprint, sizeof(ret->fingerprint)},
                {FIELD_PRINCIPAL, ret->principal, sizeof(ret->principal)},
                {FIELD_REQUEST_ID, ret->request_id, sizeof(ret->request_id)},
                {FIELD_REASON, ret->reason, sizeof(ret->reason)},
        };
        int r = read_fields(journal, fields, sizeof(fields) / sizeof(fields[0]));

        if (r >= 0)
                r = read_time(journal, ret);
        if (r < 0)
                return r;
        if (!of_helper)
                return read_agents(journal, ret);
        r = field(journal, FIELD_SSHD_PID, pid, sizeof(pid));
        ret->pid = as_number(pid);
        return r < 0 ? r : 1;
}

/* Whether `log` shows entries of that service. sshd's is ssh or sshd, or one for each connection. */
static bool of_interest(const char *unit, const char *program) {
        return strncmp(unit, "exc-instance-connect", strlen("exc-instance-connect")) == 0 ||
               strncmp(unit, "ssh", 3) == 0 || names_sshd(program);
}

/* "Suppressed N messages from UNIT" (server_process_native_message() and others in systemd's journald). */
static int read_dropped(sd_journal *journal, const char *uid, struct log_event *ret) {
        char transport[16], program[64], dropped[32];
        const struct wanted fields[] = {
                {"_TRANSPORT", transport, sizeof(transport)},
                {"OBJECT_SYSTEMD_UNIT", ret->unit, sizeof(ret->unit)},
                {"OBJECT_COMM", program, sizeof(program)},
                {"N_DROPPED", dropped, sizeof(dropped)},
        };
        int r = read_fields(journal, fields, sizeof(fields) / sizeof(fields[0]));

        if (r < 0)
                return r;
        ret->n_lost = as_number(dropped);
        if (!sent_by(uid, 0) || strcmp(transport, "driver") != 0 || !of_interest(ret->unit, program) ||
            ret->n_lost == 0)
                return 0;
        ret->kind = LOG_EVENT_DROPPED;
        return read_time(journal, ret);
}

static int read_sshd(sd_journal *journal, struct log_event *ret) {
        char pid[32];
        int r;

        r = field(journal, "MESSAGE", ret->message, sizeof(ret->message));
        if (r < 0)
                return r;
        if (!sshd_line_parse(ret->message, &ret->line))
                return 0;
        r = field(journal, "_PID", pid, sizeof(pid));
        if (r < 0)
                return r;
        ret->kind = LOG_EVENT_SSHD;
        ret->pid = ret->line.pid > 0 ? ret->line.pid : as_number(pid);
        return read_time(journal, ret);
}

/* An entry that is damaged is none. */
static int read_entry(sd_journal *journal, const struct log_senders *senders, struct log_event *ret) {
        char uid[24], message_id[40];
        bool of_helper;
        int r;

        *ret = (struct log_event){0};
        r = field(journal, "_UID", uid, sizeof(uid));
        if (r >= 0)
                r = field(journal, "MESSAGE_ID", message_id, sizeof(message_id));
        if (r < 0)
                return r;
        ret->kind = kind_of(message_id, uid, senders, &of_helper);
        if (ret->kind > 0)
                return read_ours(journal, of_helper, ret);
        if (strcmp(message_id, SD_MESSAGE_JOURNAL_DROPPED_STR) == 0)
                return read_dropped(journal, uid, ret);
        r = is_sshd(journal, uid, &ret->certain);
        return r > 0 ? read_sshd(journal, ret) : r;
}

int log_event_read(sd_journal *journal, const struct log_senders *senders, struct log_event *ret) {
        struct log_event event;
        int r = read_entry(journal, senders, &event);

        if (r == -EBADMSG || r == -EADDRNOTAVAIL || r == -ENODATA)
                return 0;
        if (r > 0)
                *ret = event;
        return r;
}
