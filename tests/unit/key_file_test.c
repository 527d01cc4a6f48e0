/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/key_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Made with ssh-keygen for this test. */
#define ED25519 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEcA5s/m8BCStxzJGfSCa5KJ6lOtkOIHzv5eyUlkCpwz"
#define ECDSA                                                                                                          \
        "ecdsa-sha2-nistp256 "                                                                                         \
        "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBLJQmvYRWeoYiGD7q9S2wXzyCqqa"                             \
        "J1EX/DXC+tojQWup927yAe5KCqusxaEMpI/1q+YakQylfiFlRdchTwCxYWw="

static bool read_bytes(const char *content, size_t n, struct key_list *to, char ret_why[static KEY_FILE_WHY_MAX]) {
        FILE *from = fmemopen(NULL, n + 1, "w+");
        bool ok;

        assert_non_null(from);
        assert_int_equal(fwrite(content, 1, n, from), n);
        rewind(from);
        ok = key_file_read(from, "id.pub", to, ret_why);
        (void)fclose(from);
        return ok;
}

static void assert_read(const char *content, struct key_list *to) {
        char why[KEY_FILE_WHY_MAX] = "";

        if (!read_bytes(content, strlen(content), to, why))
                fail_msg("%s", why);
}

static void assert_refused(const char *content, const char *where, const char *what) {
        struct key_list list = {.n = 0};
        char why[KEY_FILE_WHY_MAX];

        assert_false(read_bytes(content, strlen(content), &list, why));
        if (strncmp(why, where, strlen(where)) != 0 || !strstr(why, what))
                fail_msg("neither \"%s\" nor \"%s\" in: %s", where, what, why);
}

static void assert_key(const struct key_list *list, size_t i, const char *expected, unsigned line) {
        char text[SSH_KEY_TEXT_MAX];

        ssh_key_to_text(&list->at[i].key, text);
        assert_string_equal(text, expected);
        assert_string_equal(list->at[i].file, "id.pub");
        assert_int_equal(list->at[i].line, line);
}

static void each_line_is_a_key(void **state) {
        struct key_list list = {.n = 0};

        (void)state;
        assert_read(ED25519 "\n" ECDSA "\n", &list);
        assert_int_equal(list.n, 2);
        assert_key(&list, 0, ED25519, 1);
        assert_key(&list, 1, ECDSA, 2);
}

static void a_second_file_adds_to_the_first(void **state) {
        struct key_list list = {.n = 0};

        (void)state;
        assert_read(ED25519 "\n", &list);
        assert_read("\n" ECDSA "\n", &list);
        assert_int_equal(list.n, 2);
        assert_key(&list, 1, ECDSA, 2);
}

static void comments_behind_a_key_are_dropped(void **state) {
        struct key_list list = {.n = 0};

        (void)state;
        assert_read(ED25519 " alice@laptop with words\n" ECDSA "\t\xc3\xa9\n" ED25519 " ssh-ed25519 of old\n", &list);
        assert_int_equal(list.n, 3);
        assert_key(&list, 0, ED25519, 1);
        assert_key(&list, 1, ECDSA, 2);
        assert_key(&list, 2, ED25519, 3);
}

static void empty_lines_and_comment_lines_are_passed_over_but_counted(void **state) {
        struct key_list list = {.n = 0};

        (void)state;
        assert_read("# mine\n\n \t\n  # " ECDSA "\n" ED25519, &list);
        assert_int_equal(list.n, 1);
        assert_key(&list, 0, ED25519, 5);
}

static void blanks_tabs_and_carriage_returns_around_the_words_do_not_matter(void **state) {
        static const char key[] = ED25519;
        struct key_list list = {.n = 0};
        char content[sizeof(key) + 16];

        (void)state;
        (void)snprintf(content, sizeof(content), " \tssh-ed25519\t  %s \r\n", strchr(key, ' ') + 1);
        assert_read(content, &list);
        assert_int_equal(list.n, 1);
        assert_key(&list, 0, ED25519, 1);
}

static void the_last_line_needs_no_end(void **state) {
        struct key_list list = {.n = 0};

        (void)state;
        assert_read(ED25519, &list);
        assert_int_equal(list.n, 1);
}

static void options_are_refused_with_the_line_and_what_to_do(void **state) {
        (void)state;
        assert_refused(ED25519 "\nrestrict " ED25519 "\n", "id.pub:2: ", "remove them");
        assert_refused("from=\"192.0.2.1\" " ED25519 "\n", "id.pub:1: ", "--source");
        assert_refused("command=\"echo a b\",no-pty " ECDSA " comment\n", "id.pub:1: ", "options");
}

