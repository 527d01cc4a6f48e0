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
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LITERAL(text) (text), sizeof(text) /* with its NUL */

enum {
        LONG_MS = 60 * 1000, /* never reached: a test that waits for it hangs, and is seen */
        SHORT_MS = 30,
};

/* A client, and the socket of the one it asks. */
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

static void say(struct pair *pair, const char *bytes, size_t n) {
        assert_int_equal(send(pair->peer, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* What the client makes of an answer that is these bytes. */
static enum client_result answer(const char *bytes, size_t n, struct client_reply *ret) {
        enum client_result result;
        struct pair pair;

        open_pair(&pair, SOCK_STREAM, LONG_MS);
        say(&pair, bytes, n);
        close_peer(&pair);
        result = client_call(&pair.client, "a.b.C", json_object(), ret);
        close_pair(&pair);
        return result;
}

static void assert_no_reply(const char *text) {
        struct client_reply reply;

        if (answer(text, strlen(text) + 1, &reply) != CLIENT_PROTOCOL)
                fail_msg("taken for a reply: %s", text);
}

static void a_request_is_method_parameters_and_a_nul(void **state) {
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

static void several_replies_are_asked_for_with_more(void **state) {
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

static void a_request_that_is_too_long_is_not_sent(void **state) {
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

static void parameters_that_could_not_be_made_are_our_own_failure(void **state) {
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        assert_int_equal(client_send(&pair.client, "a.b.C", NULL, false), CLIENT_FAILED);
        close_pair(&pair);
}

static void a_reply_hands_out_its_parameters(void **state) {
        struct client_reply reply;

        (void)state;
        assert_int_equal(answer(LITERAL("{\"parameters\":{\"n\":5}}"), &reply), CLIENT_DONE);
        assert_int_equal(json_integer_value(json_object_get(reply.parameters, "n")), 5);
        assert_string_equal(reply.error, "");
        assert_false(reply.continues);
        json_decref(reply.parameters);
}

static void a_reply_without_parameters_has_empty_ones(void **state) {
        struct client_reply reply;

        (void)state;
        assert_int_equal(answer(LITERAL("{}"), &reply), CLIENT_DONE);
        assert_int_equal(json_object_size(reply.parameters), 0);
        assert_true(json_is_object(reply.parameters));
        json_decref(reply.parameters);
}

static void an_error_is_a_refusal_with_its_name_and_parameters(void **state) {
        struct client_reply reply;

        (void)state;
        assert_int_equal(answer(LITERAL("{\"error\":\"a.b.Bad\",\"parameters\":{\"message\":\"no\"}}"), &reply),
                         CLIENT_REFUSED);
        assert_string_equal(reply.error, "a.b.Bad");
        assert_string_equal(json_string_value(json_object_get(reply.parameters, "message")), "no");
        json_decref(reply.parameters);
}

/* On a SEQPACKET socket each recv(2) gets what one send(2) sent, so the reads are sure to be as small as this. */
static void a_reply_may_come_byte_by_byte(void **state) {
        static const char text[] = "{\"parameters\":{\"n\":5}}";
        struct client_reply reply;
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_SEQPACKET, LONG_MS);
        for (size_t i = 0; i < sizeof(text); i++)
                say(&pair, text + i, 1);
        assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_DONE);
        assert_int_equal(json_integer_value(json_object_get(reply.parameters, "n")), 5);
        json_decref(reply.parameters);
        close_pair(&pair);
}

static void one_connection_serves_one_call_after_another(void **state) {
        struct client_reply reply;
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        for (int i = 0; i < 3; i++) {
                say(&pair, LITERAL("{\"parameters\":{}}"));
                assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_DONE);
                json_decref(reply.parameters);
        }
        close_pair(&pair);
}

static void replies_come_one_by_one_until_one_does_not_continue(void **state) {
        static const char text[] = "{\"parameters\":{\"n\":0},\"continues\":true}\0"
                                   "{\"parameters\":{\"n\":1},\"continues\":true}\0"
                                   "{\"parameters\":{\"n\":2},\"continues\":false}";
        struct client_reply reply;
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        say(&pair, LITERAL(text));
        assert_int_equal(client_send(&pair.client, "a.b.C", json_object(), true), CLIENT_DONE);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(client_receive(&pair.client, &reply), CLIENT_DONE);
                assert_int_equal(json_integer_value(json_object_get(reply.parameters, "n")), i);
                assert_int_equal(reply.continues, i < 2);
                json_decref(reply.parameters);
        }
        close_pair(&pair);
}

static void a_reply_that_continues_is_refused_where_one_was_asked_for(void **state) {
        (void)state;
        assert_no_reply("{\"parameters\":{},\"continues\":true}");
}

static void an_error_that_continues_is_refused(void **state) {
        static const char text[] = "{\"error\":\"a.b.Bad\",\"continues\":true}";
        struct client_reply reply;
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        say(&pair, LITERAL(text));
        assert_int_equal(client_send(&pair.client, "a.b.C", json_object(), true), CLIENT_DONE);
        assert_int_equal(client_receive(&pair.client, &reply), CLIENT_PROTOCOL);
        close_pair(&pair);
}

static void replies_without_end_are_cut_off(void **state) {
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
                say(&pair, text, (size_t)n + 1);
                sent += (size_t)n + 1;
                result = client_receive(&pair.client, &reply);
                if (result == CLIENT_DONE)
                        json_decref(reply.parameters);
        }
        assert_int_equal(result, CLIENT_PROTOCOL);
        assert_in_range(sent, CLIENT_TOTAL_MAX, CLIENT_TOTAL_MAX + 2 * FRAME_MAX);
        close_pair(&pair);
}

static void a_reply_to_nothing_is_refused_at_the_next_call(void **state) {
        struct client_reply reply;
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        say(&pair, LITERAL("{\"parameters\":{}}\0{\"parameters\":{\"revoked\":1}}"));
        assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_DONE);
        json_decref(reply.parameters);
        assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_PROTOCOL);
        close_pair(&pair);
}

