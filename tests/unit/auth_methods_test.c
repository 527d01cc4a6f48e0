/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/auth_methods.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ALL_ON                                                                                                         \
        "usepam yes\npermitrootlogin without-password\npasswordauthentication yes\n"                                   \
        "kbdinteractiveauthentication yes\nhostbasedauthentication yes\ngssapiauthentication yes\n"

static char text[AUTH_METHODS_TEXT_MAX];

static int judged(const char *lists, const char *others, bool root) {
        char effective[16384];

        (void)snprintf(effective, sizeof(effective), "%sauthenticationmethods %s\n", others, lists);
        return auth_methods_judge(effective, root, text);
}

static void assert_more(const char *lists, const char *more) {
        assert_int_equal(judged(lists, ALL_ON, false), AUTH_METHODS_MORE);
        assert_string_equal(text, more);
}

static void assert_off(const char *lists, const char *others, bool root, const char *why) {
        assert_int_equal(judged(lists, others, root), AUTH_METHODS_OFF);
        assert_string_equal(text, why);
}

static void assert_is(const char *lists, enum auth_methods is) {
        assert_int_equal(judged(lists, ALL_ON, false), is);
        assert_string_equal(text, "");
}

static void key_alone_is_enough(void **state) {
        (void)state;
        assert_is("any", AUTH_METHODS_KEY);
        assert_is("publickey", AUTH_METHODS_KEY);
        assert_is("publickey,password publickey", AUTH_METHODS_KEY);
        assert_is("password publickey", AUTH_METHODS_KEY);
        assert_int_equal(auth_methods_judge("port 22\n", false, text), AUTH_METHODS_KEY);
        assert_int_equal(auth_methods_judge("", false, text), AUTH_METHODS_KEY);
}

static void rest_of_a_list_is_needed_too(void **state) {
        (void)state;
        assert_more("publickey,keyboard-interactive", "keyboard-interactive");
        assert_more("keyboard-interactive:pam,publickey", "keyboard-interactive:pam");
        assert_more("publickey,password,hostbased", "password and hostbased");
        assert_more("publickey,gssapi-with-mic", "gssapi-with-mic");
}

static void one_of_several_lists_is_needed(void **state) {
        (void)state;
        assert_more("publickey,password publickey,keyboard-interactive:pam", "password, or keyboard-interactive:pam");
        assert_more("publickey,password password,publickey", "password");
        assert_more("publickey,hostbased,password publickey,password publickey,hostbased",
                    "hostbased and password, or password, or hostbased");
        /* A list without a key is a login without the pushed one. */
        assert_more("publickey,keyboard-interactive:pam keyboard-interactive:pam", "keyboard-interactive:pam");
}

static void key_that_is_asked_for_twice_is_another(void **state) {
        (void)state;
        assert_more("publickey,publickey", "another key");
        assert_more("publickey,publickey,publickey", "2 other keys");
        assert_more("publickey,password,publickey", "password and another key");
}

static void lists_without_a_key_have_none(void **state) {
        (void)state;
        assert_is("password", AUTH_METHODS_NO_KEY);
        assert_int_equal(judged("password hostbased,keyboard-interactive", ALL_ON, false), AUTH_METHODS_NO_KEY);
}

static void list_with_a_method_that_is_off_is_left_out(void **state) {
        static const char no_password[] = "usepam yes\npasswordauthentication no\nkbdinteractiveauthentication yes\n";

        (void)state;
        assert_off("publickey,password", no_password, false, "PasswordAuthentication is no");
        assert_off("password publickey,password", no_password, false, "PasswordAuthentication is no");
        assert_off("publickey,keyboard-interactive:pam", "kbdinteractiveauthentication no\n", false,
                   "KbdInteractiveAuthentication is no");
        assert_off("publickey,hostbased", "hostbasedauthentication no\n", false, "HostbasedAuthentication is no");
        assert_off("publickey,gssapi-keyex", "gssapiauthentication no\n", false, "GSSAPIAuthentication is no");
        assert_off("publickey,keyboard-interactive", "kbdinteractiveauthentication yes\nusepam no\n", false,
                   "UsePAM is no");
        assert_int_equal(judged("publickey,password publickey,keyboard-interactive", no_password, false),
                         AUTH_METHODS_MORE);
        assert_string_equal(text, "keyboard-interactive");
        assert_int_equal(judged("publickey,password publickey", no_password, false), AUTH_METHODS_KEY);
}

static void root_has_no_password(void **state) {
        (void)state;
        assert_off("publickey,password", ALL_ON, true, "PermitRootLogin is prohibit-password");
        assert_off("publickey,keyboard-interactive", "permitrootlogin prohibit-password\n", true,
                   "PermitRootLogin is prohibit-password");
        assert_int_equal(judged("publickey,publickey,hostbased publickey,gssapi-with-mic", ALL_ON, true),
                         AUTH_METHODS_MORE);
        assert_int_equal(judged("publickey,password", "permitrootlogin yes\n", true), AUTH_METHODS_MORE);
        assert_string_equal(text, "password");
}

/* None of it is cut: what is left would say less than is needed. */
static void lists_that_are_too_long_are_not_named(void **state) {
        char lists[8192] = "publickey";

        (void)state;
        for (int i = 0; i < 100; i++)
                (void)strcat(lists, ",hostbased");
        assert_more(lists, "what it lists");
        (void)strcpy(lists, "publickey,password");
        for (int i = 0; i < 100; i++)
                (void)snprintf(lists + strlen(lists), sizeof(lists) - strlen(lists),
                               " publickey,keyboard-interactive:%d", i);
        assert_more(lists, "what it lists");
        (void)strcat(lists, " publickey");
        assert_is(lists, AUTH_METHODS_KEY);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(key_alone_is_enough),
                cmocka_unit_test(rest_of_a_list_is_needed_too),
                cmocka_unit_test(one_of_several_lists_is_needed),
                cmocka_unit_test(key_that_is_asked_for_twice_is_another),
                cmocka_unit_test(lists_without_a_key_have_none),
                cmocka_unit_test(list_with_a_method_that_is_off_is_left_out),
                cmocka_unit_test(root_has_no_password),
                cmocka_unit_test(lists_that_are_too_long_are_not_named),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
