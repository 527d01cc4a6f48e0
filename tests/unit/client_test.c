/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/client.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LITERAL(text) (text), sizeof(text) /* with its NUL */

enum {
        LONG_MS = 60 * 1000, /* never reached: a test that waits for it hangs */
        SHORT_MS = 30,
};

/* A client, and the socket of its peer. */
struct pair {
        struct client client;
        int peer;
};

static void open_pair(struct pair *ret, int type, int timeout_ms) {
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
        client_adopt(&ret->client, fds[0], timeout_ms);
        ret->peer = fds[1];
}

static void close_peer(struct pair *pair) {
        assert_int_equal(close(pair->peer), 0);
        pair->peer = -EBADF;
}

static void close_pair(struct pair *pair) {
        client_close(&pair->client);
        if (pair->peer >= 0)
                close_peer(pair);
}

static void send_bytes(struct pair *pair, const char *bytes, size_t n) {
        assert_int_equal(send(pair->peer, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* The result of an answer of these bytes. */
static enum client_result answer(const char *bytes, size_t n, struct client_reply *ret) {
        enum client_result result;
        struct pair pair;

        open_pair(&pair, SOCK_STREAM, LONG_MS);
        send_bytes(&pair, bytes, n);
        close_peer(&pair);
        result = client_call(&pair.client, "a.b.C", json_object(), ret);
        close_pair(&pair);
        return result;
}

static void assert_no_reply(const char *text) {
        struct client_reply reply;

        if (answer(text, strlen(text) + 1, &reply) != CLIENT_PROTOCOL)
                fail_msg("accepted as a reply: %s", text);
}

static void request_is_method_parameters_and_a_nul(void **state) {
        static const char expected[] = "{\"method\":\"a.b.C\",\"parameters\":{\"n\":1}}";
        char request[256];
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        assert_int_equal(client_send(&pair.client, "a.b.C", json_pack("{si}", "n", 1), false), CLIENT_DONE);
        assert_int_equal(recv(pair.peer, request, sizeof(request), 0), sizeof(expected));
        assert_memory_equal(request, expected, sizeof(expected));
        close_pair(&pair);
}

static void more_is_sent_for_several_replies(void **state) {
        static const char expected[] = "{\"method\":\"a.b.C\",\"parameters\":{},\"more\":true}";
        char request[256];
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        assert_int_equal(client_send(&pair.client, "a.b.C", json_object(), true), CLIENT_DONE);
        assert_int_equal(recv(pair.peer, request, sizeof(request), 0), sizeof(expected));
        assert_memory_equal(request, expected, sizeof(expected));
        close_pair(&pair);
}

static void too_long_request_is_not_sent(void **state) {
        char text[FRAME_MAX], byte;
        struct pair pair;

        (void)state;
        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        assert_int_equal(client_send(&pair.client, "a.b.C", json_pack("{ss}", "t", text), false), CLIENT_FAILED);
        assert_int_equal(pair.client.error, -E2BIG);
        client_close(&pair.client);
        assert_int_equal(recv(pair.peer, &byte, 1, 0), 0);
        close_pair(&pair);
}

static void missing_parameters_are_a_local_failure(void **state) {
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        assert_int_equal(client_send(&pair.client, "a.b.C", NULL, false), CLIENT_FAILED);
        close_pair(&pair);
}

static void reply_has_its_parameters(void **state) {
        struct client_reply reply;

        (void)state;
        assert_int_equal(answer(LITERAL("{\"parameters\":{\"n\":5}}"), &reply), CLIENT_DONE);
        assert_int_equal(json_integer_value(json_object_get(reply.parameters, "n")), 5);
        assert_string_equal(reply.error, "");
        assert_false(reply.continues);
        json_decref(reply.parameters);
}

static void missing_parameters_are_empty(void **state) {
        struct client_reply reply;

        (void)state;
        assert_int_equal(answer(LITERAL("{}"), &reply), CLIENT_DONE);
        assert_int_equal(json_object_size(reply.parameters), 0);
        assert_true(json_is_object(reply.parameters));
        json_decref(reply.parameters);
}

static void error_has_its_name_and_parameters(void **state) {
        struct client_reply reply;

        (void)state;
        assert_int_equal(answer(LITERAL("{\"error\":\"a.b.Bad\",\"parameters\":{\"message\":\"no\"}}"), &reply),
                         CLIENT_REFUSED);
        assert_string_equal(reply.error, "a.b.Bad");
        assert_string_equal(json_string_value(json_object_get(reply.parameters, "message")), "no");
        json_decref(reply.parameters);
}

/* On a SEQPACKET socket each recv(2) gets what one send(2) sent, so the reads are sure to be as small as this. */
static void reply_may_arrive_byte_by_byte(void **state) {
        static const char text[] = "{\"parameters\":{\"n\":5}}";
        struct client_reply reply;
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_SEQPACKET, LONG_MS);
        for (size_t i = 0; i < sizeof(text); i++)
                send_bytes(&pair, text + i, 1);
        assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_DONE);
        assert_int_equal(json_integer_value(json_object_get(reply.parameters, "n")), 5);
        json_decref(reply.parameters);
        close_pair(&pair);
}

static void connection_serves_several_calls(void **state) {
        struct client_reply reply;
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        for (int i = 0; i < 3; i++) {
                send_bytes(&pair, LITERAL("{\"parameters\":{}}"));
                assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_DONE);
                json_decref(reply.parameters);
        }
        close_pair(&pair);
}

