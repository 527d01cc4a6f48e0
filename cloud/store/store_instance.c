/* SPDX-License-Identifier: Apache-2.0 */
/* The register of instances. */
#include <stdlib.h>
#include <string.h>

#include "cloud/store/query.h"

#define COLUMNS                                                                                                        \
        "id, name, host, default_user, public_ipv4, private_ipv4, ipv6, port, keypair_account, keypair, tunnel, "      \
        "channel, state, first_seen, version, created"

static void read_instance(struct query *q, struct store_instance *ret) {
        query_text_at(q, 0, ret->id, sizeof(ret->id));
        query_text_at(q, 1, ret->name, sizeof(ret->name));
        query_text_at(q, 2, ret->host, sizeof(ret->host));
        query_text_at(q, 3, ret->default_user, sizeof(ret->default_user));
        query_text_at(q, 4, ret->addresses.public_ipv4, sizeof(ret->addresses.public_ipv4));
        query_text_at(q, 5, ret->addresses.private_ipv4, sizeof(ret->addresses.private_ipv4));
        query_text_at(q, 6, ret->addresses.ipv6, sizeof(ret->addresses.ipv6));
        ret->addresses.port = query_number_at(q, 7);
        query_text_at(q, 8, ret->keypair_account, sizeof(ret->keypair_account));
        query_text_at(q, 9, ret->keypair, sizeof(ret->keypair));
        ret->tunnel = query_number_at(q, 10) != 0;
        query_text_at(q, 11, ret->channel, sizeof(ret->channel));
        query_text_at(q, 12, ret->state, sizeof(ret->state));
        ret->first_seen = query_number_at(q, 13);
        ret->version = query_number_at(q, 14);
        ret->created = query_number_at(q, 15);
}

/* What a put writes, in the order of both statements below. */
static void bind_written(struct query *q, const struct store_instance *instance) {
        bool keypair = instance->keypair[0] != '\0';

        query_text_or_null(q, instance->name);
        query_text(q, instance->host);
        query_text(q, instance->default_user);
        query_text(q, instance->addresses.public_ipv4);
        query_text(q, instance->addresses.private_ipv4);
        query_text(q, instance->addresses.ipv6);
        query_number(q, instance->addresses.port);
        query_text(q, keypair ? instance->keypair_account : NULL);
        query_text(q, keypair ? instance->keypair : NULL);
        query_number(q, instance->tunnel);
        query_number(q, instance->version);
}

/* STORE_CONFLICT where the statement finds a row for the value. */
static enum store_result absent(struct store *store, const char *sql, const char *value) {
        struct query q = query_begin(store, sql);
        enum store_result result;

        query_text(&q, value);
        result = query_end_found(&q);
        return result == STORE_OK ? STORE_CONFLICT : result == STORE_NOT_FOUND ? STORE_OK : result;
}

/* Names and ids are one space: an instance's name is no other's id, not even of one that was deleted. */
static enum store_result check_names(struct store *store, const struct store_instance *instance, bool is_new) {
        static const char deleted[] = "SELECT 1 FROM deleted_instance WHERE id = ?";
        enum store_result result = STORE_OK;

        if (instance->name[0] != '\0' && strcmp(instance->name, instance->id) != 0) {
                result = absent(store, "SELECT 1 FROM instance WHERE id = ?", instance->name);
                if (result == STORE_OK)
                        result = absent(store, deleted, instance->name);
        }
        if (result == STORE_OK && is_new)
                result = absent(store, "SELECT 1 FROM instance WHERE name = ?", instance->id);
        if (result == STORE_OK && is_new)
                result = absent(store, deleted, instance->id);
        return result;
}

static enum store_result add(struct store *store, const struct store_instance *instance, int64_t now) {
        struct query q =
                query_begin(store, "INSERT INTO instance (name, host, default_user, public_ipv4, private_ipv4, "
                                   "ipv6, port, keypair_account, keypair, tunnel, version, id, created, "
                                   "channel, state, first_seen) "
                                   "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '', 0)");
        enum store_result result;

        bind_written(&q, instance);
        query_text(&q, instance->id);
        query_number(&q, now);
        result = query_end(&q);
        return result == STORE_OK ? STORE_CREATED : result;
}

/* Another host has to report for itself. */
static enum store_result replace(struct store *store, const struct store_instance *instance, bool same_host) {
        struct query q =
                query_begin(store, "UPDATE instance SET name = ?, host = ?, default_user = ?, public_ipv4 = ?, "
                                   "private_ipv4 = ?, ipv6 = ?, port = ?, keypair_account = ?, keypair = ?, "
                                   "tunnel = ?, version = ? WHERE id = ?");
        enum store_result result;

