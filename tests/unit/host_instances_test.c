/* SPDX-License-Identifier: Apache-2.0 */
/* Linked with --wrap=clock_gettime. */
#include "host/instances.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/sessions.h"

#define BOOT "0123abcd-0123-0123-0123-0123456789ab"
#define LATER_BOOT "ffffabcd-0123-0123-0123-0123456789ab"

static struct instances *instances;
static struct sessions *sessions;
static time_t ahead_s;

int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret) {
        int r = __real_clock_gettime(id, ret);

        ret->tv_sec += ahead_s;
        return r;
}

static int setup(void **state) {
        (void)state;
        ahead_s = 0;
        instances = instances_new();
        return instances ? sessions_start(instances, &sessions) : -1;
}

static int teardown(void **state) {
        (void)state;
        sessions_stop(sessions);
        instances_free(instances);
        return 0;
}

static struct instance_setting setting(const char *id, uint32_t cid) {
        struct instance_setting made = {.address = {.kind = ADDRESS_VSOCK, .cid = cid, .port = ADDRESS_VSOCK_PORT}};

        (void)snprintf(made.id, sizeof(made.id), "%s", id);
        return made;
}

static void replace(size_t n, const struct instance_setting *settings) {
        assert_int_equal(instances_replace(instances, settings, n), 0);
}

/* "ID=STATE " of each, with "!" where it was seen. */
static const char *states(void) {
        static const char *const names[] = {"unknown", "reachable", "unreachable"};
        static char text[512];
        struct instance_view *views;
        size_t n;

        text[0] = '\0';
        assert_int_equal(instances_views(instances, &views, &n), 0);
        for (size_t i = 0; i < n; i++) {
                char one[128];

                (void)snprintf(one, sizeof(one), "%s=%s%s ", views[i].instance->id, names[views[i].state],
                               views[i].first_seen_s > 0 ? "!" : "");
                strcat(text, one);
        }
        instances_views_free(instances, views, n);
        return text;
}

static void ids_are_those_of_the_control_plane(void **state) {
        static const char *const good[] = {"42", "a", "web.b-1_c",
                                           "0123456789012345678901234567890123456789012345678901234567890123"};
        static const char *const bad[] = {
                "",         "connect",
                "Web",      "-a",
                ".a",       "a/b",
                "I-1",      "_a",
                "a*",       ".",
                "a b",      "a\n",
                "\xc3\xa4", "01234567890123456789012345678901234567890123456789012345678901234"};

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
                assert_true(vm_id_valid(good[i]));
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_false(vm_id_valid(bad[i]));
}

static void each_is_found_by_its_id(void **state) {
        struct instance *found;

        (void)state;
        assert_null(instances_find(instances, "a"));
        replace(3, (struct instance_setting[]){setting("b", 3), setting("c", 4), setting("a", 5)});
        assert_int_equal(instances_count(instances), 3);
        assert_string_equal(states(), "a=unknown b=unknown c=unknown ");
        found = instances_find(instances, "c");
        assert_int_equal(found->address.cid, 4);
        instance_unref(instances, found);
        assert_null(instances_find(instances, "d"));
        assert_null(instances_find(instances, ""));
}

static void calls_show_the_state(void **state) {
        struct instance *instance;

        (void)state;
        replace(1, (struct instance_setting[]){setting("a", 3)});
        instance = instances_find(instances, "a");
        instance_record(instances, instance, false, NULL);
        assert_string_equal(states(), "a=unreachable ");
        instance_record(instances, instance, true, NULL);
        assert_string_equal(states(), "a=reachable! ");
        instance_record(instances, instance, false, NULL);
        assert_string_equal(states(), "a=unreachable! ");
        instance_unref(instances, instance);
}

static int64_t first_seen(void) {
        struct instance_view *views;
        int64_t seen;
        size_t n;

        assert_int_equal(instances_views(instances, &views, &n), 0);
        seen = views[0].first_seen_s;
        instances_views_free(instances, views, n);
        return seen;
}

static void first_seen_is_of_the_guests_boot(void **state) {
        struct instance *instance;
        int64_t seen;

        (void)state;
        replace(1, (struct instance_setting[]){setting("a", 3)});
        instance = instances_find(instances, "a");
        instance_record(instances, instance, true, BOOT);
        seen = first_seen();
        instance->first_seen_s = seen - 1000; /* long ago */
        instance_record(instances, instance, true, BOOT);
        assert_int_equal(first_seen(), seen - 1000);
        instance_record(instances, instance, true, NULL);
        assert_int_equal(first_seen(), seen - 1000);
        instance_record(instances, instance, true, LATER_BOOT);
        assert_true(first_seen() >= seen);
        instance_unref(instances, instance);
}

