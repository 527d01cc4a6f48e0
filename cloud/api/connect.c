/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /compute/instance/connect (compute-api.md, Connect). A connect goes down this file:
 *
 *      body → decision → instance → limits → key → signature and delivery → name, revocations, host keys → answer
 *
 * The decision is on disk before anything is signed. What has reached the guest and is not answered with success is
 * revoked.
 */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cloud/api/api.h"
#include "cloud/api/audit_line.h"
#include "cloud/api/auth.h"
#include "cloud/api/connect_request.h"
#include "cloud/api/delivery_error.h"
#include "cloud/api/handlers.h"
#include "cloud/api/in_flight.h"
#include "cloud/api/instance.h"
#include "cloud/api/member.h"
#include "cloud/api/openssh_key.h"
#include "cloud/api/revoke.h"
#include "cloud/token/token.h"
#include "libpush/known_hosts.h"
#include "wire/name.h"

#define ACTION "compute:instance:connect"
#define KNOWN_HOSTS_PREFIX "exc-vm-"

enum {
        RESERVE_MS = 1500, /* of a request's time, for what comes after the delivery */
        NEW_FOR_S = 60,    /* so long the store of a guest may be younger than a push that is timed by the clock */
        /* So long a guest whose clock is ahead may take a revocation for later than a push, or get it late. */
        REVOKED_FOR_S = 600,
        RETRY_MS = 1000,
};

struct connect {
        struct request *request;
        struct connect_request asked; /* `user` with its default, from decide() on */
        struct store_instance instance;
        bool has_instance;
        int64_t since;       /* the latest revocation before the decision */
        bool revoked_lately; /* one of this instance */

        struct ssh_key public_half;
        struct openssh_key private_half; /* all zeros: the caller's own */
        char fingerprint[FINGERPRINT_MAX];

        struct delivery_outcome outcome;
        bool host_keys_changed;
        char session[CLOUD_SESSION_MAX];
};

/* Each step returns true when the next one follows; else the request has its answer. */

/* --- who, what, and may they ------------------------------------------------------------------------------------- */

static bool take_body(struct connect *connect) {
        const char *member, *why;

        if (!request_body(connect->request, connect_request_fields, &connect->asked))
                return false;
        member = connect_request_complete(&connect->asked, &why);
        return !member || request_refuse_field(connect->request, member, "%s: %s", member, why);
}

/*
 * The default user is looked up before the decision, which policies may make for one user alone. Where there is no such
 * instance the decision is made without a user, and so tells nobody who is not allowed whether it exists.
 */
static bool take_default_user(struct connect *connect) {
        struct request *request = connect->request;
        enum store_result result;

        if (connect->asked.user[0] != '\0')
                return true;
        result = store_instance_get(request->store, connect->asked.vm_id, &connect->instance);
        if (result == STORE_UNAVAILABLE)
                return request_refuse_store(request, result, "instance");
        connect->has_instance = result == STORE_OK;
        if (connect->has_instance && name_user_valid(connect->instance.default_user))
                memcpy(connect->asked.user, connect->instance.default_user, sizeof(connect->asked.user));
        return true;
}

static bool decide(struct connect *connect) {
        struct request *request = connect->request;
        enum store_result result = store_revocation_latest(request->store, &connect->since);

        if (result != STORE_OK)
                return request_refuse_store(request, result, "revocations");
        return take_default_user(connect) && authorise_instance(request, ACTION, connect->asked.vm_id,
                                                                connect->asked.user[0] ? connect->asked.user : NULL);
}

static bool find_instance(struct connect *connect) {
        struct request *request = connect->request;
        enum store_result result = STORE_OK;

        if (!connect->has_instance)
                result = store_instance_get(request->store, connect->asked.vm_id, &connect->instance);
        if (result != STORE_OK)
                return request_refuse_store(request, result, "instance");
        result = store_revocation_lately(request->store, connect->instance.id, (int64_t)time(NULL) - REVOKED_FOR_S,
                                         &connect->revoked_lately);
        if (result != STORE_OK)
                return request_refuse_store(request, result, "revocations");
        request_note(request, host, connect->instance.host);
        if (connect->asked.user[0] == '\0')
                return request_refuse_field(request, "user", "user: missing; the instance has no default user");
        if (connect->instance.tunnel && connect->asked.n_sources > 0)
                return request_refuse_field(request, "source",
                                            "source: the VM is reached by a tunnel alone, where sshd sees no client's "
                                            "address; leave it out");
        return true;
}

