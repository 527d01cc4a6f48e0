/* SPDX-License-Identifier: Apache-2.0 */
/* Members of request bodies that several requests have: rows for json_dispatch() into arrays, and what answers have. */
#ifndef EXC_API_MEMBER_H
#define EXC_API_MEMBER_H

#include "wire/json_dispatch.h"

#define MEMBER_NAME_EXPECTED "a letter or digit, then up to 63 letters, digits, '.', '_' or '-'"

/* char[STORE_NAME_MAX] */
enum refusal member_name(const struct json_dispatch_field *field, json_t *value, void *member, struct refused *ret_why);
enum refusal member_account(const struct json_dispatch_field *field, json_t *value, void *member,
                            struct refused *ret_why);

/* char[STORE_TEXT_MAX]: text that is not empty and has no control characters, and a login name. */
enum refusal member_label(const struct json_dispatch_field *field, json_t *value, void *member,
                          struct refused *ret_why);
enum refusal member_user(const struct json_dispatch_field *field, json_t *value, void *member, struct refused *ret_why);

/* char[STORE_ADDRESS_MAX]: an address in its canonical text. */
enum refusal member_ipv4(const struct json_dispatch_field *field, json_t *value, void *member, struct refused *ret_why);
enum refusal member_ipv6(const struct json_dispatch_field *field, json_t *value, void *member, struct refused *ret_why);

/* json_t *, an object, borrowed. */
enum refusal member_object(const struct json_dispatch_field *field, json_t *value, void *member,
                           struct refused *ret_why);

/* A JSON string, null for "". */
json_t *member_text(const char *text);

#endif
