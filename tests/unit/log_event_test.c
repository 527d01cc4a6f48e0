/* SPDX-License-Identifier: Apache-2.0 */
/* Which entries count, and which do not: the journal is a list of fields here. */
#include "admin/log/log_event.h"

#include <errno.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/events.h"

#define JOURNAL ((sd_journal *)&entry)

static const struct log_senders senders = {.agent = 995, .helper = 994};
static struct {
        char fields[128][512];
        size_t n, enumerated;
        int error; /* of every read */
} entry;
static const char *missing_user;

int __wrap_sd_journal_get_data(sd_journal *journal, const char *field, const void **ret, size_t *ret_length);
int __wrap_sd_journal_enumerate_available_data(sd_journal *journal, const void **ret, size_t *ret_length);
void __wrap_sd_journal_restart_data(sd_journal *journal);
int __wrap_sd_journal_get_realtime_usec(sd_journal *journal, uint64_t *ret);
int __wrap_sd_journal_get_monotonic_usec(sd_journal *journal, uint64_t *ret, sd_id128_t *ret_boot);
struct passwd *__wrap_getpwnam(const char *name);

int __wrap_sd_journal_get_data(sd_journal *journal, const char *field, const void **ret, size_t *ret_length) {
        size_t n = strlen(field);

        assert_ptr_equal(journal, JOURNAL);
        if (entry.error < 0)
                return entry.error;
        for (size_t i = 0; i < entry.n; i++)
                if (strncmp(entry.fields[i], field, n) == 0 && entry.fields[i][n] == '=') {
                        *ret = entry.fields[i];
                        *ret_length = strlen(entry.fields[i]);
                        return 0;
                }
        return -ENOENT;
}

void __wrap_sd_journal_restart_data(sd_journal *journal) {
        assert_ptr_equal(journal, JOURNAL);
        entry.enumerated = 0;
}

int __wrap_sd_journal_enumerate_available_data(sd_journal *journal, const void **ret, size_t *ret_length) {
        assert_ptr_equal(journal, JOURNAL);
        if (entry.error < 0)
                return entry.error;
        if (entry.enumerated == entry.n)
                return 0;
        *ret = entry.fields[entry.enumerated++];
        *ret_length = strlen(*ret);
        return 1;
}

int __wrap_sd_journal_get_realtime_usec(sd_journal *journal, uint64_t *ret) {
        (void)journal;
        *ret = 1000;
        return entry.error;
}

int __wrap_sd_journal_get_monotonic_usec(sd_journal *journal, uint64_t *ret, sd_id128_t *ret_boot) {
        (void)journal;
        *ret = 5;
        *ret_boot = SD_ID128_MAKE(1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6);
        return entry.error;
}

struct passwd *__wrap_getpwnam(const char *name) {
        static struct passwd found;

        errno = 0;
        if (missing_user && strcmp(name, missing_user) == 0)
                return NULL;
        found.pw_uid = strcmp(name, "exc-instance-connect") == 0 ? 995 : 994;
        return &found;
}

static void field(const char *text) {
        (void)snprintf(entry.fields[entry.n++], sizeof(entry.fields[0]), "%s", text);
}

/* Takes fields, ended by NULL. */
static int reads(struct log_event *ret, const char *first, ...) {
        va_list fields;

        memset(&entry, 0, sizeof(entry));
        va_start(fields, first);
        for (const char *at = first; at; at = va_arg(fields, const char *))
                field(at);
        va_end(fields);
        return log_event_read(JOURNAL, &senders, ret);
}

static void an_event_of_the_agent_has_all_its_fields(void **state) {
        struct log_event event;

        (void)state;
        assert_int_equal(reads(&event, "_UID=995", "MESSAGE_ID=" EVENT_REFUSED, "MESSAGE=m", "EXC_USER=alice",
                               "EXC_FINGERPRINT=SHA256:x", "EXC_PRINCIPAL=carol", "EXC_REQUEST_ID=r",
                               "EXC_REASON=Expired", "_SOURCE_REALTIME_TIMESTAMP=900", NULL),
                         1);
        assert_int_equal(event.kind, LOG_EVENT_REFUSED);
        assert_string_equal(event.message, "m");
        assert_string_equal(event.user, "alice");
        assert_string_equal(event.fingerprint, "SHA256:x");
        assert_string_equal(event.principal, "carol");
        assert_string_equal(event.request_id, "r");
        assert_string_equal(event.reason, "Expired");
        assert_int_equal(event.at_us, 900);
        assert_int_equal(event.boot.bytes[1], 2);
        assert_int_equal(event.pid, 0);
}