static void replies_come_until_one_does_not_continue(void **state) {
        static const char text[] = "{\"parameters\":{\"n\":0},\"continues\":true}\0"
                                   "{\"parameters\":{\"n\":1},\"continues\":true}\0"
                                   "{\"parameters\":{\"n\":2},\"continues\":false}";
        struct client_reply reply;
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        send_bytes(&pair, LITERAL(text));
        assert_int_equal(client_send(&pair.client, "a.b.C", json_object(), true), CLIENT_DONE);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(client_receive(&pair.client, &reply), CLIENT_DONE);
                assert_int_equal(json_integer_value(json_object_get(reply.parameters, "n")), i);
                assert_int_equal(reply.continues, i < 2);
                json_decref(reply.parameters);
        }
        close_pair(&pair);
}

static void unexpected_continues_is_refused(void **state) {
        (void)state;
        assert_no_reply("{\"parameters\":{},\"continues\":true}");
}

static void error_that_continues_is_refused(void **state) {
        static const char text[] = "{\"error\":\"a.b.Bad\",\"continues\":true}";
        struct client_reply reply;
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        send_bytes(&pair, LITERAL(text));
        assert_int_equal(client_send(&pair.client, "a.b.C", json_object(), true), CLIENT_DONE);
        assert_int_equal(client_receive(&pair.client, &reply), CLIENT_PROTOCOL);
        close_pair(&pair);
}

static void endless_replies_are_refused(void **state) {
        char filler[FRAME_MAX - 256], text[FRAME_MAX];
        enum client_result result = CLIENT_DONE;
        struct client_reply reply;
        struct pair pair;
        size_t sent = 0;
        int n;

        (void)state;
        memset(filler, 'x', sizeof(filler) - 1);
        filler[sizeof(filler) - 1] = '\0';
        n = snprintf(text, sizeof(text), "{\"parameters\":{\"t\":\"%s\"},\"continues\":true}", filler);
        assert_true(n > 0 && (size_t)n < sizeof(text));
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        assert_int_equal(client_send(&pair.client, "a.b.C", json_object(), true), CLIENT_DONE);
        while (result == CLIENT_DONE && sent < 2 * CLIENT_TOTAL_MAX) {
                send_bytes(&pair, text, (size_t)n + 1);
                sent += (size_t)n + 1;
                result = client_receive(&pair.client, &reply);
                if (result == CLIENT_DONE)
                        json_decref(reply.parameters);
        }
        assert_int_equal(result, CLIENT_PROTOCOL);
        assert_in_range(sent, CLIENT_TOTAL_MAX, CLIENT_TOTAL_MAX + 2 * FRAME_MAX);
        close_pair(&pair);
}

static void unsolicited_reply_is_refused(void **state) {
        struct client_reply reply;
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        send_bytes(&pair, LITERAL("{\"parameters\":{}}\0{\"parameters\":{\"revoked\":1}}"));
        assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_DONE);
        json_decref(reply.parameters);
        assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_PROTOCOL);
        close_pair(&pair);
}

