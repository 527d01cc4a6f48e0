/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/call.h"

#include <string.h>

#include "wire/json.h"

static bool take_member(struct call *call, const char *name, json_t *value) {
        if (strcmp(name, "method") == 0) {
                call->method = json_string_value(value);
                return call->method && call->method[0] != '\0';
        }
        if (strcmp(name, "parameters") == 0) {
                /* null is how some clients say that there are none. */
                if (json_is_null(value))
                        return true;
                call->parameters = json_incref(value);
                return json_is_object(value);
        }
        if (strcmp(name, "more") == 0) {
                call->more = json_is_true(value);
                return json_is_boolean(value);
        }
        if (strcmp(name, "oneway") == 0) {
                call->oneway = json_is_true(value);
                return json_is_boolean(value);
        }
        return false;
}

static bool take_members(struct call *call) {
        const char *name;
        json_t *value;

        json_object_foreach(call->message, name, value)
                if (!take_member(call, name, value))
                        return false;
        if (!call->parameters)
                call->parameters = json_object();
        return call->method && call->parameters && !(call->more && call->oneway);
}

bool call_parse(const char *message, size_t length, struct call *ret) {
        *ret = (struct call)CALL_INIT;
        ret->message = json_read(message, length, CALL_DEPTH_MAX);
        if (json_is_object(ret->message) && take_members(ret))
                return true;
        call_clear(ret);
        return false;
}

void call_clear(struct call *call) {
        json_decref(call->parameters);
        json_decref(call->message);
        *call = (struct call)CALL_INIT;
}

bool call_text_parameter(const struct call *call, const char *name, const char **ret) {
        json_t *value = json_object_get(call->parameters, name);

        *ret = json_string_value(value);
        return !value || json_is_null(value) || (*ret && (*ret)[0] != '\0');
}
