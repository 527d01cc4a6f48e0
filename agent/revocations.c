/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/revocations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/freshness.h"
#include "agent/record_file.h"
#include "common/bytes.h"

enum {
        RECORD_SIZE = 512, /* bytes; the longest record has 336 */
        FILE_SIZE = (REVOCATIONS_MAX + 1) * RECORD_SIZE,
        /*
         * Every push from before the revocation has expired by then, however far the clocks of signer and guest differ.
         */
        REMEMBERED_S = REVOCATIONS_AHEAD_MAX_S + PAYLOAD_WINDOW_MAX_S + 2 * FRESHNESS_SKEW_S,
};

static const struct record_file file = {
        .name = "revocations",
        .magic = {'E', 'X', 'C', 'R', 'E', 'V', 'K', '2'},
        .record_size = RECORD_SIZE,
};

static void encode(const struct revocations_record *one, uint8_t dst[static RECORD_SIZE]) {
        struct writer to = {.data = dst, .size = RECORD_SIZE};

        memset(dst, 0, RECORD_SIZE);
        writer_u8(&to, one->used);
        writer_u8(&to, one->what.all);
        writer_u8(&to, one->synchronized);
        writer_u64(&to, (uint64_t)one->iat_s);
        writer_u64(&to, (uint64_t)one->received.boot_ns);
        writer_u64(&to, (uint64_t)one->received.wall_ns);
        writer_text(&to, one->what.user);
        writer_text(&to, one->what.fingerprint);
}

static bool decode_flag(struct bytes *from, bool *ret) {
        uint8_t raw;

        if (!bytes_u8(from, &raw) || raw > 1)
                return false;
        *ret = raw == 1;
        return true;
}

static bool decode_time(struct bytes *from, int64_t *ret) {
        uint64_t raw;

        if (!bytes_u64(from, &raw) || raw > INT64_MAX)
                return false;
        *ret = (int64_t)raw;
        return true;
}

static bool decode_text(struct bytes *from, char *dst, size_t size) {
        struct bytes text;

        return bytes_string(from, &text) && bytes_to_text(text, dst, size);
}

static bool decode(const uint8_t src[static RECORD_SIZE], struct revocations_record *ret) {
        struct bytes from = {src, RECORD_SIZE};

        return decode_flag(&from, &ret->used) && decode_flag(&from, &ret->what.all) &&
               decode_flag(&from, &ret->synchronized) && decode_time(&from, &ret->iat_s) &&
               decode_time(&from, &ret->received.boot_ns) && decode_time(&from, &ret->received.wall_ns) &&
               decode_text(&from, ret->what.user, sizeof(ret->what.user)) &&
               decode_text(&from, ret->what.fingerprint, sizeof(ret->what.fingerprint));
}

static int read_all(int fd, struct revocations_record *list) {
        uint8_t *raw = calloc(1, FILE_SIZE);
        ssize_t n;
        int r = 0;

        if (!raw)
                return -ENOMEM;
        n = pread(fd, raw, FILE_SIZE, 0);
        if (n != FILE_SIZE)
                r = n < 0 ? -errno : -EBADMSG;
        for (uint32_t i = 0; r >= 0 && i < REVOCATIONS_MAX; i++)
                if (!decode(raw + record_file_offset(&file, i), &list[i]))
                        r = -EBADMSG;
        free(raw);
        return r;
}

/* -ENOENT: the file is missing, or belongs to another memory of pushes. */
static int open_memory(int state_fd, int64_t birth_boot_ns, struct revocations *revocations) {
        uint64_t birth_ns;
        off_t size;

        revocations->fd = record_file_open(state_fd, &file, &birth_ns, &size);
        if (revocations->fd < 0)
                return revocations->fd;
        if (birth_ns != (uint64_t)birth_boot_ns)
                return -ENOENT;
        return size == FILE_SIZE ? read_all(revocations->fd, revocations->list) : -EBADMSG;
}