static void what_is_no_json_object_is_no_reply(void **state) {
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

static void names_given_twice_are_refused(void **state) {
        (void)state;
        assert_no_reply("{\"parameters\":{},\"parameters\":{}}");
        assert_no_reply("{\"parameters\":{\"user\":\"a\",\"user\":\"b\"}}");
        assert_no_reply("{\"parameters\":{\"user\":\"a\",\"\\u0075ser\":\"b\"}}");
}

static void members_that_are_not_known_are_refused(void **state) {
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

static void an_error_must_be_a_name_that_is_safe_to_print(void **state) {
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

static void nesting_is_refused_before_it_reaches_the_parser(void **state) {
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

static void a_reply_of_17_kb_is_refused_and_its_end_not_waited_for(void **state) {
        char text[17 * 1024];
        struct client_reply reply;
        struct pair pair;

        (void)state;
        memset(text, ' ', sizeof(text));
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        say(&pair, text, sizeof(text));
        assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_PROTOCOL);
        close_pair(&pair);
}

static void behind_a_message_at_fault_the_next_is_read(void **state) {
        char text[17 * 1024];
        struct client_reply reply;
        struct pair pair;

        (void)state;
        memset(text, ' ', sizeof(text));
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        say(&pair, LITERAL("lf of something\"}"));
        say(&pair, text, sizeof(text));
        say(&pair, LITERAL("\0{\"parameters\":{\"n\":5}}"));
        assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_PROTOCOL);
        assert_int_equal(client_receive(&pair.client, &reply), CLIENT_PROTOCOL);
        assert_int_equal(client_receive(&pair.client, &reply), CLIENT_DONE);
        assert_int_equal(json_integer_value(json_object_get(reply.parameters, "n")), 5);
        json_decref(reply.parameters);
        close_pair(&pair);
}

static void a_connection_that_ends_without_a_nul_is_no_answer(void **state) {
        struct client_reply reply;
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        say(&pair, "{\"parameters\":{}}", 17);
        close_peer(&pair);
        assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_NOT_REACHED);
        assert_int_equal(pair.client.error, -ECONNRESET);
        assert_non_null(strstr(pair.client.why, "within an answer"));
        close_pair(&pair);
}

static void a_connection_that_is_closed_at_once_is_no_answer(void **state) {
        struct client_reply reply;
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, LONG_MS);
        close_peer(&pair);
        assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_NOT_REACHED);
        assert_int_equal(pair.client.error, -ECONNRESET);
        close_pair(&pair);
}

static void what_the_peer_says_before_it_closes_is_heard(void **state) {
        struct client_reply reply;

        (void)state;
        assert_int_equal(answer(LITERAL("{\"error\":\"a.b.RateLimited\"}"), &reply), CLIENT_REFUSED);
        assert_string_equal(reply.error, "a.b.RateLimited");
        json_decref(reply.parameters);
}

static void a_peer_that_never_answers_is_given_up(void **state) {
        struct client_reply reply;
        struct pair pair;

        (void)state;
        open_pair(&pair, SOCK_STREAM, SHORT_MS);
        assert_int_equal(client_call(&pair.client, "a.b.C", json_object(), &reply), CLIENT_NOT_REACHED);
        assert_int_equal(pair.client.error, -ETIMEDOUT);
        close_pair(&pair);
}