static void an_event_of_the_helper_names_the_connection_s_process(void **state) {
        struct log_event event;

        (void)state;
        assert_int_equal(reads(&event, "_UID=994", "MESSAGE_ID=" EVENT_CLAIMED, "EXC_SSHD_PID=4711", "_PID=9", NULL),
                         1);
        assert_int_equal(event.kind, LOG_EVENT_CLAIMED);
        assert_int_equal(event.pid, 4711);
        assert_int_equal(event.at_us, 1000);
        assert_int_equal(reads(&event, "_UID=994", "MESSAGE_ID=" EVENT_CLAIMED, "EXC_SSHD_PID=12x", NULL), 1);
        assert_int_equal(event.pid, 0);
}

static void each_event_counts_from_its_own_sender_alone(void **state) {
        static const struct {
                const char *id;
                enum log_event_kind kind;
                const char *sender;
        } events[] = {
                {EVENT_RECEIVED, LOG_EVENT_RECEIVED, "995"},      {EVENT_REFUSED, LOG_EVENT_REFUSED, "995"},
                {EVENT_EXPIRED, LOG_EVENT_EXPIRED, "995"},        {EVENT_REVOKED, LOG_EVENT_REVOKED, "995"},
                {EVENT_CLAIMED, LOG_EVENT_CLAIMED, "994"},        {EVENT_NO_SLOT, LOG_EVENT_NO_SLOT, "994"},
                {EVENT_FAILURE, LOG_EVENT_HELPER_FAILURE, "994"}, {EVENT_LOST, LOG_EVENT_LOST, "995"},
        };
        static const char *const others[] = {"1000", "", "-1", "995x", " 995", "994 ", "4294968291"};
        struct log_event event;
        char uid[32], id[64];

        (void)state;
        for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
                (void)snprintf(id, sizeof(id), "MESSAGE_ID=%s", events[i].id);
                (void)snprintf(uid, sizeof(uid), "_UID=%s", events[i].sender);
                assert_int_equal(reads(&event, uid, id, NULL), 1);
                assert_int_equal(event.kind, events[i].kind);
                (void)snprintf(uid, sizeof(uid), "_UID=%s", events[i].sender[2] == '5' ? "994" : "995");
                assert_int_equal(reads(&event, uid, id, NULL), 0);
                /* exc-authorized-keys-chain runs as root. */
                assert_int_equal(reads(&event, "_UID=0", id, NULL), events[i].kind == LOG_EVENT_HELPER_FAILURE);
                for (size_t j = 0; j < sizeof(others) / sizeof(others[0]); j++) {
                        (void)snprintf(uid, sizeof(uid), "_UID=%s", others[j]);
                        assert_int_equal(reads(&event, uid, id, NULL), 0);
                }
                assert_int_equal(reads(&event, id, NULL), 0);
        }
}

#define ACCEPTED "MESSAGE=Accepted publickey for alice from ::1 port 1 ssh2: RSA x"

static void a_line_of_sshd_counts_from_root_and_from_sshd(void **state) {
        struct log_event event;

        (void)state;
        assert_int_equal(reads(&event, "_UID=0", "SYSLOG_IDENTIFIER=sshd", "_COMM=sshd", "_EXE=/usr/sbin/sshd",
                               "_PID=50", ACCEPTED, NULL),
                         1);
        assert_int_equal(event.kind, LOG_EVENT_SSHD);
        assert_int_equal(event.pid, 50);
        assert_int_equal(event.line.said, SSHD_SAID_ACCEPTED);
        assert_int_equal(reads(&event, "_UID=0", "SYSLOG_IDENTIFIER=sshd-session", "_COMM=sshd-session",
                               "_EXE=/usr/lib/openssh/sshd-session", "_PID=50", ACCEPTED, NULL),
                         1);
        assert_true(event.certain);
        assert_int_equal(reads(&event, "_UID=0", "SYSLOG_IDENTIFIER=sshd", "_COMM=sshd", "_PID=50", ACCEPTED, NULL), 1);
        assert_true(event.certain);
        /* The journal was too slow to see what program it was. */
        assert_int_equal(reads(&event, "_UID=0", "SYSLOG_IDENTIFIER=sshd-session", "_PID=50", ACCEPTED, NULL), 1);
        assert_false(event.certain);
}

