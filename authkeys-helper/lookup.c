/* SPDX-License-Identifier: Apache-2.0 */
#include "authkeys-helper/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* More than the agent lets a user have; what lies beyond is not looked at. */
enum { CANDIDATES_MAX = 64 };

struct candidate {
        struct store_place place;
        int64_t received_ns; /* boot clock */
};

struct search {
        const struct store *store;
        const struct arguments *asked;
        struct instant now;
        size_t n;
        struct candidate candidates[CANDIDATES_MAX]; /* newest first */
};

/* Without the key itself the walk has gone by its fingerprint, and sshd compares what we print with what it was offered. */
static bool matches(const struct search *search, const struct grant *grant) {
        const struct arguments *asked = search->asked;

        return strcmp(grant->user, asked->user) == 0 && lifetime_left_ns(&grant->life, &search->now) > 0 &&
               (!asked->has_key || (grant->key.blob_length == asked->key.blob_length &&
                                    memcmp(grant->key.blob, asked->key.blob, asked->key.blob_length) == 0));
}

static int collect(void *context, const struct store_place *place) {
        struct search *search = context;
        struct grant grant;
        size_t at;

        if (store_read(search->store, place, &grant) < 0 || !matches(search, &grant))
                return 0;
        for (at = search->n; at > 0 && search->candidates[at - 1].received_ns < grant.life.received.boot_ns; at--)
                if (at < CANDIDATES_MAX)
                        search->candidates[at] = search->candidates[at - 1];
        if (at == CANDIDATES_MAX)
                return 0;
        search->candidates[at] = (struct candidate){*place, grant.life.received.boot_ns};
        if (search->n < CANDIDATES_MAX)
                search->n++;
        return 0;
}

/* 1: the connection has a place. 0: others have them all. Negative errno: it cannot be had; -ENOENT: the grant does not count. */
static int place_in(const struct store *store, const struct store_place *place, const struct grant *grant,
                    const struct connection_id *who, enum claim_mode mode) {
        int fd, r;

        fd = store_open_claim(store, place, grant->connections > 0 ? O_RDWR : O_RDONLY);
        if (fd < 0)
                return fd;
        /* A grant without slots serves any connection. It counts all the same only with its claim file (common/store.h). */
        r = grant->connections > 0 ? claim_place(fd, grant->connections, who, mode) : 1;
        (void)close(fd);
        return r;
}

/*
 * Goes through the candidates for a place. Each is read and compared once more: what was collected may be gone. What is
 * written for LOOKUP_NO_PLACE is the newest of which others have all places. Negative errno: one could not be used, and
 * nothing else was there.
 */
static int pass(const struct search *search, const struct connection_id *who, enum claim_mode mode, struct grant *ret,
                struct store_place *ret_place) {
        int result = LOOKUP_NOTHING;

        for (size_t i = 0; i < search->n; i++) {
                const struct store_place *place = &search->candidates[i].place;
                struct grant grant;
                int r;

                /* A grant of any number of connections is nobody's: it waits for the second pass. */
                if (store_read(search->store, place, &grant) < 0 || !matches(search, &grant) ||
                    (mode == CLAIM_FIND && grant.connections == 0))
                        continue;
                r = place_in(search->store, place, &grant, who, mode);
                if (r > 0 || (r == 0 && result != LOOKUP_NO_PLACE)) {
                        *ret = grant;
                        *ret_place = *place;
                        result = r > 0 ? LOOKUP_FOUND : LOOKUP_NO_PLACE;
                } else if (r < 0 && r != -ENOENT && result == LOOKUP_NOTHING) {
                        result = r;
                }
                if (result == LOOKUP_FOUND)
                        break;
        }
        return result;
}

