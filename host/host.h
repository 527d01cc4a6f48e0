/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exc-host: reaches the VMs of one machine for the control plane (interface/in.excloud.Host.varlink).
 *
 * Each call is carried out in the thread of its connection (wire/serve.h), in this order: parameters, the memory of
 * deliveries, the guest's turn, the guest, the answer. A connection that ends stops nothing: a delivery goes on to its
 * end, and its answer waits in the memory.
 */
#ifndef EXC_HOST_H
#define EXC_HOST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/config.h"
#include "host/deliveries.h"
#include "host/instances.h"
#include "host/outcome.h"
#include "host/sessions.h"
#include "wire/serve.h"

enum {
        HOST_TIMEOUT_MIN_MS = 100,
        HOST_TIMEOUT_MAX_MS = 60 * 1000,
};

struct host {
        struct instances *instances;
        struct sessions *sessions;
        struct deliveries *deliveries;
        atomic_uint waiting; /* calls that wait for a guest's turn */

        /* Of the configuration, under the lock. */
        pthread_mutex_t lock;
        char name[VM_ID_MAX];
        struct host_limits limits;
};

/* 0; -ENOMEM or -EAGAIN, with nothing to stop. */
int host_start(struct host *ret);
/* No call may be under way. */
void host_stop(struct host *host);

/* Puts a configuration in force. -ENOMEM, and the one before stays. */
int host_configure(struct host *host, const struct host_config *config);

/* For serve_run(); the context is the struct host. */
extern const struct serve_method host_methods[];

/* interface/in.excloud.Host.varlink, made at build time. */
extern const char host_interface_text[];

/* Waits for the turn at the instance's guest. False: the call ends with `ret`, NoSuchInstance, Busy or
 * GuestUnreachable. */
bool host_take_turn(struct host *host, struct instance *instance, int64_t deadline_ms, struct outcome *ret);

/* The methods, each in a file of its own. */
void method_hello(void *context, struct serve_call *call);
void method_deliver(void *context, struct serve_call *call);
void method_report(void *context, struct serve_call *call);
void method_status(void *context, struct serve_call *call);

#endif
