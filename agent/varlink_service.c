/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/varlink_service.h"

#include <string.h>

#include "agent/audit.h"
#include "agent/method_info.h"
#include "agent/method_launch.h"
#include "agent/method_list.h"
#include "agent/method_push.h"
#include "agent/method_revoke.h"
#include "common/debug.h"

/* Sets of channels. */
enum channels {
        ADMIN = 1 << CONNECTION_ADMIN,
        METADATA = 1 << CONNECTION_METADATA,
        HOST_AND_ADMIN = ADMIN | 1 << CONNECTION_RELAY | 1 << CONNECTION_VSOCK,
        ALL = HOST_AND_ADMIN | METADATA,
};

enum budget_kind {
        CALL_BUDGET,
        PUSH_BUDGET, /* the method itself takes it: ratelimit_push() */
};

/* The interface is the same on all sockets, but not all of its methods are for all of them. */
static const struct method {
        const char *name;
        enum channels channels; /* elsewhere it is refused */
        enum budget_kind budget;
        void (*call)(struct connection *connection);
} methods[] = {
        {VARLINK_INTERFACE ".Hello", HOST_AND_ADMIN, CALL_BUDGET, method_hello},
        {VARLINK_INTERFACE ".Push", HOST_AND_ADMIN, PUSH_BUDGET, method_push},
        {VARLINK_INTERFACE ".Revoke", HOST_AND_ADMIN, PUSH_BUDGET, method_revoke},
        {VARLINK_INTERFACE ".HostKeys", HOST_AND_ADMIN, CALL_BUDGET, method_host_keys},
        {VARLINK_INTERFACE ".Status", HOST_AND_ADMIN, CALL_BUDGET, method_status},
        {VARLINK_INTERFACE ".PushLocal", ADMIN, PUSH_BUDGET, method_push_local},
        {VARLINK_INTERFACE ".RevokeLocal", ADMIN, CALL_BUDGET, method_revoke_local},
        {VARLINK_INTERFACE ".List", ADMIN, CALL_BUDGET, method_list},
        {VARLINK_INTERFACE ".SetLaunchKeys", METADATA, CALL_BUDGET, method_set_launch_keys},
        {VARLINK_INTERFACE ".SetInstanceId", METADATA, CALL_BUDGET, method_set_instance_id},
        {VARLINK_SERVICE ".GetInfo", ALL, CALL_BUDGET, method_get_info},
        {VARLINK_SERVICE ".GetInterfaceDescription", ALL, CALL_BUDGET, method_get_interface_description},
};

static const struct method *find(const char *name) {
        for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
                if (strcmp(methods[i].name, name) == 0)
                        return &methods[i];
        return NULL;
}

static bool allowed_here(const struct method *method, const struct connection *connection) {
        return (method->channels & 1U << connection->home->channel) != 0;
}

int64_t varlink_service_wait(struct connection *connection) {
        const struct method *method = connection->call.method ? find(connection->call.method) : NULL;
        const struct connection_home *home = connection->home;

        if (method && !connection->call.unknown && method->budget == PUSH_BUDGET && allowed_here(method, connection))
                return 0;
        if (home->channel != CONNECTION_ADMIN && home->agent->config->rate_limit == 0)
                return 0;
        return ratelimit_call(home->budget);
}

void varlink_service_call(struct connection *connection) {
        const struct method *method = find(connection->call.method);
        struct refused why;
        const char *name;

        debug_line("call: %s", method ? method->name : "of an unknown method");
        if (connection->call.unknown) {
                connection_invalid_parameter(connection, connection->call.unknown);
                return;
        }
        if (!method) {
                connection_error(connection, VARLINK_SERVICE ".MethodNotFound",
                                 json_pack("{ss}", "method", connection->call.method));
                return;
        }
        if (allowed_here(method, connection)) {
                method->call(connection);
                return;
        }
        name = strrchr(method->name, '.') + 1;
        (void)refuse(&why, REFUSAL_PERMISSION_DENIED, "%s: %s", name,
                     method->channels == ADMIN      ? "only allowed on the administration socket"
                     : method->channels == METADATA ? "only allowed on the metadata socket"
                                                    : "not allowed on the metadata socket");
        if (ratelimit_note(connection->home->budget))
                audit_refused(name, &why, "", "", "");
        connection_refuse(connection, &why);
}