int lookup_key(const struct store *store, const struct arguments *asked, const struct connection_id *who,
               struct grant *ret, struct store_place *ret_place, bool *ret_first) {
        struct search search = {.store = store, .asked = asked, .now = instant_now()};
        char user[STORE_USER_NAME_MAX], fingerprint[STORE_FINGERPRINT_NAME_MAX];
        bool named;
        int r;

        if (asked->foreign_key || !store_user_name(asked->user, user))
                return LOOKUP_NOTHING;
        /* sshd writes %f by its FingerprintHash. Where that is not SHA256 the key itself must tell, in every folder. */
        named = store_fingerprint_name(asked->fingerprint, fingerprint);
        if (!named && !asked->has_key)
                return LOOKUP_NOTHING;
        r = store_walk(store, user, named ? fingerprint : NULL, collect, &search);
        if (r < 0)
                return r;
        *ret_first = false;
        r = pass(&search, who, CLAIM_FIND, ret, ret_place);
        if (r == LOOKUP_FOUND)
                return r;
        *ret_first = true;
        return pass(&search, who, CLAIM_TAKE, ret, ret_place);
}

struct listing {
        const struct store *store;
        const char *user;
        bool expiry_time;
        struct instant now;
        FILE *to;
};

static int list_one(void *context, const struct store_place *place) {
        const struct listing *listing = context;
        char line[LOOKUP_LINE_MAX];
        struct grant grant;
        int claim_fd;

        if (store_read(listing->store, place, &grant) < 0 || strcmp(grant.user, listing->user) != 0)
                return 0;
        claim_fd = store_open_claim(listing->store, place, O_RDONLY);
        if (claim_fd < 0)
                return 0;
        (void)close(claim_fd);
        if (lookup_line(&grant, &listing->now, listing->expiry_time, line) > 0)
                (void)fputs(line, listing->to);
        return 0;
}

int lookup_list(const struct store *store, const char *user, bool expiry_time, FILE *to) {
        struct listing listing = {store, user, expiry_time, instant_now(), to};
        char name[STORE_USER_NAME_MAX];

        return store_user_name(user, name) ? store_walk(store, name, NULL, list_one, &listing) : 0;
}

static size_t append(char *line, size_t used, const char *text) {
        size_t n = strlen(text);

        if (used + n >= LOOKUP_LINE_MAX)
                return LOOKUP_LINE_MAX;
        memcpy(line + used, text, n + 1);
        return used + n;
}

static size_t append_source(const struct grant *grant, char *line, size_t used) {
        for (size_t i = 0; i < grant->n_sources; i++) {
                char text[SOURCE_TEXT_MAX];

                source_to_text(&grant->sources[i], text);
                used = append(line, used, i == 0 ? "from=\"" : ",");
                used = append(line, used, text);
        }
        return append(line, used, grant->n_sources > 0 ? "\"," : "");
}

/*
 * sshd takes a key to the end of the second that is named (auth_authorise_keyopts() in its auth.c), so this can be up to a
 * second late. It is the second lock on the door: the first is lifetime_left_ns(), to the nanosecond.
 */
static size_t append_expiry(int64_t wall_ns, int64_t left_ns, char *line, size_t used) {
        int64_t end_ns;
        char text[64];
        time_t second;
        struct tm utc;

        /* The numbers come from a file: an end that no clock can show is not of our making. */
        if (__builtin_add_overflow(wall_ns, left_ns, &end_ns))
                return LOOKUP_LINE_MAX;
        second = (time_t)(end_ns / NS_PER_S);
        if (!gmtime_r(&second, &utc) || strftime(text, sizeof(text), "expiry-time=\"%Y%m%d%H%M%SZ\",", &utc) == 0)
                return LOOKUP_LINE_MAX;
        return append(line, used, text);
}

size_t lookup_line(const struct grant *grant, const struct instant *now, bool expiry_time,
                   char ret[static LOOKUP_LINE_MAX]) {
        int64_t left = lifetime_left_ns(&grant->life, now);
        char key[SSH_KEY_TEXT_MAX];
        size_t used = 0;

        ret[0] = '\0';
        if (left == 0)
                return 0;
        used = append(ret, used, grant->restricted ? "restrict,pty," : "");
        used = append_source(grant, ret, used);
        if (expiry_time)
                used = append_expiry(now->wall_ns, left, ret, used);
        if (used >= LOOKUP_LINE_MAX)
                return 0;
        if (used > 0)
                ret[used - 1] = ' '; /* over the last comma */
        ssh_key_to_text(&grant->key, key);
        used = append(ret, used, key);
        used = append(ret, used, "\n");
        return used < LOOKUP_LINE_MAX ? used : 0;
}
