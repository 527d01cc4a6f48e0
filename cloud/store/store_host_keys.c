/* SPDX-License-Identifier: Apache-2.0 */
/* The host keys of instances: those that are kept, and others that wait until somebody accepts them. */
#include <stdlib.h>
#include <string.h>

#include "cloud/store/query.h"

static bool contains(const struct store_host_keys *keys, const char *line) {
        for (size_t i = 0; i < keys->n; i++)
                if (strcmp(keys->line[i], line) == 0)
                        return true;
        return false;
}

static bool any_in_common(const struct store_host_keys *a, const struct store_host_keys *b) {
        for (size_t i = 0; i < a->n; i++)
                if (contains(b, a->line[i]))
                        return true;
        return false;
}

static bool same(const struct store_host_keys *a, const struct store_host_keys *b) {
        if (a->n != b->n)
                return false;
        for (size_t i = 0; i < a->n; i++)
                if (strcmp(a->line[i], b->line[i]) != 0)
                        return false;
        return true;
}

static enum store_result read_keys(struct store *store, const char *id, bool waiting, struct store_host_keys *ret) {
        struct query q =
                query_begin(store, "SELECT line FROM host_key WHERE instance = ? AND waiting = ? ORDER BY number");

        ret->n = 0;
        query_text(&q, id);
        query_number(&q, waiting);
        while (ret->n < STORE_HOST_KEYS_MAX && query_row(&q)) {
                query_text_at(&q, 0, ret->line[ret->n], sizeof(ret->line[ret->n]));
                ret->n++;
        }
        return query_end(&q);
}

static enum store_result remove_keys(struct store *store, const char *id, bool waiting) {
        struct query q = query_begin(store, "DELETE FROM host_key WHERE instance = ? AND waiting = ?");

        query_text(&q, id);
        query_number(&q, waiting);
        return query_end(&q);
}

static enum store_result write_keys(struct store *store, const char *id, bool waiting,
                                    const struct store_host_keys *keys) {
        enum store_result result = remove_keys(store, id, waiting);

        for (size_t i = 0; result == STORE_OK && i < keys->n; i++) {
                struct query q = query_begin(
                        store, "INSERT INTO host_key (instance, waiting, number, line) VALUES (?, ?, ?, ?)");

                query_text(&q, id);
                query_number(&q, waiting);
                query_number(&q, (int64_t)i);
                query_text(&q, keys->line[i]);
                result = query_end(&q);
        }
        return result;
}

static enum store_result exists(struct store *store, const char *id) {
        struct query q = query_begin(store, "SELECT 1 FROM instance WHERE id = ?");

        query_text(&q, id);
        return query_end_found(&q);
}

/* A pair of lists is 128 KiB: too much for the stack of a thread. */
struct lists {
        struct store_host_keys kept, waiting;
};

static enum store_result read_lists(struct store *store, const char *id, struct lists *ret) {
        enum store_result result = exists(store, id);

        if (result == STORE_OK)
                result = read_keys(store, id, false, &ret->kept);
        return result == STORE_OK ? read_keys(store, id, true, &ret->waiting) : result;
}

/* In a transaction. */
static enum store_result compare(struct store *store, const char *id, const struct store_host_keys *keys,
                                 struct lists *lists, bool *ret_changed) {
        enum store_result result = read_lists(store, id, lists);

        if (result != STORE_OK)
                return result;
        *ret_changed = lists->kept.n > 0 && !any_in_common(keys, &lists->kept);
        if (*ret_changed)
                return same(keys, &lists->waiting) ? STORE_OK : write_keys(store, id, true, keys);
        result = remove_keys(store, id, true);
        return result == STORE_OK ? write_keys(store, id, false, keys) : result;
}

/* Whether they are those that are kept, in their order, and none waits: nearly always, so no list is made for it. */
static enum store_result are_kept(struct store *store, const char *id, const struct store_host_keys *keys, bool *ret) {
        struct query q = query_begin(store, "SELECT h.line, h.waiting FROM instance i LEFT JOIN host_key h "
                                            "ON h.instance = i.id WHERE i.id = ? ORDER BY h.waiting, h.number");
        char line[STORE_KEY_TEXT_MAX];
        bool equal = true;
        size_t n = 0;

        query_text(&q, id);
        for (; query_row(&q); n++) {
                query_text_at(&q, 0, line, sizeof(line));
                equal = equal && n < keys->n && query_number_at(&q, 1) == 0 && strcmp(line, keys->line[n]) == 0;
        }
        *ret = equal && n == keys->n;
        return query_end_found(&q);
}

enum store_result store_host_keys_seen(struct store *store, const char *id, const struct store_host_keys *keys,
                                       bool *ret_changed) {
        struct lists *lists;
        enum store_result result;
        bool changed = false, kept;

        if (keys->n > STORE_HOST_KEYS_MAX)
                return STORE_INVALID;
        result = are_kept(store, id, keys, &kept);
        if (result != STORE_OK)
                return result;
        if (kept) {
                *ret_changed = false;
                return STORE_OK;
        }
        lists = malloc(sizeof(*lists));
        if (!lists)
                return store_failed(store, SQLITE_NOMEM);
        result = read_lists(store, id, lists);
        if (result == STORE_OK && keys->n == 0)
                changed = lists->waiting.n > 0; /* it shows nothing that could be compared */
        else if (result == STORE_OK && (lists->waiting.n > 0 || !same(keys, &lists->kept))) {
                /* Not what is expected nearly always, so it is worth a transaction that waits for other writers. */
                result = transaction_begin(store);
                if (result == STORE_OK)
                        result = transaction_end(store, compare(store, id, keys, lists, &changed));
        }
        free(lists);
        if (result == STORE_OK)
                *ret_changed = changed;
        return result;
}

/* In a transaction. */
static enum store_result accept_waiting(struct store *store, const char *id) {
        struct query q = query_begin(store, "SELECT 1 FROM host_key WHERE instance = ? AND waiting = 1 LIMIT 1");
        enum store_result result;

        query_text(&q, id);
        result = query_end_found(&q);
        if (result == STORE_OK)
                result = remove_keys(store, id, false);
        if (result != STORE_OK)
                return result;
        q = query_begin(store, "UPDATE host_key SET waiting = 0 WHERE instance = ?");
        query_text(&q, id);
        return query_end(&q);
}

enum store_result store_host_keys_accept(struct store *store, const char *id) {
        enum store_result result = transaction_begin(store);

        return result == STORE_OK ? transaction_end(store, accept_waiting(store, id)) : result;
}

enum store_result store_host_keys_get(struct store *store, const char *id, bool waiting, struct store_host_keys *ret) {
        enum store_result result = exists(store, id);

        return result == STORE_OK ? read_keys(store, id, waiting, ret) : result;
}
