/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relay between two socket pairs: one stands for the port, whose real behaviour is tested in a virtual machine. Like
 * a port, its end reads as an end of file once the host has left; unlike one, it does not come back.
 */
#include "relay/relay.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
        char folder[32];
        char path[64];
        int listener;
        int port[2]; /* the relay's, and the host's */
        struct relay relay;
} world;

static void step(void) {
        assert_int_equal(relay_step(&world.relay, 0), 0);
}

static void listen_again(void) {
        struct sockaddr_un at = {.sun_family = AF_UNIX};

        memcpy(at.sun_path, world.path, strlen(world.path) + 1);
        world.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(bind(world.listener, (const struct sockaddr *)&at, sizeof(at)), 0);
        assert_int_equal(listen(world.listener, 8), 0);
}

static void stop_listening(void) {
        assert_int_equal(close(world.listener), 0);
        assert_int_equal(unlink(world.path), 0);
        world.listener = -EBADF;
}

static int start(void **state) {
        (void)state;
        memcpy(world.folder, "/tmp/relay_test.XXXXXX", sizeof("/tmp/relay_test.XXXXXX"));
        assert_non_null(mkdtemp(world.folder));
        (void)snprintf(world.path, sizeof(world.path), "%s/host.sock", world.folder);
        listen_again();
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, world.port), 0);
        assert_int_equal(relay_open(&world.relay, world.port[0], world.path), 0);
        step();
        return 0;
}

static int stop(void **state) {
        (void)state;
        relay_close(&world.relay);
        (void)close(world.port[0]);
        (void)close(world.port[1]);
        if (world.listener >= 0)
                stop_listening();
        return rmdir(world.folder);
}

