/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server in a thread, on a socket of its own, and clients. Linked with --wrap=getsockopt, so that a peer can have another
 * uid.
 */
#include "wire/serve.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "wire/client.h"

#define INTERFACE "in.example.Test"
#define LITERAL(text) (text), sizeof(text) /* with its NUL */

enum { LONG_MS = 600 * 1000 }; /* never reached: a test that waits for it hangs */

static const char description[] = "interface in.example.Test\n";

struct world {
        char path[64];
        int socket_fd, stop_fd;
        int go_fd; /* eventfd: `Wait` goes on */
        uid_t peer;
        struct serve_settings settings;
        pthread_t thread;
        bool running;
        int result;
        atomic_int waiting, denied, wait_result, too_long;
};

static struct world world;

/* The uid that peers seem to have; -1: their own. */
static atomic_int peer_uid;

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size) {
        int r = __real_getsockopt(fd, level, name, value, size);

        if (r == 0 && name == SO_PEERCRED && atomic_load(&peer_uid) >= 0)
                ((struct ucred *)value)->uid = (uid_t)atomic_load(&peer_uid);
        return r;
}

/* --- methods ---------------------------------------------------------------------------------------------------------- */

static void method_echo(void *context, struct serve_call *call) {
        assert_ptr_equal(context, &world);
        (void)serve_reply(call, json_pack("{sO si sb}", "parameters", call->parameters, "uid", (int)call->uid, "more",
                                          call->more));
}

/* Replies when go_fd is readable, or with what ended the wait. */
static void method_wait(void *context, struct serve_call *call) {
        int r;

        (void)context;
        atomic_fetch_add(&world.waiting, 1);
        r = serve_wait(call, world.go_fd, -1);
        atomic_store(&world.wait_result, r);
        (void)serve_reply(call, json_pack("{si}", "result", r));
}

/* The same, without an eye on anything else. */
static void method_block(void *context, struct serve_call *call) {
        struct pollfd p = {.fd = world.go_fd, .events = POLLIN};

        (void)context;
        atomic_fetch_add(&world.waiting, 1);
        while (poll(&p, 1, -1) < 1)
                ;
        (void)serve_reply(call, json_object());
}

static void method_three(void *context, struct serve_call *call) {
        (void)context;
        assert_int_equal(serve_reply_part(call, json_pack("{si}", "n", 1)), 0);
        assert_int_equal(serve_reply_part(call, json_pack("{si}", "n", 2)), 0);
        assert_int_equal(serve_reply(call, json_pack("{si}", "n", 3)), 0);
}

/* Parts until one cannot be sent. */
static void method_endless(void *context, struct serve_call *call) {
        static char text[8 * 1024];
        int r = 0;

        (void)context;
        memset(text, 'x', sizeof(text) - 1);
        while (r == 0)
                r = serve_reply_part(call, json_pack("{ss}", "t", text));
        atomic_store(&world.wait_result, r);
}

static void method_long(void *context, struct serve_call *call) {
        static char text[FRAME_MAX];

        (void)context;
        memset(text, 'x', sizeof(text) - 1);
        atomic_store(&world.too_long, serve_reply(call, json_pack("{ss}", "t", text)));
        (void)serve_error(call, INTERFACE ".TooLong", json_object());
}

static void method_no_memory(void *context, struct serve_call *call) {
        (void)context;
        assert_int_equal(serve_reply(call, NULL), -ENOMEM);
}

static void method_silent(void *context, struct serve_call *call) {
        (void)context;
        (void)call;
}

static const struct serve_method methods[] = {
        {INTERFACE ".Echo", method_echo},
        {INTERFACE ".Wait", method_wait},
        {INTERFACE ".Block", method_block},
        {INTERFACE ".Three", method_three},
        {INTERFACE ".Endless", method_endless},
        {INTERFACE ".Long", method_long},
        {INTERFACE ".NoMemory", method_no_memory},
        {INTERFACE ".Silent", method_silent},
        {.name = NULL},
};

static void on_denied(void *context, uid_t uid, pid_t pid) {
        assert_ptr_equal(context, &world);
        assert_int_equal(uid, atomic_load(&peer_uid));
        assert_int_equal(pid, getpid());
        atomic_fetch_add(&world.denied, 1);
}

