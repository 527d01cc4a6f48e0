/* SPDX-License-Identifier: Apache-2.0 */
/* Instances, host keys, key pairs, sessions, revocations. */
#include "tests/unit/cloud_store_fixture.h"

static struct store_host_keys *some_keys(const char *a, const char *b) {
        static struct store_host_keys keys;

        keys.n = b ? 2 : a ? 1 : 0;
        (void)snprintf(keys.line[0], sizeof(keys.line[0]), "%s", a ? a : "");
        (void)snprintf(keys.line[1], sizeof(keys.line[1]), "%s", b ? b : "");
        return &keys;
}

static void instance_is_created_and_replaced(void **state) {
        struct store_instance instance = an_instance("42"), found;
        int64_t version = -7;

        (void)state;
        (void)snprintf(instance.name, sizeof(instance.name), "web");
        (void)snprintf(instance.addresses.ipv6, sizeof(instance.addresses.ipv6), "2001:db8::1");
        instance.tunnel = true;
        instance.channel[0] = 'x'; /* a put does not write it, nor the next three */
        instance.state[0] = 'x';
        instance.first_seen = 1;
        instance.version = 99;
        assert_int_equal(store_instance_put(store, &instance, 1, NOW, &version), STORE_PRECONDITION);
        assert_int_equal(version, -7);
        assert_int_equal(store_instance_get(store, "42", &found), STORE_NOT_FOUND);
        assert_int_equal(store_instance_put(store, &instance, -1, NOW, &version), STORE_CREATED);
        assert_int_equal(version, 1);
        assert_int_equal(store_instance_get(store, "42", &found), STORE_OK);
        assert_string_equal(found.id, "42");
        assert_string_equal(found.name, "web");
        assert_string_equal(found.host, "h1");
        assert_string_equal(found.default_user, "debian");
        assert_string_equal(found.addresses.public_ipv4, "192.0.2.1");
        assert_string_equal(found.addresses.private_ipv4, "");
        assert_string_equal(found.addresses.ipv6, "2001:db8::1");
        assert_int_equal(found.addresses.port, 22);
        assert_true(found.tunnel);
        assert_string_equal(found.channel, "");
        assert_string_equal(found.state, "");
        assert_int_equal(found.first_seen, 0);
        assert_int_equal(found.version, 1);
        assert_int_equal(found.created, NOW);

        assert_int_equal(put_instance(&instance, -1), STORE_PRECONDITION);
        assert_int_equal(put_instance(&instance, 2), STORE_PRECONDITION);
        instance.name[0] = '\0';
        instance.tunnel = false;
        assert_int_equal(store_instance_put(store, &instance, 1, NOW + 5, &version), STORE_OK);
        assert_int_equal(version, 2);
        assert_int_equal(store_instance_get(store, "42", &found), STORE_OK);
        assert_string_equal(found.name, "");
        assert_false(found.tunnel);
        assert_int_equal(found.created, NOW);
        instance.id[0] = '\0';
        assert_int_equal(put_instance(&instance, 0), STORE_INVALID);
        memset(instance.id, 'x', sizeof(instance.id)); /* not even ended */
        assert_int_equal(put_instance(&instance, 0), STORE_INVALID);
}

static void deleted_id_is_never_used_again(void **state) {
        struct store_instance instance = an_instance("42"), other = an_instance("43");
        struct store_host_keys keys;

        (void)state;
        assert_int_equal(store_instance_delete(store, "42", 0), STORE_NOT_FOUND);
        assert_int_equal(put_instance(&instance, 0), STORE_CREATED);
        assert_int_equal(store_instance_delete(store, "42", 2), STORE_PRECONDITION);
        assert_int_equal(store_instance_delete(store, "42", 1), STORE_OK);
        assert_int_equal(store_instance_delete(store, "42", 0), STORE_NOT_FOUND);
        assert_int_equal(put_instance(&instance, 0), STORE_CONFLICT);
        assert_int_equal(put_instance(&instance, -1), STORE_CONFLICT);
        assert_int_equal(store_instance_get(store, "42", &instance), STORE_NOT_FOUND);
        assert_int_equal(store_host_keys_get(store, "42", false, &keys), STORE_NOT_FOUND);
        store_close(store);
        store = open_store(false);
        instance = an_instance("42");
        assert_int_equal(put_instance(&instance, 0), STORE_CONFLICT);
        (void)snprintf(other.name, sizeof(other.name), "42");
        assert_int_equal(put_instance(&other, 0), STORE_CONFLICT);
}

