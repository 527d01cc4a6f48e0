/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/signer/signer_service.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

#include "cloud/signer/signer_journal.h"
#include "cloud/signer/signer_request.h"
#include "common/clock.h"
#include "libpush/token.h"

#define NS_PER_S INT64_C(1000000000)

enum { REFUSAL_LINES_BURST = 100 }; /* lines about the rate limit at once; then one a second */

/* One request on its way, and its line in the log. */
struct work {
        struct signer_service *service;
        struct serve_call *call;
        struct signer_request request;
        struct signer_log_entry entry;
        struct envelope envelope;
        char jti[TOKEN_MAX];
        char pae_sha256[LINE_LOG_HASH_MAX];
        char why[SIGNER_WHY_MAX];
};

/* --- answers ------------------------------------------------------------------------------------------------------ */

static void answer_error(struct work *work, const char *name, const char *field, const char *message) {
        char error[64];
        json_t *parameters = json_pack("{ss}", "message", message);

        if (parameters && field && json_object_set_new(parameters, "field", json_string(field)) < 0) {
                json_decref(parameters);
                parameters = NULL;
        }
        (void)snprintf(error, sizeof(error), SIGNER_INTERFACE ".%s", name);
        (void)serve_error(work->call, error, parameters);
}

/* The line of the request. False: it could not be written, and LogUnavailable was answered. */
static bool write_line(struct work *work, const char *outcome) {
        char why[LINE_LOG_WHY_MAX];

        work->entry.outcome = outcome;
        if (signer_log_write(work->service->log, &work->entry, why) == 0)
                return true;
        signer_note(LOG_CRIT, "log: %s; nothing is signed until it can be written", why);
        answer_error(work, "LogUnavailable", NULL,
                     "the signer cannot write its log, so it signs nothing; see its journal");
        return false;
}

static void refuse_request(struct work *work, const char *error, const char *field, const char *message) {
        atomic_fetch_add(&work->service->n_refused, 1);
        work->entry.error = error;
        work->entry.field = field;
        work->entry.message = message;
        if (write_line(work, SIGNER_OUTCOME_REFUSED))
                answer_error(work, error, field, message);
}

static void fail_request(struct work *work, const char *why) {
        signer_note(LOG_ERR, "key: %s", why);
        work->entry.error = "KeyUnavailable";
        work->entry.message = why;
        /* Not `write_line() &&`: LogUnavailable was answered then. */
        if (write_line(work, SIGNER_OUTCOME_FAILED))
                answer_error(work, "KeyUnavailable", NULL, why);
}

/* --- the budget --------------------------------------------------------------------------------------------------- */

/* Whether a line about the rate limit may be written. `ret_unlogged`: for how many others there was none before. */
static bool may_log_refusal(struct signer_service *service, int64_t now, uint64_t *ret_unlogged) {
        if (signer_budget_take(&service->refusals, now, 1, REFUSAL_LINES_BURST) > 0) {
                service->unlogged++;
                return false;
        }
        *ret_unlogged = service->unlogged;
        service->unlogged = 0;
        return true;
}

static void refuse_by_rate(struct work *work, int64_t wait_ns, bool log) {
        static const char message[] = "the signer's rate limit is reached; ask again later";
        int64_t retry_ms = wait_ns / (NS_PER_S / 1000) + 1;

        atomic_fetch_add(&work->service->n_refused, 1);
        work->entry.error = "RateLimited";
        work->entry.message = message;
        if (log && !write_line(work, SIGNER_OUTCOME_REFUSED))
                return;
        (void)serve_error(work->call, SIGNER_INTERFACE ".RateLimited",
                          json_pack("{ss sI}", "message", message, "retryAfterMs", (json_int_t)retry_ms));
}

/* Takes one of the budget. False: RateLimited was answered. */
static bool within_budget(struct work *work) {
        struct signer_service *service = work->service;
        const struct signer_config *config = service->config;
        bool revokes = work->request.kind == SIGNER_REVOKE, log = false, alarm = false;
        int64_t now = clock_ns(CLOCK_BOOTTIME), wait_ns;

        (void)pthread_mutex_lock(&service->lock);
        wait_ns = revokes ? signer_budget_take(&service->revocations, now, config->revoke_rate, config->revoke_burst)
                          : signer_budget_take(&service->pushes, now, config->push_rate, config->push_burst);
        if (wait_ns > 0) {
                log = may_log_refusal(service, now, &work->entry.unlogged);
                alarm = config->alarm_rate > 0 && signer_alarm_raise(&service->alarm, now);
        }
        (void)pthread_mutex_unlock(&service->lock);
        if (wait_ns == 0)
                return true;
        if (alarm)
                signer_journal_alarm("alarm: the rate limit of %s is reached; see who asks in %s",
                                     revokes ? "revocations" : "pushes", config->log_directory);
        refuse_by_rate(work, wait_ns, log);
        return false;
}

