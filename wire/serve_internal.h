/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of wire/serve.h share: the server, and the thread of one connection. */
#ifndef EXC_SERVE_INTERNAL_H
#define EXC_SERVE_INTERNAL_H

#include <pthread.h>
#include <stdint.h>

#include "wire/call.h"
#include "wire/serve.h"

#define NS_PER_MS INT64_C(1000000)

struct serve_connection {
        const struct serve_settings *settings;
        int fd;
        uid_t uid;
        pid_t pid;
        struct frames frames;
        struct call call;
        bool replied; /* to the call */
        bool lost;    /* nothing more can be sent */

        /* Of the server. */
        struct serve *serve;
        pthread_t thread;
        bool ended; /* under the server's lock: the thread returns now */
        struct serve_connection *next;
};

/* Serves the connection until it ends, in its thread. */
void serve_connection_run(struct serve_connection *connection);

/* Milliseconds until then, for poll(2): 0 when it has passed. */
int serve_until(int64_t deadline_ns);

#endif