static void names_are_unique_and_no_ids(void **state) {
        struct store_instance a = an_instance("a"), b = an_instance("b"), list[3];
        size_t n;

        (void)state;
        (void)snprintf(a.name, sizeof(a.name), "web");
        assert_int_equal(put_instance(&a, 0), STORE_CREATED);
        (void)snprintf(b.name, sizeof(b.name), "web");
        assert_int_equal(put_instance(&b, 0), STORE_CONFLICT);
        (void)snprintf(b.name, sizeof(b.name), "a");
        assert_int_equal(put_instance(&b, 0), STORE_CONFLICT);
        (void)snprintf(b.name, sizeof(b.name), "b");
        assert_int_equal(put_instance(&b, 0), STORE_CREATED);
        b.name[0] = '\0';
        assert_int_equal(put_instance(&b, 0), STORE_OK);
        a.name[0] = '\0'; /* two without a name */
        assert_int_equal(put_instance(&a, 0), STORE_OK);
        (void)snprintf(a.name, sizeof(a.name), "c");
        assert_int_equal(put_instance(&a, 0), STORE_OK);
        b = an_instance("c"); /* its id is a's name */
        assert_int_equal(put_instance(&b, 0), STORE_CONFLICT);

        assert_int_equal(store_instance_list(store, "c", "", 3, list, &n), STORE_OK);
        assert_int_equal(n, 1);
        assert_string_equal(list[0].id, "a");
        assert_int_equal(store_instance_list(store, "C", "", 3, list, &n), STORE_OK);
        assert_int_equal(n, 0);
        assert_int_equal(store_instance_list(store, NULL, "", 1, list, &n), STORE_OK);
        assert_int_equal(n, 1);
        assert_int_equal(store_instance_list(store, NULL, "a", 3, list, &n), STORE_OK);
        assert_int_equal(n, 1);
        assert_string_equal(list[0].id, "b");
}

static void only_its_own_host_reports_about_an_instance(void **state) {
        struct store_instance instance = an_instance("42"), found;

        (void)state;
        assert_int_equal(store_instance_report(store, "42", "h1", "vsock", "reachable", NOW), STORE_NOT_FOUND);
        assert_int_equal(put_instance(&instance, 0), STORE_CREATED);
        assert_int_equal(store_instance_report(store, "42", "h2", "vsock", "reachable", NOW), STORE_INVALID);
        assert_int_equal(store_instance_report(store, "42", "H1", "vsock", "reachable", NOW), STORE_INVALID);
        assert_int_equal(store_instance_get(store, "42", &found), STORE_OK);
        assert_string_equal(found.state, "");
        assert_int_equal(store_instance_report(store, "42", "h1", "vsock", "reachable", NOW), STORE_OK);
        assert_int_equal(store_instance_report(store, "42", "h1", "vsock", "reachable", NOW), STORE_OK);
        assert_int_equal(store_instance_get(store, "42", &found), STORE_OK);
        assert_string_equal(found.channel, "vsock");
        assert_string_equal(found.state, "reachable");
        assert_int_equal(found.first_seen, NOW);
        assert_int_equal(found.version, 1);
        /* It stays when something else is put, and goes with the host. */
        assert_int_equal(put_instance(&instance, 1), STORE_OK);
        assert_int_equal(store_instance_get(store, "42", &found), STORE_OK);
        assert_string_equal(found.channel, "vsock");
        (void)snprintf(instance.host, sizeof(instance.host), "h2");
        assert_int_equal(put_instance(&instance, 2), STORE_OK);
        assert_int_equal(store_instance_get(store, "42", &found), STORE_OK);
        assert_string_equal(found.channel, "");
        assert_string_equal(found.state, "");
        assert_int_equal(found.first_seen, 0);
        assert_int_equal(store_instance_report(store, "42", "h1", "vsock", "reachable", NOW), STORE_INVALID);
}

