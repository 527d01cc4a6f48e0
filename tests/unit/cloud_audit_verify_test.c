/* SPDX-License-Identifier: Apache-2.0 */
/* What is found in logs that somebody changed. */
#include "tests/unit/cloud_audit_fixture.h"

static void whole_logs_have_no_fault(void **state) {
        struct audit *other = open_node("node-2");

        (void)state;
        connect_to(audit, "r1", "42");
        connect_to(other, "r2", "43");
        decide(audit, "r3", "44", "Deny"); /* has its outcome in itself */
        decide(other, "r4", "42", "Deny");
        finish(other, "r4", 403);
        decide(audit, "r5", "42", "Allow");
        sign("push", "r5", "42", head, "refused");
        finish(audit, "r5", 403);
        sign("revoke", "r1", "42", head, "signed"); /* of the same request, later */
        audit_close(other);
        assert_clean(true);
        assert_int_equal(result.lines, 9);
        assert_int_equal(result.decisions, 5);
        assert_int_equal(result.outcomes, 4);
        assert_int_equal(result.signed_requests, 3);
        assert_clean(false);
        assert_int_equal(result.signed_requests, 0);
}

static void changed_line_is_found(void **state) {
        const char *path = path_of(audit_dir, "node-1");
        char *at;

        (void)state;
        for (int i = 0; i < 5; i++) {
                char request[8];

                (void)snprintf(request, sizeof(request), "r%d", i % 10);
                connect_to(audit, request, "42");
        }
        load(path);
        /* With its quotes: a hash may have these letters too. */
        at = strstr(line_at(5), "\"ada\"");
        assert_non_null(at);
        memcpy(at, "\"eve\"", 5);
        save(path);
        assert_one_fault(false, 5, "changed");
        verify(true); /* and that line is one that the signer was shown */
        assert_int_equal(n_faults, 2);
        assert_fault(1, 3, "in no log");
        memcpy(strstr(line_at(5), "\"eve\""), "\"ada\"", 5);
        save(path);
        assert_clean(true);
        *line_at(5) = 'x';
        save(path);
        verify(false);
        assert_fault(0, 5, "changed: not a line of a log");
}

static void changed_last_line_is_found_by_the_signers_log(void **state) {
        const char *path = path_of(audit_dir, "node-1");

        (void)state;
        connect_to(audit, "r1", "42");
        decide(audit, "r2", "42", "Allow");
        sign("push", "r2", "42", head, "signed");
        load(path);
        memcpy(strstr(line_at(3), "\"ada\""), "\"eve\"", 5);
        save(path);
        later_s = 0; /* its outcome may still come */
        assert_clean(false);
        assert_one_fault(true, 2, "in no log");
}

static void removed_line_is_found(void **state) {
        const char *path = path_of(audit_dir, "node-1");

        (void)state;
        connect_to(audit, "r1", "42");
        decide(audit, "r2", "42", "Deny");
        connect_to(audit, "r3", "42");
        load(path);
        remove_lines(3, 4);
        save(path);
        assert_one_fault(false, 3, "removed: lines 3 to 3");
        load(path);
        remove_lines(1, 3);
        save(path);
        verify(false);
        assert_true(n_faults >= 1);
        assert_fault(0, 1, "line 4 of the log in a file that begins with 1");
}

static void log_cut_off_at_its_end_is_found_by_the_signers_log(void **state) {
        const char *path = path_of(audit_dir, "node-1");

        (void)state;
        connect_to(audit, "r1", "42");
        connect_to(audit, "r2", "42");
        load(path);
        remove_lines(3, 5);
        save(path);
        assert_clean(false); /* the chain alone cannot show it */
        assert_one_fault(true, 2, "in no log");
}

static void log_that_is_gone_is_found(void **state) {
        (void)state;
        connect_to(audit, "r1", "42");
        assert_int_equal(unlink(path_of(audit_dir, "node-1")), 0);
        verify(true);
        assert_int_equal(n_faults, 2);
        assert_fault(0, 0, "there is no audit log here");
        assert_fault(1, 1, "in no log");
}

static void log_of_another_node_is_found(void **state) {
        char other[160];

        (void)state;
        connect_to(audit, "r1", "42");
        (void)snprintf(other, sizeof(other), "%s", path_of(audit_dir, "node-2"));
        assert_int_equal(rename(path_of(audit_dir, "node-1"), other), 0);
        verify(true);
        assert_int_equal(n_faults, 2);
        assert_fault(0, 1, "a line of the node 'node-1'");
        assert_string_equal(faults[0].file, "node-2-0000000000000001.jsonl");
}

