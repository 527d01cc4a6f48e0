/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/call.h"

#include "wire/frame.h"
#include "wire/json.h"
#include "wire/json_dispatch.h"

/* null is how some clients say that there are none. */
static enum refusal take_parameters(const struct json_dispatch_field *field, json_t *value, void *member,
                                    struct refused *ret_why) {
        if (json_is_null(value))
                return REFUSAL_NONE;
        if (!json_is_object(value))
                return json_dispatch_refuse(field, ret_why);
        *(json_t **)member = json_incref(value);
        return REFUSAL_NONE;
}

/* true is what nobody here can do; false asks for nothing. */
static enum refusal take_upgrade(const struct json_dispatch_field *field, json_t *value, void *member,
                                 struct refused *ret_why) {
        if (!json_is_boolean(value))
                return json_dispatch_refuse(field, ret_why);
        if (json_is_true(value))
                *(const char **)member = field->name;
        return REFUSAL_NONE;
}

static const struct json_dispatch_field fields[] = {
        {"method", json_dispatch_text_ref, offsetof(struct call, method), .min = 1, .max = FRAME_MAX, .required = true,
         .expected = "a name"},
        {"parameters", take_parameters, offsetof(struct call, parameters), .expected = "an object"},
        {"more", json_dispatch_boolean, offsetof(struct call, more), .expected = "true or false"},
        {"oneway", json_dispatch_boolean, offsetof(struct call, oneway), .expected = "true or false"},
        {"upgrade", take_upgrade, offsetof(struct call, unknown), .expected = "true or false"},
        {.name = NULL},
};

/* The first that is in no row. */
static const char *unknown_member(json_t *message) {
        const char *name;
        json_t *value;

        json_object_foreach(message, name, value)
                if (!json_dispatch_known(fields, name))
                        return name;
        return NULL;
}

bool call_parse(const char *message, size_t length, struct call *ret) {
        struct refused ignored;

        *ret = (struct call){.message = json_read(message, length, CALL_DEPTH_MAX)};
        if (json_is_object(ret->message) && !json_dispatch(ret->message, fields, 0, ret, &ignored) &&
            !(ret->more && ret->oneway)) {
                if (!ret->unknown)
                        ret->unknown = unknown_member(ret->message);
                if (!ret->parameters)
                        ret->parameters = json_object();
                if (ret->parameters)
                        return true;
        }
        call_clear(ret);
        return false;
}

void call_clear(struct call *call) {
        json_decref(call->parameters);
        json_decref(call->message);
        *call = (struct call)CALL_INIT;
}
