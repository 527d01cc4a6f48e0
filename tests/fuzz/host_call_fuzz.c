/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as calls to exc-host, and as what its guests answer meanwhile. Each call has one answer, with which the API's own
 * client can deal; the very envelope of the call goes to its guest and to no other; and a delivery that is asked for again is
 * not sent again.
 *
 * Input: messages, each with its NUL. One that is a call is made; each other one is what a guest sends when it is asked next,
 * with NULs where it has bytes of value 1, and an empty one ends the guest's connection. Names are those of begin().
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cloud/api/host_client.h"
#include "cloud/api/host_reports.h"
#include "host/host.h"
#include "host/log.h"
#include "libpush/token.h"
#include "wire/call.h"
#include "wire/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);
int __wrap_serve_reply(struct serve_call *call, json_t *parameters);
int __wrap_serve_reply_part(struct serve_call *call, json_t *parameters);
int __wrap_serve_error(struct serve_call *call, const char *error, json_t *parameters);
int __wrap_serve_wait(struct serve_call *call, int fd, int timeout_ms);
enum client_result __wrap_address_connect(const struct address *address, int timeout_ms, struct client *ret);
enum client_result __wrap_client_send(struct client *client, const char *method, json_t *parameters, bool more);
enum client_result __real_client_send(struct client *client, const char *method, json_t *parameters, bool more);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_token_make(char ret[static TOKEN_MAX]);
int __wrap_turns_take(struct turns *turns, unsigned most_waiting, int64_t deadline_ms);
int __real_turns_take(struct turns *turns, unsigned most_waiting, int64_t deadline_ms);
void __wrap_log_delivery(const char *instance, const char *call_id, bool pushes, const struct outcome *outcome,
                         int64_t took_ms);
enum client_result __wrap_varlink_pool_call(struct varlink_pool *pool, const char *method, json_t *parameters,
                                            int timeout_ms, bool idempotent, struct client_reply *ret,
                                            struct varlink_fault *ret_fault);

enum { PEERS_MAX = 64, CALLS_MAX = 8, SOME_MS = 1000 };

static const char *at;
static size_t left;
static struct {
        int guest, host;  /* the two ends of a connection */
        char instance[2]; /* whose it is */
} peers[PEERS_MAX];
static size_t n_peers, n_sent, n_tokens;
static json_t *asked, *envelope; /* of the call that is under way */

/* The latest answer. */
static json_t *answer;
static char error[CLIENT_ERROR_MAX];

static void require(bool condition) {
        if (!condition)
                abort();
}

/* --- the server -------------------------------------------------------------------------------------------------- */

static int take_answer(const char *name, json_t *parameters) {
        char *text = json_dumps(parameters, JSON_COMPACT);
        size_t n = text ? strlen(text) : 0;

        free(text);
        require(text && !answer);
        if (n + 128 > FRAME_MAX) {
                require(!name);
                json_decref(parameters);
                return -E2BIG;
        }
        answer = parameters;
        require(snprintf(error, sizeof(error), "%s", name ? name : "") < (int)sizeof(error));
        return 0;
}

int __wrap_serve_reply(struct serve_call *call, json_t *parameters) {
        (void)call;
        return take_answer(NULL, parameters);
}

int __wrap_serve_error(struct serve_call *call, const char *name, json_t *parameters) {
        (void)call;
        return take_answer(name, parameters);
}

int __wrap_serve_reply_part(struct serve_call *call, json_t *parameters) {
        static struct host_report reports[HOST_REPORT_MAX];
        size_t n;

        require(call->more && !answer && host_reports_parse(parameters, reports, &n) && n == 2);
        json_decref(parameters);
        return 0;
}

int __wrap_serve_wait(struct serve_call *call, int fd, int timeout_ms) {
        (void)fd;
        require(call->more && timeout_ms < 0);
        return -ESHUTDOWN;
}

void __wrap_log_delivery(const char *instance, const char *call_id, bool pushes, const struct outcome *outcome,
                         int64_t took_ms) {
        (void)pushes;
        (void)took_ms;
        require(*instance && token_valid(call_id) && outcome->parameters);
}

