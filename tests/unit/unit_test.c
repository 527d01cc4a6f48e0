/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/unit.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/fake_systemd.h"
#include "tests/unit/sshd_world.h"

#define SSHD "/usr/sbin/sshd"
#define EARLY "/run/systemd/transient"
#define LATE "/run/systemd/generator"

/* The words of a unit's line, with '|' between them. */
static char *words_of(const char *name) {
        struct unit unit;
        char *text = NULL;
        size_t size;
        FILE *to;

        assert_int_equal(unit_read(name, SSHD, "-e", &unit), 0);
        to = open_memstream(&text, &size);
        assert_non_null(to);
        for (size_t i = unit.first; i < unit.words.n; i++)
                (void)fprintf(to, "%s%s", i > unit.first ? "|" : "", unit.words.item[i]);
        assert_int_equal(fclose(to), 0);
        unit_clear(&unit);
        return text;
}

static void assert_words(const char *name, const char *expected) {
        char *text = words_of(name);

        assert_string_equal(text, expected);
        free(text);
}

static void assert_line(const char *line, const char *expected) {
        char text[4096];

        world_reset("");
        (void)snprintf(text, sizeof(text),
                       "[Unit]\nExecStart=/bin/not\n[Service]\nEnvironment=\"A=one two\" 'B=x \"y z\"' C= D\n"
                       "Environment=A=\"1  2\"\nExecStart=%s\n",
                       line);
        world_write(EARLY "/a.service", text);
        assert_words("a.service", expected);
}

static void words_are_as_systemd_splits_them(void **state) {
        (void)state;
        assert_line(SSHD " -D", "-D");
        assert_line("-" SSHD "   -D\t-e  ", "-D|-e");
        assert_line(SSHD " -o \"A b\" 'c d' e\" f\"g \\\"h \\x", "-o|A b|c d|e fg|\"h|\\x");
        assert_line(SSHD " %%u %n %x 5%", "%u|a.service|%x|5%");
        assert_line(SSHD " a \\\n  b", "a|b");
        assert_line(SSHD " a ; /bin/b c", "a");
}

static void the_name_that_a_program_is_given_is_no_argument(void **state) {
        (void)state;
        assert_line("@" SSHD " sshd: -D -f /etc/ssh/second -o \"A b\"", "-D|-f|/etc/ssh/second|-o|A b");
        assert_line("-@" SSHD " -D -e", "-e");
        assert_line("@" SSHD " $B $A", "y z|1|2");
        assert_line("@" SSHD " ; /bin/b c", "");
}

static void variables_are_put_in(void **state) {
        (void)state;
        assert_line(SSHD " $A", "1|2");
        assert_line(SSHD " $B $C $D $E end", "x|y z|end");
        assert_line(SSHD " ${A} -o${B}- ${C} ${E} ${open $$A $ a$A", "1  2|-ox \"y z\"-|||${open|$A|$|a$A");
}

static void the_file_of_the_environment_wins(void **state) {
        (void)state;
        world_reset("");
        world_write(EARLY "/a.service", "[Service]\nEnvironment=A=1\nEnvironment=B=2\nEnvironmentFile=-/run/e\n"
                                        "EnvironmentFile=-/run/none\nExecStart=" SSHD " $A $B $C $F\n");
        world_write(
                "/run/e",
                "# A=comment\n; A=comment\nA=\"-o 'x y'\" # not a comment\nC = \\\n three\nnothing\nF='a\\\\b' c\n");
        assert_words("a.service", "-o|x y|#|not|a|comment|2|three|a\\b|c");
        world_write("/run/e", "G=it's\nA=a\n");
        assert_words("a.service", "a|2");
        /* Reset, both. */
        world_write(EARLY "/a.service.d/x.conf", "[Service]\nEnvironment=\nEnvironmentFile=\nEnvironment=C=c\n");
        assert_words("a.service", "c");
}

static void assert_file_with(const char *word, const char *expected) {
        struct unit unit;

        assert_int_equal(unit_read("a.service", SSHD, word, &unit), 0);
        if (expected)
                assert_string_equal(unit.file_with, expected);
        else
                assert_null(unit.file_with);
        unit_clear(&unit);
}

