/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AppArmor: whether the profiles of this side's programs are loaded and enforced, and what they denied since boot. Denials from
 * before the last change of a profile, or of what this machine adds to it, do not count: what was changed may be the remedy.
 */
#include "admin/doctor/doctor_apparmor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-id128.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "admin/doctor/doctor_journal.h"

#define PROFILE_DIR "/etc/apparmor.d"
#define ENABLED "/sys/module/apparmor/parameters/enabled"
#define LOADED "/sys/kernel/security/apparmor/profiles"
#define PARSER "apparmor_parser"

#define US_PER_S INT64_C(1000000)

enum {
        DENIALS_MAX = 8,         /* that are told apart */
        ENTRIES_MAX = 20 * 1000, /* that are read, from the last one on */
};

static const struct {
        const char *name, *who;
} programs[APPARMOR_PROFILES] = {
        {"exc-instance-connect-agent", "the agent"},
        {"exc-authorized-keys", "the helper"},
        {"exc-instance-connect-relay", "the relay"},
        {"exc-instance-connect-metadata", "the metadata program"},
};

const char *apparmor_profile_name(int profile) {
        return programs[profile].name;
}

/* --- records of denials ------------------------------------------------------------------------------------------- */

static bool take(const char **at, const char *end, const char *text) {
        size_t n = strlen(text);

        if ((size_t)(end - *at) < n || memcmp(*at, text, n) != 0)
                return false;
        *at += n;
        return true;
}

