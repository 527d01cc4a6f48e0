/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/sshd_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

static char file[] = "-f", path[] = "/etc/ssh/other";
static char *const other[] = {file, path, NULL};

static void found(char *const arguments[], const char *specification, const char *answer) {
        char *text = sshd_memory_find(arguments, specification);

        if (!answer)
                assert_null(text);
        else
                assert_string_equal(text, answer);
        free(text);
}

static void nothing_is_found_before_the_start(void **state) {
        (void)state;
        sshd_memory_add(NULL, NULL, "port 22\n");
        found(NULL, NULL, NULL);
}

static void answer_of_a_child_is_found(void **state) {
        pid_t child;
        int status;

        (void)state;
        sshd_memory_start();
        child = scratch_fork();
        assert_true(child >= 0);
        if (child == 0) {
                sshd_memory_add(NULL, NULL, "port 22\n");
                sshd_memory_add(NULL, "user=alice", "port 23\n");
                _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        found(NULL, NULL, "port 22\n");
        found(NULL, "user=alice", "port 23\n");
}

static void other_questions_have_other_answers(void **state) {
        (void)state;
        found(NULL, "user=bob", NULL);
        found(NULL, "port 22\n", NULL); /* an answer is no question */
        found(other, NULL, NULL);
        found(other, "user=alice", NULL);
        sshd_memory_add(other, "user=alice", "port 24\n");
        found(other, "user=alice", "port 24\n");
        found(NULL, "user=alice", "port 23\n");
}

static void child_that_forgets_reaches_it_no_more(void **state) {
        pid_t child = scratch_fork();
        int status;

        (void)state;
        assert_true(child >= 0);
        if (child == 0) {
                sshd_memory_forget();
                sshd_memory_add(NULL, "user=mallory", "port 99\n");
                _exit(sshd_memory_find(NULL, NULL) ? 1 : 0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        found(NULL, "user=mallory", NULL);
        found(NULL, NULL, "port 22\n");
}

static void what_does_not_fit_is_not_remembered(void **state) {
        size_t n = (size_t)600 * 1024;
        char *answer = malloc(n + 1), *question = malloc(n + 1);

        (void)state;
        assert_non_null(answer);
        assert_non_null(question);
        memset(answer, 'a', n);
        memset(question, 'q', n);
        answer[n] = question[n] = '\0';
        sshd_memory_add(NULL, question, "port 25\n");
        found(NULL, question, NULL);
        sshd_memory_add(NULL, "user=carol", answer);
        found(NULL, "user=carol", answer);
        sshd_memory_add(NULL, "user=dana", answer);
        found(NULL, "user=dana", NULL);
        sshd_memory_add(NULL, "user=erin", "port 26\n");
        found(NULL, "user=erin", "port 26\n");
        free(answer);
        free(question);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_is_found_before_the_start),
                cmocka_unit_test(answer_of_a_child_is_found),
                cmocka_unit_test(other_questions_have_other_answers),
                cmocka_unit_test(child_that_forgets_reaches_it_no_more),
                cmocka_unit_test(what_does_not_fit_is_not_remembered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
