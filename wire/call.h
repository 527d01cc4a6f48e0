/* SPDX-License-Identifier: Apache-2.0 */
/* A varlink call: what one message asks for. */
#ifndef EXC_CALL_H
#define EXC_CALL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
        /*
         * Brackets within brackets: message, parameters, envelope, signatures, signature; and below those what an unknown
         * member of an envelope holds, which is ignored.
         */
        CALL_DEPTH_MAX = 10,
};

struct call {
        json_t *message;     /* holds what the two below point into */
        const char *method;  /* with its interface */
        json_t *parameters;  /* an object, empty where the message has none */
        bool more;           /* several replies are welcome */
        bool oneway;         /* no reply is */
        const char *unknown; /* a member that asks for something else, as upgrade; NULL: none */
};

#define CALL_INIT {.message = NULL}

/*
 * False when the message is no call: not an object with a method, and parameters, more, oneway and upgrade each of its type,
 * and not both of more and oneway; or JSON that wire/json.h does not take. `ret` is then empty. call_clear() frees it.
 *
 * A call with `unknown` is not carried out, since what it asks for is not known; the reply is InvalidParameter with that name.
 * The varlink specification (varlink.org/Method-Call) has upgrade, which asks for another protocol: none is served.
 */
bool call_parse(const char *message, size_t length, struct call *ret);
void call_clear(struct call *call);

#endif