static int hex_digit(char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The kernel writes text of others in hexadecimal where it has a blank, a quote or a control character. False: too long. */
static bool decode(const char *text, size_t n, char *ret, size_t size) {
        if (n % 2 != 0 || n / 2 >= size)
                return false;
        for (size_t i = 0; i < n / 2; i++) {
                int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

                if (high < 0 || low < 0 || high + low == 0)
                        return false;
                ret[i] = (char)(high << 4 | low);
        }
        ret[n / 2] = '\0';
        return true;
}

struct member {
        const char *name, *value;
        size_t name_length, length;
        bool quoted;
};

/* NAME="VALUE" or NAME=VALUE, and the blank behind it. False: there is no more, or no such. */
static bool next_member(const char **at, const char *end, struct member *ret) {
        const char *start = *at, *equals = memchr(start, '=', (size_t)(end - start)), *stop;

        if (!equals)
                return false;
        *ret = (struct member){.name = start, .name_length = (size_t)(equals - start), .value = equals + 1};
        ret->quoted = ret->value < end && *ret->value == '"';
        if (ret->quoted)
                ret->value++;
        stop = memchr(ret->value, ret->quoted ? '"' : ' ', (size_t)(end - ret->value));
        if (!stop && ret->quoted)
                return false;
        if (!stop)
                stop = end;
        ret->length = (size_t)(stop - ret->value);
        *at = stop + (ret->quoted ? 1 : 0);
        while (*at < end && **at == ' ')
                (*at)++;
        return true;
}

static bool is_named(const struct member *member, const char *name) {
        return member->name_length == strlen(name) && memcmp(member->name, name, member->name_length) == 0;
}

static bool is_value(const struct member *member, const char *value) {
        return member->length == strlen(value) && memcmp(member->value, value, member->length) == 0;
}

static void keep(const struct member *member, char *ret, size_t size) {
        if (member->length < size)
                (void)snprintf(ret, size, "%.*s", (int)member->length, member->value);
}

/* Behind what is there already: "inet stream". */
static void append(const struct member *member, char *ret, size_t size) {
        size_t n = strlen(ret);

        if (n + 1 + member->length < size)
                (void)snprintf(ret + n, size - n, "%s%.*s", n > 0 ? " " : "", (int)member->length, member->value);
}

static int find_profile(const struct member *member) {
        for (int i = 0; i < APPARMOR_PROFILES; i++)
                if (is_value(member, programs[i].name))
                        return i;
        return -1;
}

static void take_member(const struct member *member, struct apparmor_denial *denial) {
        if (is_named(member, "operation"))
                keep(member, denial->operation, sizeof(denial->operation));
        else if (is_named(member, "denied_mask"))
                keep(member, denial->mask, sizeof(denial->mask));
        else if (is_named(member, "profile"))
                denial->profile = find_profile(member);
        else if (is_named(member, "name") && !member->quoted) {
                if (!decode(member->value, member->length, denial->object, sizeof(denial->object)))
                        denial->object[0] = '\0';
        } else if (is_named(member, "name") || is_named(member, "capname") || is_named(member, "family") ||
                   is_named(member, "sock_type"))
                append(member, denial->object, sizeof(denial->object));
}

/* "audit(1764518400.123:45): " */
static bool skip_stamp(const char **at, const char *end) {
        static const char close[] = "): ";
        const char *found = memmem(*at, (size_t)(end - *at), close, sizeof(close) - 1);

        if (!take(at, end, "audit(") || !found)
                return false;
        for (const char *c = *at; c < found; c++)
                if ((*c < '0' || *c > '9') && *c != '.' && *c != ':')
                        return false;
        *at = found + sizeof(close) - 1;
        return true;
}

bool apparmor_denial_parse(const char *text, size_t n, bool by_audit, struct apparmor_denial *ret) {
        struct apparmor_denial denial = {.profile = -1};
        const char *at = text, *end = text + n;
        struct member member;

        if (by_audit ? !take(&at, end, "AVC ") : !take(&at, end, "audit: type=1400 ") || !skip_stamp(&at, end))
                return false;
        if (!take(&at, end, "apparmor=\"DENIED\" "))
                return false;
        while (next_member(&at, end, &member))
                take_member(&member, &denial);
        if (denial.profile < 0 || denial.operation[0] == '\0')
                return false;
        *ret = denial;
        return true;
}

/* --- denials since boot ------------------------------------------------------------------------------------------- */

static int match(sd_journal *journal, const char *name, const char *value) {
        char text[128];

        (void)snprintf(text, sizeof(text), "%s=%s", name, value);
        return sd_journal_add_match(journal, text, 0);
}

/* What the kernel wrote in this boot, into its log or to the audit socket. Nobody else can write with these transports. */
static int match_kernel(sd_journal *journal, const void *context) {
        char boot[SD_ID128_STRING_MAX];
        sd_id128_t id;
        int r = sd_id128_get_boot(&id);

        (void)context;
        if (r >= 0)
                r = match(journal, "_BOOT_ID", sd_id128_to_string(id, boot));
        if (r >= 0)
                r = match(journal, "_TRANSPORT", "kernel");
        return r < 0 ? r : match(journal, "_TRANSPORT", "audit");
}

struct denials {
        unsigned n;
        struct apparmor_denial at[DENIALS_MAX];
};

static bool is_same(const struct apparmor_denial *one, const struct apparmor_denial *other) {
        return one->profile == other->profile && strcmp(one->operation, other->operation) == 0 &&
               strcmp(one->object, other->object) == 0;
}

static void add(struct denials *denials, const struct apparmor_denial *denial) {
        for (unsigned i = 0; i < denials->n; i++)
                if (is_same(&denials->at[i], denial))
                        return;
        denials->at[denials->n++] = *denial;
}

static bool has(sd_journal *journal, const char *field, const char *value) {
        size_t length, prefix = strlen(field) + 1;
        const void *raw;

        return sd_journal_get_data(journal, field, &raw, &length) >= 0 && length == prefix + strlen(value) &&
               memcmp((const char *)raw + prefix, value, length - prefix) == 0;
}

static bool read_denial(sd_journal *journal, struct apparmor_denial *ret) {
        bool by_audit = has(journal, "_TRANSPORT", "audit");
        size_t length, prefix = strlen("MESSAGE=");
        const void *raw;

        if (by_audit && !has(journal, "_AUDIT_TYPE", "1400"))
                return false; /* of a program that may write to the audit socket */
        return sd_journal_get_data(journal, "MESSAGE", &raw, &length) >= 0 && length > prefix &&
               apparmor_denial_parse((const char *)raw + prefix, length - prefix, by_audit, ret);
}

/* From the last entry back. `context`: when each profile changed last (Unix seconds). */
static int read_denials(sd_journal *journal, const void *context, void *result) {
        const int64_t *changed_s = context;
        struct denials *denials = result;
        int r = sd_journal_seek_tail(journal);

        for (unsigned entries = 0; r >= 0 && entries < ENTRIES_MAX && denials->n < DENIALS_MAX; entries++) {
                struct apparmor_denial denial;
                uint64_t at_us;

                r = sd_journal_previous(journal);
                if (r <= 0)
                        break;
                if (read_denial(journal, &denial) && sd_journal_get_realtime_usec(journal, &at_us) >= 0 &&
                    (int64_t)at_us / US_PER_S >= changed_s[denial.profile])
                        add(denials, &denial);
        }
        return r;
}

static void report_denial(struct examination *examination, struct apparmor_denial *denial) {
        const char *name;

        denial->operation[sizeof(denial->operation) - 1] = '\0';
        denial->mask[sizeof(denial->mask) - 1] = '\0';
        denial->object[sizeof(denial->object) - 1] = '\0';
        if (denial->profile < 0 || denial->profile >= APPARMOR_PROFILES)
                return;
        name = programs[denial->profile].name;
        warn(&examination->findings, "apparmor-denials",
             remedy_of("${EDITOR:-editor} " PROFILE_DIR "/local/%s && " PARSER " -r " PROFILE_DIR "/%s", name, name),
             "since boot %s was denied \"%s\"%s%s%s by AppArmor%s%s; if the configuration of this machine needs it, "
             "allow "
             "it in " PROFILE_DIR "/local/%s; otherwise find out why it was tried",
             programs[denial->profile].who, denial->operation, denial->mask[0] ? " (" : "", denial->mask,
             denial->mask[0] ? ")" : "", denial->object[0] ? ": " : "", denial->object, name);
}

/* When the profile, or what this machine adds to it, changed last. */
static int64_t changed_at(const char *name) {
        static const char *const directories[] = {PROFILE_DIR, PROFILE_DIR "/local"};
        int64_t latest_s = 0;

        for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
                char path[128];
                struct stat st;

                (void)snprintf(path, sizeof(path), "%s/%s", directories[i], name);
                /* A package's file has the time when it was built; its inode's that when it was installed. */
                if (stat(path, &st) == 0 && st.st_ctim.tv_sec > latest_s)
                        latest_s = st.st_ctim.tv_sec;
        }
        return latest_s;
}

