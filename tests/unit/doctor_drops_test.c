/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/doctor_drops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct findings findings;

static struct log_event event_of(enum log_event_kind kind, const char *user, const char *fingerprint) {
        struct log_event event = {.kind = kind};

        (void)snprintf(event.user, sizeof(event.user), "%s", user);
        (void)snprintf(event.fingerprint, sizeof(event.fingerprint), "%s", fingerprint);
        return event;
}

/* Of these events, the last one first. */
static const char *reported(const struct log_event *events, size_t n, const char *user) {
        struct doctor_slots slots = {.user = ""};

        memset(&findings, 0, sizeof(findings));
        for (size_t i = 0; i < n; i++)
                doctor_slots_note(&slots, &events[i], user);
        doctor_slots_report(&slots, &findings);
        return findings.n == 0 ? NULL : findings.at[0].text;
}

static void connection_without_a_slot_is_a_warning(void **state) {
        const struct log_event events[] = {
                event_of(LOG_EVENT_CLAIMED, "alice", "SHA256:claimed"),
                event_of(LOG_EVENT_NO_SLOT, "alice", "SHA256:last"),
                event_of(LOG_EVENT_NO_SLOT, "alice", "SHA256:first"),
        };

        (void)state;
        assert_string_equal(reported(events, 3, NULL),
                            "within the last hour a connection of alice was refused the key SHA256:last, because other "
                            "connections held all slots of it: for a client that opens several, push with "
                            "--connections N, or 0");
        assert_int_equal(findings.n, 1);
        assert_int_equal(findings.at[0].status, FINDING_WARNING);
        assert_string_equal(findings.at[0].name, "key-slots");
        assert_null(findings_first_failure(&findings));
}

static void other_events_are_not_reported(void **state) {
        const struct log_event events[] = {
                event_of(LOG_EVENT_CLAIMED, "alice", "SHA256:a"),
                event_of(LOG_EVENT_EXPIRED, "alice", "SHA256:a"),
                event_of(LOG_EVENT_HELPER_FAILURE, "alice", "SHA256:a"),
        };

        (void)state;
        assert_null(reported(events, 3, NULL));
}

static void another_user_s_are_not_reported(void **state) {
        const struct log_event events[] = {
                event_of(LOG_EVENT_NO_SLOT, "bob", "SHA256:b"),
                event_of(LOG_EVENT_NO_SLOT, "alice", "SHA256:a"),
        };

        (void)state;
        assert_non_null(strstr(reported(events, 2, "alice"), "of alice was refused the key SHA256:a,"));
        assert_non_null(strstr(reported(events, 2, NULL), "of bob was refused the key SHA256:b,"));
        assert_null(reported(events, 2, "carol"));
}

static void event_without_user_or_key_is_not_reported(void **state) {
        const struct log_event events[] = {
                event_of(LOG_EVENT_NO_SLOT, "alice", ""),
                event_of(LOG_EVENT_NO_SLOT, "", "SHA256:a"),
        };

        (void)state;
        assert_null(reported(events, 2, NULL));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(connection_without_a_slot_is_a_warning),
                cmocka_unit_test(other_events_are_not_reported),
                cmocka_unit_test(another_user_s_are_not_reported),
                cmocka_unit_test(event_without_user_or_key_is_not_reported),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
