/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked with --wrap for the functions below that begin with __wrap_: the name service has some users and groups of the
 * test's own, and hangs on one of them until it is released.
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
WRAP(int, -ENOMEM, sd_event_add_defer,
     (sd_event *e, sd_event_source **ret, sd_event_handler_t handler, void *context), (e, ret, handler, context))
/* clang-format on */

static sd_event_source *last_timer;

int __real_sd_event_add_time(sd_event *e, sd_event_source **ret, clockid_t clock, uint64_t us, uint64_t accuracy,
                             sd_event_time_handler_t handler, void *context);
int __wrap_sd_event_add_time(sd_event *e, sd_event_source **ret, clockid_t clock, uint64_t us, uint64_t accuracy,
                             sd_event_time_handler_t handler, void *context);
int __wrap_sd_event_add_time(sd_event *e, sd_event_source **ret, clockid_t clock, uint64_t us, uint64_t accuracy,
                             sd_event_time_handler_t handler, void *context) {
        int r = fails() ? -ENOMEM : __real_sd_event_add_time(e, ret, clock, us, accuracy, handler, context);

        last_timer = r >= 0 ? *ret : NULL;
        return r;
}

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

/* A thread ends only when another is idle. So when the last but one of several has ended, all lookups are completed. */
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

/* Results */

struct heard {
        unsigned n;
        struct nss_answer answer;
        bool exists[8];
        bool member[8];
        struct nss_lookup *to_cancel; /* when it is called */
};

