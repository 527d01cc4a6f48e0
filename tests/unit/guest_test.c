/* SPDX-License-Identifier: Apache-2.0 */
#include "libpush/guest.h"

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
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum {
        TIMEOUT_MS = 60 * 1000,
        REQUEST_SIZE = 64 * 1024,
        ANSWERS_MAX = 4,
};

#define ERROR(name, parameters) "{\"error\":\"in.excloud.InstanceConnect." name "\",\"parameters\":{" parameters "}}\n"
#define REPLY(parameters) "{\"parameters\":{" parameters "}}\n"

#define CLOCK "\"clock\":{\"unix\":1700000000,\"synchronized\":true}"
#define LIMITS "\"limits\":{\"messageBytes\":16384,\"maxTtl\":300,\"keysPerPush\":8,\"keysPerUser\":32,\"keys\":4096}"
#define LIMITS_OF_NOTHING                                                                                              \
        "\"limits\":{\"messageBytes\":0,\"maxTtl\":300,\"keysPerPush\":8,\"keysPerUser\":32,\"keys\":4096}"
#define BOOT "\"bootId\":\"0123abcd-0123-0123-0123-0123456789ab\""
#define CHALLENGE "\"challenge\":\"abcdefghijklmnopqrst-_\""
#define ANY_VERSION "\"version\":\"1.2\""
#define INSTANCE "\"instance\":\"i-1\""
#define HELLO "\"sync\":\"%\"," ANY_VERSION "," INSTANCE "," BOOT "," CHALLENGE "," CLOCK "," LIMITS

/* Made with ssh-keygen for this test. */
#define KEY "AAAAC3NzaC1lZDI1NTE5AAAAIEcA5s/m8BCStxzJGfSCa5KJ6lOtkOIHzv5eyUlkCpwz"
#define FINGERPRINT "SHA256:G3mpfpsbQ7rw6BibLAQONhwiY4MtJOu9uj2heCAgVLk"
#define OTHER "SHA256:gnOW+ucjqSULxvi3D5ayDdFdc73j6dBINolLLfwXZa0"
#define HOST_KEY "{\"type\":\"ssh-ed25519\",\"key\":\"" KEY "\",\"fingerprint\":\"" FINGERPRINT "\"}"
#define PUSHED(user, fingerprints, expires, duplicate, host_keys)                                                      \
        REPLY("\"user\":" user ",\"fingerprints\":[" fingerprints "],\"expiresIn\":" expires                           \
              ",\"duplicate\":" duplicate ",\"hostKeys\":[" host_keys "]")
#define GOOD_PUSH PUSHED("\"alice\"", "\"" FINGERPRINT "\"", "59", "false", HOST_KEY)
#define STATUS ANY_VERSION "," INSTANCE ",\"trust\":\"signed\",\"anchors\":2,\"keys\":3," CLOCK ",\"sshd\":\"enabled\""

/*
 * A guest that sends one answer to each request; in it, '\n' stands for NUL and '%' for the sync of the request. NULL: it
 * closes the connection instead. After the last answer it stays connected until stop().
 */
struct fake {
        int fd;
        int listener; /* -EBADF: `fd` is connected already; else the guest accepts again after each NULL answer */
        const char *answers[ANSWERS_MAX];
        size_t n;
        char requests[ANSWERS_MAX][REQUEST_SIZE];
        pthread_t thread;
};

/*
 * The client's clock stands still until the guest has sent all its answers: a slow machine is no timeout, and a timeout
 * takes no time (--wrap=clock_gettime, --wrap=poll).
 */
static int64_t clock_ms;
static atomic_bool all_sent;

int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret) {
        assert_int_equal(id, CLOCK_MONOTONIC);
        *ret = (struct timespec){.tv_sec = clock_ms / 1000, .tv_nsec = clock_ms % 1000 * 1000000};
        return 0;
}

int __real_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms) {
        for (;;) {
                bool last = atomic_load(&all_sent);
                int r = __real_poll(fds, n, last ? 0 : 10);

                if (r != 0)
                        return r;
                if (last) {
                        clock_ms += timeout_ms;
                        return 0;
                }
        }
}

static bool receive(int fd, char request[static REQUEST_SIZE]) {
        size_t used = 0;

        while (used < REQUEST_SIZE) {
                ssize_t n = recv(fd, request + used, REQUEST_SIZE - used, 0);

                if (n <= 0)
                        return false;
                /* An empty message is ignored, as the agent does. */
                if (used == 0 && request[0] == '\0') {
                        memmove(request, request + 1, (size_t)--n);
                        if (n == 0)
                                continue;
                }
                used += (size_t)n;
                if (request[used - 1] == '\0')
                        return true;
        }
        return false;
}

