/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/log/log_journals.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "admin/unprivileged.h"
#include "cli/output.h"
#include "common/debug.h"
#include "wire/refusal.h"

int log_failed(const char *what, int r) {
        complain("%s: %s", what, strerror(-r));
        return EXIT_OWN_FAILURE;
}

/* Somebody who may not read the system's journal gets one that is empty, and no error. */
static int may_read(struct log_journals *journals, bool as_root) {
        int r = sd_journal_seek_head(journals->system);

        if (r >= 0)
                r = sd_journal_next(journals->system);
        if (r < 0)
                return log_failed("cannot read the journal", r);
        if (r > 0)
                return EXIT_DONE;
        if (as_root)
                complain("the journal is empty: is systemd-journald running, and Storage=none not set in "
                         "journald.conf?");
        else
                complain("nothing of the system's journal can be read: run this as root, or as a member of the group "
                         "systemd-journal or adm");
        return EXIT_OWN_FAILURE;
}

static int open_at(sd_journal **ret, int (*match)(sd_journal *journal, const struct log_senders *senders),
                   const struct log_senders *senders, int64_t from_us) {
        sd_journal *journal = NULL;
        int r = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY);

        if (r >= 0)
                r = match(journal, senders);
        if (r >= 0)
                r = from_us > 0 ? sd_journal_seek_realtime_usec(journal, (uint64_t)from_us)
                                : sd_journal_seek_head(journal);
        if (r < 0)
                sd_journal_close(journal);
        else
                *ret = journal;
        return r;
}

/* Each file of the journal's is opened four times. */
static void raise_limit_of_files(void) {
        struct rlimit files;

        if (getrlimit(RLIMIT_NOFILE, &files) < 0)
                return;
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
}

/* All that is read later. Its files stay open. */
static int open_all(struct log_journals *journals, int64_t from_us, bool follow) {
        const struct log_senders *senders = &journals->senders;
        int r = log_senders_find(&journals->senders);

        if (r == -ENOENT) {
                complain("the users exc-instance-connect and exc-authorized-keys are not there, and only what they "
                         "wrote can be trusted: install the package again, or run "
                         "systemd-sysusers exc-instance-connect.conf");
                return EXIT_OWN_FAILURE;
        }
        if (r < 0)
                return log_failed("cannot look up the users that write events", r);
        raise_limit_of_files();
        r = sd_journal_open(&journals->system, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
        if (r >= 0)
                r = open_at(&journals->evidence, log_event_match_evidence, senders, from_us);
        if (r >= 0 && from_us > LOG_LIFE_MAX_US)
                r = open_at(&journals->earlier, log_event_match_ours, senders, from_us - LOG_LIFE_MAX_US);
        if (r >= 0)
                r = open_at(&journals->all, log_event_match, senders, from_us);
        if (r < 0)
                return log_failed("cannot open the journal", r);
        debug_line("journal: opened, from %" PRId64 " s since 1970", from_us / (1000 * 1000));
        if (!follow)
                return EXIT_DONE;
        /* Watched from before the first entry is read, so that none falls in between. */
        r = sd_journal_get_fd(journals->all);
        return r < 0 ? log_failed("cannot wait for the journal", r) : EXIT_DONE;
}

/* The files that the journal makes from now on are not open yet. */
static void warn_of_next_file(void) {
        static const char *const directories[] = {"/run/log/journal", "/var/log/journal"};
        sd_id128_t machine;
        char path[128];

        if (sd_id128_get_machine(&machine) < 0)
                return;
        for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
                (void)snprintf(path, sizeof(path), "%s/" SD_ID128_FORMAT_STR "/system.journal", directories[i],
                               SD_ID128_FORMAT_VAL(machine));
                if (access(path, R_OK) < 0 && errno == EACCES)
                        complain("%s: the group systemd-journal may not read it, and what comes after the journal "
                                 "begins its next file is not shown; run systemd-tmpfiles --create --prefix %s",
                                 path, directories[i]);
        }
}

static int give_up_root(bool as_root, bool follow) {
        const char *what;
        int r = unprivileged(&what);

        if (r < 0) {
                complain("%s: %s: the journal is not read with root's rights, and they cannot be given up; run this as "
                         "a member of the group systemd-journal",
                         what, strerror(-r));
                return EXIT_OWN_FAILURE;
        }
        debug_line("journal: read without root's rights");
        if (as_root && follow)
                warn_of_next_file();
        return EXIT_DONE;
}

int log_journals_open(int64_t from_us, bool follow, struct log_journals *ret) {
        bool as_root = geteuid() == 0;
        int status = open_all(ret, from_us, follow);

        if (status == EXIT_DONE)
                status = give_up_root(as_root, follow);
        return status == EXIT_DONE ? may_read(ret, as_root) : status;
}

void log_journals_close(struct log_journals *journals) {
        sd_journal_close(journals->all);
        sd_journal_close(journals->earlier);
        sd_journal_close(journals->evidence);
        sd_journal_close(journals->system);
}
