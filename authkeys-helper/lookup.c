/* SPDX-License-Identifier: Apache-2.0 */
#include "authkeys-helper/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/debug.h"

/* More than the agent lets a user have; the oldest beyond that are not considered. */
enum { CANDIDATES_MAX = 64 };

struct candidate {
        struct store_place place;
        struct grant grant;
};

/*
 * Each grant is read once, and what is printed is what was compared. Whether it still counts is decided after that, by
 * its claim file, which goes first when a grant ends.
 */
struct search {
        const struct arguments *asked;
        struct instant now;
        size_t n;
        struct candidate candidates[CANDIDATES_MAX];
        struct candidate *newest_first[CANDIDATES_MAX];
};

/*
 * Without the key itself the walk has gone by its fingerprint, and sshd compares what we print with what it was
 * offered.
 */
static bool matches(const struct search *search, const struct grant *grant) {
        const struct arguments *asked = search->asked;

        return strcmp(grant->user, asked->user) == 0 && lifetime_left_ns(&grant->life, &search->now) > 0 &&
               (!asked->has_key || (grant->key.blob_length == asked->key.blob_length &&
                                    memcmp(grant->key.blob, asked->key.blob, asked->key.blob_length) == 0));
}

static int collect(void *context, const struct store_place *place, const struct grant *grant) {
        struct search *search = context;
        struct candidate *candidate;
        size_t at = search->n;

        if (!matches(search, grant))
                return 0;
        while (at > 0 && search->newest_first[at - 1]->grant.life.received.boot_ns < grant->life.received.boot_ns)
                at--;
        if (at == CANDIDATES_MAX)
                return 0;
        /* Where there is no room, in that of the oldest. */
        candidate = search->n < CANDIDATES_MAX ? &search->candidates[search->n++]
                                               : search->newest_first[CANDIDATES_MAX - 1];
        memmove(search->newest_first + at + 1, search->newest_first + at,
                (search->n - 1 - at) * sizeof(search->newest_first[0]));
        search->newest_first[at] = candidate;
        candidate->place = *place;
        candidate->grant = *grant;
        return 0;
}

/* An enum claim_result. -ENOENT: the grant does not count. Other negative errno: its claim file cannot be used. */
static int claim(const struct store *store, const struct candidate *candidate, const struct connection_id *who,
                 enum claim_mode mode) {
        unsigned connections = candidate->grant.connections;
        int fd, r;

        fd = store_open_claim(store, &candidate->place, connections > 0 ? O_RDWR : O_RDONLY);
        if (fd < 0)
                return fd;
        /* A grant without slots serves any connection, but counts only with its claim file (common/store.h). */
        r = connections > 0 ? claim_slot(fd, connections, who, mode) : CLAIM_TAKEN;
        (void)close(fd);
        return r;
}

static int found(const struct candidate *candidate, int claimed, struct lookup *ret) {
        ret->grant = candidate->grant;
        ret->place = candidate->place;
        ret->first = claimed == CLAIM_TAKEN;
        return claimed == CLAIM_NONE ? LOOKUP_NO_SLOT : LOOKUP_FOUND;
}

/*
 * A slot that the connection holds already. The newest candidate is left to take_slot(), which finds it there as well.
 */
static bool find_slot(const struct search *search, const struct store *store, const struct connection_id *who,
                      struct lookup *ret) {
        for (size_t i = 1; i < search->n; i++) {
                const struct candidate *candidate = search->newest_first[i];

                /* A grant for any number of connections belongs to none of them. */
                if (candidate->grant.connections > 0 && claim(store, candidate, who, CLAIM_FIND) == CLAIM_HELD) {
                        (void)found(candidate, CLAIM_HELD, ret);
                        return true;
                }
        }
        return false;
}

static int take_slot(const struct search *search, const struct store *store, const struct connection_id *who,
                     struct lookup *ret) {
        int result = LOOKUP_NOTHING;

        for (size_t i = 0; i < search->n; i++) {
                const struct candidate *candidate = search->newest_first[i];
                int r = claim(store, candidate, who, CLAIM_TAKE);

                if (r > CLAIM_NONE)
                        return found(candidate, r, ret);
                if (r == CLAIM_NONE && result != LOOKUP_NO_SLOT)
                        result = found(candidate, r, ret);
                else if (r < 0 && r != -ENOENT && result == LOOKUP_NOTHING)
                        result = r;
        }
        return result;
}

