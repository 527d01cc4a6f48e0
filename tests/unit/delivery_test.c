/* SPDX-License-Identifier: Apache-2.0 */
/* The order of signatures, challenges and deliveries, and which answers of signer and host count. */
#include "cloud/api/delivery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/varlink_peer.h"
#include "wire/envelope.h"

/* Made by ssh-keygen for this test; the private key was discarded. */
#define SAMPLE_ED25519 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAWzR4F0I2NQhnP/bZcixwskk+h2bh5uHuKUoZfIOieN"
#define CHALLENGE "abcdefghijklmnopqrst-_"
#define HOST_ERROR "in.excloud.Host."
#define SIGNER_ERROR "in.excloud.Signer."

enum { LONG_MS = 60 * 1000, LIFE_S = 60, CALLS_MAX = 16 };

static char directory[] = "/tmp/exc-delivery-XXXXXX";
static struct api_config config;
static struct api_host host;
static struct delivery *delivery;
static struct peer signer_peer, host_peer;
static struct ssh_key key;
static char fingerprint[FINGERPRINT_MAX];

/* What the peers do, and what they have been asked. */
static struct {
        const char *signer_error, *signer_type, *signer_fingerprint;
        int64_t signer_ttl_s;
        const char *refusals[CALLS_MAX]; /* of the guest, one after the other; NULL: it takes the push */
        const char *host_error;
        size_t closes; /* so many Delivers end without an answer */
        bool hangs;
        const char *guest_instance; /* NULL: null */
        int64_t guest_clock_s;
        const char *user, *answered_fingerprint, *host_key_type;
        int64_t expires_in_s;
        size_t more_again;

        size_t n_signed, n_hello, n_delivered, n_again;
        bool challenged[CALLS_MAX];
        char handle[CALLS_MAX][64], call_id[CALLS_MAX][64];
} script;

/* --- the peers --------------------------------------------------------------------------------------------------- */

static json_t *error(const char *interface, const char *name, json_t *parameters) {
        char text[128];

        (void)snprintf(text, sizeof(text), "%s%s", interface, name);
        return json_pack("{ss so}", "error", text, "parameters", parameters);
}

static json_t *envelope(const char *type) {
        static const uint8_t signature[64];
        struct envelope made;

        assert_int_equal(envelope_make(type, "{}", 2, &made), 0);
        assert_int_equal(envelope_add_signature(&made, signature, sizeof(signature)), 0);
        return envelope_to_json(&made);
}

static json_t *sign(const char *method, json_t *parameters, bool *hangs) {
        bool push = strcmp(method, SIGNER_ERROR "SignPush") == 0;
        int64_t now = (int64_t)time(NULL);

        (void)hangs;
        script.challenged[script.n_signed++] = json_object_get(parameters, "challenge");
        if (script.signer_error)
                return error(SIGNER_ERROR, script.signer_error,
                             json_pack("{ss ss si}", "message", "no", "field", "user", "retryAfterMs", 5));
        if (!push)
                return json_pack("{s{so ss sI sI}}", "parameters", "envelope", envelope(REVOKE_PAYLOAD_TYPE), "jti",
                                 CHALLENGE, "iat", (json_int_t)now, "exp", (json_int_t)(now + LIFE_S));
        return json_pack("{s{so s[s] ss sI sI sI}}", "parameters", "envelope", envelope(script.signer_type),
                         "fingerprints", script.signer_fingerprint, "jti", CHALLENGE, "iat", (json_int_t)now, "exp",
                         (json_int_t)(now + LIFE_S), "ttl", (json_int_t)script.signer_ttl_s);
}

static json_t *host_key(void) {
        return json_pack("{ss ss ss}", "type", script.host_key_type, "key", strchr(SAMPLE_ED25519, ' ') + 1,
                         "fingerprint", fingerprint);
}