static void look_at_denials(struct examination *examination) {
        int64_t changed_s[APPARMOR_PROFILES];
        const struct doctor_journal how = {match_kernel, read_denials, changed_s};
        struct denials denials = {.n = 0};
        char why[DOCTOR_JOURNAL_WHY_MAX];
        int r;

        for (int i = 0; i < APPARMOR_PROFILES; i++)
                changed_s[i] = changed_at(programs[i].name);
        r = doctor_journal_read(examination, &how, &denials, sizeof(denials), why);
        for (unsigned i = 0; i < denials.n && i < DENIALS_MAX; i++)
                report_denial(examination, &denials.at[i]);
        if (r < 0)
                warn(&examination->findings, "apparmor-denials", NO_REMEDY,
                     "it is not known whether AppArmor denies something: %s", why);
        else if (denials.n == 0)
                pass(&examination->findings, "apparmor-denials",
                     "the journal has nothing that AppArmor denied since boot");
}

/* --- profiles ----------------------------------------------------------------------------------------------------- */

/* Lines are "NAME (MODE)". */
void apparmor_mode(FILE *profiles, const char *name, char ret[static APPARMOR_MODE_MAX]) {
        size_t n = strlen(name);
        char line[1024];

        ret[0] = '\0';
        while (fgets(line, sizeof(line), profiles)) {
                char *mode = line + n + strlen(" (");
                size_t length;

                if (strncmp(line, name, n) != 0 || strncmp(line + n, " (", strlen(" (")) != 0)
                        continue;
                length = strcspn(mode, ")");
                if (mode[length] == ')' && length < APPARMOR_MODE_MAX)
                        (void)snprintf(ret, APPARMOR_MODE_MAX, "%.*s", (int)length, mode);
        }
}

