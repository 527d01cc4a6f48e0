/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/doctor/doctor_reload.h"

#include <stdio.h>
#include <string.h>

#include "admin/doctor/unit_state.h"

bool doctor_socket_listens(const char *service) {
        struct unit_state unit;
        char name[128];

        (void)snprintf(name, sizeof(name), "%.*s.socket", (int)strcspn(service, "@."), service);
        return unit_state(name, &unit) == 0 && strcmp(unit.active, "active") == 0;
}

struct remedy doctor_reload(const char *service) {
        return doctor_socket_listens(service) ? remedy_of("systemctl restart %s", service)
                                              : remedy_of("systemctl reload %s", service);
}
