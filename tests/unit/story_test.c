/* SPDX-License-Identifier: Apache-2.0 */
/* What a story looks like on a terminal, and in JSON. */
#include "admin/log/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/pty.h"
#include "wire/refusal.h"

#define AT_US INT64_C(1781519445123456) /* 2026-06-15 10:30:45 UTC */

static char printed[8192];

static int in_utc(void **state) {
        (void)state;
        return setenv("TZ", "UTC", 1);
}

/* What it prints, without the newline. */
static const char *shown(const struct story *story, bool json) {
        int saved = dup(STDOUT_FILENO), file = memfd_create("stdout", MFD_CLOEXEC);
        ssize_t n;

        assert_true(saved >= 0 && file >= 0);
        assert_int_equal(fflush(stdout), 0);
        assert_int_equal(dup2(file, STDOUT_FILENO), STDOUT_FILENO);
        assert_int_equal(json ? story_print_json(story) : story_print(story), EXIT_DONE);
        assert_int_equal(fflush(stdout), 0);
        assert_int_equal(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
        n = pread(file, printed, sizeof(printed) - 1, 0);
        assert_true(n > 0 && printed[n - 1] == '\n');
        printed[n - 1] = '\0';
        assert_int_equal(close(file), 0);
        assert_int_equal(close(saved), 0);
        return printed;
}

/* A name that a story borrows. */
static char *borrowed(const char *text) {
        static char texts[8][512];
        static size_t n;
        char *at = texts[n++ % 8];

        (void)snprintf(at, sizeof(texts[0]), "%s", text);
        return at;
}

static struct story login(void) {
        return (struct story){
                .outcome = STORY_ACCEPTED,
                .at_us = AT_US,
                .pushed_us = AT_US - 5000000,
                .accepted_us = AT_US + 1000,
                .opened_us = AT_US + 2000,
                .closed_us = AT_US + 147002000,
                .pid = 50,
                .user = borrowed("alice"),
                .fingerprint = borrowed("SHA256:x+/"),
                .principal = borrowed("carol@example.org"),
                .request_id = borrowed("r-1"),
                .address = borrowed("192.0.2.7"),
                .port = 7,
        };
}

static void a_login_is_a_line(void **state) {
        struct story story = login();

        (void)state;
        assert_string_equal(shown(&story, false),
                            "2026-06-15 10:30:45  accepted    alice from 192.0.2.7 port 7, asked by carol@example.org, "
                            "request r-1, key SHA256:x+/, session of 2 min 27 s");
        story.closed_us = 0;
        assert_non_null(strstr(shown(&story, false), "SHA256:x+/, end of the session not recorded"));
        story.running = true;
        assert_non_null(strstr(shown(&story, false), "SHA256:x+/, session open"));
        story.opened_us = 0;
        story.running = false;
        assert_non_null(strstr(shown(&story, false), "SHA256:x+/, no session recorded"));
}

/* Colour, and lines of 80 columns: a fingerprint fits into the rest of one where they begin with four blanks. */
static void on_a_terminal_a_login_has_lines(void **state) {
        struct story story = login();
        int saved = dup(STDOUT_FILENO), ends[2];

        (void)state;
        story.fingerprint = borrowed("SHA256:G3mpfpsbQ7rw6BibLAQONhwiY4MtJOu9uj2heCAgVLk");
        assert_int_equal(setenv("TERM", "xterm", 1), 0);
        assert_int_equal(unsetenv("NO_COLOR"), 0);
        assert_true(saved >= 0);
        pty_open(80, ends);
        assert_int_equal(fflush(stdout), 0);
        assert_int_equal(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
        assert_int_equal(story_print(&story), EXIT_DONE);
        assert_int_equal(fflush(stdout), 0);
        assert_int_equal(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
        pty_read(ends, printed, sizeof(printed));
        assert_string_equal(printed,
                            "2026-06-15 10:30:45  \033[32maccepted\033[0m    alice from 192.0.2.7 port 7, asked by\n"
                            "    carol@example.org, request r-1, key\n"
                            "    SHA256:G3mpfpsbQ7rw6BibLAQONhwiY4MtJOu9uj2heCAgVLk, session of 2 min 27 s\n");
        assert_int_equal(close(saved), 0);
}

static void what_is_not_known_is_left_out(void **state) {
        struct story story = {.outcome = STORY_REFUSED, .at_us = AT_US, .message = borrowed("no")};

        (void)state;
        assert_string_equal(shown(&story, false), "2026-06-15 10:30:45  refused     (unknown user): no");
        assert_string_equal(shown(&story, true),
                            "{\"kind\":\"connection\",\"outcome\":\"refused\",\"time\":\"2026-06-15T10:30:45.123456Z\","
                            "\"message\":\"no\",\"sshdPid\":0,\"bootId\":\"00000000000000000000000000000000\"}");
}

static void pushes_are_told_from_connections(void **state) {
        struct story story = {.kind = STORY_PUSH, .outcome = STORY_UNUSED, .at_us = AT_US, .user = borrowed("alice")};

        (void)state;
        story.message = borrowed("why");
        assert_string_equal(shown(&story, false), "2026-06-15 10:30:45  not used    alice: why");
        story.outcome = STORY_WAITING;
        assert_string_equal(shown(&story, false), "2026-06-15 10:30:45  waiting     alice: why");
        story.kind = STORY_CALL_REFUSED;
        story.outcome = STORY_REFUSED;
        story.why = "UserDenied";
        story.method = borrowed("PushLocal");
        assert_string_equal(shown(&story, false), "2026-06-15 10:30:45  not pushed  alice: UserDenied, why");
        assert_non_null(strstr(shown(&story, true), "\"kind\":\"push\",\"outcome\":\"refused\""));
        story.method = borrowed("Revoke");
        assert_string_equal(shown(&story, false), "2026-06-15 10:30:45  refused     Revoke for alice: UserDenied, why");
        assert_non_null(strstr(shown(&story, true), "\"kind\":\"call\",\"outcome\":\"refused\""));
        story.user = NULL;
        assert_string_equal(shown(&story, false), "2026-06-15 10:30:45  refused     Revoke: UserDenied, why");
}

static void a_name_cannot_pass_for_another_part_of_the_line(void **state) {
        struct story story = login();

        (void)state;
        story.principal = borrowed("x, request r-2, key SHA256:y\", and \x1b[31m");
        assert_non_null(strstr(shown(&story, false),
                               ", asked by \"x, request r-2, key SHA256:y\\x22, and \\x1B[31m\", request r-1, key "));
        story.principal = borrowed("DOMAIN\\alice");
        assert_non_null(strstr(shown(&story, false), ", asked by DOMAIN\\alice, request r-1"));
        story.principal = borrowed("ünal\xe2\x80\xae");
        assert_non_null(strstr(shown(&story, false), ", asked by \"ünal\\u{202E}\", request r-1"));
        story.principal = borrowed("");
        assert_non_null(strstr(shown(&story, false), ", asked by \"\", request r-1"));
}

static void json_has_every_part_under_its_name(void **state) {
        struct story story = login();

        (void)state;
        assert_string_equal(
                shown(&story, true),
                "{\"kind\":\"connection\",\"outcome\":\"accepted\",\"time\":\"2026-06-15T10:30:45.123456Z\","
                "\"user\":\"alice\",\"principal\":\"carol@example.org\",\"requestId\":\"r-1\","
                "\"fingerprint\":\"SHA256:x+/\",\"pushed\":\"2026-06-15T10:30:40.123456Z\",\"address\":\"192.0.2.7\","
                "\"port\":7,\"accepted\":\"2026-06-15T10:30:45.124456Z\",\"opened\":\"2026-06-15T10:30:45.125456Z\","
                "\"closed\":\"2026-06-15T10:33:12.125456Z\",\"sessionSeconds\":147,\"sshdPid\":50,"
                "\"bootId\":\"00000000000000000000000000000000\"}");
        story.closed_us = 0;
        assert_non_null(strstr(shown(&story, true), "\"open\":false"));
        story.running = true;
        assert_non_null(strstr(shown(&story, true), "\"open\":true"));
}

static void json_stays_json_whatever_a_name_holds(void **state) {
        struct story story = login();

        (void)state;
        story.user = borrowed("a\xff\n\"");
        assert_non_null(strstr(shown(&story, true), "\"user\":\"a\\\\xFF\\n\\\"\""));
        story.user = borrowed("ü\x7f");
        assert_non_null(strstr(shown(&story, true), "\"user\":\"\\u00FC\\u007f\""));
}

static void push_without_known_use_is_unknown(void **state) {
        struct story story = {
                .kind = STORY_PUSH, .outcome = STORY_UNDECIDED, .at_us = AT_US, .user = borrowed("alice")};

        (void)state;
        story.message = borrowed("why");
        assert_string_equal(shown(&story, false), "2026-06-15 10:30:45  unknown     alice: why");
        assert_non_null(strstr(shown(&story, true), "\"kind\":\"push\",\"outcome\":\"unknown\""));
}

static void uncertain_parts_are_marked(void **state) {
        struct story story = login();

        (void)state;
        assert_null(strstr(shown(&story, true), "incomplete"));
        assert_null(strstr(shown(&story, true), "eventLost"));
        story.event_lost = story.incomplete = true;
        assert_non_null(strstr(shown(&story, true), "\"eventLost\":true,\"incomplete\":true"));
}

static void each_key_of_a_connection_is_a_member(void **state) {
        struct story story = login();

        (void)state;
        story.keys[0] = (struct story_key){.outcome = STORY_KEY_GIVEN, .fingerprint = "SHA256:a", .request_id = "r-1"};
        story.n_keys = 1;
        assert_null(strstr(shown(&story, true), "\"keys\""));
        story.keys[1] = (struct story_key){
                .outcome = STORY_KEY_USED_UP, .fingerprint = "SHA256:b", .principal = "dan", .pushed_us = AT_US};
        story.n_keys = 2;
        assert_non_null(strstr(shown(&story, true),
                               "\"keys\":[{\"fingerprint\":\"SHA256:a\",\"outcome\":\"given\",\"requestId\":\"r-1\"},"
                               "{\"fingerprint\":\"SHA256:b\",\"outcome\":\"usedUp\",\"principal\":\"dan\","
                               "\"pushed\":\"2026-06-15T10:30:45.123456Z\"}]"));
}

static void likely_request_is_said_to_be_likely(void **state) {
        struct story story = login();

        (void)state;
        story.outcome = STORY_REFUSED;
        story.likely = true;
        assert_non_null(strstr(shown(&story, false), ", perhaps asked by carol@example.org, request r-1, "));
        assert_non_null(strstr(shown(&story, true), "\"likely\":true"));
        story.principal = NULL;
        assert_non_null(strstr(shown(&story, false), ", perhaps request r-1, "));
}

static void dropped_connection_has_address_and_reason(void **state) {
        struct story story = {.kind = STORY_DROP,
                              .outcome = STORY_REFUSED,
                              .at_us = AT_US,
                              .last_us = AT_US,
                              .address = borrowed("192.0.2.7"),
                              .port = 7,
                              .why = WHY_DROPPED,
                              .message = borrowed("no")};

        (void)state;
        assert_string_equal(shown(&story, false),
                            "2026-06-15 10:30:45  dropped     a connection from 192.0.2.7 port 7: no");
        assert_string_equal(shown(&story, true),
                            "{\"kind\":\"drop\",\"outcome\":\"refused\",\"time\":\"2026-06-15T10:30:45.123456Z\","
                            "\"reason\":\"Dropped\",\"message\":\"no\",\"address\":\"192.0.2.7\",\"port\":7,"
                            "\"bootId\":\"00000000000000000000000000000000\"}");
        story.address = NULL;
        story.port = 0;
        story.n_dropped = 26;
        assert_string_equal(shown(&story, false), "2026-06-15 10:30:45  dropped     connections: no");
        assert_non_null(strstr(shown(&story, true), "\"dropped\":26,"));
}

static void loss_has_amount_and_time(void **state) {
        struct story story = {.kind = STORY_LOSS,
                              .outcome = STORY_LOST,
                              .at_us = AT_US,
                              .last_us = AT_US + 17000000,
                              .n_lost = 12,
                              .message = borrowed("what is shown of that time may be incomplete")};

        (void)state;
        assert_string_equal(
                shown(&story, false),
                "2026-06-15 10:30:45  lost        12 events until 2026-06-15 10:31:02: what is shown of that "
                "time may be incomplete");
        assert_string_equal(
                shown(&story, true),
                "{\"kind\":\"loss\",\"outcome\":\"lost\",\"time\":\"2026-06-15T10:30:45.123456Z\","
                "\"message\":\"what is shown of that time may be incomplete\",\"lost\":12,"
                "\"until\":\"2026-06-15T10:31:02.123456Z\",\"bootId\":\"00000000000000000000000000000000\"}");
        story.last_us = AT_US;
        story.unit = borrowed("ssh.service");
        story.message = borrowed("what is shown of the time before may be incomplete");
        assert_string_equal(shown(&story, false),
                            "2026-06-15 10:30:45  lost        12 messages of ssh.service before this, dropped by the "
                            "journal's rate limit: what is shown of the time before may be incomplete");
        assert_non_null(strstr(shown(&story, true), "\"unit\":\"ssh.service\""));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_login_is_a_line),
                cmocka_unit_test(on_a_terminal_a_login_has_lines),
                cmocka_unit_test(what_is_not_known_is_left_out),
                cmocka_unit_test(pushes_are_told_from_connections),
                cmocka_unit_test(push_without_known_use_is_unknown),
                cmocka_unit_test(uncertain_parts_are_marked),
                cmocka_unit_test(each_key_of_a_connection_is_a_member),
                cmocka_unit_test(likely_request_is_said_to_be_likely),
                cmocka_unit_test(dropped_connection_has_address_and_reason),
                cmocka_unit_test(loss_has_amount_and_time),
                cmocka_unit_test(a_name_cannot_pass_for_another_part_of_the_line),
                cmocka_unit_test(json_has_every_part_under_its_name),
                cmocka_unit_test(json_stays_json_whatever_a_name_holds),
        };

        return cmocka_run_group_tests(tests, in_utc, NULL);
}
