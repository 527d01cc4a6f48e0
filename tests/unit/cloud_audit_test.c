/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the audit log. */
#include <sched.h>
#include <sys/mount.h>

#include "tests/unit/cloud_audit_fixture.h"

static void line_has_the_members_of_the_contract_in_order(void **state) {
        static const char *const names[] = {
                "\"time\":\"",
                "\"seq\":1,",
                "\"prev\":\"",
                "\"node\":\"node-1\"",
                "\"event_id\":\"",
                "\"class_uid\":6003",
                "\"kind\":\"outcome\"",
                "\"request_id\":\"r\"",
                "\"session\":\"s\"",
                "\"account\":\"a\"",
                "\"token_id\":\"t\"",
                "\"source_ip\":\"192.0.2.1\"",
                "\"user_agent\":\"curl\"",
                "\"action\":\"x:y\"",
                "\"resource\":\"z\"",
                "\"vm_id\":\"42\"",
                "\"host\":\"h\"",
                "\"os_user\":\"u\"",
                "\"fingerprint\":\"SHA256:f\"",
                "\"decision\":{\"effect\":\"Allow\",\"sid\":\"S1\"}",
                "\"outcome\":{\"status\":422,\"error\":\"GuestRefused\",\"guest_error\":\"Expired\"}",
                "\"duration_ms\":17",
                "\"message\":\"m\"}\n"};
        const struct audit_event event = {.kind = AUDIT_OUTCOME,
                                          .request_id = "r",
                                          .session = "s",
                                          .account = "a",
                                          .token_id = "t",
                                          .source_ip = "192.0.2.1",
                                          .user_agent = "curl",
                                          .action = "x:y",
                                          .resource = "z",
                                          .vm_id = "42",
                                          .host = "h",
                                          .os_user = "u",
                                          .fingerprint = "SHA256:f",
                                          .effect = "Allow",
                                          .sid = "S1",
                                          .status = 422,
                                          .error = "GuestRefused",
                                          .guest_error = "Expired",
                                          .message = "m",
                                          .duration_ms = 17};
        const char *at = content;

        (void)state;
        write_event(audit, &event);
        load(path_of(audit_dir, "node-1"));
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                const char *found = strstr(at, names[i]);

                if (!found)
                        fail_msg("%s is not in %s", names[i], at);
                at = found + strlen(names[i]);
        }
        assert_string_equal(at, "");
}

static void what_an_event_has_not_is_left_out(void **state) {
        const struct audit_event event = {.kind = AUDIT_NOTE, .account = "", .sid = "", .message = "m"};
        json_t *line;

        (void)state;
        write_event(audit, &event);
        load(path_of(audit_dir, "node-1"));
        line = json_loads(content, 0, NULL);
        assert_int_equal(json_object_size(line), 8);
        assert_string_equal(json_string_value(json_object_get(line, "kind")), "note");
        assert_string_equal(json_string_value(json_object_get(line, "message")), "m");
        json_decref(line);
        assert_clean(true);
}

static const char *message_of(const char *text) {
        static char value[8192];
        const struct audit_event event = {.kind = AUDIT_NOTE, .message = text};
        const char *message;
        json_t *line;

        write_event(audit, &event);
        load(path_of(audit_dir, "node-1"));
        *strrchr(content, '\n') = '\0';
        message = strrchr(content, '\n');
        line = json_loads(message ? message + 1 : content, 0, NULL);
        assert_non_null(line);
        (void)snprintf(value, sizeof(value), "%s", json_string_value(json_object_get(line, "message")));
        json_decref(line);
        return value;
}

static void text_of_a_peer_is_cut_and_escaped(void **state) {
        char text[2000];

        (void)state;
        assert_string_equal(message_of("a\"}\n{\"kind\":\"decision\"\x7f\x1b[2J"),
                            "a\"}\n{\"kind\":\"decision\"\x7f\x1b[2J");
        assert_string_equal(message_of("\xc3\xa4\xe2\x80\xae"), "\xc3\xa4\xe2\x80\xae");
        assert_string_equal(message_of("a\xff\xc3z"), "a\\xff\\xc3z");
        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        assert_int_equal(strlen(message_of(text)), 512);
        memcpy(text + 510, "\xe2\x82\xac", 3); /* across the limit */
        assert_int_equal(strlen(message_of(text)), 510);
        memset(text, '\xff', sizeof(text) - 1);
        assert_int_equal(strlen(message_of(text)) % 4, 0);
        /* Each line is one, whatever was in it. */
        assert_clean(true);
        assert_int_equal(result.lines, 6);
        for (const char *at = content; *at; at++)
                assert_true((*at >= ' ' || *at == '\n') && (unsigned char)*at <= '\x7f');
}

static void half_a_line_after_a_crash_is_cut_off(void **state) {
        const char *path = path_of(audit_dir, "node-1");
        FILE *file;

        (void)state;
        connect_to(audit, "r1", "42");
        audit_close(audit);
        file = fopen(path, "ae");
        assert_non_null(file);
        (void)fputs("{\"time\":\"2026-01-01T00:00:00", file);
        assert_int_equal(fclose(file), 0);
        assert_clean(true); /* it is in no chain */
        audit = open_node("node-1");
        connect_to(audit, "r2", "42");
        assert_clean(true);
        assert_int_equal(result.lines, 4);
}

