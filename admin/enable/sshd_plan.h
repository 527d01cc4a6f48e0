/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What enable would do. Every sshd of this machine is looked at, the one with sshd's own defaults first; with our files as
 * they would be, each must ask our helper and, behind it, just the command that it asked before.
 *
 * Where that cannot be, the plan says what an administrator can do about it: literally, so that it can be copied. The
 * lines that it asks for do no harm when this project is gone.
 */
#ifndef EXC_SSHD_PLAN_H
#define EXC_SSHD_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "admin/sshd/drop_in.h"
#include "admin/sshd/own_files.h"
#include "admin/sshd/sshd.h"
#include "admin/sshd/sshd_answers.h"
#include "admin/sshd/sshd_config.h"

enum { PLAN_TEXTS_MAX = 64 };

/* One sshd: that of the defaults, or a service's. */
struct plan_sshd {
        const struct sshd_service *service; /* NULL: the defaults */
        struct sshd_config *before,
                *after; /* without any file of ours, and with those of the plan; NULL: cannot be read */
        bool asks;      /* a file of ours is read by it */
};

struct plan {
        struct own_files now, disabled, then;
        bool edited[DROP_IN_FILES];   /* of `then`: kept as somebody wrote it */
        bool restored[DROP_IN_FILES]; /* of `then`: was put aside before */
        int from[DROP_IN_FILES];      /* of those that are edited: which file that was */

        struct sshd_service services[SSHD_SERVICES_MAX];
        size_t n_services;
        struct plan_sshd sshds[SSHD_SERVICES_MAX + 1]; /* [0] is that of the defaults */
        size_t n_sshds;

        /* What each says without ours. Empty where it says nothing, reads none of ours, or is started as one before it. */
        struct sshd_answers without[SSHD_SERVICES_MAX + 1];
        struct sshd_specs specs[SSHD_SERVICES_MAX + 1]; /* what each is asked about */

        char *found; /* what is there without ours */
        char *notes[PLAN_TEXTS_MAX];
        size_t n_notes;
        char *faults[PLAN_TEXTS_MAX]; /* each of several lines; none: it is safe */
        size_t n_faults;
};

/*
 * Looks, and changes nothing. Negative errno, and then `ret_why` says why there is no plan: sshd is not installed, or its
 * configuration is broken as it is.
 */
int plan_make(struct plan *ret, char ret_why[static SSHD_WHY_MAX]);

/* The same without ours: of `then`, nothing is set. For disable, which must get along without sshd: it says what it finds. */
int plan_look(struct plan *ret, char ret_why[static SSHD_WHY_MAX]);

/* How people know it. */
const char *plan_name(const struct plan_sshd *sshd);

/* Its -f and -o, or NULL. */
char *const *plan_arguments(const struct plan_sshd *sshd);

void plan_clear(struct plan *plan);

#endif
