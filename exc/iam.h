/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands of exc iam share: requests below /iam/KIND. */
#ifndef EXC_EXC_IAM_H
#define EXC_EXC_IAM_H

#include "exc/request.h"

enum { IAM_OBJECT_MAX = 160 };

/* "/iam/KIND/NAME", about "KIND NAME", for which `object` is. */
struct request iam_request(const char *method, const char *kind, const char *name, char object[static IAM_OBJECT_MAX]);

/* "/iam/KIND" with a body, about a new one of that name. */
struct request iam_create(const char *kind, const char *name, json_t *body, char object[static IAM_OBJECT_MAX]);

/* DELETE, which answers nothing. */
int iam_delete(const struct options *options, const char *kind, const char *name);

#endif