static json_t *deliver(json_t *parameters, bool *hangs) {
        size_t i = script.n_delivered++;
        const char *handle = json_string_value(json_object_get(parameters, "handle"));

        (void)snprintf(script.handle[i], sizeof(script.handle[i]), "%s", handle ? handle : "");
        (void)snprintf(script.call_id[i], sizeof(script.call_id[i]), "%s",
                       json_string_value(json_object_get(parameters, "callId")));
        *hangs = script.hangs;
        if (script.closes > 0) {
                script.closes--;
                return NULL;
        }
        if (script.hangs)
                return NULL;
        if (script.host_error)
                return error(HOST_ERROR, script.host_error, json_pack("{ss si}", "message", "no", "retryAfterMs", 7));
        if (script.refusals[i])
                return error(HOST_ERROR, "GuestRefused",
                             json_pack("{ss ss}", "message", "no", "name", script.refusals[i]));
        if (strcmp(json_string_value(json_object_get(json_object_get(parameters, "envelope"), "payloadType")),
                   REVOKE_PAYLOAD_TYPE) == 0)
                return json_pack("{s{si}}", "parameters", "revoked", 3);
        return json_pack("{s{ss s[s] sI sb s[o]}}", "parameters", "user", script.user, "fingerprints",
                         script.answered_fingerprint, "expiresIn", (json_int_t)script.expires_in_s, "duplicate", 0,
                         "hostKeys", host_key());
}

static json_t *answer(const char *method, json_t *parameters, bool *hangs) {
        if (strcmp(method, HOST_ERROR "Deliver") == 0)
                return deliver(parameters, hangs);
        script.n_hello++;
        return json_pack("{s{ss ss? ss ss s{sI sb} ss}}", "parameters", "handle", "h1", "guestInstance",
                         script.guest_instance, "bootId", "0123abcd-0123-0123-0123-0123456789ab", "challenge",
                         CHALLENGE, "clock", "unix", (json_int_t)script.guest_clock_s, "synchronized", 1, "version",
                         "1");
}

/* --- what is asked ----------------------------------------------------------------------------------------------- */

static bool again(void *context) {
        (void)context;
        script.n_again++;
        return script.more_again-- > 0;
}

static void path_of(const char *name, char *ret, size_t size) {
        assert_true(snprintf(ret, size, "%s/%s", directory, name) < (int)size);
}

static int begin(void **state) {
        (void)state;
        memset(&script, 0, sizeof(script));
        script.signer_type = PUSH_PAYLOAD_TYPE;
        script.signer_fingerprint = script.answered_fingerprint = fingerprint;
        script.signer_ttl_s = LIFE_S;
        script.guest_instance = "42";
        script.guest_clock_s = (int64_t)time(NULL);
        script.user = "alice";
        script.expires_in_s = LIFE_S;
        script.host_key_type = "ssh-ed25519";
        script.more_again = CALLS_MAX;
        delivery = delivery_new(&config);
        peer_start(&signer_peer, config.signer, sign);
        peer_start(&host_peer, host.socket, answer);
        return delivery ? 0 : -1;
}

static int end(void **state) {
        (void)state;
        peer_stop(&signer_peer);
        peer_stop(&host_peer);
        delivery_free(delivery);
        return 0;
}

static const struct signer_reason reason = {.principal = "ann", .request_id = "r1", .audit_head = "00"};

static struct delivery_outcome push_to(const char *to, bool challenge_first, int timeout_ms) {
        struct timespec now;
        struct delivery_outcome outcome;
        const struct signer_push push = {
                .instance = "42", .user = "alice", .key = &key, .ttl_s = LIFE_S, .reason = reason};
        struct delivery_order order = {
                .instance = "42",
                .host = to,
                .push = &push,
                .fingerprint = fingerprint,
                .challenge_first = challenge_first,
                .again = again,
        };

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        order.deadline_ns = ((int64_t)now.tv_sec * 1000 + timeout_ms) * 1000000 + now.tv_nsec;
        delivery_send(delivery, &order, &outcome);
        return outcome;
}

static struct delivery_outcome push(void) {
        return push_to("h", false, LONG_MS);
}

