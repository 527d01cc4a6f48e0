/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked with --wrap for the functions below that begin with __wrap_: the name service then knows some users and groups
 * of the tests' own, and hangs with one of them until it is released.
 */
#include "agent/nss.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FOREVER_US UINT64_C(3600000000)
#define SHORT_US UINT64_C(1000)

enum {
        FAKE_UID = 70000,
        FAKE_GID = 70001,
        FAKE_GROUPS = 200, /* more than are asked for at first */
};

/* The name service */

static int hang_pipe[2];
static atomic_int hanging;
static atomic_size_t largest_buffer;
static atomic_bool signals_open;

static size_t grow_to;
static int error_number;
static const char *canonical_name;
static uid_t given_uid;

int __real_getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size, struct passwd **ret);
int __wrap_getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size, struct passwd **ret);
int __real_getgrnam_r(const char *name, struct group *entry, char *buffer, size_t size, struct group **ret);
int __wrap_getgrnam_r(const char *name, struct group *entry, char *buffer, size_t size, struct group **ret);
int __real_getgrouplist(const char *user, gid_t gid, gid_t *gids, int *n);
int __wrap_getgrouplist(const char *user, gid_t gid, gid_t *gids, int *n);
int __real_pthread_create(pthread_t *ret, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);

int __wrap_getpwnam_r(const char *name, struct passwd *entry, char *buffer, size_t size, struct passwd **ret) {
        sigset_t blocked;
        char byte;

        (void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
        if (!sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGPIPE))
                signals_open = true;
        if (size > largest_buffer)
                largest_buffer = size;

        *ret = NULL;
        if (strcmp(name, "error") == 0)
                return error_number;
        if (strcmp(name, "grow") == 0 && size < grow_to)
                return ERANGE;
        if (strcmp(name, "hang") == 0) {
                hanging++;
                (void)!read(hang_pipe[0], &byte, 1);
                hanging--;
        } else if (strcmp(name, "fake") != 0 && strcmp(name, "grow") != 0 && strcmp(name, "no-end-of-groups") != 0)
                return __real_getpwnam_r(name, entry, buffer, size, ret);

        *entry = (struct passwd){.pw_uid = given_uid, .pw_gid = FAKE_GID};
        entry->pw_name = buffer;
        (void)snprintf(buffer, size, "%s", canonical_name ? canonical_name : name);
        *ret = entry;
        return 0;
}

int __wrap_getgrnam_r(const char *name, struct group *entry, char *buffer, size_t size, struct group **ret) {
        unsigned gid;

        *ret = NULL;
        if (strcmp(name, "error") == 0)
                return error_number;
        if (size > largest_buffer)
                largest_buffer = size;
        if (strcmp(name, "grow") == 0) {
                if (size < grow_to)
                        return ERANGE;
                gid = FAKE_GID;
        } else if (sscanf(name, "gid%u", &gid) != 1)
                return __real_getgrnam_r(name, entry, buffer, size, ret);
        *entry = (struct group){.gr_gid = gid};
        *ret = entry;
        return 0;
}

/* The fake users are in FAKE_GID and the gids after it. */
int __wrap_getgrouplist(const char *user, gid_t gid, gid_t *gids, int *n) {
        int room = *n;

        if (strcmp(user, "no-end-of-groups") == 0)
                return -1;
        if (gid != FAKE_GID)
                return __real_getgrouplist(user, gid, gids, n);
        for (int i = 0; i < room && i < FAKE_GROUPS; i++)
                gids[i] = gid + (gid_t)i;
        *n = FAKE_GROUPS;
        return room < FAKE_GROUPS ? -1 : FAKE_GROUPS;
}

/* Calls of the loop's thread that still go well before one fails; negative: all do. */
static int until_failure = -1;

static bool fails(void) {
        return until_failure >= 0 && until_failure-- == 0;
}

/* clang-format off */
#define WRAP(type, failed, name, parameters, arguments)                                                                \
        type __real_##name parameters;                                                                                 \
        type __wrap_##name parameters;                                                                                 \
        type __wrap_##name parameters {                                                                                \
                errno = ENOMEM;                                                                                        \
                return fails() ? failed : __real_##name arguments;                                                     \
        }

