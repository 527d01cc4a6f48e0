/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/diff.h"

#include <stdbool.h>
#include <string.h>

#include "wire/terminal.h"

enum { AROUND = 3 };

/* The number of lines; a last one without an end is one too. */
static size_t count_lines(const char *text) {
        size_t n = 0;

        for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
                n++;
        return n;
}

/* Line `number`, from 0, with its end. */
static const char *line_at(const char *text, size_t number, size_t *ret_length) {
        for (; number > 0; number--)
                text += strcspn(text, "\n") + 1;
        *ret_length = strcspn(text, "\n");
        *ret_length += text[*ret_length] == '\n';
        return text;
}

static bool same_line(const char *a, size_t a_number, const char *b, size_t b_number) {
        size_t a_length, b_length;
        const char *a_line = line_at(a, a_number, &a_length), *b_line = line_at(b, b_number, &b_length);

        return a_length == b_length && memcmp(a_line, b_line, a_length) == 0;
}

static void print_lines(FILE *to, char mark, const char *text, size_t from, size_t end) {
        for (size_t i = from; i < end; i++) {
                size_t length;
                const char *line = line_at(text, i, &length);
                bool whole = line[length - 1] == '\n';

                (void)fputc(mark, to);
                terminal_print_bytes(to, line, length - whole);
                (void)fputs(whole ? "\n" : "\n\\ No newline at end of file\n", to);
        }
}

/* diff(1) leaves a length of 1 away, and names the line before where there is none. */
static void print_range(FILE *to, char mark, size_t from, size_t n) {
        (void)fprintf(to, " %c%zu", mark, n == 0 ? from : from + 1);
        if (n != 1)
                (void)fprintf(to, ",%zu", n);
}

void diff_print(FILE *to, const char *path, const char *before, const char *after) {
        size_t same = 0, same_end = 0, n_before, n_after, from, around;

        if (before && after && strcmp(before, after) == 0)
                return;
        if (!before && !after)
                return;
        (void)fprintf(to, "--- %s\n+++ %s\n", before ? path : "/dev/null", after ? path : "/dev/null");
        before = before ? before : "";
        after = after ? after : "";
        n_before = count_lines(before);
        n_after = count_lines(after);
        while (same < n_before && same < n_after && same_line(before, same, after, same))
                same++;
        while (same_end < n_before - same && same_end < n_after - same &&
               same_line(before, n_before - same_end - 1, after, n_after - same_end - 1))
                same_end++;
        from = same > AROUND ? same - AROUND : 0;
        around = same_end < AROUND ? same_end : AROUND;
        (void)fputs("@@", to);
        print_range(to, '-', from, n_before - same_end + around - from);
        print_range(to, '+', from, n_after - same_end + around - from);
        (void)fputs(" @@\n", to);
        print_lines(to, ' ', before, from, same);
        print_lines(to, '-', before, same, n_before - same_end);
        print_lines(to, '+', after, same, n_after - same_end);
        print_lines(to, ' ', before, n_before - same_end, n_before - same_end + around);
}
