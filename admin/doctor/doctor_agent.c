/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets that systemd holds, the channels from the host, and the agent behind them. */
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/doctor/doctor.h"
#include "admin/doctor/probe.h"
#include "admin/doctor/unit_state.h"
#include "agent/listener.h"
#include "common/store.h"
#include "wire/client.h"
#include "wire/refusal.h"

#define SERVICE "exc-instance-connect.service"
#define HOST_SOCKET STORE_RUNTIME_DIR "/host.sock"
#define VIRTIO_PORT "/dev/virtio-ports/in.excloud.InstanceConnect"
#define VSOCK_DEVICE "/dev/vsock"
#define RELAY_UNIT "exc-instance-connect-relay.service"
#define VSOCK_UNIT "exc-instance-connect-vsock.socket"

enum {
        CONNECT_MS = 3 * 1000,
        ANSWER_MS = 5 * 1000,
};

/* What lets a unit be loaded that is not; "" when it is. */
static struct remedy load_remedy(const char *name, const struct unit_state *unit) {
        if (strcmp(unit->load, "masked") == 0)
                return strcmp(unit->file, "masked-runtime") == 0 ? remedy_of("systemctl unmask --runtime %s", name)
                                                                 : remedy_of("systemctl unmask %s", name);
        return strcmp(unit->load, "not-found") == 0 ? remedy_of(PACKAGE_REINSTALL) : (struct remedy){.command = ""};
}

/* What brings a unit to life that is in this state. */
static struct remedy start_remedy(const char *name, const struct unit_state *unit) {
        struct remedy load = load_remedy(name, unit), mount, start;
        struct unit_state mount_unit;

        /* A socket is not started while its service runs. */
        start = remedy_of("systemctl stop " SERVICE " && systemctl start %s", name);
        start = remedy_both(&load, &start);
        if (unit_state(DOCTOR_MOUNT_UNIT, &mount_unit) < 0)
                return start;
        /* systemd lets no socket be started without the mount that it lies on (RequiresMountsFor= in systemd.unit(5)). */
        mount = load_remedy(DOCTOR_MOUNT_UNIT, &mount_unit);
        load = remedy_of("systemctl start " DOCTOR_SOCKETS);
        start = mount.command[0] ? remedy_both(&start, &load) : start;
        return remedy_both(&mount, &start);
}

/* True when systemd holds it. A unit that systemd says nothing about is judged by its socket alone. */
static bool look_at_socket_unit(struct examination *examination, enum finding_status failure, const char *check,
                                const char *name) {
        struct remedy remedy;
        struct unit_state unit;
        int r;

        if (!unit_state_known())
                return true;
        r = unit_state(name, &unit);
        if (r < 0) {
                found(&examination->findings, FINDING_WARNING, check, NULL, "systemd does not tell about %s: %s", name,
                      strerror(-r));
                return true;
        }
        if (strcmp(unit.active, "active") != 0) {
                remedy = start_remedy(name, &unit);
                found(&examination->findings, failure, check, &remedy, "%s is %s (%s): nobody listens", name,
                      unit.active, unit.load);
                return false;
        }
        if (strcmp(unit.file, "disabled") == 0) {
                remedy = remedy_of("systemctl enable %s", name);
                found(&examination->findings, FINDING_WARNING, check, &remedy,
                      "%s listens now, and will not after the next boot", name);
        }
        return true;
}

static void look_at_socket_file(struct examination *examination, enum finding_status failure, const char *check,
                                const char *unit, const char *path, const char *group_name, unsigned mode) {
        struct remedy again = remedy_of("systemctl restart %s", unit), chown, chmod, remedy;
        const struct group *group = getgrnam(group_name);
        struct stat st;

        if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode)) {
                found(&examination->findings, failure, check, &again, "%s is no socket any more", path);
                return;
        }
        chown = remedy_of("chown root:%s %s", group_name, path);
        chmod = remedy_of("chmod %o %s", mode, path);
        remedy = remedy_both(&chown, &chmod);
        if (st.st_uid != 0 || (group && st.st_gid != group->gr_gid) || (st.st_mode & 07777) != mode)
                found(&examination->findings, FINDING_LAX_FAILURE, check, &remedy,
                      "%s has %u:%u %04o, and must have root:%s %04o", path, st.st_uid, st.st_gid, st.st_mode & 07777,
                      group_name, mode);
        else
                found(&examination->findings, FINDING_PASS, check, NULL, "%s listens", path);
}

/* As the relay, which is the only one that is let in here. */
static void connect_as_relay(void *context) {
        struct remedy again = remedy_of("systemctl restart %s", "exc-instance-connect-host.socket");
        struct examination *examination = context;
        struct client client;

        if (probe_become(LISTENER_RELAY_USER) < 0)
                return;
        if (client_connect(&client, HOST_SOCKET, CONNECT_MS) != CLIENT_DONE)
                found(&examination->findings, FINDING_HOST_FAILURE, "socket-host", &again, "%s: %s", HOST_SOCKET,
                      client.why);
        client_close(&client);
}