static void first_host_keys_are_kept(void **state) {
        struct store_instance instance = an_instance("42");
        struct store_host_keys keys;
        bool changed = true;

        (void)state;
        assert_int_equal(store_host_keys_seen(store, "42", some_keys("A", NULL), &changed), STORE_NOT_FOUND);
        assert_int_equal(put_instance(&instance, 0), STORE_CREATED);
        assert_int_equal(store_host_keys_seen(store, "42", some_keys(NULL, NULL), &changed), STORE_OK);
        assert_false(changed);
        assert_int_equal(store_host_keys_get(store, "42", false, &keys), STORE_OK);
        assert_int_equal(keys.n, 0);
        assert_int_equal(store_host_keys_seen(store, "42", some_keys("A", "B"), &changed), STORE_OK);
        assert_false(changed);
        assert_int_equal(store_host_keys_get(store, "42", false, &keys), STORE_OK);
        assert_int_equal(keys.n, 2);
        assert_string_equal(keys.line[0], "A");
        assert_string_equal(keys.line[1], "B");
        assert_int_equal(store_host_keys_accept(store, "42"), STORE_NOT_FOUND);
        assert_int_equal(store_instance_delete(store, "42", 0), STORE_OK);
        assert_int_equal(raw_number("SELECT count(*) FROM host_key"), 0);
}

static void host_keys_with_one_in_common_replace(void **state) {
        struct store_instance instance = an_instance("42");
        struct store_host_keys keys;
        bool changed = true;

        (void)state;
        assert_int_equal(put_instance(&instance, 0), STORE_CREATED);
        assert_int_equal(store_host_keys_seen(store, "42", some_keys("A", "B"), &changed), STORE_OK);
        assert_int_equal(store_host_keys_seen(store, "42", some_keys("C", "B"), &changed), STORE_OK);
        assert_false(changed);
        assert_int_equal(store_host_keys_get(store, "42", false, &keys), STORE_OK);
        assert_int_equal(keys.n, 2);
        assert_string_equal(keys.line[0], "C");
        assert_int_equal(store_host_keys_seen(store, "42", some_keys("C", NULL), &changed), STORE_OK);
        assert_false(changed);
        assert_int_equal(store_host_keys_seen(store, "42", some_keys("B", NULL), &changed), STORE_OK);
        assert_true(changed);
}

static void changed_host_keys_wait_until_they_are_accepted(void **state) {
        struct store_instance instance = an_instance("42");
        struct store_host_keys keys;
        bool changed = false;

        (void)state;
        assert_int_equal(put_instance(&instance, 0), STORE_CREATED);
        assert_int_equal(store_host_keys_seen(store, "42", some_keys("A", "B"), &changed), STORE_OK);
        for (int i = 0; i < 2; i++) {
                changed = false;
                assert_int_equal(store_host_keys_seen(store, "42", some_keys("X", "Y"), &changed), STORE_OK);
                assert_true(changed);
        }
        assert_int_equal(store_host_keys_get(store, "42", false, &keys), STORE_OK);
        assert_string_equal(keys.line[0], "A");
        assert_int_equal(store_host_keys_get(store, "42", true, &keys), STORE_OK);
        assert_int_equal(keys.n, 2);
        assert_string_equal(keys.line[0], "X");
        /* Others come in their place. One in common with those that wait accepts nothing. */
        assert_int_equal(store_host_keys_seen(store, "42", some_keys("Z", "Y"), &changed), STORE_OK);
        assert_true(changed);
        assert_int_equal(store_host_keys_seen(store, "42", some_keys(NULL, NULL), &changed), STORE_OK);
        assert_true(changed);
        assert_int_equal(store_host_keys_accept(store, "42"), STORE_OK);
        assert_int_equal(store_host_keys_accept(store, "42"), STORE_NOT_FOUND);
        assert_int_equal(store_host_keys_get(store, "42", false, &keys), STORE_OK);
        assert_int_equal(keys.n, 2);
        assert_string_equal(keys.line[0], "Z");
        assert_int_equal(store_host_keys_seen(store, "42", some_keys("Z", NULL), &changed), STORE_OK);
        assert_false(changed);
        /* Those that are kept are shown again: what waited was another's. */
        assert_int_equal(store_host_keys_seen(store, "42", some_keys("X", NULL), &changed), STORE_OK);
        assert_true(changed);
        assert_int_equal(store_host_keys_seen(store, "42", some_keys("Z", NULL), &changed), STORE_OK);
        assert_false(changed);
        assert_int_equal(store_host_keys_accept(store, "42"), STORE_NOT_FOUND);
}

