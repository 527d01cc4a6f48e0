/* SPDX-License-Identifier: Apache-2.0 */
#include "libpush/ssh_agent.h"

#include <errno.h>
#include <openssl/evp.h>
#include <poll.h>
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

#include "libpush/agent_socket.h"

enum { FAILURE = 5, IDENTITIES = 11, IDENTITIES_ANSWER = 12, SIGN = 13, SIGN_RESPONSE = 14 };

static struct key_pair pair;

static int make_pair(void **state) {
        (void)state;
        return key_pair_make(&pair);
}

static int wipe_pair(void **state) {
        (void)state;
        key_pair_wipe(&pair);
        return pair.private_half == NULL && pair.public_half.blob_length == 0 ? 0 : -1;
}

/* A request to sign `text`, without its length. */
static struct bytes sign_request(const struct ssh_key *key, const char *text, uint32_t flags,
                                 uint8_t ret[static 2 * SSH_KEY_BLOB_MAX]) {
        struct writer to = {.data = ret, .size = 2 * SSH_KEY_BLOB_MAX};

        writer_u8(&to, SIGN);
        writer_string(&to, key->blob, key->blob_length);
        writer_text(&to, text);
        writer_u32(&to, flags);
        assert_false(to.full);
        return (struct bytes){ret, to.used};
}

/* The answer, which must be one whole message; `ret` is what stands behind its length. */
static void ask(struct bytes request, uint8_t answer[static SSH_AGENT_ANSWER_MAX], struct bytes *ret) {
        struct writer to = {.data = answer, .size = SSH_AGENT_ANSWER_MAX};
        struct bytes from;

        (void)ssh_agent_answer(&pair, request, &to);
        assert_false(to.full);
        from = (struct bytes){answer, to.used};
        assert_true(bytes_string(&from, ret));
        assert_int_equal(from.left, 0);
}

static void assert_fails(const void *request, size_t n) {
        static const uint8_t failure[] = {0, 0, 0, 1, FAILURE};
        uint8_t answer[SSH_AGENT_ANSWER_MAX];
        struct bytes body;

        ask((struct bytes){request, n}, answer, &body);
        assert_int_equal(body.left, 1);
        assert_memory_equal(answer, failure, sizeof(failure));
}

static bool verifies(const uint8_t *signature, const void *text, size_t n) {
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL,
                                                    pair.public_half.blob + pair.public_half.blob_length - 32, 32);
        bool ok;

        assert_int_equal(EVP_DigestVerifyInit(context, NULL, NULL, NULL, key), 1);
        ok = EVP_DigestVerify(context, signature, KEY_PAIR_SIGNATURE_SIZE, text, n) == 1;
        EVP_MD_CTX_free(context);
        EVP_PKEY_free(key);
        return ok;
}

static void a_pair_is_an_ed25519_key_and_never_the_same(void **state) {
        struct key_pair other;

        (void)state;
        assert_int_equal(pair.public_half.type, SSH_KEY_ED25519);
        assert_int_equal(key_pair_make(&other), 0);
        assert_memory_not_equal(pair.public_half.blob, other.public_half.blob, pair.public_half.blob_length);
        key_pair_wipe(&other);
}

static void the_one_key_is_listed(void **state) {
        uint8_t answer[SSH_AGENT_ANSWER_MAX], number;
        struct bytes body, blob = {NULL, 0}, comment = {NULL, 0};
        uint32_t n = 0;

        (void)state;
        ask((struct bytes){(const uint8_t[]){IDENTITIES}, 1}, answer, &body);
        assert_true(bytes_u8(&body, &number));
        assert_true(bytes_u32(&body, &n));
        assert_int_equal(number, IDENTITIES_ANSWER);
        assert_int_equal(n, 1);
        assert_true(bytes_string(&body, &blob));
        assert_true(bytes_string(&body, &comment));
        assert_true(bytes_equal(blob, pair.public_half.blob, pair.public_half.blob_length));
        assert_true(bytes_equal(comment, "exc-push", 8));
        assert_int_equal(body.left, 0);
}

static void it_signs_what_it_is_asked_to(void **state) {
        uint8_t request[2 * SSH_KEY_BLOB_MAX], answer[SSH_AGENT_ANSWER_MAX], number;
        struct bytes body, signature, type, raw;

        (void)state;
        ask(sign_request(&pair.public_half, "text", 0, request), answer, &body);
        assert_true(bytes_u8(&body, &number));
        assert_true(bytes_string(&body, &signature));
        assert_int_equal(number, SIGN_RESPONSE);
        assert_int_equal(body.left, 0);
        assert_true(bytes_string(&signature, &type));
        assert_true(bytes_string(&signature, &raw));
        assert_true(bytes_equal(type, "ssh-ed25519", 11));
        assert_int_equal(raw.left, KEY_PAIR_SIGNATURE_SIZE);
        assert_int_equal(signature.left, 0);
        assert_true(verifies(raw.at, "text", 4));
        assert_false(verifies(raw.at, "next", 4));
}