static void assert_refused(const struct delivery_outcome *outcome, const char *name) {
        assert_int_equal(outcome->end, DELIVERY_NOT_ANSWERED);
        assert_int_equal(outcome->host, HOST_GUEST_REFUSED);
        assert_string_equal(outcome->host_fault.guest_error, name);
        assert_int_equal(outcome->keys_end_s, 0);
}

static void assert_wrong(const struct delivery_outcome *outcome) {
        assert_int_equal(outcome->end, DELIVERY_NOT_ANSWERED);
        assert_int_equal(outcome->host, HOST_UNKNOWN);
        assert_true(outcome->host_fault.wrong);
        assert_true(outcome->keys_end_s > 0);
}

/* --- time, then challenge ---------------------------------------------------------------------------------------- */

static void first_push_is_timed_by_the_clock(void **state) {
        struct delivery_outcome outcome = push();

        (void)state;
        assert_int_equal(outcome.end, DELIVERY_DONE);
        assert_string_equal(outcome.push.user, "alice");
        assert_int_equal(outcome.push.host_keys.n, 1);
        assert_in_range(outcome.keys_end_s, time(NULL) + LIFE_S - 30, time(NULL) + LIFE_S);
        assert_int_equal(script.n_hello, 0);
        assert_int_equal(script.n_signed, 1);
        assert_false(script.challenged[0]);
        assert_string_equal(script.handle[0], "");
        assert_int_equal(script.n_again, 0);
}

static void challenge_comes_first_where_asked(void **state) {
        struct delivery_outcome outcome = push_to("h", true, LONG_MS);

        (void)state;
        assert_int_equal(outcome.end, DELIVERY_DONE);
        assert_int_equal(script.n_hello, 1);
        assert_int_equal(script.n_signed, 1);
        assert_true(script.challenged[0]);
        assert_string_equal(script.handle[0], "h1");
        /* It may arrive as late as its challenge lives. */
        assert_true(outcome.keys_end_s > time(NULL) + LIFE_S + DELIVERY_CHALLENGE_LIFE_S - 30);
}

static void challenge_helps_where_the_clock_does_not(void **state) {
        static const char *const refusals[] = {"ClockUnsynchronized", "NotYetValid"};

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                struct delivery_outcome outcome;

                script.n_signed = script.n_hello = script.n_delivered = script.n_again = 0;
                script.refusals[0] = refusals[i];
                outcome = push();
                assert_int_equal(outcome.end, DELIVERY_DONE);
                assert_int_equal(script.n_signed, 2);
                assert_false(script.challenged[0]);
                assert_true(script.challenged[1]);
                assert_int_equal(script.n_hello, 1);
                assert_int_equal(script.n_again, 1);
                assert_string_not_equal(script.call_id[0], script.call_id[1]);
        }
}

static void expired_by_a_right_clock_is_final(void **state) {
        struct delivery_outcome outcome;

        (void)state;
        script.refusals[0] = "Expired";
        outcome = push();
        assert_refused(&outcome, "Expired");
        assert_int_equal(script.n_signed, 1);
        assert_int_equal(script.n_hello, 1);
}

static void expired_by_a_wrong_clock_gets_a_challenge(void **state) {
        static const int64_t offsets[] = {LIFE_S + 30, -60};

        (void)state;
        for (size_t i = 0; i < 2; i++) {
                struct delivery_outcome outcome;

                script.n_signed = script.n_delivered = 0;
                script.refusals[0] = "Expired";
                script.guest_clock_s = (int64_t)time(NULL) + offsets[i];
                outcome = push();
                assert_int_equal(outcome.end, DELIVERY_DONE);
                assert_int_equal(script.n_signed, 2);
                assert_true(script.challenged[1]);
        }
}

static void expired_with_a_challenge_is_final(void **state) {
        struct delivery_outcome outcome;

        (void)state;
        script.refusals[0] = "Expired";
        outcome = push_to("h", true, LONG_MS);
        assert_refused(&outcome, "Expired");
        assert_int_equal(script.n_signed, 1);
}

