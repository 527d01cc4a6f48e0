/* SPDX-License-Identifier: Apache-2.0 */
/* SetLaunchKeys and SetInstanceId: what exc-instance-connect-metadata learnt, as far as metadata.conf allows. */
#ifndef EXC_METHOD_LAUNCH_H
#define EXC_METHOD_LAUNCH_H

#include "agent/connection.h"

/* Each replies to `connection->call`, now or later. */
void method_set_launch_keys(struct connection *connection);
void method_set_instance_id(struct connection *connection);

#endif
