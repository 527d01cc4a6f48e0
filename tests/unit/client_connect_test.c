/* SPDX-License-Identifier: Apache-2.0 */
/* How the client connects. */
#include "wire/client.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum {
        LONG_MS = 60 * 1000, /* never reached */
        SHORT_MS = 30,
};

/* A path for a socket in a new directory. */
struct endpoint {
        char directory[32];
        struct sockaddr_un address;
        int listener;
};

static void open_endpoint(struct endpoint *ret) {
        *ret = (struct endpoint){
                .directory = "/tmp/client_test.XXXXXX", .address.sun_family = AF_UNIX, .listener = -EBADF};
        assert_non_null(mkdtemp(ret->directory));
        (void)snprintf(ret->address.sun_path, sizeof(ret->address.sun_path), "%s/socket", ret->directory);
}

static void bind_endpoint(struct endpoint *endpoint) {
        endpoint->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(endpoint->listener >= 0);
        assert_int_equal(
                bind(endpoint->listener, (const struct sockaddr *)&endpoint->address, sizeof(endpoint->address)), 0);
}

static void close_endpoint(struct endpoint *endpoint) {
        if (endpoint->listener >= 0)
                assert_int_equal(close(endpoint->listener), 0);
        (void)unlink(endpoint->address.sun_path);
        assert_int_equal(rmdir(endpoint->directory), 0);
}

static void connects_to_a_listening_socket(void **state) {
        struct endpoint endpoint;
        struct client client;

        (void)state;
        open_endpoint(&endpoint);
        bind_endpoint(&endpoint);
        assert_int_equal(listen(endpoint.listener, 1), 0);
        assert_int_equal(client_connect(&client, endpoint.address.sun_path, LONG_MS), CLIENT_DONE);
        client_close(&client);
        close_endpoint(&endpoint);
}

static void missing_or_dead_socket_is_not_reached(void **state) {
        struct endpoint endpoint;
        struct client client;

        (void)state;
        open_endpoint(&endpoint);
        assert_int_equal(client_connect(&client, endpoint.address.sun_path, LONG_MS), CLIENT_NOT_REACHED);
        assert_int_equal(client.error, -ENOENT);
        client_close(&client);
        bind_endpoint(&endpoint);
        assert_int_equal(client_connect(&client, endpoint.address.sun_path, LONG_MS), CLIENT_NOT_REACHED);
        assert_int_equal(client.error, -ECONNREFUSED);
        client_close(&client);
        close_endpoint(&endpoint);
}

static void full_queue_times_out(void **state) {
        struct client waiting[3];
        struct endpoint endpoint;
        size_t n = 0;

        (void)state;
        open_endpoint(&endpoint);
        bind_endpoint(&endpoint);
        assert_int_equal(listen(endpoint.listener, 0), 0);
        while (n < 3 && client_connect(&waiting[n], endpoint.address.sun_path, SHORT_MS) == CLIENT_DONE)
                n++;
        assert_in_range(n, 1, 2);
        assert_int_equal(waiting[n].error, -ETIMEDOUT);
        for (size_t i = 0; i <= n; i++)
                client_close(&waiting[i]);
        close_endpoint(&endpoint);
}

static void too_long_path_is_reported(void **state) {
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
                cmocka_unit_test(connects_to_a_listening_socket),
                cmocka_unit_test(missing_or_dead_socket_is_not_reached),
                cmocka_unit_test(full_queue_times_out),
                cmocka_unit_test(too_long_path_is_reported),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
