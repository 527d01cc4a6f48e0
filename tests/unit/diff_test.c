/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

static void assert_diff(const char *before, const char *after, const char *expected) {
        char *text = NULL;
        size_t size;
        FILE *to = open_memstream(&text, &size);

        assert_non_null(to);
        diff_print(to, "/f", before, after);
        assert_int_equal(fclose(to), 0);
        assert_string_equal(text, expected);
        free(text);
}

static void what_is_the_same_has_no_difference(void **state) {
        (void)state;
        assert_diff("a\n", "a\n", "");
        assert_diff(NULL, NULL, "");
        assert_diff("", "", "");
}

static void a_new_file_and_one_that_goes_are_against_dev_null(void **state) {
        (void)state;
        assert_diff(NULL, "a\nb\n", "--- /dev/null\n+++ /f\n@@ -0,0 +1,2 @@\n+a\n+b\n");
        assert_diff("a\n", NULL, "--- /f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n");
}

static void three_lines_around_a_change_are_shown(void **state) {
        (void)state;
        assert_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\ny\n6\n7\n8\n9\n",
                    "--- /f\n+++ /f\n@@ -2,7 +2,8 @@\n 2\n 3\n 4\n-5\n+x\n+y\n 6\n 7\n 8\n");
        assert_diff("a\na\n", "a\na\na\n", "--- /f\n+++ /f\n@@ -1,2 +1,3 @@\n a\n a\n+a\n");
        assert_diff("a\nb\n", "b\n", "--- /f\n+++ /f\n@@ -1,2 +1 @@\n-a\n b\n");
}

static void a_last_line_without_an_end_is_said(void **state) {
        (void)state;
        assert_diff("a", "a\n", "--- /f\n+++ /f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
        assert_diff("x\nb", "y\nb", "--- /f\n+++ /f\n@@ -1,2 +1,2 @@\n-x\n+y\n b\n\\ No newline at end of file\n");
}

static void no_control_character_reaches_a_terminal(void **state) {
        (void)state;
        assert_diff(NULL, "a\033[2Jb\r\n", "--- /dev/null\n+++ /f\n@@ -0,0 +1 @@\n+a\\x1B[2Jb\\x0D\n");
}

/* What patch(1) makes of it is the other text. */
static void patch_understands_it(void **state) {
        static const char *const lines[] = {"a\n", "b\n", "c\n"};
        char folder[] = "/tmp/exc-diff-XXXXXX", before[64], after[64];
        unsigned seed = 1;

        (void)state;
        assert_non_null(mkdtemp(folder));
        assert_int_equal(chdir(folder), 0);
        for (int round = 0; round < 40; round++) {
                char *texts[2] = {before, after}, read[64] = "";
                FILE *file;

                for (int k = 0; k < 2; k++) {
                        texts[k][0] = '\0';
                        for (int i = rand_r(&seed) % 12 + 1; i > 0; i--)
                                (void)strcat(texts[k], lines[rand_r(&seed) % 3]);
                }
                file = fopen("f", "we");
                assert_true(file && fputs(before, file) >= 0 && fclose(file) == 0);
                file = fopen("p", "we");
                assert_non_null(file);
                diff_print(file, "f", before, after);
                assert_int_equal(fclose(file), 0);
                if (strcmp(before, after) != 0)
                        assert_int_equal(system("patch -s -p0 --fuzz=0 <p"), 0);
                file = fopen("f", "re");
                assert_non_null(file);
                assert_int_equal(fread(read, 1, sizeof(read) - 1, file), strlen(after));
                assert_int_equal(fclose(file), 0);
                assert_string_equal(read, after);
        }
        assert_int_equal(unlink("f"), 0);
        assert_int_equal(unlink("p"), 0);
        assert_int_equal(chdir("/"), 0);
        assert_int_equal(rmdir(folder), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_the_same_has_no_difference),
                cmocka_unit_test(a_new_file_and_one_that_goes_are_against_dev_null),
                cmocka_unit_test(three_lines_around_a_change_are_shown),
                cmocka_unit_test(a_last_line_without_an_end_is_said),
                cmocka_unit_test(no_control_character_reaches_a_terminal),
                cmocka_unit_test(patch_understands_it),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
