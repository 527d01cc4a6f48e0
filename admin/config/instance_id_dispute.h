/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXC_INSTANCE_ID_DISPUTE_H
#define EXC_INSTANCE_ID_DISPUTE_H

#include <stdbool.h>

#include "agent/instance_id.h"

/*
 * instance_id_disputed() for the sources that the caller may read and the agent's credential, by agent.conf as it is now. Root
 * reads more sources than the agent: by default the product serial, too. `ret_by_file`: whether the file instance-id counts.
 */
bool instance_id_dispute(char ret_why[static INSTANCE_ID_WHY_MAX], bool *ret_by_file);

#endif