static void other_json_is_no_reply(void **state) {
        (void)state;
        assert_no_reply("[]");
        assert_no_reply("[{\"parameters\":{}}]");
        assert_no_reply("1");
        assert_no_reply("null");
        assert_no_reply("{");
        assert_no_reply("{}{}");
        assert_no_reply("{\"parameters\":{\"t\":\"\xff\"}}");
        assert_no_reply("HTTP/1.1 400 Bad Request\r\n\r\n");
}

static void duplicate_members_are_refused(void **state) {
        (void)state;
        assert_no_reply("{\"parameters\":{},\"parameters\":{}}");
        assert_no_reply("{\"parameters\":{\"user\":\"a\",\"user\":\"b\"}}");
        assert_no_reply("{\"parameters\":{\"user\":\"a\",\"\\u0075ser\":\"b\"}}");
}

static void unknown_members_are_refused(void **state) {
        (void)state;
        assert_no_reply("{\"parameters\":{},\"more\":true}");
        assert_no_reply("{\"Parameters\":{}}");
        assert_no_reply("{\"\":{}}");
}

static void members_of_the_wrong_type_are_refused(void **state) {
        (void)state;
        assert_no_reply("{\"parameters\":[]}");
        assert_no_reply("{\"parameters\":null}");
        assert_no_reply("{\"parameters\":{},\"continues\":0}");
        assert_no_reply("{\"parameters\":{},\"continues\":null}");
        assert_no_reply("{\"error\":null}");
        assert_no_reply("{\"error\":[\"a.b.Bad\"]}");
}

static void error_name_is_safe_to_print(void **state) {
        char text[CLIENT_ERROR_MAX + 64];

        (void)state;
        assert_no_reply("{\"error\":\"\"}");
        assert_no_reply("{\"error\":\"Bad\"}");
        assert_no_reply("{\"error\":\"a.b.\"}");
        assert_no_reply("{\"error\":\".Bad\"}");
        assert_no_reply("{\"error\":\"a.b.Bad \\u001b[2J\"}");
        assert_no_reply("{\"error\":\"a.b.Bad\\n\"}");
        assert_no_reply("{\"error\":\"a.b.B\xc3\xa4\x64\"}");
        (void)snprintf(text, sizeof(text), "{\"error\":\"a.%0*d\"}", CLIENT_ERROR_MAX - 2, 0);
        assert_no_reply(text);
}

static void deep_nesting_does_not_reach_the_parser(void **state) {
        char text[FRAME_MAX];
        struct client_reply reply;

        (void)state;
        assert_int_equal(answer(LITERAL("{\"parameters\":{\"a\":[[[[[[\"]]]]]]]][[[[[[\\\"[[\"]]]]]]}}"), &reply),
                         CLIENT_DONE);
        json_decref(reply.parameters);
        assert_no_reply("{\"parameters\":{\"a\":[[[[[[[]]]]]]]}}");
        memset(text, '[', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        assert_no_reply(text);
}

static void too_long_reply_is_refused_at_once(void **state) {
        char text[17 * 1024];
        struct client_reply reply;
        struct pair pair;

        (void)state;
        memset(text, ' ', sizeof(text));
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        send_bytes(&pair, text, sizeof(text));
        assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_PROTOCOL);
        close_pair(&pair);
}

static void message_after_a_wrong_one_is_read(void **state) {
        char text[17 * 1024];
        struct client_reply reply;
        struct pair pair;

        (void)state;
        memset(text, ' ', sizeof(text));
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        send_bytes(&pair, LITERAL("lf of something\"}"));
        send_bytes(&pair, text, sizeof(text));
        send_bytes(&pair, LITERAL("\0{\"parameters\":{\"n\":5}}"));
        assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_PROTOCOL);
        assert_int_equal(client_receive(&pair.client, &reply), CLIENT_PROTOCOL);
        assert_int_equal(client_receive(&pair.client, &reply), CLIENT_DONE);
        assert_int_equal(json_integer_value(json_object_get(reply.parameters, "n")), 5);
        json_decref(reply.parameters);
        close_pair(&pair);
}

