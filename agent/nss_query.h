/* SPDX-License-Identifier: Apache-2.0 */
/* The lookup itself, which may block: getpwnam(3), getgrouplist(3) and getgrnam(3). For the threads of agent/nss.c. */
#ifndef EXC_NSS_QUERY_H
#define EXC_NSS_QUERY_H

#include <stddef.h>

#include "agent/nss.h"

/*
 * Fills `answer` but for its groups, whose `exists` and `member` are set in `groups`. `answer->user` must be set. Thread-safe. A user
 * is not found only where the name service says so; every other error is NSS_FAILURE, also one about a group.
 */
void nss_query(const char *user, struct nss_group *groups, size_t n_groups, struct nss_answer *answer);

/* Makes it NSS_FAILURE with a formatted message. */
void nss_query_fail(struct nss_answer *answer, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