static void it_signs_with_no_other_key(void **state) {
        uint8_t request[2 * SSH_KEY_BLOB_MAX];
        struct ssh_key other = pair.public_half;
        struct bytes made;

        (void)state;
        other.blob[other.blob_length - 1] ^= 1;
        made = sign_request(&other, "text", 0, request);
        assert_fails(made.at, made.left);
        other = pair.public_half;
        other.blob_length--;
        made = sign_request(&other, "text", 0, request);
        assert_fails(made.at, made.left);
}

static void flags_that_it_cannot_follow_fail(void **state) {
        uint8_t request[2 * SSH_KEY_BLOB_MAX];
        struct bytes made = sign_request(&pair.public_half, "text", 2, request);

        (void)state;
        assert_fails(made.at, made.left);
}

static void a_request_that_is_cut_or_goes_on_fails(void **state) {
        uint8_t request[2 * SSH_KEY_BLOB_MAX];
        struct bytes made = sign_request(&pair.public_half, "text", 0, request);

        (void)state;
        for (size_t n = 0; n < made.left; n++)
                assert_fails(made.at, n);
        request[made.left] = 0;
        assert_fails(made.at, made.left + 1);
        assert_fails((const uint8_t[]){IDENTITIES, 0}, 2);
}

static void everything_else_fails(void **state) {
        (void)state;
        for (unsigned number = 0; number < 256; number++) {
                uint8_t request = (uint8_t)number;

                if (number != IDENTITIES)
                        assert_fails(&request, 1);
        }
}

static void a_message_is_taken_when_it_is_whole(void **state) {
        static const uint8_t two[] = {0, 0, 0, 2, 11, 12, 0, 0, 0, 1, 13};
        struct bytes from = {two, sizeof(two)}, message, part;
        size_t need = 0;

        (void)state;
        for (size_t n = 0; n < 6; n++) {
                part = (struct bytes){two, n};
                assert_int_equal(ssh_agent_next(&part, &message, &need), SSH_AGENT_NONE);
                assert_int_equal(need, n < 4 ? 4 : 6);
                assert_int_equal(part.left, n);
        }
        assert_int_equal(ssh_agent_next(&from, &message, &need), SSH_AGENT_MESSAGE);
        assert_true(bytes_equal(message, two + 4, 2));
        assert_int_equal(ssh_agent_next(&from, &message, &need), SSH_AGENT_MESSAGE);
        assert_true(bytes_equal(message, two + 10, 1));
        assert_int_equal(ssh_agent_next(&from, &message, &need), SSH_AGENT_NONE);
}

static void a_length_of_none_or_over_256_kib_is_bad(void **state) {
        static const uint8_t none[] = {0, 0, 0, 0}, most[] = {0, 4, 0, 0}, more[] = {0, 4, 0, 1},
                             all[] = {255, 255, 255, 255};
        struct bytes message;
        size_t need = 0;

        (void)state;
        assert_int_equal(ssh_agent_next(&(struct bytes){none, 4}, &message, &need), SSH_AGENT_BAD);
        assert_int_equal(ssh_agent_next(&(struct bytes){most, 4}, &message, &need), SSH_AGENT_NONE);
        assert_int_equal(need, 4 + SSH_AGENT_MESSAGE_MAX);
        assert_int_equal(ssh_agent_next(&(struct bytes){more, 4}, &message, &need), SSH_AGENT_BAD);
        assert_int_equal(ssh_agent_next(&(struct bytes){all, 4}, &message, &need), SSH_AGENT_BAD);
}

/* The socket. The test is its loop and its peers at once, so nothing has to be waited for. */

struct scene {
        struct agent_socket agent;
        char directory[32];
        char path[64];
};

static void open_scene(struct scene *ret) {
        (void)snprintf(ret->directory, sizeof(ret->directory), "/tmp/exc-agent-XXXXXX");
        assert_non_null(mkdtemp(ret->directory));
        (void)snprintf(ret->path, sizeof(ret->path), "%s/socket", ret->directory);
        assert_int_equal(agent_socket_open(&ret->agent, ret->path, &pair), 0);
}

