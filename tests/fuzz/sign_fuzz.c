/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a call to exc-signer, through its methods, with a key. Each has one answer and one line in the log, which is
 * written before the signature. What is signed is what was asked for, within the signer's limits, and the guest reads the
 * same in it: its own parser takes the payload.
 *
 * Input: one message, as wire/call.h takes it.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/trust.h"
#include "cloud/signer/signer_request.h"
#include "cloud/signer/signer_service.h"
#include "tests/fuzz/push_checks.h"
#include "wire/call.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);
int __wrap_serve_reply(struct serve_call *call, json_t *parameters);
int __wrap_serve_error(struct serve_call *call, const char *error, json_t *parameters);
int __wrap_line_log_open(const char *directory, const char *name, int64_t file_size, struct line_log **ret,
                         char ret_why[static LINE_LOG_WHY_MAX]);
int __wrap_line_log_append(struct line_log *log, const json_t *object, struct line_log_head *ret);

enum { MAX_TTL_S = 200 };

static char *denied[] = {(char[]){"deny*"}, (char[]){"root"}};
static char *denied_instances[] = {(char[]){"vault"}};
static const struct signer_config config = {
        .max_ttl_s = MAX_TTL_S,
        .deny_users = {.item = denied, .n = 2},
        .deny_instances = {.item = denied_instances, .n = 1},
};
static struct signer_key key = {.signer = {.key_id = "k1"}, .type = "ed25519", .pem = "PEM"};
static struct trust_anchors anchors = {.n = 1};
static struct signer_service service = {.config = &config, .key = &key, .lock = PTHREAD_MUTEX_INITIALIZER};
static struct signer_request request; /* what the call asks for */

/* What was logged and answered. */
static json_t *line, *answer;
static const char *error;

/* --- the log and the server -------------------------------------------------------------------------------------- */

int __wrap_line_log_open(const char *directory, const char *name, int64_t file_size, struct line_log **ret,
                         char ret_why[static LINE_LOG_WHY_MAX]) {
        static char log;

        (void)directory;
        (void)name;
        (void)file_size;
        ret_why[0] = '\0';
        *ret = (struct line_log *)&log;
        return 0;
}

int __wrap_line_log_append(struct line_log *log, const json_t *object, struct line_log_head *ret) {
        (void)log;
        (void)ret;
        require(!line && !answer); /* once, and before the answer */
        line = json_deep_copy(object);
        require(line);
        return 0;
}

static int take_answer(const char *name, json_t *parameters) {
        char *text = json_dumps(parameters, JSON_COMPACT);

        require(text && !answer);
        if (strlen(text) + 128 > FRAME_MAX) {
                require(!name); /* errors always fit */
                free(text);
                json_decref(parameters);
                return -E2BIG;
        }
        free(text);
        answer = parameters;
        error = name ? strrchr(name, '.') + 1 : NULL;
        return 0;
}

int __wrap_serve_reply(struct serve_call *call, json_t *parameters) {
        (void)call;
        return take_answer(NULL, parameters);
}

int __wrap_serve_error(struct serve_call *call, const char *name, json_t *parameters) {
        static char copy[128];

        (void)call;
        require(strncmp(name, SIGNER_INTERFACE ".", strlen(SIGNER_INTERFACE ".")) == 0 && strlen(name) < sizeof(copy));
        (void)strcpy(copy, name);
        return take_answer(copy, parameters);
}

/* --- what is signed ---------------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *name) {
        const char *text = json_string_value(json_object_get(object, name));

        return text ? text : "";
}

static int64_t number_of(const json_t *object, const char *name) {
        return json_integer_value(json_object_get(object, name));
}

static void require_terms(const struct terms *terms) {
        char aud[PAYLOAD_AUD_MAX];

        require((size_t)snprintf(aud, sizeof(aud), AUDIENCE_PREFIX "%s", request.instance) < sizeof(aud));
        require(strcmp(terms->aud, aud) == 0 && strcmp(terms->challenge, request.challenge) == 0);
        require(terms->has_challenge == (request.challenge[0] != '\0'));
        require(strcmp(terms->jti, text_of(answer, "jti")) == 0 && strcmp(terms->jti, text_of(line, "jti")) == 0);
        require(terms->iat_s == number_of(answer, "iat") && terms->exp_s == number_of(answer, "exp"));
        require(!signer_config_allows_instance(&config, "vault") && strcmp(request.instance, "vault") != 0);
}

/* As the guest reads it. */
static void require_same_push(const uint8_t *payload, size_t length) {
        struct refused why = {.why = REFUSAL_NONE};
        static struct push push;
        const char *at = push.key_texts;
        struct terms terms;

        require(request_parse_push(payload, length, &terms, &push, &why) == REFUSAL_NONE);
        require_terms(&terms);
        require(terms.exp_s - terms.iat_s <= MAX_TTL_S && push.ttl_s == number_of(answer, "ttl"));
        require(push.ttl_s >= 1 && push.ttl_s <= MAX_TTL_S && (request.ttl == 0 || push.ttl_s <= request.ttl));
        require(strcmp(push.user, request.user) == 0 && strcasecmp(push.user, "root") != 0);
        require(strncasecmp(push.user, "deny", 4) != 0 && push.user[0] != '-');
        require(strcmp(push.principal, request.principal) == 0 && strcmp(push.request_id, request.request_id) == 0);
        require(push.restricted == request.restricted && push.n_sources == request.n_sources);
        require(push.connections == (request.connections < 0 ? PUSH_DEFAULT_CONNECTIONS : request.connections));
        require(memcmp(push.sources, request.sources, request.n_sources * sizeof(push.sources[0])) == 0);
        require(push.n_keys == request.n_keys &&
                json_array_size(json_object_get(answer, "fingerprints")) == push.n_keys);
        for (size_t i = 0; i < push.n_keys; i++) {
                char text[SSH_KEY_TEXT_MAX];

                ssh_key_to_text(&request.keys[i], text);
                require(strcmp(at, text) == 0);
                at += strlen(at) + 1;
        }
        /* Whether a point is on its curve only the guest asks. */
        if (request_parse_keys(&push, &why) != REFUSAL_NONE) {
                require(why.why == REFUSAL_KEY_REJECTED);
                return;
        }
        for (size_t i = 0; i < push.n_keys; i++) {
                char fingerprint[STORE_FINGERPRINT_NAME_MAX + 7];

                store_fingerprint_text(push.keys[i].fingerprint, fingerprint);
                require(strcmp(fingerprint, request.fingerprints[i]) == 0);
        }
        require_push(&push);
}