static void as_many_host_keys_as_fit_are_kept(void **state) {
        static struct store_host_keys keys, found;
        struct store_instance instance = an_instance("42");
        bool changed;

        (void)state;
        assert_int_equal(put_instance(&instance, 0), STORE_CREATED);
        keys.n = STORE_HOST_KEYS_MAX;
        for (size_t i = 0; i < keys.n; i++)
                memset(keys.line[i], 'a' + (int)i, sizeof(keys.line[i]) - 1);
        assert_int_equal(store_host_keys_seen(store, "42", &keys, &changed), STORE_OK);
        assert_int_equal(store_host_keys_get(store, "42", false, &found), STORE_OK);
        assert_memory_equal(&keys, &found, sizeof(keys));
        keys.n++;
        assert_int_equal(store_host_keys_seen(store, "42", &keys, &changed), STORE_INVALID);
}

static void keypair_is_an_accounts_own(void **state) {
        struct store_keypair keypair = a_keypair("ada", "k"), list[2];
        struct store_keypair_deleted deleted;
        size_t n;

        (void)state;
        assert_int_equal(store_keypair_add(store, &keypair), STORE_INVALID);
        assert_int_equal(store_account_add(store, "ada", NOW), STORE_OK);
        assert_int_equal(store_account_add(store, "bob", NOW), STORE_OK);
        assert_int_equal(store_keypair_add(store, &keypair), STORE_OK);
        assert_int_equal(store_keypair_add(store, &keypair), STORE_CONFLICT);
        keypair = a_keypair("bob", "k");
        assert_int_equal(store_keypair_add(store, &keypair), STORE_OK);
        keypair = a_keypair("ada", "l");
        memset(keypair.public_key, 'x', sizeof(keypair.public_key) - 1);
        assert_int_equal(store_keypair_add(store, &keypair), STORE_OK);
        assert_int_equal(store_keypair_get(store, "ada", "l", &list[0]), STORE_OK);
        assert_string_equal(list[0].account, "ada");
        assert_string_equal(list[0].name, "l");
        assert_string_equal(list[0].type, keypair.type);
        assert_string_equal(list[0].public_key, keypair.public_key);
        assert_string_equal(list[0].fingerprint, keypair.fingerprint);
        assert_string_equal(list[0].fingerprint_md5, keypair.fingerprint_md5);
        assert_int_equal(list[0].created, NOW);
        assert_int_equal(store_keypair_get(store, "bob", "l", &list[0]), STORE_NOT_FOUND);
        assert_int_equal(store_keypair_list(store, "ada", "", 2, list, &n), STORE_OK);
        assert_int_equal(n, 2);
        assert_string_equal(list[1].name, "l");
        assert_int_equal(store_keypair_list(store, "ada", "k", 2, list, &n), STORE_OK);
        assert_int_equal(n, 1);
        assert_int_equal(store_keypair_delete(store, "bob", "l", "r", NOW, &deleted), STORE_NOT_FOUND);
        assert_int_equal(store_keypair_delete(store, "ada", "k", "r", NOW, &deleted), STORE_OK);
        assert_int_equal(deleted.n_instances, 0);
        free(deleted.instances);
        assert_int_equal(store_keypair_get(store, "bob", "k", &list[0]), STORE_OK);
}

