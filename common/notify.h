/* SPDX-License-Identifier: Apache-2.0 */
/* sd_notify(3) for programs that do not link libsystemd. */
#ifndef EXC_NOTIFY_H
#define EXC_NOTIFY_H

/* "READY=1" to the service manager, where one asks for it (Type=notify). */
void notify_ready(void);

#endif