static void require_same_revocation(const uint8_t *payload, size_t length) {
        char fingerprint[STORE_FINGERPRINT_NAME_MAX + 7] = "";
        struct refused why = {.why = REFUSAL_NONE};
        struct revocation revocation;
        struct terms terms;

        require(request_parse_revocation(payload, length, &terms, &revocation, &why) == REFUSAL_NONE);
        require_terms(&terms);
        if (revocation.fingerprint[0] != '\0')
                store_fingerprint_text(revocation.fingerprint, fingerprint);
        require(strcmp(fingerprint, request.fingerprints[0]) == 0 && strcmp(revocation.user, request.user) == 0);
        require(revocation.all == request.all);
}

static void require_signed(enum signer_kind kind) {
        static struct envelope envelope;
        char digest[LINE_LOG_HASH_MAX];
        struct refused why = {.why = REFUSAL_NONE};
        const uint8_t *payload;
        size_t length;
        unsigned n;

        require(strcmp(text_of(line, "outcome"), SIGNER_OUTCOME_SIGNED) == 0);
        require(envelope_from_json(json_object_get(answer, "envelope"), &envelope, &why) == REFUSAL_NONE);
        require(strcmp(envelope.type, kind == SIGNER_PUSH ? PUSH_PAYLOAD_TYPE : REVOKE_PAYLOAD_TYPE) == 0);
        require(trust_verify(&envelope, &anchors, false, &n, &why) == REFUSAL_NONE && n == 1);
        require(line_log_sha256(envelope.pae, envelope.pae_length, digest));
        require(strcmp(text_of(line, "pae_sha256"), digest) == 0);
        payload = envelope.pae + envelope.payload_offset;
        length = envelope.pae_length - envelope.payload_offset;
        if (kind == SIGNER_PUSH)
                require_same_push(payload, length);
        else
                require_same_revocation(payload, length);
}

/* --- one call ---------------------------------------------------------------------------------------------------- */

/* Who asks cannot forge a line on a terminal. */
static void require_line(enum signer_kind kind) {
        static const char *const plain[] = {"request_id", "principal", "user", "instance"};

        require(strcmp(text_of(line, "kind"), kind == SIGNER_PUSH ? "push" : "revoke") == 0);
        for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
                require_plain(text_of(line, plain[i]));
        require(strspn(text_of(line, "audit_head"), "0123456789abcdef") == strlen(text_of(line, "audit_head")));
}

static void carry_out(const struct call *call, enum signer_kind kind) {
        struct serve_call served = {.method = call->method, .parameters = call->parameters, .uid = 1, .pid = 2};
        struct refused why = {.why = REFUSAL_NONE};
        bool valid;

        signer_methods[kind == SIGNER_PUSH ? 0 : 1].call(&service, &served);
        require(answer && line);
        require_line(kind);
        valid = signer_request_parse(kind, call->parameters, &request, &why);
        if (!error) {
                require(valid);
                require_signed(kind);
        } else if (strcmp(text_of(line, "outcome"), SIGNER_OUTCOME_SIGNED) == 0) {
                /* Signed, and too long to be sent. */
                require(strcmp(error, "InvalidField") == 0);
        } else {
                require(strcmp(text_of(line, "outcome"), SIGNER_OUTCOME_REFUSED) == 0);
                require(strcmp(error, "InvalidField") == 0 || (valid && strcmp(error, "Denied") == 0));
                require(strcmp(text_of(line, "error"), error) == 0);
                require(text_of(answer, "message")[0] != '\0' && json_is_string(json_object_get(answer, "field")));
        }
        json_decref(answer);
        json_decref(line);
        answer = line = NULL;
}

static void begin(void) {
        uint8_t secret[32];

        memset(secret, 7, sizeof(secret));
        key.signer.key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
        anchors.anchor[0].key = key.signer.key;
        service.log = signer_log_new("/nonexistent");
        require(key.signer.key && service.log);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
        struct call call = CALL_INIT;

        if (!service.log)
                begin();
        if (!call_parse((const char *)input, size, &call))
                return 0;
        if (strcmp(call.method, SIGNER_INTERFACE ".SignPush") == 0)
                carry_out(&call, SIGNER_PUSH);
        else if (strcmp(call.method, SIGNER_INTERFACE ".SignRevoke") == 0)
                carry_out(&call, SIGNER_REVOKE);
        call_clear(&call);
        return 0;
}
