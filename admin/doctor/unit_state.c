/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/unit_state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "admin/program.h"

enum { ANSWER_MS = 5 * 1000 };

bool unit_state_known(void) {
        return sd_booted() > 0;
}

static void take(const char *output, const char *name, char ret[static UNIT_STATE_MAX]) {
        size_t n = strlen(name);

        ret[0] = '\0';
        for (const char *line = output; *line;) {
                size_t length = strcspn(line, "\n");

                if (length > n && strncmp(line, name, n) == 0 && line[n] == '=')
                        (void)snprintf(ret, UNIT_STATE_MAX, "%.*s", (int)(length - n - 1), line + n + 1);
                line += length + (line[length] == '\n');
        }
}

int unit_state(const char *name, struct unit_state *ret) {
        char program[] = "/bin/systemctl", show[] = "show", unit[256],
             property[] = "--property=LoadState,ActiveState,SubState,UnitFileState";
        char *argv[] = {program, show, property, unit, NULL};
        struct program_result result;
        bool succeeded;
        int r;

        if (snprintf(unit, sizeof(unit), "%s", name) >= (int)sizeof(unit))
                return -ENAMETOOLONG;
        r = program_run(argv, NULL, ANSWER_MS, &result);
        if (r < 0)
                return r;
        succeeded = program_succeeded(&result);
        if (succeeded) {
                take(result.output, "LoadState", ret->load);
                take(result.output, "ActiveState", ret->active);
                take(result.output, "SubState", ret->sub);
                take(result.output, "UnitFileState", ret->file);
        }
        program_result_clear(&result);
        return succeeded ? 0 : -EIO;
}
