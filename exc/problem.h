/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong, what to do, and the exit status: one table for all commands. */
#ifndef EXC_EXC_PROBLEM_H
#define EXC_EXC_PROBLEM_H

#include "exc/api.h"

/* What the request was about; NULL where it does not apply. */
struct problem_about {
        const char *vm;     /* id or name, as people gave it */
        const char *user;   /* login name */
        const char *object; /* "key pair deploy" */
        bool as_id;         /* `vm` was sent as an id, since no VM with that name was found */
};

enum { PROBLEM_TEXT_MAX = 2048, PROBLEM_STEP_MAX = 4096 };

struct problem {
        int status;                  /* exit status */
        char text[PROBLEM_TEXT_MAX]; /* "object: cause" in one line */
        char step[PROBLEM_STEP_MAX]; /* what to do; may have several lines; "": nothing */
};

/* For an answer whose api_call() returned false. */
void problem_of_answer(const struct api_answer *answer, const struct config *config, const struct problem_about *about,
                       struct problem *ret);

/* The VM's new host keys are not among those that are on record. */
void problem_of_host_keys(const char *vm, struct problem *ret);

/* No connection to the VM's sshd. `address`: "192.0.2.7 port 22"; `error`: an errno. */
void problem_of_route(const char *vm, const char *address, int error, struct problem *ret);

/* What a refusal of the guest's agent means, by its name ("NoSuchUser"). False: it is not known. */
bool problem_of_guest(const char *guest_error, const struct problem_about *about, struct problem *ret);

/*
 * Prints it on standard error; with -o json also {"error", "message", "next", ...} in one line on standard output. `answer` may
 * be NULL. Returns the exit status.
 */
int problem_print(const struct options *options, const struct problem *problem, const struct api_answer *answer);

/* problem_of_answer() and problem_print(). */
int problem_report(const struct options *options, const struct api *api, const struct api_answer *answer,
                   const struct problem_about *about);

#endif