int revocations_open(int state_fd, int64_t birth_boot_ns, struct revocations *ret) {
        struct revocations revocations = REVOCATIONS_INIT;
        int r;

        revocations.list = calloc(REVOCATIONS_MAX, sizeof(*revocations.list));
        if (!revocations.list)
                return -ENOMEM;
        r = open_memory(state_fd, birth_boot_ns, &revocations);
        if (r == -ENOENT) {
                if (revocations.fd >= 0)
                        (void)close(revocations.fd);
                r = revocations.fd = record_file_make(state_fd, &file, (uint64_t)birth_boot_ns, REVOCATIONS_MAX);
        }
        if (r < 0) {
                revocations_close(&revocations);
                return r;
        }
        *ret = revocations;
        return 0;
}

void revocations_close(struct revocations *revocations) {
        if (revocations->fd >= 0)
                (void)close(revocations->fd);
        free(revocations->list);
        *revocations = (struct revocations)REVOCATIONS_INIT;
}

static int write_record(const struct revocations *revocations, size_t slot) {
        uint8_t raw[RECORD_SIZE];

        encode(&revocations->list[slot], raw);
        return record_file_write(revocations->fd, &file, (uint32_t)slot, raw);
}

/* Where the wall clock was not synchronized, the time of receipt follows from the boot clock and the wall clock now. */
static int64_t time_of(const struct revocations_record *one, const struct instant *now) {
        int64_t latest_ns, latest_s;

        if (one->synchronized)
                return one->received.wall_ns / NS_PER_S;
        /* A damaged file may hold any boot time. */
        if (__builtin_sub_overflow(now->wall_ns, now->boot_ns - one->received.boot_ns, &latest_ns))
                latest_ns = INT64_MAX;
        latest_s = latest_ns / NS_PER_S + REVOCATIONS_AHEAD_MAX_S;
        return one->iat_s < latest_s ? one->iat_s : latest_s;
}

/* Whether every push from before `one` has expired, by either clock. */
static bool too_old(const struct revocations_record *one, const struct instant *now) {
        return now->wall_ns / NS_PER_S - time_of(one, now) > PAYLOAD_WINDOW_MAX_S + FRESHNESS_SKEW_S &&
               now->boot_ns - one->received.boot_ns > REMEMBERED_S * NS_PER_S;
}

/* An old record stays in the file until it is overwritten: it is old also when it is read again. */
static size_t find_free(struct revocations *revocations, const struct instant *now) {
        for (size_t i = 0; i < REVOCATIONS_MAX; i++)
                if (!revocations->list[i].used || too_old(&revocations->list[i], now))
                        return i;
        return REVOCATIONS_MAX;
}

/* One revocation that matches all that each of them does. The records that stay in the file match nothing more. */
static void merge(struct revocations *revocations, const struct revocations_record *added, const struct instant *now) {
        struct revocations_record all = *added;

        all.what = (struct revocation){.all = true};
        all.iat_s = time_of(added, now);
        for (size_t i = 0; i < REVOCATIONS_MAX; i++) {
                const struct revocations_record *one = &revocations->list[i];
                int64_t time_s = time_of(one, now);

                if (time_s > all.iat_s)
                        all.iat_s = time_s;
                if (one->received.wall_ns > all.received.wall_ns)
                        all.received.wall_ns = one->received.wall_ns;
                all.synchronized = all.synchronized && one->synchronized;
                revocations->list[i].used = false;
        }
        revocations->list[0] = all;
}

int revocations_add(struct revocations *revocations, const struct revocation *what, int64_t iat_s,
                    const struct instant *received, bool synchronized) {
        struct revocations_record one = {
                .used = true, .what = *what, .iat_s = iat_s, .received = *received, .synchronized = synchronized};
        size_t slot = find_free(revocations, received);

        if (slot == REVOCATIONS_MAX) {
                merge(revocations, &one, received);
                slot = 0;
        } else {
                revocations->list[slot] = one;
        }
        return write_record(revocations, slot);
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

bool revocations_match(const struct revocations *revocations, const struct push *push, const char *user, int64_t iat_s,
                       const struct instant *now) {
        for (size_t i = 0; i < REVOCATIONS_MAX; i++) {
                const struct revocations_record *one = &revocations->list[i];

                if (one->used && iat_s <= time_of(one, now) && matches(&one->what, push, user))
                        return true;
        }
        return false;
}
