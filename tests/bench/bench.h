/* SPDX-License-Identifier: Apache-2.0 */
/* What the measuring programs share. A fault ends the program: a figure of something that failed would be a lie. */
#ifndef EXC_BENCH_H
#define EXC_BENCH_H

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

__attribute__((format(printf, 1, 2))) _Noreturn static inline void die(const char *format, ...) {
        int error = errno;
        va_list arguments;

        va_start(arguments, format);
        (void)vfprintf(stderr, format, arguments);
        va_end(arguments);
        (void)fprintf(stderr, " (%s)\n", strerror(error));
        exit(EXIT_FAILURE);
}

static inline int64_t now_ns(void) {
        struct timespec t;

        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static inline int compare_ns(const void *a, const void *b) {
        const int64_t *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

/* Sorts them. */
static inline int64_t median_ns(int64_t *ns, size_t n) {
        qsort(ns, n, sizeof(*ns), compare_ns);
        return n % 2 ? ns[n / 2] : (ns[n / 2 - 1] + ns[n / 2]) / 2;
}

/* A number of 1 or more. */
static inline size_t count_argument(const char *text) {
        char *end;
        long value = strtol(text, &end, 10);

        if (*end != '\0' || value < 1)
                die("%s is not a number of 1 or more", text);
        return (size_t)value;
}

#endif