static void say(int fd, const char *answer, const char *request) {
        const char *sync = strstr(request, "\"sync\":\"");
        char sent[REQUEST_SIZE];
        size_t used = 0;

        for (; *answer; answer++) {
                if (*answer == '%') {
                        memcpy(sent + used, sync + 8, TOKEN_LENGTH);
                        used += TOKEN_LENGTH;
                } else
                        sent[used++] = *answer == '\n' ? '\0' : *answer;
        }
        (void)send(fd, sent, used, MSG_NOSIGNAL);
}

static void *serve(void *context) {
        struct fake *fake = context;
        char byte;

        for (size_t i = 0; i < fake->n; i++) {
                if (fake->fd < 0)
                        fake->fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC);
                if (!receive(fake->fd, fake->requests[i]))
                        return NULL;
                if (fake->answers[i])
                        say(fake->fd, fake->answers[i], fake->requests[i]);
                else if (fake->listener >= 0) {
                        (void)close(fake->fd);
                        fake->fd = -EBADF;
                } else {
                        (void)shutdown(fake->fd, SHUT_RDWR);
                        return NULL;
                }
        }
        atomic_store(&all_sent, true);
        (void)recv(fake->fd, &byte, 1, 0); /* until the client closes */
        return NULL;
}

static struct fake *start(int fd, int listener, const char *const *answers, size_t n) {
        struct fake *fake = calloc(1, sizeof(*fake));

        assert_non_null(fake);
        fake->fd = fd;
        fake->listener = listener;
        fake->n = n;
        for (size_t i = 0; i < n; i++)
                fake->answers[i] = answers[i];
        atomic_store(&all_sent, false);
        assert_int_equal(pthread_create(&fake->thread, NULL, serve, fake), 0);
        return fake;
}

static void stop(struct fake *fake) {
        assert_int_equal(pthread_join(fake->thread, NULL), 0);
        if (fake->fd >= 0)
                (void)close(fake->fd);
        free(fake);
}

static struct fake *connect_to(struct guest *ret, bool outlives, int timeout_ms, const char *const *answers, size_t n) {
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        guest_adopt(ret, fds[0], outlives, timeout_ms);
        return start(fds[1], -EBADF, answers, n);
}

/* The library's result for one answer to Hello. */
static enum client_result hello_on(bool outlives, const char *answer, int timeout_ms, struct guest *ret_guest,
                                   struct hello_answer *ret) {
        enum client_result result;
        struct fake *fake = connect_to(ret_guest, outlives, timeout_ms, &answer, 1);

        result = guest_hello(ret_guest, ret);
        guest_close(ret_guest);
        stop(fake);
        return result;
}

static enum client_result hello(const char *answer, struct guest *ret_guest, struct hello_answer *ret) {
        return hello_on(false, answer, TIMEOUT_MS, ret_guest, ret);
}

static enum client_result push_expecting(const char *answer, const char (*expected)[FINGERPRINT_MAX], size_t n,
                                         struct guest *ret_guest, struct push_answer *ret) {
        struct fake *fake = connect_to(ret_guest, false, TIMEOUT_MS, &answer, 1);
        json_t *envelope = json_object();
        enum client_result result;

        result = guest_push(ret_guest, envelope, expected, n, ret);
        json_decref(envelope);
        guest_close(ret_guest);
        stop(fake);
        return result;
}

static enum client_result push(const char *answer, struct guest *ret_guest, struct push_answer *ret) {
        return push_expecting(answer, NULL, 0, ret_guest, ret);
}

static void assert_misshapen(const struct guest *guest, enum client_result result, const char *member,
                             const char *answer) {
        char expected[64];

        (void)snprintf(expected, sizeof(expected), "`%s` is missing", member);
        if (result != CLIENT_PROTOCOL || strncmp(guest->client.why, expected, strlen(expected)) != 0)
                fail_msg("%d, %s, instead of \"%s\" for %s", result, guest->client.why, expected, answer);
}

static void assert_no_hello(const char *member, const char *answer) {
        struct hello_answer taken;
        struct guest guest;

        assert_misshapen(&guest, hello(answer, &guest, &taken), member, answer);
}

static void assert_no_push(const char *member, const char *answer) {
        struct push_answer taken;
        struct guest guest;

        assert_misshapen(&guest, push(answer, &guest, &taken), member, answer);
}

static void hello_returns_each_member(void **state) {
        struct hello_answer answer;
        struct guest guest;

        (void)state;
        assert_int_equal(hello(REPLY(HELLO), &guest, &answer), CLIENT_DONE);
        assert_string_equal(answer.version, "1.2");
        assert_string_equal(answer.instance, "i-1");
        assert_string_equal(answer.boot_id, "0123abcd-0123-0123-0123-0123456789ab");
        assert_string_equal(answer.challenge, "abcdefghijklmnopqrst-_");
        assert_int_equal(answer.clock.unix_s, 1700000000);
        assert_true(answer.clock.synchronized);
        assert_int_equal(answer.limits.message_bytes, 16384);
        assert_int_equal(answer.limits.max_ttl, 300);
        assert_int_equal(answer.limits.keys_per_push, 8);
        assert_int_equal(answer.limits.keys_per_user, 32);
        assert_int_equal(answer.limits.keys, 4096);
}

