/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of in.excloud.Signer, for a server (wire/serve.h). */
#ifndef EXC_SIGNER_SERVICE_H
#define EXC_SIGNER_SERVICE_H

#include <pthread.h>
#include <stdatomic.h>

#include "cloud/signer/signer_config.h"
#include "cloud/signer/signer_key.h"
#include "cloud/signer/signer_log.h"
#include "cloud/signer/signer_rate.h"
#include "wire/serve.h"

#define SIGNER_INTERFACE "in.excloud.Signer"

/* The text of in.excloud.Signer.varlink, made by the build. */
extern const char signer_interface_text[];

/* The context of the methods. From all zeros but for the first three, which stay the caller's. */
struct signer_service {
        const struct signer_config *config;
        const struct signer_key *key;
        struct signer_log *log;

        pthread_mutex_t lock; /* of what follows */
        struct signer_budget pushes, revocations;
        struct signer_budget refusals; /* lines about the rate limit */
        uint64_t unlogged;
        struct signer_alarm alarm;
        struct signer_alarm foreign; /* peers that may not connect */

        atomic_uint_fast64_t n_pushes, n_revocations, n_refused; /* since the start */
};

extern const struct serve_method signer_methods[];

/* For the server's settings: counts and reports a peer that may not connect. */
void signer_service_denied(void *context, uid_t uid, pid_t pid);

#endif
