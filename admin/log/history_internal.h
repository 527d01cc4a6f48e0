/* SPDX-License-Identifier: Apache-2.0 */
/* What history_events.c, which takes events in, has history.c do. */
#ifndef EXC_HISTORY_INTERNAL_H
#define EXC_HISTORY_INTERNAL_H

#include "admin/log/history_node.h"

/* So that another story fits. */
void history_make_room(struct history *history);

/* With a machine that goes down, all ends. */
void history_end_boot(struct history *history);

/* Nothing more is expected of it. It may be gone afterwards. */
void node_settle(struct history *history, struct node *node);

/* A connection that was let in is worth a line at once, when it is followed. */
void node_tell_open(struct history *history, struct node *node);

#endif