static void deleted_keypair_is_out_of_the_instances(void **state) {
        struct store_keypair keypair = a_keypair("ada", "k");
        struct store_instance instance, found;
        struct store_keypair_deleted deleted;
        char id[16];

        (void)state;
        assert_int_equal(store_account_add(store, "ada", NOW), STORE_OK);
        instance = an_instance("i00");
        (void)snprintf(instance.keypair_account, sizeof(instance.keypair_account), "ada");
        (void)snprintf(instance.keypair, sizeof(instance.keypair), "k");
        assert_int_equal(put_instance(&instance, 0), STORE_INVALID);
        assert_int_equal(store_keypair_add(store, &keypair), STORE_OK);
        keypair = a_keypair("ada", "other");
        assert_int_equal(store_keypair_add(store, &keypair), STORE_OK);
        for (int i = 0; i < 40; i++) {
                (void)snprintf(id, sizeof(id), "i%02d", i);
                memcpy(instance.id, id, sizeof(id));
                (void)snprintf(instance.keypair, sizeof(instance.keypair), "%s", i < 35 ? "k" : "other");
                assert_int_equal(put_instance(&instance, 0), STORE_CREATED);
        }
        assert_int_equal(store_keypair_delete(store, "ada", "k", "r", NOW, &deleted), STORE_OK);
        assert_int_equal(deleted.n_instances, 35);
        assert_string_equal(deleted.fingerprint, keypair.fingerprint);
        assert_string_equal(deleted.instances[0], "i00");
        assert_string_equal(deleted.instances[34], "i34");
        free(deleted.instances);
        assert_int_equal(store_instance_get(store, "i00", &found), STORE_OK);
        assert_string_equal(found.keypair, "");
        assert_string_equal(found.keypair_account, "");
        assert_int_equal(found.version, 2);
        assert_int_equal(store_instance_get(store, "i35", &found), STORE_OK);
        assert_string_equal(found.keypair, "other");
        assert_int_equal(found.version, 1);
}

static void prepare_session(void) {
        struct store_instance instance = an_instance("42");

        assert_int_equal(store_account_add(store, "ada", NOW), STORE_OK);
        assert_int_equal(store_account_add(store, "bob", NOW), STORE_OK);
        assert_int_equal(put_instance(&instance, 0), STORE_CREATED);
}

static void session_is_redeemed_once_by_its_account(void **state) {
        struct store_session session = a_session(1, "ada", "42"), found = {.account = "before"};
        struct store_session foreign = a_session(2, "ada", "43");

        (void)state;
        assert_int_equal(store_session_add(store, &session), STORE_INVALID);
        prepare_session();
        assert_int_equal(store_session_add(store, &foreign), STORE_INVALID);
        assert_int_equal(store_session_add(store, &session), STORE_OK);
        assert_int_equal(store_session_add(store, &session), STORE_CONFLICT);
        assert_int_equal(store_session_redeem(store, session.hash, "bob", &found), STORE_NOT_FOUND);
        assert_int_equal(store_session_redeem(store, foreign.hash, "ada", &found), STORE_NOT_FOUND);
        assert_string_equal(found.account, "before");
        assert_int_equal(store_session_redeem(store, session.hash, "ada", &found), STORE_OK);
        assert_memory_equal(found.hash, session.hash, sizeof(session.hash));
        assert_string_equal(found.account, "ada");
        assert_string_equal(found.token_id, "aaaaaaaa");
        assert_string_equal(found.instance, "42");
        assert_string_equal(found.user, "ada");
        assert_string_equal(found.request_id, "r-1");
        assert_false(found.pushed);
        assert_int_equal(store_session_redeem(store, session.hash, "ada", &found), STORE_NOT_FOUND);
}