int lookup_key(const struct store *store, const struct arguments *asked, const struct connection_id *who,
               struct lookup *ret) {
        /* 300 kB, of which as much is touched as there are candidates: usually one. */
        static struct search search;
        char user[STORE_USER_NAME_MAX], fingerprint[STORE_FINGERPRINT_NAME_MAX];
        bool named;
        int r;

        search.asked = asked;
        search.now = instant_now();
        search.n = 0;
        if (asked->foreign_key || !store_user_name(asked->user, user))
                return LOOKUP_NOTHING;
        /*
         * sshd writes %f by its FingerprintHash. Where that is not SHA256, the key itself is compared in every
         * directory.
         */
        named = store_fingerprint_name(asked->fingerprint, fingerprint);
        if (!named && !asked->has_key)
                return LOOKUP_NOTHING;
        r = store_read_each(store, user, named ? fingerprint : NULL, collect, &search);
        if (r < 0)
                return r;
        debug_line("lookup: %zu live grants of %s match the key", search.n, asked->user);
        return find_slot(&search, store, who, ret) ? LOOKUP_FOUND : take_slot(&search, store, who, ret);
}

struct listing {
        const struct store *store;
        const char *user;
        bool expiry_time;
        struct instant now;
        FILE *to;
};

static int list_one(void *context, const struct store_place *place, const struct grant *grant) {
        const struct listing *listing = context;
        char line[LOOKUP_LINE_MAX];
        int claim_fd;

        if (strcmp(grant->user, listing->user) != 0)
                return 0;
        claim_fd = store_open_claim(listing->store, place, O_RDONLY);
        if (claim_fd < 0)
                return 0;
        (void)close(claim_fd);
        if (lookup_line(grant, &listing->now, listing->expiry_time, line) > 0)
                (void)fputs(line, listing->to);
        return 0;
}

int lookup_list(const struct store *store, const char *user, bool expiry_time, FILE *to) {
        struct listing listing = {store, user, expiry_time, instant_now(), to};
        char name[STORE_USER_NAME_MAX];

        return store_user_name(user, name) ? store_read_each(store, name, NULL, list_one, &listing) : 0;
}

static size_t append(char *line, size_t used, const char *text) {
        size_t n = strlen(text);

        if (used >= LOOKUP_LINE_MAX || n >= LOOKUP_LINE_MAX - used)
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

/* "YYYYMMDDHHMMSSZ" of a second from 1970 on, without gmtime_r(3), which reads the machine's time zone. */
static bool utc_text(int64_t second, char ret[static 16]) {
        static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        int64_t day = second / 86400, rest = second % 86400;
        int year = 1970, month = 0, leap;

        if (second < 0)
                return false;
        for (;; year++) {
                leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
                if (day < 365 + leap)
                        break;
                day -= 365 + leap;
        }
        for (; day >= month_days[month] + (month == 1 ? leap : 0); month++)
                day -= month_days[month] + (month == 1 ? leap : 0);
        return snprintf(ret, 16, "%04d%02d%02d%02d%02d%02dZ", year, month + 1, (int)day + 1, (int)(rest / 3600),
                        (int)(rest / 60 % 60), (int)(rest % 60)) == 15;
}

/*
 * sshd accepts a key to the end of the second that is named (auth_authorise_keyopts() in its auth.c), so this can be up
 * to a second late. It backs up lifetime_left_ns(), which is exact to the nanosecond.
 */
static size_t append_expiry(int64_t wall_ns, int64_t left_ns, char *line, size_t used) {
        int64_t end_ns;
        char text[16];

        /* The numbers come from a file. The agent does not write an end that no clock can show. */
        if (__builtin_add_overflow(wall_ns, left_ns, &end_ns) || !utc_text(end_ns / NS_PER_S, text))
                return LOOKUP_LINE_MAX;
        used = append(line, used, "expiry-time=\"");
        used = append(line, used, text);
        return append(line, used, "\",");
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
                ret[used - 1] = ' '; /* instead of the last comma */
        ssh_key_to_text(&grant->key, key);
        used = append(ret, used, key);
        used = append(ret, used, "\n");
        return used < LOOKUP_LINE_MAX ? used : 0;
}
