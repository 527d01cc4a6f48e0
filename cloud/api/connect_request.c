/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/connect_request.h"

#include <stdio.h>
#include <string.h>

#include "cloud/api/key_line.h"
#include "cloud/api/member.h"
#include "wire/vm_id.h"

enum {
        CONNECTIONS_MAX = 100, /* push.md */
        PUBLIC_KEY_MAX = 8 * 1024,
};

#define VM_ID_MAX ((INT64_C(1) << 53) - 1)

/* --- members ----------------------------------------------------------------------------------------------------- */

static enum refusal take_vm_id(const struct json_dispatch_field *field, json_t *value, void *member,
                               struct refused *ret_why) {
        json_int_t number = json_integer_value(value);
        char *to = member;

        if (json_is_integer(value) && number >= 0 && number <= VM_ID_MAX) {
                (void)snprintf(to, STORE_NAME_MAX, "%lld", (long long)number);
                return REFUSAL_NONE;
        }
        if (!json_is_string(value) || !vm_id_valid(json_string_value(value)))
                return json_dispatch_refuse(field, ret_why);
        memcpy(to, json_string_value(value), json_string_length(value) + 1);
        return REFUSAL_NONE;
}

static enum refusal take_public_key(const struct json_dispatch_field *field, json_t *value, void *member,
                                    struct refused *ret_why) {
        struct connect_request *request = member;
        const char *text = json_string_value(value), *why;

        if (!text || json_string_length(value) > PUBLIC_KEY_MAX)
                return json_dispatch_refuse(field, ret_why);
        why = key_line_parse(text, &request->key);
        if (why)
                return refuse_field(ret_why, field->name, "%s: %s", field->name, why);
        request->has_key = true;
        return REFUSAL_NONE;
}

static enum refusal take_sources(const struct json_dispatch_field *field, json_t *value, void *member,
                                 struct refused *ret_why) {
        struct connect_request *request = member;

        return json_dispatch_sources(field, value, request->sources, &request->n_sources, ret_why);
}

static enum refusal take_named(const struct json_dispatch_field *field, json_t *value, void *member,
                               struct refused *ret_why) {
        if (!json_is_boolean(value))
                return json_dispatch_refuse(field, ret_why);
        *(enum named *)member = json_is_true(value) ? NAMED_TRUE : NAMED_FALSE;
        return REFUSAL_NONE;
}

const struct json_dispatch_field connect_request_fields[] = {
        {"vm_id", take_vm_id, offsetof(struct connect_request, vm_id), .required = true,
         .expected = "an instance's id: [a-z0-9][a-z0-9._-]{0,63}, or an integer from 0 to 2^53-1"},
        {"user", member_user, offsetof(struct connect_request, user),
         .expected = "a name of 1 to 256 bytes that does not begin with '-', without control characters"},
        {"public_key", take_public_key, 0, .expected = "one SSH public key"},
        {"return_private_key", take_named, offsetof(struct connect_request, return_private_key),
         .expected = "true or false"},
        {"connections", json_dispatch_integer, offsetof(struct connect_request, connections), .max = CONNECTIONS_MAX,
         .expected = "0 to 100"},
        {"ttl", json_dispatch_integer, offsetof(struct connect_request, ttl_s), .min = 1, .max = INT64_MAX,
         .expected = "1 or more seconds"},
        {"source", take_sources, 0, .min = 1, .max = SIGNER_SOURCES_MAX,
         .expected = "1 to 16 addresses or CIDR ranges, host bits zero"},
        {"restrict", take_named, offsetof(struct connect_request, restricted), .expected = "true or false"},
        {.name = NULL},
};

/* --- the whole --------------------------------------------------------------------------------------------------- */

bool connect_request_pushes(const struct connect_request *request) {
        return request->has_key || request->return_private_key != NAMED_FALSE;
}

/* The first member that says how a key is pushed, or NULL. */
static const char *names_a_push(const struct connect_request *request) {
        if (request->connections >= 0)
                return "connections";
        if (request->ttl_s > 0)
                return "ttl";
        if (request->n_sources > 0)
                return "source";
        return request->restricted != NAMED_NOT ? "restrict" : NULL;
}

const char *connect_request_complete(struct connect_request *request, const char **ret_why) {
        const char *member = connect_request_pushes(request) ? NULL : names_a_push(request);

        if (request->has_key && request->return_private_key != NAMED_NOT) {
                *ret_why = "not together with public_key, whose private half is not known here";
                return "return_private_key";
        }
        if (member) {
                *ret_why = "nothing is pushed where return_private_key is false; leave this member out";
                return member;
        }
        /* Others may know a public key that was sent; one made here is known to nobody. */
        if (request->connections < 0)
                request->connections = request->has_key ? 0 : 1;
        return NULL;
}
