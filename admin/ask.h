/* SPDX-License-Identifier: Apache-2.0 */
/* A question to the agent on its administration socket, and what people read when it is not answered. */
#ifndef EXC_ASK_H
#define EXC_ASK_H

#include <jansson.h>
#include <stdbool.h>

#include "admin/command.h"
#include "wire/client.h"

/*
 * Connects and sends a call of `method` (without the interface). Takes `parameters` over. `client` must be closed
 * whatever the result: EXIT_DONE, or an exit status when the reason is printed.
 */
int ask_send(const struct options *options, const char *method, json_t *parameters, bool more, struct client *client);

/*
 * Waits for a reply. EXIT_DONE, or an exit status when the reason is printed. `ret` is filled for EXIT_DONE and
 * refusals; its parameters are then the caller's to drop, and NULL otherwise.
 */
int ask_receive(const struct options *options, struct client *client, struct client_reply *ret);

/* Both, for one reply. */
int ask(const struct options *options, const char *method, json_t *parameters, struct client_reply *ret);

/*
 * Parameters of List and Revoke that name the keys of the options' user and fingerprint; "{}", all keys, where none is
 * given. The caller's to drop. NULL without memory: never parameters that name more keys than the options.
 */
json_t *ask_which_keys(const struct options *options);

/* For a reply whose parameters are not those of the interface. Prints that and returns the exit status. */
int ask_misshapen(const struct options *options, const char *method);

#endif