static void on_done(void *context, const struct nss_answer *answer) {
        struct heard *heard = context;

        heard->n++;
        heard->answer = *answer;
        for (size_t i = 0; i < answer->n_groups && i < 8; i++) {
                heard->exists[i] = answer->groups[i].exists;
                heard->member[i] = answer->groups[i].member;
        }
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

/* Hung lookups return after everything was freed. */
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

/* Waits until a lookup is completed, which the loop has not seen yet. */
static void wait_until_completed(void) {
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

static void user_is_found_with_groups(void **state) {
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
        assert_true(heard.exists[0]);
        assert_false(heard.exists[1]);
        assert_true(heard.exists[2]);
}

static void unknown_user_is_reported(void **state) {
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

static void other_error_is_failure_with_cause(void **state) {
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

static void returned_name_is_reported(void **state) {
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

static void invalid_name_or_id_is_failure(void **state) {
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

static void empty_or_too_long_name_is_refused(void **state) {
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

static void buffers_grow_up_to_limit(void **state) {
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

static void all_supplementary_groups_count(void **state) {
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

/* An unknown group has no members, so DenyGroups would let the user pass. */
static void group_error_is_failure(void **state) {
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

static void hung_lookup_does_not_block_others(void **state) {
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

static void late_answer_is_dropped_after_timeout(void **state) {
        struct heard heard = {.n = 0};

        (void)state;
        new_nss(SHORT_US);
        (void)start("hang", &heard);
        run_until(&heard, 1);
        assert_int_equal(heard.answer.outcome, NSS_TIMEOUT);
        assert_string_equal(heard.answer.user, "hang");
        assert_true(heard.answer.message[0] != '\0');
        release(1);
        wait_until_completed();
        run_what_is_there();
        assert_int_equal(heard.n, 1);
}

/* As where another call kept the loop busy for longer than the limit. */
static void answer_in_time_wins_over_expired_timer(void **state) {
        struct heard heard = {.n = 0};

        (void)state;
        new_nss(FOREVER_US);
        (void)start("root", &heard);
        wait_until_completed();
        assert_true(sd_event_source_set_time(last_timer, 0) >= 0);
        assert_true(sd_event_source_set_priority(last_timer, SD_EVENT_PRIORITY_NORMAL - 1) >= 0); /* it comes first */
        run_until(&heard, 1);
        assert_int_equal(heard.answer.outcome, NSS_FOUND);
}

static void hung_lookups_count_until_they_return(void **state) {
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
        wait_until_completed();
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

static void sixteen_lookups_at_once_are_answered(void **state) {
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

static void no_thread_is_failure(void **state) {
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

static void cancelled_lookup_is_not_reported(void **state) {
        struct heard heard = {.n = 0};

        (void)state;
        new_nss(FOREVER_US);
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
        /* They do not count any more. */
        for (unsigned i = 0; i < NSS_LOOKUPS_MAX; i++)
                (void)start("root", &heard);
        run_until(&heard, NSS_LOOKUPS_MAX);
        assert_int_equal(heard.answer.outcome, NSS_FOUND);
}

static void callback_can_cancel_completed_lookup(void **state) {
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

/* Two threads, of which one stays idle and the other ends. */
static void leave_idle_thread(void) {
        struct heard heard = {.n = 0};

        (void)start("hang", &heard);
        (void)start("hang", &heard);
        release(2);
        wait_for_threads(1);
        run_until(&heard, 2);
}

static void idle_thread_takes_next_lookup(void **state) {
        struct heard hung = {.n = 0};

        (void)state;
        new_nss(FOREVER_US);
        leave_idle_thread();
        no_threads = true;
        (void)start("hang", &hung);
        /* It is not queued behind that one. */
        assert_int_equal(ask("root").answer.outcome, NSS_FAILURE);
        no_threads = false;
        assert_int_equal(ask("root").answer.outcome, NSS_FOUND);
        assert_int_equal(hung.n, 0);
        release(1);
        run_until(&hung, 1);
        assert_int_equal(hung.answer.outcome, NSS_FOUND);
}

static void only_one_thread_stays_idle(void **state) {
        struct heard heard = {.n = 0};

        (void)state;
        new_nss(FOREVER_US);
        for (unsigned i = 0; i < NSS_LOOKUPS_MAX; i++)
                (void)start("hang", &heard);
        release(NSS_LOOKUPS_MAX);
        wait_for_threads(1);
        run_until(&heard, NSS_LOOKUPS_MAX);
}

static void free_with_idle_thread(void **state) {
        struct heard heard = {.n = 0};

        (void)state;
        for (int given = 0; given < 2; given++) {
                new_nss(FOREVER_US);
                leave_idle_thread();
                if (given)
                        (void)start("root", &heard);
                nss_free(nss);
                wait_for_threads(0);
        }
        nss = NULL;
        run_what_is_there();
        assert_int_equal(heard.n, 0);
}

static void free_with_lookups_in_every_state(void **state) {
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
        wait_until_completed();
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

static void failed_start_leaves_nothing(void **state) {
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

        /* First without a thread, while none is idle. */
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

static void threads_block_signals(void **state) {
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

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(user_is_found_with_groups),
                TEST(unknown_user_is_reported),
                TEST(other_error_is_failure_with_cause),
                TEST(returned_name_is_reported),
                TEST(invalid_name_or_id_is_failure),
                TEST(empty_or_too_long_name_is_refused),
                TEST(buffers_grow_up_to_limit),
                TEST(all_supplementary_groups_count),
                TEST(group_error_is_failure),
                TEST(hung_lookup_does_not_block_others),
                TEST(late_answer_is_dropped_after_timeout),
                TEST(answer_in_time_wins_over_expired_timer),
                TEST(hung_lookups_count_until_they_return),
                TEST(sixteen_lookups_at_once_are_answered),
                TEST(no_thread_is_failure),
                TEST(cancelled_lookup_is_not_reported),
                TEST(callback_can_cancel_completed_lookup),
                TEST(idle_thread_takes_next_lookup),
                TEST(only_one_thread_stays_idle),
                TEST(free_with_idle_thread),
                TEST(free_with_lookups_in_every_state),
                TEST(failed_start_leaves_nothing),
                TEST(threads_block_signals),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
