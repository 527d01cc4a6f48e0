/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of lookups share: a store with its two sides, and a lookup with the helper's rights. */
#ifndef EXC_LOOKUP_FIXTURE_H
#define EXC_LOOKUP_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "authkeys-helper/lookup.h"
#include "tests/unit/scratch.h"

#define MD5 "MD5:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff"
#define KEY_TEXT "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB\n"

static char root[64];
static struct store agent = STORE_INIT, helper = STORE_INIT;
static const struct connection_id first = {100, 1}, second = {101, 1}, third = {102, 1};

/* The result of the last lookup. */
static struct answer {
        int result;
        struct lookup found;
} *answer;

static inline int set_up(void **state) {
        char why[256];

        (void)state;
        scratch_mount_store("mode=0755,size=4m", root);
        scratch_become(SCRATCH_AGENT);
        if (store_open(root, STORE_AGENT, &agent, why) < 0)
                return -1;
        scratch_become(SCRATCH_HELPER);
        if (store_open(root, STORE_HELPER, &helper, why) < 0)
                return -1;
        scratch_become(0);
        return 0;
}

static inline int tear_down(void **state) {
        (void)state;
        scratch_become(0);
        store_close(&agent);
        store_close(&helper);
        scratch_unmount_store(root);
        return 0;
}

static inline void publish_as(const struct grant *grant, char id, char fingerprint) {
        struct store_key key = scratch_store_key(fingerprint);
        char name[STORE_ID_MAX];

        scratch_id(id, name);
        scratch_become(SCRATCH_AGENT);
        assert_int_equal(store_publish(&agent, name, grant, &key, 1), 0);
        scratch_become(0);
}

/* Received `age_s` seconds ago. */
static inline void publish(const char *user, char id, char fingerprint, uint8_t connections, int64_t age_s) {
        struct grant grant = scratch_grant(user, connections, age_s);

        publish_as(&grant, id, fingerprint);
}

/* What sshd asks about the key of that fingerprint. */
static inline struct arguments asks(const char *user, char fingerprint) {
        static char text[STORE_FINGERPRINT_NAME_MAX + 7];
        char name[STORE_FINGERPRINT_NAME_MAX];

        scratch_fingerprint(fingerprint, name);
        store_fingerprint_text(name, text);
        return (struct arguments){
                .user = user, .fingerprint = text, .has_key = true, .key = scratch_key((uint8_t)fingerprint)};
}

static inline int look_up(const struct arguments *asked, const struct connection_id *who) {
        memset(answer, 0xa5, sizeof(*answer));
        scratch_become(SCRATCH_HELPER);
        answer->result = lookup_key(&helper, asked, who, &answer->found);
        scratch_become(0);
        return answer->result;
}

static inline int find(const char *user, char fingerprint, const struct connection_id *who) {
        struct arguments asked = asks(user, fingerprint);

        return look_up(&asked, who);
}

static inline void assert_found(char id, bool taken_now) {
        assert_int_equal(answer->result, LOOKUP_FOUND);
        assert_int_equal(answer->found.place.id[0], id);
        assert_int_equal(answer->found.first, taken_now);
}

static inline const char *key_path(const char *user, char fingerprint, char id) {
        static char path[256];
        char fingerprint_name[STORE_FINGERPRINT_NAME_MAX], id_name[STORE_ID_MAX];

        scratch_fingerprint(fingerprint, fingerprint_name);
        scratch_id(id, id_name);
        (void)snprintf(path, sizeof(path), "%s/keys/%s/%s/%s", root, user, fingerprint_name, id_name);
        return path;
}

static inline const char *claim_path(const char *user, char id) {
        static char path[256];
        char id_name[STORE_ID_MAX];

        scratch_id(id, id_name);
        (void)snprintf(path, sizeof(path), "%s/claims/%s/%s", root, user, id_name);
        return path;
}

#define LOOKUP_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* What each main() does first. */
static inline void set_up_lookup(void) {
        answer = mmap(NULL, sizeof(*answer), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (answer == MAP_FAILED)
                abort();
        scratch_mount_namespace();
}

#endif
