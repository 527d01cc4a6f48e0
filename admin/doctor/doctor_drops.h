/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that were refused without a fault of the machine's, of which the journal knows. */
#ifndef EXC_DOCTOR_DROPS_H
#define EXC_DOCTOR_DROPS_H

#include "admin/doctor/finding.h"
#include "admin/log/log_event.h"

/* Of the last connection that lacked a slot; all zeros: there was none. */
struct doctor_slots {
        char user[GRANT_USER_MAX], fingerprint[SSHD_LINE_FINGERPRINT_MAX];
};

/* Events are noted from the last one back. `user`: NULL: of any. */
void doctor_slots_note(struct doctor_slots *slots, const struct log_event *event, const char *user);

/* Adds the finding, or none where no connection lacked a slot. */
void doctor_slots_report(const struct doctor_slots *slots, struct findings *to);

#endif
