/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which users may get a key: the lists of agent.conf, with the meaning of sshd_config(5). A user must pass each list
 * that is set. Names are compared exactly with those that the name service returned.
 */
#ifndef EXC_POLICY_H
#define EXC_POLICY_H

#include <stddef.h>

#include "agent/config.h"
#include "agent/nss.h"
#include "wire/refusal.h"

/*
 * The groups to look up: those of AllowGroups, then those of DenyGroups. The caller frees the array; the names in it
 * belong to `config`. -ENOMEM.
 */
int policy_groups(const struct config *config, char ***ret, size_t *ret_n);

/*
 * Whether the user in `answer` may get a key. REFUSAL_NONE, NoSuchUser or UserDenied; StorageFailure where that is
 * unknown: the name service failed, the configuration has an error, or `answer` has other groups than policy_groups()
 * returns for `config`, which was loaded again during the lookup. UserDenied's message begins with the key in
 * agent.conf that denies.
 */
enum refusal policy_decide(const struct config *config, const struct nss_answer *answer, struct refused *ret);

#endif