static bool take_limit(struct connect *connect) {
        struct request *request = connect->request;
        int64_t wait_ns = limits_take(request->api->limits, LIMIT_INSTANCE, connect->asked.vm_id, request->started_ns);

        return wait_ns <= 0 ||
               request_refuse_rate(request, wait_ns / 1000000 + 1, "too many connects to this instance");
}

/* --- the key ----------------------------------------------------------------------------------------------------- */

static int make_pair(struct connect *connect) {
        EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        int r = pair ? openssh_key_public(pair, &connect->public_half) : -EIO;

        if (r == 0)
                r = openssh_key_private(pair, &connect->private_half);
        EVP_PKEY_free(pair); /* which clears the private half */
        return r;
}

static bool take_key(struct connect *connect) {
        int r = 0;

        if (connect->asked.has_key)
                connect->public_half = connect->asked.key;
        else
                r = make_pair(connect);
        if (r == 0)
                r = fingerprint_of(&connect->public_half, connect->fingerprint);
        if (r < 0)
                return request_refuse(connect->request, API_ERROR_INTERNAL, "cannot make a key pair: %s", strerror(-r));
        request_note(connect->request, fingerprint, connect->fingerprint);
        return true;
}

/* --- revocations ------------------------------------------------------------------------------------------------- */

static struct revoke_target this_key(const struct connect *connect) {
        return (struct revoke_target){
                .instance = connect->instance.id,
                .host = connect->instance.host,
                .fingerprint = connect->fingerprint,
        };
}

/* Nobody gets the key that the guest has, or may have. Always false. */
static bool take_back(struct connect *connect) {
        const struct revoke_target target = this_key(connect);

        if (connect->outcome.keys_end_s > 0)
                revoke_later(connect->request, &target, connect->outcome.keys_end_s);
        return false;
}

/* `user`: as the name service has it, or NULL. */
static bool check_revocations(struct connect *connect, const char *user) {
        struct request *request = connect->request;
        enum store_result result;
        bool revoked = true;

        result = store_revocation_since(request->store, connect->since, connect->instance.id, connect->fingerprint,
                                        user, connect->asked.user, &revoked);
        if (result != STORE_OK)
                return request_refuse_store(request, result, "revocations");
        return !revoked ||
               request_refuse(request, API_ERROR_REVOKED, "a revocation came while this connect was under way");
}

/* --- signature and delivery -------------------------------------------------------------------------------------- */

/*
 * A decision that was made before in this request was an Allow, and waits for its outcome whatever this one is: the
 * outcome is that of both.
 */
static bool decide_again(struct connect *connect, const char *user) {
        bool allowed = authorise_instance(connect->request, ACTION, connect->asked.vm_id, user);

        connect->request->audit.decided = true;
        return allowed;
}

static bool before_next_signature(void *context) {
        struct connect *connect = context;

        return auth_reload(connect->request) && decide_again(connect, connect->asked.user) &&
               check_revocations(connect, NULL);
}

/*
 * Where the clock alone may not do: serial channels, guests that nobody has seen for a minute yet, and those that had a
 * revocation lately. By the clock, which counts seconds, a push may seem to have been signed before a revocation that it came
 * after, and is refused then.
 */
static bool wants_challenge_first(const struct connect *connect) {
        const struct store_instance *instance = &connect->instance;

        return strcmp(instance->channel, "serial") == 0 || instance->first_seen == 0 ||
               instance->first_seen > (int64_t)time(NULL) - NEW_FOR_S || connect->revoked_lately;
}

static void send(struct connect *connect) {
        struct request *request = connect->request;
        int64_t max_ttl_s = request->api->config->max_ttl_s;
        const struct signer_push push = {
                .instance = connect->instance.id,
                .user = connect->asked.user,
                .key = &connect->public_half,
                .ttl_s = connect->asked.ttl_s < max_ttl_s ? connect->asked.ttl_s : max_ttl_s,
                .connections = connect->asked.connections,
                .sources = connect->asked.sources,
                .n_sources = connect->asked.n_sources,
                .restricted = connect->asked.restricted == NAMED_TRUE,
                .reason = {.principal = request->account, .request_id = request->id, .audit_head = request->audit.head},
        };
        const struct delivery_order order = {
                .instance = connect->instance.id,
                .host = connect->instance.host,
                .push = &push,
                .fingerprint = connect->fingerprint,
                .challenge_first = wants_challenge_first(connect),
                .deadline_ns = request->deadline_ns - RESERVE_MS * INT64_C(1000000),
                .again = before_next_signature,
                .context = connect,
        };

        delivery_send(request->api->delivery, &order, &connect->outcome);
}

