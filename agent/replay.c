/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/record_file.h"
#include "common/bytes.h"

enum {
        RECORD_SIZE = 128, /* bytes */
        SLOTS_MIN = 256,
        READ_AHEAD = 256, /* records per read */
};

static const struct record_file file = {
        .name = "pushes",
        .magic = {'E', 'X', 'C', 'P', 'U', 'S', 'H', '2'},
        .record_size = RECORD_SIZE,
};

static void encode(const struct replay_record *record, uint8_t dst[static RECORD_SIZE]) {
        struct writer to = {.data = dst, .size = RECORD_SIZE};

        memset(dst, 0, RECORD_SIZE);
        writer_u8(&to, (uint8_t)record->state);
        writer_put(&to, record->jti, sizeof(record->jti));
        writer_put(&to, record->pae, sizeof(record->pae));
        writer_u64(&to, (uint64_t)record->life.received.boot_ns);
        writer_u64(&to, (uint64_t)record->life.received.wall_ns);
        writer_u64(&to, (uint64_t)record->life.boot_end_ns);
        writer_u64(&to, (uint64_t)record->life.wall_end_ns);
        writer_u8(&to, record->life.synchronized);
        writer_u64(&to, (uint64_t)record->forget_wall_ns);
        writer_u64(&to, (uint64_t)record->forget_boot_ns);
}

static void decode(const uint8_t src[static RECORD_SIZE], struct replay_record *ret) {
        struct bytes from = {src, RECORD_SIZE};
        int64_t *const numbers[] = {
                &ret->life.received.boot_ns,
                &ret->life.received.wall_ns,
                &ret->life.boot_end_ns,
                &ret->life.wall_end_ns,
        };
        uint8_t state, synchronized;
        uint64_t number;

        /* All of them fit into RECORD_SIZE, so none can fail. */
        (void)bytes_u8(&from, &state);
        (void)bytes_take(&from, ret->jti, sizeof(ret->jti));
        (void)bytes_take(&from, ret->pae, sizeof(ret->pae));
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
                (void)bytes_u64(&from, &number);
                *numbers[i] = (int64_t)number;
        }
        (void)bytes_u8(&from, &synchronized);
        (void)bytes_u64(&from, &number);
        ret->forget_wall_ns = (int64_t)number;
        (void)bytes_u64(&from, &number);
        ret->forget_boot_ns = (int64_t)number;
        ret->life.synchronized = synchronized == 1;
        ret->state = state == REPLAY_FREE || state == REPLAY_PENDING ? (enum replay_state)state : REPLAY_DONE;
}

static bool is_revocation(const struct replay_record *record) {
        return record->life.boot_end_ns == 0;
}

static int read_record(const struct replay *replay, uint32_t slot, struct replay_record *ret) {
        uint8_t raw[RECORD_SIZE];
        ssize_t n = pread(replay->fd, raw, sizeof(raw), record_file_offset(&file, slot));

        if (n < 0)
                return -errno;
        if (n != (ssize_t)sizeof(raw))
                return -EIO;
        decode(raw, ret);
        return 0;
}

static int write_record(const struct replay *replay, uint32_t slot, const struct replay_record *record) {
        uint8_t raw[RECORD_SIZE];

        encode(record, raw);
        return record_file_write(replay->fd, &file, slot, raw);
}

/* `jti` is a SHA-256, of which any part is a hash. */
static uint32_t position(const struct replay *replay, const uint8_t jti[static REPLAY_HASH_SIZE]) {
        uint32_t hash;

        memcpy(&hash, jti, sizeof(hash));
        return hash & (replay->index_size - 1);
}

static void index_put(struct replay *replay, const uint8_t jti[static REPLAY_HASH_SIZE], uint32_t slot) {
        uint32_t at = position(replay, jti);

        while (replay->index[at] != 0)
                at = (at + 1) & (replay->index_size - 1);
        replay->index[at] = slot + 1;
        replay->index_used++;
}

typedef int (*each_record)(struct replay *replay, void *context, uint32_t slot, const struct replay_record *record);

