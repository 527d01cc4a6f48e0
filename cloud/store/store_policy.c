/* SPDX-License-Identifier: Apache-2.0 */
/* Policies, and to which accounts they are attached. */
#include <stdlib.h>
#include <string.h>

#include "cloud/store/query.h"

#define ADMIN "Admin"

static void read_policy(struct query *q, struct store_policy *ret) {
        query_text_at(q, 0, ret->name, sizeof(ret->name));
        ret->version = query_number_at(q, 1);
        ret->created = query_number_at(q, 2);
        ret->changed = query_number_at(q, 3);
}

static enum store_result text_add(struct store *store, const char *text, size_t length, int64_t *ret_version) {
        struct query q = query_begin(store, "INSERT INTO policy_text (text) VALUES (?)");
        enum store_result result;

        query_blob(&q, text, length);
        result = query_end(&q);
        *ret_version = sqlite3_last_insert_rowid(store->db);
        return result;
}

static enum store_result text_delete(struct store *store, int64_t version) {
        struct query q = query_begin(store, "DELETE FROM policy_text WHERE version = ?");

        query_number(&q, version);
        return query_end(&q);
}

static enum store_result policy_add(struct store *store, const struct store_policy *policy) {
        struct query q = query_begin(store, "INSERT INTO policy (name, version, created, changed) VALUES (?, ?, ?, ?)");

        query_text(&q, policy->name);
        query_number(&q, policy->version);
        query_number(&q, policy->created);
        query_number(&q, policy->changed);
        return query_end(&q);
}

static enum store_result policy_replace(struct store *store, const struct store_policy *policy, int64_t old_version) {
        struct query q = query_begin(store, "UPDATE policy SET version = ?, changed = ? WHERE name = ?");
        enum store_result result;

        query_number(&q, policy->version);
        query_number(&q, policy->changed);
        query_text(&q, policy->name);
        result = query_end(&q);
        return result == STORE_OK ? text_delete(store, old_version) : result;
}

/* In a transaction. */
static enum store_result put(struct store *store, const char *name, const char *text, size_t length, int64_t expected,
                             int64_t now, struct store_policy *ret) {
        enum store_result found = store_policy_get(store, name, ret), result;
        int64_t old_version = ret->version;

        if (found == STORE_UNAVAILABLE)
                return found;
        if (found == STORE_OK ? expected != 0 && expected != old_version : expected > 0)
                return STORE_PRECONDITION;
        if (found == STORE_NOT_FOUND) {
                *ret = (struct store_policy){.created = now};
                memcpy(ret->name, name, strlen(name) + 1);
        }
        ret->changed = now;
        result = text_add(store, text, length, &ret->version);
        if (result == STORE_OK)
                result = found == STORE_OK ? policy_replace(store, ret, old_version) : policy_add(store, ret);
        return result == STORE_OK && found == STORE_NOT_FOUND ? STORE_CREATED : result;
}

enum store_result store_policy_put(struct store *store, const char *name, const char *text, size_t length,
                                   int64_t expected, int64_t now, struct store_policy *ret) {
        struct store_policy policy = {.version = 0};
        enum store_result result;

        if (!store_name_fits(name))
                return STORE_INVALID;
        if (strcmp(name, ADMIN) == 0)
                return STORE_CONFLICT;
        result = transaction_begin(store);
        if (result != STORE_OK)
                return result;
        result = transaction_end(store, put(store, name, text, length, expected, now, &policy));
        if (result == STORE_OK || result == STORE_CREATED)
                *ret = policy;
        return result;
}

enum store_result store_policy_get(struct store *store, const char *name, struct store_policy *ret) {
        struct query q = query_begin(store, "SELECT name, version, created, changed FROM policy WHERE name = ?");

        query_text(&q, name);
        if (query_row(&q))
                read_policy(&q, ret);
        return query_end_found(&q);
}

