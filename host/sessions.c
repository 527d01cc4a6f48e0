/* SPDX-License-Identifier: Apache-2.0 */
#include "host/sessions.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "host/clock.h"

struct held {
        struct session *session;
        char handle[TOKEN_MAX];
        int64_t end_ms;
};

struct sessions {
        struct instances *instances;
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        bool stops;
        size_t n;
        struct held held[SESSIONS_MAX]; /* oldest first: all are held for the same time */
};

struct session *session_new(struct instance *instance) {
        struct session *session = calloc(1, sizeof(*session));

        if (!session)
                return NULL;
        session->instance = instance;
        session->guest.client.fd = -EBADF;
        return session;
}

void session_end(struct instances *instances, struct session *session) {
        guest_close(&session->guest);
        if (session->has_turn)
                turns_release(session->instance->turns);
        instance_unref(instances, session->instance);
        free(session);
}

/* Under the lock. */
static struct session *take_at(struct sessions *sessions, size_t i) {
        struct session *session = sessions->held[i].session;

        sessions->n--;
        memmove(&sessions->held[i], &sessions->held[i + 1], (sessions->n - i) * sizeof(sessions->held[0]));
        return session;
}

static void *close_old_ones(void *context) {
        struct sessions *sessions = context;

        (void)pthread_mutex_lock(&sessions->lock);
        while (!sessions->stops) {
                if (sessions->n == 0)
                        (void)pthread_cond_wait(&sessions->changed, &sessions->lock);
                else if (sessions->held[0].end_ms <= clock_ms(CLOCK_MONOTONIC)) {
                        struct session *session = take_at(sessions, 0);

                        /* It wakes the next call, which may look here. */
                        (void)pthread_mutex_unlock(&sessions->lock);
                        session_end(sessions->instances, session);
                        (void)pthread_mutex_lock(&sessions->lock);
                } else {
                        const struct timespec until = clock_timespec(sessions->held[0].end_ms);

                        (void)pthread_cond_timedwait(&sessions->changed, &sessions->lock, &until);
                }
        }
        (void)pthread_mutex_unlock(&sessions->lock);
        return NULL;
}

int sessions_start(struct instances *instances, struct sessions **ret) {
        struct sessions *sessions = calloc(1, sizeof(*sessions));
        int error;

        if (!sessions)
                return -ENOMEM;
        sessions->instances = instances;
        (void)pthread_mutex_init(&sessions->lock, NULL);
        error = clock_cond_init(&sessions->changed);
        if (error == 0) {
                error = pthread_create(&sessions->thread, NULL, close_old_ones, sessions);
                if (error != 0)
                        (void)pthread_cond_destroy(&sessions->changed);
        }
        if (error == 0) {
                *ret = sessions;
                return 0;
        }
        (void)pthread_mutex_destroy(&sessions->lock);
        free(sessions);
        return -error;
}

void sessions_stop(struct sessions *sessions) {
        if (!sessions)
                return;
        (void)pthread_mutex_lock(&sessions->lock);
        sessions->stops = true;
        (void)pthread_cond_signal(&sessions->changed);
        (void)pthread_mutex_unlock(&sessions->lock);
        (void)pthread_join(sessions->thread, NULL);
        while (sessions->n > 0)
                session_end(sessions->instances, take_at(sessions, 0));
        (void)pthread_cond_destroy(&sessions->changed);
        (void)pthread_mutex_destroy(&sessions->lock);
        free(sessions);
}

static bool has_room(const struct sessions *sessions, const struct instance *instance) {
        size_t of_guest = 0;

        for (size_t i = 0; i < sessions->n; i++)
                of_guest += sessions->held[i].session->instance == instance;
        return sessions->n < SESSIONS_MAX && of_guest < SESSIONS_GUEST_MAX;
}

int sessions_hold(struct sessions *sessions, struct session *session, char ret_handle[static TOKEN_MAX]) {
        int r = token_make(ret_handle);

        if (r < 0)
                return r;
        (void)pthread_mutex_lock(&sessions->lock);
        if (has_room(sessions, session->instance)) {
                struct held *held = &sessions->held[sessions->n++];

                *held = (struct held){.session = session, .end_ms = clock_ms(CLOCK_MONOTONIC) + SESSIONS_HOLD_MS};
                memcpy(held->handle, ret_handle, sizeof(held->handle));
                (void)pthread_cond_signal(&sessions->changed);
        } else
                r = -EBUSY;
        (void)pthread_mutex_unlock(&sessions->lock);
        return r;
}

struct session *sessions_take(struct sessions *sessions, const char *handle, const struct instance *instance) {
        struct session *session = NULL;

        if (strlen(handle) != TOKEN_LENGTH)
                return NULL;
        (void)pthread_mutex_lock(&sessions->lock);
        for (size_t i = 0; i < sessions->n && !session; i++)
                if (CRYPTO_memcmp(sessions->held[i].handle, handle, TOKEN_LENGTH) == 0 &&
                    sessions->held[i].session->instance == instance &&
                    sessions->held[i].end_ms > clock_ms(CLOCK_MONOTONIC))
                        session = take_at(sessions, i);
        (void)pthread_mutex_unlock(&sessions->lock);
        return session;
}
