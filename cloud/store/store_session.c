/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions and revocations: what lives for seconds and for a day. */
#include "cloud/store/query.h"

enum { REVOCATION_LIFE_S = 24 * 60 * 60 };

/* In a transaction. */
static enum store_result add_session(struct store *store, const struct store_session *session) {
        struct query q = query_begin(store, "DELETE FROM session WHERE expires <= unixepoch()");
        enum store_result result = query_end(&q);

        if (result != STORE_OK)
                return result;
        q = query_begin(store, "INSERT INTO session (hash, account, token_id, instance, user, request_id, pushed, "
                               "redeemed, expires) VALUES (?, ?, ?, ?, ?, ?, ?, 0, unixepoch() + ?)");
        query_blob(&q, session->hash, sizeof(session->hash));
        query_text(&q, session->account);
        query_text(&q, session->token_id);
        query_text(&q, session->instance);
        query_text(&q, session->user);
        query_text(&q, session->request_id);
        query_number(&q, session->pushed);
        query_number(&q, STORE_SESSION_LIFE_S);
        return query_end(&q);
}

enum store_result store_session_add(struct store *store, const struct store_session *session) {
        enum store_result result = transaction_begin(store);

        return result == STORE_OK ? transaction_end(store, add_session(store, session)) : result;
}

enum store_result store_session_redeem(struct store *store, const uint8_t hash[static STORE_HASH_SIZE],
                                       const char *account, struct store_session *ret) {
        struct query q = query_begin(store, "UPDATE session SET redeemed = 1 WHERE hash = ? AND account = ? "
                                            "AND redeemed = 0 AND pushed = 0 AND expires > unixepoch() "
                                            "RETURNING hash, account, token_id, instance, user, request_id, pushed");

        query_blob(&q, hash, STORE_HASH_SIZE);
        query_text(&q, account);
        if (query_row(&q)) {
                query_blob_at(&q, 0, ret->hash, sizeof(ret->hash));
                query_text_at(&q, 1, ret->account, sizeof(ret->account));
                query_text_at(&q, 2, ret->token_id, sizeof(ret->token_id));
                query_text_at(&q, 3, ret->instance, sizeof(ret->instance));
                query_text_at(&q, 4, ret->user, sizeof(ret->user));
                query_text_at(&q, 5, ret->request_id, sizeof(ret->request_id));
                ret->pushed = query_number_at(&q, 6) != 0;
        }
        return query_end_found(&q);
}

enum store_result revocation_insert(struct store *store, const struct store_revocation *revocation, int64_t now) {
        struct query q = query_begin(store, "DELETE FROM revocation WHERE time < ?");
        enum store_result result;

        query_number(&q, now - REVOCATION_LIFE_S);
        result = query_end(&q);
        if (result != STORE_OK)
                return result;
        q = query_begin(store, "INSERT INTO revocation (instance, fingerprint, user, account, request_id, time) "
                               "VALUES (?, ?, ?, ?, ?, ?)");
        query_text(&q, revocation->instance);
        query_text(&q, revocation->fingerprint);
        query_text(&q, revocation->user);
        query_text(&q, revocation->account);
        query_text(&q, revocation->request_id);
        query_number(&q, now);
        return query_end(&q);
}

enum store_result store_revocation_add(struct store *store, const struct store_revocation *revocation, int64_t now) {
        enum store_result result;

        if (revocation->fingerprint && revocation->user)
                return STORE_INVALID;
        result = transaction_begin(store);
        return result == STORE_OK ? transaction_end(store, revocation_insert(store, revocation, now)) : result;
}

enum store_result store_revocation_latest(struct store *store, int64_t *ret) {
        struct query q = query_begin(store, "SELECT coalesce(max(number), 0) FROM revocation");

        if (query_row(&q))
                *ret = query_number_at(&q, 0);
        return query_end(&q);
}

enum store_result store_revocation_since(struct store *store, int64_t since, const char *instance,
                                         const char *fingerprint, const char *user, const char *asked_user,
                                         bool *ret_revoked) {
        struct query q = query_begin(store, "SELECT 1 FROM revocation WHERE instance = ? AND number > ? "
                                            "AND (fingerprint = ? OR user IN (?, ?) "
                                            "OR (fingerprint IS NULL AND user IS NULL)) LIMIT 1");
        enum store_result result;

        query_text(&q, instance);
        query_number(&q, since);
        query_text(&q, fingerprint);
        query_text(&q, user);
        query_text(&q, asked_user);
        result = query_end_found(&q);
        if (result != STORE_OK && result != STORE_NOT_FOUND)
                return result;
        *ret_revoked = result == STORE_OK;
        return STORE_OK;
}

enum store_result store_revocation_lately(struct store *store, const char *instance, int64_t time, bool *ret_revoked) {
        /* The last one alone, whatever their number. */
        struct query q = query_begin(store, "SELECT 1 FROM (SELECT time FROM revocation WHERE instance = ? "
                                            "ORDER BY number DESC LIMIT 1) WHERE time > ?");
        enum store_result result;

        query_text(&q, instance);
        query_number(&q, time);
        result = query_end_found(&q);
        if (result != STORE_OK && result != STORE_NOT_FOUND)
                return result;
        *ret_revoked = result == STORE_OK;
        return STORE_OK;
}