static void count_push(struct signer_service *service) {
        bool alarm;

        (void)pthread_mutex_lock(&service->lock);
        alarm = signer_alarm_count(&service->alarm, clock_ns(CLOCK_BOOTTIME), service->config->alarm_rate);
        (void)pthread_mutex_unlock(&service->lock);
        if (alarm)
                signer_journal_alarm(
                        "alarm: more than AlarmRate=%u pushes were signed within a minute; see who asks in %s",
                        service->config->alarm_rate, service->config->log_directory);
}

/* --- signing ------------------------------------------------------------------------------------------------------ */

/* False: Denied was answered. */
static bool allowed(struct work *work) {
        const struct signer_config *config = work->service->config;
        const struct signer_request *request = &work->request;

        if (!signer_config_allows_instance(config, request->instance)) {
                refuse_request(work, "Denied", "instance",
                               "instance: the signer's Instances= or DenyInstances= excludes it");
                return false;
        }
        /* To take access away is denied to nobody. */
        if (request->kind == SIGNER_PUSH && !signer_config_allows_user(config, request->user)) {
                refuse_request(work, "Denied", "user", "user: the signer's DenyUsers= or AllowUsers= excludes it");
                return false;
        }
        return true;
}

/* By push.md: at most 300 s between iat and exp, and more only with a challenge. */
static int64_t push_ttl(const struct signer_config *config, const struct signer_request *request) {
        int64_t ttl = request->ttl > 0 ? request->ttl : SIGNER_DEFAULT_TTL_S;
        int64_t most = request->challenge[0] != '\0' ? VALID_CHALLENGE_MAX_S : VALID_MAX_S;

        if (ttl > config->max_ttl_s)
                ttl = config->max_ttl_s;
        return ttl < most ? ttl : most;
}

static int make_push(const struct signer_request *request, const struct payload_terms *terms, int64_t ttl,
                     struct envelope *ret, char why[static PAYLOAD_WHY_MAX]) {
        struct push_payload push = {
                .terms = *terms,
                .user = request->user,
                .n_keys = request->n_keys,
                .ttl = ttl,
                .connections = request->connections == 0  ? PUSH_MADE_CONNECTIONS_ANY
                               : request->connections > 0 ? (int)request->connections
                                                          : 0,
                .sources = request->sources,
                .n_sources = request->n_sources,
                .restricted = request->restricted,
                .principal = request->principal,
                .request_id = request->request_id,
        };

        for (size_t i = 0; i < request->n_keys; i++)
                push.keys[i] = &request->keys[i];
        return push_payload_make(&push, ret, why);
}

static int make_revocation(const struct signer_request *request, const struct payload_terms *terms,
                           struct envelope *ret, char why[static PAYLOAD_WHY_MAX]) {
        struct revoke_payload revoke = {
                .terms = *terms,
                .fingerprint = request->fingerprints[0][0] != '\0' ? request->fingerprints[0] : NULL,
                .user = request->user[0] != '\0' ? request->user : NULL,
                .all = request->all,
        };

        return revoke_payload_make(&revoke, ret, why);
}

/* The envelope without a signature, and what the line says about it. False: an error was answered. */
static bool make_envelope(struct work *work) {
        const struct signer_request *request = &work->request;
        bool pushes = request->kind == SIGNER_PUSH;
        struct payload_terms terms = {
                .instance = request->instance,
                .iat = time(NULL),
                .jti = work->jti,
                .challenge = request->challenge[0] != '\0' ? request->challenge : NULL,
        };
        int64_t ttl = pushes ? push_ttl(work->service->config, request) : 0;
        int r;

        if (token_make(work->jti) < 0) {
                fail_request(work, "the kernel gives no random bytes");
                return false;
        }
        terms.exp = terms.iat + (pushes ? ttl : SIGNER_REVOKE_VALID_S);
        r = pushes ? make_push(request, &terms, ttl, &work->envelope, work->why)
                   : make_revocation(request, &terms, &work->envelope, work->why);
        if (r < 0) {
                char field[32];

                /* "FIELD: cause"; of keys the payload's name, which is not the call's. */
                (void)snprintf(field, sizeof(field), "%.*s", (int)strcspn(work->why, ":"), work->why);
                refuse_request(work, "InvalidField", strcmp(field, "keys") == 0 ? "publicKeys" : field, work->why);
                return false;
        }
        work->entry.jti = work->jti;
        work->entry.iat = terms.iat;
        work->entry.exp = terms.exp;
        work->entry.ttl = ttl;
        work->entry.pae_sha256 = work->pae_sha256;
        if (line_log_sha256(work->envelope.pae, work->envelope.pae_length, work->pae_sha256))
                return true;
        fail_request(work, "OpenSSL has no SHA-256");
        return false;
}