WRAP(void *, NULL, calloc, (size_t n, size_t size), (n, size))
WRAP(char *, NULL, strdup, (const char *text), (text))
WRAP(int, -1, eventfd, (unsigned count, int flags), (count, flags))
WRAP(int, -ENOMEM, sd_event_add_io,
     (sd_event *e, sd_event_source **ret, int fd, uint32_t events, sd_event_io_handler_t handler, void *context),
     (e, ret, fd, events, handler, context))
WRAP(int, -ENOMEM, sd_event_add_time,
     (sd_event *e, sd_event_source **ret, clockid_t clock, uint64_t us, uint64_t accuracy,
      sd_event_time_handler_t handler, void *context),
     (e, ret, clock, us, accuracy, handler, context))
WRAP(int, -ENOMEM, sd_event_add_defer,
     (sd_event *e, sd_event_source **ret, sd_event_handler_t handler, void *context), (e, ret, handler, context))
/* clang-format on */

/* Counts the threads, so that a test can wait until they are done. */

static pthread_mutex_t threads_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t threads_ended = PTHREAD_COND_INITIALIZER;
static unsigned threads;
static bool no_threads;

struct start {
        void *(*routine)(void *);
        void *argument;
};

static void *counted(void *argument) {
        struct start start = *(struct start *)argument;
        void *result;

        free(argument);
        result = start.routine(start.argument);
        (void)pthread_mutex_lock(&threads_lock);
        threads--;
        (void)pthread_cond_broadcast(&threads_ended);
        (void)pthread_mutex_unlock(&threads_lock);
        return result;
}

int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attributes, void *(*routine)(void *), void *argument) {
        struct start *start;
        int r;

        if (no_threads)
                return EAGAIN;
        start = malloc(sizeof(*start));
        if (!start)
                return ENOMEM;
        *start = (struct start){routine, argument};
        (void)pthread_mutex_lock(&threads_lock);
        threads++;
        (void)pthread_mutex_unlock(&threads_lock);
        r = __real_pthread_create(ret, attributes, counted, start);
        if (r != 0) {
                free(start);
                threads--;
        }
        return r;
}

/*
 * A thread ends only where another waits for the next lookup. So when the last but one of several has ended, all of them
 * have brought back what they found.
 */
static void wait_for_threads(unsigned n) {
        (void)pthread_mutex_lock(&threads_lock);
        while (threads > n)
                (void)pthread_cond_wait(&threads_ended, &threads_lock);
        (void)pthread_mutex_unlock(&threads_lock);
}

static void release(unsigned n) {
        while (n-- > 0)
                assert_int_equal(write(hang_pipe[1], "", 1), 1);
}

/* What comes back */

struct heard {
        unsigned n;
        struct nss_answer answer;
        bool member[8];
        struct nss_lookup *to_cancel; /* when it is called */
};

static void on_done(void *context, const struct nss_answer *answer) {
        struct heard *heard = context;

        heard->n++;
        heard->answer = *answer;
        for (size_t i = 0; i < answer->n_groups && i < 8; i++)
                heard->member[i] = answer->groups[i].member;
        heard->answer.groups = NULL;
        if (heard->to_cancel)
                nss_cancel(heard->to_cancel);
}

static sd_event *event;
static struct nss *nss;

static void new_nss(uint64_t limit_us) {
        assert_int_equal(nss_new(event, SD_EVENT_PRIORITY_NORMAL, limit_us, &nss), 0);
}

static int setup(void **state) {
        (void)state;
        nss = NULL;
        until_failure = -1;
        grow_to = 0;
        no_threads = false;
        canonical_name = NULL;
        given_uid = FAKE_UID;
        largest_buffer = 0;
        return pipe2(hang_pipe, O_CLOEXEC) == 0 && sd_event_new(&event) >= 0 ? 0 : -1;
}

