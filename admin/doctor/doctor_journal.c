/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/doctor_journal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "admin/probe.h"

enum { READ_MS = 15 * 1000 }; /* less than each check that reads it may take */

struct answer {
        int r;
        char what[64]; /* that failed */
        unsigned char result[];
};

struct reading {
        struct examination *examination;
        const struct doctor_journal *how;
        struct answer *answer;
};

static void read_in_child(void *context) {
        const struct reading *reading = context;
        const char *what = "the journal cannot be read";
        sd_journal *journal = NULL;
        int r;

        r = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
        if (r >= 0)
                r = reading->how->match(journal, reading->how->context);
        /* Findings have commands for root's shell. */
        if (r >= 0 && munmap(reading->examination, sizeof(*reading->examination)) < 0)
                r = -errno;
        if (r >= 0)
                r = probe_unprivileged(&what);
        if (r >= 0)
                r = reading->how->read(journal, reading->how->context, reading->answer->result);
        sd_journal_close(journal);
        (void)snprintf(reading->answer->what, sizeof(reading->answer->what), "%s", what);
        reading->answer->r = r;
}

int doctor_journal_read(struct examination *examination, const struct doctor_journal *how, void *result, size_t size,
                        char ret_why[static DOCTOR_JOURNAL_WHY_MAX]) {
        struct reading reading = {.examination = examination, .how = how};
        size_t mapped = sizeof(struct answer) + size;
        struct answer head;
        int r;

        reading.answer = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (reading.answer == MAP_FAILED) {
                (void)snprintf(ret_why, DOCTOR_JOURNAL_WHY_MAX, "out of memory");
                return -ENOMEM;
        }
        r = probe_run(read_in_child, &reading, READ_MS);
        /* Once: a child that hangs may still write. */
        memcpy(&head, reading.answer, sizeof(head));
        memcpy(result, reading.answer->result, size);
        (void)munmap(reading.answer, mapped);
        if (r >= 0)
                r = head.r < 0 ? head.r : 0;
        else
                (void)snprintf(head.what, sizeof(head.what), "the journal cannot be read");
        if (r < 0)
                (void)snprintf(ret_why, DOCTOR_JOURNAL_WHY_MAX, "%.*s: %s", (int)sizeof(head.what), head.what,
                               strerror(-r));
        return r;
}
