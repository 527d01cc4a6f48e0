/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relay with a socket pair in place of the port, whose real behaviour is tested in a virtual machine. Like a port, it
 * reads as end of file when the host has detached; unlike a port, it stays so. The clock is the test's own
 * (--wrap=clock_gettime).
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
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
        char directory[32];
        char path[64];
        int listener;
        int port[2]; /* the relay's end, and the host's */
        int64_t now_ms;
        char stages[1024]; /* that the relay logged, a line each */
        struct relay relay;
} world;

int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret) {
        assert_int_equal(id, CLOCK_MONOTONIC);
        *ret = (struct timespec){.tv_sec = world.now_ms / 1000, .tv_nsec = world.now_ms % 1000 * 1000000};
        return 0;
}

static void record_stage(const char *text) {
        size_t used = strlen(world.stages);

        (void)snprintf(world.stages + used, sizeof(world.stages) - used, "%s\n", text);
}

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
        memcpy(world.directory, "/tmp/relay_test.XXXXXX", sizeof("/tmp/relay_test.XXXXXX"));
        assert_non_null(mkdtemp(world.directory));
        (void)snprintf(world.path, sizeof(world.path), "%s/host.sock", world.directory);
        listen_again();
        world.now_ms = 1;
        world.stages[0] = '\0';
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
        return rmdir(world.directory);
}

static void host_writes(const char *text) {
        assert_int_equal(send(world.port[1], text, strlen(text), MSG_NOSIGNAL), (int)strlen(text));
        step();
}

/* Not by close(2): a port knows no reset, and no error when it is written to. */
static void host_detaches(void) {
        assert_int_equal(shutdown(world.port[1], SHUT_WR), 0);
}

