/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/match_address.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/source.h"

/* Every bit behind the prefix as in `fill`. */
static void address_in(const struct source *range, uint8_t fill, char ret[static PATTERN_MAX]) {
        unsigned bits = range->family == SOURCE_V6 ? 128 : 32;
        struct source one = *range;
        char text[SOURCE_TEXT_MAX];

        for (unsigned bit = range->prefix; bit < bits; bit++)
                one.address[bit / 8] |= (uint8_t)(fill & 0x80 >> bit % 8);
        one.prefix = (uint8_t)bits;
        source_to_text(&one, text);
        (void)snprintf(ret, PATTERN_MAX, "%s", text);
}

/* Whether one of the others is about this address of the range, but not about all of the range. */
static bool is_narrower(const struct strv *others, const struct source *range, const char *address) {
        char first[PATTERN_MAX], last[PATTERN_MAX];

        address_in(range, 0, first);
        address_in(range, 0xff, last);
        for (size_t i = 0; i < others->n; i++) {
                const char *other = others->item[i];

                if (pattern_address(other, address) && !(pattern_address(other, first) && pattern_address(other, last)))
                        return true;
        }
        return false;
}

bool match_address_of(const char *pattern, const struct strv *others, char ret[static PATTERN_MAX]) {
        static const char *const fills[] = {"", "1", "1.1", "1.1.1", ":1", "::1"};
        static const uint8_t bits[] = {0, 0x55, 0xaa, 0xff};
        struct source range;

        if (source_from_text(pattern, &range)) {
                for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
                        address_in(&range, bits[i], ret);
                        if (!is_narrower(others, &range, ret))
                                return true;
                }
                address_in(&range, 0, ret);
                return true;
        }
        for (size_t i = 0; i < sizeof(fills) / sizeof(fills[0]); i++) {
                char text[PATTERN_MAX] = "", canonical[SOURCE_TEXT_MAX];
                size_t n = 0;

                for (const char *at = pattern; *at && n + 8 < sizeof(text); at++)
                        n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s", *at == '*' ? 8 : 1,
                                              *at == '*'   ? fills[i]
                                              : *at == '?' ? "1"
                                                           : at);
                if (!source_from_text(text, &range))
                        continue;
                source_to_text(&range, canonical);
                if (!pattern_matches(pattern, canonical))
                        continue;
                (void)snprintf(ret, PATTERN_MAX, "%s", canonical);
                return true;
        }
        return false;
}

/* Documentation's, which no client has (RFC 5737, RFC 3849). */
void match_address_elsewhere(const struct strv *named, char ret[static PATTERN_MAX]) {
        static const char *const addresses[] = {"203.0.113.254", "198.51.100.254", "192.0.2.254",
                                                "2001:db8:ffff::fffe"};

        for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
                bool is_named = false;

                for (size_t j = 0; j < named->n && !is_named; j++)
                        is_named = pattern_address(named->item[j], addresses[i]);
                if (!is_named) {
                        (void)snprintf(ret, PATTERN_MAX, "%s", addresses[i]);
                        return;
                }
        }
        (void)snprintf(ret, PATTERN_MAX, "%s", addresses[0]);
}