static void full_disk_leaves_no_half_line(void **state) {
        static char message[512];
        const struct audit_event event = {.kind = AUDIT_NOTE, .message = memset(message, 'x', sizeof(message) - 1)};
        char own_head[AUDIT_HASH_MAX] = "before";
        uint64_t written = 0;
        int r;

        (void)state;
        audit_close(audit);
        assert_int_equal(unshare(CLONE_NEWNS), 0);
        assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
        assert_int_equal(mount("tmpfs", audit_dir, "tmpfs", 0, "size=256k"), 0);
        audit = open_node("node-1");
        while ((r = audit_write(audit, &event, head)) == 0)
                written++;
        assert_int_equal(r, -ENOSPC);
        assert_int_equal(audit_write(audit, &event, own_head), -ENOSPC);
        assert_string_equal(own_head, "before");
        assert_clean(true);
        assert_int_equal(result.lines, written);
        assert_int_equal(mount("tmpfs", audit_dir, "tmpfs", MS_REMOUNT, "size=1m"), 0);
        assert_int_equal(audit_write(audit, &event, own_head), 0);
        assert_clean(true);
        assert_int_equal(result.lines, written + 1);
        audit_close(audit);
        assert_int_equal(umount2(audit_dir, MNT_DETACH), 0);
        audit = open_node("node-1");
}

static void logs_that_cannot_be_read_are_an_error(void **state) {
        char why[AUDIT_WHY_MAX] = "";
        struct audit *second;

        (void)state;
        assert_int_equal(audit_verify("/nonexistent", NULL, keep, faults, &result, why), -ENOENT);
        assert_non_null(strstr(why, "/nonexistent"));
        assert_int_equal(audit_verify(audit_dir, "/nonexistent", keep, faults, &result, why), -ENOENT);
        assert_int_equal(audit_verify(audit_dir, audit_dir, keep, faults, &result, why), -ENOENT);
        assert_non_null(strstr(why, "has no log signer"));
        assert_int_equal(audit_open("/nonexistent", "n", &second, why), -ENOENT);
        assert_int_equal(audit_open(audit_dir, "a/b", &second, why), -EINVAL);
        assert_int_equal(audit_open(audit_dir, "node-1", &second, why), -EBUSY);
}

enum { THREADS = 16, LINES = 50 };

static void *write_many(void *argument) {
        struct audit_event event = {.kind = AUDIT_NOTE, .message = argument};
        char own_head[AUDIT_HASH_MAX];

        for (int i = 0; i < LINES; i++)
                if (audit_write(audit, &event, own_head) < 0)
                        return argument;
        return NULL;
}

static void many_threads_lose_no_line(void **state) {
        static char names[THREADS][8];
        pthread_t threads[THREADS];
        void *failed;

        (void)state;
        for (int i = 0; i < THREADS; i++) {
                names[i][0] = (char)('a' + i);
                assert_int_equal(pthread_create(&threads[i], NULL, write_many, names[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
                assert_int_equal(pthread_join(threads[i], &failed), 0);
                assert_null(failed);
        }
        assert_clean(true);
        assert_int_equal(result.lines, THREADS * LINES);
        load(path_of(audit_dir, "node-1"));
        for (int i = 0; i < THREADS; i++) {
                char message[160];
                int n = 0;

                (void)snprintf(message, sizeof(message), "\"message\":\"%s\"", names[i]);
                for (const char *at = content; (at = strstr(at, message)); at++)
                        n++;
                assert_int_equal(n, LINES);
        }
}

static void returned_head_is_the_next_lines_prev(void **state) {
        char first[AUDIT_HASH_MAX];

        (void)state;
        decide(audit, "r1", "42", "Allow");
        memcpy(first, head, sizeof(first));
        finish(audit, "r1", 200);
        load(path_of(audit_dir, "node-1"));
        assert_non_null(strstr(line_at(2), first));
        assert_string_not_equal(first, head);
        assert_int_equal(strlen(head), 64);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(line_has_the_members_of_the_contract_in_order, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_an_event_has_not_is_left_out, set_up, tear_down),
                cmocka_unit_test_setup_teardown(text_of_a_peer_is_cut_and_escaped, set_up, tear_down),
                cmocka_unit_test_setup_teardown(half_a_line_after_a_crash_is_cut_off, set_up, tear_down),
                cmocka_unit_test_setup_teardown(full_disk_leaves_no_half_line, set_up, tear_down),
                cmocka_unit_test_setup_teardown(logs_that_cannot_be_read_are_an_error, set_up, tear_down),
                cmocka_unit_test_setup_teardown(many_threads_lose_no_line, set_up, tear_down),
                cmocka_unit_test_setup_teardown(returned_head_is_the_next_lines_prev, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
