/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/terminal.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Length of the first character of `left` bytes, at least one; 0 when it is not valid UTF-8. */
static size_t decode(const uint8_t *at, size_t left, uint32_t *ret) {
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        uint32_t c = at[0];
        size_t n;

        if (c < 0x80) {
                *ret = c;
                return 1;
        }
        if ((c & 0xe0) == 0xc0) {
                n = 2;
                c &= 0x1f;
        } else if ((c & 0xf0) == 0xe0) {
                n = 3;
                c &= 0x0f;
        } else if ((c & 0xf8) == 0xf0) {
                n = 4;
                c &= 0x07;
        } else
                return 0;
        if (n > left)
                return 0;
        for (size_t i = 1; i < n; i++) {
                if ((at[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (at[i] & 0x3f);
        }
        /* Overlong forms and surrogates are invalid. */
        if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                return 0;
        *ret = c;
        return n;
}

/* Characters from U+0080 on that control the terminal or the reading order, or are invisible. */
static bool shown_as_number(uint32_t c) {
        static const struct {
                uint32_t first, last;
        } ranges[] = {
                {0x80, 0x9f},       /* C1 controls */
                {0xad, 0xad},       /* soft hyphen */
                {0x61c, 0x61c},     /* Arabic letter mark */
                {0x180e, 0x180e},   /* Mongolian vowel separator */
                {0x200b, 0x200f},   /* no width; left-to-right and right-to-left marks */
                {0x2028, 0x202e},   /* line and paragraph separators; embeddings and overrides */
                {0x2060, 0x206f},   /* no width; isolates */
                {0xfeff, 0xfeff},   /* byte order mark */
                {0xfff9, 0xfffb},   /* interlinear annotation */
                {0xe0000, 0xe0fff}, /* tags */
        };

        for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
                if (c >= ranges[i].first && c <= ranges[i].last)
                        return true;
        return false;
}

/* Writes the first character of `left` bytes, escaped if need be, and a NUL. Returns how many bytes it has. */
static size_t spell(const uint8_t *at, size_t left, char ret[static 16], size_t *ret_columns) {
        uint32_t c;
        size_t n = decode(at, left, &c);

        if (n == 0 || c < 0x20 || c == 0x7f) {
                *ret_columns = (size_t)snprintf(ret, 16, "\\x%02X", (unsigned)at[0]);
                return 1;
        }
        if (shown_as_number(c)) {
                *ret_columns = (size_t)snprintf(ret, 16, "\\u{%04X}", (unsigned)c);
                return n;
        }
        memcpy(ret, at, n);
        ret[n] = '\0';
        *ret_columns = 1;
        return n;
}

void terminal_print_bytes(FILE *to, const char *text, size_t n) {
        const uint8_t *at = (const uint8_t *)text;

        while (n > 0) {
                char spelled[16];
                size_t columns, taken = spell(at, n, spelled, &columns);

                (void)fputs(spelled, to);
                at += taken;
                n -= taken;
        }
}

void terminal_print(FILE *to, const char *text) {
        terminal_print_bytes(to, text, strlen(text));
}

bool terminal_plain(const char *text, size_t *ret_characters) {
        const uint8_t *at = (const uint8_t *)text;
        size_t characters = 0, n = strlen(text);

        for (; n > 0; characters++) {
                char spelled[16];
                size_t columns, taken = spell(at, n, spelled, &columns);

                if (strlen(spelled) != taken || memcmp(spelled, at, taken) != 0)
                        return false;
                at += taken;
                n -= taken;
        }
        *ret_characters = characters;
        return true;
}

size_t terminal_width(const char *text) {
        const uint8_t *at = (const uint8_t *)text;
        size_t width = 0, n = strlen(text);

        while (n > 0) {
                char spelled[16];
                size_t columns, taken = spell(at, n, spelled, &columns);

                width += columns;
                at += taken;
                n -= taken;
        }
        return width;
}
