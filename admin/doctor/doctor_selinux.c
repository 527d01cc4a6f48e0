/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SELinux: whether the policy in the kernel has the module exc_instance_connect, whether our files have the labels of that
 * module, and which accesses it denied. Without libselinux: labels are extended attributes, and the kernel says which labels
 * its policy knows.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <systemd/sd-journal.h>
#include <time.h>
#include <unistd.h>

#include "admin/doctor/doctor.h"
#include "admin/doctor/doctor_journal.h"
#include "admin/doctor/selinux_denial.h"
#include "agent/config.h"
#include "authkeys-helper/identity.h"
#include "common/store.h"

#define SELINUX_DIR "/sys/fs/selinux"
#define AUDIT_LOG "/var/log/audit/audit.log"

enum {
        DENIALS_MAX = 8,           /* that are told apart */
        ENTRIES_MAX = 20 * 1000,   /* of the journal, from the last one on */
        LOG_MAX = 4 * 1024 * 1024, /* of auditd's log, at its end */
        LABEL_MAX = 256,
};

/* --- policy ------------------------------------------------------------------------------------------------------- */

static bool kernel_says(const char *name, char expected) {
        char path[64], c = '\0';
        int fd;

        (void)snprintf(path, sizeof(path), SELINUX_DIR "/%s", name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        if (read(fd, &c, 1) != 1)
                c = '\0';
        (void)close(fd);
        return c == expected;
}

/* Whether the kernel's policy has the type; -EINVAL: it has not. */
static int has_type(const char *type) {
        char label[LABEL_MAX];
        int fd = open(SELINUX_DIR "/context", O_RDWR | O_CLOEXEC), n, r = 0;

        if (fd < 0)
                return -errno;
        n = snprintf(label, sizeof(label), "system_u:object_r:%s%s", type, kernel_says("mls", '1') ? ":s0" : "");
        if (write(fd, label, (size_t)n + 1) < 0)
                r = -errno;
        (void)close(fd);
        return r;
}

/* A store that was made before, or under another policy, may be of use. */
static enum finding_status without_module(bool enforcing) {
        if (!enforcing)
                return FINDING_WARNING;
        return access(STORE_RUNTIME_DIR "/keys", F_OK) < 0 ? FINDING_FAILURE : FINDING_OPEN_FAILURE;
}

/* Whether files have labels that count. */
static bool look_at_policy(struct examination *examination, bool enforcing) {
        struct findings *findings = &examination->findings;
        int r = has_type("exc_authorized_keys_exec_t");

        if (r >= 0) {
                pass(findings, "selinux", "SELinux is %s, and its policy has the module exc_instance_connect",
                     enforcing ? "enforcing" : "permissive");
                return true;
        }
        if (r != -EINVAL)
                warn(findings, "selinux", NO_REMEDY,
                     "it is not known whether the policy of SELinux has the module exc_instance_connect: %s",
                     strerror(-r));
        else
                found(findings, without_module(enforcing), "selinux",
                      remedy_of("apt-get install -y exc-instance-connect-selinux"),
                      "SELinux is %s, and its policy has no module exc_instance_connect; Debian's policy does not let "
                      "systemd-tmpfiles make the store without that, nor confines our programs",
                      enforcing ? "enforcing" : "permissive");
        return false;
}

/* --- labels ------------------------------------------------------------------------------------------------------- */

/* What selinux/exc_instance_connect.fc has. */
static const struct label {
        const char *path, *type;
        bool of_login; /* without this label no key works */
} labels[] = {
        {HELPER_PROGRAM, "exc_authorized_keys_exec_t", true},
        {AGENT_PROGRAM, "exc_instance_connect_exec_t", true},
        {STORE_RUNTIME_DIR, "exc_instance_connect_runtime_t", true},
        {STORE_RUNTIME_DIR "/keys", "exc_instance_connect_keys_t", true},
        {STORE_RUNTIME_DIR "/claims", "exc_instance_connect_claims_t", true},
        {STORE_RUNTIME_DIR "/state", "exc_instance_connect_state_t", true},
        {STORE_RUNTIME_DIR "/admin.sock", "exc_instance_connect_admin_socket_t", false},
        {STORE_RUNTIME_DIR "/host.sock", "exc_instance_connect_host_socket_t", false},
        {STORE_RUNTIME_DIR "/metadata.sock", "exc_instance_connect_metadata_socket_t", false},
        {PKGLIBEXECDIR "/exc-instance-connect-relay", "exc_instance_connect_relay_exec_t", false},
        {PKGLIBEXECDIR "/exc-instance-connect-metadata", "exc_instance_connect_metadata_exec_t", false},
        {CONFIG_DIR, "exc_instance_connect_conf_t", false},
        {CONFIG_DIR "/agent.conf", "exc_instance_connect_conf_t", false},
        {CONFIG_DIR "/metadata.conf", "exc_instance_connect_conf_t", false},
        {CONFIG_DIR "/instance-id", "exc_instance_connect_conf_t", false},
        {CONFIG_DIR "/trust.d", "exc_instance_connect_conf_t", false},
};

/* The third part of USER:ROLE:TYPE:RANGE. */
static bool has_label(const char *label, const char *type) {
        size_t n = strlen(type);

        for (int i = 0; i < 2 && label; i++) {
                label = strchr(label, ':');
                label = label ? label + 1 : NULL;
        }
        return label && strncmp(label, type, n) == 0 && (label[n] == ':' || label[n] == '\0');
}

static void look_at_labels(struct examination *examination, bool enforcing) {
        size_t wrong = 0;

        for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
                const struct label *expected = &labels[i];
                char label[LABEL_MAX];
                ssize_t n = lgetxattr(expected->path, "security.selinux", label, sizeof(label) - 1);

                if (n < 0 && errno != ENODATA)
                        continue; /* others report what is missing */
                label[n > 0 ? n : 0] = '\0';
                if (has_label(label, expected->type))
                        continue;
                wrong++;
                found(&examination->findings, enforcing && expected->of_login ? FINDING_OPEN_FAILURE : FINDING_WARNING,
                      "selinux-labels", remedy_of("restorecon -R %s", expected->path),
                      "%s has %s%s, and not one of the type %s as the module exc_instance_connect has it, as after a "
                      "restore of files without their labels",
                      expected->path, label[0] ? "the label " : "no label", label, expected->type);
        }
        if (wrong == 0)
                pass(&examination->findings, "selinux-labels", "our files have the labels of the module");
}