static void lost_challenge_is_replaced_a_few_times(void **state) {
        struct delivery_outcome outcome;

        (void)state;
        for (size_t i = 0; i < CALLS_MAX; i++)
                script.refusals[i] = "StaleChallenge";
        outcome = push_to("h", true, LONG_MS);
        assert_refused(&outcome, "StaleChallenge");
        assert_int_equal(script.n_signed, 3);
        assert_int_equal(script.n_hello, 3);
        assert_int_equal(script.n_again, 2);
}

static void other_refusals_are_final(void **state) {
        static const char *const refusals[] = {"NoSuchUser", "UserDenied",     "BadSignature", "WrongInstance",
                                               "Untrusted",  "StaleChallenge", "SomethingNew"};

        (void)state;
        for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
                struct delivery_outcome outcome;

                script.n_signed = script.n_delivered = 0;
                script.refusals[0] = refusals[i];
                outcome = push();
                assert_refused(&outcome, refusals[i]);
                assert_int_equal(script.n_signed, 1);
                assert_int_equal(script.n_hello, 0);
        }
}

static void second_signature_needs_a_second_decision(void **state) {
        struct delivery_outcome outcome;

        (void)state;
        script.refusals[0] = "ClockUnsynchronized";
        script.more_again = 0;
        outcome = push();
        assert_int_equal(outcome.end, DELIVERY_STOPPED);
        assert_int_equal(script.n_signed, 1);
        assert_int_equal(script.n_delivered, 1);
        assert_int_equal(outcome.keys_end_s, 0);
}

/* --- hosts and guests that lie ----------------------------------------------------------------------------------- */

static void other_guest_gets_nothing(void **state) {
        static const char *const instances[] = {"43", "421", "4", "exc:compute:instance/42", NULL};

        (void)state;
        for (size_t i = 0; i < sizeof(instances) / sizeof(instances[0]); i++) {
                struct delivery_outcome outcome;

                script.guest_instance = instances[i];
                outcome = push_to("h", true, LONG_MS);
                assert_int_equal(outcome.end, DELIVERY_OTHER_GUEST);
                assert_string_equal(outcome.guest_instance, instances[i] ? instances[i] : "");
        }
        assert_int_equal(script.n_signed, 0);
        assert_int_equal(script.n_delivered, 0);
}

static void other_guest_with_a_wrong_clock_gets_nothing(void **state) {
        struct delivery_outcome outcome;

        (void)state;
        script.refusals[0] = "Expired";
        script.guest_clock_s = 0;
        script.guest_instance = "43";
        outcome = push();
        assert_int_equal(outcome.end, DELIVERY_OTHER_GUEST);
        assert_int_equal(script.n_signed, 1);
}

static void answer_about_another_key_does_not_count(void **state) {
        struct delivery_outcome outcome;

        (void)state;
        script.answered_fingerprint = "SHA256:G3mpfpsbQ7rw6BibLAQONhwiY4MtJOu9uj2heCAgVLk";
        outcome = push();
        assert_wrong(&outcome);
}

static void longer_life_than_signed_does_not_count(void **state) {
        struct delivery_outcome outcome;

        (void)state;
        script.expires_in_s = LIFE_S + 1;
        outcome = push();
        assert_wrong(&outcome);
}

static void host_key_is_a_key_and_nothing_else(void **state) {
        static const char *const types[] = {"@cert-authority ssh-ed25519", "* ssh-ed25519", "ssh-rsa",
                                            "ssh-ed25519\nevil ssh-ed25519", ""};

        (void)state;
        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
                struct delivery_outcome outcome;

                script.host_key_type = types[i];
                outcome = push();
                assert_wrong(&outcome);
        }
}

static void user_that_ssh_takes_for_an_option_does_not_count(void **state) {
        static const char *const users[] = {"-oProxyCommand=id", "-", "a\nb", "a\x7f", "a\xc2\x85"};

        (void)state;
        for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
                struct delivery_outcome outcome;

                script.user = users[i];
                outcome = push();
                assert_wrong(&outcome);
        }
}