/* The relay sees that the host has detached, and then that it stays so. */
static void detach_time_passes(void) {
        step();
        assert_int_equal(world.relay.detached_ms, world.now_ms);
        world.now_ms += RELAY_DETACH_MS - 1;
        step();
        assert_int_not_equal(world.relay.detached_ms, 0);
        world.now_ms++;
        step();
        assert_int_equal(world.relay.detached_ms, 0);
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

static void no_connection_before_the_host_writes(void **state) {
        (void)state;
        step();
        assert_int_equal(accept_one(), -1);
        assert_int_equal(world.relay.agent_fd, -EBADF);
}

static void first_byte_opens_a_connection(void **state) {
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
        host_detaches();
        detach_time_passes();
        assert_reads(agent, "");
        assert_int_equal(world.relay.agent_fd, -EBADF);
        (void)close(agent);
}

/* Its bytes may arrive before the port reports it: it must get the answer. */
static void short_detach_keeps_the_connection(void **state) {
        int agent;

        (void)state;
        assert_int_equal(send(world.port[1], "hello", 5, 0), 5);
        host_detaches();
        step();
        agent = accept_one();
        assert_reads(agent, "hello");
        step();
        assert_true(world.relay.agent_fd >= 0);
        assert_int_equal(send(agent, "answer", 6, MSG_NOSIGNAL), 6);
        assert_true(world.relay.detached_ms > 0);
        (void)close(agent);
}

static void bytes_of_a_detached_host_are_sent(void **state) {
        int agent;

        (void)state;
        assert_int_equal(send(world.port[1], "last words", 10, 0), 10);
        host_detaches();
        step();
        agent = accept_one();
        assert_true(agent >= 0);
        assert_reads(agent, "last words");
        detach_time_passes();
        assert_reads(agent, "");
        (void)close(agent);
}

static void next_byte_reconnects_after_the_agent_closed(void **state) {
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

static void unsent_bytes_go_to_the_next_connection(void **state) {
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

static void host_waits_for_an_unreachable_agent(void **state) {
        int agent;

        (void)state;
        stop_listening();
        host_writes("hello");
        assert_int_equal(world.relay.connect_error, -ENOENT);
        assert_int_equal(world.relay.agent_fd, -EBADF);
        listen_again();
        step();
        assert_int_equal(world.relay.connect_error, 0);
        agent = accept_one();
        assert_reads(agent, "hello");
        (void)close(agent);
}

static void bytes_for_an_unreachable_agent_end_with_their_host(void **state) {
        (void)state;
        stop_listening();
        host_writes("hello");
        host_detaches();
        detach_time_passes();
        assert_int_equal(world.relay.connect_error, 0);
        assert_int_equal(world.relay.to_agent.end, world.relay.to_agent.start);
        listen_again();
        step();
        assert_int_equal(accept_one(), -1);
}

static void full_buffer_for_an_unreachable_agent_ends_with_its_host(void **state) {
        static char block[2 * RELAY_BUFFER_SIZE];

        (void)state;
        stop_listening();
        assert_int_equal(send(world.port[1], block, sizeof(block), MSG_NOSIGNAL), sizeof(block));
        step();
        /* The buffer is full, so the relay cannot learn it from read(2). */
        assert_int_equal(shutdown(world.port[1], SHUT_RDWR), 0);
        step();
        /* What the port holds is read only when the buffer has been dropped, and then ends with the host in turn. */
        for (size_t i = 0; i < sizeof(block) / RELAY_BUFFER_SIZE; i++) {
                assert_int_not_equal(world.relay.detached_ms, 0);
                world.now_ms += RELAY_DETACH_MS;
                step();
        }
        assert_int_equal(world.relay.detached_ms, 0);
        assert_int_equal(world.relay.to_agent.end, world.relay.to_agent.start);
        listen_again();
        step();
        assert_int_equal(accept_one(), -1);
}

static void answers_to_a_detached_host_are_dropped(void **state) {
        static char block[4096];
        int agent;

        (void)state;
        host_writes("x");
        agent = accept_one();
        /* More than the host's socket buffers. */
        while (send(agent, block, sizeof(block), MSG_NOSIGNAL) > 0)
                step();
        assert_true(world.relay.to_host.end > world.relay.to_host.start);
        host_detaches();
        detach_time_passes();
        assert_int_equal(world.relay.to_host.end, world.relay.to_host.start);
        assert_int_equal(world.relay.agent_fd, -EBADF);
        (void)close(agent);
}

/* It sent calls, read no answer, and the agent closed: there are bytes that neither side takes. */
static void host_that_detached_without_reading_blocks_nothing(void **state) {
        static char block[4096];
        int agent;

        (void)state;
        host_writes("x");
        agent = accept_one();
        while (send(agent, block, sizeof(block), MSG_NOSIGNAL) > 0)
                step();
        while (world.relay.to_agent.end == world.relay.to_agent.start) {
                assert_int_equal(send(world.port[1], block, sizeof(block), MSG_NOSIGNAL), sizeof(block));
                step();
        }
        (void)close(agent);
        step();
        assert_int_equal(world.relay.to_host.end - world.relay.to_host.start, RELAY_BUFFER_SIZE);
        assert_true(world.relay.agent_closed);
        host_detaches();
        detach_time_passes();
        assert_int_equal(world.relay.to_host.end, world.relay.to_host.start);
        assert_int_equal(world.relay.to_agent.end, world.relay.to_agent.start);
        assert_int_equal(world.relay.agent_fd, -EBADF);
        assert_false(world.relay.host_gone);
        /* What it wrote was sent to the agent. */
        agent = accept_one();
        assert_true(agent >= 0);
        assert_true(recv(agent, block, sizeof(block), 0) > 0);
        (void)close(agent);
}

static void agent_that_does_not_read_makes_the_host_wait(void **state) {
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
        assert_int_equal(world.relay.to_agent.end - world.relay.to_agent.start, RELAY_BUFFER_SIZE);
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

static void too_long_socket_path_is_refused(void **state) {
        struct relay relay;
        char path[128];

        (void)state;
        memset(path, 'x', sizeof(path));
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(relay_open(&relay, world.port[0], path), -ENAMETOOLONG);
}

static void port_error_is_returned(void **state) {
        (void)state;
        world.relay.port_fd = -EBADF;
        assert_int_equal(relay_step(&world.relay, 0), -EBADF);
        world.relay.port_fd = world.port[0];
}

static void each_stage_is_logged_without_content(void **state) {
        int agent;

        (void)state;
        world.relay.log_stage = record_stage;
        host_writes("secret");
        agent = accept_one();
        assert_reads(agent, "secret");
        assert_int_equal(send(agent, "answer", 6, 0), 6);
        step();
        assert_reads(world.port[1], "answer");
        host_detaches();
        detach_time_passes();
        (void)close(agent);
        assert_non_null(strstr(world.stages, "host: 6 bytes read\nagent: connected to /tmp/relay_test."));
        assert_non_null(strstr(world.stages, "\nhost: detached\nagent: connection closed, 6 bytes sent, 6 received\n"));
        assert_null(strstr(world.stages, "secret"));
        assert_null(strstr(world.stages, "answer"));
}

static void failed_connection_is_logged(void **state) {
        (void)state;
        world.relay.log_stage = record_stage;
        stop_listening();
        host_writes("x");
        assert_non_null(strstr(world.stages, "host: 1 bytes read\nagent: connection to /tmp/relay_test."));
        assert_non_null(strstr(world.stages, "/host.sock failed: No such file or directory\n"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
                TEST(no_connection_before_the_host_writes),
                TEST(first_byte_opens_a_connection),
                TEST(half_a_message_ends_with_its_host),
                TEST(short_detach_keeps_the_connection),
                TEST(bytes_of_a_detached_host_are_sent),
                TEST(next_byte_reconnects_after_the_agent_closed),
                TEST(unsent_bytes_go_to_the_next_connection),
                TEST(host_waits_for_an_unreachable_agent),
                TEST(bytes_for_an_unreachable_agent_end_with_their_host),
                TEST(full_buffer_for_an_unreachable_agent_ends_with_its_host),
                TEST(answers_to_a_detached_host_are_dropped),
                TEST(host_that_detached_without_reading_blocks_nothing),
                TEST(agent_that_does_not_read_makes_the_host_wait),
                TEST(too_long_socket_path_is_refused),
                TEST(port_error_is_returned),
                TEST(each_stage_is_logged_without_content),
                TEST(failed_connection_is_logged),
#undef TEST
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