/* --- denied accesses ---------------------------------------------------------------------------------------------- */

struct denials {
        unsigned n;
        struct counted {
                struct selinux_denial denial;
                unsigned times;
        } at[DENIALS_MAX];
};

/* Opened as root, and read without its rights. */
struct asked {
        FILE *log;
        int64_t booted_s;
};

static void count(struct denials *denials, const char *line) {
        struct selinux_denial denial = {.domain = ""};
        unsigned i = 0;

        if (!selinux_denial_parse(line, &denial))
                return;
        while (i < denials->n && memcmp(&denials->at[i].denial, &denial, sizeof(denial)) != 0)
                i++;
        if (i == DENIALS_MAX)
                return;
        if (i == denials->n)
                denials->at[denials->n++] = (struct counted){.denial = denial};
        denials->at[i].times++;
}

static int match(sd_journal *journal, const void *context) {
        struct asked *asked = *(struct asked *const *)context;
        char boot[SD_ID128_STRING_MAX], text[64];
        sd_id128_t id;
        int r = sd_id128_get_boot(&id);

        asked->log = fopen(AUDIT_LOG, "re");
        if (r >= 0) {
                (void)snprintf(text, sizeof(text), "_BOOT_ID=%s", sd_id128_to_string(id, boot));
                r = sd_journal_add_match(journal, text, 0);
        }
        if (r >= 0)
                r = sd_journal_add_match(journal, "_TRANSPORT=kernel", 0);
        return r < 0 ? r : sd_journal_add_match(journal, "_TRANSPORT=audit", 0);
}

