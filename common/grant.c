/* SPDX-License-Identifier: Apache-2.0 */
#include "common/grant.h"

#include <string.h>

#include "common/bytes.h"

enum { MAGIC_SIZE = 8 };

static const char magics[][MAGIC_SIZE + 1] = {
        [GRANT_PUSHED] = "EXCGRNT1",
        [GRANT_LAUNCH] = "EXCLNCH1",
};

size_t grant_encode(const struct grant *grant, uint8_t *dst, size_t size) {
        struct writer to = {.data = dst, .size = size};

        writer_put(&to, magics[grant->origin], MAGIC_SIZE);
        writer_u64(&to, (uint64_t)grant->life.received.boot_ns);
        writer_u64(&to, (uint64_t)grant->life.received.wall_ns);
        writer_u64(&to, (uint64_t)grant->life.boot_end_ns);
        writer_u64(&to, (uint64_t)grant->life.wall_end_ns);
        writer_u8(&to, grant->life.synchronized);
        writer_u8(&to, grant->restricted);
        writer_u8(&to, grant->connections);
        writer_text(&to, grant->user);
        writer_string(&to, grant->key.blob, grant->key.blob_length);
        writer_u8(&to, grant->n_sources);
        for (size_t i = 0; i < grant->n_sources; i++) {
                writer_u8(&to, grant->sources[i].family);
                writer_u8(&to, grant->sources[i].prefix);
                writer_put(&to, grant->sources[i].address, sizeof(grant->sources[i].address));
        }
        writer_text(&to, grant->principal);
        writer_text(&to, grant->request_id);
        return to.full ? 0 : to.used;
}

static bool decode_time(struct bytes *from, int64_t *ret) {
        uint64_t raw;

        if (!bytes_u64(from, &raw) || raw > INT64_MAX)
                return false;
        *ret = (int64_t)raw;
        return true;
}

static bool decode_flag(struct bytes *from, bool *ret) {
        uint8_t raw;

        if (!bytes_u8(from, &raw) || raw > 1)
                return false;
        *ret = raw == 1;
        return true;
}

static bool decode_life(struct bytes *from, struct lifetime *ret) {
        return decode_time(from, &ret->received.boot_ns) && decode_time(from, &ret->received.wall_ns) &&
               decode_time(from, &ret->boot_end_ns) && decode_time(from, &ret->wall_end_ns) &&
               decode_flag(from, &ret->synchronized);
}

static bool decode_text(struct bytes *from, char *dst, size_t size) {
        struct bytes text;

        return bytes_string(from, &text) && bytes_to_text(text, dst, size);
}

static bool decode_sources(struct bytes *from, struct grant *ret) {
        if (!bytes_u8(from, &ret->n_sources) || ret->n_sources > GRANT_SOURCES_MAX)
                return false;
        for (size_t i = 0; i < ret->n_sources; i++) {
                struct source *source = &ret->sources[i];

                if (!bytes_u8(from, &source->family) || !bytes_u8(from, &source->prefix) ||
                    !bytes_take(from, source->address, sizeof(source->address)) || !source_valid(source))
                        return false;
        }
        return true;
}

static bool decode_origin(struct bytes *from, enum grant_origin *ret) {
        struct bytes magic;

        if (!bytes_slice(from, MAGIC_SIZE, &magic))
                return false;
        for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
                if (bytes_equal(magic, magics[i], MAGIC_SIZE)) {
                        *ret = (enum grant_origin)i;
                        return true;
                }
        return false;
}

bool grant_decode(const uint8_t *src, size_t length, struct grant *ret) {
        struct bytes from = {src, length}, blob;

        return decode_origin(&from, &ret->origin) && decode_life(&from, &ret->life) &&
               decode_flag(&from, &ret->restricted) && bytes_u8(&from, &ret->connections) &&
               ret->connections <= GRANT_CONNECTIONS_MAX && decode_text(&from, ret->user, sizeof(ret->user)) &&
               ret->user[0] != '\0' && bytes_string(&from, &blob) &&
               ssh_key_from_blob(blob.at, blob.left, &ret->key) == SSH_KEY_OK && decode_sources(&from, ret) &&
               decode_text(&from, ret->principal, sizeof(ret->principal)) &&
               decode_text(&from, ret->request_id, sizeof(ret->request_id)) && from.left == 0;
}