static void a_fault_in_a_key_names_file_and_line(void **state) {
        (void)state;
        assert_refused("\n\nssh-ed25519 AAAA\n", "id.pub:3: ", ssh_key_fault_text(SSH_KEY_FAULT_TRUNCATED));
        assert_refused("ssh-ed25519\n", "id.pub:1: ", ssh_key_fault_text(SSH_KEY_FAULT_FORM));
        assert_refused("ssh-dss AAAAB3NzaC1kc3M= old\n", "id.pub:1: ", ssh_key_fault_text(SSH_KEY_FAULT_DSS));
        assert_refused("ssh-ed25519-cert-v01@openssh.com AAAA me\n",
                       "id.pub:1: ", ssh_key_fault_text(SSH_KEY_FAULT_CERTIFICATE));
        assert_refused("ssh-ed25519 *** me\n", "id.pub:1: ", ssh_key_fault_text(SSH_KEY_FAULT_BASE64));
}

static void each_kind_of_line_end_ends_a_key(void **state) {
        static const char *const ends[] = {"\n", "\r\n", "\r"};
        char content[1024];

        (void)state;
        for (size_t i = 0; i < 3; i++) {
                struct key_list list = {.n = 0};

                (void)snprintf(content, sizeof(content), ED25519 " mine%s%s" ECDSA "%s", ends[i], ends[i], ends[i]);
                assert_read(content, &list);
                assert_int_equal(list.n, 2);
                assert_key(&list, 0, ED25519, 1);
                assert_key(&list, 1, ECDSA, 3);
        }
}

static void two_keys_on_a_line_are_refused(void **state) {
        struct key_list list = {.n = 0};

        (void)state;
        assert_refused("\n" ED25519 " " ECDSA "\n",
                       "id.pub:2: ", "two keys on one line: write each on a line of its own");
        assert_refused(ED25519 " mine " ED25519, "id.pub:1: ", "two keys on one line");
        /* A comment may name a type. */
        assert_read(ED25519 " my ssh-ed25519 key, and ssh- AAA\n", &list);
        assert_int_equal(list.n, 1);
}

static void texts_of_windows_are_read_or_named(void **state) {
        static const char utf16[] = "\xff\xfes\0s\0h\0-\0", bare[] = "s\0s\0h\0-\0", big[] = "\xfe\xff\0s\0s\0h";
        struct key_list list = {.n = 0};
        char why[KEY_FILE_WHY_MAX];

        (void)state;
        assert_read("\xef\xbb\xbf" ED25519 "\r\n", &list);
        assert_key(&list, 0, ED25519, 1);
        assert_false(read_bytes(utf16, sizeof(utf16) - 1, &list, why));
        assert_string_equal(why, "id.pub: text in UTF-16: save it as ASCII or UTF-8");
        assert_false(read_bytes(bare, sizeof(bare) - 1, &list, why));
        assert_non_null(strstr(why, "UTF-16"));
        assert_false(read_bytes(big, sizeof(big) - 1, &list, why));
        assert_non_null(strstr(why, "UTF-16"));
        assert_refused("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", "id.pub:1: ", "private key of PuTTY");
}

static void what_cannot_be_pushed_is_named(void **state) {
        char content[4096] = "ssh-mldsa44-ed25519@openssh.com AAAA";

        (void)state;
        assert_refused("no-touch-required sk-ssh-ed25519@openssh.com AAAA\n",
                       "id.pub:1: ", "the option no-touch-required stands before the key");
        assert_refused("ssh-mldsa44-ed25519@openssh.com AAAA me\n", "id.pub:1: ", "post-quantum");
        memset(content + strlen(content), 'A', 2000);
        assert_refused(content, "id.pub:1: ", "post-quantum");
        memcpy(content, "ssh-dss                        ", 31);
        assert_refused(content, "id.pub:1: ", ssh_key_fault_text(SSH_KEY_FAULT_DSS));
        memcpy(content, "ssh-new                        ", 31);
        assert_refused(content, "id.pub:1: ", ssh_key_fault_text(SSH_KEY_FAULT_TYPE));
        memcpy(content, "ssh-rsa                        ", 31);
        assert_refused(content, "id.pub:1: ", ssh_key_fault_text(SSH_KEY_FAULT_SIZE));
}

static void a_private_key_is_told_from_a_public_one(void **state) {
        (void)state;
        assert_refused("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n", "id.pub:1: ", ".pub");
}

