/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/doctor_reload.h"

#include <stdio.h>
#include <string.h>

#include "admin/sshd/sshd_config.h"
#include "admin/sshd/systemd.h"

bool doctor_socket_listens(const char *service) {
        struct unit_state unit;
        char name[128];

        (void)snprintf(name, sizeof(name), "%.*s.socket", (int)strcspn(service, "@."), service);
        return systemd_unit_state(name, &unit) == 0 && strcmp(unit.active, "active") == 0;
}

struct remedy doctor_reload(const char *service) {
        return doctor_socket_listens(service) ? remedy_of("systemctl restart %s", service)
                                              : remedy_of("systemctl reload %s", service);
}

static bool is_any(const char *value) {
        (void)value;
        return true;
}

struct remedy doctor_edit(const char *keyword, const char *service) {
        struct remedy edit = {.command = ""}, reload = {.command = ""};
        struct sshd_line line;

        if (!sshd_config_find(NULL, keyword, is_any, &line))
                return edit;
        edit = remedy_of("${EDITOR:-editor} +%u %s", line.number, line.file);
        if (service)
                reload = doctor_reload(service);
        return remedy_both(edit, reload);
}
