/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_dispatch.h"

#include <string.h>

#include "wire/fingerprint.h"

bool json_dispatch_known(const struct json_dispatch_field *fields, const char *name) {
        for (; fields->name; fields++)
                if (strcmp(fields->name, name) == 0)
                        return true;
        return false;
}

enum refusal json_dispatch_refuse(const struct json_dispatch_field *field, struct refused *ret_why) {
        return refuse_field(ret_why, field->name, "%s: expected %s", field->name, field->expected);
}

static enum refusal take_field(json_t *object, const struct json_dispatch_field *field, unsigned flags, void *ret,
                               struct refused *ret_why) {
        json_t *value = json_object_get(object, field->name);

        if (value && !(json_is_null(value) && (flags & JSON_DISPATCH_NULL_IS_ABSENT) != 0))
                return field->take(field, value, (char *)ret + field->offset, ret_why);
        if (field->required)
                return refuse_field(ret_why, field->name, "%s: missing; expected %s", field->name, field->expected);
        return REFUSAL_NONE;
}

const char *json_dispatch(json_t *object, const struct json_dispatch_field *fields, unsigned flags, void *ret,
                          struct refused *ret_why) {
        const char *name;
        json_t *value;

        if ((flags & JSON_DISPATCH_REFUSE_UNKNOWN) != 0)
                json_object_foreach(object, name, value)
                        if (!json_dispatch_known(fields, name)) {
                                /* The field has its name, which may be of any length. */
                                (void)refuse_field(ret_why, name, "unknown parameter; check its spelling");
                                return name;
                        }
        for (; fields->name; fields++)
                if (take_field(object, fields, flags, ret, ret_why) != REFUSAL_NONE)
                        return fields->name;
        return NULL;
}

static bool text_fits(const struct json_dispatch_field *field, const json_t *value) {
        return json_is_string(value) && (int64_t)json_string_length(value) >= field->min &&
               (int64_t)json_string_length(value) <= field->max;
}

enum refusal json_dispatch_text(const struct json_dispatch_field *field, json_t *value, void *member,
                                struct refused *ret_why) {
        if (!text_fits(field, value))
                return json_dispatch_refuse(field, ret_why);
        memcpy(member, json_string_value(value), json_string_length(value) + 1);
        return REFUSAL_NONE;
}

enum refusal json_dispatch_fingerprint(const struct json_dispatch_field *field, json_t *value, void *member,
                                       struct refused *ret_why) {
        if (!json_is_string(value) || !fingerprint_valid(json_string_value(value)))
                return json_dispatch_refuse(field, ret_why);
        return json_dispatch_text(field, value, member, ret_why);
}

enum refusal json_dispatch_text_ref(const struct json_dispatch_field *field, json_t *value, void *member,
                                    struct refused *ret_why) {
        if (!text_fits(field, value))
                return json_dispatch_refuse(field, ret_why);
        *(const char **)member = json_string_value(value);
        return REFUSAL_NONE;
}

enum refusal json_dispatch_integer(const struct json_dispatch_field *field, json_t *value, void *member,
                                   struct refused *ret_why) {
        if (!json_is_integer(value) || json_integer_value(value) < field->min || json_integer_value(value) > field->max)
                return json_dispatch_refuse(field, ret_why);
        *(int64_t *)member = json_integer_value(value);
        return REFUSAL_NONE;
}

enum refusal json_dispatch_boolean(const struct json_dispatch_field *field, json_t *value, void *member,
                                   struct refused *ret_why) {
        if (!json_is_boolean(value))
                return json_dispatch_refuse(field, ret_why);
        *(bool *)member = json_is_true(value);
        return REFUSAL_NONE;
}

bool json_dispatch_is_list(const struct json_dispatch_field *field, const json_t *value) {
        return json_is_array(value) && (int64_t)json_array_size(value) >= field->min &&
               (int64_t)json_array_size(value) <= field->max;
}

enum refusal json_dispatch_sources(const struct json_dispatch_field *field, json_t *value, struct source *ret,
                                   size_t *ret_n, struct refused *ret_why) {
        json_t *text;
        size_t i;

        if (!json_dispatch_is_list(field, value))
                return json_dispatch_refuse(field, ret_why);
        json_array_foreach(value, i, text) {
                if (json_is_string(text) && source_is_link_local(json_string_value(text)))
                        return refuse_field(ret_why, field->name, "%s: item %zu: " SOURCE_LINK_LOCAL, field->name, i);
                if (!json_is_string(text) || !source_from_text(json_string_value(text), &ret[i]))
                        return refuse_field(ret_why, field->name,
                                            "%s: item %zu: expected an address, or a range with zero host bits, as "
                                            "192.0.2.7 or 2001:db8::/32",
                                            field->name, i);
        }
        *ret_n = json_array_size(value);
        return REFUSAL_NONE;
}
