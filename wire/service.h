/* SPDX-License-Identifier: Apache-2.0 */
/* org.varlink.service, which every varlink service has (https://varlink.org/Service). */
#ifndef EXC_SERVICE_H
#define EXC_SERVICE_H

#include <jansson.h>

#define VARLINK_SERVICE "org.varlink.service"

/* Its description, as the varlink project publishes it. */
extern const char service_text[];

/* The reply of GetInfo: of a service that has `interface` and this one. NULL without memory. */
json_t *service_info(const char *product, const char *version, const char *interface);

/* The parameter of GetInterfaceDescription, valid while the object is; NULL where there is none. */
const char *service_interface_asked(json_t *parameters);

#endif
