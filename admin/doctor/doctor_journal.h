/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal for doctor's checks: opened as root, and read in a child that has no rights of root's (admin/unprivileged.h) and
 * none of the memory that checks share. What anybody may have written there reaches doctor as numbers and short texts.
 */
#ifndef EXC_DOCTOR_JOURNAL_H
#define EXC_DOCTOR_JOURNAL_H

#include <systemd/sd-journal.h>

#include "admin/doctor/doctor.h"

enum { DOCTOR_JOURNAL_WHY_MAX = 256 };

/* Both return negative errno, and `context` is theirs. */
struct doctor_journal {
        int (*match)(sd_journal *journal, const void *context);              /* as root */
        int (*read)(sd_journal *journal, const void *context, void *result); /* without rights, from zeros */
        const void *context;
};

/*
 * Fills `result`, `size` bytes, with what `read` left there: numbers in it may be any, and texts may lack their NUL. Negative
 * errno, what `match` or `read` returned among them; then `ret_why` says what failed. From within a check.
 */
int doctor_journal_read(struct examination *examination, const struct doctor_journal *how, void *result, size_t size,
                        char ret_why[static DOCTOR_JOURNAL_WHY_MAX]);

#endif