static void session_with_a_pushed_key_is_not_redeemed(void **state) {
        struct store_session session = a_session(1, "ada", "42"), found;

        (void)state;
        prepare_session();
        session.pushed = true;
        assert_int_equal(store_session_add(store, &session), STORE_OK);
        assert_int_equal(store_session_redeem(store, session.hash, "ada", &found), STORE_NOT_FOUND);
}

static void session_ends_after_30_seconds(void **state) {
        struct store_session session = a_session(1, "ada", "42"), next = a_session(2, "ada", "42"), found;

        (void)state;
        prepare_session();
        assert_int_equal(store_session_add(store, &session), STORE_OK);
        assert_in_range(raw_number("SELECT expires - unixepoch() FROM session"), 0, STORE_SESSION_LIFE_S);
        raw_sql("UPDATE session SET expires = unixepoch()");
        assert_int_equal(store_session_redeem(store, session.hash, "ada", &found), STORE_NOT_FOUND);
        assert_int_equal(store_session_add(store, &next), STORE_OK);
        assert_int_equal(raw_number("SELECT count(*) FROM session"), 1);
        assert_int_equal(store_session_redeem(store, next.hash, "ada", &found), STORE_OK);
}

static bool revoked(int64_t since, const char *instance, const char *fingerprint, const char *user,
                    const char *asked_user) {
        bool is = !user;

        assert_int_equal(store_revocation_since(store, since, instance, fingerprint, user, asked_user, &is), STORE_OK);
        return is;
}

static void deleted_keypair_is_revoked_in_the_same_transaction(void **state) {
        struct store_keypair keypair = a_keypair("ada", "k"), found;
        struct store_keypair_deleted deleted = {.n_instances = 99};
        static const char *const ids[] = {"42", "43", "44"};
        struct store_instance instance;

        (void)state;
        assert_int_equal(store_account_add(store, "ada", NOW), STORE_OK);
        assert_int_equal(store_keypair_add(store, &keypair), STORE_OK);
        for (int i = 0; i < 3; i++) {
                instance = an_instance(ids[i]);
                if (i < 2) {
                        (void)snprintf(instance.keypair_account, sizeof(instance.keypair_account), "ada");
                        (void)snprintf(instance.keypair, sizeof(instance.keypair), "k");
                }
                assert_int_equal(put_instance(&instance, 0), STORE_CREATED);
        }
        /* The second one cannot be recorded: nothing has happened. */
        raw_sql("CREATE UNIQUE INDEX one_of_a_key ON revocation (fingerprint)");
        assert_int_not_equal(store_keypair_delete(store, "ada", "k", "r", NOW, &deleted), STORE_OK);
        assert_int_equal(deleted.n_instances, 99);
        assert_int_equal(store_keypair_get(store, "ada", "k", &found), STORE_OK);
        assert_false(revoked(0, "42", keypair.fingerprint, NULL, NULL));
        raw_sql("DROP INDEX one_of_a_key");
        assert_int_equal(store_keypair_delete(store, "ada", "k", "r", NOW, &deleted), STORE_OK);
        assert_int_equal(deleted.n_instances, 2);
        free(deleted.instances);
        assert_true(revoked(0, "42", keypair.fingerprint, NULL, NULL));
        assert_true(revoked(0, "43", keypair.fingerprint, NULL, NULL));
        assert_false(revoked(0, "44", keypair.fingerprint, NULL, NULL));
        assert_false(revoked(0, "42", "SHA256:another", NULL, NULL));
}

static int64_t add_revocation(const char *instance, const char *fingerprint, const char *user, int64_t now) {
        struct store_revocation revocation = {
                .instance = instance, .fingerprint = fingerprint, .user = user, .account = "ada", .request_id = "r"};
        int64_t latest = -1;

        assert_int_equal(store_revocation_add(store, &revocation, now), STORE_OK);
        assert_int_equal(store_revocation_latest(store, &latest), STORE_OK);
        return latest;
}

static bool lately(const char *instance, int64_t time) {
        bool is = time == NOW;

        assert_int_equal(store_revocation_lately(store, instance, time, &is), STORE_OK);
        return is;
}

