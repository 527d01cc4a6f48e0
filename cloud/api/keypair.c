/* SPDX-License-Identifier: Apache-2.0 */
/* Key pairs of an account: made here, whose private half is answered once, or imported. */
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cloud/api/api.h"
#include "cloud/api/auth.h"
#include "cloud/api/handlers.h"
#include "cloud/api/key_line.h"
#include "cloud/api/keypair_fingerprint.h"
#include "cloud/api/member.h"
#include "cloud/api/openssh_key.h"
#include "cloud/api/page.h"
#include "cloud/api/revoke.h"
#include "wire/fingerprint.h"

#define RESOURCE "exc:compute:keypair/"

enum { RSA_BITS = 3072 };

static bool authorise_keypair(struct request *request, const char *action, const char *name) {
        char resource[sizeof(request->audit.resource)];

        (void)snprintf(resource, sizeof(resource), RESOURCE "%s", name);
        return authorise(request, action, resource, NULL);
}

static const char *name_in(const struct request *request) {
        return request->target.segment[2];
}

static json_t *keypair_json(const struct store_keypair *keypair) {
        return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "name", keypair->name, "type", keypair->type, "public_key",
                         keypair->public_key, "fingerprint", keypair->fingerprint, "fingerprint_md5",
                         member_text(keypair->fingerprint_md5), "created_at", request_time(keypair->created));
}

/* --- list and get --------------------------------------------------------------------------------------------------- */

static enum store_result read_rows(struct request *request, void *context, const char *after, size_t max, void *rows,
                                   size_t *ret_n) {
        (void)context;
        return store_keypair_list(request->store, request->account, after, max, rows, ret_n);
}

static const char *name_of(const void *row) {
        return ((const struct store_keypair *)row)->name;
}

static json_t *show(const struct request *request, const void *row) {
        (void)request;
        return keypair_json(row);
}

void keypair_list(struct request *request) {
        static const struct page_kind kind = {
                .action = "compute:keypair:get",
                .resource = RESOURCE,
                .row_size = sizeof(struct store_keypair),
                .read = read_rows,
                .name = name_of,
                .show = show,
        };

        page_answer(request, &kind, NULL);
}

void keypair_get(struct request *request) {
        struct store_keypair keypair;
        enum store_result result;

        if (!authorise_keypair(request, "compute:keypair:get", name_in(request)))
                return;
        result = store_keypair_get(request->store, request->account, name_in(request), &keypair);
        if (result == STORE_OK)
                request_answer(request, 200, keypair_json(&keypair));
        else
                (void)request_refuse_store(request, result, "keypair");
}

/* --- create and import ---------------------------------------------------------------------------------------------- */

struct post {
        char name[STORE_NAME_MAX];
        char type[8];
        const char *public_key;
};

static enum refusal take_type(const struct json_dispatch_field *field, json_t *value, void *member,
                              struct refused *ret_why) {
        const char *text = json_string_value(value);

        if (!text || (strcmp(text, "ed25519") != 0 && strcmp(text, "rsa") != 0))
                return json_dispatch_refuse(field, ret_why);
        memcpy(member, text, strlen(text) + 1);
        return REFUSAL_NONE;
}

static const struct json_dispatch_field post_fields[] = {
        {"name", member_name, offsetof(struct post, name), .required = true, .expected = MEMBER_NAME_EXPECTED},
        {"type", take_type, offsetof(struct post, type), .expected = "ed25519 or rsa"},
        {"public_key", json_dispatch_text_ref, offsetof(struct post, public_key), .min = 1, .max = 8192,
         .expected = "one line as ssh-keygen writes it into a .pub file"},
        {.name = NULL},
};

/* "ed25519", "rsa", "ecdsa", and with "sk-" for keys on a token. */
static const char *type_name(enum ssh_key_type type) {
        switch (type) {
        case SSH_KEY_ED25519:
                return "ed25519";
        case SSH_KEY_RSA:
                return "rsa";
        case SSH_KEY_ECDSA_P256:
        case SSH_KEY_ECDSA_P384:
        case SSH_KEY_ECDSA_P521:
                return "ecdsa";
        case SSH_KEY_SK_ED25519:
                return "sk-ed25519";
        case SSH_KEY_SK_ECDSA_P256:
                return "sk-ecdsa";
        }
        return "unknown";
}

