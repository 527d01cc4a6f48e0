/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This machine's journal, opened as the caller and read without root's rights: its files are for root and for a group, and
 * what is in them anybody may have written.
 */
#ifndef EXC_LOG_JOURNALS_H
#define EXC_LOG_JOURNALS_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-journal.h>

#include "admin/log/log_event.h"

/* NULL where it is not open. */
struct log_journals {
        struct log_senders senders;
        sd_journal *system;   /* without matches, to see whether there is anything */
        sd_journal *evidence; /* log_event_match_evidence(), from `from_us` on */
        sd_journal *earlier;  /* log_event_match_ours(), from LOG_LIFE_MAX_US before; not where that is before 1970 */
        sd_journal *all;      /* log_event_match(), from `from_us` on */
};

/*
 * Opens all of them; with `follow`, `all` is then watched for more (sd_journal_get_fd(3)). From then on this process has no
 * rights of root's (unprivileged.h), and no thread may have been started before. An exit status, with a message; to be closed
 * even then.
 */
int log_journals_open(int64_t from_us, bool follow, struct log_journals *ret);
void log_journals_close(struct log_journals *journals);

/* Complains: what failed, and the errno that is `-r`. EXIT_OWN_FAILURE. */
int log_failed(const char *what, int r);

#endif
