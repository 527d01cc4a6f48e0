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

/*
 * Characters from U+0080 on that control the terminal or the reading order, or show nothing: Unicode 16's property
 * Default_Ignorable_Code_Point, separators, blanks but the usual one, and what means something by agreement alone.
 */
static bool shown_as_number(uint32_t c) {
        static const struct {
                uint32_t first, last;
        } ranges[] = {
                {0x80, 0xa0},        /* C1 controls; no-break space */
                {0xad, 0xad},        /* soft hyphen */
                {0x34f, 0x34f},      /* combining grapheme joiner */
                {0x61c, 0x61c},      /* Arabic letter mark */
                {0x115f, 0x1160},    /* Hangul fillers */
                {0x1680, 0x1680},    /* Ogham space */
                {0x17b4, 0x17b5},    /* Khmer inherent vowels */
                {0x180b, 0x180f},    /* Mongolian variation selectors and vowel separator */
                {0x2000, 0x200f},    /* spaces; no width; left-to-right and right-to-left marks */
                {0x2028, 0x202f},    /* line and paragraph separators; embeddings and overrides; a space */
                {0x205f, 0x206f},    /* a space; no width; isolates */
                {0x2800, 0x2800},    /* blank Braille pattern */
                {0x3000, 0x3000},    /* ideographic space */
                {0x3164, 0x3164},    /* Hangul filler */
                {0xe000, 0xf8ff},    /* private use */
                {0xfe00, 0xfe0f},    /* variation selectors */
                {0xfeff, 0xfeff},    /* byte order mark */
                {0xffa0, 0xffa0},    /* Hangul filler */
                {0xfff0, 0xfffb},    /* unassigned; interlinear annotation */
                {0xfffe, 0xffff},    /* no characters */
                {0x1bca0, 0x1bca3},  /* shorthand format controls */
                {0x1d173, 0x1d17a},  /* musical format controls */
                {0xe0000, 0x10ffff}, /* tags, variation selectors, private use */
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

size_t terminal_width_bytes(const char *text, size_t n) {
        const uint8_t *at = (const uint8_t *)text;
        size_t width = 0;

        while (n > 0) {
                char spelled[16];
                size_t columns, taken = spell(at, n, spelled, &columns);

                width += columns;
                at += taken;
                n -= taken;
        }
        return width;
}

size_t terminal_width(const char *text) {
        return terminal_width_bytes(text, strlen(text));
}
