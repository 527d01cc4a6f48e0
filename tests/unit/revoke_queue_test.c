/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/revoke_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/varlink_peer.h"
#include "wire/envelope.h"

#define CHALLENGE "abcdefghijklmnopqrst-_"
#define FINGERPRINT "SHA256:G3mpfpsbQ7rw6BibLAQONhwiY4MtJOu9uj2heCAgVLk"

enum { WAIT_S = 100 }; /* for events that must happen; far more than they take */

static char directory[] = "/tmp/exc-revoke-queue-XXXXXX";
static struct api_config config;
static struct api_host hosts[2];
static struct delivery *delivery;
static struct revoke_queue *queue;
static struct peer signer_peer, peers[2];

/* What has happened, and what is to happen. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct {
        size_t n_signed, n_delivered[2], n_notes, unreachable;
        bool held; /* the first host does not answer */
        char note[256], fingerprint[64], user[64], head[AUDIT_HASH_MAX];
        bool all;
} world;

/* In place of cloud/audit. */
int audit_write(struct audit *audit, const struct audit_event *event, char ret_head[static AUDIT_HASH_MAX]) {
        (void)audit;
        assert_int_equal(event->kind, AUDIT_NOTE);
        assert_string_equal(event->request_id, "r1");
        ret_head[0] = '\0';
        (void)pthread_mutex_lock(&lock);
        (void)snprintf(world.note, sizeof(world.note), "%s", event->message);
        world.n_notes++;
        (void)pthread_cond_broadcast(&changed);
        (void)pthread_mutex_unlock(&lock);
        return 0;
}

static void note(char *to, size_t size, json_t *parameters, const char *name) {
        const char *text = json_string_value(json_object_get(parameters, name));

        (void)snprintf(to, size, "%s", text ? text : "");
}

static json_t *sign(const char *method, json_t *parameters, bool *hangs) {
        static const uint8_t signature[64];
        struct envelope made;
        int64_t now = (int64_t)time(NULL);

        (void)hangs;
        assert_string_equal(method, "in.excloud.Signer.SignRevoke");
        assert_int_equal(envelope_make(REVOKE_PAYLOAD_TYPE, "{}", 2, &made), 0);
        assert_int_equal(envelope_add_signature(&made, signature, sizeof(signature)), 0);
        (void)pthread_mutex_lock(&lock);
        world.n_signed++;
        note(world.fingerprint, sizeof(world.fingerprint), parameters, "fingerprint");
        note(world.user, sizeof(world.user), parameters, "user");
        note(world.head, sizeof(world.head), parameters, "auditHead");
        world.all = json_is_true(json_object_get(parameters, "all"));
        (void)pthread_mutex_unlock(&lock);
        return json_pack("{s{so ss sI sI}}", "parameters", "envelope", envelope_to_json(&made), "jti", CHALLENGE, "iat",
                         (json_int_t)now, "exp", (json_int_t)(now + 60));
}

static json_t *answer(size_t host) {
        json_t *reply;

        (void)pthread_mutex_lock(&lock);
        world.n_delivered[host]++;
        (void)pthread_cond_broadcast(&changed);
        while (host == 0 && world.held)
                (void)pthread_cond_wait(&changed, &lock);
        if (world.unreachable > 0) {
                world.unreachable--;
                reply = json_pack("{ss s{ss}}", "error", "in.excloud.Host.GuestUnreachable", "parameters", "message",
                                  "no");
        } else
                reply = json_pack("{s{si}}", "parameters", "revoked", 2);
        (void)pthread_mutex_unlock(&lock);
        return reply;
}

static json_t *first(const char *method, json_t *parameters, bool *hangs) {
        (void)method;
        (void)parameters;
        (void)hangs;
        return answer(0);
}

static json_t *second(const char *method, json_t *parameters, bool *hangs) {
        (void)method;
        (void)parameters;
        (void)hangs;
        return answer(1);
}

static void wait_for(const size_t *counter, size_t n) {
        struct timespec until;

        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += WAIT_S;
        (void)pthread_mutex_lock(&lock);
        while (*counter < n)
                assert_int_equal(pthread_cond_timedwait(&changed, &lock, &until), 0);
        (void)pthread_mutex_unlock(&lock);
}

static int begin(void **state) {
        (void)state;
        memset(&world, 0, sizeof(world));
        peer_start(&signer_peer, config.signer, sign);
        peer_start(&peers[0], hosts[0].socket, first);
        peer_start(&peers[1], hosts[1].socket, second);
        delivery = delivery_new(&config);
        return delivery && revoke_queue_start(NULL, delivery, &queue) == 0 ? 0 : -1;
}

static int end(void **state) {
        (void)state;
        revoke_queue_stop(queue);
        delivery_free(delivery);
        peer_stop(&signer_peer);
        peer_stop(&peers[0]);
        peer_stop(&peers[1]);
        return 0;
}