/* What still hangs comes back when there is nobody any more. */
static int teardown(void **state) {
        (void)state;
        nss_free(nss);
        event = sd_event_unref(event);
        (void)close(hang_pipe[1]);
        wait_for_threads(0);
        (void)close(hang_pipe[0]);
        return 0;
}

static struct nss_lookup *start_with_groups(const char *user, char *const *groups, size_t n, struct heard *heard) {
        struct nss_lookup *lookup = NULL;

        assert_int_equal(nss_lookup(nss, user, groups, n, on_done, heard, &lookup), 0);
        assert_non_null(lookup);
        return lookup;
}

static struct nss_lookup *start(const char *user, struct heard *heard) {
        return start_with_groups(user, NULL, 0, heard);
}

static void run_until(struct heard *heard, unsigned n) {
        while (heard->n < n)
                assert_true(sd_event_run(event, UINT64_MAX) >= 0);
        assert_int_equal(heard->n, n);
}

/* Until a lookup has come back, of which the loop has not heard yet. */
static void wait_until_back(void) {
        struct pollfd fd = {.fd = sd_event_get_fd(event), .events = POLLIN};

        assert_int_equal(poll(&fd, 1, -1), 1);
}

static void run_what_is_there(void) {
        while (sd_event_run(event, 0) > 0)
                ;
}

static struct heard ask_with_groups(const char *user, char *const *groups, size_t n) {
        struct heard heard = {.n = 0};

        (void)start_with_groups(user, groups, n, &heard);
        assert_int_equal(heard.n, 0);
        run_until(&heard, 1);
        return heard;
}

static struct heard ask(const char *user) {
        return ask_with_groups(user, NULL, 0);
}

static void a_user_of_the_real_name_service_is_found_with_his_groups(void **state) {
        char *groups[] = {(char[]){"root"}, (char[]){"there-is-no-such-group"}, (char[]){"nogroup"}};
        struct heard heard;

        (void)state;
        new_nss(FOREVER_US);
        heard = ask_with_groups("root", groups, 3);
        assert_int_equal(heard.answer.outcome, NSS_FOUND);
        assert_string_equal(heard.answer.user, "root");
        assert_int_equal(heard.answer.uid, 0);
        assert_int_equal(heard.answer.gid, 0);
        assert_int_equal(heard.answer.n_groups, 3);
        assert_true(heard.member[0]);
        assert_false(heard.member[1]);
        assert_false(heard.member[2]);
}

static void a_user_who_does_not_exist_is_told_as_such(void **state) {
        static const int numbers[] = {0, ENOENT, ESRCH};
        struct heard heard;

        (void)state;
        new_nss(FOREVER_US);
        heard = ask("there-is-no-such-user");
        assert_int_equal(heard.answer.outcome, NSS_NO_SUCH_USER);
        assert_string_equal(heard.answer.user, "there-is-no-such-user");
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
                error_number = numbers[i];
                assert_int_equal(ask("error").answer.outcome, NSS_NO_SUCH_USER);
        }
}

static void every_other_error_is_a_failure_with_its_text(void **state) {
        static const int numbers[] = {EPERM, EBADF, EIO, EAGAIN, ENOMEM, EINTR};

        (void)state;
        new_nss(FOREVER_US);
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
                struct heard heard;

                error_number = numbers[i];
                heard = ask("error");
                assert_int_equal(heard.answer.outcome, NSS_FAILURE);
                assert_non_null(strstr(heard.answer.message, strerror(numbers[i])));
                assert_string_equal(heard.answer.user, "error");
        }
}

static void the_name_is_the_one_that_the_name_service_has(void **state) {
        struct heard heard;

        (void)state;
        new_nss(FOREVER_US);
        canonical_name = "Fake@Corp";
        heard = ask("fake");
        assert_int_equal(heard.answer.outcome, NSS_FOUND);
        assert_string_equal(heard.answer.user, "Fake@Corp");
        assert_int_equal(heard.answer.uid, FAKE_UID);
        assert_int_equal(heard.answer.gid, FAKE_GID);
}

