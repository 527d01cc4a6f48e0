/* SPDX-License-Identifier: Apache-2.0 */
/* How a parsed document lies in memory: few blocks, so that a thousand statements are read in one pass. */
#ifndef EXC_CLOUD_POLICY_INTERNAL_H
#define EXC_CLOUD_POLICY_INTERNAL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "cloud/policy/policy.h"
#include "common/source.h"

/* Of an Action, a Resource or a name: bytes of policy.text, in lower case for the first two, and without the `*`. */
struct policy_pattern {
        uint32_t offset;
        uint32_t length : 31;
        uint32_t prefix : 1; /* `*` followed */
};

/* Neighbours in policy.patterns or policy.networks. */
struct policy_list {
        uint32_t first, n;
};

struct policy_statement {
        enum policy_effect effect;
        bool unknown;                          /* has a condition that is not known */
        uint32_t sid;                          /* offset in policy.text, of a C string */
        struct policy_list actions, resources; /* of patterns */
        struct policy_list networks;           /* IpAddress exc:SourceIp; n is 0 where there is no such condition */
        struct policy_list users;              /* StringEquals exc:OsUser, of patterns; the same */
};

struct policy {
        atomic_uint references;
        size_t text_size, n_patterns, n_networks, n_statements;
        char *text;
        struct policy_pattern *patterns;
        struct source *networks;
        struct policy_statement *statements;
};

#endif