/* From the last entry back to the last time that a policy was loaded: what was changed may be the remedy. */
static int read_journal(sd_journal *journal, struct denials *denials) {
        int r = sd_journal_seek_tail(journal);

        for (unsigned n = 0; r >= 0 && n < ENTRIES_MAX; n++) {
                char line[1024];
                const void *data;
                size_t length;

                r = sd_journal_previous(journal);
                if (r <= 0)
                        break;
                if (sd_journal_get_data(journal, "MESSAGE", &data, &length) < 0)
                        continue;
                (void)snprintf(line, sizeof(line), "%.*s", (int)length - (int)strlen("MESSAGE="),
                               (const char *)data + strlen("MESSAGE="));
                if (selinux_policy_was_loaded(line))
                        break;
                count(denials, line);
        }
        return r;
}

/* Where auditd runs, the kernel's log has none of them. */
static void read_log(FILE *log, int64_t booted_s, struct denials *denials) {
        char line[1024];

        /* The first line may be a part of one, as are those that are too long. */
        if (fseek(log, -LOG_MAX, SEEK_END) < 0)
                rewind(log);
        while (fgets(line, sizeof(line), log)) {
                if (selinux_line_time(line) < booted_s)
                        continue;
                if (selinux_policy_was_loaded(line))
                        denials->n = 0;
                count(denials, line);
        }
}

static int read_denials(sd_journal *journal, const void *context, void *result) {
        struct asked *asked = *(struct asked *const *)context;
        int r = read_journal(journal, result);

        /* In both only where journald listens to the audit system too. */
        if (asked->log && ((struct denials *)result)->n == 0)
                read_log(asked->log, asked->booted_s, result);
        return r;
}

static int64_t booted_at(void) {
        struct timespec now, since;

        (void)clock_gettime(CLOCK_REALTIME, &now);
        (void)clock_gettime(CLOCK_BOOTTIME, &since);
        return now.tv_sec - since.tv_sec - 1;
}

static void look_at_denials(struct examination *examination) {
        struct findings *findings = &examination->findings;
        struct asked asked = {.log = NULL, .booted_s = booted_at()}, *pointer = &asked;
        const struct doctor_journal how = {match, read_denials, &pointer};
        struct denials denials = {.n = 0};
        char why[DOCTOR_JOURNAL_WHY_MAX];
        int r = doctor_journal_read(examination, &how, &denials, sizeof(denials), why);

        for (unsigned i = 0; i < denials.n && i < DENIALS_MAX; i++) {
                struct counted *counted = &denials.at[i];
                struct selinux_denial *denial = &counted->denial;

                denial->domain[sizeof(denial->domain) - 1] = denial->accesses[sizeof(denial->accesses) - 1] = '\0';
                denial->class[sizeof(denial->class) - 1] = denial->target[sizeof(denial->target) - 1] = '\0';
                warn(findings, "selinux-denials", NO_REMEDY,
                     "SELinux denied %s the access { %s } to a %s of the type %s, %u time%s since the policy was "
                     "loaded; "
                     "ausearch -m avc -ts boot has the details",
                     denial->domain, denial->accesses, denial->class, denial->target, counted->times,
                     counted->times == 1 ? "" : "s");
        }
        if (r < 0)
                warn(findings, "selinux-denials", NO_REMEDY, "it is not known what SELinux denied: %s", why);
        else if (denials.n == 0)
                pass(findings, "selinux-denials",
                     "neither the journal nor the log of auditd has an access that was denied");
}

void doctor_selinux(struct examination *examination) {
        bool enforcing = kernel_says("enforce", '1');

        if (access(SELINUX_DIR "/enforce", F_OK) < 0) {
                pass(&examination->findings, "selinux", "SELinux is off");
                return;
        }
        if (look_at_policy(examination, enforcing))
                look_at_labels(examination, enforcing);
        look_at_denials(examination);
}
