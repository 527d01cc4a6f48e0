/* SPDX-License-Identifier: Apache-2.0 */
/* org.varlink.service (https://varlink.org/Service): what this is, and what it speaks. */
#ifndef EXC_SERVICE_H
#define EXC_SERVICE_H

#include "agent/connection.h"

/* The text of in.excloud.InstanceConnect.varlink, made by the build. */
extern const char interface_text[];

void service_get_info(struct connection *connection);
void service_get_interface_description(struct connection *connection);

void service_method_not_found(struct connection *connection);
void service_invalid_parameter(struct connection *connection, const char *parameter);

#endif
