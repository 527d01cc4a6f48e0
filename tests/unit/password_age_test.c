/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/password_age.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { TODAY = 20000 };

static struct spwd entry(long expire, long changed, long max, long inactive) {
        return (struct spwd){.sp_expire = expire, .sp_lstchg = changed, .sp_max = max, .sp_inact = inactive};
}

/* `before` and `since` Linux-PAM 1.7. */
static void assert_age(struct spwd shadow, enum password_age before, enum password_age since) {
        assert_int_equal(password_age_of(&shadow, TODAY, false), before);
        assert_int_equal(password_age_of(&shadow, TODAY, true), since);
}

static void assert_both(struct spwd shadow, enum password_age age) {
        assert_age(shadow, age, age);
}

static void account_expires_on_its_day(void **state) {
        (void)state;
        assert_both(entry(TODAY + 1, TODAY, 60, 30), PASSWORD_AGE_FINE);
        assert_both(entry(TODAY, TODAY, 60, 30), PASSWORD_AGE_ACCOUNT_EXPIRED);
        assert_both(entry(TODAY - 1, 0, 60, 30), PASSWORD_AGE_ACCOUNT_EXPIRED);
        assert_both(entry(0, TODAY, -1, -1), PASSWORD_AGE_ACCOUNT_EXPIRED);
        assert_both(entry(-1, TODAY, -1, -1), PASSWORD_AGE_FINE);
}

static void password_that_was_never_changed_must_be(void **state) {
        (void)state;
        assert_both(entry(-1, 0, -1, -1), PASSWORD_AGE_CHANGE);
        assert_both(entry(-1, 0, 60, 30), PASSWORD_AGE_CHANGE);
        assert_both(entry(-1, 0, 99999, 0), PASSWORD_AGE_CHANGE);
}

static void password_ages_and_then_is_inactive(void **state) {
        (void)state;
        assert_both(entry(-1, TODAY - 59, 60, 30), PASSWORD_AGE_FINE);
        assert_age(entry(-1, TODAY - 60, 60, 30), PASSWORD_AGE_FINE, PASSWORD_AGE_CHANGE);
        assert_both(entry(-1, TODAY - 61, 60, 30), PASSWORD_AGE_CHANGE);
        assert_both(entry(-1, TODAY - 89, 60, 30), PASSWORD_AGE_CHANGE);
        assert_age(entry(-1, TODAY - 90, 60, 30), PASSWORD_AGE_CHANGE, PASSWORD_AGE_INACTIVE);
        assert_both(entry(-1, TODAY - 91, 60, 30), PASSWORD_AGE_INACTIVE);
        assert_both(entry(-1, TODAY - 1000, 60, -1), PASSWORD_AGE_CHANGE);
        assert_both(entry(-1, TODAY - 61, 60, 0), PASSWORD_AGE_INACTIVE);
}

static void without_a_maximum_nothing_ages(void **state) {
        (void)state;
        assert_both(entry(-1, 1, -1, -1), PASSWORD_AGE_FINE);
        assert_both(entry(-1, 1, -1, 0), PASSWORD_AGE_FINE);
        assert_both(entry(-1, 1, 99999, 7), PASSWORD_AGE_FINE);
        assert_both(entry(-1, 1, LONG_MAX, LONG_MAX), PASSWORD_AGE_FINE);
        assert_both(entry(-1, TODAY + 10, 0, 0), PASSWORD_AGE_FINE);
}

static void unknown_day_of_the_last_change_is_old_before_1_7(void **state) {
        (void)state;
        assert_age(entry(-1, -1, 60, -1), PASSWORD_AGE_CHANGE, PASSWORD_AGE_FINE);
        assert_age(entry(-1, -1, 60, 30), PASSWORD_AGE_INACTIVE, PASSWORD_AGE_FINE);
        assert_both(entry(-1, -1, -1, -1), PASSWORD_AGE_FINE);
}

static void hash_that_no_password_has_is_locked(void **state) {
        (void)state;
        assert_true(password_is_locked("!"));
        assert_true(password_is_locked("*"));
        assert_true(password_is_locked("!$y$j9T$abc$def"));
        assert_true(password_is_locked("x"));
        assert_false(password_is_locked("$y$j9T$abc$def"));
        assert_false(password_is_locked("ab0123456789."));
        assert_false(password_is_locked(""));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(account_expires_on_its_day),
                cmocka_unit_test(password_that_was_never_changed_must_be),
                cmocka_unit_test(password_ages_and_then_is_inactive),
                cmocka_unit_test(without_a_maximum_nothing_ages),
                cmocka_unit_test(unknown_day_of_the_last_change_is_old_before_1_7),
                cmocka_unit_test(hash_that_no_password_has_is_locked),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