static void no_message_shows_what_is_in_the_file(void **state) {
        struct key_list list = {.n = 0};
        char why[KEY_FILE_WHY_MAX];

        (void)state;
        assert_false(read_bytes("secret ssh-ed25519 secret", 25, &list, why));
        assert_null(strstr(why, "secret"));
        assert_false(read_bytes("secret secret", 13, &list, why));
        assert_null(strstr(why, "secret"));
        assert_false(read_bytes("ssh-ed25519 secret", 18, &list, why));
        assert_null(strstr(why, "secret"));
}

static void a_file_without_a_key_is_refused(void **state) {
        (void)state;
        assert_refused("", "id.pub: ", "no key in it");
        assert_refused("# " ED25519 "\n\n", "id.pub: ", "no key in it");
}

static void the_ninth_key_is_one_too_many(void **state) {
        struct key_list list = {.n = 0};
        char why[KEY_FILE_WHY_MAX];

        (void)state;
        for (int i = 0; i < KEY_LIST_MAX / 2; i++)
                assert_read(ED25519 "\n" ECDSA "\n", &list);
        assert_int_equal(list.n, KEY_LIST_MAX);
        assert_false(read_bytes("\n" ED25519, strlen(ED25519) + 1, &list, why));
        assert_non_null(strstr(why, "id.pub:2: one key too many"));
        assert_int_equal(list.n, KEY_LIST_MAX);
}

static void a_nul_is_refused(void **state) {
        static const char content[] = ED25519 "\0\n";
        struct key_list list = {.n = 0};
        char why[KEY_FILE_WHY_MAX];

        (void)state;
        assert_false(read_bytes(content, sizeof(content) - 1, &list, why));
        assert_non_null(strstr(why, "id.pub:1: "));
        assert_int_equal(list.n, 0);
}

static void words_that_are_longer_than_any_key_are_refused(void **state) {
        char *content = malloc(KEY_FILE_MAX + 1);

        (void)state;
        assert_non_null(content);
        memset(content, 'A', KEY_FILE_MAX);
        memcpy(content, "ssh-ed25519 ", 12);
        content[KEY_FILE_MAX] = '\0';
        assert_refused(content, "id.pub:1: ", ssh_key_fault_text(SSH_KEY_FAULT_SIZE));
        free(content);
}

static void a_file_that_is_too_large_is_refused(void **state) {
        char *content = malloc(KEY_FILE_MAX + 2);

        (void)state;
        assert_non_null(content);
        memset(content, '\n', KEY_FILE_MAX + 1);
        content[KEY_FILE_MAX + 1] = '\0';
        assert_refused(content, "id.pub: ", "more than 65536 bytes");
        free(content);
}

static void what_cannot_be_read_is_said_with_its_reason(void **state) {
        struct key_list list = {.n = 0};
        char why[KEY_FILE_WHY_MAX];
        FILE *from = fopen("/", "re");

        (void)state;
        assert_non_null(from);
        assert_false(key_file_read(from, "/", &list, why));
        assert_string_equal(why, "/: cannot read it: Is a directory");
        (void)fclose(from);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_line_is_a_key),
                cmocka_unit_test(a_second_file_adds_to_the_first),
                cmocka_unit_test(comments_behind_a_key_are_dropped),
                cmocka_unit_test(empty_lines_and_comment_lines_are_passed_over_but_counted),
                cmocka_unit_test(blanks_tabs_and_carriage_returns_around_the_words_do_not_matter),
                cmocka_unit_test(the_last_line_needs_no_end),
                cmocka_unit_test(options_are_refused_with_the_line_and_what_to_do),
                cmocka_unit_test(a_fault_in_a_key_names_file_and_line),
                cmocka_unit_test(each_kind_of_line_end_ends_a_key),
                cmocka_unit_test(two_keys_on_a_line_are_refused),
                cmocka_unit_test(texts_of_windows_are_read_or_named),
                cmocka_unit_test(what_cannot_be_pushed_is_named),
                cmocka_unit_test(a_private_key_is_told_from_a_public_one),
                cmocka_unit_test(no_message_shows_what_is_in_the_file),
                cmocka_unit_test(a_file_without_a_key_is_refused),
                cmocka_unit_test(the_ninth_key_is_one_too_many),
                cmocka_unit_test(a_nul_is_refused),
                cmocka_unit_test(words_that_are_longer_than_any_key_are_refused),
                cmocka_unit_test(a_file_that_is_too_large_is_refused),
                cmocka_unit_test(what_cannot_be_read_is_said_with_its_reason),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