static void revocation_is_about_what_it_names(void **state) {
        struct store_revocation both = {.instance = "42", .fingerprint = "F", .user = "root"};
        int64_t start = -1, by_key, by_user, all;

        (void)state;
        assert_int_equal(store_revocation_latest(store, &start), STORE_OK);
        assert_int_equal(start, 0);
        assert_int_equal(store_revocation_add(store, &both, NOW), STORE_INVALID);
        assert_false(revoked(start, "42", "F", "u", "u"));

        by_key = add_revocation("42", "F", NULL, NOW);
        assert_true(by_key > start);
        assert_true(revoked(start, "42", "F", "u", "u"));
        assert_true(revoked(start, "42", "F", NULL, NULL));
        assert_false(revoked(by_key, "42", "F", "u", "u"));
        assert_false(revoked(start, "42", "f", "u", "u"));
        assert_false(revoked(start, "42", NULL, "u", "u"));
        assert_false(revoked(start, "4", "F", "u", "u"));

        by_user = add_revocation("42", NULL, "ada", NOW);
        assert_true(revoked(by_key, "42", "G", "ada", NULL));
        assert_true(revoked(by_key, "42", "G", NULL, "ada"));
        assert_true(revoked(by_key, "42", NULL, "x", "ada"));
        assert_false(revoked(by_key, "42", "G", "Ada", "x"));
        assert_false(revoked(by_key, "42", "G", NULL, NULL));
        assert_false(revoked(by_user, "42", "G", "ada", "ada"));

        all = add_revocation("42", NULL, NULL, NOW);
        assert_true(revoked(by_user, "42", "any", "any", "any"));
        assert_true(revoked(by_user, "42", NULL, NULL, NULL));
        assert_false(revoked(by_user, "43", "any", "any", "any"));
        assert_false(revoked(all, "42", "any", "any", "any"));

        assert_true(lately("42", NOW - 1));
        assert_false(lately("42", NOW));
        assert_false(lately("43", NOW - 1));
}

static void revocations_are_kept_for_a_day(void **state) {
        int64_t first, second;

        (void)state;
        first = add_revocation("42", "F", NULL, NOW);
        (void)add_revocation("42", "G", NULL, NOW + 86400);
        assert_int_equal(raw_number("SELECT count(*) FROM revocation"), 2);
        second = add_revocation("42", "H", NULL, NOW + 86401);
        assert_int_equal(raw_number("SELECT count(*) FROM revocation"), 2);
        assert_int_equal(second, first + 2);
        /* The numbers go on when none is left. */
        raw_sql("DELETE FROM revocation");
        assert_int_equal(add_revocation("42", "I", NULL, NOW + 86402), second + 1);
}