static void each_hello_has_a_new_sync(void **state) {
        const char *answers[] = {REPLY(HELLO), REPLY(HELLO)};
        struct hello_answer answer;
        struct guest guest;
        struct fake *fake = connect_to(&guest, false, TIMEOUT_MS, answers, 2);

        (void)state;
        assert_int_equal(guest_hello(&guest, &answer), CLIENT_DONE);
        assert_int_equal(guest_hello(&guest, &answer), CLIENT_DONE);
        guest_close(&guest);
        assert_int_equal(pthread_join(fake->thread, NULL), 0);
        assert_string_not_equal(fake->requests[0], fake->requests[1]);
        assert_int_equal(strlen(fake->requests[0]),
                         strlen("{\"method\":\"in.excloud.InstanceConnect.Hello\",\"parameters\":{\"sync\":\"\"}}") +
                                 TOKEN_LENGTH);
        (void)close(fake->fd);
        free(fake);
}

static void instance_may_be_missing_or_null(void **state) {
        struct hello_answer answer;
        struct guest guest;

        (void)state;
        assert_int_equal(hello(REPLY("\"sync\":\"%\"," ANY_VERSION "," BOOT "," CHALLENGE "," CLOCK "," LIMITS), &guest,
                               &answer),
                         CLIENT_DONE);
        assert_string_equal(answer.instance, "");
        assert_int_equal(hello(REPLY("\"sync\":\"%\",\"instance\":null," ANY_VERSION "," BOOT "," CHALLENGE "," CLOCK
                                     "," LIMITS),
                               &guest, &answer),
                         CLIENT_DONE);
        assert_string_equal(answer.instance, "");
}

static void unknown_members_are_ignored(void **state) {
        struct hello_answer answer;
        struct guest guest;

        (void)state;
        assert_int_equal(hello(REPLY(HELLO ",\"later\":{\"x\":[1]},\"\\u001b\":7"), &guest, &answer), CLIENT_DONE);
}

static void replies_with_another_sync_are_skipped(void **state) {
        struct hello_answer answer;
        struct guest guest;

        (void)state;
        assert_int_equal(hello(REPLY("\"revoked\":1") REPLY("\"sync\":null")
                                       REPLY("\"sync\":\"0123456789012345678901\"," ANY_VERSION) REPLY(HELLO),
                               &guest, &answer),
                         CLIENT_DONE);
        assert_string_equal(answer.version, "1.2");
}

static void errors_and_invalid_messages_are_skipped_on_a_serial_stream(void **state) {
        struct hello_answer answer;
        struct guest guest;

        (void)state;
        assert_int_equal(hello_on(true, "half a message\n" ERROR("Expired", "\"message\":\"late\"") "[]\n" REPLY(HELLO),
                                  TIMEOUT_MS, &guest, &answer),
                         CLIENT_DONE);
        assert_string_equal(answer.version, "1.2");
}

static void refusal_is_returned_at_the_timeout_on_a_serial_stream(void **state) {
        struct hello_answer answer;
        struct guest guest;

        (void)state;
        assert_int_equal(hello_on(true, ERROR("RateLimited", "\"message\":\"no\",\"retryAfterMs\":5"), TIMEOUT_MS,
                                  &guest, &answer),
                         CLIENT_REFUSED);
        assert_int_equal(guest.refusal.refused.why, REFUSAL_RATE_LIMITED);
}

static void timeout_without_the_own_sync(void **state) {
        struct hello_answer answer;
        struct guest guest;

        (void)state;
        assert_int_equal(hello_on(false,
                                  REPLY("\"sync\":\"0123456789012345678901\"," ANY_VERSION "," BOOT "," CHALLENGE
                                        "," CLOCK "," LIMITS),
                                  TIMEOUT_MS, &guest, &answer),
                         CLIENT_NOT_REACHED);
        assert_int_equal(guest.client.error, -ETIMEDOUT);
}

/* Replies of 8 KiB each: the limit counts bytes, and smaller ones would only take more time. */
static void *flood(void *context) {
        static char stale[8192];
        const int *fd = context;

        (void)snprintf(stale, sizeof(stale), "%-*s", (int)sizeof(stale) - 1, "{\"parameters\":{\"sync\":\"stale\"}}");

        while (send(*fd, stale, sizeof(stale), MSG_NOSIGNAL) > 0)
                ;
        return NULL;
}

