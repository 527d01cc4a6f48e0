/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/doctor_clients.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct examination examination;
static struct sshd_clients clients;

/* Three of them, of which the first is any other. */
static int setup(void **state) {
        static const char *const about[] = {"any other client", "address 192.0.2.0/24", "local port 2222"};

        (void)state;
        memset(&examination, 0, sizeof(examination));
        memset(&clients, 0, sizeof(clients));
        clients.n = 3;
        clients.named = true;
        for (size_t i = 0; i < clients.n; i++)
                (void)snprintf(clients.client[i].about, sizeof(clients.client[i].about), "%s", about[i]);
        return 0;
}

/* What each is told is the text at its index. "": it is let in; NULL: it is not checked. */
static void judge(void *context, const struct sshd_client *client, struct findings *to) {
        const char *const *texts = context, *text = texts[client - clients.client];

        /* cmocka has a macro of that name. */
        if (text && text[0])
                (fail)(to, "check", remedy_of("widen"), "%s", text);
        else if (text)
                pass(to, "check", "it is well");
}

/* A text that begins with "and" is about what is needed besides. */
static void judge_more(void *context, const struct sshd_client *client, struct findings *to) {
        const char *const *texts = context, *text = texts[client - clients.client];

        if (strncmp(text, "and", 3) == 0)
                found(to, FINDING_MORE_WARNING, "check", NO_REMEDY, "%s", text);
        else
                judge(context, client, to);
}

static const struct finding *judged(const char *first, const char *second, const char *third) {
        const char *texts[] = {first, second, third};

        doctor_clients_judge(&examination, &clients, judge, texts);
        return &examination.findings.at[examination.findings.n - 1];
}

static void assert_finding(const struct finding *finding, enum finding_status status, const char *text,
                           const char *remedy) {
        assert_int_equal(finding->status, status);
        assert_string_equal(finding->name, "check");
        assert_string_equal(finding->text, text);
        assert_string_equal(finding->remedy.command, remedy);
}

static void what_all_get_is_said_once(void **state) {
        (void)state;
        assert_finding(judged("", "", ""), FINDING_PASS, "it is well", "");
        assert_finding(judged("no", "no", "no"), FINDING_FAILURE, "no", "widen");
        assert_int_equal(examination.findings.n, 2);
        (void)judged(NULL, NULL, NULL);
        assert_int_equal(examination.findings.n, 2);
        /* Limited to one address, what would let it in may let in others. */
        examination.from = "192.0.2.7";
        assert_finding(judged("no", "no", "no"), FINDING_FAILURE, "no", "");
        clients.named = false;
        assert_finding(judged("no", "no", "no"), FINDING_FAILURE, "no", "widen");
}

static void what_some_get_depends_on_the_client(void **state) {
        (void)state;
        assert_finding(
                judged("no", "", ""), FINDING_CLIENT_WARNING,
                "it depends on where the client is: it is well (address 192.0.2.0/24 or local port 2222); no (any "
                "other client)",
                "");
        assert_finding(judged("", "no", "never"), FINDING_CLIENT_WARNING,
                       "it depends on where the client is: it is well (any other client); no (address 192.0.2.0/24); "
                       "never (local port 2222)",
                       "");
        assert_null(findings_first_failure(&examination.findings));
        assert_string_equal(finding_status_name(FINDING_CLIENT_WARNING), "warning");
        doctor_clients_end(&examination);
        assert_string_equal(findings_first_failure(&examination.findings)->name, "sshd-clients");
}

static void where_all_are_refused_it_is_a_failure(void **state) {
        (void)state;
        assert_finding(judged("no", "never", "no"), FINDING_FAILURE,
                       "it depends on where the client is: no (any other client or local port 2222); never (address "
                       "192.0.2.0/24)",
                       "");
        doctor_clients_end(&examination);
        assert_int_equal(examination.findings.n, 1);
}

static void who_is_let_in_by_each_check_is_let_in(void **state) {
        (void)state;
        (void)judged("no", "", "");
        (void)judged("", "", "no");
        doctor_clients_end(&examination);
        assert_null(findings_first_failure(&examination.findings));
        (void)judged("", "no", "");
        doctor_clients_end(&examination);
        assert_non_null(findings_first_failure(&examination.findings));
}

/* None is refused: that is no question of whether they can log in. */
static void what_some_need_besides_is_a_warning(void **state) {
        const char *texts[] = {"and more", "", "and more"}, *refused[] = {"and more", "", "no"};

        (void)state;
        doctor_clients_judge(&examination, &clients, judge_more, texts);
        assert_finding(&examination.findings.at[0], FINDING_MORE_WARNING,
                       "it depends on where the client is: and more (any other client or local port 2222); it is well "
                       "(address 192.0.2.0/24)",
                       "");
        doctor_clients_end(&examination);
        assert_int_equal(examination.findings.n, 1);
        assert_string_equal(finding_status_name(FINDING_MORE_WARNING), "warning");
        doctor_clients_judge(&examination, &clients, judge_more, refused);
        assert_finding(&examination.findings.at[1], FINDING_CLIENT_WARNING,
                       "it depends on where the client is: and more (any other client); it is well (address "
                       "192.0.2.0/24); no (local port 2222)",
                       "");
        assert_null(findings_first_failure(&examination.findings));
}

static void a_text_that_is_too_long_is_cut(void **state) {
        char text[FINDING_TEXT_MAX];

        (void)state;
        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        assert_int_equal(judged(text, "", "no")->status, FINDING_CLIENT_WARNING);
        assert_int_equal(strlen(judged(text, "", "no")->text), FINDING_TEXT_MAX - 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(what_all_get_is_said_once, setup),
                cmocka_unit_test_setup(what_some_get_depends_on_the_client, setup),
                cmocka_unit_test_setup(where_all_are_refused_it_is_a_failure, setup),
                cmocka_unit_test_setup(who_is_let_in_by_each_check_is_let_in, setup),
                cmocka_unit_test_setup(what_some_need_besides_is_a_warning, setup),
                cmocka_unit_test_setup(a_text_that_is_too_long_is_cut, setup),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
