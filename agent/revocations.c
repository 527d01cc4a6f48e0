/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/revocations.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/freshness.h"
#include "common/bytes.h"

#define FILE_NAME "revocations"
#define NEW_FILE_NAME "revocations.new"

enum {
        RECORD_MAX = 512, /* bytes; flag, user, fingerprint, two numbers */
        FILE_MAX = REVOCATIONS_MAX * RECORD_MAX,
};

static void encode(const struct remembered *one, struct writer *to) {
        writer_u8(to, one->what.all);
        writer_text(to, one->what.user);
        writer_text(to, one->what.fingerprint);
        writer_u64(to, (uint64_t)one->iat_s);
        writer_u64(to, (uint64_t)one->forget_boot_ns);
}

static bool decode(struct bytes *from, struct remembered *ret) {
        struct bytes user, fingerprint;
        uint64_t iat_s, forget_boot_ns;
        uint8_t all;

        if (!bytes_u8(from, &all) || all > 1 || !bytes_string(from, &user) ||
            !bytes_to_text(user, ret->what.user, sizeof(ret->what.user)) || !bytes_string(from, &fingerprint) ||
            !bytes_to_text(fingerprint, ret->what.fingerprint, sizeof(ret->what.fingerprint)) ||
            !bytes_u64(from, &iat_s) || iat_s > INT64_MAX || !bytes_u64(from, &forget_boot_ns) ||
            forget_boot_ns > INT64_MAX)
                return false;
        ret->what.all = all == 1;
        ret->iat_s = (int64_t)iat_s;
        ret->forget_boot_ns = (int64_t)forget_boot_ns;
        return true;
}

static int decode_all(const uint8_t *raw, size_t length, struct revocations *revocations) {
        struct bytes from = {raw, length};

        while (from.left > 0) {
                if (revocations->n == REVOCATIONS_MAX || !decode(&from, &revocations->list[revocations->n]))
                        return -EBADMSG;
                revocations->n++;
        }
        return 0;
}

static int read_all(int state_fd, struct revocations *revocations) {
        uint8_t *raw = malloc(FILE_MAX);
        ssize_t n = 0;
        int fd, r = raw ? 0 : -ENOMEM;

        fd = openat(state_fd, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (r >= 0 && fd >= 0) {
                n = read(fd, raw, FILE_MAX);
                r = n < 0 ? -errno : decode_all(raw, (size_t)n, revocations);
        } else if (r >= 0 && errno != ENOENT) {
                r = -errno;
        }
        if (fd >= 0)
                (void)close(fd);
        free(raw);
        return r;
}

int revocations_open(int state_fd, struct revocations *ret) {
        struct revocations revocations = {.state_fd = state_fd};
        int r;

        revocations.list = calloc(REVOCATIONS_MAX, sizeof(*revocations.list));
        if (!revocations.list)
                return -ENOMEM;
        r = read_all(state_fd, &revocations);
        if (r < 0) {
                revocations_close(&revocations);
                return r;
        }
        *ret = revocations;
        return 0;
}

void revocations_close(struct revocations *revocations) {
        free(revocations->list);
        *revocations = (struct revocations){.n = 0};
}

/* The new file is there whole before it takes the old one's place. */
static int write_all(const struct revocations *revocations) {
        uint8_t *raw = malloc(FILE_MAX);
        struct writer to = {.data = raw, .size = FILE_MAX};
        ssize_t n;
        int fd, r = 0;

        if (!raw)
                return -ENOMEM;
        for (size_t i = 0; i < revocations->n; i++)
                encode(&revocations->list[i], &to);
        fd = openat(revocations->state_fd, NEW_FILE_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0) {
                r = -errno;
        } else {
                n = write(fd, raw, to.used);
                if (n < 0)
                        r = -errno;
                else if ((size_t)n != to.used)
                        r = -ENOSPC;
                (void)close(fd);
        }
        if (r >= 0 && renameat(revocations->state_fd, NEW_FILE_NAME, revocations->state_fd, FILE_NAME) < 0)
                r = -errno;
        free(raw);
        return r;
}

/* A push from before `one` would be refused as Expired by now, whichever of the two clocks one goes by. */
static bool too_old(const struct remembered *one, const struct instant *now) {
        return now->wall_ns / NS_PER_S - one->iat_s > PAYLOAD_WINDOW_MAX_S + FRESHNESS_SKEW_S &&
               now->boot_ns > one->forget_boot_ns;
}

static void forget(struct revocations *revocations, const struct instant *now) {
        size_t kept = 0;

        for (size_t i = 0; i < revocations->n; i++)
                if (!too_old(&revocations->list[i], now))
                        revocations->list[kept++] = revocations->list[i];
        revocations->n = kept;
}

static void merge(struct revocations *revocations) {
        struct remembered all = {.what.all = true};

        for (size_t i = 0; i < revocations->n; i++) {
                const struct remembered *one = &revocations->list[i];

                if (one->iat_s > all.iat_s)
                        all.iat_s = one->iat_s;
                if (one->forget_boot_ns > all.forget_boot_ns)
                        all.forget_boot_ns = one->forget_boot_ns;
        }
        revocations->list[0] = all;
        revocations->n = 1;
}

int revocations_add(struct revocations *revocations, const struct revocation *what, int64_t iat_s,
                    const struct instant *now) {
        forget(revocations, now);
        if (revocations->n == REVOCATIONS_MAX)
                merge(revocations);
        revocations->list[revocations->n++] = (struct remembered){
                .what = *what,
                .iat_s = iat_s,
                .forget_boot_ns = now->boot_ns + (PAYLOAD_WINDOW_MAX_S + 2 * FRESHNESS_SKEW_S) * NS_PER_S,
        };
        return write_all(revocations);
}

static bool matches(const struct revocation *what, const struct push *push, const char *user) {
        if (what->all)
                return true;
        if (what->user[0] != '\0')
                return strcmp(what->user, push->user) == 0 || strcmp(what->user, user) == 0;
        for (size_t i = 0; i < push->n_keys; i++)
                if (strcmp(what->fingerprint, push->keys[i].fingerprint) == 0)
                        return true;
        return false;
}

bool revocations_match(const struct revocations *revocations, const struct push *push, const char *user,
                       int64_t iat_s) {
        for (size_t i = 0; i < revocations->n; i++)
                if (iat_s <= revocations->list[i].iat_s && matches(&revocations->list[i].what, push, user))
                        return true;
        return false;
}
