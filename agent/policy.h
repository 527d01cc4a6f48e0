/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may be let in: the lists of agent.conf, with the meaning that sshd_config(5) gives them. Each list that is set
 * must be passed, and names are compared exactly, with the name that the name service has.
 */
#ifndef EXC_POLICY_H
#define EXC_POLICY_H

#include <stddef.h>

#include "agent/config.h"
#include "agent/nss.h"
#include "wire/refusal.h"

/*
 * The groups to ask the name service about: those of AllowGroups, then those of DenyGroups. The array is the caller's
 * to free, the names in it are the configuration's. -ENOMEM.
 */
int policy_groups(const struct config *config, char ***ret, size_t *ret_n);

/*
 * Whether the user in `answer` may get a key. REFUSAL_NONE, or `ret` is filled: NoSuchUser; UserDenied; StorageFailure
 * where nothing can be decided (the name service failed, the configuration has an error, or `answer` is about other
 * groups than policy_groups gives for this configuration: it was loaded again in between).
 */
enum refusal policy_decide(const struct config *config, const struct nss_answer *answer, struct refused *ret);

#endif
