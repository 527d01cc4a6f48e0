/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/sshd_settings.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/program.h"
#include "admin/sshd/sshd.h"

enum { ANSWER_MS = 10 * 1000 };

int sshd_settings_ask(char *const arguments[], const char *user, struct sshd_settings *ret) {
        const char *argv[SSHD_ARGUMENTS_MAX + 5] = {SSHD_PROGRAM};
        struct program_result result;
        char connection[512];
        size_t n = 1;
        int r;

        for (size_t i = 0; arguments && arguments[i] && n <= SSHD_ARGUMENTS_MAX; i++)
                argv[n++] = arguments[i];
        argv[n++] = "-T";
        if (user) {
                r = snprintf(connection, sizeof(connection),
                             "user=%s,host=localhost,addr=127.0.0.1,laddr=127.0.0.1,lport=22,rdomain=", user);
                if (r < 0 || (size_t)r >= sizeof(connection) || strchr(user, ','))
                        return -EINVAL;
                argv[n++] = "-C";
                argv[n++] = connection;
        }
        /* execve(2) takes words that are not const, and does not change them. */
        r = program_run((char *const *)(uintptr_t)argv, NULL, ANSWER_MS, &result);
        if (r < 0)
                return r;
        if (!program_succeeded(&result)) {
                program_result_clear(&result);
                return -EIO;
        }
        ret->text = result.output; /* transferred */
        result.output = NULL;
        program_result_clear(&result);
        return 0;
}

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