static void flood_of_stale_replies_ends(void **state) {
        struct hello_answer answer;
        struct guest guest;
        pthread_t thread;
        int fds[2];

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        guest_adopt(&guest, fds[0], true, TIMEOUT_MS);
        atomic_store(&all_sent, false);
        assert_int_equal(pthread_create(&thread, NULL, flood, &fds[1]), 0);
        assert_int_equal(guest_hello(&guest, &answer), CLIENT_PROTOCOL);
        assert_non_null(strstr(guest.client.why, "no answer to this Hello"));
        guest_close(&guest);
        assert_int_equal(pthread_join(thread, NULL), 0);
        (void)close(fds[1]);
}

static void invalid_reply_is_a_protocol_error(void **state) {
        static const char *const bad[] = {"rubbish\n", "[]\n", "{\"parameters\":[]}\n", "{\"error\":\"\\u001b\"}\n",
                                          REPLY(HELLO ",\"version\":\"again\"")};
        struct hello_answer answer;
        struct guest guest;

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_int_equal(hello(bad[i], &guest, &answer), CLIENT_PROTOCOL);
}

static void each_member_of_hello_is_checked(void **state) {
        static const char *const versions[] = {
                "", "\"version\":1,", "\"version\":\"\",", "\"version\":null,",
                "\"version\":\"01234567890123456789012345678901234567890123456789012345678901234\","};
        static const char *const boots[] = {"", "\"bootId\":\"0123ABCD-0123-0123-0123-0123456789ab\",",
                                            "\"bootId\":\"0123abcd\","};
        static const char *const challenges[] = {"", "\"challenge\":\"short\",",
                                                 "\"challenge\":\"abcdefghijklmnopqrst+/\",",
                                                 "\"challenge\":\"abcdefghijklmnopqrst-_0\","};
        static const char *const clocks[] = {"",
                                             "\"clock\":1,",
                                             "\"clock\":{\"unix\":-1,\"synchronized\":true},",
                                             "\"clock\":{\"unix\":1e9,\"synchronized\":true},",
                                             "\"clock\":{\"unix\":1099511627777,\"synchronized\":true},",
                                             "\"clock\":{\"unix\":1,\"synchronized\":1},"};
        static const char *const limits[] = {"\"x\":1", "\"limits\":[]", "\"limits\":{\"messageBytes\":16384}",
                                             LIMITS_OF_NOTHING};
        char answer[2048];

        (void)state;
        for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
                (void)snprintf(answer, sizeof(answer),
                               "{\"parameters\":{\"sync\":\"%%\",%s" BOOT "," CHALLENGE "," CLOCK "," LIMITS "}}\n",
                               versions[i]);
                assert_no_hello("version", answer);
        }
        for (size_t i = 0; i < sizeof(boots) / sizeof(boots[0]); i++) {
                (void)snprintf(answer, sizeof(answer),
                               "{\"parameters\":{\"sync\":\"%%\",%s" ANY_VERSION "," CHALLENGE "," CLOCK "," LIMITS
                               "}}\n",
                               boots[i]);
                assert_no_hello("bootId", answer);
        }
        for (size_t i = 0; i < sizeof(challenges) / sizeof(challenges[0]); i++) {
                (void)snprintf(answer, sizeof(answer),
                               "{\"parameters\":{\"sync\":\"%%\",%s" ANY_VERSION "," BOOT "," CLOCK "," LIMITS "}}\n",
                               challenges[i]);
                assert_no_hello("challenge", answer);
        }
        for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
                (void)snprintf(answer, sizeof(answer),
                               "{\"parameters\":{\"sync\":\"%%\",%s" ANY_VERSION "," BOOT "," CHALLENGE "," LIMITS
                               "}}\n",
                               clocks[i]);
                assert_no_hello("clock", answer);
        }
        for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
                (void)snprintf(answer, sizeof(answer),
                               "{\"parameters\":{\"sync\":\"%%\",%s," ANY_VERSION "," BOOT "," CHALLENGE "," CLOCK
                               "}}\n",
                               limits[i]);
                assert_no_hello("limits", answer);
        }
        assert_no_hello("instance", REPLY("\"sync\":\"%\",\"instance\":7," ANY_VERSION "," BOOT "," CHALLENGE "," CLOCK
                                          "," LIMITS));
}