/* Answers for a delivery that has not succeeded. Always false. */
static bool fail(struct connect *connect) {
        const struct delivery_outcome *outcome = &connect->outcome;
        struct request *request = connect->request;
        const char *suspicion = delivery_suspicion(outcome);

        if (suspicion)
                audit_line_note(request, suspicion);
        /* A guest says Expired also to a push that a revocation has overtaken. */
        if (outcome->end == DELIVERY_NOT_ANSWERED && outcome->host == HOST_GUEST_REFUSED &&
            refusal_from_name(outcome->host_fault.guest_error) == REFUSAL_EXPIRED && !check_revocations(connect, NULL))
                return false;
        delivery_refuse(request, outcome);
        if (outcome->end != DELIVERY_STOPPED && request->error == API_ERROR_GUEST_TIMEOUT)
                request_member(request, "keys_end_at",
                               outcome->keys_end_s > 0 ? request_time(outcome->keys_end_s) : json_null());
        return take_back(connect);
}

static bool deliver(struct connect *connect) {
        struct in_flight *connects = connect->request->api->connects;
        size_t slot;

        if (in_flight_enter(connects, connect->instance.id, connect->instance.host, &slot) != IN_FLIGHT_OK)
                return request_refuse_rate(connect->request, RETRY_MS,
                                           "too many connects to this instance or its host are under way");
        send(connect);
        in_flight_leave(connects, slot);
        return connect->outcome.end == DELIVERY_DONE || fail(connect);
}

/* --- after the delivery ------------------------------------------------------------------------------------------ */

/* The account may have another name than the one that was decided on. */
static bool check_name(struct connect *connect) {
        const struct revoke_target target = this_key(connect);
        const char *user = connect->outcome.push.user;

        if (strcmp(user, connect->asked.user) == 0 || decide_again(connect, user))
                return true;
        revoke_at_once(connect->request, &target, connect->outcome.keys_end_s);
        return false;
}

/* Nobody gets a key for an account that was deleted while it was on its way. */
static bool check_account(struct connect *connect) {
        struct request *request = connect->request;
        struct store_account account;
        enum store_result result = store_account_get(request->store, request->account, &account);

        if (result == STORE_NOT_FOUND)
                return request_refuse(request, API_ERROR_UNAUTHENTICATED, "the account was deleted");
        return result == STORE_OK || request_refuse_store(request, result, "account");
}

static bool check_host_keys(struct connect *connect) {
        const struct host_keys *keys = &connect->outcome.push.host_keys;
        struct request *request = connect->request;
        struct store_host_keys seen; /* 64 KiB: not cleared for the few lines that there are */
        enum store_result result;

        _Static_assert((int)ANSWER_HOST_KEYS_MAX <= (int)STORE_HOST_KEYS_MAX &&
                               (int)SSH_KEY_TEXT_MAX <= (int)STORE_KEY_TEXT_MAX,
                       "the register keeps what a guest may answer");
        for (seen.n = 0; seen.n < keys->n; seen.n++)
                ssh_key_to_text(&keys->at[seen.n].key, seen.line[seen.n]);
        result = store_host_keys_seen(request->store, connect->instance.id, &seen, &connect->host_keys_changed);
        if (result != STORE_OK)
                return request_refuse_store(request, result, "host keys");
        if (connect->host_keys_changed)
                audit_line_note(request,
                                "the host keys have changed: none of those that are kept is among the new ones");
        return true;
}

static bool make_session(struct connect *connect, uint8_t ret_hash[static STORE_HASH_SIZE]) {
        struct request *request = connect->request;
        char of_audit[2 * 16 + 1]; /* enough of the hash to find it again; the id itself is a secret */

        if (cloud_session_make(connect->session, ret_hash) < 0)
                return request_refuse(request, API_ERROR_INTERNAL, "cannot make a session id; try again");
        for (size_t i = 0; i < sizeof(of_audit) / 2; i++)
                (void)snprintf(of_audit + 2 * i, 3, "%02x", ret_hash[i]);
        request_note(request, session, of_audit);
        return true;
}

/* The id opens a WebSocket. That of a pushed key opens nothing, and only stands in the audit log. */
static bool add_session(struct connect *connect) {
        struct request *request = connect->request;
        struct store_session session = {.pushed = false};
        enum store_result result;

        if (!make_session(connect, session.hash))
                return false;
        request_note_text(session.account, sizeof(session.account), request->account);
        request_note_text(session.token_id, sizeof(session.token_id), request->token_id);
        request_note_text(session.instance, sizeof(session.instance), connect->instance.id);
        request_note_text(session.user, sizeof(session.user), connect->asked.user);
        request_note_text(session.request_id, sizeof(session.request_id), request->id);
        result = store_session_add(request->store, &session);
        return result == STORE_OK || request_refuse_store(request, result, "session");
}