/* Where something stands is to be told. */
static void the_last_file_with_a_word_is_found(void **state) {
        (void)state;
        world_reset("");
        world_write(LATE "/a.service", "[Service]\nEnvironmentFile=-/run/e\nExecStart=" SSHD " -o Banner=x $A\n");
        world_write("/run/e", "A=no\n");
        assert_file_with("other", NULL);
        assert_file_with("banner", LATE "/a.service");
        world_write(EARLY "/a.service.d/x.conf", "[Service]\nExecStart=\nExecStart=" SSHD " -o Banner=y $A\n");
        assert_file_with("banner", EARLY "/a.service.d/x.conf");
        world_write("/run/e", "A=-oBanner=z\n");
        assert_file_with("banner", "/run/e");
}

static void drop_ins_count_in_the_order_of_their_names(void **state) {
        (void)state;
        world_reset("");
        world_write(LATE "/a-b.service", "[Service]\nExecStart=" SSHD " main\n");
        assert_words("a-b.service", "main");
        world_write(LATE "/a-b.service.d/20-x.conf", "[Service]\nExecStart=\nExecStart=" SSHD " late\n");
        assert_words("a-b.service", "late");
        world_write(EARLY "/a-b.service.d/10-x.conf", "[Service]\nExecStart=\nExecStart=" SSHD " first\n");
        assert_words("a-b.service", "late");
        /* Of one name, that in the directory that counts more. */
        world_write(EARLY "/a-b.service.d/20-x.conf", "[Service]\nExecStart=\nExecStart=" SSHD " early $X\n");
        assert_words("a-b.service", "early");
        /* One that is masked, and what is no drop-in. */
        assert_int_equal(unlink(EARLY "/a-b.service.d/20-x.conf"), 0);
        assert_int_equal(symlink("/dev/null", EARLY "/a-b.service.d/20-x.conf"), 0);
        world_write(EARLY "/a-b.service.d/99-x.txt", "[Service]\nExecStart=\n");
        world_write(EARLY "/a-b.service.d/.99-x.conf", "[Service]\nExecStart=\n");
        assert_words("a-b.service", "first");
}

static void systemd_says_which_files_make_up_a_unit(void **state) {
        (void)state;
        world_reset("");
        fake_systemd();
        world_write("/run/elsewhere/a.service", "[Service]\nExecStart=" SSHD " $X\n");
        world_write("/run/elsewhere/alias.conf", "[Service]\nEnvironment=X=alias\n");
        world_write("/run/elsewhere/z.conf", "[Service]\nEnvironment=X=last\n");
        world_write("/run/test/state-a.service", "FragmentPath=/run/elsewhere/a.service\nDropInPaths="
                                                 "/run/elsewhere/alias.conf /run/elsewhere/z.conf\n");
        assert_words("a.service", "last");
        world_write("/run/test/state-a.service",
                    "FragmentPath=/run/elsewhere/a.service\nDropInPaths=/run/elsewhere/alias.conf\n");
        assert_words("a.service", "alias");
        /* It does not know yet that one was removed. */
        world_remove("/run/elsewhere/alias.conf");
        assert_words("a.service", "");
        /* Of a template it knows nothing. */
        world_write(EARLY "/t@.service", "[Service]\nExecStart=" SSHD " -i\n");
        assert_words("t@.service", "-i");
}

static void an_instance_is_read_from_its_template(void **state) {
        struct unit unit;

        (void)state;
        world_reset("");
        world_write(LATE "/a@.service", "[Service]\nExecStart=" SSHD " -f /etc/%i-%I\n");
        world_write(LATE "/a@.service.d/x.conf", "[Service]\nEnvironmentFile=/run/%i\n");
        assert_words("a@one.service", "-f|/etc/one-one");
        assert_words("a@.service", "-f|/etc/-");
        world_write(EARLY "/a@two.service", "[Service]\nExecStart=" SSHD " own\n");
        assert_words("a@two.service", "own");
        assert_int_equal(unit_read("b@one.service", SSHD, "x", &unit), -ENOENT);
}

