/* SPDX-License-Identifier: Apache-2.0 */
/* The functions that answer requests: one for each row of the table in route.c. See request.h for what they may expect. */
#ifndef EXC_API_HANDLERS_H
#define EXC_API_HANDLERS_H

#include "cloud/api/request.h"

/* health.c */
void health_get(struct request *request);
void openapi_get(struct request *request);

/* docs.c */
void docs_get(struct request *request);
void docs_file_get(struct request *request);

/* instance.c */
void instance_get(struct request *request);
void instance_put(struct request *request);
void instance_delete(struct request *request);
void instance_accept_host_keys(struct request *request);

/* connect.c */
void instance_connect(struct request *request);

/* revoke.c */
void instance_revoke(struct request *request);

/* instance_list.c */
void instance_list(struct request *request);

/* keypair.c */
void keypair_list(struct request *request);
void keypair_post(struct request *request);
void keypair_get(struct request *request);
void keypair_delete(struct request *request);

/* iam_account.c */
void account_list(struct request *request);
void account_post(struct request *request);
void account_get(struct request *request);
void account_delete(struct request *request);
void account_attach(struct request *request);
void account_detach(struct request *request);

/* iam_token.c */
void token_list(struct request *request);
void token_post(struct request *request);
void token_get(struct request *request);
void token_delete(struct request *request);

/* iam_policy.c */
void policy_list(struct request *request);
void policy_post(struct request *request);
void policy_get(struct request *request);
void policy_put(struct request *request);
void policy_delete(struct request *request);

#endif