static void push_returns_what_was_stored(void **state) {
        static const char expected[][FINGERPRINT_MAX] = {FINGERPRINT};
        struct push_answer answer;
        struct guest guest;

        (void)state;
        assert_int_equal(push_expecting(GOOD_PUSH, expected, 1, &guest, &answer), CLIENT_DONE);
        assert_string_equal(answer.user, "alice");
        assert_int_equal(answer.n_fingerprints, 1);
        assert_string_equal(answer.fingerprints[0], FINGERPRINT);
        assert_int_equal(answer.expires_in, 59);
        assert_false(answer.duplicate);
        assert_int_equal(answer.host_keys.n, 1);
        assert_string_equal(answer.host_keys.at[0].fingerprint, FINGERPRINT);
        assert_int_equal(answer.host_keys.at[0].key.type, SSH_KEY_ED25519);
        assert_int_equal(push(PUSHED("\"alice\"", "\"" FINGERPRINT "\"", "0", "true", ""), &guest, &answer),
                         CLIENT_DONE);
        assert_true(answer.duplicate);
        assert_int_equal(answer.host_keys.n, 0);
}

static void answer_about_other_keys_is_refused(void **state) {
        static const char expected[][FINGERPRINT_MAX] = {FINGERPRINT, OTHER};
        struct push_answer answer;
        struct guest guest;

        (void)state;
        assert_int_equal(push_expecting(PUSHED("\"a\"", "\"" OTHER "\",\"" FINGERPRINT "\"", "1", "false", ""),
                                        expected, 2, &guest, &answer),
                         CLIENT_DONE);
        assert_int_equal(push_expecting(GOOD_PUSH, expected, 2, &guest, &answer), CLIENT_PROTOCOL);
        assert_int_equal(push_expecting(GOOD_PUSH, expected + 1, 1, &guest, &answer), CLIENT_PROTOCOL);
        assert_int_equal(push_expecting(PUSHED("\"a\"", "\"" OTHER "\",\"" OTHER "\"", "1", "false", ""), expected, 2,
                                        &guest, &answer),
                         CLIENT_PROTOCOL);
        assert_non_null(strstr(guest.client.why, "other keys"));
}

static void each_member_of_a_push_answer_is_checked(void **state) {
        (void)state;
        assert_no_push("user", PUSHED("7", "\"" FINGERPRINT "\"", "59", "false", HOST_KEY));
        assert_no_push("user", PUSHED("\"\"", "\"" FINGERPRINT "\"", "59", "false", HOST_KEY));
        assert_no_push("fingerprints", PUSHED("\"a\"", "", "59", "false", HOST_KEY));
        assert_no_push("fingerprints", PUSHED("\"a\"", "\"SHA256:x\"", "59", "false", HOST_KEY));
        assert_no_push("fingerprints", PUSHED("\"a\"", "7", "59", "false", HOST_KEY));
        assert_no_push("fingerprints", PUSHED("\"a\"",
                                              "\"" OTHER "\",\"" OTHER "\",\"" OTHER "\",\"" OTHER "\",\"" OTHER
                                              "\",\"" OTHER "\",\"" OTHER "\",\"" OTHER "\",\"" OTHER "\"",
                                              "59", "false", HOST_KEY));
        assert_no_push("expiresIn", PUSHED("\"a\"", "\"" FINGERPRINT "\"", "-1", "false", HOST_KEY));
        assert_no_push("expiresIn", PUSHED("\"a\"", "\"" FINGERPRINT "\"", "86401", "false", HOST_KEY));
        assert_no_push("expiresIn", PUSHED("\"a\"", "\"" FINGERPRINT "\"", "59.5", "false", HOST_KEY));
        assert_no_push("duplicate", PUSHED("\"a\"", "\"" FINGERPRINT "\"", "59", "0", HOST_KEY));
        assert_no_push("user", REPLY(""));
}

static void host_key_must_match_its_type_and_fingerprint(void **state) {
        static const char *const bad[] = {
                "7",
                "{}",
                "{\"type\":\"ssh-ed25519\",\"key\":\"" KEY "\"}",
                "{\"type\":\"ssh-ed25519\",\"key\":\"" KEY "\",\"fingerprint\":\"" OTHER "\"}",
                "{\"type\":\"ssh-rsa\",\"key\":\"" KEY "\",\"fingerprint\":\"" FINGERPRINT "\"}",
                "{\"type\":\"ssh-ed25519\",\"key\":\"AAAA\",\"fingerprint\":\"" FINGERPRINT "\"}",
                "{\"type\":\"ssh-ed25519\",\"key\":\"" KEY " @revoked\",\"fingerprint\":\"" FINGERPRINT "\"}",
                "{\"type\":\"ssh-ed25519\",\"key\":\"" KEY "\\n* ssh-ed25519 " KEY "\",\"fingerprint\":\"" FINGERPRINT
                "\"}",
                "{\"type\":\"x ssh-ed25519\",\"key\":\"" KEY "\",\"fingerprint\":\"" FINGERPRINT "\"}",
        };
        char answer[2048];

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                (void)snprintf(answer, sizeof(answer),
                               "{\"parameters\":{\"user\":\"a\",\"fingerprints\":[\"" FINGERPRINT "\"],\"expiresIn\":1,"
                               "\"duplicate\":false,\"hostKeys\":[%s]}}\n",
                               bad[i]);
                assert_no_push("hostKeys", answer);
        }
        assert_no_push("hostKeys",
                       PUSHED("\"a\"", "\"" FINGERPRINT "\"", "59", "false",
                              HOST_KEY "," HOST_KEY "," HOST_KEY "," HOST_KEY "," HOST_KEY "," HOST_KEY "," HOST_KEY
                                       "," HOST_KEY "," HOST_KEY "," HOST_KEY "," HOST_KEY "," HOST_KEY "," HOST_KEY
                                       "," HOST_KEY "," HOST_KEY "," HOST_KEY "," HOST_KEY));
}