static bool has_parser(void) {
        return access("/usr/sbin/" PARSER, X_OK) == 0 || access("/sbin/" PARSER, X_OK) == 0;
}

/* False: it confines nothing, or it is confined. */
static bool is_unconfined(struct examination *examination, FILE *profiles, const char *name, const char *who) {
        char path[128], mode[APPARMOR_MODE_MAX];
        const char *disabled;

        (void)snprintf(path, sizeof(path), PROFILE_DIR "/%s", name);
        if (access(path, F_OK) < 0)
                return false; /* the program is not installed, or the package was built without it */
        rewind(profiles);
        apparmor_mode(profiles, name, mode);
        if (strcmp(mode, "enforce") == 0 || strcmp(mode, "kill") == 0)
                return false;
        if (mode[0]) {
                warn(&examination->findings, "apparmor-profiles", NO_REMEDY,
                     "the profile %s is in the mode \"%s\": AppArmor denies %s nothing", name, mode, who);
                return true;
        }
        (void)snprintf(path, sizeof(path), PROFILE_DIR "/disable/%s", name);
        disabled = access(path, F_OK) == 0 ? path : NULL;
        if (disabled)
                warn(&examination->findings, "apparmor-profiles", NO_REMEDY,
                     "the profile %s is disabled (%s): AppArmor does not confine %s", name, disabled, who);
        else
                warn(&examination->findings, "apparmor-profiles", remedy_of(PARSER " -r " PROFILE_DIR "/%s", name),
                     "the profile %s is not loaded, although AppArmor is on and its file is installed: AppArmor does "
                     "not "
                     "confine %s",
                     name, who);
        return true;
}

/* False: nothing of it can be seen here. */
static bool look_at_profiles(struct examination *examination) {
        bool unconfined = false;
        FILE *profiles;

        if (!has_parser()) {
                pass(&examination->findings, "apparmor-profiles",
                     "AppArmor is on, and the package apparmor, which loads profiles, is not installed");
                return false;
        }
        profiles = fopen(LOADED, "re");
        if (!profiles) {
                /* As in a container: what the kernel has loaded is the host's affair. */
                pass(&examination->findings, "apparmor-profiles",
                     "which profiles AppArmor has cannot be seen here: %s: %s", LOADED, strerror(errno));
                return false;
        }
        for (int i = 0; i < APPARMOR_PROFILES; i++)
                unconfined = is_unconfined(examination, profiles, programs[i].name, programs[i].who) || unconfined;
        if (!unconfined)
                pass(&examination->findings, "apparmor-profiles", "AppArmor enforces the profiles that are installed");
        (void)fclose(profiles);
        return true;
}

void doctor_apparmor(struct examination *examination) {
        int fd = open(ENABLED, O_RDONLY | O_CLOEXEC);
        char enabled = '\0';
        bool on;

        on = fd >= 0 && read(fd, &enabled, 1) == 1 && enabled == 'Y';
        if (fd >= 0)
                (void)close(fd);
        /* doctor_machine() says that it is off. */
        if (on && look_at_profiles(examination))
                look_at_denials(examination);
}
