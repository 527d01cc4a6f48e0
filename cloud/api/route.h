/* SPDX-License-Identifier: Apache-2.0 */
/* Which function answers which method and path. The table is in route.c; handlers are declared where they are written. */
#ifndef EXC_API_ROUTE_H
#define EXC_API_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "cloud/api/request.h"

enum {
        ROUTE_PUBLIC = 1, /* no token is needed */
        ROUTE_BODY = 2,   /* takes a body; else one is refused */
        ROUTE_SLOW = 4,   /* waits for the signer or a host: some workers are kept for the others */
};

struct route {
        enum request_method method;
        const char *path; /* segments; "*" is any one segment, and literal ones are preferred to it */
        void (*handle)(struct request *request);
        unsigned flags;
        const char *query; /* names of the parameters that it takes, separated by blanks; NULL: none */
};

/*
 * The route of a target. NULL: where `ret_allow` is not empty the path exists, and these are its methods ("GET, PUT");
 * else there is no such path.
 */
enum { ROUTE_ALLOW_MAX = 64 };
const struct route *route_find(const struct request_target *target, enum request_method method,
                               char ret_allow[static ROUTE_ALLOW_MAX]);

/* A method and its name, which is NULL for METHOD_OTHER. */
enum request_method route_method(const char *name);
const char *route_method_name(enum request_method method);

/* Whether the route takes a query parameter of that name. */
bool route_takes(const struct route *route, const char *query);

#endif
