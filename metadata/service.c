/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata/service.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TOKEN_PATH "/latest/api/token"

enum { OK = 200, UNAUTHORIZED = 401, NOT_IMPLEMENTED = 501 };

__attribute__((format(printf, 4, 5))) static int fail(char ret_why[static SERVICE_WHY_MAX], int error, const char *path,
                                                      const char *format, ...) {
        va_list arguments;
        size_t used;

        used = (size_t)snprintf(ret_why, SERVICE_WHY_MAX, "%s: ", path);
        va_start(arguments, format);
        (void)vsnprintf(ret_why + used, SERVICE_WHY_MAX - used, format, arguments);
        va_end(arguments);
        return error;
}

static int send_request(struct service *service, const struct http_request *request,
                        char ret_why[static SERVICE_WHY_MAX]) {
        char why[HTTP_WHY_MAX];
        int r = service->ask(service->context, request, &service->answer, why);

        return r < 0 ? fail(ret_why, r, request->path, "%s", why) : 0;
}

/* Services without tokens, as OpenStack's, refuse the method or do not know the path. */
static int take_token(struct service *service, char ret_why[static SERVICE_WHY_MAX]) {
        const struct http_request request = {.put = true, .path = TOKEN_PATH};
        const struct http_answer *answer = &service->answer;
        char why[ANSWER_WHY_MAX];
        int r = send_request(service, &request, ret_why);

        service->token[0] = '\0';
        if (r < 0)
                return r;
        if (answer->status == OK)
                return answer_take_token(answer->body, answer->length, service->token, why)
                               ? 0
                               : fail(ret_why, -EBADMSG, TOKEN_PATH, "%s", why);
        if ((answer->status < 400 || answer->status > 499) && answer->status != NOT_IMPLEMENTED)
                return fail(ret_why, -EBADMSG, TOKEN_PATH, "status %ld", answer->status);
        if (!service->conf->token_required)
                return 0;
        return fail(ret_why, -EACCES, TOKEN_PATH,
                    "status %ld: this service gives no token (IMDSv2); if it has none, set TokenRequired=no",
                    answer->status);
}

int service_begin(struct service *service, const struct metadata_conf *conf, http_ask ask, void *context,
                  char ret_why[static SERVICE_WHY_MAX]) {
        service->conf = conf;
        service->ask = ask;
        service->context = context;
        service->renewed = false;
        return take_token(service, ret_why);
}

/* --- paths -------------------------------------------------------------------------------------------------------- */

static const char *base_of(const struct service *service) {
        return service->conf->format == METADATA_EXOSCALE ? "/1.0/meta-data/" : "/latest/meta-data/";
}

/* The answer at a path below the base; `path` gets the whole one, for messages. */
static int get(struct service *service, const char *below, char path[static HTTP_PATH_MAX],
               char ret_why[static SERVICE_WHY_MAX]) {
        struct http_request request = {.path = path};
        int r;

        (void)snprintf(path, HTTP_PATH_MAX, "%s%s", base_of(service), below);
        for (;;) {
                request.token = service->token[0] != '\0' ? service->token : NULL;
                r = send_request(service, &request, ret_why);
                if (r < 0 || service->answer.status == OK)
                        return r;
                if (service->answer.status != UNAUTHORIZED || !request.token || service->renewed)
                        return fail(ret_why, -ENOENT, path, "status %ld", service->answer.status);
                /* The token has expired. */
                service->renewed = true;
                r = take_token(service, ret_why);
                if (r < 0)
                        return r;
        }
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

static int add_keys(struct service *service, const char *below, struct answer_keys *keys,
                    char ret_why[static SERVICE_WHY_MAX]) {
        char path[HTTP_PATH_MAX], why[ANSWER_WHY_MAX];
        int r = get(service, below, path, ret_why);

        if (r < 0)
                return r;
        if (!answer_take_keys(service->answer.body, service->answer.length, keys, why))
                return fail(ret_why, -EBADMSG, path, "%s", why);
        return 0;
}

/* An index of keys, each at a path of its own. */
static int add_indexed(struct service *service, struct answer_keys *keys, char ret_why[static SERVICE_WHY_MAX]) {
        char path[HTTP_PATH_MAX], why[ANSWER_WHY_MAX];
        struct answer_index index;
        int r = get(service, "public-keys/", path, ret_why);

        if (r < 0)
                return r;
        if (!answer_take_index(service->answer.body, service->answer.length, &index, why))
                return fail(ret_why, -EBADMSG, path, "%s", why);
        for (size_t i = 0; r >= 0 && i < index.n; i++) {
                char below[64];

                (void)snprintf(below, sizeof(below), "public-keys/%u/openssh-key", index.number[i]);
                r = add_keys(service, below, keys, ret_why);
        }
        return r;
}

int service_keys(struct service *service, struct answer_keys *ret, char ret_why[static SERVICE_WHY_MAX]) {
        char path[HTTP_PATH_MAX], why[ANSWER_WHY_MAX];
        bool has_keys;
        int r;

        ret->n = ret->n_left_out = 0;
        /* Without this, a service that is not ready and knows no path would be one that has no keys. */
        r = get(service, "", path, ret_why);
        if (r < 0)
                return r;
        if (!answer_take_list(service->answer.body, service->answer.length, &has_keys, why))
                return fail(ret_why, -EBADMSG, path, "%s", why);
        if (!has_keys)
                return 0;
        return service->conf->format == METADATA_EC2 ? add_indexed(service, ret, ret_why)
                                                     : add_keys(service, "public-keys", ret, ret_why);
}

int service_instance_id(struct service *service, char ret[static METADATA_INSTANCE_ID_MAX],
                        char ret_why[static SERVICE_WHY_MAX]) {
        char path[HTTP_PATH_MAX], why[ANSWER_WHY_MAX];
        int r = get(service, "instance-id", path, ret_why);

        if (r < 0)
                return r;
        if (!answer_take_instance_id(service->conf->format, service->answer.body, service->answer.length, ret, why))
                return fail(ret_why, -EBADMSG, path, "%s", why);
        return 0;
}