        bind_written(&q, instance);
        query_text(&q, instance->id);
        result = query_end(&q);
        if (result != STORE_OK || same_host)
                return result;
        q = query_begin(store, "UPDATE instance SET channel = '', state = '', first_seen = 0 WHERE id = ?");
        query_text(&q, instance->id);
        return query_end(&q);
}

/* In a transaction. */
static enum store_result put(struct store *store, const struct store_instance *instance, int64_t expected, int64_t now,
                             int64_t *ret_version) {
        struct store_instance old = {.version = 0}, new = *instance;
        enum store_result found = store_instance_get(store, instance->id, &old), result;

        if (found == STORE_UNAVAILABLE)
                return found;
        if (found == STORE_OK ? expected != 0 && expected != old.version : expected > 0)
                return STORE_PRECONDITION;
        result = check_names(store, instance, found != STORE_OK);
        if (result != STORE_OK)
                return result;
        new.version = old.version + 1;
        *ret_version = new.version;
        return found == STORE_OK ? replace(store, &new, strcmp(old.host, new.host) == 0) : add(store, &new, now);
}

enum store_result store_instance_put(struct store *store, const struct store_instance *instance, int64_t expected,
                                     int64_t now, int64_t *ret_version) {
        enum store_result result;
        int64_t version = 0;

        if (!store_name_fits(instance->id))
                return STORE_INVALID;
        result = transaction_begin(store);
        if (result != STORE_OK)
                return result;
        result = transaction_end(store, put(store, instance, expected, now, &version));
        if (result == STORE_OK || result == STORE_CREATED)
                *ret_version = version;
        return result;
}

enum store_result store_instance_get(struct store *store, const char *id, struct store_instance *ret) {
        struct query q = query_begin(store, "SELECT " COLUMNS " FROM instance WHERE id = ?");

        query_text(&q, id);
        if (query_row(&q))
                read_instance(&q, ret);
        return query_end_found(&q);
}

enum store_result store_instance_list(struct store *store, const char *name, const char *after, size_t max,
                                      struct store_instance *ret, size_t *ret_n) {
        struct query q = query_begin(store, name ? "SELECT " COLUMNS
                                                   " FROM instance WHERE id > ? AND name = ? ORDER BY id LIMIT ?"
                                                 : "SELECT " COLUMNS " FROM instance WHERE id > ? ORDER BY id LIMIT ?");

        *ret_n = 0;
        query_text(&q, after);
        if (name)
                query_text(&q, name);
        query_number(&q, (int64_t)max);
        while (*ret_n < max && query_row(&q))
                read_instance(&q, &ret[(*ret_n)++]);
        return query_end(&q);
}

/* In a transaction. */
static enum store_result delete_instance(struct store *store, const char *id, int64_t expected) {
        struct store_instance instance;
        enum store_result result = store_instance_get(store, id, &instance);
        struct query q;

        if (result != STORE_OK)
                return result;
        if (expected != 0 && expected != instance.version)
                return STORE_PRECONDITION;
        q = query_begin(store, "DELETE FROM instance WHERE id = ?");
        query_text(&q, id);
        result = query_end(&q);
        if (result != STORE_OK)
                return result;
        q = query_begin(store, "INSERT INTO deleted_instance (id) VALUES (?)");
        query_text(&q, id);
        return query_end(&q);
}

enum store_result store_instance_delete(struct store *store, const char *id, int64_t expected) {
        enum store_result result = transaction_begin(store);

        return result == STORE_OK ? transaction_end(store, delete_instance(store, id, expected)) : result;
}

enum store_result store_instance_report(struct store *store, const char *id, const char *host, const char *channel,
                                        const char *state, int64_t first_seen) {
        struct store_instance instance;
        enum store_result result;
        struct query q;

        if (strnlen(channel, STORE_NAME_MAX) == STORE_NAME_MAX || strnlen(state, STORE_NAME_MAX) == STORE_NAME_MAX)
                return STORE_INVALID;
        /* The host is compared in the UPDATE again: a put may move the instance between the two. */
        result = store_instance_get(store, id, &instance);
        if (result != STORE_OK)
                return result;
        if (strcmp(instance.host, host) != 0)
                return STORE_INVALID;
        if (strcmp(instance.channel, channel) == 0 && strcmp(instance.state, state) == 0 &&
            instance.first_seen == first_seen)
                return STORE_OK;
        q = query_begin(store, "UPDATE instance SET channel = ?, state = ?, first_seen = ? WHERE id = ? AND host = ?");
        query_text(&q, channel);
        query_text(&q, state);
        query_number(&q, first_seen);
        query_text(&q, id);
        query_text(&q, host);
        result = query_end_changed(&q);
        return result == STORE_NOT_FOUND ? STORE_INVALID : result;
}
