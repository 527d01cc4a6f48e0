/* SPDX-License-Identifier: Apache-2.0 */
#include "common/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/grant.h"

static void slot_encode(const struct connection_id *who, uint8_t slot[static CLAIM_SLOT_SIZE]) {
        struct writer to = {.data = slot, .size = CLAIM_SLOT_SIZE};

        writer_u64(&to, who->pid);
        writer_u64(&to, who->start_ticks);
}

static bool slot_decode(const uint8_t slot[static CLAIM_SLOT_SIZE], struct connection_id *ret) {
        struct bytes from = {slot, CLAIM_SLOT_SIZE};

        return bytes_u64(&from, &ret->pid) && bytes_u64(&from, &ret->start_ticks);
}

/*
 * A lock of the open file description, not of the process (fcntl(2), Linux 3.15). `command` is F_OFD_SETLKW, or
 * F_OFD_SETLK for -EAGAIN where somebody else holds it.
 */
static int claim_lock(int fd, int command) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

        return fcntl(fd, command, &lock) < 0 ? -errno : 0;
}

static bool is_free(const uint8_t slot[static CLAIM_SLOT_SIZE]) {
        static const uint8_t zeros[CLAIM_SLOT_SIZE];

        return memcmp(slot, zeros, CLAIM_SLOT_SIZE) == 0;
}

enum { SLOTS_MAX = GRANT_CONNECTIONS_MAX * CLAIM_SLOT_SIZE };

/* All slots of a file that has the right size: asking for one byte more shows a longer one. 0: it has another size. */
static int claim_read(int fd, unsigned connections, uint8_t slots[static SLOTS_MAX + 1]) {
        size_t size = (size_t)connections * CLAIM_SLOT_SIZE;
        ssize_t n;

        if (connections > GRANT_CONNECTIONS_MAX)
                return 0;
        n = pread(fd, slots, size + 1, 0);
        if (n < 0)
                return -errno;
        return (size_t)n == size;
}

int claim_slot(int fd, unsigned connections, const struct connection_id *who, enum claim_mode mode) {
        uint8_t slots[SLOTS_MAX + 1], own[CLAIM_SLOT_SIZE];
        const uint8_t *free_slot = NULL;
        ssize_t n;
        int r;

        slot_encode(who, own);
        r = claim_lock(fd, F_OFD_SETLKW);
        if (r < 0)
                return r;
        r = claim_read(fd, connections, slots);
        if (r <= 0)
                return r < 0 ? r : CLAIM_NONE;
        for (unsigned i = 0; i < connections; i++) {
                const uint8_t *slot = slots + (size_t)i * CLAIM_SLOT_SIZE;

                if (memcmp(slot, own, CLAIM_SLOT_SIZE) == 0)
                        return CLAIM_HELD;
                if (!free_slot && is_free(slot))
                        free_slot = slot;
        }
        if (mode == CLAIM_FIND || !free_slot)
                return CLAIM_NONE;
        n = pwrite(fd, own, sizeof(own), free_slot - slots);
        if (n < 0)
                return -errno;
        return n == (ssize_t)sizeof(own) ? CLAIM_TAKEN : -EIO;
}

int claim_count(int fd, unsigned connections) {
        uint8_t slots[SLOTS_MAX + 1];
        int taken = 0, r;

        r = claim_read(fd, connections, slots);
        if (r < 0)
                return r;
        if (r == 0)
                return (int)connections;
        for (unsigned i = 0; i < connections; i++)
                taken += !is_free(slots + (size_t)i * CLAIM_SLOT_SIZE);
        return taken;
}

/* What claim_end() writes to free slots. */
static const struct connection_id nobody = {UINT64_MAX, UINT64_MAX};

int claim_holders(int fd, unsigned connections, struct connection_id *ret) {
        uint8_t slots[SLOTS_MAX + 1];
        int n = 0, r;

        r = claim_read(fd, connections, slots);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        for (unsigned i = 0; i < connections; i++) {
                const uint8_t *slot = slots + (size_t)i * CLAIM_SLOT_SIZE;
                struct connection_id who;

                if (!is_free(slot) && slot_decode(slot, &who) &&
                    (who.pid != nobody.pid || who.start_ticks != nobody.start_ticks))
                        ret[n++] = who;
        }
        return n;
}

int claim_end(int fd, unsigned connections, struct connection_id *ret) {
        uint8_t slots[SLOTS_MAX + 1];
        size_t size = (size_t)connections * CLAIM_SLOT_SIZE;
        ssize_t n;
        int r;

        r = claim_lock(fd, F_OFD_SETLK);
        if (r < 0)
                return r == -EACCES ? -EAGAIN : r;
        r = claim_read(fd, connections, slots);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        for (size_t at = 0; at < size; at += CLAIM_SLOT_SIZE)
                if (is_free(slots + at))
                        slot_encode(&nobody, slots + at);
        n = pwrite(fd, slots, size, 0);
        if (n < 0)
                return -errno;
        return (size_t)n == size ? claim_holders(fd, connections, ret) : -EIO;
}
