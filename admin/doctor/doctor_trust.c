/* SPDX-License-Identifier: Apache-2.0 */
/* Whose signatures count here, and which machine this is: both as the agent reads them, with the agent's rights. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/config/instance_id_dispute.h"
#include "admin/config/trust_credential.h"
#include "admin/doctor/doctor.h"
#include "admin/probe.h"
#include "agent/config.h"
#include "agent/instance_id.h"
#include "agent/trust.h"
#include "common/store.h"

#define ID_FILE CONFIG_DIR "/" INSTANCE_ID_FILE
#define MACHINE_ID "/etc/machine-id"

enum { FILES_SAID_MAX = 8 };

/* Only those who run the cloud know FILE and ID. */
static struct remedy add_anchor(void) {
        return remedy_of("exc-instance-connect trust add FILE");
}

static struct remedy set_id(void) {
        return remedy_of("exc-instance-connect instance-id set ID");
}

/*
 * What others could write is not made root's: they would have an anchor then. It gets empty, as what is malformed does, and is
 * not removed: a file masks the vendor's of the same name, and an anchor that somebody took away must not come back.
 */
static void note_anchor(void *context, const char *path, const char *why) {
        struct examination *examination = context;
        struct remedy remedy;
        struct stat st;

        if (findings_count(&examination->findings, "anchor-file") >= FILES_SAID_MAX)
                return;
        if (stat(path, &st) < 0)
                remedy = remedy_of("chmod go+x " CONFIG_DIR);
        else if (S_ISDIR(st.st_mode))
                remedy = remedy_of("chown root:root %s && chmod 0755 %s", path, path);
        else if (st.st_uid == 0 && (st.st_mode & 022) == 0 && access(path, R_OK) < 0)
                remedy = remedy_of("chmod 0644 %s", path);
        else
                remedy = remedy_of("mv %s %s.refused && install -m 0644 /dev/null %s", path, path, path);
        warn(&examination->findings, "anchor-file", remedy, "%s is not trusted: %s", path, why);
}

/* `given`: those of the credential. */
static void look_at_anchors(struct examination *examination, const struct trust_anchors *given, bool signatures) {
        struct trust_anchors anchors = {.n = 0};
        char names[256] = "";

        trust_refresh(&anchors, TRUST_VENDOR_DIR, CONFIG_DIR, NULL, note_anchor, examination);
        for (size_t i = 0; i < anchors.n; i++)
                (void)snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i > 0 ? ", " : "",
                               anchors.anchor[i].name);
        if (anchors.n > 0)
                pass(&examination->findings, "anchors", "%s", names);
        else if (given->n > 0 && trust_credential_counts(&anchors))
                pass(&examination->findings, "anchors", "%zu, from the credential " TRUST_CREDENTIAL, given->n);
        else if (signatures)
                found(&examination->findings, FINDING_HOST_FAILURE, "anchors", add_anchor(),
                      "there is no anchor, so pushes from the host are refused");
        else
                pass(&examination->findings, "anchors", "none, and Trust=channel needs none");
        trust_clear(&anchors);
}

/* An image that was made with an id in it gives the same one to each machine that is made of it. */
static bool of_a_clone(void) {
        struct stat id, machine;

        return stat(ID_FILE, &id) == 0 && stat(MACHINE_ID, &machine) == 0 &&
               (id.st_mtim.tv_sec < machine.st_mtim.tv_sec ||
                (id.st_mtim.tv_sec == machine.st_mtim.tv_sec && id.st_mtim.tv_nsec < machine.st_mtim.tv_nsec));
}

/* An id that is there need not be written again: the agent may only not be able to read it. */
static struct remedy heal_id(const char *source) {
        struct stat st;

        if (strcmp(source, "the file " INSTANCE_ID_FILE) != 0)
                return NO_REMEDY;
        if (access(ID_FILE, R_OK) == 0 || stat(ID_FILE, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != 0 ||
            (st.st_mode & 022) != 0)
                return set_id();
        return remedy_of("chmod 0644 " ID_FILE);
}

static void look_at_id(struct examination *examination, const struct config *config) {
        struct remedy remedy = set_id();
        struct instance_id instance = {.id = ""};

        instance_id_refresh(&instance, config, CONFIG_DIR, STORE_RUNTIME_DIR);
        if (instance.fault)
                found(&examination->findings, FINDING_HOST_FAILURE, "instance-id", heal_id(instance.source),
                      "%s does not count: %s; so this machine has no id, and pushes from the host are refused",
                      instance.source, instance.fault);
        else if (!instance.id[0] && examination->agent_instance[0])
                /* systemd hands it to the agent alone. */
                pass(&examination->findings, "instance-id", "%s, from the credential exc.instance_id",
                     examination->agent_instance);
        else if (!instance.id[0])
                found(&examination->findings, FINDING_HOST_FAILURE, "instance-id", remedy,
                      "this machine has no id, so pushes from the host are refused");
        else if (examination->agent_answered && strcmp(instance.id, examination->agent_instance) != 0)
                warn(&examination->findings, "instance-id", NO_REMEDY, "it is %s, from %s, but the agent says %s",
                     instance.id, instance.source,
                     examination->agent_instance[0] ? examination->agent_instance : "that there is none");
        else if (strcmp(instance.source, "the file " INSTANCE_ID_FILE) == 0 && of_a_clone())
                warn(&examination->findings, "instance-id", remedy,
                     "it is %s, from " ID_FILE ", which is older than " MACHINE_ID
                     ": this machine may be a clone of another, and take pushes for that one",
                     instance.id);
        else
                pass(&examination->findings, "instance-id", "%s, from %s", instance.id, instance.source);
}

/* As root, which reads each source. */
static void look_at_dispute(struct examination *examination) {
        char why[INSTANCE_ID_WHY_MAX];
        bool by_file;

        if (instance_id_dispute(why, &by_file))
                warn(&examination->findings, "instance-id", by_file ? set_id() : NO_REMEDY, "%s", why);
}

static void note_credential(void *context, const char *path, const char *why) {
        struct examination *examination = context;

        warn(&examination->findings, "anchor-file", NO_REMEDY,
             "%s is not trusted: %s; correct what the host passes as the credential " TRUST_CREDENTIAL, path, why);
}

void doctor_trust(struct examination *examination) {
        struct trust_anchors given = {.n = 0};
        struct config *config;

        look_at_dispute(examination);
        (void)trust_credential_read(&given, note_credential, examination);
        if (probe_become(AGENT_USER) < 0)
                return; /* said already, with the users */
        if (config_load(CONFIG_DIR, NULL, NULL, &config) < 0)
                return;
        look_at_anchors(examination, &given, config->trust != CONFIG_TRUST_CHANNEL);
        look_at_id(examination, config);
}
