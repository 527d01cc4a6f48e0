/* SPDX-License-Identifier: Apache-2.0 */
#include "authkeys-helper/event.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/events.h"
#include "common/lifetime.h"
#include "tests/unit/journal_socket.h"

static const struct connection_id who = {4711, 5};

/* What `send` writes to standard error, ended by a NUL. */
static const char *errors_of(void (*send)(void)) {
        static char text[8192];
        int saved = dup(STDERR_FILENO), file = memfd_create("stderr", MFD_CLOEXEC);
        ssize_t n;

        assert_true(saved >= 0 && file >= 0);
        assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
        send();
        assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
        n = pread(file, text, sizeof(text) - 1, 0);
        assert_true(n >= 0);
        text[n] = '\0';
        assert_int_equal(close(file), 0);
        assert_int_equal(close(saved), 0);
        return text;
}

/* Parses one datagram and compares: names and values by turns, ended by NULL. */
static void assert_event(const char *const *expected) {
        ssize_t n = journal_socket_read();
        struct bytes from = {(const uint8_t *)journal_datagram, (size_t)n};

        assert_true(n > 0);
        for (; expected[0]; expected += 2) {
                struct bytes name, value;

                assert_true(journal_socket_field(&from, &name, &value));
                if (!bytes_equal(name, expected[0], strlen(expected[0])))
                        fail_msg("instead of %s: %.*s", expected[0], (int)name.left, (const char *)name.at);
                if (!bytes_equal(value, expected[1], strlen(expected[1])))
                        fail_msg("%s is %.*s", expected[0], (int)value.left, (const char *)value.at);
        }
        assert_int_equal(from.left, 0);
}

static struct grant grant;
static struct store_place place;

static void send_claimed(void) {
        event_grant(EVENT_CLAIMED, &grant, &place, &who);
}

static void send_no_slot(void) {
        event_grant(EVENT_NO_SLOT, &grant, &place, &who);
}

static void send_failure(void) {
        event_failure("ada", &who, "%s does not work: %d", "this", 17);
}

static void prepare(void) {
        grant = (struct grant){.user = "ada", .principal = "ops", .request_id = "REQ-1"};
        scratch_fingerprint('-', place.fingerprint);
        place.fingerprint[0] = 'A';
        place.fingerprint[42] = '_';
}

#define FINGERPRINT "SHA256:A+++++++++++++++++++++++++++++++++++++++++/"

static void claim_has_the_fields_that_join_it_to_sshds_line(void **state) {
        (void)state;
        prepare();
        assert_string_equal(errors_of(send_claimed), "");
        assert_event((const char *const[]){"EXC_USER", "ada", "EXC_FINGERPRINT", FINGERPRINT, "EXC_SSHD_PID", "4711",
                                           "EXC_PRINCIPAL", "ops", "EXC_REQUEST_ID", "REQ-1", "MESSAGE_ID",
                                           "1281102fdec785c67f97d2aedf0d9e34", "MESSAGE",
                                           "Key " FINGERPRINT " of ada given to the SSH connection of sshd[4711]",
                                           "PRIORITY", "6", "SYSLOG_IDENTIFIER", "exc-authorized-keys", NULL});
}

static void used_up_key_is_an_event(void **state) {
        (void)state;
        prepare();
        assert_string_equal(errors_of(send_no_slot), "");
        assert_event((const char *const[]){
                "EXC_USER", "ada", "EXC_FINGERPRINT", FINGERPRINT, "EXC_SSHD_PID", "4711", "EXC_PRINCIPAL", "ops",
                "EXC_REQUEST_ID", "REQ-1", "MESSAGE_ID", "9efc753be9e68f245e0bb5794c2e22a4", "MESSAGE",
                "Key " FINGERPRINT " of ada refused to the SSH connection of sshd[4711]: its connections are used up",
                "PRIORITY", "5", "SYSLOG_IDENTIFIER", "exc-authorized-keys", NULL});
}

static void failure_names_user_and_reason(void **state) {
        (void)state;
        assert_string_equal(errors_of(send_failure), "event_test: this does not work: 17\n");
        assert_event((const char *const[]){"EXC_USER", "ada", "EXC_SSHD_PID", "4711", "MESSAGE_ID",
                                           "eac16b8bffdfbe8db6e10b6f640940d5", "MESSAGE", "this does not work: 17",
                                           "PRIORITY", "4", "SYSLOG_IDENTIFIER", "exc-authorized-keys", NULL});
}

