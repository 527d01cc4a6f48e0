/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXC_SSHD_PLAN_CHECK_H
#define EXC_SSHD_PLAN_CHECK_H

#include "admin/sshd/sshd_plan_internal.h"

/* Adds what speaks against it. Negative errno only where it cannot be told. */
int plan_check(struct plan_making *making);

#endif