static void a_line_of_sshd_from_anybody_else_does_not(void **state) {
        struct log_event event;

        (void)state;
        /* A user with a logger(1), and one with a copy of sshd. */
        assert_int_equal(
                reads(&event, "_UID=1000", "SYSLOG_IDENTIFIER=sshd", "_COMM=logger", "_PID=50", ACCEPTED, NULL), 0);
        assert_int_equal(reads(&event, "_UID=1000", "SYSLOG_IDENTIFIER=sshd", "_COMM=sshd", "_EXE=/usr/sbin/sshd",
                               "_PID=50", ACCEPTED, NULL),
                         0);
        assert_int_equal(reads(&event, "SYSLOG_IDENTIFIER=sshd", "_COMM=sshd", "_PID=50", ACCEPTED, NULL), 0);
        /* Other programs of root's. */
        assert_int_equal(reads(&event, "_UID=0", "SYSLOG_IDENTIFIER=sshd", "_COMM=logger", "_PID=50", ACCEPTED, NULL),
                         0);
        assert_int_equal(reads(&event, "_UID=0", "SYSLOG_IDENTIFIER=sshd", "_COMM=sshd", "_EXE=/usr/bin/logger",
                               "_PID=50", ACCEPTED, NULL),
                         0);
        assert_int_equal(reads(&event, "_UID=0", "SYSLOG_IDENTIFIER=sshd", "_EXE=sshd", "_PID=50", ACCEPTED, NULL), 0);
        assert_int_equal(reads(&event, "_UID=0", "SYSLOG_IDENTIFIER=login", "_COMM=sshd", "_PID=50", ACCEPTED, NULL),
                         0);
        assert_int_equal(reads(&event, "_UID=0", "_COMM=sshd", "_PID=50", ACCEPTED, NULL), 0);
        /* And what says nothing. */
        assert_int_equal(reads(&event, "_UID=0", "SYSLOG_IDENTIFIER=sshd", "_COMM=sshd", "_PID=50", "MESSAGE=x", NULL),
                         0);
}

static void the_process_that_a_line_names_is_the_connection_s(void **state) {
        struct log_event event;

        (void)state;
        assert_int_equal(reads(&event, "_UID=0", "SYSLOG_IDENTIFIER=sshd", "_COMM=sshd", "_PID=1",
                               "MESSAGE=Timeout before authentication for connection from a to b, pid = 77", NULL),
                         1);
        assert_int_equal(event.pid, 77);
}

static void key_end_names_all_connections(void **state) {
        struct log_event event;

        (void)state;
        assert_int_equal(reads(&event, "_UID=995", "MESSAGE_ID=" EVENT_EXPIRED, "EXC_SSHD_PID=50",
                               "EXC_CONNECTIONS=3 of 5", "EXC_SSHD_PID=51", "EXC_SSHD_PID=x", "EXC_SSHD_PIDS=52",
                               "EXC_STORED=700", "EXC_SSHD_PID=4194304", "EXC_SSHD_PID=", "EXC_SSHD_PID", NULL),
                         1);
        assert_int_equal(event.n_pids, 3);
        assert_int_equal(event.pids[0], 50);
        assert_int_equal(event.pids[1], 51);
        assert_int_equal(event.pids[2], 4194304);
        assert_true(event.slots_final);
        assert_int_equal(event.n_taken, 3);
        assert_int_equal(event.stored_us, 700);
        assert_int_equal(event.pid, 0);
        /* Of a helper it is the one connection that it is about. */
        assert_int_equal(reads(&event, "_UID=994", "MESSAGE_ID=" EVENT_CLAIMED, "EXC_SSHD_PID=50", NULL), 1);
        assert_int_equal(event.n_pids, 0);
}