/* What a key from the host comes through. That there is none is no fault of this machine. */
static void look_at_channels(struct examination *examination) {
        struct unit_state unit = {.active = ""};
        struct remedy remedy;

        if (access(VSOCK_DEVICE, F_OK) < 0)
                found(&examination->findings, FINDING_PASS, "channel-vsock", NULL, "this machine has no vsock");
        else if (unit_state_known() && unit_state(VSOCK_UNIT, &unit) == 0 && strcmp(unit.active, "active") != 0) {
                remedy = start_remedy(VSOCK_UNIT, &unit);
                found(&examination->findings, FINDING_WARNING, "channel-vsock", &remedy,
                      "there is a vsock, but %s is %s (%s)", VSOCK_UNIT, unit.active, unit.load);
        } else
                found(&examination->findings, FINDING_PASS, "channel-vsock", NULL, "port 842 of vsock");
        if (access(VIRTIO_PORT, F_OK) < 0)
                found(&examination->findings, FINDING_PASS, "channel-virtio", NULL,
                      "this machine has no virtio-serial port for it");
        else if (unit_state_known() && unit_state(RELAY_UNIT, &unit) == 0 && strcmp(unit.active, "active") != 0) {
                remedy = start_remedy(RELAY_UNIT, &unit);
                found(&examination->findings, FINDING_WARNING, "channel-virtio", &remedy,
                      "there is a port, but %s is %s (%s)", RELAY_UNIT, unit.active, unit.load);
        } else
                found(&examination->findings, FINDING_PASS, "channel-virtio", NULL, "%s", VIRTIO_PORT);
}

void doctor_sockets(struct examination *examination) {
        if (look_at_socket_unit(examination, FINDING_FAILURE, "socket-admin", "exc-instance-connect.socket"))
                look_at_socket_file(examination, FINDING_FAILURE, "socket-admin", "exc-instance-connect.socket",
                                    ADMIN_SOCKET, "root", 0600);
        if (look_at_socket_unit(examination, FINDING_HOST_FAILURE, "socket-host", "exc-instance-connect-host.socket")) {
                look_at_socket_file(examination, FINDING_HOST_FAILURE, "socket-host",
                                    "exc-instance-connect-host.socket", HOST_SOCKET, LISTENER_RELAY_USER, 0660);
                (void)probe_run(connect_as_relay, examination, 2 * CONNECT_MS);
        }
        look_at_channels(examination);
}

/* The service as such: without it a connection is taken and never answered. */
static void look_at_service(struct examination *examination) {
        struct remedy remedy, again = remedy_of("systemctl restart " DOCTOR_SOCKETS);
        struct unit_state unit;

        if (!unit_state_known() || unit_state(SERVICE, &unit) < 0)
                return;
        if (strcmp(unit.load, "loaded") == 0) {
                found(&examination->findings, FINDING_PASS, "agent-service", NULL, "%s is %s", SERVICE, unit.active);
                return;
        }
        /* Whoever connected meanwhile made systemd give the sockets up. */
        remedy = load_remedy(SERVICE, &unit);
        remedy = remedy_both(&remedy, &again);
        found(&examination->findings, FINDING_FAILURE, "agent-service", &remedy, "%s is %s", SERVICE, unit.load);
}

static void take_status(struct examination *examination, json_t *answer) {
        struct remedy again = remedy_of("systemctl restart " SERVICE);
        const char *version, *instance = json_string_value(json_object_get(answer, "instance"));
        json_int_t keys;

        if (json_unpack(answer, "{ss sI}", "version", &version, "keys", &keys) < 0) {
                found(&examination->findings, FINDING_FAILURE, "agent-answers", &again,
                      "what listens at %s does not answer as " VARLINK_INTERFACE " says", examination->socket);
                return;
        }
        examination->agent_answered = true;
        if (instance)
                (void)snprintf(examination->agent_instance, sizeof(examination->agent_instance), "%s", instance);
        if (strcmp(version, PACKAGE_VERSION) == 0)
                found(&examination->findings, FINDING_PASS, "agent-answers", NULL, "it holds %lld keys",
                      (long long)keys);
        else
                found(&examination->findings, FINDING_WARNING, "agent-answers", &again,
                      "it is version %s, and this command is " PACKAGE_VERSION, version);
}

/* One that hangs does not end by itself. systemd keeps the socket, and starts another when somebody connects. */
static struct remedy unanswered_remedy(const struct client *client) {
        if (client->error == -ENOENT || client->error == -ECONNREFUSED)
                return remedy_of("systemctl stop " SERVICE " && systemctl restart exc-instance-connect.socket");
        if (client->error == -ETIMEDOUT)
                return remedy_of("systemctl kill --signal=KILL " SERVICE);
        return remedy_of("systemctl restart " SERVICE);
}

void doctor_agent(struct examination *examination) {
        struct client_reply reply = {.parameters = NULL};
        enum client_result result;
        struct client client;
        struct remedy remedy;

        look_at_service(examination);
        result = client_connect(&client, examination->socket, ANSWER_MS);
        if (result == CLIENT_DONE)
                result = client_call(&client, VARLINK_INTERFACE ".Status", json_object(), &reply);
        if (result == CLIENT_DONE)
                take_status(examination, reply.parameters);
        else if (result == CLIENT_REFUSED)
                found(&examination->findings, FINDING_FAILURE, "agent-answers", NULL, "it refuses: %s", reply.error);
        else {
                remedy = unanswered_remedy(&client);
                found(&examination->findings, FINDING_FAILURE, "agent-answers", &remedy, "%s: %s", examination->socket,
                      client.why);
        }
        json_decref(reply.parameters);
        client_close(&client);
}
