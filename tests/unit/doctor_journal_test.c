/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/doctor_journal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/sshd/sshd_memory.h"

static struct examination *examination; /* shared, as doctor has it */

struct learned {
        uid_t uid;
        int reached; /* errno of reading what checks share */
        bool remembers;
};

static int match_all(sd_journal *journal, const void *context) {
        (void)journal;
        (void)context;
        return 0;
}

static int look_around(sd_journal *journal, const void *context, void *result) {
        struct learned *learned = result;
        char *answer = sshd_memory_find(NULL, NULL);
        int ends[2];

        (void)journal;
        (void)context;
        if (pipe(ends) < 0)
                return -errno;
        learned->uid = getuid();
        learned->remembers = answer != NULL;
        learned->reached = write(ends[1], examination, 1) < 0 ? errno : 0;
        free(answer);
        return 0;
}

static int fail_to_read(sd_journal *journal, const void *context, void *result) {
        (void)journal;
        (void)context;
        (void)result;
        return -EBADMSG;
}

static int end_early(sd_journal *journal, const void *context, void *result) {
        (void)journal;
        (void)context;
        (void)result;
        _exit(EXIT_FAILURE);
}

static void reader_has_neither_rights_nor_doctor_s_memory(void **state) {
        const struct doctor_journal how = {match_all, look_around, NULL};
        struct learned learned = {.uid = 0};
        char why[DOCTOR_JOURNAL_WHY_MAX] = "";

        (void)state;
        sshd_memory_start();
        sshd_memory_add(NULL, NULL, "port 22\n");
        assert_int_equal(doctor_journal_read(examination, &how, &learned, sizeof(learned), why), 0);
        assert_int_equal(learned.uid, 65534);
        assert_int_equal(learned.reached, EFAULT);
        assert_false(learned.remembers);
        assert_string_equal(why, "");
}

static void failure_is_said(void **state) {
        struct doctor_journal how = {match_all, fail_to_read, NULL};
        char why[DOCTOR_JOURNAL_WHY_MAX] = "";
        int nothing = 0;

        (void)state;
        assert_int_equal(doctor_journal_read(examination, &how, &nothing, sizeof(nothing), why), -EBADMSG);
        assert_string_equal(why, "the journal cannot be read: Bad message");
        how.read = end_early;
        assert_int_equal(doctor_journal_read(examination, &how, &nothing, sizeof(nothing), why), -EIO);
        assert_string_equal(why, "the journal cannot be read: Input/output error");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(reader_has_neither_rights_nor_doctor_s_memory),
                cmocka_unit_test(failure_is_said),
        };

        examination = mmap(NULL, sizeof(*examination), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (examination == MAP_FAILED)
                return EXIT_FAILURE;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
