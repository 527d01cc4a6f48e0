/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/admin/change.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <syslog.h>
#include <unistd.h>

#include "cli/output.h"
#include "common/journal.h"

enum {
        WHO_MAX = 256,
        TEXT_MAX = 1024,
        WAIT_MS = 10 * 1000, /* a change is worth it */
};

static char who[WHO_MAX] = "";

static void set_user(uid_t uid) {
        const struct passwd *entry = getpwuid(uid);

        if (entry)
                (void)snprintf(who, sizeof(who), "%s", entry->pw_name);
        else
                (void)snprintf(who, sizeof(who), "user id %ju", (uintmax_t)uid);
}

/* Of the login that this process descends from: the kernel keeps it through sudo(8) and su(1). False: there was none. */
static bool find_login(uid_t *ret) {
        FILE *file = fopen("/proc/self/loginuid", "re");
        unsigned uid;
        bool found;

        if (!file)
                return false;
        found = fscanf(file, "%u", &uid) == 1 && (uid_t)uid != (uid_t)-1;
        (void)fclose(file);
        if (found)
                *ret = uid;
        return found;
}

void change_begin(void) {
        const char *sudo_user = getenv("SUDO_USER");
        uid_t uid;

        if (find_login(&uid))
                set_user(uid);
        /* From another user's environment it would be that user's own word. */
        else if (getuid() == 0 && sudo_user && sudo_user[0] != '\0')
                (void)snprintf(who, sizeof(who), "%s", sudo_user);
        else
                set_user(getuid());
}

static void to_printable(char *text) {
        for (; *text; text++)
                if (*text < ' ' || *text > '~')
                        *text = '?';
}

void change_log(const char *action, const char *format, ...) {
        char resource[TEXT_MAX], message[2 * TEXT_MAX];
        struct journal_entry entry;
        va_list arguments;
        int r;

        va_start(arguments, format);
        (void)vsnprintf(resource, sizeof(resource), format, arguments);
        va_end(arguments);
        (void)snprintf(message, sizeof(message), "%s %s: done by %s", action, resource, who);
        to_printable(message);
        journal_begin(&entry);
        journal_add(&entry, "MESSAGE", message);
        journal_add_number(&entry, "PRIORITY", LOG_NOTICE);
        journal_add(&entry, "SYSLOG_IDENTIFIER", "exc-compute-admin");
        journal_add(&entry, "EXC_ACTION", action);
        journal_add(&entry, "EXC_RESOURCE", resource);
        journal_add(&entry, "EXC_WHO", who);
        r = journal_send(&entry, WAIT_MS);
        if (r < 0)
                complain("journal: %s: the change was made, and is not recorded: %s", strerror(-r), message);
}
