/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/sshd_settings.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void sshd_settings_clear(struct sshd_settings *settings) {
        free(settings->text);
        *settings = (struct sshd_settings){.text = NULL};
}

bool sshd_setting(const struct sshd_settings *settings, const char *name, size_t nth, char *ret, size_t size) {
        size_t n = strlen(name);

        for (const char *line = settings->text; line && *line;) {
                size_t length = strcspn(line, "\n");

                if (length > n && line[n] == ' ' && strncasecmp(line, name, n) == 0 && nth-- == 0) {
                        if (length - n - 1 >= size)
                                return false;
                        memcpy(ret, line + n + 1, length - n - 1);
                        ret[length - n - 1] = '\0';
                        return true;
                }
                line += length + (line[length] == '\n');
        }
        return false;
}

bool sshd_setting_is(const struct sshd_settings *settings, const char *name, const char *value) {
        char found[256];

        for (size_t i = 0; sshd_setting(settings, name, i, found, sizeof(found)); i++)
                if (strcasecmp(found, value) == 0)
                        return true;
        return false;
}