static void what_is_masked_or_runs_something_else_is_none(void **state) {
        struct unit unit;

        (void)state;
        world_reset("");
        world_write(LATE "/a.service", "[Service]\nExecStart=" SSHD "\n");
        assert_int_equal(unit_read("a.service", SSHD, "x", &unit), 0);
        assert_int_equal(unit.words.n, 1);
        unit_clear(&unit);
        assert_int_equal(unit_read("a.service", "/bin/sh", "x", &unit), -ENOENT);
        world_directory(EARLY);
        assert_int_equal(symlink("/dev/null", EARLY "/a.service"), 0);
        assert_int_equal(unit_read("a.service", SSHD, "x", &unit), -ENOENT);
        world_write(EARLY "/b.service", "");
        assert_int_equal(unit_read("b.service", SSHD, "x", &unit), -ENOENT);
        assert_int_equal(unit_read("a.socket", SSHD, "x", &unit), -ENOENT);
        world_write(EARLY "/c.service", "[Service]\nExecStart=/bin/true\nExecStart=/other/sshd\nExecStart=\n");
        assert_int_equal(unit_read("c.service", SSHD, "x", &unit), -ENOENT);
        /* Another way to the same program. */
        world_write(EARLY "/c.service", "[Service]\nExecStart=/bin/true\nExecStart=/usr/sbin/../sbin/sshd x\n");
        assert_words("c.service", "x");
}

static void what_cannot_be_understood_is_refused(void **state) {
        struct unit unit;

        (void)state;
        world_reset("");
        world_write(EARLY "/a.service", "[Service]\nExecStart=" SSHD " 'open\n");
        assert_int_equal(unit_read("a.service", SSHD, "x", &unit), -EBADMSG);
        world_write(EARLY "/a.service", "[Service]\nEnvironment=A='\nExecStart=" SSHD " $A\n");
        assert_words("a.service", "");
        world_write(EARLY "/a.service", "[Service]\nEnvironmentFile=/run/e\nExecStart=" SSHD " $A\n");
        world_write("/run/e", "A=\"'open\"\n");
        assert_int_equal(unit_read("a.service", SSHD, "x", &unit), -EBADMSG);
}

static void units_that_speak_of_it_are_listed_once(void **state) {
        struct strv names = {.n = 0};

        (void)state;
        world_reset("");
        assert_int_equal(unit_names("sshd", &names), 0);
        assert_int_equal(names.n, 0);
        world_write(EARLY "/a.service", "[Service]\nExecStart=" SSHD "\n");
        world_write(EARLY "/b.service", "[Service]\nExecStart=/bin/b\n");
        world_write(EARLY "/c@.service", "[Service]\nExecStart=" SSHD " -i\n");
        world_write(EARLY "/d.socket", "[Socket]\nService=sshd.service\n");
        assert_int_equal(symlink("a.service", EARLY "/alias.service"), 0);
        world_write("/run/elsewhere/linked.service", "[Service]\nExecStart=" SSHD "\n");
        assert_int_equal(symlink("/run/elsewhere/linked.service", EARLY "/linked.service"), 0);
        assert_int_equal(unit_names("sshd", &names), 0);
        assert_int_equal(names.n, 3);
        assert_string_equal(names.item[0], "a.service");
        assert_string_equal(names.item[1], "c@.service");
        assert_string_equal(names.item[2], "linked.service");
        strv_clear(&names);
        assert_true(unit_is_template("c@.service"));
        assert_false(unit_is_template("c@d.service"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(words_are_as_systemd_splits_them),
                cmocka_unit_test(the_name_that_a_program_is_given_is_no_argument),
                cmocka_unit_test(variables_are_put_in),
                cmocka_unit_test(the_file_of_the_environment_wins),
                cmocka_unit_test(the_last_file_with_a_word_is_found),
                cmocka_unit_test(systemd_says_which_files_make_up_a_unit),
                cmocka_unit_test(drop_ins_count_in_the_order_of_their_names),
                cmocka_unit_test(an_instance_is_read_from_its_template),
                cmocka_unit_test(what_is_masked_or_runs_something_else_is_none),
                cmocka_unit_test(what_cannot_be_understood_is_refused),
                cmocka_unit_test(units_that_speak_of_it_are_listed_once),
        };

        world_make();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