static void sql_in_the_register_is_text(void **state) {
        struct store_instance instance, found, list[1];
        struct store_keypair keypair, found_keypair;
        struct store_session session, found_session;
        struct store_host_keys keys;
        struct store_keypair_deleted deleted;
        bool changed;
        size_t n;

        (void)state;
        for (size_t i = 0; i < ELEMENTS(sql_texts); i++) {
                const char *text = sql_texts[i];

                assert_int_equal(store_instance_get(store, text, &found), STORE_NOT_FOUND);
                assert_int_equal(store_instance_delete(store, text, 0), STORE_NOT_FOUND);
                assert_int_equal(store_account_add(store, text, NOW), STORE_OK);
                keypair = a_keypair(text, text);
                (void)snprintf(keypair.public_key, sizeof(keypair.public_key), "%s", text);
                assert_int_equal(store_keypair_add(store, &keypair), STORE_OK);
                assert_int_equal(store_keypair_get(store, text, text, &found_keypair), STORE_OK);
                assert_string_equal(found_keypair.name, text);
                assert_string_equal(found_keypair.public_key, text);
                instance = an_instance(text);
                (void)snprintf(instance.name, sizeof(instance.name), "%s%s", text, text);
                (void)snprintf(instance.host, sizeof(instance.host), "%s", text);
                (void)snprintf(instance.default_user, sizeof(instance.default_user), "%s", text);
                (void)snprintf(instance.addresses.ipv6, sizeof(instance.addresses.ipv6), "%s", text);
                (void)snprintf(instance.keypair_account, sizeof(instance.keypair_account), "%s", text);
                (void)snprintf(instance.keypair, sizeof(instance.keypair), "%s", text);
                assert_int_equal(put_instance(&instance, 0), STORE_CREATED);
                assert_int_equal(store_instance_report(store, text, text, text, text, 1), STORE_OK);
                assert_int_equal(store_instance_list(store, instance.name, "", 1, list, &n), STORE_OK);
                assert_int_equal(n, 1);
                assert_string_equal(list[0].id, text);
                assert_string_equal(list[0].host, text);
                assert_string_equal(list[0].state, text);
                assert_string_equal(list[0].keypair, text);
                assert_int_equal(store_host_keys_seen(store, text, some_keys(text, "x"), &changed), STORE_OK);
                assert_int_equal(store_host_keys_get(store, text, false, &keys), STORE_OK);
                assert_string_equal(keys.line[0], text);
                session = a_session((uint8_t)i, text, text);
                (void)snprintf(session.user, sizeof(session.user), "%s", text);
                assert_int_equal(store_session_add(store, &session), STORE_OK);
                assert_int_equal(store_session_redeem(store, session.hash, text, &found_session), STORE_OK);
                assert_string_equal(found_session.user, text);
                (void)add_revocation(text, NULL, text, NOW);
                assert_true(revoked(0, text, NULL, text, text));
                assert_false(revoked(0, text, "x", "x", "x"));
                assert_int_equal(store_keypair_delete(store, text, text, text, NOW, &deleted), STORE_OK);
                assert_int_equal(deleted.n_instances, 1);
                assert_string_equal(deleted.instances[0], text);
                free(deleted.instances);
        }
        assert_int_equal(raw_number("SELECT count(*) FROM instance"), ELEMENTS(sql_texts));
        for (size_t i = 0; i < ELEMENTS(sql_texts); i++) {
                assert_int_equal(store_instance_delete(store, sql_texts[i], 0), STORE_OK);
                assert_int_equal(raw_number("SELECT count(*) FROM instance"), ELEMENTS(sql_texts) - i - 1);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(instance_is_created_and_replaced, set_up, tear_down),
                cmocka_unit_test_setup_teardown(deleted_id_is_never_used_again, set_up, tear_down),
                cmocka_unit_test_setup_teardown(names_are_unique_and_no_ids, set_up, tear_down),
                cmocka_unit_test_setup_teardown(only_its_own_host_reports_about_an_instance, set_up, tear_down),
                cmocka_unit_test_setup_teardown(first_host_keys_are_kept, set_up, tear_down),
                cmocka_unit_test_setup_teardown(host_keys_with_one_in_common_replace, set_up, tear_down),
                cmocka_unit_test_setup_teardown(changed_host_keys_wait_until_they_are_accepted, set_up, tear_down),
                cmocka_unit_test_setup_teardown(as_many_host_keys_as_fit_are_kept, set_up, tear_down),
                cmocka_unit_test_setup_teardown(keypair_is_an_accounts_own, set_up, tear_down),
                cmocka_unit_test_setup_teardown(deleted_keypair_is_out_of_the_instances, set_up, tear_down),
                cmocka_unit_test_setup_teardown(deleted_keypair_is_revoked_in_the_same_transaction, set_up, tear_down),
                cmocka_unit_test_setup_teardown(session_is_redeemed_once_by_its_account, set_up, tear_down),
                cmocka_unit_test_setup_teardown(session_with_a_pushed_key_is_not_redeemed, set_up, tear_down),
                cmocka_unit_test_setup_teardown(session_ends_after_30_seconds, set_up, tear_down),
                cmocka_unit_test_setup_teardown(revocation_is_about_what_it_names, set_up, tear_down),
                cmocka_unit_test_setup_teardown(revocations_are_kept_for_a_day, set_up, tear_down),
                cmocka_unit_test_setup_teardown(sql_in_the_register_is_text, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
