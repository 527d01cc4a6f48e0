/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many calls to guests may be under way at once, so that guests and hosts that hang cannot take all worker threads:
 * of one instance, of one host, and in all.
 */
#ifndef EXC_IN_FLIGHT_H
#define EXC_IN_FLIGHT_H

#include <stddef.h>

enum { IN_FLIGHT_MAX = 192 }; /* in all, at most */

struct in_flight_bounds {
        size_t instance, host;
        size_t all; /* at most IN_FLIGHT_MAX */
};

enum in_flight_result {
        IN_FLIGHT_OK,
        IN_FLIGHT_INSTANCE, /* its bound is reached */
        IN_FLIGHT_HOST,
        IN_FLIGHT_ALL,
};

struct in_flight;

/* NULL without memory. */
struct in_flight *in_flight_new(struct in_flight_bounds bounds);
void in_flight_free(struct in_flight *calls);

/* Never waits. After IN_FLIGHT_OK in_flight_leave() must follow, with what `ret_slot` is. The names are kept, not copied. */
enum in_flight_result in_flight_enter(struct in_flight *calls, const char *instance, const char *host,
                                      size_t *ret_slot);
void in_flight_leave(struct in_flight *calls, size_t slot);

#endif