static void a_name_or_id_that_nobody_can_have_is_a_failure(void **state) {
        static char name[NSS_USER_MAX + 2];

        (void)state;
        new_nss(FOREVER_US);
        memset(name, 'n', NSS_USER_MAX + 1);
        canonical_name = name;
        assert_int_equal(ask("fake").answer.outcome, NSS_FAILURE);
        canonical_name = "";
        assert_int_equal(ask("fake").answer.outcome, NSS_FAILURE);
        canonical_name = name + 1;
        assert_int_equal(ask("fake").answer.outcome, NSS_FOUND);
        given_uid = (uid_t)-1;
        assert_int_equal(ask("fake").answer.outcome, NSS_FAILURE);
}

static void the_longest_name_is_looked_up_and_a_longer_or_empty_one_is_not(void **state) {
        char name[NSS_USER_MAX + 2] = "";
        struct nss_lookup *lookup = NULL;
        struct heard heard = {.n = 0};

        (void)state;
        new_nss(FOREVER_US);
        assert_int_equal(nss_lookup(nss, "", NULL, 0, on_done, &heard, &lookup), -EINVAL);
        memset(name, 'n', NSS_USER_MAX + 1);
        assert_int_equal(nss_lookup(nss, name, NULL, 0, on_done, &heard, &lookup), -EINVAL);
        assert_null(lookup);
        heard = ask(name + 1);
        assert_int_equal(heard.answer.outcome, NSS_NO_SUCH_USER);
        assert_string_equal(heard.answer.user, name + 1);
}

static void buffers_grow_up_to_a_limit(void **state) {
        char *groups[] = {(char[]){"grow"}};
        struct heard heard;

        (void)state;
        new_nss(FOREVER_US);
        grow_to = 1024 * 1024;
        assert_int_equal(ask("grow").answer.outcome, NSS_FOUND);
        grow_to++;
        assert_int_equal(ask("grow").answer.outcome, NSS_FAILURE);
        assert_int_equal(largest_buffer, 1024 * 1024);

        grow_to = 8 * 1024 * 1024;
        heard = ask_with_groups("fake", groups, 1);
        assert_int_equal(heard.answer.outcome, NSS_FOUND);
        assert_true(heard.member[0]);
        grow_to++;
        assert_int_equal(ask_with_groups("fake", groups, 1).answer.outcome, NSS_FAILURE);
        assert_int_equal(largest_buffer, 8 * 1024 * 1024);
}

static void supplementary_groups_count_however_many_there_are(void **state) {
        char first[16], last[16], beyond[16];
        char *groups[] = {first, last, beyond};
        struct heard heard;

        (void)state;
        new_nss(FOREVER_US);
        (void)sprintf(first, "gid%d", FAKE_GID);
        (void)sprintf(last, "gid%d", FAKE_GID + FAKE_GROUPS - 1);
        (void)sprintf(beyond, "gid%d", FAKE_GID + FAKE_GROUPS);
        heard = ask_with_groups("fake", groups, 3);
        assert_int_equal(heard.answer.outcome, NSS_FOUND);
        assert_true(heard.member[0]);
        assert_true(heard.member[1]);
        assert_false(heard.member[2]);
        assert_int_equal(ask_with_groups("no-end-of-groups", groups, 3).answer.outcome, NSS_FAILURE);
}

/* Nobody is in a group that does not exist, which would pass DenyGroups. */
static void an_error_about_a_group_is_a_failure_whatever_its_number(void **state) {
        static const int numbers[] = {ENOENT, ESRCH, EIO, ECONNREFUSED};
        char *groups[] = {(char[]){"root"}, (char[]){"error"}, (char[]){"gid70001"}};

        (void)state;
        new_nss(FOREVER_US);
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
                struct heard heard;

                error_number = numbers[i];
                heard = ask_with_groups("fake", groups, 3);
                assert_int_equal(heard.answer.outcome, NSS_FAILURE);
                assert_non_null(strstr(heard.answer.message, strerror(numbers[i])));
        }
}

