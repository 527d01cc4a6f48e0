/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocations that fail, one after the other, for tests that are linked with --wrap of these functions. jansson's are among
 * them, by wire/json.h.
 */
#ifndef EXC_NO_MEMORY_H
#define EXC_NO_MEMORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ALLOCATIONS_MAX = 10000 };

static size_t until_failure; /* 0: none fails */
static bool has_failed;

static inline bool fails(void) {
        if (until_failure == 0 || --until_failure > 0)
                return false;
        has_failed = true;
        return true;
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size) {
        return fails() ? NULL : __real_calloc(n, size);
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size) {
        return fails() ? NULL : __real_malloc(size);
}

void *__real_realloc(void *at, size_t size);
void *__wrap_realloc(void *at, size_t size);
void *__wrap_realloc(void *at, size_t size) {
        return fails() ? NULL : __real_realloc(at, size);
}

void *__real_reallocarray(void *at, size_t n, size_t size);
void *__wrap_reallocarray(void *at, size_t n, size_t size);
void *__wrap_reallocarray(void *at, size_t n, size_t size) {
        return fails() ? NULL : __real_reallocarray(at, n, size);
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text) {
        return fails() ? NULL : __real_strdup(text);
}

/* Calls `operation` until none of its allocations failed, and returns how many it has. */
static inline size_t without_memory(void (*operation)(void)) {
        for (size_t n = 1; n < ALLOCATIONS_MAX; n++) {
                until_failure = n;
                has_failed = false;
                operation();
                until_failure = 0;
                if (!has_failed)
                        return n - 1;
        }
        fail_msg("no end of allocations");
        return 0;
}

#endif
