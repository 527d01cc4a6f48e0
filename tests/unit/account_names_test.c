/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/account.h"

#include <errno.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* In memory that is shared with the children that ask. */
static struct {
        int n_asked;
        bool crashes;
} *name_service;

/* In the place of libc's: dana is another name of an account, in each case. */
struct passwd *getpwnam(const char *user) {
        static char name[GRANT_USER_MAX];
        static struct passwd entry = {.pw_name = name};

        name_service->n_asked++;
        if (name_service->crashes)
                _exit(1);
        if (strncmp(user, "nobody", strlen("nobody")) == 0)
                return NULL;
        (void)snprintf(name, sizeof(name), "%s", strcasecmp(user, "dana") == 0 ? "dana@corp.example" : user);
        return &entry;
}

static int start(void **state) {
        (void)state;
        name_service = mmap(NULL, sizeof(*name_service), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        return name_service == MAP_FAILED;
}

static int stop(void **state) {
        (void)state;
        return munmap(name_service, sizeof(*name_service));
}

static void an_account_has_one_own_name(void **state) {
        struct account_names names = {.n = 0};

        (void)state;
        assert_string_equal(account_own_name(&names, "dana"), "dana@corp.example");
        assert_string_equal(account_own_name(&names, "DANA"), "dana@corp.example");
        assert_string_equal(account_own_name(&names, "dana@corp.example"), "dana@corp.example");
        assert_string_equal(account_own_name(&names, "alice"), "alice");
        assert_string_equal(account_own_name(&names, "nobody"), "nobody");
        assert_int_equal(names.failure, 0);
}

static void a_name_is_asked_for_once_while_it_is_remembered(void **state) {
        struct account_names names = {.n = 0};
        char user[32];

        (void)state;
        for (int i = 0; i < 10; i++)
                assert_string_equal(account_own_name(&names, "dana"), "dana@corp.example");
        assert_int_equal(name_service->n_asked, 1);
        for (int i = 0; i < ACCOUNT_NAMES; i++) {
                (void)snprintf(user, sizeof(user), "nobody%d", i);
                assert_string_equal(account_own_name(&names, user), user);
        }
        assert_int_equal(name_service->n_asked, 1 + ACCOUNT_NAMES);
        assert_string_equal(account_own_name(&names, "dana"), "dana@corp.example");
        assert_int_equal(name_service->n_asked, 2 + ACCOUNT_NAMES);
}

static void a_name_service_that_failed_is_not_asked_again(void **state) {
        struct account_names names = {.n = 0};

        (void)state;
        assert_string_equal(account_own_name(&names, "dana"), "dana@corp.example");
        name_service->crashes = true;
        assert_string_equal(account_own_name(&names, "DANA"), "DANA");
        assert_int_equal(names.failure, -EIO);
        assert_string_equal(account_own_name(&names, "Dana"), "Dana");
        assert_int_equal(name_service->n_asked, 2);
        assert_string_equal(account_own_name(&names, "dana"), "dana@corp.example");
}

static void a_name_that_no_account_can_have_is_not_asked_for(void **state) {
        struct account_names names = {.n = 0};
        char user[GRANT_USER_MAX + 1];

        (void)state;
        memset(user, 'a', sizeof(user));
        user[GRANT_USER_MAX] = '\0';
        assert_string_equal(account_own_name(&names, user), user);
        assert_int_equal(name_service->n_asked, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
        const struct CMUnitTest tests[] = {
                TEST(an_account_has_one_own_name),
                TEST(a_name_is_asked_for_once_while_it_is_remembered),
                TEST(a_name_service_that_failed_is_not_asked_again),
                TEST(a_name_that_no_account_can_have_is_not_asked_for),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