/* --- the answer -------------------------------------------------------------------------------------------------- */

/* Put together again from type and key: nothing else that a host says gets into a known_hosts file. */
static json_t *known_hosts(const struct connect *connect) {
        const struct host_keys *keys = &connect->outcome.push.host_keys;
        char name[sizeof(KNOWN_HOSTS_PREFIX) + STORE_NAME_MAX];
        json_t *list = json_array();

        (void)snprintf(name, sizeof(name), KNOWN_HOSTS_PREFIX "%s", connect->instance.id);
        for (size_t i = 0; list && i < keys->n; i++) {
                char line[KNOWN_HOSTS_LINE_MAX];

                known_hosts_line(name, &keys->at[i].key, line);
                if (json_array_append_new(list, json_string(line)) < 0) {
                        json_decref(list);
                        return NULL;
                }
        }
        return list;
}

/* What both kinds of answer have. */
static json_t *answer_with(const struct connect *connect, const char *user, json_t *key_members) {
        json_t *answer = json_pack("{ss ss ss so sb ss}", "id", connect->session, "vm_id", connect->instance.id, "user",
                                   user, "addresses", instance_addresses_json(&connect->instance.addresses), "tunnel",
                                   connect->instance.tunnel, "request_id", connect->request->id);

        if (answer && key_members && json_object_update(answer, key_members) == 0) {
                json_decref(key_members);
                return answer;
        }
        json_decref(answer);
        json_decref(key_members);
        return NULL;
}

static void answer_key(struct connect *connect) {
        const struct push_answer *push = &connect->outcome.push;
        char public_key[SSH_KEY_TEXT_MAX];
        json_t *members;

        ssh_key_to_text(&connect->public_half, public_key);
        members = json_pack("{so ss ss so sI so sb}", "private_key",
                            member_text(connect->private_half.text ? connect->private_half.text : ""), "public_key",
                            public_key, "fingerprint", connect->fingerprint, "expires_at",
                            request_time((int64_t)time(NULL) + push->expires_in), "connections",
                            (json_int_t)connect->asked.connections, "known_hosts", known_hosts(connect),
                            "host_keys_changed", connect->host_keys_changed);
        request_answer_secret(connect->request, 200, answer_with(connect, push->user, members));
}

static void answer_session(struct connect *connect) {
        json_t *members = json_pack("{sn sn sn sn sn sn sn}", "private_key", "public_key", "fingerprint", "expires_at",
                                    "connections", "known_hosts", "host_keys_changed");

        request_answer_secret(connect->request, 200, answer_with(connect, connect->asked.user, members));
}

/* The outcome is not in the audit log, so the answer is not sent. */
static void undo(struct request *request) {
        const struct revoke_target target = {
                .instance = request->audit.vm_id,
                .host = request->audit.host,
                .fingerprint = request->audit.fingerprint,
        };

        revoke_later(request, &target, request->keys_end_s);
}

/* As all of it is at one moment after the delivery. */
static bool check_store(struct connect *connect) {
        struct store *store = connect->request->store;
        bool passed;

        store_read_begin(store);
        passed = check_revocations(connect, connect->outcome.push.user) && check_account(connect) &&
                 check_host_keys(connect);
        store_read_end(store);
        return passed;
}

static void grant(struct connect *connect) {
        uint8_t session_hash[STORE_HASH_SIZE];

        if (!take_key(connect) || !deliver(connect))
                return;
        if (!check_name(connect))
                return;
        if (!check_store(connect) || !make_session(connect, session_hash)) {
                (void)take_back(connect);
                return;
        }
        answer_key(connect);
        if (connect->request->status != 200) {
                (void)take_back(connect);
                return;
        }
        connect->request->undo = undo;
        connect->request->keys_end_s = connect->outcome.keys_end_s;
}

void instance_connect(struct request *request) {
        struct connect connect = {.request = request, .asked = CONNECT_REQUEST_INIT};

        if (!take_body(&connect) || !decide(&connect) || !find_instance(&connect) || !take_limit(&connect))
                return;
        if (connect_request_pushes(&connect.asked))
                grant(&connect);
        else if (add_session(&connect))
                answer_session(&connect);
        openssh_key_wipe(&connect.private_half);
        OPENSSL_cleanse(connect.session, sizeof(connect.session));
}
