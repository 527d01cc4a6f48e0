/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXC_API_INSTANCE_H
#define EXC_API_INSTANCE_H

#include "cloud/api/request.h"

/*
 * An instance as an answer has it. What its host reports and where it is reached are only for those who may put it. NULL:
 * no memory.
 */
json_t *instance_json(const struct request *request, const struct store_instance *instance);

/* {"public_ipv4", "private_ipv4", "ipv6", "port"}; what there is not is null. */
json_t *instance_addresses_json(const struct store_addresses *addresses);

#endif