static void a_lookup_that_hangs_does_not_hold_up_others(void **state) {
        struct heard hung = {.n = 0};

        (void)state;
        new_nss(FOREVER_US);
        (void)start("hang", &hung);
        for (int i = 0; i < 50; i++)
                assert_int_equal(ask("root").answer.outcome, NSS_FOUND);
        assert_int_equal(hung.n, 0);
        release(1);
        run_until(&hung, 1);
        assert_int_equal(hung.answer.outcome, NSS_FOUND);
        assert_string_equal(hung.answer.user, "hang");
}

static void a_lookup_that_takes_too_long_ends_with_a_timeout_and_its_late_answer_is_thrown_away(void **state) {
        struct heard heard = {.n = 0};

        (void)state;
        new_nss(SHORT_US);
        (void)start("hang", &heard);
        run_until(&heard, 1);
        assert_int_equal(heard.answer.outcome, NSS_TIMEOUT);
        assert_string_equal(heard.answer.user, "hang");
        assert_true(heard.answer.message[0] != '\0');
        release(1);
        wait_until_back();
        run_what_is_there();
        assert_int_equal(heard.n, 1);
}

static uint64_t now_us(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* As where a call before it takes long: the name service was in time. */
static void an_answer_that_came_in_time_counts_however_late_the_loop_is(void **state) {
        struct heard heard = {.n = 0};
        uint64_t started_us, limit_us = 50 * 1000;
        bool in_time = false;

        (void)state;
        /* On a machine that does much else the thread may take longer. */
        for (; !in_time; limit_us *= 2) {
                nss_free(nss);
                new_nss(limit_us);
                heard = (struct heard){.n = 0};
                started_us = now_us();
                (void)start("root", &heard);
                wait_until_back();
                in_time = now_us() - started_us < limit_us;
                while (now_us() - started_us < 2 * limit_us)
                        (void)usleep(1000);
                run_until(&heard, 1);
        }
        assert_int_equal(heard.answer.outcome, NSS_FOUND);
}

static void lookups_that_hang_count_until_they_come_back(void **state) {
        struct heard hung = {.n = 0}, heard;

        (void)state;
        new_nss(SHORT_US);
        for (unsigned i = 0; i < NSS_LOOKUPS_MAX; i++)
                (void)start("hang", &hung);
        heard = ask("root");
        assert_int_equal(heard.answer.outcome, NSS_FAILURE);
        assert_non_null(strstr(heard.answer.message, "16"));
        run_until(&hung, NSS_LOOKUPS_MAX);
        assert_int_equal(hung.answer.outcome, NSS_TIMEOUT);
        assert_int_equal(ask("root").answer.outcome, NSS_FAILURE);
        assert_int_equal(threads, NSS_LOOKUPS_MAX);

        release(1);
        wait_until_back();
        run_what_is_there();
        (void)start("hang", &hung);
        assert_int_equal(ask("root").answer.outcome, NSS_FAILURE);

        release(NSS_LOOKUPS_MAX);
        wait_for_threads(1);
        run_what_is_there();
        nss_free(nss);
        new_nss(FOREVER_US);
        assert_int_equal(ask("root").answer.outcome, NSS_FOUND);
}

static void sixteen_lookups_at_once_are_all_answered(void **state) {
        struct heard heard = {.n = 0};

        (void)state;
        new_nss(FOREVER_US);
        for (int round = 1; round <= 20; round++) {
                for (unsigned i = 0; i < NSS_LOOKUPS_MAX; i++)
                        (void)start("root", &heard);
                run_until(&heard, (unsigned)round * NSS_LOOKUPS_MAX);
                assert_int_equal(heard.answer.outcome, NSS_FOUND);
        }
}

static void a_thread_that_cannot_be_started_is_a_failure(void **state) {
        struct heard heard;

        (void)state;
        new_nss(FOREVER_US);
        no_threads = true;
        for (unsigned i = 0; i < 2 * NSS_LOOKUPS_MAX; i++) {
                heard = ask("root");
                assert_int_equal(heard.answer.outcome, NSS_FAILURE);
                assert_non_null(strstr(heard.answer.message, "thread"));
        }
        no_threads = false;
        assert_int_equal(ask("root").answer.outcome, NSS_FOUND);
}

static void a_cancelled_lookup_is_not_heard_of_again(void **state) {
        struct heard heard = {.n = 0};

        (void)state;
        new_nss(SHORT_US);
        no_threads = true;
        nss_cancel(start("root", &heard));
        no_threads = false;
        run_what_is_there();

        nss_cancel(start("hang", &heard));
        nss_cancel(start("root", &heard));
        release(1);
        wait_for_threads(1);
        run_what_is_there();
        assert_int_equal(heard.n, 0);
        /* All places are free again. */
        for (unsigned i = 0; i < NSS_LOOKUPS_MAX; i++)
                (void)start("root", &heard);
        run_until(&heard, NSS_LOOKUPS_MAX);
        assert_int_not_equal(heard.answer.outcome, NSS_FAILURE);
}

static void one_answer_may_cancel_another_that_has_come_already(void **state) {
        struct heard first = {.n = 0}, second = {.n = 0};

        (void)state;
        new_nss(FOREVER_US);
        second.to_cancel = start("hang", &first);
        first.to_cancel = start("hang", &second);
        release(2);
        wait_for_threads(1);
        run_what_is_there();
        assert_int_equal(first.n + second.n, 1);
}

/* Two threads, of which one waits for the next lookup when the other has ended. */
static void let_a_thread_wait(void) {
        struct heard heard = {.n = 0};

        (void)start("hang", &heard);
        (void)start("hang", &heard);
        release(2);
        wait_for_threads(1);
        run_until(&heard, 2);
}

static void a_thread_that_has_nothing_to_do_takes_the_next_lookup(void **state) {
        struct heard hung = {.n = 0};

        (void)state;
        new_nss(FOREVER_US);
        let_a_thread_wait();
        no_threads = true;
        (void)start("hang", &hung);
        /* It does not come behind that one. */
        assert_int_equal(ask("root").answer.outcome, NSS_FAILURE);
        no_threads = false;
        assert_int_equal(ask("root").answer.outcome, NSS_FOUND);
        assert_int_equal(hung.n, 0);
        release(1);
        run_until(&hung, 1);
        assert_int_equal(hung.answer.outcome, NSS_FOUND);
}

static void no_more_than_one_thread_waits(void **state) {
        struct heard heard = {.n = 0};

        (void)state;
        new_nss(FOREVER_US);
        for (unsigned i = 0; i < NSS_LOOKUPS_MAX; i++)
                (void)start("hang", &heard);
        release(NSS_LOOKUPS_MAX);
        wait_for_threads(1);
        run_until(&heard, NSS_LOOKUPS_MAX);
}

static void it_may_end_with_a_thread_that_waits_or_was_just_handed_a_lookup(void **state) {
        struct heard heard = {.n = 0};

        (void)state;
        for (int handed = 0; handed < 2; handed++) {
                new_nss(FOREVER_US);
                let_a_thread_wait();
                if (handed)
                        (void)start("root", &heard);
                nss_free(nss);
                wait_for_threads(0);
        }
        nss = NULL;
        run_what_is_there();
        assert_int_equal(heard.n, 0);
}

static void it_may_end_with_lookups_in_every_state(void **state) {
        struct heard late = {.n = 0}, heard = {.n = 0};

        (void)state;
        new_nss(SHORT_US);
        (void)start("hang", &late);
        run_until(&late, 1);
        nss_free(nss);

        new_nss(FOREVER_US);
        no_threads = true;
        (void)start("root", &heard);
        no_threads = false;
        (void)start("root", &heard);
        wait_until_back(); /* where what it found stays */
        (void)start("hang", &heard);
        nss_cancel(start("hang", &heard));
        nss_free(nss);
        nss = NULL;
        run_what_is_there();
        release(3);
        wait_for_threads(0);
        run_what_is_there();
        assert_int_equal(heard.n, 0);
        assert_int_equal(late.n, 1);
}

static void whatever_fails_at_the_start_leaves_nothing_behind(void **state) {
        char *groups[] = {(char[]){"root"}, (char[]){"nogroup"}};
        int n, failures = 0;

        (void)state;
        for (n = 0; !nss; n++) {
                until_failure = n;
                if (nss_new(event, SD_EVENT_PRIORITY_NORMAL, FOREVER_US, &nss) < 0)
                        failures++;
                else
                        assert_true(until_failure >= 0);
        }
        assert_int_equal(failures, n - 1);
        assert_true(failures >= 4);

        /* Without first, while no thread waits. */
        for (int without_thread = 1; without_thread >= 0; without_thread--) {
                struct heard heard = {.n = 0};
                struct nss_lookup *lookup = NULL;

                failures = 0;
                no_threads = without_thread;
                for (n = 0; !lookup; n++) {
                        until_failure = n;
                        if (nss_lookup(nss, "root", groups, 2, on_done, &heard, &lookup) < 0)
                                failures++;
                }
                until_failure = -1;
                assert_true(failures >= 5);
                run_until(&heard, 1);
                run_what_is_there();
                assert_int_equal(heard.n, 1);
                assert_int_equal(heard.answer.outcome, without_thread ? NSS_FAILURE : NSS_FOUND);
        }
}

static void signals_do_not_go_to_the_threads(void **state) {
        sigset_t before, after;

        (void)state;
        new_nss(FOREVER_US);
        (void)pthread_sigmask(SIG_SETMASK, NULL, &before);
        signals_open = false;
        assert_int_equal(ask("root").answer.outcome, NSS_FOUND);
        assert_false(signals_open);
        (void)pthread_sigmask(SIG_SETMASK, NULL, &after);
        assert_int_equal(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
        assert_int_equal(sigismember(&after, SIGTERM), 0);
}

#define WITH_NAME_SERVICE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_NAME_SERVICE(a_user_of_the_real_name_service_is_found_with_his_groups),
                WITH_NAME_SERVICE(a_user_who_does_not_exist_is_told_as_such),
                WITH_NAME_SERVICE(every_other_error_is_a_failure_with_its_text),
                WITH_NAME_SERVICE(the_name_is_the_one_that_the_name_service_has),
                WITH_NAME_SERVICE(a_name_or_id_that_nobody_can_have_is_a_failure),
                WITH_NAME_SERVICE(the_longest_name_is_looked_up_and_a_longer_or_empty_one_is_not),
                WITH_NAME_SERVICE(buffers_grow_up_to_a_limit),
                WITH_NAME_SERVICE(supplementary_groups_count_however_many_there_are),
                WITH_NAME_SERVICE(an_error_about_a_group_is_a_failure_whatever_its_number),
                WITH_NAME_SERVICE(a_lookup_that_hangs_does_not_hold_up_others),
                WITH_NAME_SERVICE(a_lookup_that_takes_too_long_ends_with_a_timeout_and_its_late_answer_is_thrown_away),
                WITH_NAME_SERVICE(an_answer_that_came_in_time_counts_however_late_the_loop_is),
                WITH_NAME_SERVICE(lookups_that_hang_count_until_they_come_back),
                WITH_NAME_SERVICE(sixteen_lookups_at_once_are_all_answered),
                WITH_NAME_SERVICE(a_thread_that_cannot_be_started_is_a_failure),
                WITH_NAME_SERVICE(a_cancelled_lookup_is_not_heard_of_again),
                WITH_NAME_SERVICE(one_answer_may_cancel_another_that_has_come_already),
                WITH_NAME_SERVICE(a_thread_that_has_nothing_to_do_takes_the_next_lookup),
                WITH_NAME_SERVICE(no_more_than_one_thread_waits),
                WITH_NAME_SERVICE(it_may_end_with_a_thread_that_waits_or_was_just_handed_a_lookup),
                WITH_NAME_SERVICE(it_may_end_with_lookups_in_every_state),
                WITH_NAME_SERVICE(whatever_fails_at_the_start_leaves_nothing_behind),
                WITH_NAME_SERVICE(signals_do_not_go_to_the_threads),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
