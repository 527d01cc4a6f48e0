/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/sshd_host_keys.h"

#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "admin/sshd/text_file.h"

static int add_once(struct strv *to, const char *path) {
        for (size_t i = 0; i < to->n; i++)
                if (strcmp(to->item[i], path) == 0)
                        return 0;
        return strv_add(to, path);
}

static int add_key(struct strv *to, const char *path) {
        size_t length = strlen(path);
        char public[PATH_MAX];

        /* With HostKeyAgent, the public half may be all that is there, and have this name. */
        if (length > 4 && strcmp(path + length - 4, ".pub") == 0)
                return add_once(to, path);
        if (snprintf(public, sizeof(public), "%s.pub", path) >= (int)sizeof(public))
                return 0;
        return access(path, F_OK) < 0 && access(public, F_OK) < 0 ? 0 : add_once(to, public);
}

int sshd_host_keys_add(char *const arguments[], struct strv *to, char ret_why[static SSHD_WHY_MAX]) {
        static const char keyword[] = "hostkey ";
        const char *at;
        char *effective;
        int r;

        r = sshd_effective(arguments, NULL, &effective, ret_why);
        if (r < 0)
                return r;
        at = effective;
        while (*at && r >= 0) {
                char *line = text_line(&at);

                if (!line)
                        r = -ENOMEM;
                else if (strncasecmp(line, keyword, strlen(keyword)) == 0)
                        r = add_key(to, line + strlen(keyword));
                free(line);
        }
        free(effective);
        if (r < 0)
                (void)snprintf(ret_why, SSHD_WHY_MAX, "%s", strerror(-r));
        return r;
}

bool sshd_host_key_is_named(const struct config *config, const char *path) {
        for (size_t i = 0; i < config->host_key_files.n; i++)
                if (strcmp(config->host_key_files.item[i], path) == 0)
                        return true;
        return config->host_key_files.n == 0 && fnmatch(CONFIG_HOST_KEY_PATTERN, path, FNM_PATHNAME | FNM_PERIOD) == 0;
}

char *sshd_host_keys_line(const struct strv *paths) {
        char *line = strdup("HostKeyFiles=");

        for (size_t i = 0; line && i < paths->n; i++) {
                char *longer = NULL;

                if (strpbrk(paths->item[i], " \t") ||
                    asprintf(&longer, "%s%s%s", line, i > 0 ? " " : "", paths->item[i]) < 0)
                        longer = NULL;
                free(line);
                line = longer;
        }
        return line;
}
