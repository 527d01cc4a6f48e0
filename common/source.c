/* SPDX-License-Identifier: Apache-2.0 */
#include "common/source.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Decimal digits only: strtoul() would accept a sign, blanks and leading zeros. */
static bool prefix_from_text(const char *text, uint8_t max, uint8_t *ret) {
        unsigned value = 0;

        if (*text == '\0' || (text[0] == '0' && text[1] != '\0'))
                return false;
        for (; *text != '\0'; text++) {
                if (*text < '0' || *text > '9')
                        return false;
                value = value * 10 + (unsigned)(*text - '0');
                if (value > max)
                        return false;
        }
        *ret = (uint8_t)value;
        return true;
}

bool source_from_text(const char *text, struct source *ret) {
        const char *slash = strchr(text, '/');
        size_t length = slash ? (size_t)(slash - text) : strlen(text);
        struct source source = {0};
        char address[INET6_ADDRSTRLEN];

        if (length >= sizeof(address))
                return false;
        memcpy(address, text, length);
        address[length] = '\0';

        source.family = strchr(address, ':') ? SOURCE_V6 : SOURCE_V4;
        source.prefix = source.family == SOURCE_V6 ? 128 : 32;
        if (inet_pton(source.family == SOURCE_V6 ? AF_INET6 : AF_INET, address, source.address) != 1)
                return false;
        if (slash && !prefix_from_text(slash + 1, source.prefix, &source.prefix))
                return false;
        if (!source_valid(&source))
                return false;
        *ret = source;
        return true;
}

bool source_is_link_local(const char *text) {
        const char *slash = strchr(text, '/');
        size_t length = strcspn(text, "%/");
        char address[INET6_ADDRSTRLEN];
        uint8_t bytes[16], prefix = 128;

        if (length >= sizeof(address) || (slash && !prefix_from_text(slash + 1, 128, &prefix)))
                return false;
        memcpy(address, text, length);
        address[length] = '\0';
        return inet_pton(AF_INET6, address, bytes) == 1 && bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80 &&
               prefix >= 10;
}

bool source_valid(const struct source *source) {
        static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

        if (source->family != SOURCE_V4 && source->family != SOURCE_V6)
                return false;
        if (source->prefix > (source->family == SOURCE_V6 ? 128 : 32))
                return false;

        /* To the end of the array: the bytes after an IPv4 address must be zero too. */
        for (unsigned bit = source->prefix; bit < 8 * sizeof(source->address); bit++)
                if (source->address[bit / 8] & 0x80 >> bit % 8)
                        return false;

        /* A range that includes other addresses as well, such as ::/0, has zero here, since its host bits are zero. */
        return source->family == SOURCE_V4 || memcmp(source->address, v4_mapped, sizeof(v4_mapped)) != 0;
}

void source_to_text(const struct source *source, char ret[static SOURCE_TEXT_MAX]) {
        bool v6 = source->family == SOURCE_V6;
        size_t length;

        /* Fails only for an unknown family or too little room. */
        (void)inet_ntop(v6 ? AF_INET6 : AF_INET, source->address, ret, INET6_ADDRSTRLEN);
        length = strlen(ret);
        if (source->prefix != (v6 ? 128 : 32))
                (void)snprintf(ret + length, SOURCE_TEXT_MAX - length, "/%u", (unsigned)source->prefix);
}