/* --- failures ---------------------------------------------------------------------------------------------------- */

static void errors_of_the_host_are_told_apart(void **state) {
        static const struct {
                const char *error;
                enum host_result result;
                bool may_have_it;
        } cases[] = {
                {"GuestUnreachable", HOST_GUEST_UNREACHABLE, false},
                {"GuestTimeout", HOST_UNKNOWN, true},
                {"GuestProtocol", HOST_UNKNOWN, true},
                {"Busy", HOST_BUSY, false},
                {"NoSuchInstance", HOST_NO_INSTANCE, false},
                {"PermissionDenied", HOST_UNREACHABLE, false},
                {"InvalidField", HOST_UNREACHABLE, false},
                {"NotOfTheInterface", HOST_UNKNOWN, true},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct delivery_outcome outcome;

                script.host_error = cases[i].error;
                outcome = push();
                assert_int_equal(outcome.end, DELIVERY_NOT_ANSWERED);
                assert_int_equal(outcome.host, cases[i].result);
                assert_int_equal(outcome.keys_end_s > 0, cases[i].may_have_it);
        }
}

static void cut_connection_is_the_same_call_again(void **state) {
        struct delivery_outcome outcome;

        (void)state;
        script.closes = 3;
        outcome = push();
        assert_int_equal(outcome.end, DELIVERY_DONE);
        assert_int_equal(script.n_signed, 1);
        assert_int_equal(script.n_delivered, 4);
        for (size_t i = 1; i < 4; i++)
                assert_string_equal(script.call_id[i], script.call_id[0]);
        assert_int_equal(strlen(script.call_id[0]), 22);
}

static void host_that_hangs_is_left_at_the_deadline(void **state) {
        struct delivery_outcome outcome;

        (void)state;
        script.hangs = true;
        outcome = push_to("h", false, 1000);
        assert_int_equal(outcome.end, DELIVERY_NOT_ANSWERED);
        assert_int_equal(outcome.host, HOST_UNKNOWN);
        assert_false(outcome.host_fault.wrong);
        assert_true(outcome.keys_end_s > 0);
}

static void no_time_is_no_call(void **state) {
        struct delivery_outcome outcome = push_to("h", false, 0);

        (void)state;
        assert_int_equal(outcome.end, DELIVERY_LATE);
        assert_int_equal(script.n_signed, 0);
        assert_int_equal(outcome.keys_end_s, 0);
}

static void unknown_host_is_named(void **state) {
        struct delivery_outcome outcome = push_to("other", false, LONG_MS);

        (void)state;
        assert_int_equal(outcome.end, DELIVERY_NO_HOST);
        assert_int_equal(script.n_signed, 0);
}

static void absent_host_has_no_key(void **state) {
        struct delivery_outcome outcome;

        (void)state;
        assert_int_equal(unlink(host.socket), 0);
        outcome = push();
        assert_int_equal(outcome.end, DELIVERY_NOT_ANSWERED);
        assert_int_equal(outcome.host, HOST_UNREACHABLE);
        assert_int_equal(outcome.keys_end_s, 0);
}

static void errors_of_the_signer_are_told_apart(void **state) {
        static const struct {
                const char *error;
                enum signer_result result;
        } cases[] = {
                {"Denied", SIGNER_DENIED},
                {"InvalidField", SIGNER_INVALID},
                {"RateLimited", SIGNER_RATE_LIMITED},
                {"KeyUnavailable", SIGNER_UNAVAILABLE},
                {"LogUnavailable", SIGNER_UNAVAILABLE},
                {"PermissionDenied", SIGNER_UNAVAILABLE},
                {"NotOfTheInterface", SIGNER_UNAVAILABLE},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct delivery_outcome outcome;

                script.signer_error = cases[i].error;
                outcome = push();
                assert_int_equal(outcome.end, DELIVERY_NOT_SIGNED);
                assert_int_equal(outcome.signer, cases[i].result);
        }
        assert_int_equal(script.n_delivered, 0);
}