static void pids_are_bounded(void **state) {
        struct log_event event;

        (void)state;
        memset(&entry, 0, sizeof(entry));
        field("_UID=995");
        field("MESSAGE_ID=" EVENT_REVOKED);
        for (int i = 0; i < GRANT_CONNECTIONS_MAX + 5; i++)
                field("EXC_SSHD_PID=7");
        assert_int_equal(log_event_read(JOURNAL, &senders, &event), 1);
        assert_int_equal(event.n_pids, GRANT_CONNECTIONS_MAX);
        assert_int_equal(event.n_taken, GRANT_CONNECTIONS_MAX);
        assert_false(event.slots_final);
}

static void slot_count_is_strict(void **state) {
        static const char *const wrong[] = {"any",     "1",       "2 of 1", "0 of 1 ", "0 of 101",
                                            "0 of 1x", "-1 of 1", "of 1",   ""};
        struct log_event event;
        char text[64];

        (void)state;
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                (void)snprintf(text, sizeof(text), "EXC_CONNECTIONS=%s", wrong[i]);
                assert_int_equal(reads(&event, "_UID=995", "MESSAGE_ID=" EVENT_EXPIRED, text, NULL), 1);
                assert_false(event.slots_final);
        }
        assert_int_equal(reads(&event, "_UID=995", "MESSAGE_ID=" EVENT_EXPIRED, "EXC_CONNECTIONS=0 of 1", NULL), 1);
        assert_true(event.slots_final);
        assert_int_equal(event.n_taken, 0);
        /* A slot is taken by each that is named, whatever the number. */
        assert_int_equal(reads(&event, "_UID=995", "MESSAGE_ID=" EVENT_EXPIRED, "EXC_CONNECTIONS=0 of 1",
                               "EXC_SSHD_PID=50", NULL),
                         1);
        assert_int_equal(event.n_taken, 1);
}

static void late_event_has_its_time(void **state) {
        struct log_event event;

        (void)state;
        assert_int_equal(reads(&event, "_UID=995", "MESSAGE_ID=" EVENT_RECEIVED, "_SOURCE_REALTIME_TIMESTAMP=900",
                               "EXC_TIME=800", NULL),
                         1);
        assert_int_equal(event.at_us, 800);
        assert_int_equal(event.sent_us, 900);
        /* It cannot have been sent before it happened, and of the helper's none waits. */
        assert_int_equal(reads(&event, "_UID=995", "MESSAGE_ID=" EVENT_RECEIVED, "_SOURCE_REALTIME_TIMESTAMP=900",
                               "EXC_TIME=901", NULL),
                         1);
        assert_int_equal(event.at_us, 900);
        assert_int_equal(reads(&event, "_UID=994", "MESSAGE_ID=" EVENT_CLAIMED, "_SOURCE_REALTIME_TIMESTAMP=900",
                               "EXC_TIME=800", NULL),
                         1);
        assert_int_equal(event.at_us, 900);
}

static void loss_has_number_and_time(void **state) {
        struct log_event event;

        (void)state;
        assert_int_equal(reads(&event, "_UID=995", "MESSAGE_ID=" EVENT_LOST, "EXC_LOST=12", "EXC_LOST_SINCE=700", NULL),
                         1);
        assert_int_equal(event.kind, LOG_EVENT_LOST);
        assert_int_equal(event.n_lost, 12);
        assert_int_equal(event.lost_since_us, 700);
        assert_int_equal(
                reads(&event, "_UID=995", "MESSAGE_ID=" EVENT_RECEIVED, "EXC_LOST=1", "EXC_LOST_SINCE=x", NULL), 1);
        assert_int_equal(event.n_lost, 1);
        assert_int_equal(event.lost_since_us, 0);
        /* The helper cannot know. */
        assert_int_equal(reads(&event, "_UID=994", "MESSAGE_ID=" EVENT_CLAIMED, "EXC_LOST=1", NULL), 1);
        assert_int_equal(event.n_lost, 0);
}

#define DROPPED "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e"