/* --- the guests -------------------------------------------------------------------------------------------------- */

/* Predictable, so that an input can have the answers to a Hello, and its handle. */
int __wrap_token_make(char ret[static TOKEN_MAX]) {
        memset(ret, 'A', TOKEN_LENGTH);
        ret[0] = (char)('A' + n_tokens++ % 26);
        ret[TOKEN_LENGTH] = '\0';
        return 0;
}

/* Nobody else returns a turn, so there is nothing to wait for. */
int __wrap_turns_take(struct turns *turns, unsigned most_waiting, int64_t deadline_ms) {
        return __real_turns_take(turns, most_waiting, most_waiting == 0 ? deadline_ms : 1);
}

enum client_result __wrap_address_connect(const struct address *address, int timeout_ms, struct client *ret) {
        int fds[2];

        require(address->path[0] == '/' && timeout_ms > 0 && n_peers < PEERS_MAX);
        require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        client_adopt(ret, fds[0], timeout_ms);
        peers[n_peers].guest = fds[1];
        peers[n_peers].host = fds[0];
        peers[n_peers++].instance[0] = address->path[1];
        return CLIENT_DONE;
}

/* The connection. Descriptors are used again: the latest one counts. */
static size_t peer_of(int fd) {
        size_t i = n_peers;

        while (i > 0 && peers[i - 1].host != fd)
                i--;
        require(i > 0);
        return i - 1;
}

static bool is_call(const char *message, size_t n) {
        struct call call = CALL_INIT;
        bool ok = n > 0 && call_parse(message, n, &call);

        call_clear(&call);
        return ok;
}

/* The next message, without its NUL. False: there is none. */
static bool peek(size_t *ret_n) {
        const char *end = left > 0 ? memchr(at, '\0', left) : NULL;

        *ret_n = end ? (size_t)(end - at) : left;
        return left > 0;
}

static void skip(size_t n) {
        n += n < left; /* the NUL */
        at += n;
        left -= n;
}

/* The guest sends the next message of the input, and nothing where that is a call. */
static void feed(int guest) {
        size_t n;
        char *copy;

        if (!peek(&n) || is_call(at, n))
                return;
        if (n == 0)
                (void)shutdown(guest, SHUT_RDWR);
        copy = malloc(n + 1);
        require(copy);
        memcpy(copy, at, n);
        copy[n] = '\0';
        for (size_t i = 0; i < n; i++)
                copy[i] = copy[i] == 1 ? '\0' : copy[i];
        require(n == 0 || send(guest, copy, n + 1, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n + 1 || errno == EPIPE);
        free(copy);
        skip(n);
}

enum client_result __wrap_client_send(struct client *client, const char *method, json_t *parameters, bool more) {
        enum client_result result;
        bool delivers = strcmp(method, VARLINK_INTERFACE ".Hello") != 0;
        size_t peer = peer_of(client->fd);

        require(strcmp(json_string_value(json_object_get(asked, "instance")), peers[peer].instance) == 0);
        if (delivers) {
                const char *type = json_string_value(json_object_get(envelope, "payloadType"));

                require(json_object_get(parameters, "envelope") == envelope);
                require(strcmp(method, strcmp(type, PUSH_PAYLOAD_TYPE) == 0 ? VARLINK_INTERFACE ".Push"
                                                                            : VARLINK_INTERFACE ".Revoke") == 0);
                require(++n_sent <= 2);
        }
        result = __real_client_send(client, method, parameters, more);
        feed(peers[peer].guest);
        return result;
}

/* A guest that has sent all has nothing more to say: its end, not the deadline, ends the wait. */
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms) {
        int r = __real_poll(fds, n, 0);

        (void)timeout_ms;
        require(n == 1);
        if (r != 0)
                return r;
        require(fds[0].events == POLLIN);
        (void)shutdown(peers[peer_of(fds[0].fd)].guest, SHUT_WR);
        return __real_poll(fds, n, SOME_MS);
}

/* --- the answer -------------------------------------------------------------------------------------------------- */

