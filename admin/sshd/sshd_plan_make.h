/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXC_SSHD_PLAN_MAKE_H
#define EXC_SSHD_PLAN_MAKE_H

#include "admin/sshd/sshd_plan.h"

/*
 * Looks, and changes nothing. Negative errno, and then `ret_why` says why there is no plan: sshd is not installed, or its
 * configuration is broken as it is.
 */
int plan_make(struct plan *ret, char ret_why[static SSHD_WHY_MAX]);

/* The same without ours: of `then`, nothing is set. For disable, which must get along without sshd: it says what it finds. */
int plan_look(struct plan *ret, char ret_why[static SSHD_WHY_MAX]);

#endif
