/* SPDX-License-Identifier: Apache-2.0 */
/* Whether each sshd that reads our files would keep all its other settings: asked of sshd itself, before and after. */
#ifndef EXC_SSHD_PLAN_COMPARE_H
#define EXC_SSHD_PLAN_COMPARE_H

#include "admin/sshd/sshd_plan_internal.h"

/*
 * Asks each for itself and for the login users, without ours and with the files of the plan. A difference is a fault. But
 * where sshd ignores its AuthorizedPrincipalsCommand behind the file for all, which is ours to write, the result is 1: then
 * the copy that must stand in that file is in `making`, to be asked about again. Else 0. Negative errno, and then `ret_why`
 * is set.
 */
int plan_compare(struct plan_making *making, char ret_why[static SSHD_WHY_MAX]);

#endif