static void host_writes(const char *text) {
        assert_int_equal(send(world.port[1], text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
        step();
}

/* Until it counts as having left. */
static void wait_until_the_host_has_left(void) {
        step();
        for (int i = 0; i < 20 && (world.relay.agent_fd >= 0 || world.relay.away_ms != 0); i++)
                assert_int_equal(relay_step(&world.relay, 100), 0);
}

/* Not by close(2): a reset, and an error when written to, are nothing that a port knows. */
static void host_leaves(void) {
        assert_int_equal(shutdown(world.port[1], SHUT_WR), 0);
}

static int accept_one(void) {
        return accept4(world.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void assert_reads(int fd, const char *expected) {
        char got[256];
        ssize_t n = recv(fd, got, sizeof(got), 0);

        assert_int_equal(n, (ssize_t)strlen(expected));
        assert_memory_equal(got, expected, strlen(expected));
}

static void nothing_is_opened_before_the_host_writes(void **state) {
        (void)state;
        step();
        assert_int_equal(accept_one(), -1);
        assert_int_equal(world.relay.agent_fd, -EBADF);
}

static void the_first_byte_opens_a_connection_and_all_is_passed_on(void **state) {
        int agent;

        (void)state;
        host_writes("{\"method\":");
        agent = accept_one();
        assert_true(agent >= 0);
        assert_reads(agent, "{\"method\":");
        host_writes("…\"}");
        assert_reads(agent, "…\"}");
        assert_int_equal(send(agent, "answer", 6, 0), 6);
        step();
        assert_reads(world.port[1], "answer");
        (void)close(agent);
}

static void half_a_message_ends_with_its_host(void **state) {
        int agent;

        (void)state;
        host_writes("half");
        agent = accept_one();
        assert_reads(agent, "half");
        host_leaves();
        wait_until_the_host_has_left();
        assert_reads(agent, "");
        assert_int_equal(world.relay.agent_fd, -EBADF);
        (void)close(agent);
}

/* Its bytes may come before the port knows of it: the answer is kept for it. */
static void a_host_that_seems_away_for_a_moment_keeps_its_connection(void **state) {
        int agent;

        (void)state;
        assert_int_equal(send(world.port[1], "hello", 5, 0), 5);
        host_leaves();
        step();
        agent = accept_one();
        assert_reads(agent, "hello");
        step();
        assert_true(world.relay.agent_fd >= 0);
        assert_int_equal(send(agent, "answer", 6, MSG_NOSIGNAL), 6);
        assert_true(world.relay.away_ms > 0);
        (void)close(agent);
}

static void what_a_host_wrote_before_it_left_is_passed_on(void **state) {
        int agent;

        (void)state;
        assert_int_equal(send(world.port[1], "last words", 10, 0), 10);
        host_leaves();
        step();
        agent = accept_one();
        assert_true(agent >= 0);
        assert_reads(agent, "last words");
        wait_until_the_host_has_left();
        assert_reads(agent, "");
        (void)close(agent);
}

static void after_the_agent_closed_the_next_byte_opens_another_connection(void **state) {
        int agent;

        (void)state;
        host_writes("one");
        agent = accept_one();
        assert_reads(agent, "one");
        assert_int_equal(send(agent, "bye", 3, 0), 3);
        (void)close(agent);
        step();
        assert_reads(world.port[1], "bye");
        assert_int_equal(accept_one(), -1);
        host_writes("two");
        agent = accept_one();
        assert_true(agent >= 0);
        assert_reads(agent, "two");
        (void)close(agent);
}

static void bytes_that_the_closing_agent_did_not_take_go_to_the_next_connection(void **state) {
        int agent;

        (void)state;
        host_writes("one");
        agent = accept_one();
        assert_reads(agent, "one");
        (void)close(agent);
        host_writes("two");
        agent = accept_one();
        assert_true(agent >= 0);
        assert_reads(agent, "two");
        (void)close(agent);
}

static void while_the_agent_cannot_be_reached_the_host_waits(void **state) {
        int agent;

        (void)state;
        stop_listening();
        host_writes("hello");
        assert_int_equal(world.relay.refused, -ENOENT);
        assert_int_equal(world.relay.agent_fd, -EBADF);
        listen_again();
        step();
        assert_int_equal(world.relay.refused, 0);
        agent = accept_one();
        assert_reads(agent, "hello");
        (void)close(agent);
}

static void a_host_that_leaves_an_unreachable_agent_leaves_nothing_behind(void **state) {
        (void)state;
        stop_listening();
        host_writes("hello");
        host_leaves();
        step();
        wait_until_the_host_has_left();
        assert_int_equal(world.relay.refused, 0);
        assert_int_equal(world.relay.to_agent.to, world.relay.to_agent.from);
        listen_again();
        step();
        assert_int_equal(accept_one(), -1);
}

static void so_it_is_when_it_wrote_more_than_is_kept(void **state) {
        static char block[2 * RELAY_BUFFER_SIZE];

        (void)state;
        stop_listening();
        assert_int_equal(send(world.port[1], block, sizeof(block), MSG_NOSIGNAL), sizeof(block));
        step();
        /* The port is full, so it is asked in another way than by reading. */
        assert_int_equal(shutdown(world.port[1], SHUT_RDWR), 0);
        wait_until_the_host_has_left();
        assert_int_equal(world.relay.to_agent.to, world.relay.to_agent.from);
        listen_again();
        step();
        assert_int_equal(accept_one(), -1);
}

static void answers_to_a_host_that_left_are_dropped(void **state) {
        static char block[4096];
        int agent;

        (void)state;
        host_writes("x");
        agent = accept_one();
        /* More than the host's side takes without being read. */
        while (send(agent, block, sizeof(block), MSG_NOSIGNAL) > 0)
                step();
        assert_true(world.relay.to_host.to > world.relay.to_host.from);
        host_leaves();
        step();
        wait_until_the_host_has_left();
        assert_int_equal(world.relay.to_host.to, world.relay.to_host.from);
        assert_int_equal(world.relay.agent_fd, -EBADF);
        (void)close(agent);
}

/* It asked and asked, read nothing, and the agent dropped it: there are bytes that neither side takes. */
static void a_host_that_left_without_reading_stops_nobody(void **state) {
        static char block[4096];
        int agent;

        (void)state;
        host_writes("x");
        agent = accept_one();
        while (send(agent, block, sizeof(block), MSG_NOSIGNAL) > 0)
                step();
        while (world.relay.to_agent.to == world.relay.to_agent.from) {
                assert_int_equal(send(world.port[1], block, sizeof(block), MSG_NOSIGNAL), sizeof(block));
                step();
        }
        (void)close(agent);
        step();
        assert_int_equal(world.relay.to_host.to - world.relay.to_host.from, RELAY_BUFFER_SIZE);
        assert_true(world.relay.agent_ended);
        host_leaves();
        wait_until_the_host_has_left();
        assert_int_equal(world.relay.to_host.to, world.relay.to_host.from);
        assert_int_equal(world.relay.to_agent.to, world.relay.to_agent.from);
        assert_int_equal(world.relay.agent_fd, -EBADF);
        assert_false(world.relay.host_left);
        /* What it wrote went to the agent after all. */
        agent = accept_one();
        assert_true(agent >= 0);
        assert_true(recv(agent, block, sizeof(block), 0) > 0);
        (void)close(agent);
}

static void who_does_not_read_makes_the_other_one_wait(void **state) {
        static char block[4096], got[4096];
        size_t sent = 0, received = 0;
        int agent;

        (void)state;
        host_writes("x");
        agent = accept_one();
        assert_reads(agent, "x");
        for (;;) {
                ssize_t n = send(world.port[1], block, sizeof(block), MSG_NOSIGNAL);

                if (n < 0) {
                        step();
                        n = send(world.port[1], block, sizeof(block), MSG_NOSIGNAL);
                }
                if (n < 0)
                        break;
                sent += (size_t)n;
        }
        assert_int_equal(world.relay.to_agent.to - world.relay.to_agent.from, RELAY_BUFFER_SIZE);
        for (ssize_t n = 1; n > 0;) {
                n = recv(agent, got, sizeof(got), 0);
                if (n > 0)
                        received += (size_t)n;
                step();
                if (n < 0 && (n = recv(agent, got, sizeof(got), 0)) > 0)
                        received += (size_t)n;
        }
        assert_int_equal(received, sent);
        (void)close(agent);
}

static void a_path_that_fits_no_socket_is_refused(void **state) {
        struct relay relay;
        char path[128];

        (void)state;
        memset(path, 'x', sizeof(path));
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(relay_open(&relay, world.port[0], path), -ENAMETOOLONG);
}

static void an_error_of_the_port_is_told(void **state) {
        (void)state;
        world.relay.port_fd = -EBADF;
        assert_int_equal(relay_step(&world.relay, 0), -EBADF);
        world.relay.port_fd = world.port[0];
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
                TEST(nothing_is_opened_before_the_host_writes),
                TEST(the_first_byte_opens_a_connection_and_all_is_passed_on),
                TEST(half_a_message_ends_with_its_host),
                TEST(a_host_that_seems_away_for_a_moment_keeps_its_connection),
                TEST(what_a_host_wrote_before_it_left_is_passed_on),
                TEST(after_the_agent_closed_the_next_byte_opens_another_connection),
                TEST(bytes_that_the_closing_agent_did_not_take_go_to_the_next_connection),
                TEST(while_the_agent_cannot_be_reached_the_host_waits),
                TEST(a_host_that_leaves_an_unreachable_agent_leaves_nothing_behind),
                TEST(so_it_is_when_it_wrote_more_than_is_kept),
                TEST(answers_to_a_host_that_left_are_dropped),
                TEST(a_host_that_left_without_reading_stops_nobody),
                TEST(who_does_not_read_makes_the_other_one_wait),
                TEST(a_path_that_fits_no_socket_is_refused),
                TEST(an_error_of_the_port_is_told),
#undef TEST
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
