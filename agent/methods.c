/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/methods.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/audit.h"
#include "agent/freshness.h"
#include "agent/host_keys.h"
#include "agent/instance_id.h"
#include "agent/listing.h"
#include "agent/pushing.h"
#include "agent/revoking.h"
#include "agent/service.h"
#include "agent/signed.h"
#include "common/sshd_drop_in.h"

static const char *const drop_ins[] = {SSHD_DROP_IN_PATHS};

static struct agent *agent_of(const struct connection *connection) {
        return connection->home->agent;
}

static json_t *clock_state(void) {
        return json_pack("{sI sb}", "unix", (json_int_t)(instant_now().wall_ns / NS_PER_S), "synchronized",
                         clock_synchronized());
}

/* null where there is none, as in "?string". */
static json_t *instance_id(const struct agent *agent) {
        struct instance_id instance;

        instance_id_read(agent->config, agent->config_dir, &instance);
        return instance.id[0] != '\0' ? json_string(instance.id) : json_null();
}

static bool boot_id(char ret[static 40]) {
        ssize_t n;
        int fd;

        fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        n = read(fd, ret, 36);
        (void)close(fd);
        ret[n > 0 ? n : 0] = '\0';
        return n == 36;
}

static void hello(struct connection *connection) {
        struct agent *agent = agent_of(connection);
        json_t *sync = json_object_get(connection->call.parameters, "sync"), *limits;
        char boot[40];
        struct refused why;

        if (sync && !json_is_string(sync) && !json_is_null(sync)) {
                service_invalid_parameter(connection, "sync");
                return;
        }
        (void)agent_refresh_config(agent);
        if (!challenge_make(&connection->challenge, instant_now().boot_ns) || !boot_id(boot)) {
                (void)refuse(&why, REFUSAL_STORAGE_FAILURE, "The kernel gave no random bytes, or no boot id.");
                connection_refuse(connection, &why);
                return;
        }
        limits =
                json_pack("{si si si si si}", "messageBytes", FRAME_MAX, "maxTtl", (int)agent->config->max_ttl_s,
                          "keysPerPush", PUSH_KEYS_MAX, "keysPerUser", AGENT_KEYS_PER_USER_MAX, "keys", AGENT_KEYS_MAX);
        connection_reply(connection, json_pack("{sO? ss so ss ss so so}", "sync", sync, "version", PACKAGE_VERSION,
                                               "instance", instance_id(agent), "bootId", boot, "challenge",
                                               connection->challenge.text, "clock", clock_state(), "limits", limits));
}

static void get_host_keys(struct connection *connection) {
        connection_reply(connection, json_pack("{so}", "hostKeys", host_keys(agent_of(connection)->config)));
}

static bool sshd_asks(void) {
        for (size_t i = 0; i < sizeof(drop_ins) / sizeof(drop_ins[0]); i++)
                if (access(drop_ins[i], F_OK) == 0)
                        return true;
        return false;
}

static void status(struct connection *connection) {
        struct agent *agent = agent_of(connection);

        (void)agent_refresh_config(agent);
        agent_refresh_anchors(agent);
        connection_reply(connection,
                         json_pack("{ss so ss si sI so ss}", "version", PACKAGE_VERSION, "instance", instance_id(agent),
                                   "trust", agent->config->trust == TRUST_CHANNEL ? "channel" : "signed", "anchors",
                                   (int)agent->anchors.n, "keys", (json_int_t)agent->live, "clock", clock_state(),
                                   "sshd", sshd_asks() ? "enabled" : "disabled"));
}

/* The interface is one for all sockets, but some of its methods are for the administrator on this machine alone. */
static const struct method {
        const char *name;
        bool local;
        bool has_budget; /* its own: see budget_push() */
        void (*call)(struct connection *connection);
} methods[] = {
        {VARLINK_INTERFACE ".Hello", false, false, hello},
        {VARLINK_INTERFACE ".Push", false, true, signed_push},
        {VARLINK_INTERFACE ".Revoke", false, true, signed_revoke},
        {VARLINK_INTERFACE ".HostKeys", false, false, get_host_keys},
        {VARLINK_INTERFACE ".Status", false, false, status},
        {VARLINK_INTERFACE ".PushLocal", true, true, push_local},
        {VARLINK_INTERFACE ".RevokeLocal", true, false, revoke_local},
        {VARLINK_INTERFACE ".List", true, false, list_keys},
        {"org.varlink.service.GetInfo", false, false, service_get_info},
        {"org.varlink.service.GetInterfaceDescription", false, false, service_get_interface_description},
};

static const struct method *find(const char *name) {
        for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
                if (strcmp(methods[i].name, name) == 0)
                        return &methods[i];
        return NULL;
}

static bool only_for_admin(const struct method *method, const struct connection *connection) {
        return method->local && connection->home->channel != CHANNEL_ADMIN;
}

int64_t methods_wait(struct connection *connection) {
        const struct method *method = connection->call.method ? find(connection->call.method) : NULL;
        const struct connection_home *home = connection->home;

        if (method && method->has_budget && !only_for_admin(method, connection))
                return 0;
        if (home->channel != CHANNEL_ADMIN && home->agent->config->rate_limit == 0)
                return 0;
        return budget_call(home->budget);
}

void methods_call(struct connection *connection) {
        const struct method *method = find(connection->call.method);
        struct refused why;

        if (!method) {
                service_method_not_found(connection);
                return;
        }
        if (only_for_admin(method, connection)) {
                (void)refuse(&why, REFUSAL_PERMISSION_DENIED, "%s is for the administration socket.",
                             strrchr(method->name, '.') + 1);
                if (budget_note(connection->home->budget))
                        audit_refused(strrchr(method->name, '.') + 1, &why, "", "", "");
                connection_refuse(connection, &why);
                return;
        }
        method->call(connection);
}
