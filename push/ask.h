/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to a guest, and the messages about those that fail. */
#ifndef EXC_PUSH_ASK_H
#define EXC_PUSH_ASK_H

#include <jansson.h>
#include <stdio.h>

#include "libpush/guest.h"
#include "push/command.h"

/* How long to retry a guest that is not reached: --wait, or no retry. */
struct patience {
        int64_t until_ms; /* CLOCK_MONOTONIC */
        bool reported;
};

struct patience ask_patience(const struct options *options);

/*
 * After CLIENT_NOT_REACHED: pauses and returns true when the call should be tried again, and reports the first time.
 * False when time is up, or where waiting does not help.
 */
bool ask_again(const struct options *options, const struct guest *guest, struct patience *patience);

/*
 * Connects to the guest of --to and asks it, until it answers or time is up. EXIT_DONE, or an exit status when the
 * reason is printed; `ret` must be closed in any case.
 */
int ask_guest(const struct options *options, enum client_result (*call)(void *context, struct guest *guest),
              void *context, struct guest *ret);

/* Turns the result of a call into an exit status, and prints why where it is not CLIENT_DONE. */
int ask_result(const struct options *options, const struct guest *guest, enum client_result result);

/* The stream for answers in text: standard error when --known-hosts uses standard output. */
FILE *ask_stream(const struct options *options);

/* The guest's host keys on standard output, as lines of known_hosts. EXIT_DONE, or as below when there are none. */
int ask_print_known_hosts(const struct options *options, const struct host_keys *keys);

/* Reports that the guest names no host keys. EXIT_OWN_FAILURE. */
int ask_no_host_keys(const struct options *options);

json_t *ask_clock(const struct guest_clock *clock);

#endif
