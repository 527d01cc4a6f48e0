/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/method_info.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent/freshness.h"
#include "agent/host_keys.h"
#include "agent/instance_id.h"
#include "common/sshd_drop_in.h"
#include "wire/json_dispatch.h"
#include "wire/service.h"

/* --- in.excloud.InstanceConnect ------------------------------------------------------------------------------------------- */

static struct agent *agent_of(const struct connection *connection) {
        return connection->home->agent;
}

static json_t *clock_state(void) {
        return json_pack("{sI sb}", "unix", (json_int_t)(instant_now().wall_ns / NS_PER_S), "synchronized",
                         freshness_clock_synchronized());
}

/* null where there is none, as in "?string". */
static json_t *instance_id(struct agent *agent) {
        const char *id = agent->instance_id.id;

        agent_refresh_instance_id(agent);
        return id[0] != '\0' ? json_string(id) : json_null();
}

enum { BOOT_ID_LENGTH = 36 };

/* NULL: the kernel does not give it. */
static const char *boot_id(void) {
        static char id[BOOT_ID_LENGTH + 1]; /* does not change while this process runs */
        char text[BOOT_ID_LENGTH];
        ssize_t n;
        int fd;

        if (id[0] != '\0')
                return id;
        fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return NULL;
        n = read(fd, text, sizeof(text));
        (void)close(fd);
        if (n != sizeof(text))
                return NULL;
        memcpy(id, text, sizeof(text));
        return id;
}

/* It is sent back unchanged, null too. */
static enum refusal take_sync(const struct json_dispatch_field *field, json_t *value, void *member,
                              struct refused *ret_why) {
        if (!json_is_string(value) && !json_is_null(value))
                return json_dispatch_refuse(field, ret_why);
        *(json_t **)member = value;
        return REFUSAL_NONE;
}

void method_hello(struct connection *connection) {
        static const struct json_dispatch_field fields[] = {
                {"sync", take_sync, .expected = "a text"},
                {.name = NULL},
        };
        struct agent *agent = agent_of(connection);
        json_t *sync = NULL;
        const char *fault;
        struct refused why;
        json_t *limits;

        fault = json_dispatch(connection->call.parameters, fields, 0, &sync, &why);
        if (fault) {
                connection_invalid_parameter(connection, fault);
                return;
        }
        (void)agent_refresh_config(agent);
        if (!freshness_make_challenge(&connection->challenge, instant_now().boot_ns) || !boot_id()) {
                (void)refuse(&why, REFUSAL_STORAGE_FAILURE, "kernel: no random bytes, or no boot id");
                connection_refuse(connection, &why);
                return;
        }
        limits = json_pack("{si si si si si}", "messageBytes", FRAME_MAX, "maxTtl", (int)agent->config->max_ttl_s,
                           "keysPerPush", PUSH_KEYS_MAX, "keysPerUser", EXPIRY_KEYS_PER_USER_MAX, "keys",
                           EXPIRY_KEYS_MAX);
        connection_reply(connection, json_pack("{sO? ss so ss ss so so}", "sync", sync, "version", PACKAGE_VERSION,
                                               "instance", instance_id(agent), "bootId", boot_id(), "challenge",
                                               connection->challenge.text, "clock", clock_state(), "limits", limits));
}

void method_host_keys(struct connection *connection) {
        struct agent *agent = agent_of(connection);

        connection_reply(connection, json_pack("{so}", "hostKeys", host_keys_get(&agent->host_keys, agent->config)));
}

static bool sshd_asks_helper(void) {
        static const char *const paths[] = {SSHD_DROP_IN_PATHS};

        for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
                if (access(paths[i], F_OK) == 0)
                        return true;
        return false;
}

void method_status(struct connection *connection) {
        struct agent *agent = agent_of(connection);

        (void)agent_refresh_config(agent);
        agent_refresh_anchors(agent);
        connection_reply(connection, json_pack("{ss so ss si sI so ss sI}", "version", PACKAGE_VERSION, "instance",
                                               instance_id(agent), "trust",
                                               agent->config->trust == CONFIG_TRUST_CHANNEL ? "channel" : "signed",
                                               "anchors", (int)agent->anchors.n, "keys",
                                               (json_int_t)(agent->expiry.live + agent->expiry.launch), "clock",
                                               clock_state(), "sshd", sshd_asks_helper() ? "enabled" : "disabled",
                                               "launchKeys", (json_int_t)agent->expiry.launch));
}

/* --- org.varlink.service -------------------------------------------------------------------------------------------------- */

void method_get_info(struct connection *connection) {
        connection_reply(connection, service_info("exc-instance-connect", PACKAGE_VERSION, VARLINK_INTERFACE));
}

void method_get_interface_description(struct connection *connection) {
        const char *name = service_interface_asked(connection->call.parameters), *text = NULL;

        if (!name) {
                connection_invalid_parameter(connection, "interface");
                return;
        }
        if (strcmp(name, VARLINK_INTERFACE) == 0)
                text = interface_text;
        else if (strcmp(name, VARLINK_SERVICE) == 0)
                text = service_text;
        if (text)
                connection_reply(connection, json_pack("{ss}", "description", text));
        else
                connection_error(connection, VARLINK_SERVICE ".InterfaceNotFound",
                                 json_pack("{ss}", "interface", name));
}
