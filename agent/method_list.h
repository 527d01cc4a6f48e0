/* SPDX-License-Identifier: Apache-2.0 */
/* List: the live keys in the store, in parts that keep to the limit of a message. */
#ifndef EXC_METHOD_LIST_H
#define EXC_METHOD_LIST_H

#include "agent/connection.h"

void method_list(struct connection *connection);

#endif
