/* SPDX-License-Identifier: Apache-2.0 */
/* How exc-authorized-keys is run, and what its output means. */
#include "tests/unit/chain_fixture.h"

static void our_key_ends_the_chain(void **state) {
        (void)state;
        run_chain("print a line", &asks);
        assert_exit(0);
        assert_string_equal(outcome.out, "ssh-ed25519 OURS\n");
        assert_string_equal(outcome.err, "");
}

static void helper_gets_the_arguments_and_the_connection(void **state) {
        struct arguments asked = asks;

        (void)state;
        run_chain("print the arguments", &asks);
        assert_exit(0);
        assert_string_equal(outcome.out, "--connection 4711:812345 --runtime-dir /run/x ada SHA256:x\n");
        asked.expiry_time = asked.verbose = true;
        asked.type = "ssh-ed25519";
        asked.key_text = "AAAA";
        run_chain("print the arguments", &asked);
        assert_exit(0);
        assert_string_equal(outcome.out, "--connection 4711:812345 --runtime-dir /run/x --expiry-time --verbose "
                                         "ada SHA256:x ssh-ed25519 AAAA\n");
        caller = (struct caller){-EACCES, {0, 0}};
        run(chain, &asks);
        assert_exit(0);
        assert_string_equal(outcome.out, "--connection errno:13 --runtime-dir /run/x ada SHA256:x\n");
}

/* exc-authorized-keys parses what it is passed. */
static void arguments_are_read_back(void **state) {
        struct arguments asked = asks, back;
        char *words[32] = {(char[]){"exc-authorized-keys"}}, *save = NULL;
        const char *why = "";
        int n = 1;

        (void)state;
        asked.expiry_time = asked.verbose = true;
        run_chain("print the arguments", &asked);
        assert_exit(0);
        for (char *word = strtok_r(outcome.out, " \n", &save); word; word = strtok_r(NULL, " \n", &save))
                words[n++] = word;
        assert_int_equal(arguments_parse(n, words, &back, &why), ARGUMENTS_RUN);
        assert_true(back.has_caller && back.expiry_time && back.verbose);
        assert_int_equal(back.caller.id.pid, 4711);
        assert_int_equal(back.caller.id.start_ticks, 812345);
        assert_string_equal(back.runtime_dir, "/run/x");
        assert_string_equal(back.user, "ada");
}

static void longest_line_is_printed_whole(void **state) {
        (void)state;
        run_chain("print the longest line", &asks);
        assert_exit(0);
        assert_int_equal(strlen(outcome.out), LOOKUP_LINE_MAX - 1);
        assert_int_equal(strspn(outcome.out, "x"), LOOKUP_LINE_MAX - 2);
}

static void without_a_line_the_other_command_runs(void **state) {
        static const char *const ways[] = {"print nothing",
                                           "fail",
                                           "be killed",
                                           "print half a line",
                                           "print more than a line can be",
                                           "hang",
                                           "print half a line and hang",
                                           "print a line and hang"};

        (void)state;
        for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
                run_chain(ways[i], &asks);
                assert_other_ran();
                assert_null(strstr(outcome.out, "AAAA"));
                assert_null(strstr(outcome.out, "OURS"));
        }
}

/* It exits 0 in any case, so its status has no meaning. */
static void helper_status_does_not_matter(void **state) {
        (void)state;
        run_chain("print a line and fail", &asks);
        assert_exit(0);
        assert_string_equal(outcome.out, "ssh-ed25519 OURS\n");
}

static void without_the_helper_the_other_command_runs(void **state) {
        static const char *const paths[] = {TOP "/missing", TOP, TOP "/no-program"};

        (void)state;
        write_file(TOP "/no-program", "", 0644);
        for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
                helper_path = paths[i];
                run_chain("print a line", &asks);
                assert_other_ran();
        }
        helper_path = HELPER;
}

static void listing_shows_both(void **state) {
        struct arguments asked = asks;

        (void)state;
        asked.fingerprint = NULL;
        run_chain("print a line", &asked);
        assert_exit(5);
        assert_memory_equal(outcome.out, "ssh-ed25519 OURS\nother 5 a b\n", 29);
        /* Also one that is longer than a line. */
        run_chain("print more than a line can be", &asked);
        assert_exit(5);
        assert_int_equal(strspn(outcome.out, "x"), LOOKUP_LINE_MAX - 1);
        run_chain("hang", &asked);
        assert_other_ran();
}

static void other_command_inherits_nothing(void **state) {
        static const char *const ways[] = {"print nothing", "hang"};

        (void)state;
        for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
                run_chain(ways[i], &asks);
                assert_other_ran();
                assert_non_null(strstr(outcome.out, "\nSigBlk:\t0000000000000000\n"));
                assert_non_null(strstr(outcome.out, "\nSigIgn:\t0000000000000000\n"));
                assert_non_null(strstr(outcome.out, "\nNoNewPrivs:\t0\n"));
                assert_non_null(strstr(outcome.out, "\nalarm 0\n"));
                assert_non_null(strstr(outcome.out, " KEPT yes\n"));
                assert_non_null(strstr(outcome.out, "\nuid 0 0 gid 0 0 groups"));
                assert_null(strstr(outcome.out, "descriptor"));
        }
}

static void verbose_prints_a_line_per_stage(void **state) {
        (void)state;
        debug_init("exc-authorized-keys-chain", true);
        run_chain("print nothing", &asks);
        debug_init("exc-authorized-keys-chain", false);
        assert_other_ran();
        assert_non_null(strstr(outcome.err, "exc-authorized-keys-chain: exc-authorized-keys: no line for the key\n"));
        assert_non_null(
                strstr(outcome.err, "exc-authorized-keys-chain: other command: " OTHER ", executed as user id 0\n"));
}

int main(int argc, char *argv[]) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(our_key_ends_the_chain),
                cmocka_unit_test(helper_gets_the_arguments_and_the_connection),
                cmocka_unit_test(arguments_are_read_back),
                cmocka_unit_test(longest_line_is_printed_whole),
                cmocka_unit_test(without_a_line_the_other_command_runs),
                cmocka_unit_test(helper_status_does_not_matter),
                cmocka_unit_test(without_the_helper_the_other_command_runs),
                cmocka_unit_test(listing_shows_both),
                cmocka_unit_test(other_command_inherits_nothing),
                cmocka_unit_test(verbose_prints_a_line_per_stage),
        };

        set_up_chain(argc, argv);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
