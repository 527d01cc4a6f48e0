/* SPDX-License-Identifier: Apache-2.0 */
/* One request and what is printed of its answer: all that most commands are. */
#ifndef EXC_EXC_REQUEST_H
#define EXC_EXC_REQUEST_H

#include "exc/api.h"
#include "exc/problem.h"
#include "exc/target.h"

/* A member of an answer, as a column of a table and as a line. */
struct column {
        const char *member;  /* "created_at", or "addresses.public_ipv4" */
        const char *heading; /* "CREATED" */
        const char *field;   /* "Created"; NULL: not in lines */
};

struct request {
        const char *method;
        char *path;   /* of api_path(); the request takes ownership */
        json_t *body; /* the same; NULL: none */
        struct problem_about about;
};

/* EXIT_DONE, with the body in `ret`, which the caller drops and which is NULL after 204; or a status: it is reported. */
int request_send(const struct options *options, const struct request *request, json_t **ret);

/* The same about a VM: /compute/instance/ID, with `tail` behind it where it is not NULL. `target` has the id then. */
int request_vm(const struct options *options, struct target *target, const char *method, const char *tail, json_t *body,
               json_t **ret);

/* request_send(), for a list: prints a table or, with -o json, an array. Takes ownership of `path`. */
int request_list(const struct options *options, char *path, const struct column *columns, size_t n);

/* request_send(), and prints what came. */
int request_show(const struct options *options, const struct request *request, const struct column *columns, size_t n);

/* One object: a line for each column or, with -o json, all of it. EXIT_DONE or EXIT_OWN_FAILURE. */
int request_print(const struct options *options, const json_t *object, const struct column *columns, size_t n);

#endif
