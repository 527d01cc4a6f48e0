/* SPDX-License-Identifier: Apache-2.0 */
/* What sshd_plan_make.c works with, and sshd_plan_check.c and sshd_plan_compare.c, which see whether what it made would do. */
#ifndef EXC_SSHD_PLAN_INTERNAL_H
#define EXC_SSHD_PLAN_INTERNAL_H

#include "admin/enable/sshd_plan.h"

#define PLAN_AGAIN "Then run: exc-instance-connect enable\n"

/* What is worked with while a plan is made. */
struct plan_making {
        struct plan *plan;
        bool expiry_time;
        char *primary;                 /* the text of the file for all; NULL: none is needed */
        int edited;                    /* which file that text is from, where somebody wrote it; negative: none */
        bool edited_aside;             /* and it was put aside */
        int chosen;                    /* index of the name for it */
        char *proposed[DROP_IN_FILES]; /* what the numbered files that are asked for would hold */
        bool bound[DROP_IN_FILES];     /* an Include names it already */
        char *principals_command,      /* as in struct drop_in, for the file for all */
                *principals_user;
};

/* These take over the text, which may be NULL without memory: -ENOMEM. The same is said once. */
int plan_add_fault(struct plan *plan, char *text);
int plan_add_note(struct plan *plan, char *text);

/* A text, to be freed; NULL without memory. */
char *plan_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

int plan_add_unchainable(struct plan *plan, const struct config_place *command);

enum keys_command_kind plan_kind(const struct config_pair *pair);

/* Our file's text for who asked `theirs` before. -EINVAL where that cannot be chained. `for_all`: no numbered file. */
int plan_text_for(const struct plan_making *making, const struct config_pair *theirs, bool for_all, char **ret);

/* Adds what speaks against it. Negative errno only where that cannot be determined. */
int plan_check(struct plan_making *making);

/*
 * A numbered file for who asked `theirs` before: one that is asked for already, or another that is free, of which no edited
 * one is left either. NULL, and a fault, where all are taken.
 */
int plan_propose(struct plan_making *making, const struct config_pair *theirs, const char **ret_include);

/*
 * Asks each for itself and for the login users, without ours and with the files of the plan. A difference is a fault. But
 * where sshd ignores its AuthorizedPrincipalsCommand behind the file for all, which is ours to write, the result is 1: then
 * the copy that must stand in that file is in `making`, to be asked about again. Else 0. Negative errno, and then `ret_why`
 * is set.
 */
int plan_compare(struct plan_making *making, char ret_why[static SSHD_WHY_MAX]);

#endif
