/* SPDX-License-Identifier: Apache-2.0 */
/* What all requests share. It is complete before the first request, and threads may share everything in it. */
#ifndef EXC_API_H
#define EXC_API_H

#include "cloud/api/config.h"
#include "cloud/api/limits.h"
#include "cloud/audit/audit.h"
#include "cloud/store/store.h"

struct delivery;     /* cloud/api/delivery.h */
struct docs;         /* cloud/api/docs.h */
struct host_reports; /* cloud/api/host_reports.h */
struct in_flight;    /* cloud/api/in_flight.h */
struct policy_cache; /* cloud/policy/policy_cache.h */
struct revoke_queue; /* cloud/api/revoke_queue.h */

struct api {
        const struct api_config *config;
        struct audit *audit;
        struct policy_cache *policies;
        struct limits *limits;
        struct docs *docs; /* NULL: there is no page */

        struct delivery *delivery;
        struct in_flight *connects, *revokes; /* calls to guests that are under way */
        struct revoke_queue *revoke_queue;
        struct host_reports *host_reports;
};

/*
 * Opens the audit log and makes what is empty at first. `config` must outlive it. Negative errno; what is wrong is in the
 * journal.
 */
int api_start(const struct api_config *config, struct api *ret);
void api_stop(struct api *api);

/* A store handle for one thread. Negative errno, and `ret_why`. */
int api_open_store(const struct api *api, struct store **ret, char ret_why[static STORE_WHY_MAX]);

#endif
