/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/target.h"

#include <jansson.h>
#include <string.h>

#include "common/bytes.h"

static int hex_digit(uint8_t c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One character, decoded. */
static bool take_character(struct bytes *from, uint8_t *ret, const char **ret_why) {
        uint8_t high, low;

        *ret_why = "expected printable ASCII, the rest percent-encoded";
        if (!bytes_u8(from, ret) || *ret <= ' ' || *ret > '~' || *ret == '#')
                return false;
        if (*ret != '%')
                return true;
        *ret_why = "expected two hexadecimal digits after %";
        if (!bytes_u8(from, &high) || !bytes_u8(from, &low) || hex_digit(high) < 0 || hex_digit(low) < 0)
                return false;
        *ret = (uint8_t)(hex_digit(high) << 4 | hex_digit(low));
        *ret_why = "an encoded control character";
        return *ret >= ' ' && *ret != 0x7f;
}

/* Decodes `from` into `to` of `size` bytes. */
static bool decode(struct bytes from, char *to, size_t size, const char **ret_why) {
        size_t n = 0;
        uint8_t c;

        while (from.left > 0) {
                if (!take_character(&from, &c, ret_why))
                        return false;
                *ret_why = "too long";
                if (n + 1 >= size)
                        return false;
                to[n++] = (char)c;
        }
        to[n] = '\0';
        return true;
}

/* What comes before the first `end`, which is dropped, or all that is left. */
static struct bytes take_until(struct bytes *from, char end) {
        const uint8_t *found = memchr(from->at, end, from->left);
        struct bytes part = {.at = from->at, .left = found ? (size_t)(found - from->at) : from->left};
        size_t taken = part.left + (found ? 1 : 0);

        from->at += taken;
        from->left -= taken;
        return part;
}

static bool is_ascii(const char *text) {
        for (; *text; text++)
                if ((unsigned char)*text > '~')
                        return false;
        return true;
}

static bool take_segments(struct bytes path, struct request_target *ret, const char **ret_why) {
        bool more = path.left > 0;

        while (more) {
                const uint8_t *end = path.at + path.left;
                struct bytes part = take_until(&path, '/');
                char *segment = ret->segment[ret->n_segments];

                *ret_why = "too many path segments";
                if (ret->n_segments == REQUEST_SEGMENTS_MAX)
                        return false;
                if (!decode(part, segment, REQUEST_SEGMENT_MAX, ret_why))
                        return false;
                *ret_why = "an empty or dot segment in the path";
                if (segment[0] == '\0' || strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0)
                        return false;
                *ret_why = "an encoded slash in the path, or a segment that is not ASCII";
                if (strchr(segment, '/') || !is_ascii(segment))
                        return false;
                ret->n_segments++;
                more = part.at + part.left != end; /* there was a slash, so another segment follows */
        }
        return true;
}

static bool is_utf8(const char *text) {
        json_t *string = json_string(text);

        json_decref(string);
        return string != NULL;
}

static bool take_query(struct bytes part, struct request_target *ret, const char **ret_why) {
        struct request_query *query = &ret->query[ret->n_queries];
        struct bytes name = take_until(&part, '=');

        *ret_why = "too many query parameters";
        if (ret->n_queries == REQUEST_QUERIES_MAX)
                return false;
        if (!decode(name, query->name, sizeof(query->name), ret_why) ||
            !decode(part, query->value, sizeof(query->value), ret_why))
                return false;
        *ret_why = "a query parameter without a name, or not UTF-8";
        if (query->name[0] == '\0' || !is_utf8(query->name) || !is_utf8(query->value))
                return false;
        *ret_why = "a query parameter twice";
        for (size_t i = 0; i < ret->n_queries; i++)
                if (strcmp(ret->query[i].name, query->name) == 0)
                        return false;
        ret->n_queries++;
        return true;
}

bool target_parse(const char *text, struct request_target *ret, const char **ret_why) {
        struct bytes from = {.at = (const uint8_t *)text, .left = strnlen(text, REQUEST_TARGET_MAX + 1)}, path;
        bool has_query;

        ret->n_segments = ret->n_queries = 0;
        *ret_why = "the path and query are too long";
        if (from.left > REQUEST_TARGET_MAX)
                return false;
        has_query = memchr(from.at, '?', from.left) != NULL;
        path = take_until(&from, '?');
        *ret_why = "the path does not begin with a slash";
        if (path.left == 0 || path.at[0] != '/')
                return false;
        path.at++;
        path.left--;
        if (!take_segments(path, ret, ret_why))
                return false;
        if (!has_query)
                return true;
        do
                if (!take_query(take_until(&from, '&'), ret, ret_why))
                        return false;
        while (from.left > 0);
        return true;
}