/* The API asks, and is answered the same. */
enum client_result __wrap_varlink_pool_call(struct varlink_pool *pool, const char *method, json_t *parameters,
                                            int timeout_ms, bool idempotent, struct client_reply *ret,
                                            struct varlink_fault *ret_fault) {
        (void)pool;
        (void)method;
        (void)timeout_ms;
        (void)idempotent;
        (void)ret_fault;
        json_decref(parameters);
        *ret = (struct client_reply){.parameters = json_incref(answer)};
        memcpy(ret->error, error, sizeof(error));
        return error[0] ? CLIENT_REFUSED : CLIENT_DONE;
}

static void check_answer(const struct call *call) {
        static struct push_answer push;
        static struct host_report reports[HOST_REPORT_MAX];
        struct host_fault fault = {.wrong = false};
        struct host_hello hello;
        enum host_result result;
        int64_t revoked;
        size_t n;

        require(answer);
        if (error[0] || strcmp(call->method, "in.excloud.Host.Hello") == 0) {
                result = host_client_hello(NULL, "v", SOME_MS, &hello, &fault);
                require(!fault.wrong && (result == HOST_OK) == (error[0] == '\0'));
                require(!error[0] || fault.message[0] != '\0');
                require(strcmp(error, HOST_INVALID_FIELD) != 0 || json_is_string(json_object_get(answer, "field")));
                require(result != HOST_OK || strspn(hello.handle, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == TOKEN_LENGTH);
        } else if (strcmp(call->method, "in.excloud.Host.Report") == 0) {
                require(host_reports_parse(answer, reports, &n) && n == (call->more ? 0 : 2));
        } else if (strcmp(call->method, "in.excloud.Host.Deliver") == 0) {
                require(answer_take_push(answer, &push) == NULL || answer_take_revoke(answer, &revoked) == NULL);
        }
}

static json_t *make_call(struct host *host, const struct call *call) {
        json_t *taken;
        struct serve_call served = {.method = call->method, .parameters = call->parameters, .more = call->more};

        for (const struct serve_method *method = host_methods; method->name; method++)
                if (strcmp(method->name, call->method) == 0) {
                        n_sent = 0;
                        asked = call->parameters;
                        envelope = json_object_get(asked, "envelope");
                        method->call(host, &served);
                        check_answer(call);
                }
        taken = answer;
        answer = NULL;
        return taken;
}

/* The same call again. What was sent to a guest has the same answer, and is not sent once more. */
static void repeat(struct host *host, const struct call *call, json_t *first) {
        bool was_sent = n_sent > 0;
        char first_error[CLIENT_ERROR_MAX];
        json_t *second;

        memcpy(first_error, error, sizeof(error));
        second = make_call(host, call);
        require(!was_sent || (n_sent == 0 && json_equal(first, second) && strcmp(first_error, error) == 0));
        json_decref(second);
}

static void begin(struct host *host) {
        static struct instance_setting settings[] = {
                {.id = "s", .address = {.kind = ADDRESS_SERIAL, .path = "/s"}},
                {.id = "v", .address = {.kind = ADDRESS_UNIX, .path = "/v"}},
        };
        const struct host_config config = {
                .name = "h1", .limits = HOST_LIMITS_DEFAULT, .instances = settings, .n_instances = 2};

        require(host_start(host) == 0 && host_configure(host, &config) == 0);
        n_peers = n_tokens = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
        size_t n, n_calls = 0;
        struct host host;

        at = (const char *)input;
        left = size;
        begin(&host);
        while (n_calls < CALLS_MAX && peek(&n)) {
                struct call call = CALL_INIT;
                const char *message = at;
                json_t *first;

                skip(n);
                if (n == 0 || !call_parse(message, n, &call))
                        continue;
                n_calls++;
                first = make_call(&host, &call);
                if (strcmp(call.method, "in.excloud.Host.Deliver") == 0)
                        repeat(&host, &call, first);
                json_decref(first);
                call_clear(&call);
        }
        host_stop(&host);
        for (size_t i = 0; i < n_peers; i++)
                (void)close(peers[i].guest);
        return 0;
}
