/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets that systemd holds, the channels from the host, and the agent behind them. */
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/command.h"
#include "admin/doctor/doctor.h"
#include "admin/probe.h"
#include "admin/sshd/systemd.h"
#include "agent/listener.h"
#include "common/store.h"
#include "wire/client.h"
#include "wire/refusal.h"

#define SERVICE "exc-instance-connect.service"
#define HOST_SOCKET STORE_RUNTIME_DIR "/host.sock"

enum {
        CONNECT_MS = 3 * 1000,
        ANSWER_MS = 5 * 1000,
};

/* What lets a unit be loaded that is not; "" when it is. */
static struct remedy load_remedy(const char *name, const struct unit_state *unit) {
        if (strcmp(unit->load, "masked") == 0)
                return strcmp(unit->file, "masked-runtime") == 0 ? remedy_of("systemctl unmask --runtime %s", name)
                                                                 : remedy_of("systemctl unmask %s", name);
        return strcmp(unit->load, "not-found") == 0 ? remedy_of(PACKAGE_REINSTALL) : NO_REMEDY;
}

/* What starts a unit that is in this state. */
static struct remedy start_remedy(const char *name, const struct unit_state *unit) {
        /* A socket is not started while its service runs. */
        struct remedy start = remedy_both(load_remedy(name, unit),
                                          remedy_of("systemctl stop " SERVICE " && systemctl start %s", name));
        struct unit_state mount_unit;
        struct remedy mount;

        if (systemd_unit_state(DOCTOR_MOUNT_UNIT, &mount_unit) < 0)
                return start;
        /* systemd lets no socket be started without the mount that it lies on (RequiresMountsFor= in systemd.unit(5)). */
        mount = load_remedy(DOCTOR_MOUNT_UNIT, &mount_unit);
        if (mount.command[0])
                start = remedy_both(start, remedy_of("systemctl start " DOCTOR_SOCKETS));
        return remedy_both(mount, start);
}

/* True when systemd holds it. A unit of unknown state is judged by its socket alone. */
static bool look_at_socket_unit(struct examination *examination, enum finding_status failure, const char *check,
                                const char *name) {
        struct unit_state unit;
        int r;

        if (!systemd_runs())
                return true;
        r = systemd_unit_state(name, &unit);
        if (r < 0) {
                warn(&examination->findings, check, NO_REMEDY, "the state of %s is not known: %s", name, strerror(-r));
                return true;
        }
        if (strcmp(unit.active, "active") != 0) {
                found(&examination->findings, failure, check, start_remedy(name, &unit),
                      "%s is %s (%s): nothing listens", name, unit.active, unit.load);
                return false;
        }
        if (strcmp(unit.file, "disabled") == 0)
                warn(&examination->findings, check, remedy_of("systemctl enable %s", name),
                     "%s listens now, and will not after the next boot", name);
        return true;
}

static void look_at_socket_file(struct examination *examination, enum finding_status failure, const char *check,
                                const char *unit, const char *path, const char *group_name, unsigned mode) {
        const struct group *group = getgrnam(group_name);
        struct stat st;

        if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode)) {
                found(&examination->findings, failure, check, remedy_of("systemctl restart %s", unit),
                      "there is no socket %s", path);
                return;
        }
        if (st.st_uid != 0 || (group && st.st_gid != group->gr_gid) || (st.st_mode & 07777) != mode)
                found(&examination->findings, FINDING_LAX_FAILURE, check,
                      remedy_of("chown root:%s %s && chmod %o %s", group_name, path, mode, path),
                      "%s has %u:%u %04o, and must have root:%s %04o", path, st.st_uid, st.st_gid, st.st_mode & 07777,
                      group_name, mode);
        else
                pass(&examination->findings, check, "%s listens", path);
}