static void close_scene(struct scene *scene) {
        agent_socket_close(&scene->agent);
        assert_int_equal(unlink(scene->path), 0);
        assert_int_equal(rmdir(scene->directory), 0);
}

static int connect_peer(const struct scene *scene) {
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        int fd;

        (void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", scene->path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
        return fd;
}

/* Lets the agent do all that it can without anybody else. */
static void turn(struct scene *scene) {
        struct pollfd polled[AGENT_POLL_MAX];
        size_t n;

        for (;;) {
                n = agent_socket_poll(&scene->agent, polled);
                if (poll(polled, n, 0) <= 0)
                        return;
                agent_socket_serve(&scene->agent, polled, n);
        }
}

static void say(int fd, const void *bytes, size_t n) {
        assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

static void assert_listed(int fd) {
        uint8_t answer[SSH_AGENT_ANSWER_MAX];
        ssize_t n = recv(fd, answer, sizeof(answer), 0);

        assert_true(n > 5);
        assert_int_equal(answer[3], n - 4);
        assert_int_equal(answer[4], IDENTITIES_ANSWER);
}

static void assert_dropped(int fd) {
        char byte;

        assert_int_equal(recv(fd, &byte, 1, 0), 0);
        (void)close(fd);
}

static void assert_nothing_said(int fd) {
        char byte;

        assert_int_equal(recv(fd, &byte, 1, 0), -1);
        assert_int_equal(errno, EAGAIN);
}

static const uint8_t list_request[] = {0, 0, 0, 1, IDENTITIES};

static void several_peers_are_served_at_once(void **state) {
        struct scene scene;
        int one, other;

        (void)state;
        open_scene(&scene);
        one = connect_peer(&scene);
        other = connect_peer(&scene);
        turn(&scene);
        say(other, list_request, sizeof(list_request));
        turn(&scene);
        assert_nothing_said(one);
        assert_listed(other);
        say(one, list_request, sizeof(list_request));
        turn(&scene);
        assert_listed(one);
        (void)close(one);
        (void)close(other);
        close_scene(&scene);
}

static void a_request_may_come_in_pieces_and_two_in_one(void **state) {
        struct scene scene;
        uint8_t two[2 * sizeof(list_request)], answer[2 * SSH_AGENT_ANSWER_MAX];
        ssize_t n;
        int fd;

        (void)state;
        open_scene(&scene);
        fd = connect_peer(&scene);
        for (size_t i = 0; i < sizeof(list_request); i++) {
                turn(&scene);
                assert_nothing_said(fd);
                say(fd, list_request + i, 1);
        }
        turn(&scene);
        assert_listed(fd);
        memcpy(two, list_request, sizeof(list_request));
        memcpy(two + sizeof(list_request), list_request, sizeof(list_request));
        say(fd, two, sizeof(two));
        turn(&scene);
        n = recv(fd, answer, sizeof(answer), 0);
        assert_int_equal(n, 2 * (4 + answer[3]));
        (void)close(fd);
        close_scene(&scene);
}

static void the_longest_request_is_answered(void **state) {
        size_t size = 4 + SSH_AGENT_MESSAGE_MAX, sent = 0;
        uint8_t *request = calloc(1, size), answer[SSH_AGENT_ANSWER_MAX];
        struct writer to = {.data = request, .size = size};
        struct scene scene;
        int fd;

        (void)state;
        assert_non_null(request);
        writer_u32(&to, SSH_AGENT_MESSAGE_MAX);
        writer_u8(&to, SIGN);
        writer_string(&to, pair.public_half.blob, pair.public_half.blob_length);
        writer_u32(&to, (uint32_t)(size - to.used - 8)); /* zeros, and the flags */
        open_scene(&scene);
        fd = connect_peer(&scene);
        while (sent < size) {
                ssize_t n = send(fd, request + sent, size - sent, MSG_NOSIGNAL);

                if (n > 0)
                        sent += (size_t)n;
                turn(&scene);
        }
        assert_true(recv(fd, answer, sizeof(answer), 0) > KEY_PAIR_SIGNATURE_SIZE);
        assert_int_equal(answer[4], SIGN_RESPONSE);
        free(request);
        (void)close(fd);
        close_scene(&scene);
}

static void a_peer_that_announces_too_much_is_dropped(void **state) {
        static const uint8_t more[] = {0, 4, 0, 1, 0};
        struct scene scene;
        int fd;

        (void)state;
        open_scene(&scene);
        fd = connect_peer(&scene);
        turn(&scene);
        say(fd, more, sizeof(more));
        turn(&scene);
        assert_dropped(fd);
        fd = connect_peer(&scene);
        say(fd, list_request, sizeof(list_request));
        turn(&scene);
        assert_listed(fd);
        (void)close(fd);
        close_scene(&scene);
}

static void a_peer_that_does_not_read_is_not_read_from(void **state) {
        struct scene scene;
        size_t before, after;
        int fd, size = 1;

        (void)state;
        open_scene(&scene);
        fd = connect_peer(&scene);
        turn(&scene);
        assert_int_equal(setsockopt(scene.agent.peers[0].fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
        do {
                before = scene.agent.peers[0].used;
                for (int i = 0; i < 100; i++)
                        (void)send(fd, list_request, sizeof(list_request), MSG_NOSIGNAL);
                turn(&scene);
                after = scene.agent.peers[0].used;
        } while (scene.agent.peers[0].answer_length == 0 || after != before);
        assert_true(scene.agent.peers[0].size <= 4096);
        /* And goes on once it reads. */
        for (int i = 0; i < 10; i++) {
                uint8_t answers[4096];

                assert_true(recv(fd, answers, sizeof(answers), 0) > 0);
                turn(&scene);
        }
        (void)close(fd);
        close_scene(&scene);
}

static void more_peers_than_places_wait(void **state) {
        int fds[AGENT_PEERS_MAX + 1];
        struct scene scene;

        (void)state;
        open_scene(&scene);
        for (size_t i = 0; i < AGENT_PEERS_MAX + 1; i++) {
                fds[i] = connect_peer(&scene);
                turn(&scene);
        }
        say(fds[AGENT_PEERS_MAX], list_request, sizeof(list_request));
        turn(&scene);
        assert_nothing_said(fds[AGENT_PEERS_MAX]);
        (void)close(fds[3]);
        turn(&scene);
        assert_listed(fds[AGENT_PEERS_MAX]);
        for (size_t i = 0; i < AGENT_PEERS_MAX + 1; i++)
                if (i != 3)
                        (void)close(fds[i]);
        close_scene(&scene);
}

static void a_process_of_another_user_is_closed_at_once(void **state) {
        struct scene scene;
        int fd;

        (void)state;
        open_scene(&scene);
        scene.agent.uid++; /* to it, this process is another user's */
        fd = connect_peer(&scene);
        turn(&scene);
        assert_dropped(fd);
        close_scene(&scene);
}

static void peers_are_dropped_when_it_closes(void **state) {
        struct scene scene;
        int fd;

        (void)state;
        open_scene(&scene);
        fd = connect_peer(&scene);
        turn(&scene);
        close_scene(&scene);
        assert_dropped(fd);
}

static void a_path_that_is_taken_or_too_long_is_refused(void **state) {
        struct agent_socket agent;
        struct scene scene;
        char path[109];

        (void)state;
        open_scene(&scene);
        assert_int_equal(agent_socket_open(&agent, scene.path, &pair), -EADDRINUSE);
        close_scene(&scene);
        memset(path, 'x', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        assert_int_equal(agent_socket_open(&agent, path, &pair), -ENAMETOOLONG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_pair_is_an_ed25519_key_and_never_the_same),
                cmocka_unit_test(the_one_key_is_listed),
                cmocka_unit_test(it_signs_what_it_is_asked_to),
                cmocka_unit_test(it_signs_with_no_other_key),
                cmocka_unit_test(flags_that_it_cannot_follow_fail),
                cmocka_unit_test(a_request_that_is_cut_or_goes_on_fails),
                cmocka_unit_test(everything_else_fails),
                cmocka_unit_test(a_message_is_taken_when_it_is_whole),
                cmocka_unit_test(a_length_of_none_or_over_256_kib_is_bad),
                cmocka_unit_test(several_peers_are_served_at_once),
                cmocka_unit_test(a_request_may_come_in_pieces_and_two_in_one),
                cmocka_unit_test(the_longest_request_is_answered),
                cmocka_unit_test(a_peer_that_announces_too_much_is_dropped),
                cmocka_unit_test(a_peer_that_does_not_read_is_not_read_from),
                cmocka_unit_test(more_peers_than_places_wait),
                cmocka_unit_test(a_process_of_another_user_is_closed_at_once),
                cmocka_unit_test(peers_are_dropped_when_it_closes),
                cmocka_unit_test(a_path_that_is_taken_or_too_long_is_refused),
        };

        return cmocka_run_group_tests(tests, make_pair, wipe_pair);
}
