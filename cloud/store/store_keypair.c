/* SPDX-License-Identifier: Apache-2.0 */
/* The public halves of the accounts' key pairs. */
#include <stdlib.h>
#include <string.h>

#include "cloud/store/query.h"

#define COLUMNS "account, name, type, public_key, fingerprint, fingerprint_md5, created"

static void read_keypair(struct query *q, struct store_keypair *ret) {
        query_text_at(q, 0, ret->account, sizeof(ret->account));
        query_text_at(q, 1, ret->name, sizeof(ret->name));
        query_text_at(q, 2, ret->type, sizeof(ret->type));
        query_text_at(q, 3, ret->public_key, sizeof(ret->public_key));
        query_text_at(q, 4, ret->fingerprint, sizeof(ret->fingerprint));
        query_text_at(q, 5, ret->fingerprint_md5, sizeof(ret->fingerprint_md5));
        ret->created = query_number_at(q, 6);
}

enum store_result store_keypair_add(struct store *store, const struct store_keypair *keypair) {
        struct query q;

        if (!store_name_fits(keypair->name))
                return STORE_INVALID;
        q = query_begin(store, "INSERT INTO keypair (" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?)");
        query_text(&q, keypair->account);
        query_text(&q, keypair->name);
        query_text(&q, keypair->type);
        query_text(&q, keypair->public_key);
        query_text(&q, keypair->fingerprint);
        query_text(&q, keypair->fingerprint_md5);
        query_number(&q, keypair->created);
        return query_end(&q);
}

enum store_result store_keypair_get(struct store *store, const char *account, const char *name,
                                    struct store_keypair *ret) {
        struct query q = query_begin(store, "SELECT " COLUMNS " FROM keypair WHERE account = ? AND name = ?");

        query_text(&q, account);
        query_text(&q, name);
        if (query_row(&q))
                read_keypair(&q, ret);
        return query_end_found(&q);
}

enum store_result store_keypair_list(struct store *store, const char *account, const char *after, size_t max,
                                     struct store_keypair *ret, size_t *ret_n) {
        struct query q = query_begin(store, "SELECT " COLUMNS
                                            " FROM keypair WHERE account = ? AND name > ? ORDER BY name LIMIT ?");

        *ret_n = 0;
        query_text(&q, account);
        query_text(&q, after);
        query_number(&q, (int64_t)max);
        while (*ret_n < max && query_row(&q))
                read_keypair(&q, &ret[(*ret_n)++]);
        return query_end(&q);
}

typedef char instance_id[STORE_NAME_MAX];

/* The instances that name it. */
static enum store_result named_by(struct store *store, const char *account, const char *name,
                                  struct store_keypair_deleted *ret) {
        struct query q =
                query_begin(store, "SELECT id FROM instance WHERE keypair_account = ? AND keypair = ? ORDER BY id");
        size_t room = 0;

        query_text(&q, account);
        query_text(&q, name);
        while (query_row(&q)) {
                if (ret->n_instances == room) {
                        instance_id *more = reallocarray(ret->instances, room ? room * 2 : 16, sizeof(*ret->instances));

                        if (!more) {
                                q.result = store_failed(store, SQLITE_NOMEM);
                                break;
                        }
                        ret->instances = more;
                        room = room ? room * 2 : 16;
                }
                query_text_at(&q, 0, ret->instances[ret->n_instances++], sizeof(instance_id));
        }
        return query_end(&q);
}

static enum store_result revoke(struct store *store, const char *account, const struct store_keypair_deleted *deleted,
                                const char *request_id, int64_t now) {
        enum store_result result = STORE_OK;

        for (size_t i = 0; i < deleted->n_instances && result == STORE_OK; i++) {
                const struct store_revocation revocation = {
                        .instance = deleted->instances[i],
                        .fingerprint = deleted->fingerprint,
                        .account = account,
                        .request_id = request_id,
                };

                result = revocation_insert(store, &revocation, now);
        }
        return result;
}

static enum store_result remove_keypair(struct store *store, const char *account, const char *name) {
        struct query q = query_begin(store, "UPDATE instance SET keypair_account = NULL, keypair = NULL, "
                                            "version = version + 1 WHERE keypair_account = ? AND keypair = ?");
        enum store_result result;

        query_text(&q, account);
        query_text(&q, name);
        result = query_end(&q);
        if (result != STORE_OK)
                return result;
        q = query_begin(store, "DELETE FROM keypair WHERE account = ? AND name = ?");
        query_text(&q, account);
        query_text(&q, name);
        return query_end_changed(&q);
}

/* In a transaction. */
static enum store_result delete_keypair(struct store *store, const char *account, const char *name,
                                        const char *request_id, int64_t now, struct store_keypair_deleted *ret) {
        struct store_keypair keypair;
        enum store_result result = store_keypair_get(store, account, name, &keypair);

        if (result != STORE_OK)
                return result;
        memcpy(ret->fingerprint, keypair.fingerprint, sizeof(ret->fingerprint));
        result = named_by(store, account, name, ret);
        if (result == STORE_OK)
                result = revoke(store, account, ret, request_id, now);
        return result == STORE_OK ? remove_keypair(store, account, name) : result;
}

enum store_result store_keypair_delete(struct store *store, const char *account, const char *name,
                                       const char *request_id, int64_t now, struct store_keypair_deleted *ret) {
        enum store_result result = transaction_begin(store);
        struct store_keypair_deleted deleted = {.instances = NULL};

        if (result != STORE_OK)
                return result;
        result = transaction_end(store, delete_keypair(store, account, name, request_id, now, &deleted));
        if (result == STORE_OK)
                *ret = deleted;
        else
                free(deleted.instances);
        return result;
}
