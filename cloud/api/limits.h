/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rate limits by name: so many a second for each caller, instance or address, in memory of a fixed size. Any thread may
 * call, and the time is an argument.
 */
#ifndef EXC_API_LIMITS_H
#define EXC_API_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum limit {
        LIMIT_ADDRESS,      /* requests of a client's address */
        LIMIT_CALLER,       /* requests of an account */
        LIMIT_INSTANCE,     /* connects to an instance */
        LIMIT_AUTH_FAILURE, /* failed authentications of an address */
        LIMIT_KEYPAIR,      /* key pairs made for an account: RSA takes a processor for a while */
        LIMIT_NOTE,         /* audit lines about refusals by a limit, of one name */
        LIMIT_MAX_,
};

struct limit_rate {
        uint32_t per_minute; /* 0: no limit */
        uint32_t burst;      /* as many at once; at least 1 */
};

struct limits;

/* `rates` is indexed by enum limit and copied. NULL without memory. */
struct limits *limits_new(const struct limit_rate rates[static LIMIT_MAX_]);
void limits_free(struct limits *limits);

/*
 * Takes one of `name` at `now_ns`, of a clock that never goes back. 0: taken. Else none was taken, and one will be there
 * in so many nanoseconds.
 */
int64_t limits_take(struct limits *limits, enum limit limit, const char *name, int64_t now_ns);

/* What limits_take() would return, without taking. */
int64_t limits_ask(struct limits *limits, enum limit limit, const char *name, int64_t now_ns);

#endif
