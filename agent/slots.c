/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/slots.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/claim.h"

static const struct slots *recall(const struct slots_memory *memory, const char *id) {
        size_t n = memory->n < SLOTS_REMEMBERED ? memory->n : SLOTS_REMEMBERED;

        for (size_t i = 0; i < n; i++)
                if (strcmp(memory->slots[i].id, id) == 0)
                        return &memory->slots[i];
        return NULL;
}

static const struct slots *read_slots(struct slots_memory *memory, const struct store *store,
                                      const struct store_place *place, const struct grant *grant, bool final) {
        struct slots *slots = &memory->slots[memory->n % SLOTS_REMEMBERED];
        struct connection_id holders[GRANT_CONNECTIONS_MAX];
        int fd, n;

        if (grant->connections == 0)
                return NULL;
        fd = store_open_claim(store, place, final ? O_RDWR : O_RDONLY);
        if (fd < 0)
                return NULL;
        n = final ? claim_end(fd, grant->connections, holders) : claim_holders(fd, grant->connections, holders);
        (void)close(fd);
        if (n < 0)
                return NULL;
        memory->n++;
        memcpy(slots->id, place->id, sizeof(slots->id));
        slots->final = final;
        slots->n = (size_t)n;
        for (int i = 0; i < n; i++)
                slots->pids[i] = holders[i].pid;
        return slots;
}

const struct slots *slots_end(struct slots_memory *memory, const struct store *store, const struct store_place *place,
                              const struct grant *grant) {
        const struct slots *known = recall(memory, place->id);

        return known ? known : read_slots(memory, store, place, grant, true);
}

const struct slots *slots_of_key(struct slots_memory *memory, const struct store *store,
                                 const struct store_place *place, const struct grant *grant) {
        return read_slots(memory, store, place, grant, false);
}

int slots_taken(const struct store *store, const struct store_place *place, unsigned connections) {
        int fd, n;

        fd = store_open_claim(store, place, O_RDONLY);
        if (fd < 0)
                return fd;
        n = claim_count(fd, connections);
        (void)close(fd);
        return n;
}