static struct revoke_job job_for(const char *host) {
        struct revoke_job job = {
                .instance = "42",
                .account = "ann",
                .request_id = "r1",
                .audit_head = "abcd",
                .keys_end_s = (int64_t)time(NULL) + 600,
        };

        memcpy(job.host, host, strlen(host) + 1);
        memcpy(job.fingerprint, FINGERPRINT, sizeof(FINGERPRINT));
        return job;
}

static void job_is_delivered_and_noted(void **state) {
        struct revoke_job job = job_for("b");

        (void)state;
        assert_true(revoke_queue_add(queue, &job));
        wait_for(&world.n_notes, 1);
        assert_string_equal(world.note, "revocation delivered, 2 keys dropped");
        assert_string_equal(world.fingerprint, FINGERPRINT);
        assert_string_equal(world.user, "");
        assert_false(world.all);
        assert_string_equal(world.head, "abcd");
}

static void user_and_all_are_revoked(void **state) {
        struct revoke_job job = job_for("b");

        (void)state;
        job.fingerprint[0] = '\0';
        memcpy(job.user, "alice", 6);
        assert_true(revoke_queue_add(queue, &job));
        wait_for(&world.n_notes, 1);
        assert_string_equal(world.user, "alice");
        assert_false(world.all);
        job.user[0] = '\0';
        assert_true(revoke_queue_add(queue, &job));
        wait_for(&world.n_notes, 2);
        assert_true(world.all);
}

static void unreachable_guest_is_tried_again(void **state) {
        struct revoke_job job = job_for("b");

        (void)state;
        world.unreachable = 1;
        assert_true(revoke_queue_add(queue, &job));
        wait_for(&world.n_notes, 1);
        assert_string_equal(world.note, "revocation delivered, 2 keys dropped");
        assert_int_equal(world.n_delivered[1], 2);
        assert_int_equal(world.n_signed, 2);
}

static void keys_that_have_ended_need_no_revocation(void **state) {
        struct revoke_job job = job_for("b");

        (void)state;
        job.keys_end_s = (int64_t)time(NULL);
        assert_true(revoke_queue_add(queue, &job));
        job = job_for("b");
        assert_true(revoke_queue_add(queue, &job));
        wait_for(&world.n_notes, 1);
        assert_int_equal(world.n_signed, 1);
}

static void unknown_host_is_given_up(void **state) {
        struct revoke_job job = job_for("c");

        (void)state;
        assert_true(revoke_queue_add(queue, &job));
        wait_for(&world.n_notes, 1);
        assert_string_equal(world.note, "revocation not delivered: no host of that name is configured");
        assert_int_equal(world.n_signed, 0);
}

static void release(void) {
        (void)pthread_mutex_lock(&lock);
        world.held = false;
        (void)pthread_cond_broadcast(&changed);
        (void)pthread_mutex_unlock(&lock);
}

static void host_that_hangs_leaves_threads_for_others(void **state) {
        struct revoke_job job = job_for("a");

        (void)state;
        world.held = true;
        for (size_t i = 0; i < REVOKE_QUEUE_THREADS; i++)
                assert_true(revoke_queue_add(queue, &job));
        wait_for(&world.n_delivered[0], 1);
        job = job_for("b");
        assert_true(revoke_queue_add(queue, &job));
        wait_for(&world.n_delivered[1], 1);
        release();
        wait_for(&world.n_notes, REVOKE_QUEUE_THREADS + 1);
}

static void queue_is_bounded(void **state) {
        struct revoke_job job = job_for("a");
        size_t n = 0;

        (void)state;
        world.held = true;
        while (n <= REVOKE_QUEUE_MAX && revoke_queue_add(queue, &job))
                n++;
        assert_int_equal(n, REVOKE_QUEUE_MAX);
        release();
}

static int make_world(void **state) {
        (void)state;
        if (!mkdtemp(directory))
                return -1;
        (void)snprintf(config.signer, sizeof(config.signer), "%s/signer", directory);
        for (size_t i = 0; i < 2; i++) {
                (void)snprintf(hosts[i].socket, sizeof(hosts[i].socket), "%s/%c", directory, "ab"[i]);
                hosts[i].name[0] = "ab"[i];
        }
        config.hosts = hosts;
        config.n_hosts = 2;
        return 0;
}

static int remove_world(void **state) {
        (void)state;
        (void)unlink(config.signer);
        (void)unlink(hosts[0].socket);
        (void)unlink(hosts[1].socket);
        return rmdir(directory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(job_is_delivered_and_noted),
                TEST(user_and_all_are_revoked),
                TEST(unreachable_guest_is_tried_again),
                TEST(keys_that_have_ended_need_no_revocation),
                TEST(unknown_host_is_given_up),
                TEST(host_that_hangs_leaves_threads_for_others),
                TEST(queue_is_bounded),
        };

        return cmocka_run_group_tests(tests, make_world, remove_world);
}
