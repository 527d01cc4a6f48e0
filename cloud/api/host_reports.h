/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What hosts report about their instances (in.excloud.Host, Report): one thread for each host of the configuration, which
 * asks again when the connection ends. A host is believed about the instances whose `host` it is; what it reports about
 * another's changes nothing, and is a note in the audit log.
 */
#ifndef EXC_HOST_REPORTS_H
#define EXC_HOST_REPORTS_H

#include <jansson.h>
#include <stdint.h>

#include "cloud/api/api.h"

struct host_reports;

/* `api` must outlive it. Negative errno. */
int host_reports_start(const struct api *api, struct host_reports **ret);
void host_reports_stop(struct host_reports *reports);

/*
 * Has a host report all of its instances again, within about a second: an instance is in the register of which nothing is
 * reported, so it may have been put there after the host's report. Never waits. Nothing where no host has that name; NULL:
 * no host is asked at all.
 */
void host_reports_again(struct host_reports *reports, const char *host);

enum {
        HOST_REPORT_MAX = 512, /* instances in one message: more do not fit into it */
        HOST_REPORT_KIND_MAX = 16,
};

/* One instance, checked. */
struct host_report {
        char id[STORE_NAME_MAX];
        char kind[HOST_REPORT_KIND_MAX], state[HOST_REPORT_KIND_MAX];
        int64_t first_seen; /* Unix seconds; 0: never */
};

/*
 * Takes the parameters of one reply apart, into at most HOST_REPORT_MAX reports. False: they are not as the interface has
 * them, and nothing of them counts. An instance whose id the register cannot have is left out.
 */
bool host_reports_parse(json_t *parameters, struct host_report *ret, size_t *ret_n);

#endif
