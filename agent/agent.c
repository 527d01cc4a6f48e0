/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "agent/audit.h"
#include "agent/audit_queue.h"
#include "common/debug.h"

static void on_config_warning(void *context, const char *file, unsigned line, const char *text) {
        (void)context;
        audit_note(LOG_WARNING, "%s:%u: %s", file, line, text);
}

static void check_names(struct agent *agent) {
        int r;

        name_check_free(agent->name_check);
        agent->name_check = NULL;
        if (!agent->checks_names)
                return;
        r = name_check_start(agent->event, agent->config, &agent->name_check);
        if (r < 0)
                audit_note(LOG_WARNING, "agent.conf: its names could not be looked up: %s", strerror(-r));
}

void agent_check_names(struct agent *agent) {
        agent->checks_names = true;
        check_names(agent);
}

/* An error in the configuration does not end the agent: it answers each push with it, and the rest goes on. */
static int load_config(struct agent *agent) {
        /* Files that changed just now are loaded at each call for a moment; warnings are logged once. */
        bool again = agent->config && config_looks_same(agent->config);
        struct config *config;
        int r;

        r = config_load(agent->config_dir, again ? NULL : on_config_warning, NULL, &config);
        if (r < 0)
                return r;
        config_free(agent->config);
        agent->config = config;
        debug_line("configuration: loaded from %s", agent->config_dir);
        host_keys_clear(&agent->host_keys);
        if (again)
                return 0;
        check_names(agent);
        confine_check_config(agent);
        if (config->error)
                audit_note(LOG_ERR, "%s; no key is accepted until it is fixed", config->error);
        else if (config->trust == CONFIG_TRUST_CHANNEL)
                audit_note(LOG_WARNING, "Trust=channel: pushes from the host need no signature");
        return 0;
}

static void on_anchor_note(void *context, const char *path, const char *why) {
        (void)context;
        audit_note(LOG_WARNING, "%s: not trusted: %s", path, why);
}

void agent_refresh_anchors(struct agent *agent) {
        trust_refresh(&agent->anchors, TRUST_VENDOR_DIR, agent->config_dir,
                      agent->config->trust_credential ? trust_credential_path() : NULL, on_anchor_note, NULL);
}

void agent_refresh_instance_id(struct agent *agent) {
        char why[INSTANCE_ID_WHY_MAX] = "";

        instance_id_refresh(&agent->instance_id, agent->config, agent->config_dir, agent->runtime_dir);
        if (instance_id_disputed(&agent->instance_id, why) && strcmp(why, agent->disputed) != 0)
                audit_note(LOG_WARNING, "instance id: %s", why);
        memcpy(agent->disputed, why, sizeof(why));
}

int agent_open_store(struct agent *agent, char ret_why[static 256]) {
        int r;

        if (agent->store.keys_fd >= 0)
                return 0;
        r = store_open(agent->runtime_dir, STORE_AGENT, &agent->store, ret_why);
        if (r < 0)
                return r;
        debug_line("store: %s opened", agent->runtime_dir);
        if (audit_queue_use_state(agent->store.state_fd) < 0)
                audit_note(LOG_WARNING, "%s/state/lost: damaged; how many events are lost is unknown",
                           agent->runtime_dir);
        r = store_tidy(&agent->store);
        if (r < 0)
                audit_note(LOG_ERR, "store: could not be tidied: %s", strerror(-r));
        (void)expiry_sweep(&agent->expiry);
        return 0;
}

static void close_memory(struct agent *agent) {
        revocations_close(&agent->revocations);
        replay_close(&agent->replay);
}

enum refusal agent_open_memory(struct agent *agent, struct refused *ret_why) {
        int r;

        if (agent->revocations.fd >= 0)
                return REFUSAL_NONE;
        r = replay_open(agent->store.state_fd, instant_now().boot_ns, &agent->replay);
        if (r >= 0)
                r = revocations_open(agent->store.state_fd, agent->replay.birth_boot_ns, &agent->revocations);
        if (r >= 0)
                return REFUSAL_NONE;
        close_memory(agent);
        return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "%s/state: the memory of pushes cannot be read or made: %s",
                      agent->runtime_dir, strerror(-r));
}

static struct agent agent_of(const char *runtime_dir, const char *config_dir) {
        return (struct agent){
                .runtime_dir = runtime_dir,
                .config_dir = config_dir,
                .store = STORE_INIT,
                .replay = REPLAY_INIT,
                .revocations = REVOCATIONS_INIT,
        };
}

int agent_make_memory(const char *runtime_dir) {
        struct agent agent = agent_of(runtime_dir, NULL);
        struct refused refused;
        char why[256];
        int r;

        r = store_open(runtime_dir, STORE_AGENT, &agent.store, why);
        if (r < 0)
                audit_note(LOG_ERR, "memory of pushes: could not be made: %s", why);
        else if (agent_open_memory(&agent, &refused) != REFUSAL_NONE) {
                audit_note(LOG_ERR, "%s", refused.message);
                r = -EIO;
        }
        close_memory(&agent);
        store_close(&agent.store);
        return r;
}

int agent_refresh_config(struct agent *agent) {
        return config_changed(agent->config) ? load_config(agent) : 0;
}

enum refusal agent_ready(struct agent *agent, struct refused *ret_why) {
        char why[256];
        int r;

        r = agent_refresh_config(agent);
        if (r < 0)
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "configuration: could not be loaded: %s", strerror(-r));
        r = agent_open_store(agent, why);
        if (r < 0)
                return refuse(ret_why, REFUSAL_STORAGE_FAILURE, "store: %s", why);
        return REFUSAL_NONE;
}

enum refusal agent_ready_for_push(struct agent *agent, struct refused *ret_why) {
        enum refusal why;

        why = agent_ready(agent, ret_why);
        if (why == REFUSAL_NONE && agent->config->error)
                why = refuse(ret_why, REFUSAL_STORAGE_FAILURE, "%s", agent->config->error);
        return why;
}

static void on_events_sent(void *context) {
        struct agent *agent = context;

        expiry_exit_if_done(&agent->expiry);
}

int agent_start(struct agent *agent, const char *runtime_dir, const char *config_dir) {
        struct refused refused;
        char why[256];
        int r;

        *agent = agent_of(runtime_dir, config_dir);
        r = sd_event_new(&agent->event);
        if (r >= 0)
                r = audit_queue_start(agent->event, on_events_sent, agent);
        if (r >= 0)
                r = expiry_start(&agent->expiry, agent->event, &agent->store);
        if (r >= 0)
                r = load_config(agent);
        if (r < 0)
                return r;
        agent_refresh_instance_id(agent);
        if (agent_open_store(agent, why) < 0)
                audit_note(LOG_ERR, "store: %s; no key can be stored", why);
        else if (agent_open_memory(agent, &refused) != REFUSAL_NONE)
                audit_note(LOG_ERR, "%s; no signed push is accepted", refused.message);
        return 0;
}

void agent_stop(struct agent *agent) {
        audit_queue_stop();
        name_check_free(agent->name_check);
        config_free(agent->config);
        strv_clear(&agent->confinement.readable);
        trust_clear(&agent->anchors);
        host_keys_clear(&agent->host_keys);
        instance_id_clear(&agent->instance_id);
        close_memory(agent);
        store_close(&agent->store);
        expiry_stop(&agent->expiry);
        sd_event_unref(agent->event);
}
