/* SPDX-License-Identifier: Apache-2.0 */
/* What is in the store, for people to look at. */
#ifndef EXC_LISTING_H
#define EXC_LISTING_H

#include "agent/connection.h"

/* List. */
void list_keys(struct connection *connection);

#endif
