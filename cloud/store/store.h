/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the control plane knows: accounts, tokens, policies, the register of instances, key pairs, sessions and revocations.
 * Typed operations, each of them one transaction; no other file knows the database. SQLite here (store_sqlite.c, schema.c).
 *
 * Times are Unix seconds. Texts that come back are copies in fixed arrays, or come from malloc() where that is said. A
 * handle belongs to one thread at a time; any number of handles and processes may use the same database.
 */
#ifndef EXC_CLOUD_STORE_H
#define EXC_CLOUD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        STORE_NAME_MAX = 64 + 1, /* account, policy, instance and key pair: bytes with the NUL, as all below */
        STORE_TEXT_MAX = 256 + 1,
        STORE_TOKEN_ID_MAX = 8 + 1,
        STORE_HASH_SIZE = 32, /* SHA-256 */
        STORE_FINGERPRINT_MAX = 64,
        STORE_KEY_TEXT_MAX = 4096,
        STORE_ADDRESS_MAX = 46,
        STORE_WHY_MAX = 256,
        STORE_LIST_MAX = 1000,
        STORE_HOST_KEYS_MAX = 16,
};

enum store_result {
        STORE_OK,
        STORE_CREATED, /* by a put that may also replace */
        STORE_NOT_FOUND,
        STORE_CONFLICT,     /* it exists already, was deleted and is never used again, or is still in use */
        STORE_PRECONDITION, /* another version than the one expected */
        STORE_INVALID,      /* what the operation names does not exist, as the policy of an attachment */
        STORE_UNAVAILABLE,  /* locked for too long, full, damaged, no memory: store_why() */
};

struct store;

/*
 * Opens the database, and makes it where `create` is set, with mode 0600; brings an older schema forward, and refuses a
 * newer one. The file must be the caller's and for nobody else to write; its directory the caller's or root's.
 * `durable`: synchronous=FULL, else NORMAL. 0, or negative errno and `ret_why` with cause and next step.
 */
int store_open(const char *path, bool create, bool durable, struct store **ret, char ret_why[static STORE_WHY_MAX]);
void store_close(struct store *store);

/* The cause of the latest STORE_UNAVAILABLE, for the journal. */
const char *store_why(const struct store *store);

/*
 * What is read between these two is of one moment, that of the first read, and takes the locks of one read. It ends by itself
 * before anything is written. End it before waiting for anything: what is read afterwards has to be of then.
 */
void store_read_begin(struct store *store);
void store_read_end(struct store *store);

/* --- accounts, tokens, policies ------------------------------------------------------------------------------------ */

struct store_account {
        char name[STORE_NAME_MAX];
        int64_t created;
};

struct store_token {
        char id[STORE_TOKEN_ID_MAX];
        char account[STORE_NAME_MAX];
        uint8_t secret_hash[STORE_HASH_SIZE]; /* SHA-256 of the 43 characters of the secret */
        int64_t created, expires;
};

/* Of a policy, without its text. `version` is never used twice, by any policy: it names one text for ever. */
struct store_policy {
        char name[STORE_NAME_MAX];
        int64_t version;
        int64_t created, changed;
};

/* Lists: items in order of their names, after `after` (""), at most `max` of them. `ret_n` items in `ret`. */
enum store_result store_account_add(struct store *store, const char *name, int64_t now);
enum store_result store_account_get(struct store *store, const char *name, struct store_account *ret);
enum store_result store_account_list(struct store *store, const char *after, size_t max, struct store_account *ret,
                                     size_t *ret_n);
/* Its tokens, attachments, key pairs and sessions end with it. */
enum store_result store_account_delete(struct store *store, const char *name);

enum store_result store_token_add(struct store *store, const struct store_token *token);
/* Expired ones too: the caller compares, after the secret. */
enum store_result store_token_get(struct store *store, const char *id, struct store_token *ret);
/* Of one account, or of all where `account` is NULL. */
enum store_result store_token_list(struct store *store, const char *account, const char *after, size_t max,
                                   struct store_token *ret, size_t *ret_n);