/* The answer; NULL without memory. */
static json_t *make_answer(const struct work *work) {
        const struct signer_request *request = &work->request;
        json_t *answer, *list;

        answer = json_pack("{so ss sI sI}", "envelope", envelope_to_json(&work->envelope), "jti", work->jti, "iat",
                           (json_int_t)work->entry.iat, "exp", (json_int_t)work->entry.exp);
        if (!answer || request->kind == SIGNER_REVOKE)
                return answer;
        list = json_array();
        for (size_t i = 0; i < request->n_keys; i++)
                (void)json_array_append_new(list, json_string(request->fingerprints[i]));
        if (json_array_size(list) == request->n_keys && json_object_set(answer, "fingerprints", list) == 0 &&
            json_object_set_new(answer, "ttl", json_integer(work->entry.ttl)) == 0) {
                json_decref(list);
                return answer;
        }
        json_decref(list);
        json_decref(answer);
        return NULL;
}

/*
 * Fields, budget, who and where, envelope, log, signature. The line is on disk before there is a signature: what could not be
 * recorded is not signed.
 */
static void sign(struct work *work, enum signer_kind kind) {
        struct signer_service *service = work->service;
        struct refused why = {.why = REFUSAL_NONE};
        bool valid = signer_request_parse(kind, work->call->parameters, &work->request, &why);

        /* Of malformed requests too: each costs a line. */
        if (!within_budget(work))
                return;
        if (!valid) {
                refuse_request(work, "InvalidField", why.field, why.message);
                return;
        }
        if (!allowed(work) || !make_envelope(work) || !write_line(work, SIGNER_OUTCOME_SIGNED))
                return;
        if (signer_key_sign(service->key, &work->envelope, work->why) < 0) {
                fail_request(work, work->why);
                return;
        }
        atomic_fetch_add(kind == SIGNER_PUSH ? &service->n_pushes : &service->n_revocations, 1);
        if (kind == SIGNER_PUSH)
                count_push(service);
        if (serve_reply(work->call, make_answer(work)) == -E2BIG)
                answer_error(work, "InvalidField", "publicKeys",
                             "publicKeys: the envelope is too long for one message");
}

/* --- methods ------------------------------------------------------------------------------------------------------ */

static void call_sign(void *context, struct serve_call *call, enum signer_kind kind) {
        struct work work = {.service = context, .call = call, .entry = {.uid = call->uid, .pid = call->pid}};

        work.entry.request = &work.request;
        sign(&work, kind);
}

static void sign_push(void *context, struct serve_call *call) {
        call_sign(context, call, SIGNER_PUSH);
}

static void sign_revoke(void *context, struct serve_call *call) {
        call_sign(context, call, SIGNER_REVOKE);
}

static void status(void *context, struct serve_call *call) {
        struct signer_service *service = context;
        const struct signer_key *key = service->key;

        (void)serve_reply(call, json_pack("{ss s{ss ss ss} sI sI sI sI}", "version", PACKAGE_VERSION, "key", "id",
                                          key->signer.key_id, "type", key->type, "publicKey", key->pem, "maxTtl",
                                          (json_int_t)service->config->max_ttl_s, "pushes",
                                          (json_int_t)atomic_load(&service->n_pushes), "revocations",
                                          (json_int_t)atomic_load(&service->n_revocations), "refused",
                                          (json_int_t)atomic_load(&service->n_refused)));
}

const struct serve_method signer_methods[] = {
        {SIGNER_INTERFACE ".SignPush", sign_push},
        {SIGNER_INTERFACE ".SignRevoke", sign_revoke},
        {SIGNER_INTERFACE ".Status", status},
        {.name = NULL},
};

void signer_service_denied(void *context, uid_t uid, pid_t pid) {
        struct signer_service *service = context;
        bool note;

        atomic_fetch_add(&service->n_refused, 1);
        (void)pthread_mutex_lock(&service->lock);
        note = signer_alarm_raise(&service->foreign, clock_ns(CLOCK_BOOTTIME));
        (void)pthread_mutex_unlock(&service->lock);
        if (note)
                signer_note(LOG_WARNING, "socket: user id %u (process %d) is not allowed; see ApiUser=", uid, (int)pid);
}