static void unfinished_reply_is_no_answer(void **state) {
        struct client_reply reply;
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        send_bytes(&pair, "{\"parameters\":{}}", 17);
        close_peer(&pair);
        assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_NOT_REACHED);
        assert_int_equal(pair.client.error, -ECONNRESET);
        assert_non_null(strstr(pair.client.why, "within an answer"));
        close_pair(&pair);
}

static void closed_connection_is_no_answer(void **state) {
        struct client_reply reply;
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        close_peer(&pair);
        assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_NOT_REACHED);
        assert_int_equal(pair.client.error, -ECONNRESET);
        close_pair(&pair);
}

static void reply_before_the_close_is_read(void **state) {
        struct client_reply reply;

        (void)state;
        assert_int_equal(answer(LITERAL("{\"error\":\"a.b.RateLimited\"}"), &reply), CLIENT_REFUSED);
        assert_string_equal(reply.error, "a.b.RateLimited");
        json_decref(reply.parameters);
}

static void silent_peer_times_out(void **state) {
        struct client_reply reply;
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, SHORT_MS);
        assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_NOT_REACHED);
        assert_int_equal(pair.client.error, -ETIMEDOUT);
        close_pair(&pair);
}

static void peer_that_does_not_read_times_out(void **state) {
        char filler[4096] = {0};
        struct client_reply reply;
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, SHORT_MS);
        while (send(pair.client.fd, filler, sizeof(filler), MSG_DONTWAIT) > 0)
                ;
        assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_NOT_REACHED);
        assert_int_equal(pair.client.error, -ETIMEDOUT);
        close_pair(&pair);
}

/* A blank now and then, until the other end closes. */
static void *trickle(void *context) {
        const struct timespec pause = {.tv_nsec = 1000 * 1000};
        int fd = *(int *)context;

        while (send(fd, " ", 1, MSG_NOSIGNAL) == 1)
                (void)nanosleep(&pause, NULL);
        return NULL;
}

static void peer_that_sends_without_end_times_out(void **state) {
        struct client_reply reply;
        pthread_t thread;
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, SHORT_MS);
        assert_int_equal(pthread_create(&thread, NULL, trickle, &pair.peer), 0);
        assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_NOT_REACHED);
        assert_int_equal(pair.client.error, -ETIMEDOUT);
        client_close(&pair.client);
        assert_int_equal(pthread_join(thread, NULL), 0);
        close_pair(&pair);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(request_is_method_parameters_and_a_nul),
                cmocka_unit_test(more_is_sent_for_several_replies),
                cmocka_unit_test(too_long_request_is_not_sent),
                cmocka_unit_test(missing_parameters_are_a_local_failure),
                cmocka_unit_test(reply_has_its_parameters),
                cmocka_unit_test(missing_parameters_are_empty),
                cmocka_unit_test(error_has_its_name_and_parameters),
                cmocka_unit_test(reply_may_arrive_byte_by_byte),
                cmocka_unit_test(connection_serves_several_calls),
                cmocka_unit_test(replies_come_until_one_does_not_continue),
                cmocka_unit_test(unexpected_continues_is_refused),
                cmocka_unit_test(error_that_continues_is_refused),
                cmocka_unit_test(endless_replies_are_refused),
                cmocka_unit_test(unsolicited_reply_is_refused),
                cmocka_unit_test(other_json_is_no_reply),
                cmocka_unit_test(duplicate_members_are_refused),
                cmocka_unit_test(unknown_members_are_refused),
                cmocka_unit_test(members_of_the_wrong_type_are_refused),
                cmocka_unit_test(error_name_is_safe_to_print),
                cmocka_unit_test(deep_nesting_does_not_reach_the_parser),
                cmocka_unit_test(too_long_reply_is_refused_at_once),
                cmocka_unit_test(message_after_a_wrong_one_is_read),
                cmocka_unit_test(unfinished_reply_is_no_answer),
                cmocka_unit_test(closed_connection_is_no_answer),
                cmocka_unit_test(reply_before_the_close_is_read),
                cmocka_unit_test(silent_peer_times_out),
                cmocka_unit_test(peer_that_does_not_read_times_out),
                cmocka_unit_test(peer_that_sends_without_end_times_out),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