static void journal_drops_of_ours_and_sshd_count(void **state) {
        static const char *const units[] = {"OBJECT_SYSTEMD_UNIT=ssh.service", "OBJECT_SYSTEMD_UNIT=ssh@3-x.service",
                                            "OBJECT_SYSTEMD_UNIT=sshd.service",
                                            "OBJECT_SYSTEMD_UNIT=exc-instance-connect.service"};
        struct log_event event;

        (void)state;
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
                assert_int_equal(reads(&event, "_UID=0", "_TRANSPORT=driver", DROPPED, "N_DROPPED=26", units[i], NULL),
                                 1);
                assert_int_equal(event.kind, LOG_EVENT_DROPPED);
                assert_int_equal(event.n_lost, 26);
                assert_string_equal(event.unit, units[i] + strlen("OBJECT_SYSTEMD_UNIT="));
        }
        assert_int_equal(reads(&event, "_UID=0", "_TRANSPORT=driver", DROPPED, "N_DROPPED=26",
                               "OBJECT_SYSTEMD_UNIT=own.service", "OBJECT_COMM=sshd-session", NULL),
                         1);
        /* Of others, of nothing, and from anybody but the journal. */
        assert_int_equal(reads(&event, "_UID=0", "_TRANSPORT=driver", DROPPED, "N_DROPPED=26",
                               "OBJECT_SYSTEMD_UNIT=user@1000.service", "OBJECT_COMM=bash", NULL),
                         0);
        assert_int_equal(reads(&event, "_UID=0", "_TRANSPORT=driver", DROPPED, units[0], NULL), 0);
        assert_int_equal(reads(&event, "_UID=0", "_TRANSPORT=journal", DROPPED, "N_DROPPED=26", units[0], NULL), 0);
        assert_int_equal(reads(&event, "_UID=1000", "_TRANSPORT=driver", DROPPED, "N_DROPPED=26", units[0], NULL), 0);
        assert_int_equal(reads(&event, "_UID=0", DROPPED, "N_DROPPED=26", units[0], NULL), 0);
}

static void what_is_too_long_is_cut(void **state) {
        char user[512] = "EXC_USER=";
        struct log_event event;

        (void)state;
        memset(user + 9, 'u', sizeof(user) - 10);
        assert_int_equal(reads(&event, "_UID=995", "MESSAGE_ID=" EVENT_RECEIVED, user, NULL), 1);
        assert_int_equal(strlen(event.user), sizeof(event.user) - 1);
}

static void an_entry_that_is_damaged_is_passed_over_and_other_errors_are_not(void **state) {
        struct log_event event;

        (void)state;
        memset(&entry, 0, sizeof(entry));
        entry.error = -EBADMSG;
        assert_int_equal(log_event_read(JOURNAL, &senders, &event), 0);
        entry.error = -EIO;
        assert_int_equal(log_event_read(JOURNAL, &senders, &event), -EIO);
}

static void the_senders_are_the_package_s_users(void **state) {
        struct log_senders found = {0};

        (void)state;
        assert_int_equal(log_senders_find(&found), 0);
        assert_int_equal(found.agent, 995);
        assert_int_equal(found.helper, 994);
        found.agent = 1;
        missing_user = "exc-authorized-keys";
        assert_int_equal(log_senders_find(&found), -ENOENT);
        missing_user = "exc-instance-connect";
        assert_int_equal(log_senders_find(&found), -ENOENT);
        missing_user = NULL;
        assert_int_equal(found.agent, 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_event_of_the_agent_has_all_its_fields),
                cmocka_unit_test(an_event_of_the_helper_names_the_connection_s_process),
                cmocka_unit_test(each_event_counts_from_its_own_sender_alone),
                cmocka_unit_test(a_line_of_sshd_counts_from_root_and_from_sshd),
                cmocka_unit_test(a_line_of_sshd_from_anybody_else_does_not),
                cmocka_unit_test(the_process_that_a_line_names_is_the_connection_s),
                cmocka_unit_test(key_end_names_all_connections),
                cmocka_unit_test(pids_are_bounded),
                cmocka_unit_test(slot_count_is_strict),
                cmocka_unit_test(late_event_has_its_time),
                cmocka_unit_test(loss_has_number_and_time),
                cmocka_unit_test(journal_drops_of_ours_and_sshd_count),
                cmocka_unit_test(what_is_too_long_is_cut),
                cmocka_unit_test(an_entry_that_is_damaged_is_passed_over_and_other_errors_are_not),
                cmocka_unit_test(the_senders_are_the_package_s_users),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