static void host_keys_are_returned(void **state) {
        const char *answer = REPLY("\"hostKeys\":[" HOST_KEY "]");
        struct host_keys keys;
        struct guest guest;
        struct fake *fake = connect_to(&guest, false, TIMEOUT_MS, &answer, 1);

        (void)state;
        assert_int_equal(guest_host_keys(&guest, &keys), CLIENT_DONE);
        assert_int_equal(keys.n, 1);
        guest_close(&guest);
        stop(fake);
}

static enum client_result status(const char *answer, struct guest *ret_guest, struct status_answer *ret) {
        struct fake *fake = connect_to(ret_guest, false, TIMEOUT_MS, &answer, 1);
        enum client_result result = guest_status(ret_guest, ret);

        guest_close(ret_guest);
        stop(fake);
        return result;
}

static void status_returns_each_member(void **state) {
        struct status_answer answer;
        struct guest guest;

        (void)state;
        assert_int_equal(status(REPLY(STATUS), &guest, &answer), CLIENT_DONE);
        assert_true(answer.signed_only);
        assert_true(answer.sshd_enabled);
        assert_int_equal(answer.anchors, 2);
        assert_int_equal(answer.keys, 3);
        assert_int_equal(status(REPLY(ANY_VERSION ",\"trust\":\"channel\",\"anchors\":0,\"keys\":0," CLOCK
                                                  ",\"sshd\":\"disabled\""),
                                &guest, &answer),
                         CLIENT_DONE);
        assert_false(answer.signed_only);
        assert_false(answer.sshd_enabled);
}

static void each_member_of_status_is_checked(void **state) {
        static const struct {
                const char *member, *answer;
        } bad[] = {
                {"version", REPLY("\"version\":[]")},
                {"instance", REPLY(ANY_VERSION ",\"instance\":\"\"")},
                {"trust", REPLY(ANY_VERSION ",\"trust\":\"Signed\"")},
                {"trust", REPLY(ANY_VERSION ",\"trust\":null")},
                {"anchors", REPLY(ANY_VERSION ",\"trust\":\"signed\",\"anchors\":-1")},
                {"keys", REPLY(ANY_VERSION ",\"trust\":\"signed\",\"anchors\":1,\"keys\":2147483648")},
                {"clock", REPLY(ANY_VERSION ",\"trust\":\"signed\",\"anchors\":1,\"keys\":1")},
                {"sshd",
                 REPLY(ANY_VERSION ",\"trust\":\"signed\",\"anchors\":1,\"keys\":1," CLOCK ",\"sshd\":\"maybe\"")},
        };
        struct status_answer answer;
        struct guest guest;

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_misshapen(&guest, status(bad[i].answer, &guest, &answer), bad[i].member, bad[i].answer);
}

static enum client_result drop(const char *answer, struct guest *ret_guest, int64_t *ret) {
        struct fake *fake = connect_to(ret_guest, false, TIMEOUT_MS, &answer, 1);
        json_t *envelope = json_object();
        enum client_result result = guest_revoke(ret_guest, envelope, ret);

        json_decref(envelope);
        guest_close(ret_guest);
        stop(fake);
        return result;
}

static void revocation_returns_the_number_of_keys(void **state) {
        struct guest guest;
        int64_t revoked;

        (void)state;
        assert_int_equal(drop(REPLY("\"revoked\":2"), &guest, &revoked), CLIENT_DONE);
        assert_int_equal(revoked, 2);
        assert_misshapen(&guest, drop(REPLY("\"revoked\":-1"), &guest, &revoked), "revoked", "-1");
        assert_misshapen(&guest, drop(REPLY("\"revoked\":true"), &guest, &revoked), "revoked", "true");
}