/* --- fixture ---------------------------------------------------------------------------------------------------------- */

static void *run(void *argument) {
        (void)argument;
        world.result = serve_run(&world.settings);
        return NULL;
}

static void start(void) {
        assert_int_equal(pthread_create(&world.thread, NULL, run, NULL), 0);
        world.running = true;
}

static void signal_fd(int fd) {
        uint64_t one = 1;

        assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static int stop(void) {
        signal_fd(world.stop_fd);
        assert_int_equal(pthread_join(world.thread, NULL), 0);
        world.running = false;
        return world.result;
}

static int setup(void **state) {
        (void)state;
        world = (struct world){.path = "/tmp/serve_test.XXXXXX", .peer = getuid()};
        atomic_store(&peer_uid, -1);
        if (!mkdtemp(world.path))
                return -1;
        strcat(world.path, "/s");
        world.socket_fd = serve_listen(world.path, 0600);
        world.stop_fd = eventfd(0, EFD_CLOEXEC);
        world.go_fd = eventfd(0, EFD_CLOEXEC);
        if (world.socket_fd < 0 || world.stop_fd < 0 || world.go_fd < 0)
                return -1;
        world.settings = (struct serve_settings){
                .methods = methods,
                .context = &world,
                .interface = INTERFACE,
                .interface_text = description,
                .product = "a test",
                .version = "7",
                .peers = &world.peer,
                .n_peers = 1,
                .denied = on_denied,
                .sockets = &world.socket_fd,
                .n_sockets = 1,
                .stop_fd = world.stop_fd,
                .idle_ms = LONG_MS,
                .stop_ms = LONG_MS,
        };
        return 0;
}

static int teardown(void **state) {
        (void)state;
        if (world.running) {
                signal_fd(world.go_fd);
                (void)stop();
        }
        (void)close(world.socket_fd);
        (void)close(world.stop_fd);
        (void)close(world.go_fd);
        (void)unlink(world.path);
        *strrchr(world.path, '/') = '\0';
        return rmdir(world.path);
}

static struct client connect_client(void) {
        struct client client;

        assert_int_equal(client_connect(&client, world.path, LONG_MS), CLIENT_DONE);
        return client;
}

static struct client_reply call(struct client *client, const char *method, json_t *parameters,
                                enum client_result expected) {
        struct client_reply reply = {.parameters = NULL};

        assert_int_equal(client_call(client, method, parameters, &reply), expected);
        return reply;
}

static void assert_error(struct client *client, const char *method, json_t *parameters, const char *error) {
        struct client_reply reply = call(client, method, parameters, CLIENT_REFUSED);

        assert_string_equal(reply.error, error);
        json_decref(reply.parameters);
}

static void assert_served(struct client *client) {
        json_decref(call(client, INTERFACE ".Echo", json_object(), CLIENT_DONE).parameters);
}

static void wait_for(atomic_int *counter, int n) {
        while (atomic_load(counter) < n)
                (void)usleep(1000);
}

static void send_raw(struct client *client, const char *bytes, size_t n) {
        assert_int_equal(send(client->fd, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* The server has closed the connection, and sent nothing. */
static void assert_closed(struct client *client) {
        char byte;
        ssize_t n = recv(client->fd, &byte, 1, 0);

        assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
        client_close(client);
}

/* --- tests ------------------------------------------------------------------------------------------------------------ */

static void calls_are_answered_in_order(void **state) {
        struct client client;
        struct client_reply reply;

        (void)state;
        start();
        client = connect_client();
        for (int i = 0; i < 3; i++) {
                reply = call(&client, INTERFACE ".Echo", json_pack("{si}", "n", i), CLIENT_DONE);
                assert_int_equal(
                        json_integer_value(json_object_get(json_object_get(reply.parameters, "parameters"), "n")), i);
                assert_int_equal(json_integer_value(json_object_get(reply.parameters, "uid")), getuid());
                json_decref(reply.parameters);
        }
        client_close(&client);
        assert_int_equal(stop(), 0);
}

static void service_describes_itself(void **state) {
        struct client client;
        struct client_reply reply;

        (void)state;
        start();
        client = connect_client();
        reply = call(&client, "org.varlink.service.GetInfo", json_object(), CLIENT_DONE);
        assert_string_equal(json_string_value(json_object_get(reply.parameters, "product")), "a test");
        assert_string_equal(json_string_value(json_array_get(json_object_get(reply.parameters, "interfaces"), 0)),
                            INTERFACE);
        json_decref(reply.parameters);
        reply = call(&client, "org.varlink.service.GetInterfaceDescription", json_pack("{ss}", "interface", INTERFACE),
                     CLIENT_DONE);
        assert_string_equal(json_string_value(json_object_get(reply.parameters, "description")), description);
        json_decref(reply.parameters);
        assert_error(&client, "org.varlink.service.GetInterfaceDescription", json_pack("{ss}", "interface", "a.b"),
                     "org.varlink.service.InterfaceNotFound");
        assert_error(&client, "org.varlink.service.GetInterfaceDescription", json_object(),
                     "org.varlink.service.InvalidParameter");
        assert_error(&client, INTERFACE ".Nothing", json_object(), "org.varlink.service.MethodNotFound");
        assert_served(&client);
        client_close(&client);
}

static void several_replies_follow_each_other(void **state) {
        struct client client;

        (void)state;
        start();
        client = connect_client();
        assert_int_equal(client_send(&client, INTERFACE ".Three", json_object(), true), CLIENT_DONE);
        for (int i = 1; i <= 3; i++) {
                struct client_reply reply;

                assert_int_equal(client_receive(&client, &reply), CLIENT_DONE);
                assert_int_equal(json_integer_value(json_object_get(reply.parameters, "n")), i);
                assert_int_equal(reply.continues, i < 3);
                json_decref(reply.parameters);
        }
        assert_served(&client);
        client_close(&client);
}

static void foreign_uid_is_denied_before_it_sends(void **state) {
        struct client client;
        struct client_reply reply;

        (void)state;
        atomic_store(&peer_uid, (int)getuid() + 1);
        start();
        client = connect_client();
        /* Without a request. */
        client.deadline_ns = INT64_MAX;
        assert_int_equal(client_receive(&client, &reply), CLIENT_REFUSED);
        assert_string_equal(reply.error, INTERFACE ".PermissionDenied");
        json_decref(reply.parameters);
        assert_closed(&client);
        assert_int_equal(atomic_load(&world.denied), 1);
}

static void nobody_is_allowed_by_an_empty_list(void **state) {
        struct client client;

        (void)state;
        world.settings.n_peers = 0;
        atomic_store(&peer_uid, (int)getuid());
        start();
        client = connect_client();
        assert_error(&client, INTERFACE ".Echo", json_object(), INTERFACE ".PermissionDenied");
        client_close(&client);
}

static void what_is_no_call_ends_the_connection(void **state) {
        static const char *const messages[] = {"{}",
                                               "[]",
                                               "x",
                                               "{\"method\":\"\"}",
                                               "{\"method\":\"a.b\",\"more\":1}",
                                               "{\"method\":\"a.b\",\"more\":true,\"oneway\":true}"};

        (void)state;
        start();
        for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
                struct client client = connect_client();

                send_raw(&client, messages[i], strlen(messages[i]) + 1);
                assert_closed(&client);
        }
}

static void unknown_member_is_answered(void **state) {
        static const char message[] = "{\"method\":\"org.varlink.service.GetInfo\",\"later\":1}";
        struct client client;
        struct client_reply reply;

        (void)state;
        start();
        client = connect_client();
        send_raw(&client, message, sizeof(message));
        client_wait_again(&client);
        assert_int_equal(client_receive(&client, &reply), CLIENT_REFUSED);
        assert_string_equal(reply.error, "org.varlink.service.InvalidParameter");
        assert_string_equal(json_string_value(json_object_get(reply.parameters, "parameter")), "later");
        json_decref(reply.parameters);
        client_close(&client);
}

static void too_long_message_ends_the_connection(void **state) {
        static char text[FRAME_MAX];
        struct client client;

        (void)state;
        memset(text, 'x', sizeof(text));
        start();
        client = connect_client();
        send_raw(&client, text, sizeof(text));
        assert_closed(&client);
}

static void reply_that_is_too_long_is_reported_to_the_method(void **state) {
        struct client client;

        (void)state;
        start();
        client = connect_client();
        assert_error(&client, INTERFACE ".Long", json_object(), INTERFACE ".TooLong");
        assert_int_equal(atomic_load(&world.too_long), -E2BIG);
        assert_served(&client);
        client_close(&client);
}

static void call_without_a_reply_ends_the_connection(void **state) {
        static const char *const names[] = {INTERFACE ".NoMemory", INTERFACE ".Silent"};

        (void)state;
        start();
        for (size_t i = 0; i < 2; i++) {
                struct client client = connect_client();

                (void)call(&client, names[i], json_object(), CLIENT_NOT_REACHED);
                assert_int_equal(client.error, -ECONNRESET);
                client_close(&client);
        }
}

static void oneway_call_gets_no_reply(void **state) {
        struct client client;

        (void)state;
        start();
        client = connect_client();
        send_raw(&client, LITERAL("{\"method\":\"" INTERFACE ".Echo\",\"oneway\":true}"));
        assert_served(&client);
        client_close(&client);
}

static void slow_call_does_not_delay_another_connection(void **state) {
        struct client slow, quick;
        struct client_reply reply;

        (void)state;
        start();
        slow = connect_client();
        assert_int_equal(client_send(&slow, INTERFACE ".Wait", json_object(), false), CLIENT_DONE);
        wait_for(&world.waiting, 1);
        quick = connect_client();
        assert_served(&quick);
        client_close(&quick);
        signal_fd(world.go_fd);
        assert_int_equal(client_receive(&slow, &reply), CLIENT_DONE);
        assert_int_equal(json_integer_value(json_object_get(reply.parameters, "result")), 1);
        json_decref(reply.parameters);
        client_close(&slow);
}

static void waiting_method_learns_that_its_peer_is_gone(void **state) {
        struct client client;

        (void)state;
        start();
        client = connect_client();
        assert_int_equal(client_send(&client, INTERFACE ".Wait", json_object(), false), CLIENT_DONE);
        wait_for(&world.waiting, 1);
        client_close(&client);
        while (atomic_load(&world.wait_result) == 0)
                (void)usleep(1000);
        assert_int_equal(atomic_load(&world.wait_result), -ECONNRESET);
}

static void peer_that_is_gone_ends_the_parts(void **state) {
        struct client_reply reply;
        struct client client;

        (void)state;
        start();
        client = connect_client();
        assert_int_equal(client_send(&client, INTERFACE ".Endless", json_object(), true), CLIENT_DONE);
        assert_int_equal(client_receive(&client, &reply), CLIENT_DONE);
        json_decref(reply.parameters);
        client_close(&client);
        assert_int_equal(stop(), 0);
        assert_true(atomic_load(&world.wait_result) == -EPIPE || atomic_load(&world.wait_result) == -ECONNRESET);
}

static void stop_answers_what_is_running(void **state) {
        struct client idle, busy;
        struct client_reply reply;

        (void)state;
        start();
        idle = connect_client();
        assert_served(&idle);
        busy = connect_client();
        assert_int_equal(client_send(&busy, INTERFACE ".Block", json_object(), false), CLIENT_DONE);
        wait_for(&world.waiting, 1);
        signal_fd(world.stop_fd);
        assert_closed(&idle);
        signal_fd(world.go_fd);
        assert_int_equal(client_receive(&busy, &reply), CLIENT_DONE);
        json_decref(reply.parameters);
        assert_closed(&busy);
        assert_int_equal(pthread_join(world.thread, NULL), 0);
        world.running = false;
        assert_int_equal(world.result, 0);
}

static void stop_ends_a_wait(void **state) {
        struct client client;
        struct client_reply reply;

        (void)state;
        start();
        client = connect_client();
        assert_int_equal(client_send(&client, INTERFACE ".Wait", json_object(), false), CLIENT_DONE);
        wait_for(&world.waiting, 1);
        assert_int_equal(stop(), 0);
        assert_int_equal(client_receive(&client, &reply), CLIENT_DONE);
        assert_int_equal(json_integer_value(json_object_get(reply.parameters, "result")), -ESHUTDOWN);
        json_decref(reply.parameters);
        client_close(&client);
}

static void silent_peer_is_disconnected(void **state) {
        struct client idle, half;

        (void)state;
        world.settings.idle_ms = 1000;
        start();
        idle = connect_client();
        assert_served(&idle);
        half = connect_client();
        send_raw(&half, "{", 1);
        assert_closed(&idle);
        assert_closed(&half);
}

static void connections_above_the_limit_wait(void **state) {
        struct client clients[SERVE_CONNECTIONS_MAX + 1];
        struct client_reply reply;
        struct client *last = &clients[SERVE_CONNECTIONS_MAX];

        (void)state;
        start();
        for (size_t i = 0; i < SERVE_CONNECTIONS_MAX; i++) {
                clients[i] = connect_client();
                assert_served(&clients[i]);
        }
        *last = connect_client();
        assert_int_equal(client_send(last, INTERFACE ".Echo", json_object(), false), CLIENT_DONE);
        assert_int_equal(poll(&(struct pollfd){.fd = last->fd, .events = POLLIN}, 1, 200), 0);
        client_close(&clients[0]);
        assert_int_equal(client_receive(last, &reply), CLIENT_DONE);
        json_decref(reply.parameters);
        for (size_t i = 1; i <= SERVE_CONNECTIONS_MAX; i++)
                client_close(&clients[i]);
}

static void calls_that_go_on_are_reported(void **state) {
        pid_t pid;
        int status;

        (void)state;
        /* In a process of its own, since threads go on. */
        (void)fflush(NULL);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                struct client client;

                world.settings.stop_ms = 1;
                start();
                client = connect_client();
                (void)client_send(&client, INTERFACE ".Block", json_object(), false);
                wait_for(&world.waiting, 1);
                _exit(stop() == -ETIMEDOUT ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

static void socket_has_its_mode_and_replaces_an_old_one(void **state) {
        struct stat st;
        int fd;

        (void)state;
        fd = serve_listen(world.path, 0660);
        assert_true(fd >= 0);
        assert_int_equal(lstat(world.path, &st), 0);
        assert_int_equal(st.st_mode, S_IFSOCK | 0660);
        (void)close(fd);
        assert_int_equal(serve_listen("/tmp", 0600), -EADDRINUSE);
        assert_int_equal(serve_listen("/nowhere/at/all", 0600), -ENOENT);
}

static void inherited_sockets_are_checked(void **state) {
        char pid[16];
        int fds[2];

        (void)state;
        assert_int_equal(unsetenv("LISTEN_PID"), 0);
        assert_int_equal(serve_inherited(fds, 2), 0);
        (void)snprintf(pid, sizeof(pid), "%d", (int)getpid() + 1);
        assert_int_equal(setenv("LISTEN_PID", pid, 1) + setenv("LISTEN_FDS", "1", 1), 0);
        assert_int_equal(serve_inherited(fds, 2), 0);
        (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
        assert_int_equal(setenv("LISTEN_PID", pid, 1) + setenv("LISTEN_FDS", "3", 1), 0);
        assert_int_equal(serve_inherited(fds, 2), -EINVAL);
        assert_null(getenv("LISTEN_FDS"));
        assert_int_equal(setenv("LISTEN_PID", pid, 1) + setenv("LISTEN_FDS", "x", 1), 0);
        assert_int_equal(serve_inherited(fds, 2), -EINVAL);
        assert_int_equal(unsetenv("LISTEN_PID") + unsetenv("LISTEN_FDS"), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(calls_are_answered_in_order),
                TEST(service_describes_itself),
                TEST(several_replies_follow_each_other),
                TEST(foreign_uid_is_denied_before_it_sends),
                TEST(nobody_is_allowed_by_an_empty_list),
                TEST(what_is_no_call_ends_the_connection),
                TEST(unknown_member_is_answered),
                TEST(too_long_message_ends_the_connection),
                TEST(reply_that_is_too_long_is_reported_to_the_method),
                TEST(call_without_a_reply_ends_the_connection),
                TEST(oneway_call_gets_no_reply),
                TEST(slow_call_does_not_delay_another_connection),
                TEST(waiting_method_learns_that_its_peer_is_gone),
                TEST(peer_that_is_gone_ends_the_parts),
                TEST(stop_answers_what_is_running),
                TEST(stop_ends_a_wait),
                TEST(silent_peer_is_disconnected),
                TEST(connections_above_the_limit_wait),
                TEST(calls_that_go_on_are_reported),
                TEST(socket_has_its_mode_and_replaces_an_old_one),
                TEST(inherited_sockets_are_checked),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
