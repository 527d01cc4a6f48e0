/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXC_SSHD_PLAN_CHECK_H
#define EXC_SSHD_PLAN_CHECK_H

#include "admin/sshd/sshd_plan_internal.h"

/* Adds what speaks against it. Negative errno only where it cannot be told. */
int plan_check(struct plan_making *making);

/*
 * A numbered file for who asked `theirs` before: one that is asked for already, or another that is free, of which no edited
 * one is left either. NULL, and a fault, where all are taken.
 */
int plan_propose(struct plan_making *making, const struct config_pair *theirs, const char **ret_include);

#endif
