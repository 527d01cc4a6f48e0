/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/store_fixture.h"

static void assert_user_name(const char *user, const char *expected) {
        char name[STORE_USER_NAME_MAX];

        memset(name, 0x5a, sizeof(name));
        assert_true(store_user_name(user, name));
        assert_string_equal(name, expected);
}

static void user_name_is_escaped(void **state) {
        char none[STORE_USER_NAME_MAX];

        (void)state;
        assert_user_name("ada", "ada");
        assert_user_name("Ada_Lovelace-1.2", "Ada_Lovelace-1.2");
        assert_user_name(".", "%2e");
        assert_user_name("..", "%2e.");
        assert_user_name("...", "%2e..");
        assert_user_name(".ssh", "%2essh");
        assert_user_name("a.b.", "a.b.");
        assert_user_name("/", "%2f");
        assert_user_name("../../etc", "%2e.%2f..%2fetc");
        assert_user_name("a b", "a%20b");
        assert_user_name("a\nb", "a%0ab");
        assert_user_name("%", "%25");
        assert_user_name("%2e", "%252e");
        assert_user_name("%h0123456789abcdef", "%25h0123456789abcdef");
        assert_user_name("\xc3\xa9", "%c3%a9");
        assert_user_name("DOM\\user@example.org", "DOM%5cuser%40example.org");
        assert_user_name("-rf", "-rf");
        assert_user_name("\x7f\x01", "%7f%01");
        assert_false(store_user_name("", none));
}

static void short_user_names_never_collide(void **state) {
        static char names[256 * 257][8];
        size_t n = 0;

        (void)state;
        /* Every name of one byte, and every one of two. */
        for (unsigned a = 1; a < 256; a++)
                for (unsigned b = 0; b < 256; b++) {
                        char user[3] = {(char)a, (char)b, '\0'}, name[STORE_USER_NAME_MAX];

                        assert_true(store_user_name(user, name));
                        assert_true(name[0] != '.' && !strchr(name, '/'));
                        assert_true(strlen(name) <= 6);
                        memcpy(names[n++], name, strlen(name) + 1);
                }
        qsort(names, n, sizeof(names[0]), (int (*)(const void *, const void *))strcmp);
        for (size_t i = 1; i < n; i++)
                assert_string_not_equal(names[i - 1], names[i]);
}

static void long_user_name_becomes_a_hash(void **state) {
        char user[GRANT_USER_MAX], name[STORE_USER_NAME_MAX], other[STORE_USER_NAME_MAX];

        (void)state;
        memset(user, 'u', sizeof(user));
        user[255] = '\0';
        assert_user_name(user, user);
        user[255] = 'u';
        user[256] = '\0';
        assert_true(store_user_name(user, name));
        assert_int_equal(strlen(name), 18);
        assert_memory_equal(name, "%h", 2);
        assert_int_equal(strspn(name + 2, "0123456789abcdef"), 16);
        user[255] = 'v';
        assert_true(store_user_name(user, other));
        assert_int_equal(strlen(other), 18);
        assert_string_not_equal(name, other);
        assert_true(store_user_name_valid(name));

        /* An escape takes three bytes: 85 fit, and one byte more does not. */
        memset(user, ' ', sizeof(user));
        user[85] = '\0';
        assert_true(store_user_name(user, name));
        assert_int_equal(strlen(name), 255);
        user[85] = 'a';
        user[86] = '\0';
        assert_true(store_user_name(user, name));
        assert_memory_equal(name, "%h", 2);
        user[84] = 'a';
        assert_true(store_user_name(user, name));
        assert_int_equal(strlen(name), 254);
}

/* By the definition of FNV-1a; that of "a" is af63dc4c8601ec8c. */
static void hash_is_fnv_1a_of_the_whole_name(void **state) {
        char user[GRANT_USER_MAX], name[STORE_USER_NAME_MAX], expected[STORE_USER_NAME_MAX];
        uint64_t hash = UINT64_C(14695981039346656037);

        (void)state;
        for (size_t i = 0; i < 256; i++)
                user[i] = (char)(i == 0 ? 255 : i);
        user[256] = '\0';
        for (size_t i = 0; i < 256; i++) {
                hash ^= (uint8_t)user[i];
                hash *= UINT64_C(1099511628211);
        }
        (void)snprintf(expected, sizeof(expected), "%%h%016llx", (unsigned long long)hash);
        assert_true(store_user_name(user, name));
        assert_string_equal(name, expected);
}

static void fingerprint_becomes_a_file_name_and_back(void **state) {
        static const char fingerprint[] = "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJK01+/56";
        char name[STORE_FINGERPRINT_NAME_MAX], text[STORE_FINGERPRINT_NAME_MAX + 7];

        (void)state;
        assert_int_equal(sizeof(fingerprint), sizeof(text));
        assert_true(store_fingerprint_name(fingerprint, name));
        assert_string_equal(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJK01-_56");
        store_fingerprint_text(name, text);
        assert_string_equal(text, fingerprint);
}

static void other_fingerprints_have_no_file_name(void **state) {
        static const char good[] = "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJK01+/56";
        static const char *const wrong[] = {
                "",
                "SHA256:",
                "SHA256",
                "MD5:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff",
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJK01+/56",
                "sha256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJK01+/56",
                "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJK01+/5",
                "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJK01+/567",
                "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJK01+/56=",
                "SHA512:abcdefghijklmnopqrstuvwxyzABCDEFGHIJK01+/56",
        };
        char name[STORE_FINGERPRINT_NAME_MAX] = "before";

        (void)state;
        assert_true(store_fingerprint_name(good, name));
        (void)snprintf(name, sizeof(name), "before");
        for (size_t i = 0; i < ELEMENTS(wrong); i++)
                if (store_fingerprint_name(wrong[i], name))
                        fail_msg("\"%s\" is taken", wrong[i]);
        for (unsigned c = 1; c < 256; c++) {
                bool base64 = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
                              c == '/';
                char text[sizeof(good)], other[STORE_FINGERPRINT_NAME_MAX];

                memcpy(text, good, sizeof(text));
                text[20] = (char)c;
                assert_int_equal(store_fingerprint_name(text, other), base64);
        }
        assert_string_equal(name, "before");
}

static void id_is_64_lowercase_hex_digits(void **state) {
        char id[STORE_ID_MAX + 1];

        (void)state;
        assert_true(store_id_valid(ID('0')));
        assert_true(store_id_valid(ID('f')));
        assert_false(store_id_valid(ID('g')));
        assert_false(store_id_valid(ID('F')));
        assert_false(store_id_valid(""));
        assert_false(store_id_valid(repeated('0', STORE_ID_MAX - 2)));
        memset(id, '0', sizeof(id));
        id[STORE_ID_MAX] = '\0';
        assert_false(store_id_valid(id));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(user_name_is_escaped),
                cmocka_unit_test(short_user_names_never_collide),
                cmocka_unit_test(long_user_name_becomes_a_hash),
                cmocka_unit_test(hash_is_fnv_1a_of_the_whole_name),
                cmocka_unit_test(fingerprint_becomes_a_file_name_and_back),
                cmocka_unit_test(other_fingerprints_have_no_file_name),
                cmocka_unit_test(id_is_64_lowercase_hex_digits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
