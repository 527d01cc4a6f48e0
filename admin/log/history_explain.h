/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXC_HISTORY_EXPLAIN_H
#define EXC_HISTORY_EXPLAIN_H

#include "admin/log/history_node.h"
#include "admin/log/history_pushes.h"

/* Fills in outcome, reason and whose request it was, by what is known by now. */
void node_explain(struct history *history, struct node *node);

/* Whether it belongs to what was pushed, or may well do so. */
bool node_concerns(const struct history *history, const struct node *node);

/* Whose request it was. */
void node_take_push(struct history *history, struct node *node, const struct pushed *push);

#endif
