/* SPDX-License-Identifier: Apache-2.0 */
/* What enable and disable share: what they print, and the reload. */
#ifndef EXC_SSHD_REPORT_H
#define EXC_SSHD_REPORT_H

#include <stdio.h>

#include "admin/command.h"
#include "admin/enable/sshd_plan.h"
#include "admin/sshd/own_files.h"

/* EXIT_DONE for root, else an exit status after a message. */
int report_begin(const char *command);

/* One line on standard output. */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A text of several lines. */
void report_text(FILE *to, const char *text);

void report_notes(const struct plan *plan);

/* What would change, as diff(1) and patch(1) have it: each file as one piece, for they are short. */
void report_diff(const struct own_files *from, const struct own_files *to);

/* "Written: PATH", "Removed: PATH". */
void report_changes(const struct own_files *from, const struct own_files *to);

/*
 * Reloads those that ask us and run. `only_due`: where nothing was changed just now. EXIT_DONE, or EXIT_OWN_FAILURE when
 * one could not be reloaded.
 */
int report_reload(const struct plan *plan, bool only_due);

#endif