static void missing_outcome_is_found_when_it_should_be_there(void **state) {
        (void)state;
        connect_to(audit, "r1", "42");
        decide(audit, "r2", "42", "Allow");
        later_s = 0;
        assert_clean(true);
        later_s = 3600;
        assert_one_fault(true, 3, "missing: this decision has no outcome (request r2 ");
        finish(audit, "r2", 502);
        assert_clean(true);
        /* Of another action. */
        decide(audit, "r3", "42", "Allow");
        write_event(audit,
                    &(struct audit_event){.kind = AUDIT_OUTCOME, .request_id = "r3", .action = "x", .status = 1});
        verify(true);
        assert_int_equal(n_faults, 2);
        assert_fault(0, 6, "no decision before it");
        assert_fault(1, 5, "missing");
}

static void deny_after_an_allow_has_the_outcome(void **state) {
        (void)state;
        decide(audit, "r1", "42", "Allow");
        sign("push", "r1", "42", head, "signed");
        decide(audit, "r1", "42", "Deny"); /* for the name that the guest gave back */
        sign("revoke", "r1", "42", head, "signed");
        assert_clean(true);
}

static void outcome_without_a_decision_is_found(void **state) {
        (void)state;
        connect_to(audit, "r1", "42");
        finish(audit, "r1", 200);
        finish(audit, "r9", 200);
        verify(true);
        assert_int_equal(n_faults, 2);
        assert_fault(0, 3, "no decision before it");
        assert_fault(1, 4, "no decision before it");
}

static void signature_without_its_decision_is_found(void **state) {
        static const char none[] = "00000000000000000000000000000000000000000000000000000000000000ff";

        (void)state;
        decide(audit, "r1", "42", "Deny");
        sign("push", "r1", "42", head, "signed");
        decide(audit, "r2", "42", "Allow");
        sign("push", "r2", "43", head, "signed"); /* for another instance */
        sign("push", "r2", "42", NULL, "signed");
        sign("push", "r2", "42", none, "signed");
        sign("push", "r2", "42", none, "refused");
        sign("revoke", "r1", "42", head, "signed");
        sign("push", "r2", "42", head, "signed");
        sign("revoke", "r2", "42", head, "signed");
        sign("revoke", "r9", "42", NULL, "refused");
        finish(audit, "r2", 200);
        verify(true);
        assert_int_equal(n_faults, 6);
        assert_fault(0, 1, "no audit line allowed");
        assert_fault(1, 2, "no audit line allowed");
        assert_fault(2, 3, "without an audit line");
        assert_fault(3, 4, "in no log");
        assert_fault(4, 5, "in no log");
        assert_fault(5, 6, "no audit line allowed");
        assert_int_equal(result.signed_requests, 7);
        assert_string_equal(faults[0].file, "signer-0000000000000001.jsonl");
}

static void changed_signers_log_is_found(void **state) {
        const char *path = path_of(signer_dir, SIGNER_LOG_NAME);

        (void)state;
        connect_to(audit, "r1", "42");
        connect_to(audit, "r2", "42");
        load(path);
        remove_lines(1, 2);
        save(path);
        verify(true);
        assert_true(n_faults >= 1);
        assert_fault(0, 1, "begins with 1");
        assert_string_equal(faults[0].file, "signer-0000000000000001.jsonl");
        assert_clean(false);
}

static void log_without_its_oldest_file_is_found(void **state) {
        struct line_log *log;
        char why[LINE_LOG_WHY_MAX];
        json_t *line = json_pack("{ss ss}", "node", "small", "kind", "note");

        (void)state;
        assert_int_equal(line_log_open(audit_dir, "small", 1, &log, why), 0); /* a file for each line */
        for (int i = 0; i < 3; i++)
                assert_int_equal(line_log_append(log, line, NULL), 0);
        line_log_close(log);
        json_decref(line);
        assert_clean(true);
        assert_int_equal(unlink(path_of(audit_dir, "small")), 0);
        assert_one_fault(true, 0, "begins with its line 2");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(whole_logs_have_no_fault, set_up, tear_down),
                cmocka_unit_test_setup_teardown(changed_line_is_found, set_up, tear_down),
                cmocka_unit_test_setup_teardown(changed_last_line_is_found_by_the_signers_log, set_up, tear_down),
                cmocka_unit_test_setup_teardown(removed_line_is_found, set_up, tear_down),
                cmocka_unit_test_setup_teardown(log_cut_off_at_its_end_is_found_by_the_signers_log, set_up, tear_down),
                cmocka_unit_test_setup_teardown(log_that_is_gone_is_found, set_up, tear_down),
                cmocka_unit_test_setup_teardown(log_of_another_node_is_found, set_up, tear_down),
                cmocka_unit_test_setup_teardown(missing_outcome_is_found_when_it_should_be_there, set_up, tear_down),
                cmocka_unit_test_setup_teardown(deny_after_an_allow_has_the_outcome, set_up, tear_down),
                cmocka_unit_test_setup_teardown(outcome_without_a_decision_is_found, set_up, tear_down),
                cmocka_unit_test_setup_teardown(signature_without_its_decision_is_found, set_up, tear_down),
                cmocka_unit_test_setup_teardown(changed_signers_log_is_found, set_up, tear_down),
                cmocka_unit_test_setup_teardown(log_without_its_oldest_file_is_found, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