static void refusal_has_its_message_and_parameters(void **state) {
        struct push_answer answer;
        struct guest guest;

        (void)state;
        assert_int_equal(push(ERROR("KeyRejected", "\"message\":\"m\",\"index\":7"), &guest, &answer), CLIENT_REFUSED);
        assert_int_equal(guest.refusal.refused.why, REFUSAL_KEY_REJECTED);
        assert_string_equal(guest.refusal.name, "KeyRejected");
        assert_string_equal(guest.refusal.refused.message, "m");
        assert_int_equal(guest.refusal.refused.index, 7);
        assert_int_equal(push(ERROR("InvalidPayload", "\"message\":\"m\",\"field\":\"ttl\""), &guest, &answer),
                         CLIENT_REFUSED);
        assert_string_equal(guest.refusal.refused.field, "ttl");
        assert_int_equal(guest.refusal.refused.index, -1);
        assert_int_equal(push(ERROR("InvalidPayload", "\"message\":\"m\",\"field\":null"), &guest, &answer),
                         CLIENT_REFUSED);
        assert_int_equal(push(ERROR("RateLimited", "\"message\":\"m\",\"retryAfterMs\":20"), &guest, &answer),
                         CLIENT_REFUSED);
        assert_int_equal(guest.refusal.refused.retry_after_ms, 20);
}

static void malformed_refusal_is_a_protocol_error(void **state) {
        static const struct {
                const char *member, *answer;
        } bad[] = {
                {"message", ERROR("Expired", "")},
                {"message", ERROR("Expired", "\"message\":7")},
                {"index", ERROR("KeyRejected", "\"message\":\"m\"")},
                {"index", ERROR("KeyRejected", "\"message\":\"m\",\"index\":8")},
                {"index", ERROR("KeyRejected", "\"message\":\"m\",\"index\":-1")},
                {"field", ERROR("InvalidPayload", "\"message\":\"m\",\"field\":7")},
                {"retryAfterMs", ERROR("RateLimited", "\"message\":\"m\",\"retryAfterMs\":-1")},
        };
        struct push_answer answer;
        struct guest guest;

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_misshapen(&guest, push(bad[i].answer, &guest, &answer), bad[i].member, bad[i].answer);
}

static void unknown_refusal_has_only_its_name(void **state) {
        struct push_answer answer;
        struct guest guest;

        (void)state;
        assert_int_equal(push("{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":7}}\n",
                              &guest, &answer),
                         CLIENT_REFUSED);
        assert_int_equal(guest.refusal.refused.why, REFUSAL_NONE);
        assert_string_equal(guest.refusal.name, "org.varlink.service.MethodNotFound");
        assert_int_equal(push(ERROR("Later", ""), &guest, &answer), CLIENT_REFUSED);
        assert_string_equal(guest.refusal.name, "Later");
        /* A known name of another interface. */
        assert_int_equal(push("{\"error\":\"org.example.Expired\"}\n", &guest, &answer), CLIENT_REFUSED);
        assert_int_equal(guest.refusal.refused.why, REFUSAL_NONE);
}

/* A guest that listens at an address, which is written to `ret`. */
static struct fake *listen_for(struct address *ret, const char *const *answers, size_t n) {
        struct sockaddr_un at = {.sun_family = AF_UNIX};
        char directory[] = "/tmp/exc-guest-XXXXXX", text[64];
        int fd;

        assert_non_null(mkdtemp(directory));
        (void)snprintf(text, sizeof(text), "unix:%s/socket", directory);
        assert_null(address_from_text(text, ret));
        memcpy(at.sun_path, ret->path, sizeof(at.sun_path));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
        assert_int_equal(listen(fd, 4), 0);
        return start(-EBADF, fd, answers, n);
}

static void stop_listening(struct fake *fake, const struct address *address) {
        char directory[sizeof(address->path)];

        (void)close(fake->listener);
        stop(fake);
        assert_int_equal(unlink(address->path), 0);
        memcpy(directory, address->path, sizeof(directory));
        *strrchr(directory, '/') = '\0';
        assert_int_equal(rmdir(directory), 0);
}

static void unanswered_push_is_repeated_unchanged(void **state) {
        const char *answers[] = {NULL, PUSHED("\"alice\"", "\"" FINGERPRINT "\"", "59", "true", "")};
        json_t *envelope = json_pack("{ss}", "payload", "x");
        struct push_answer answer;
        struct address address;
        struct guest guest;
        struct fake *fake = listen_for(&address, answers, 2);

        (void)state;
        assert_int_equal(guest_connect(&guest, &address, TIMEOUT_MS), CLIENT_DONE);
        assert_int_equal(guest_push(&guest, envelope, NULL, 0, &answer), CLIENT_DONE);
        assert_true(answer.duplicate);
        assert_true(guest.repeated);
        assert_string_equal(fake->requests[0], fake->requests[1]);
        assert_non_null(strstr(fake->requests[0], "{\"envelope\":{\"payload\":\"x\"}}"));
        guest_close(&guest);
        json_decref(envelope);
        stop_listening(fake, &address);
}

