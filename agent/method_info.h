/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent says about itself: Hello, HostKeys, Status, and org.varlink.service (https://varlink.org/Service). */
#ifndef EXC_METHOD_INFO_H
#define EXC_METHOD_INFO_H

#include "agent/connection.h"

/* The text of in.excloud.InstanceConnect.varlink, made by the build. */
extern const char interface_text[];

void method_hello(struct connection *connection);
void method_host_keys(struct connection *connection);
void method_status(struct connection *connection);

void method_get_info(struct connection *connection);
void method_get_interface_description(struct connection *connection);

#endif