/* As the relay, which is the only one that is let in here. */
static void connect_as_relay(void *context) {
        struct examination *examination = context;
        struct client client;

        if (probe_become(LISTENER_RELAY_USER) < 0)
                return;
        if (client_connect(&client, HOST_SOCKET, CONNECT_MS) != CLIENT_DONE)
                found(&examination->findings, FINDING_HOST_FAILURE, "socket-host",
                      remedy_of("systemctl restart %s", "exc-instance-connect-host.socket"), "%s: %s", HOST_SOCKET,
                      client.why);
        client_close(&client);
}

/* The channels from the host. A machine need not have one. */
static void look_at_channels(struct examination *examination) {
        static const struct {
                const char *check, *device, *name, *unit;
        } channels[] = {
                {"channel-vsock", "/dev/vsock", "vsock", "exc-instance-connect-vsock.socket"},
                {"channel-virtio", "/dev/virtio-ports/in.excloud.InstanceConnect",
                 "virtio-serial port in.excloud.InstanceConnect", "exc-instance-connect-relay.service"},
        };

        for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++) {
                const char *check = channels[i].check, *name = channels[i].name, *unit_name = channels[i].unit;
                struct unit_state unit;

                if (access(channels[i].device, F_OK) < 0)
                        pass(&examination->findings, check, "this machine has no %s", name);
                else if (systemd_runs() && systemd_unit_state(unit_name, &unit) == 0 &&
                         strcmp(unit.active, "active") != 0)
                        warn(&examination->findings, check, start_remedy(unit_name, &unit),
                             "%s is %s (%s), so the %s is not used", unit_name, unit.active, unit.load, name);
                else
                        pass(&examination->findings, check, "%s serves the %s", unit_name, name);
        }
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

/* Without the service, systemd accepts a connection that is never answered. */
static void look_at_service(struct examination *examination) {
        struct unit_state unit;

        if (!systemd_runs() || systemd_unit_state(SERVICE, &unit) < 0)
                return;
        if (strcmp(unit.load, "loaded") == 0) {
                pass(&examination->findings, "agent-service", "%s is %s", SERVICE, unit.active);
                return;
        }
        /* Connections meanwhile have made systemd give up the sockets. */
        fail(&examination->findings, "agent-service",
             remedy_both(load_remedy(SERVICE, &unit), remedy_of("systemctl restart " DOCTOR_SOCKETS)), "%s is %s",
             SERVICE, unit.load);
}

static void take_status(struct examination *examination, json_t *answer) {
        struct remedy again = remedy_of("systemctl restart " SERVICE);
        const char *version, *instance = json_string_value(json_object_get(answer, "instance"));
        json_int_t keys;

        if (json_unpack(answer, "{ss sI}", "version", &version, "keys", &keys) < 0) {
                fail(&examination->findings, "agent-answers", again,
                     "what listens at %s does not answer as " VARLINK_INTERFACE " says", examination->socket);
                return;
        }
        examination->agent_answered = true;
        if (instance)
                (void)snprintf(examination->agent_instance, sizeof(examination->agent_instance), "%s", instance);
        if (strcmp(version, PACKAGE_VERSION) == 0)
                pass(&examination->findings, "agent-answers", "it holds %lld key%s", (long long)keys,
                     keys == 1 ? "" : "s");
        else
                warn(&examination->findings, "agent-answers", again,
                     "it is version %s, and this command is " PACKAGE_VERSION, version);
}

/* One that hangs does not end by itself. systemd keeps the socket, and starts another on the next connection. */
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

        look_at_service(examination);
        result = client_connect(&client, examination->socket, ANSWER_MS);
        if (result == CLIENT_DONE)
                result = client_call(&client, VARLINK_INTERFACE ".Status", json_object(), &reply);
        if (result == CLIENT_DONE)
                take_status(examination, reply.parameters);
        else if (result == CLIENT_REFUSED)
                fail(&examination->findings, "agent-answers", NO_REMEDY, "it refuses: %s", reply.error);
        else
                fail(&examination->findings, "agent-answers", unanswered_remedy(&client), "%s: %s", examination->socket,
                     client.why);
        json_decref(reply.parameters);
        client_close(&client);
}
