/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the answers of a metadata service, one after the other, through all that is asked: what is then handed to the agent
 * must be keys that come back from their texts, each once and no more than it takes, and an id of the right form. What is asked
 * must be paths below the service's own, and no token may end its header.
 *
 * Input: a byte, whose bits are the format (1, 2) and TokenRequired (4); then answers, each a byte for the status, two for the
 * length, and the body.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "metadata/service.h"

#define ASSERT(condition) ((condition) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n);

static void check_request(const struct http_request *request) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789-./";

        ASSERT(strspn(request->path, plain) == strlen(request->path) && strlen(request->path) < HTTP_PATH_MAX);
        ASSERT(!strstr(request->path, "..") && !strstr(request->path, "//"));
        ASSERT(strncmp(request->path, "/latest/", 8) == 0 || strncmp(request->path, "/1.0/meta-data/", 15) == 0);
        for (const char *c = request->token; c && *c; c++)
                ASSERT(*c > ' ' && *c <= '~');
}

static int answer(void *context, const struct http_request *request, struct http_answer *ret,
                  char ret_why[static HTTP_WHY_MAX]) {
        static const long statuses[] = {200, 200, 200, 200, 401, 404, 302, 500};
        struct bytes *from = context, body;
        uint8_t status, high, low;
        size_t length;

        check_request(request);
        strcpy(ret_why, "the end");
        if (!bytes_u8(from, &status) || !bytes_u8(from, &high) || !bytes_u8(from, &low))
                return -EPROTO;
        length = (size_t)high << 8 | low;
        if (length > from->left)
                length = from->left;
        ASSERT(bytes_slice(from, length, &body));
        ret->status = statuses[status % 8];
        ret->length = length;
        if (length > 0)
                memcpy(ret->body, body.at, length);
        ret->body[length] = '\0';
        return 0;
}

static void check_why(const char *why, size_t size) {
        ASSERT(strnlen(why, size) < size && why[0] != '\0');
        for (; *why; why++)
                ASSERT(*why >= ' ' && *why <= '~');
}

static void check_keys(const struct answer_keys *keys) {
        ASSERT(keys->n <= ANSWER_KEYS_MAX);
        for (size_t i = 0; i < keys->n; i++) {
                char text[SSH_KEY_TEXT_MAX];
                struct ssh_key again;

                ssh_key_to_text(&keys->key[i], text);
                ASSERT(ssh_key_from_text(text, strlen(text), &again) == SSH_KEY_OK);
                for (size_t j = 0; j < i; j++)
                        ASSERT(keys->key[j].blob_length != again.blob_length ||
                               memcmp(keys->key[j].blob, again.blob, again.blob_length) != 0);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t n) {
        static struct service service;
        static struct answer_keys keys;
        struct bytes from = {input, n};
        struct metadata_conf conf = {.user = "alice"};
        char id[METADATA_INSTANCE_ID_MAX], why[SERVICE_WHY_MAX];
        uint8_t bits;
        int r;

        if (!bytes_u8(&from, &bits))
                return 0;
        conf.format = (enum metadata_format)((bits & 3) % 3);
        conf.token_required = (bits & 4) != 0;
        r = service_begin(&service, &conf, answer, &from, why);
        if (r < 0) {
                check_why(why, sizeof(why));
                return 0;
        }
        r = service_keys(&service, &keys, why);
        if (r < 0)
                check_why(why, sizeof(why));
        else
                check_keys(&keys);
        r = service_instance_id(&service, id, why);
        if (r < 0)
                check_why(why, sizeof(why));
        else
                ASSERT(metadata_instance_id_valid(conf.format, id));
        return 0;
}
