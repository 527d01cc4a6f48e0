/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of a metadata service, in its order: a token (IMDSv2), the list of names, the keys, the id. Where the answer to
 * one is not as it should be, nothing of it counts.
 */
#ifndef EXC_METADATA_SERVICE_H
#define EXC_METADATA_SERVICE_H

#include "metadata/answer.h"

enum { SERVICE_WHY_MAX = HTTP_PATH_MAX + ANSWER_WHY_MAX + 32 };

struct service {
        const struct metadata_conf *conf;
        http_ask ask;
        void *context;
        char token[HTTP_TOKEN_MAX]; /* "": none */
        bool renewed;               /* the token, once: it had expired */
        struct http_answer answer;
};

/*
 * Takes a token where the service has some. 0; negative errno with the cause in `ret_why`, in printable ASCII and with nothing of
 * the service's but numbers: -EACCES, there is none and the configuration asks for one; -EBADMSG, malformed; else of http_ask.
 */
int service_begin(struct service *service, const struct metadata_conf *conf, http_ask ask, void *context,
                  char ret_why[static SERVICE_WHY_MAX]);

/* All keys. -EBADMSG and -ENOENT: an answer that was malformed, or had another status than 200; others as above. */
int service_keys(struct service *service, struct answer_keys *ret, char ret_why[static SERVICE_WHY_MAX]);

/* The same for the id. */
int service_instance_id(struct service *service, char ret[static METADATA_INSTANCE_ID_MAX],
                        char ret_why[static SERVICE_WHY_MAX]);

#endif