static void push_is_sent_twice_at_most(void **state) {
        const char *answers[] = {NULL, NULL};
        json_t *envelope = json_object();
        struct push_answer answer;
        struct address address;
        struct guest guest;
        struct fake *fake = listen_for(&address, answers, 2);

        (void)state;
        assert_int_equal(guest_connect(&guest, &address, TIMEOUT_MS), CLIENT_DONE);
        assert_int_equal(guest_push(&guest, envelope, NULL, 0, &answer), CLIENT_NOT_REACHED);
        assert_true(guest.repeated);
        guest_close(&guest);
        json_decref(envelope);
        (void)shutdown(fake->listener, SHUT_RDWR);
        stop_listening(fake, &address);
}

/* A guest that never answers. */
static void deadline_bounds_call_and_repeat(void **state) {
        json_t *envelope = json_object();
        struct push_answer answer;
        struct address address;
        struct guest guest;
        struct fake *fake = listen_for(&address, NULL, 0);
        int64_t begun_ms;

        (void)state;
        assert_int_equal(guest_connect(&guest, &address, TIMEOUT_MS), CLIENT_DONE);
        begun_ms = clock_ms;
        guest_limit(&guest, 3000, begun_ms + 4000);
        assert_int_equal(guest_push(&guest, envelope, NULL, 0, &answer), CLIENT_NOT_REACHED);
        assert_int_equal(guest.client.error, -ETIMEDOUT);
        assert_int_equal(clock_ms - begun_ms, 4000);
        assert_true(guest.repeated);
        assert_true(guest.sent);
        /* No time is left. */
        assert_int_equal(guest_push(&guest, envelope, NULL, 0, &answer), CLIENT_NOT_REACHED);
        assert_int_equal(clock_ms - begun_ms, 4000);
        assert_false(guest.sent);
        guest_close(&guest);
        json_decref(envelope);
        stop_listening(fake, &address);
}

/* The guest's Hello comes first there. */
static void push_behind_an_unanswered_hello_was_not_sent(void **state) {
        json_t *envelope = json_object();
        struct push_answer answer;
        struct guest guest;
        struct fake *fake = connect_to(&guest, true, TIMEOUT_MS, NULL, 0);

        (void)state;
        assert_int_equal(guest_push(&guest, envelope, NULL, 0, &answer), CLIENT_NOT_REACHED);
        assert_false(guest.sent);
        guest_close(&guest);
        json_decref(envelope);
        stop(fake);
}

static void refused_push_is_not_repeated(void **state) {
        const char *answers[] = {ERROR("StaleChallenge", "\"message\":\"m\"")};
        json_t *envelope = json_object();
        struct push_answer answer;
        struct address address;
        struct guest guest;
        struct fake *fake = listen_for(&address, answers, 1);

        (void)state;
        assert_int_equal(guest_connect(&guest, &address, TIMEOUT_MS), CLIENT_DONE);
        assert_int_equal(guest_push(&guest, envelope, NULL, 0, &answer), CLIENT_REFUSED);
        assert_false(guest.repeated);
        guest_close(&guest);
        json_decref(envelope);
        stop_listening(fake, &address);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(hello_returns_each_member),
                cmocka_unit_test(each_hello_has_a_new_sync),
                cmocka_unit_test(instance_may_be_missing_or_null),
                cmocka_unit_test(unknown_members_are_ignored),
                cmocka_unit_test(replies_with_another_sync_are_skipped),
                cmocka_unit_test(errors_and_invalid_messages_are_skipped_on_a_serial_stream),
                cmocka_unit_test(refusal_is_returned_at_the_timeout_on_a_serial_stream),
                cmocka_unit_test(timeout_without_the_own_sync),
                cmocka_unit_test(flood_of_stale_replies_ends),
                cmocka_unit_test(invalid_reply_is_a_protocol_error),
                cmocka_unit_test(each_member_of_hello_is_checked),
                cmocka_unit_test(push_returns_what_was_stored),
                cmocka_unit_test(answer_about_other_keys_is_refused),
                cmocka_unit_test(each_member_of_a_push_answer_is_checked),
                cmocka_unit_test(host_key_must_match_its_type_and_fingerprint),
                cmocka_unit_test(host_keys_are_returned),
                cmocka_unit_test(status_returns_each_member),
                cmocka_unit_test(each_member_of_status_is_checked),
                cmocka_unit_test(revocation_returns_the_number_of_keys),
                cmocka_unit_test(refusal_has_its_message_and_parameters),
                cmocka_unit_test(malformed_refusal_is_a_protocol_error),
                cmocka_unit_test(unknown_refusal_has_only_its_name),
                cmocka_unit_test(unanswered_push_is_repeated_unchanged),
                cmocka_unit_test(push_is_sent_twice_at_most),
                cmocka_unit_test(refused_push_is_not_repeated),
                cmocka_unit_test(deadline_bounds_call_and_repeat),
                cmocka_unit_test(push_behind_an_unanswered_hello_was_not_sent),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
