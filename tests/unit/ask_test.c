/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of the administrator's calls, where memory runs out at each allocation in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/ask.h"

static size_t allocations, fails_at; /* from 1; 0: none fails */

static void *limited_malloc(size_t size) {
        return ++allocations == fails_at ? NULL : malloc(size);
}

static int setup(void **state) {
        (void)state;
        allocations = fails_at = 0;
        json_set_alloc_funcs(limited_malloc, free);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        json_set_alloc_funcs(malloc, free);
        return 0;
}

/* That the parameters name these keys, and that without memory there are none. */
static void assert_names(const struct options *options, const char *expected) {
        json_t *parameters;
        size_t needed;
        char *text;

        parameters = ask_which_keys(options);
        needed = allocations;
        assert_non_null(parameters);
        text = json_dumps(parameters, JSON_COMPACT | JSON_SORT_KEYS);
        assert_non_null(text);
        assert_string_equal(text, expected);
        free(text);
        json_decref(parameters);
        assert_true(needed > 0);
        for (size_t i = 1; i <= needed; i++) {
                allocations = 0;
                fails_at = i;
                assert_null(ask_which_keys(options));
        }
        allocations = fails_at = 0;
}

static void without_memory_no_more_keys_are_named(void **state) {
        (void)state;
        assert_names(&(struct options){.user = "alice"}, "{\"user\":\"alice\"}");
        assert_names(&(struct options){.fingerprint = "SHA256:x"}, "{\"fingerprint\":\"SHA256:x\"}");
        assert_names(&(struct options){.user = "alice", .fingerprint = "SHA256:x"},
                     "{\"fingerprint\":\"SHA256:x\",\"user\":\"alice\"}");
}

static void nothing_given_is_all_keys(void **state) {
        (void)state;
        assert_names(&(struct options){.user = NULL}, "{}");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(without_memory_no_more_keys_are_named, setup, teardown),
                cmocka_unit_test_setup_teardown(nothing_given_is_all_keys, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
