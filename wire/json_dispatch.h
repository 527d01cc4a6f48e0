/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON objects into structs by tables: one row per member, one table per message, as sd_json_dispatch() of systemd does it.
 *
 *      static const struct json_dispatch_field fields[] = {
 *              {"user", json_dispatch_text, offsetof(struct push, user), .min = 1, .max = 256, .required = true,
 *               .expected = "a login name of 1 to 256 bytes"},
 *              {"ttl", json_dispatch_integer, offsetof(struct push, ttl_s), .min = 1, .max = INT64_MAX,
 *               .expected = "1 or more seconds"},
 *              {.name = NULL},
 *      };
 *
 * A member with a rule of its own names its own function instead of json_dispatch_text().
 */
#ifndef EXC_JSON_DISPATCH_H
#define EXC_JSON_DISPATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/source.h"
#include "wire/refusal.h"

struct json_dispatch_field;

/*
 * Checks `value` and copies it to `member`, which is at the field's offset in the struct. REFUSAL_NONE, or a refusal in
 * `ret_why`: json_dispatch_refuse() where the field's text says all of it. `member` may be half written then.
 */
typedef enum refusal (*json_dispatch_take)(const struct json_dispatch_field *field, json_t *value, void *member,
                                           struct refused *ret_why);

struct json_dispatch_field {
        const char *name; /* NULL ends a table */
        json_dispatch_take take;
        size_t offset;
        int64_t min, max; /* of an integer its value, of a text its bytes, of a list its items; both inclusive */
        bool required;
        const char *expected; /* for people, follows "expected " */
};

enum {
        JSON_DISPATCH_NULL_IS_ABSENT = 1, /* as of an optional parameter in varlink */
        JSON_DISPATCH_REFUSE_UNKNOWN = 2, /* a member that is in no row is refused */
};

/*
 * Fills the struct `ret` from `object`, row by row; unknown members are refused first. What is absent is left as it is in the
 * struct. NULL, or the name of the first member at fault, with a refusal in `ret_why`: InvalidPayload, or what the row's function
 * gave. The name is the table's or, of an unknown member, the object's.
 */
const char *json_dispatch(json_t *object, const struct json_dispatch_field *fields, unsigned flags, void *ret,
                          struct refused *ret_why);

/* Whether the table has a row of that name. */
bool json_dispatch_known(const struct json_dispatch_field *fields, const char *name);

/* "NAME: expected EXPECTED", InvalidPayload. */
enum refusal json_dispatch_refuse(const struct json_dispatch_field *field, struct refused *ret_why);

enum refusal json_dispatch_text(const struct json_dispatch_field *field, json_t *value, void *member,
                                struct refused *ret_why); /* char[max + 1] */
enum refusal json_dispatch_fingerprint(const struct json_dispatch_field *field, json_t *value, void *member,
                                       struct refused *ret_why); /* the same, of what fingerprint_valid() takes */
enum refusal json_dispatch_text_ref(const struct json_dispatch_field *field, json_t *value, void *member,
                                    struct refused *ret_why); /* const char *, valid while the object is */
enum refusal json_dispatch_integer(const struct json_dispatch_field *field, json_t *value, void *member,
                                   struct refused *ret_why); /* int64_t */
enum refusal json_dispatch_boolean(const struct json_dispatch_field *field, json_t *value, void *member,
                                   struct refused *ret_why); /* bool */

/* For functions of rows: an array of min to max items. */
bool json_dispatch_is_list(const struct json_dispatch_field *field, const json_t *value);

/*
 * The addresses that clients of a push must come from (`source` of interface/push.md): a list with at least one, as an empty
 * one could mean anywhere as well as nowhere. `ret` has room for the field's max; what a refusal names counts from 0.
 */
enum refusal json_dispatch_sources(const struct json_dispatch_field *field, json_t *value, struct source *ret,
                                   size_t *ret_n, struct refused *ret_why);

#endif