enum store_result store_token_delete(struct store *store, const char *id);

/*
 * The text is the caller's concern. `expected`: 0 for any version or none, -1 for none, else that version. "Admin" is
 * never replaced: CONFLICT.
 */
enum store_result store_policy_put(struct store *store, const char *name, const char *text, size_t length,
                                   int64_t expected, int64_t now, struct store_policy *ret);
enum store_result store_policy_get(struct store *store, const char *name, struct store_policy *ret);
/* The text of a version, from malloc(), with a NUL that `ret_length` does not count. NOT_FOUND when it is there no more. */
enum store_result store_policy_text(struct store *store, int64_t version, char **ret, size_t *ret_length);
enum store_result store_policy_list(struct store *store, const char *after, size_t max, struct store_policy *ret,
                                    size_t *ret_n);
/* "Admin", which is there from the start, stays: CONFLICT. Attachments end with it. */
enum store_result store_policy_delete(struct store *store, const char *name, int64_t expected);

/* CREATED; OK where it is attached already; INVALID where account or policy does not exist. */
enum store_result store_attach(struct store *store, const char *account, const char *policy);
enum store_result store_detach(struct store *store, const char *account, const char *policy);
/* The policies of an account, from malloc(), all of them. */
enum store_result store_attached(struct store *store, const char *account, struct store_policy **ret, size_t *ret_n);

/* --- the register -------------------------------------------------------------------------------------------------- */

struct store_addresses {
        char public_ipv4[STORE_ADDRESS_MAX], private_ipv4[STORE_ADDRESS_MAX], ipv6[STORE_ADDRESS_MAX]; /* "": none */
        int64_t port;                                                                                  /* 0: none */
};

struct store_instance {
        char id[STORE_NAME_MAX];
        char name[STORE_TEXT_MAX]; /* "": none; no two instances have the same, and none has another's id */
        char host[STORE_TEXT_MAX];
        char default_user[STORE_TEXT_MAX]; /* "": none */
        struct store_addresses addresses;
        char keypair_account[STORE_NAME_MAX], keypair[STORE_NAME_MAX]; /* "": none */
        bool tunnel;                                                   /* a tunnel is the only way to its sshd */

        /* Reported by its own host. */
        char channel[STORE_NAME_MAX], state[STORE_NAME_MAX]; /* "": nothing reported */
        int64_t first_seen;                                  /* 0: never */

        int64_t version; /* of what a put writes */
        int64_t created;
};

/*
 * Writes all but what a host reports, which stays unless `host` changes. `expected` as of store_policy_put(). CONFLICT
 * also where the name is another's, or an id, or the id is another's name; INVALID where the key pair does not exist.
 */
enum store_result store_instance_put(struct store *store, const struct store_instance *instance, int64_t expected,
                                     int64_t now, int64_t *ret_version);
enum store_result store_instance_get(struct store *store, const char *id, struct store_instance *ret);
/* By name where `name` is not NULL. */
enum store_result store_instance_list(struct store *store, const char *name, const char *after, size_t max,
                                      struct store_instance *ret, size_t *ret_n);
/* Its id is never used again. */
enum store_result store_instance_delete(struct store *store, const char *id, int64_t expected);
/* What `host` reports. INVALID where the instance is not its own: nothing changes then. */
enum store_result store_instance_report(struct store *store, const char *id, const char *host, const char *channel,
                                        const char *state, int64_t first_seen);

/* "ssh-ed25519 AAAA…" each, without a comment. */
struct store_host_keys {
        size_t n;
        char line[STORE_HOST_KEYS_MAX][STORE_KEY_TEXT_MAX];
};

/*
 * Compares with the host keys that are kept, in one transaction. The first ones that a VM shows are kept. Where some of
 * the new ones are among those that are kept, they replace them. Else `ret_changed` is true and they wait, beside the
 * ones that are kept, for store_host_keys_accept(). `ret_changed` stays true for as long as none of the keys is accepted.
 * Where those that are kept are shown again, none wait any more. No keys at all change nothing.
 */