static bool fill(struct request *request, const struct post *post, const struct ssh_key *key, EVP_PKEY *private_half,
                 struct store_keypair *ret) {
        *ret = (struct store_keypair){.created = request->now};
        request_note_text(ret->account, sizeof(ret->account), request->account);
        request_note_text(ret->name, sizeof(ret->name), post->name);
        request_note_text(ret->type, sizeof(ret->type), type_name(key->type));
        ssh_key_to_text(key, ret->public_key);
        if (fingerprint_of(key, ret->fingerprint) < 0)
                return request_refuse(request, API_ERROR_INTERNAL, "fingerprint: OpenSSL has no SHA-256");
        if (keypair_fingerprint_ec2(key, private_half, ret->fingerprint_md5) < 0)
                ret->fingerprint_md5[0] = '\0';
        request_note(request, fingerprint, ret->fingerprint);
        return true;
}

static bool add(struct request *request, const struct store_keypair *keypair) {
        enum store_result result = store_keypair_add(request->store, keypair);

        if (result == STORE_OK || result == STORE_CREATED)
                return true;
        return request_refuse_store(request, result, "keypair");
}

static void import(struct request *request, const struct post *post) {
        struct store_keypair keypair;
        struct ssh_key key;
        const char *why;

        if (!authorise_keypair(request, "compute:keypair:import", post->name))
                return;
        why = key_line_parse(post->public_key, &key);
        if (why)
                (void)request_refuse_field(request, "public_key", "public_key: %s", why);
        else if (fill(request, post, &key, NULL, &keypair) && add(request, &keypair))
                request_answer(request, 201, keypair_json(&keypair));
}

/* With the private half, which is nowhere else afterwards. */
static json_t *created_json(const struct store_keypair *keypair, const struct openssh_key *private_half) {
        json_t *answer = keypair_json(keypair);

        if (answer &&
            json_object_set_new(answer, "private_key", json_stringn(private_half->text, private_half->length)) == 0)
                return answer;
        json_decref(answer);
        return NULL;
}

static void make(struct request *request, const struct post *post) {
        EVP_PKEY *pair = strcmp(post->type, "rsa") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RSA_BITS)
                                                        : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        struct openssh_key text = {.text = NULL};
        struct store_keypair keypair;
        struct ssh_key key;

        if (!pair || openssh_key_public(pair, &key) < 0 || openssh_key_private(pair, &text) < 0)
                (void)request_refuse(request, API_ERROR_INTERNAL, "keypair: OpenSSL made none; try again");
        else if (fill(request, post, &key, pair, &keypair) && add(request, &keypair))
                request_answer_secret(request, 201, created_json(&keypair, &text));
        openssh_key_wipe(&text);
        EVP_PKEY_free(pair);
        ERR_clear_error();
}

static void create(struct request *request, const struct post *post) {
        int64_t wait_ns;

        if (!authorise_keypair(request, "compute:keypair:create", post->name))
                return;
        wait_ns = limits_take(request->api->limits, LIMIT_KEYPAIR, request->account, request->started_ns);
        if (wait_ns > 0)
                (void)request_refuse_rate(request, wait_ns / 1000000 + 1, "too many key pairs of this account; wait");
        else
                make(request, post);
}

void keypair_post(struct request *request) {
        struct post post = {.public_key = NULL};

        if (!request_body(request, post_fields, &post))
                return;
        if (post.public_key && post.type[0] != '\0')
                (void)request_refuse_field(request, "type", "type: not together with public_key, which has its own");
        else if (post.public_key)
                import(request, &post);
        else if (post.type[0] != '\0')
                create(request, &post);
        else
                (void)request_refuse_field(request, "type", "type: missing; send it to have a key made, or public_key");
}

/* --- delete --------------------------------------------------------------------------------------------------------- */

/* Its revocations are recorded, and the register names it no more, so no connect uses it again; now guests drop it. */
static json_t *revoke_all(struct request *request, const struct store_keypair_deleted *deleted) {
        json_t *list = json_array();

        for (size_t i = 0; i < deleted->n_instances; i++) {
                const char *instance = deleted->instances[i];
                enum revoke_outcome outcome = revoke_recorded(request, instance, deleted->fingerprint);

                (void)json_array_append_new(
                        list, json_pack("{s:s, s:s}", "id", instance, "outcome", revoke_outcome_name(outcome)));
        }
        return json_pack("{s:o}", "instances", list);
}

void keypair_delete(struct request *request) {
        struct store_keypair_deleted deleted;
        enum store_result result;

        if (!authorise_keypair(request, "compute:keypair:delete", name_in(request)))
                return;
        result = store_keypair_delete(request->store, request->account, name_in(request), request->id,
                                      (int64_t)time(NULL), &deleted);
        if (result != STORE_OK) {
                (void)request_refuse_store(request, result, "keypair");
                return;
        }
        request_note(request, fingerprint, deleted.fingerprint);
        request_answer(request, 200, revoke_all(request, &deleted));
        free(deleted.instances);
}
