/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/method_launch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/audit.h"
#include "agent/freshness.h"
#include "agent/launch.h"
#include "agent/policy.h"
#include "common/debug.h"
#include "conf/metadata_conf.h"
#include "wire/json_dispatch.h"

/* A set of launch keys, while the name service is asked. */
struct launch_call {
        struct connection *connection;
        struct push push; /* its user is that of metadata.conf */
        struct instant received;
        bool synchronized;
        int64_t life_s;
};

static struct agent *agent_of(const struct launch_call *call) {
        return call->connection->home->agent;
}

static void refuse_call(struct connection *connection, const char *method, const char *user,
                        const struct refused *why) {
        if (ratelimit_note(connection->home->budget))
                audit_refused(method, why, user, "", "");
        connection_refuse(connection, why);
}

/* Takes ownership of `call`. */
static void refuse_keys(struct launch_call *call, const struct refused *why) {
        refuse_call(call->connection, "SetLaunchKeys", call->push.user, why);
        free(call);
}

static enum refusal load_conf(const struct agent *agent, struct metadata_conf *ret, struct refused *ret_why) {
        int r = metadata_conf_load(agent->config_dir, NULL, NULL, NULL, ret);

        if (r == -ENOENT)
                return refuse(ret_why, REFUSAL_PERMISSION_DENIED, "%s/" METADATA_CONF_FILE ": there is none",
                              agent->config_dir);
        if (r < 0)
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "%s", ret->error);
        return REFUSAL_NONE;
}

/* --- SetLaunchKeys --------------------------------------------------------------------------------------------------------- */

static void reply(struct launch_call *call, const char *user) {
        json_t *fingerprints = json_array();

        for (size_t i = 0; i < call->push.n_keys; i++) {
                char fingerprint[STORE_FINGERPRINT_NAME_MAX + 7];

                store_fingerprint_text(call->push.keys[i].fingerprint, fingerprint);
                (void)json_array_append_new(fingerprints, json_string(fingerprint));
        }
        connection_reply(call->connection, json_pack("{ss so sI}", "user", user, "fingerprints", fingerprints,
                                                     "expiresIn", (json_int_t)call->life_s));
        free(call);
}

static enum refusal store(struct launch_call *call, const struct nss_answer *answer, struct refused *ret_why) {
        struct launch launch = {
                .push = &call->push,
                .user = answer->user,
                .received = call->received,
                .synchronized = call->synchronized,
                .life_s = call->life_s,
        };
        json_t *name = json_string(answer->user);
        enum refusal why;

        why = policy_decide(agent_of(call)->config, answer, ret_why);
        if (why == REFUSAL_NONE && !name)
                why = refuse(ret_why, REFUSAL_STORAGE_FAILURE,
                             "name service: the login name of this user is not UTF-8");
        json_decref(name);
        if (why == REFUSAL_NONE)
                why = request_parse_keys(&call->push, ret_why);
        return why == REFUSAL_NONE ? launch_replace(agent_of(call), &launch, ret_why) : why;
}

static void on_user(void *context, const struct nss_answer *answer) {
        struct launch_call *call = context;
        struct refused why;

        if (store(call, answer, &why) == REFUSAL_NONE)
                reply(call, answer->user);
        else
                refuse_keys(call, &why);
}

static enum refusal take(struct launch_call *call, struct refused *ret_why) {
        struct connection *connection = call->connection;
        struct metadata_conf conf;
        enum refusal why;

        why = agent_ready_for_push(agent_of(call), ret_why);
        if (why == REFUSAL_NONE)
                why = request_parse_launch(connection->call.parameters, &call->push, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        why = load_conf(agent_of(call), &conf, ret_why);
        if (why == REFUSAL_NONE && conf.user[0] == '\0')
                why = refuse(ret_why, REFUSAL_PERMISSION_DENIED, METADATA_CONF_FILE ": it sets no User=");
        (void)snprintf(call->push.user, sizeof(call->push.user), "%s", conf.user);
        call->life_s = conf.max_age_s;
        metadata_conf_clear(&conf);
        call->received = instant_now();
        call->synchronized = freshness_clock_synchronized();
        return why;
}

static enum refusal ask_user(struct launch_call *call, struct refused *ret_why) {
        char **groups = NULL;
        size_t n_groups;

        if (policy_groups(agent_of(call)->config, &groups, &n_groups) < 0)
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "agent: no memory");
        connection_look_up(call->connection, call->push.user, groups, n_groups, on_user, call);
        free(groups);
        return REFUSAL_NONE;
}

void method_set_launch_keys(struct connection *connection) {
        struct launch_call *call = malloc(sizeof(*call));
        struct refused refused;

        if (!call) {
                (void)refuse(&refused, REFUSAL_STORAGE_FAILURE, "agent: no memory");
                connection_refuse(connection, &refused);
                return;
        }
        *call = (struct launch_call){.connection = connection};
        if (take(call, &refused) != REFUSAL_NONE || ask_user(call, &refused) != REFUSAL_NONE)
                refuse_keys(call, &refused); /* else transferred until on_user() */
}

/* --- SetInstanceId --------------------------------------------------------------------------------------------------------- */

static enum refusal learn(struct agent *agent, const char *id, struct refused *ret_why) {
        struct metadata_conf conf;
        enum refusal why;
        int r;

        why = agent_ready(agent, ret_why);
        if (why != REFUSAL_NONE)
                return why;
        why = load_conf(agent, &conf, ret_why);
        metadata_conf_clear(&conf);
        if (why != REFUSAL_NONE)
                return why;
        if (!conf.instance_id)
                return refuse(ret_why, REFUSAL_PERMISSION_DENIED,
                              METADATA_CONF_FILE ": the id may not come from there; set InstanceId=yes");
        if (!metadata_instance_id_valid(conf.format, id))
                return refuse_field(ret_why, "id", "id: not in the form of this kind of service");
        r = instance_id_learn(agent->store.state_fd, id);
        if (r < 0)
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE,
                              "state/" INSTANCE_ID_LEARNT ": could not be written: %s", strerror(-r));
        debug_line("instance id: learnt from the metadata service");
        return REFUSAL_NONE;
}

void method_set_instance_id(struct connection *connection) {
        static const struct json_dispatch_field fields[] = {
                {"id", json_dispatch_text_ref, 0, .min = 1, .max = METADATA_INSTANCE_ID_MAX - 1, .required = true,
                 .expected = "an instance id"},
                {.name = NULL},
        };
        const char *id = NULL;
        struct refused why;

        if (json_dispatch(connection->call.parameters, fields,
                          JSON_DISPATCH_NULL_IS_ABSENT | JSON_DISPATCH_REFUSE_UNKNOWN, &id, &why) ||
            learn(connection->home->agent, id, &why) != REFUSAL_NONE)
                refuse_call(connection, "SetInstanceId", "", &why);
        else
                connection_reply(connection, json_object());
}