static void reload_keeps_what_is_the_same(void **state) {
        struct instance *same, *moved, *gone, *other;
        struct turns *turns;

        (void)state;
        replace(3, (struct instance_setting[]){setting("a", 3), setting("b", 4), setting("c", 5)});
        same = instances_find(instances, "a");
        moved = instances_find(instances, "b");
        gone = instances_find(instances, "c");
        instance_record(instances, same, true, NULL);
        instance_record(instances, moved, true, NULL);
        turns = gone->turns;
        replace(3, (struct instance_setting[]){setting("a", 3), setting("b", 9), setting("d", 5)});
        assert_string_equal(states(), "a=reachable! b=unknown d=unknown ");
        assert_true(instance_is_current(instances, same));
        assert_false(instance_is_current(instances, moved));
        assert_false(instance_is_current(instances, gone));
        /* The channel is the same under another id: still one call at a time. */
        other = instances_find(instances, "d");
        assert_ptr_equal(other->turns, turns);
        instance_unref(instances, other);
        instance_unref(instances, same);
        instance_unref(instances, moved);
        instance_unref(instances, gone);
}

static void watchers_see_changes_alone(void **state) {
        struct instance *instance;
        eventfd_t count;
        int fd;

        (void)state;
        replace(1, (struct instance_setting[]){setting("a", 3)});
        instance = instances_find(instances, "a");
        fd = instances_watch(instances);
        assert_true(fd >= 0);
        assert_int_equal(eventfd_read(fd, &count), -1);
        instance_record(instances, instance, true, NULL);
        assert_int_equal(eventfd_read(fd, &count), 0);
        instance_record(instances, instance, true, NULL);
        assert_int_equal(eventfd_read(fd, &count), -1);
        replace(0, NULL);
        assert_int_equal(eventfd_read(fd, &count), 0);
        instances_unwatch(instances, fd);
        instance_unref(instances, instance);
}

/* --- handles ------------------------------------------------------------------------------------------------------ */

/* A session with a socket pair; the other end is `ret_peer`. */
static struct session *open_session(const char *id, int *ret_peer) {
        struct session *session = session_new(instances_find(instances, id));
        int fds[2];

        assert_non_null(session);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        guest_adopt(&session->guest, fds[0], false, 1000);
        *ret_peer = fds[1];
        return session;
}

static void handle_is_used_once_and_for_its_instance(void **state) {
        struct instance *a, *b;
        struct session *session;
        char handle[TOKEN_MAX];
        int peer;

        (void)state;
        replace(2, (struct instance_setting[]){setting("a", 3), setting("b", 4)});
        a = instances_find(instances, "a");
        b = instances_find(instances, "b");
        session = open_session("a", &peer);
        assert_int_equal(sessions_hold(sessions, session, handle), 0);
        assert_null(sessions_take(sessions, handle, b));
        assert_null(sessions_take(sessions, "", a));
        assert_null(sessions_take(sessions, "0123456789012345678901", a));
        assert_ptr_equal(sessions_take(sessions, handle, a), session);
        assert_null(sessions_take(sessions, handle, a));
        session_end(instances, session);
        (void)close(peer);
        instance_unref(instances, a);
        instance_unref(instances, b);
}

static void old_handle_is_refused(void **state) {
        struct instance *a;
        char handle[TOKEN_MAX];
        int peer;

        (void)state;
        replace(1, (struct instance_setting[]){setting("a", 3)});
        a = instances_find(instances, "a");
        assert_int_equal(sessions_hold(sessions, open_session("a", &peer), handle), 0);
        ahead_s = SESSIONS_HOLD_MS / 1000;
        assert_null(sessions_take(sessions, handle, a));
        (void)close(peer);
        instance_unref(instances, a);
}

static void one_guest_cannot_fill_the_table(void **state) {
        int peers[SESSIONS_GUEST_MAX + 2];
        char handle[TOKEN_MAX];
        struct session *session;

        (void)state;
        replace(2, (struct instance_setting[]){setting("a", 3), setting("b", 4)});
        for (int i = 0; i < SESSIONS_GUEST_MAX; i++)
                assert_int_equal(sessions_hold(sessions, open_session("a", &peers[i]), handle), 0);
        session = open_session("a", &peers[SESSIONS_GUEST_MAX]);
        assert_int_equal(sessions_hold(sessions, session, handle), -EBUSY);
        session_end(instances, session);
        assert_int_equal(sessions_hold(sessions, open_session("b", &peers[SESSIONS_GUEST_MAX + 1]), handle), 0);
        for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
                (void)close(peers[i]);
}

static void session_that_ends_returns_the_turn(void **state) {
        struct session *session;
        struct instance *a;
        int peer;

        (void)state;
        replace(1, (struct instance_setting[]){setting("a", 3)});
        a = instances_find(instances, "a");
        session = open_session("a", &peer);
        assert_int_equal(turns_take(a->turns, 0, 0), 0);
        session->has_turn = true;
        session_end(instances, session);
        assert_int_equal(turns_take(a->turns, 0, 0), 0);
        turns_release(a->turns);
        (void)close(peer);
        instance_unref(instances, a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(ids_are_those_of_the_control_plane),
                TEST(each_is_found_by_its_id),
                TEST(calls_show_the_state),
                TEST(first_seen_is_of_the_guests_boot),
                TEST(reload_keeps_what_is_the_same),
                TEST(watchers_see_changes_alone),
                TEST(handle_is_used_once_and_for_its_instance),
                TEST(old_handle_is_refused),
                TEST(one_guest_cannot_fill_the_table),
                TEST(session_that_ends_returns_the_turn),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