enum store_result store_policy_text(struct store *store, int64_t version, char **ret, size_t *ret_length) {
        struct query q = query_begin(store, "SELECT text FROM policy_text WHERE version = ?");
        enum store_result result;
        size_t length = 0;
        char *text = NULL;

        query_number(&q, version);
        if (query_row(&q)) {
                const void *blob = sqlite3_column_blob(q.statement, 0);

                length = (size_t)sqlite3_column_bytes(q.statement, 0);
                text = malloc(length + 1);
                if (text) {
                        if (length > 0)
                                memcpy(text, blob, length);
                        text[length] = '\0';
                } else
                        q.result = store_failed(store, SQLITE_NOMEM);
        }
        result = query_end_found(&q);
        if (result != STORE_OK) {
                free(text);
                return result;
        }
        *ret = text;
        *ret_length = length;
        return STORE_OK;
}

enum store_result store_policy_list(struct store *store, const char *after, size_t max, struct store_policy *ret,
                                    size_t *ret_n) {
        struct query q = query_begin(
                store, "SELECT name, version, created, changed FROM policy WHERE name > ? ORDER BY name LIMIT ?");

        *ret_n = 0;
        query_text(&q, after);
        query_number(&q, (int64_t)max);
        while (*ret_n < max && query_row(&q))
                read_policy(&q, &ret[(*ret_n)++]);
        return query_end(&q);
}

/* In a transaction. */
static enum store_result remove_policy(struct store *store, const char *name, int64_t expected) {
        struct store_policy policy;
        enum store_result result = store_policy_get(store, name, &policy);
        struct query q;

        if (result != STORE_OK)
                return result;
        if (expected != 0 && expected != policy.version)
                return STORE_PRECONDITION;
        q = query_begin(store, "DELETE FROM policy WHERE name = ?");
        query_text(&q, name);
        result = query_end(&q);
        return result == STORE_OK ? text_delete(store, policy.version) : result;
}

enum store_result store_policy_delete(struct store *store, const char *name, int64_t expected) {
        enum store_result result;

        if (strcmp(name, ADMIN) == 0)
                return STORE_CONFLICT;
        result = transaction_begin(store);
        return result == STORE_OK ? transaction_end(store, remove_policy(store, name, expected)) : result;
}

enum store_result store_attach(struct store *store, const char *account, const char *policy) {
        struct query q = query_begin(store, "INSERT INTO attachment (account, policy) VALUES (?, ?)");
        enum store_result result;

        query_text(&q, account);
        query_text(&q, policy);
        result = query_end(&q);
        /* It is attached already. */
        return result == STORE_OK ? STORE_CREATED : result == STORE_CONFLICT ? STORE_OK : result;
}

enum store_result store_detach(struct store *store, const char *account, const char *policy) {
        struct query q = query_begin(store, "DELETE FROM attachment WHERE account = ? AND policy = ?");

        query_text(&q, account);
        query_text(&q, policy);
        return query_end_changed(&q);
}

enum store_result store_attached(struct store *store, const char *account, struct store_policy **ret, size_t *ret_n) {
        struct query q = query_begin(store, "SELECT p.name, p.version, p.created, p.changed "
                                            "FROM attachment a JOIN policy p ON p.name = a.policy "
                                            "WHERE a.account = ? ORDER BY p.name");
        struct store_policy *list = NULL;
        enum store_result result;
        size_t n = 0, room = 0;

        query_text(&q, account);
        while (query_row(&q)) {
                if (n == room) {
                        struct store_policy *more = reallocarray(list, room ? room * 2 : 8, sizeof(*list));

                        if (!more) {
                                q.result = store_failed(store, SQLITE_NOMEM);
                                break;
                        }
                        list = more;
                        room = room ? room * 2 : 8;
                }
                read_policy(&q, &list[n++]);
        }
        result = query_end(&q);
        if (result != STORE_OK) {
                free(list);
                return result;
        }
        *ret = list;
        *ret_n = n;
        return STORE_OK;
}
