/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts and their tokens. */
#include "cloud/store/query.h"

static void read_account(struct query *q, struct store_account *ret) {
        query_text_at(q, 0, ret->name, sizeof(ret->name));
        ret->created = query_number_at(q, 1);
}

static void read_token(struct query *q, struct store_token *ret) {
        query_text_at(q, 0, ret->id, sizeof(ret->id));
        query_text_at(q, 1, ret->account, sizeof(ret->account));
        query_blob_at(q, 2, ret->secret_hash, sizeof(ret->secret_hash));
        ret->created = query_number_at(q, 3);
        ret->expires = query_number_at(q, 4);
}

enum store_result store_account_add(struct store *store, const char *name, int64_t now) {
        struct query q;

        if (!store_name_fits(name))
                return STORE_INVALID;
        q = query_begin(store, "INSERT INTO account (name, created) VALUES (?, ?)");
        query_text(&q, name);
        query_number(&q, now);
        return query_end(&q);
}

enum store_result store_account_get(struct store *store, const char *name, struct store_account *ret) {
        struct query q = query_begin(store, "SELECT name, created FROM account WHERE name = ?");

        query_text(&q, name);
        if (query_row(&q))
                read_account(&q, ret);
        return query_end_found(&q);
}

enum store_result store_account_list(struct store *store, const char *after, size_t max, struct store_account *ret,
                                     size_t *ret_n) {
        struct query q = query_begin(store, "SELECT name, created FROM account WHERE name > ? ORDER BY name LIMIT ?");

        *ret_n = 0;
        query_text(&q, after);
        query_number(&q, (int64_t)max);
        while (*ret_n < max && query_row(&q))
                read_account(&q, &ret[(*ret_n)++]);
        return query_end(&q);
}

/* Its key pairs end with it, which changes the instances that name one. */
enum store_result store_account_delete(struct store *store, const char *name) {
        enum store_result result = transaction_begin(store);
        struct query q;

        if (result != STORE_OK)
                return result;
        q = query_begin(store, "UPDATE instance SET keypair_account = NULL, keypair = NULL, version = version + 1 "
                               "WHERE keypair_account = ? AND keypair IS NOT NULL");
        query_text(&q, name);
        result = query_end(&q);
        if (result == STORE_OK) {
                q = query_begin(store, "DELETE FROM account WHERE name = ?");
                query_text(&q, name);
                result = query_end_changed(&q);
        }
        return transaction_end(store, result);
}

enum store_result store_token_add(struct store *store, const struct store_token *token) {
        struct query q = query_begin(store, "INSERT INTO token (id, account, secret_hash, created, expires) "
                                            "VALUES (?, ?, ?, ?, ?)");

        query_text(&q, token->id);
        query_text(&q, token->account);
        query_blob(&q, token->secret_hash, sizeof(token->secret_hash));
        query_number(&q, token->created);
        query_number(&q, token->expires);
        return query_end(&q);
}

enum store_result store_token_get(struct store *store, const char *id, struct store_token *ret) {
        struct query q =
                query_begin(store, "SELECT id, account, secret_hash, created, expires FROM token WHERE id = ?");

        query_text(&q, id);
        if (query_row(&q))
                read_token(&q, ret);
        return query_end_found(&q);
}

enum store_result store_token_list(struct store *store, const char *account, const char *after, size_t max,
                                   struct store_token *ret, size_t *ret_n) {
        struct query q = query_begin(store, account ? "SELECT id, account, secret_hash, created, expires FROM token "
                                                      "WHERE id > ? AND account = ? ORDER BY id LIMIT ?"
                                                    : "SELECT id, account, secret_hash, created, expires FROM token "
                                                      "WHERE id > ? ORDER BY id LIMIT ?");

        *ret_n = 0;
        query_text(&q, after);
        if (account)
                query_text(&q, account);
        query_number(&q, (int64_t)max);
        while (*ret_n < max && query_row(&q))
                read_token(&q, &ret[(*ret_n)++]);
        return query_end(&q);
}

enum store_result store_token_delete(struct store *store, const char *id) {
        struct query q = query_begin(store, "DELETE FROM token WHERE id = ?");

        query_text(&q, id);
        return query_end_changed(&q);
}
