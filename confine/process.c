/* SPDX-License-Identifier: Apache-2.0 */
#include "confine/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "confine/privileges.h"
#include "confine/sanitized.h"

/* A directory that is missing may be made yet: the rule is then for the one above. */
static void allow(struct landlock *landlock, const struct landlock_rule *rule) {
        char path[PATH_MAX];
        char *slash;

        if (snprintf(path, sizeof(path), "%s", rule->path) >= (int)sizeof(path))
                return;
        slash = strrchr(path, '/');
        if (slash && slash != path && access(path, F_OK) < 0 && errno == ENOENT)
                *slash = '\0';
        landlock_allow(landlock, AT_FDCWD, path, 0, rule->rights);
}

int process_limit_files(const struct process_limits *limits) {
        struct landlock landlock;
        int r = landlock_begin(LANDLOCK_LIMIT_ALL, &landlock);

        if (r < 0)
                return r;
        for (size_t i = 0; i < PROCESS_RULES_MAX; i++)
                if (limits->rules[i].path)
                        allow(&landlock, &limits->rules[i]);
        if (limits->tcp_port != 0)
                landlock_allow_connect(&landlock, limits->tcp_port);
        return landlock_enforce(&landlock);
}

static void check(int r, const char *layer, void (*report)(const char *text)) {
        char text[128];

        if (r >= 0)
                return;
        (void)snprintf(text, sizeof(text), "confinement: %s: not in effect: %s; the other layers are", layer,
                       strerror(-r));
        report(text);
}

void process_confine(const struct process_limits *limits, void (*report)(const char *text)) {
        check(privileges_drop(), "privileges", report);
        check(process_limit_files(limits), "Landlock", report);
        if (!SANITIZED)
                check(syscall_filter_install(&limits->filter), "seccomp", report);
}