static void a_peer_that_does_not_read_is_given_up(void **state) {
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

/* A blank now and then, for as long as somebody takes them. */
static void *trickle(void *context) {
        const struct timespec pause = {.tv_nsec = 1000 * 1000};
        int fd = *(int *)context;

        while (send(fd, " ", 1, MSG_NOSIGNAL) == 1)
                (void)nanosleep(&pause, NULL);
        return NULL;
}

static void a_peer_that_always_has_a_byte_more_is_given_up(void **state) {
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

/* A folder of its own with a path for a socket in it. */
struct place {
        char folder[32];
        struct sockaddr_un address;
        int listener;
};

static void open_place(struct place *ret) {
        *ret = (struct place){.folder = "/tmp/client_test.XXXXXX", .address.sun_family = AF_UNIX, .listener = -EBADF};
        assert_non_null(mkdtemp(ret->folder));
        (void)snprintf(ret->address.sun_path, sizeof(ret->address.sun_path), "%s/socket", ret->folder);
}

static void bind_place(struct place *place) {
        place->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(place->listener >= 0);
        assert_int_equal(bind(place->listener, (const struct sockaddr *)&place->address, sizeof(place->address)), 0);
}

static void close_place(struct place *place) {
        if (place->listener >= 0)
                assert_int_equal(close(place->listener), 0);
        (void)unlink(place->address.sun_path);
        assert_int_equal(rmdir(place->folder), 0);
}

static void a_listening_socket_is_connected_to(void **state) {
        struct place place;
        struct client client;

        (void)state;
        open_place(&place);
        bind_place(&place);
        assert_int_equal(listen(place.listener, 1), 0);
        assert_int_equal(client_connect(&client, place.address.sun_path, LONG_MS), CLIENT_DONE);
        client_close(&client);
        close_place(&place);
}

static void a_socket_that_is_missing_or_not_listened_on_is_not_reached(void **state) {
        struct place place;
        struct client client;

        (void)state;
        open_place(&place);
        assert_int_equal(client_connect(&client, place.address.sun_path, LONG_MS), CLIENT_NOT_REACHED);
        assert_int_equal(client.error, -ENOENT);
        client_close(&client);
        bind_place(&place);
        assert_int_equal(client_connect(&client, place.address.sun_path, LONG_MS), CLIENT_NOT_REACHED);
        assert_int_equal(client.error, -ECONNREFUSED);
        client_close(&client);
        close_place(&place);
}

static void a_socket_whose_queue_stays_full_is_given_up(void **state) {
        struct client waiting[3];
        struct place place;
        size_t n = 0;

        (void)state;
        open_place(&place);
        bind_place(&place);
        assert_int_equal(listen(place.listener, 0), 0);
        while (n < 3 && client_connect(&waiting[n], place.address.sun_path, SHORT_MS) == CLIENT_DONE)
                n++;
        assert_in_range(n, 1, 2);
        assert_int_equal(waiting[n].error, -ETIMEDOUT);
        for (size_t i = 0; i <= n; i++)
                client_close(&waiting[i]);
        close_place(&place);
}

static void a_path_that_no_socket_can_have_is_said_to_be_too_long(void **state) {
        char path[200];
        struct client client;

        (void)state;
        memset(path, 'x', sizeof(path) - 1);
        path[0] = '/';
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(client_connect(&client, path, LONG_MS), CLIENT_FAILED);
        assert_int_equal(client.error, -ENAMETOOLONG);
        assert_non_null(strstr(client.why, "at most 107 bytes"));
        client_close(&client);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_request_is_method_parameters_and_a_nul),
                cmocka_unit_test(several_replies_are_asked_for_with_more),
                cmocka_unit_test(a_request_that_is_too_long_is_not_sent),
                cmocka_unit_test(parameters_that_could_not_be_made_are_our_own_failure),
                cmocka_unit_test(a_reply_hands_out_its_parameters),
                cmocka_unit_test(a_reply_without_parameters_has_empty_ones),
                cmocka_unit_test(an_error_is_a_refusal_with_its_name_and_parameters),
                cmocka_unit_test(a_reply_may_come_byte_by_byte),
                cmocka_unit_test(one_connection_serves_one_call_after_another),
                cmocka_unit_test(replies_come_one_by_one_until_one_does_not_continue),
                cmocka_unit_test(a_reply_that_continues_is_refused_where_one_was_asked_for),
                cmocka_unit_test(an_error_that_continues_is_refused),
                cmocka_unit_test(replies_without_end_are_cut_off),
                cmocka_unit_test(a_reply_to_nothing_is_refused_at_the_next_call),
                cmocka_unit_test(what_is_no_json_object_is_no_reply),
                cmocka_unit_test(names_given_twice_are_refused),
                cmocka_unit_test(members_that_are_not_known_are_refused),
                cmocka_unit_test(members_of_the_wrong_type_are_refused),
                cmocka_unit_test(an_error_must_be_a_name_that_is_safe_to_print),
                cmocka_unit_test(nesting_is_refused_before_it_reaches_the_parser),
                cmocka_unit_test(a_reply_of_17_kb_is_refused_and_its_end_not_waited_for),
                cmocka_unit_test(behind_a_message_at_fault_the_next_is_read),
                cmocka_unit_test(a_connection_that_ends_without_a_nul_is_no_answer),
                cmocka_unit_test(a_connection_that_is_closed_at_once_is_no_answer),
                cmocka_unit_test(what_the_peer_says_before_it_closes_is_heard),
                cmocka_unit_test(a_peer_that_never_answers_is_given_up),
                cmocka_unit_test(a_peer_that_does_not_read_is_given_up),
                cmocka_unit_test(a_peer_that_always_has_a_byte_more_is_given_up),
                cmocka_unit_test(a_listening_socket_is_connected_to),
                cmocka_unit_test(a_socket_that_is_missing_or_not_listened_on_is_not_reached),
                cmocka_unit_test(a_socket_whose_queue_stays_full_is_given_up),
                cmocka_unit_test(a_path_that_no_socket_can_have_is_said_to_be_too_long),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