static void empty_label_is_no_field(void **state) {
        (void)state;
        prepare();
        grant.principal[0] = '\0';
        grant.request_id[0] = '\0';
        send_claimed();
        assert_event((const char *const[]){"EXC_USER", "ada", "EXC_FINGERPRINT", FINGERPRINT, "EXC_SSHD_PID", "4711",
                                           "MESSAGE_ID", "1281102fdec785c67f97d2aedf0d9e34", "MESSAGE",
                                           "Key " FINGERPRINT " of ada given to the SSH connection of sshd[4711]",
                                           "PRIORITY", "6", "SYSLOG_IDENTIFIER", "exc-authorized-keys", NULL});
}

static void value_cannot_add_a_field(void **state) {
        static const char evil[] = "x\nPRIORITY=0\nMESSAGE\n\1\1\1\1";

        (void)state;
        prepare();
        (void)snprintf(grant.user, sizeof(grant.user), "a\nEXC_USER=root");
        (void)snprintf(grant.principal, sizeof(grant.principal), "%s", evil);
        send_claimed();
        assert_event((const char *const[]){
                "EXC_USER", "a\nEXC_USER=root", "EXC_FINGERPRINT", FINGERPRINT, "EXC_SSHD_PID", "4711", "EXC_PRINCIPAL",
                evil, "EXC_REQUEST_ID", "REQ-1", "MESSAGE_ID", "1281102fdec785c67f97d2aedf0d9e34", "MESSAGE",
                "Key " FINGERPRINT " of a\nEXC_USER=root given to the SSH connection of sshd[4711]", "PRIORITY", "6",
                "SYSLOG_IDENTIFIER", "exc-authorized-keys", NULL});
}

static void longest_grant_fits(void **state) {
        (void)state;
        prepare();
        memset(grant.user, 'u', sizeof(grant.user) - 1);
        memset(grant.principal, 'p', sizeof(grant.principal) - 1);
        memset(grant.request_id, 'r', sizeof(grant.request_id) - 1);
        assert_string_equal(errors_of(send_no_slot), "");
        assert_in_range(journal_socket_read(), 256 + 2 * 1024 + 256, sizeof(journal_datagram));
        memset(&grant, 0, sizeof(grant));
}

static void full_journal_delays_helper_within_bound(void **state) {
        int64_t begun_ns, took_ns;

        (void)state;
        prepare();
        assert_true(journal_socket_fill() > 0);
        begun_ns = instant_now().boot_ns;
        assert_string_equal(errors_of(send_failure), "event_test: this does not work: 17\n");
        took_ns = instant_now().boot_ns - begun_ns;
        assert_true(took_ns >= (EVENT_WAIT_MS - 1) * NS_PER_S / 1000); /* the clock is read in whole milliseconds */
        assert_true(took_ns < 30 * NS_PER_S);
}

static void without_a_journal_stderr_gets_the_message(void **state) {
        (void)state;
        prepare();
        assert_string_equal(errors_of(send_failure), "event_test: this does not work: 17\n");
        assert_string_equal(errors_of(send_claimed),
                            "event_test: Key " FINGERPRINT " of ada given to the SSH connection of sshd[4711]\n");
}

static void send_long_failure(void) {
        static char user[10000], text[10000];

        memset(user, 'u', sizeof(user) - 1);
        memset(text, 't', sizeof(text) - 1);
        event_failure(user, NULL, "%s", text);
}

/* An event that does not fit is cut, or goes to standard error. It is never sent in part. */
static void too_long_message_is_cut(void **state) {
        const char *errors = errors_of(send_long_failure);

        (void)state;
        assert_int_equal(strspn(errors, "event_test: t\n"), strlen(errors));
        assert_in_range(strlen(errors), 1000, 1100);
        assert_int_equal(journal_socket_read(), -1);
}

static void no_descriptor_is_leaked(void **state) {
        int before = dup(0), after;

        (void)state;
        assert_int_equal(close(before), 0);
        send_failure();
        after = dup(0);
        assert_int_equal(after, before);
        assert_int_equal(close(after), 0);
}

#define EVENT_TEST(test) cmocka_unit_test_setup_teardown(test, journal_socket_listen, journal_socket_stop)

int main(void) {
        const struct CMUnitTest tests[] = {
                EVENT_TEST(claim_has_the_fields_that_join_it_to_sshds_line),
                EVENT_TEST(used_up_key_is_an_event),
                EVENT_TEST(failure_names_user_and_reason),
                EVENT_TEST(empty_label_is_no_field),
                EVENT_TEST(value_cannot_add_a_field),
                EVENT_TEST(longest_grant_fits),
                EVENT_TEST(full_journal_delays_helper_within_bound),
                cmocka_unit_test(without_a_journal_stderr_gets_the_message),
                EVENT_TEST(too_long_message_is_cut),
                EVENT_TEST(no_descriptor_is_leaked),
        };

        journal_socket_prepare();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