static int walk(struct replay *replay, each_record each, void *context) {
        uint8_t raw[READ_AHEAD * RECORD_SIZE];

        for (uint32_t slot = 0; slot < replay->n_slots;) {
                ssize_t n = pread(replay->fd, raw, sizeof(raw), record_file_offset(&file, slot));

                if (n < RECORD_SIZE)
                        return n < 0 ? -errno : -EIO;
                for (ssize_t at = 0; at + RECORD_SIZE <= n && slot < replay->n_slots; at += RECORD_SIZE, slot++) {
                        struct replay_record record;
                        int r;

                        decode(raw + at, &record);
                        r = each(replay, context, slot, &record);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

static int index_one(struct replay *replay, void *context, uint32_t slot, const struct replay_record *record) {
        (void)context;
        if (record->state == REPLAY_FREE)
                replay->n_free++;
        else
                index_put(replay, record->jti, slot);
        return 0;
}

/*
 * Rebuilds the index, with four entries for each slot: it is rebuilt before half of them are used. On failure the old
 * one stays, since an incomplete one would not find what is remembered.
 */
static int make_index(struct replay *replay, uint32_t n_slots) {
        struct replay made = {.fd = replay->fd,
                              .birth_boot_ns = replay->birth_boot_ns,
                              .n_slots = n_slots,
                              .next = replay->next,
                              .index_size = n_slots * 4};
        int r;

        made.index = calloc(made.index_size, sizeof(*made.index));
        if (!made.index)
                return -ENOMEM;
        r = walk(&made, index_one, NULL);
        if (r < 0) {
                free(made.index);
                return r;
        }
        free(replay->index);
        *replay = made;
        return 0;
}

/* Zeros are free records. Their space is allocated now, so that no write into a slot can fail for lack of it. */
static int set_slots(struct replay *replay, uint32_t n_slots) {
        if (fallocate(replay->fd, 0, 0, record_file_offset(&file, n_slots)) < 0)
                return -errno;
        return make_index(replay, n_slots);
}

static uint32_t slots_for(off_t size) {
        uint32_t n_slots = SLOTS_MIN;

        while (n_slots < REPLAY_MAX && record_file_offset(&file, n_slots) < size)
                n_slots *= 2;
        return n_slots;
}

static int open_memory(int state_fd, int64_t boot_ns, struct replay *replay) {
        uint64_t birth_ns;
        off_t size;

        replay->fd = record_file_open(state_fd, &file, &birth_ns, &size);
        if (replay->fd < 0)
                return replay->fd;
        if (birth_ns > (uint64_t)boot_ns || size != record_file_offset(&file, slots_for(size)))
                return -EBADMSG;
        replay->birth_boot_ns = (int64_t)birth_ns;
        return set_slots(replay, slots_for(size));
}

static int make_memory(int state_fd, int64_t boot_ns, struct replay *replay) {
        replay->fd = record_file_make(state_fd, &file, (uint64_t)boot_ns, SLOTS_MIN);
        if (replay->fd < 0)
                return replay->fd;
        replay->birth_boot_ns = boot_ns;
        return set_slots(replay, SLOTS_MIN);
}

int replay_open(int state_fd, int64_t boot_ns, struct replay *ret) {
        struct replay replay = REPLAY_INIT;
        int r;

        r = open_memory(state_fd, boot_ns, &replay);
        if (r == -ENOENT)
                r = make_memory(state_fd, boot_ns, &replay);
        if (r < 0) {
                replay_close(&replay);
                return r;
        }
        *ret = replay;
        return 0;
}

void replay_close(struct replay *replay) {
        if (replay->fd >= 0)
                (void)close(replay->fd);
        free(replay->index);
        *replay = (struct replay)REPLAY_INIT;
}

int replay_find(const struct replay *replay, const uint8_t jti[static REPLAY_HASH_SIZE], struct replay_record *ret,
                uint32_t *ret_slot) {
        for (uint32_t at = position(replay, jti); replay->index[at] != 0; at = (at + 1) & (replay->index_size - 1)) {
                uint32_t slot = replay->index[at] - 1;
                struct replay_record record;
                int r;

                r = read_record(replay, slot, &record);
                if (r < 0)
                        return r;
                if (record.state != REPLAY_FREE && memcmp(record.jti, jti, sizeof(record.jti)) == 0) {
                        *ret = record;
                        *ret_slot = slot;
                        return 0;
                }
        }
        return -ENOENT;
}

static int forget_one(struct replay *replay, void *context, uint32_t slot, const struct replay_record *record) {
        static const struct replay_record nothing = {.state = REPLAY_FREE};
        const struct instant *now = context;

        if (record->state == REPLAY_FREE || now->wall_ns <= record->forget_wall_ns ||
            now->boot_ns <= record->forget_boot_ns)
                return 0;
        return write_record(replay, slot, &nothing);
}

/* Slots that this record may not take. */
static uint32_t reserved_for(const struct replay_record *record) {
        return is_revocation(record) ? 0 : REPLAY_RESERVED;
}

static int make_room(struct replay *replay, uint32_t reserved, const struct instant *now) {
        struct instant copy = *now;
        int r;

        r = walk(replay, forget_one, &copy);
        if (r >= 0)
                r = make_index(replay, replay->n_slots);
        if (r < 0)
                return r;
        /* With few free slots this walk would soon be repeated. If the file cannot grow, the free slots are used. */
        if (replay->n_free < replay->n_slots / 4 + reserved && replay->n_slots < REPLAY_MAX)
                r = set_slots(replay, replay->n_slots * 2);
        return replay->n_free > reserved ? 0 : r < 0 ? r : -ENOSPC;
}

static int find_free(struct replay *replay, uint32_t *ret_slot) {
        for (uint32_t tried = 0; tried < replay->n_slots; tried++) {
                struct replay_record record;
                uint32_t slot = replay->next;
                int r;

                replay->next = (replay->next + 1) & (replay->n_slots - 1);
                r = read_record(replay, slot, &record);
                if (r < 0)
                        return r;
                if (record.state == REPLAY_FREE) {
                        *ret_slot = slot;
                        return 0;
                }
        }
        return -ENOSPC;
}

int replay_add(struct replay *replay, const struct replay_record *record, const struct instant *now,
               uint32_t *ret_slot) {
        uint32_t slot = 0, reserved = reserved_for(record);
        int r = 0;

        if (replay->n_free <= reserved)
                r = make_room(replay, reserved, now);
        if (r >= 0 && replay->index_used >= replay->index_size / 2)
                r = make_index(replay, replay->n_slots);
        if (r >= 0)
                r = find_free(replay, &slot);
        if (r >= 0)
                r = write_record(replay, slot, record);
        if (r < 0)
                return r;
        replay->n_free--;
        index_put(replay, record->jti, slot);
        *ret_slot = slot;
        return 0;
}

static int set_state(const struct replay *replay, uint32_t slot, enum replay_state state) {
        uint8_t raw = (uint8_t)state;
        ssize_t n = pwrite(replay->fd, &raw, 1, record_file_offset(&file, slot));

        return n < 0 ? -errno : n == 1 ? 0 : -EIO;
}

int replay_set_done(struct replay *replay, uint32_t slot) {
        return set_state(replay, slot, REPLAY_DONE);
}

int replay_drop(struct replay *replay, uint32_t slot) {
        int r = set_state(replay, slot, REPLAY_FREE);

        if (r < 0)
                return r;
        /* Its index entry stays until the index is rebuilt; replay_find() skips it. */
        replay->n_free++;
        replay->next = slot;
        return 0;
}

static int void_one(struct replay *replay, void *context, uint32_t slot, const struct replay_record *record) {
        struct replay_record ended = *record;

        (void)context;
        if (record->state != REPLAY_PENDING)
                return 0;
        ended.state = REPLAY_DONE;
        ended.life.boot_end_ns = 0;
        return write_record(replay, slot, &ended);
}

int replay_void_pending(struct replay *replay) {
        return walk(replay, void_one, NULL);
}