enum store_result store_host_keys_seen(struct store *store, const char *id, const struct store_host_keys *keys,
                                       bool *ret_changed);
/* Those that wait take the place of those that are kept. NOT_FOUND: none wait. */
enum store_result store_host_keys_accept(struct store *store, const char *id);
/* Those that are kept; with `waiting` those that wait. */
enum store_result store_host_keys_get(struct store *store, const char *id, bool waiting, struct store_host_keys *ret);

/* --- key pairs: the public halves ---------------------------------------------------------------------------------- */

struct store_keypair {
        char account[STORE_NAME_MAX], name[STORE_NAME_MAX];
        char type[32];
        char public_key[STORE_KEY_TEXT_MAX]; /* "type base64" */
        char fingerprint[STORE_FINGERPRINT_MAX];
        char fingerprint_md5[STORE_FINGERPRINT_MAX];
        int64_t created;
};

enum store_result store_keypair_add(struct store *store, const struct store_keypair *keypair);
enum store_result store_keypair_get(struct store *store, const char *account, const char *name,
                                    struct store_keypair *ret);
enum store_result store_keypair_list(struct store *store, const char *account, const char *after, size_t max,
                                     struct store_keypair *ret, size_t *ret_n);
/* What was deleted: which key, and the ids of the instances that named it, from malloc(). */
struct store_keypair_deleted {
        char fingerprint[STORE_FINGERPRINT_MAX];
        char (*instances)[STORE_NAME_MAX];
        size_t n_instances;
};

/*
 * Also out of the instances that name it, with a revocation of the key for each, as of store_revocation_add(), all in one
 * transaction: no pair is gone whose revocation is not recorded.
 */
enum store_result store_keypair_delete(struct store *store, const char *account, const char *name,
                                       const char *request_id, int64_t now, struct store_keypair_deleted *ret);

/* --- sessions ------------------------------------------------------------------------------------------------------- */

enum { STORE_SESSION_LIFE_S = 30 };

struct store_session {
        uint8_t hash[STORE_HASH_SIZE]; /* SHA-256 of "cs_…" */
        char account[STORE_NAME_MAX], token_id[STORE_TOKEN_ID_MAX], instance[STORE_NAME_MAX];
        char user[STORE_TEXT_MAX];
        char request_id[STORE_NAME_MAX];
        bool pushed; /* a key was pushed: nothing is left to redeem */
};

/* Good for STORE_SESSION_LIFE_S by the database's clock. Old ones are removed on the way. */
enum store_result store_session_add(struct store *store, const struct store_session *session);
/* Once, for the same account: one UPDATE. NOT_FOUND for unknown, redeemed, pushed, expired and another's. */
enum store_result store_session_redeem(struct store *store, const uint8_t hash[static STORE_HASH_SIZE],
                                       const char *account, struct store_session *ret);

/* --- revocations ---------------------------------------------------------------------------------------------------- */

struct store_revocation {
        const char *instance;
        const char *fingerprint, *user; /* one, or both NULL: all */
        const char *account, *request_id;
};

/* Recorded before it is sent. Kept for a day. INVALID: both fingerprint and user. */
enum store_result store_revocation_add(struct store *store, const struct store_revocation *revocation, int64_t now);
/* The number of the latest one: a connect takes it before it decides. */
enum store_result store_revocation_latest(struct store *store, int64_t *ret);
/* Whether one after `since` is about this key, this user (under either name; NULL: none) or all of the instance. */
enum store_result store_revocation_since(struct store *store, int64_t since, const char *instance,
                                         const char *fingerprint, const char *user, const char *asked_user,
                                         bool *ret_revoked);
/* Whether one of the instance was recorded after `time` (Unix seconds). */
enum store_result store_revocation_lately(struct store *store, const char *instance, int64_t time, bool *ret_revoked);

#endif