static void signature_for_something_else_is_not_delivered(void **state) {
        struct delivery_outcome outcome;

        (void)state;
        script.signer_fingerprint = "SHA256:G3mpfpsbQ7rw6BibLAQONhwiY4MtJOu9uj2heCAgVLk";
        outcome = push();
        assert_int_equal(outcome.signer, SIGNER_UNAVAILABLE);
        script.signer_fingerprint = fingerprint;
        script.signer_type = REVOKE_PAYLOAD_TYPE;
        outcome = push();
        assert_int_equal(outcome.signer, SIGNER_UNAVAILABLE);
        script.signer_type = PUSH_PAYLOAD_TYPE;
        script.signer_ttl_s = 3601;
        outcome = push();
        assert_int_equal(outcome.signer, SIGNER_UNAVAILABLE);
        assert_int_equal(script.n_delivered, 0);
}

static void signer_that_was_started_again_is_asked_again(void **state) {
        (void)state;
        assert_int_equal(push().end, DELIVERY_DONE);
        peer_stop(&signer_peer);
        peer_start(&signer_peer, config.signer, sign);
        assert_int_equal(push().end, DELIVERY_DONE);
}

static void revocation_is_counted(void **state) {
        const struct signer_revoke revoke = {.instance = "42", .user = "alice", .reason = reason};
        struct delivery_order order = {.instance = "42", .host = "h", .revoke = &revoke, .deadline_ns = INT64_MAX};
        struct delivery_outcome outcome;

        (void)state;
        script.refusals[0] = "ClockUnsynchronized";
        delivery_send(delivery, &order, &outcome);
        assert_int_equal(outcome.end, DELIVERY_DONE);
        assert_int_equal(outcome.revoked, 3);
        assert_int_equal(outcome.keys_end_s, 0);
        assert_int_equal(script.n_signed, 2);
        assert_true(script.challenged[1]);
}

static int make_world(void **state) {
        (void)state;
        if (!mkdtemp(directory) || ssh_key_from_text(SAMPLE_ED25519, strlen(SAMPLE_ED25519), &key) != SSH_KEY_OK ||
            fingerprint_of(&key, fingerprint) < 0)
                return -1;
        path_of("signer", config.signer, sizeof(config.signer));
        path_of("host", host.socket, sizeof(host.socket));
        memcpy(host.name, "h", 2);
        config.hosts = &host;
        config.n_hosts = 1;
        return 0;
}

static int remove_world(void **state) {
        (void)state;
        (void)unlink(config.signer);
        (void)unlink(host.socket);
        return rmdir(directory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(first_push_is_timed_by_the_clock),
                TEST(challenge_comes_first_where_asked),
                TEST(challenge_helps_where_the_clock_does_not),
                TEST(expired_by_a_right_clock_is_final),
                TEST(expired_by_a_wrong_clock_gets_a_challenge),
                TEST(expired_with_a_challenge_is_final),
                TEST(lost_challenge_is_replaced_a_few_times),
                TEST(other_refusals_are_final),
                TEST(second_signature_needs_a_second_decision),
                TEST(other_guest_gets_nothing),
                TEST(other_guest_with_a_wrong_clock_gets_nothing),
                TEST(answer_about_another_key_does_not_count),
                TEST(longer_life_than_signed_does_not_count),
                TEST(host_key_is_a_key_and_nothing_else),
                TEST(user_that_ssh_takes_for_an_option_does_not_count),
                TEST(errors_of_the_host_are_told_apart),
                TEST(cut_connection_is_the_same_call_again),
                TEST(host_that_hangs_is_left_at_the_deadline),
                TEST(no_time_is_no_call),
                TEST(unknown_host_is_named),
                TEST(absent_host_has_no_key),
                TEST(errors_of_the_signer_are_told_apart),
                TEST(signature_for_something_else_is_not_delivered),
                TEST(signer_that_was_started_again_is_asked_again),
                TEST(revocation_is_counted),
        };

        return cmocka_run_group_tests(tests, make_world, remove_world);
}
