/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/conf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { SECTION_NAME_MAX = 49 }; /* bytes */

/* --- errors and warnings ---------------------------------------------------------------------------------------- */

/* They are printed on terminals and go into the journal and JSON: one line of printable ASCII. */
static void make_printable(char *text) {
        for (; *text; text++)
                if (*text < ' ' || *text > '~')
                        *text = '?';
}

int conf_fail(struct conf_load *load, const char *format, ...) {
        char text[CONF_ERROR_MAX / 2], line[16] = "";
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        if (load->line > 0)
                (void)snprintf(line, sizeof(line), ":%u", load->line);
        /* A long path is cut, so that the cause still fits. */
        (void)snprintf(load->error, sizeof(load->error), "%.230s%s: %s", load->file, line, text);
        make_printable(load->error);
        return -EINVAL;
}

__attribute__((format(printf, 2, 3))) static void warn(const struct conf_load *load, const char *format, ...) {
        char text[CONF_ERROR_MAX];
        va_list arguments;

        if (!load->warning)
                return;
        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        make_printable(text);
        load->warning(load->context, load->file, load->line, text);
}

/* --- values ----------------------------------------------------------------------------------------------------- */

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

/*
 * Takes the next word, which may be in double quotes: there is no other way to write a blank in it, and none to write a
 * double quote. 1; 0 at the end; -EINVAL after conf_fail().
 */
static int next_word(struct conf_load *load, const struct conf_key *key, char **at, char **ret) {
        char *word = *at + strspn(*at, " \t"), *end;
        bool quoted = *word == '"';

        if (*word == '\0')
                return 0;
        word += quoted ? 1 : 0;
        end = word + strcspn(word, quoted ? "\"" : " \t");
        if (quoted && (*end == '\0' || end == word || (end[1] != '\0' && !is_blank(end[1]))))
                return conf_fail(load, "%s: invalid quotes; write \"a name with blanks\", and a blank after it",
                                 key->name);
        *at = *end == '\0' ? end : end + 1;
        *end = '\0';
        *ret = word;
        return 1;
}

int conf_set_list(struct conf_load *load, const struct conf_key *key, char *value, struct strv *list,
                  int (*check)(struct conf_load *, const struct conf_key *, const char *)) {
        char *word = NULL;
        int n = 0, r;

        while ((r = next_word(load, key, &value, &word)) > 0) {
                if (check(load, key, word) < 0)
                        return -EINVAL;
                if (strv_add(list, word) < 0)
                        return conf_fail(load, "out of memory");
                n++;
        }
        return r < 0 ? r : n;
}

int conf_set_number(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        size_t digits = strspn(value, "0123456789");
        uint64_t number = 0;

        for (size_t i = 0; i < digits && number <= UINT32_MAX; i++)
                number = number * 10 + (uint64_t)(value[i] - '0');
        if (digits == 0 || value[digits] != '\0' || number < key->min || number > key->max)
                return conf_fail(load, "%s: invalid value '%.64s': expected %u..%u%s", key->name, value, key->min,
                                 key->max, key->unit);
        *(uint32_t *)target = (uint32_t)number;
        return 0;
}

int conf_set_boolean(struct conf_load *load, const struct conf_key *key, char *value, void *target) {
        bool yes = strcmp(value, "yes") == 0;

        if (!yes && strcmp(value, "no") != 0)
                return conf_fail(load, "%s: invalid value '%.64s': expected yes or no", key->name, value);
        *(bool *)target = yes;
        return 0;
}

/* --- lines ------------------------------------------------------------------------------------------------------ */

struct parser {
        struct conf_load *load;
        enum { SECTION_NONE, SECTION_OURS, SECTION_UNKNOWN } section;
        bool in_key;                /* a key of this section came before */
        const struct conf_key *key; /* it; NULL: it is unknown, or of another section, and ignored */
        unsigned empty_list_line;   /* where the list at `key` began, as long as nothing is in it; else 0 */
};

/* `AllowUsers=` alone could mean everybody or nobody. */
static int check_list_ended(struct parser *parser) {
        if (parser->empty_list_line == 0)
                return 0;
        parser->load->line = parser->empty_list_line;
        return conf_fail(parser->load, "%s: the list is empty; add an item or remove the line", parser->key->name);
}

static int check_characters(struct conf_load *load, const char *line, size_t n) {
        for (size_t i = 0; i < n; i++) {
                if (((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f)
                        return conf_fail(load, "invalid control character; write plain text");
                /* Other INI readers end the value here. */
                if (i > 0 && (line[i] == '#' || line[i] == ';') && is_blank(line[i - 1]))
                        return conf_fail(load, "comment after other text; put it on a line of its own");
        }
        return 0;
}

static int begin_section(struct parser *parser, char *line) {
        struct conf_load *load = parser->load;
        char *name = line + 1;
        size_t n = strlen(name);

        if (n < 2 || name[n - 1] != ']' || strcspn(name, "]") != n - 1 || is_blank(name[0]) || is_blank(name[n - 2]))
                return conf_fail(load, "invalid section; write [%s] on a line of its own", load->section);
        name[n - 1] = '\0';
        if (n - 1 > SECTION_NAME_MAX)
                return conf_fail(load, "section name is too long: expected at most %d bytes", SECTION_NAME_MAX);
        parser->in_key = false;
        parser->key = NULL;
        parser->section = strcmp(name, load->section) == 0 ? SECTION_OURS : SECTION_UNKNOWN;
        if (parser->section == SECTION_OURS)
                return 0;
        if (strcasecmp(name, load->section) == 0)
                return conf_fail(load, "invalid section [%s]; write [%s]", name, load->section);
        warn(load, "unknown section [%s] is ignored", name);
        return 0;
}

/* Finds the key of `name` in the section, or sets it to NULL where it is ignored. */
static int find_key(struct parser *parser, const char *name) {
        struct conf_load *load = parser->load;

        parser->in_key = true;
        parser->key = NULL;
        if (parser->section == SECTION_NONE)
                return conf_fail(load, "%.64s: key outside a section; write [%s] above it", name, load->section);
        if (name[0] == '\0')
                return conf_fail(load, "no key before '='; write Key=value");
        if (parser->section == SECTION_UNKNOWN)
                return 0;
        for (const struct conf_key *key = load->keys; key->name; key++) {
                if (strcasecmp(key->name, name) != 0)
                        continue;
                if (strcmp(key->name, name) != 0)
                        return conf_fail(load, "%s: invalid key; write %s", name, key->name);
                parser->key = key;
                return 0;
        }
        warn(load, "unknown key %s in section [%s] is ignored", name, load->section);
        return 0;
}

static int set_value(struct parser *parser, char *value) {
        const struct conf_key *key = parser->key;
        int n;

        if (!key)
                return 0;
        n = key->set(parser->load, key, value, (char *)parser->load->target + key->offset);
        if (n > 0)
                parser->empty_list_line = 0;
        return n < 0 ? n : 0;
}

static int begin_key(struct parser *parser, char *line) {
        char *separator = strpbrk(line, "=:"), *end, *value;
        int r;

        if (!separator)
                return conf_fail(parser->load, "no '=' in this line; write Key=value, or # before a comment");
        for (end = separator; end > line && is_blank(end[-1]); end--)
                ;
        *end = '\0';
        r = find_key(parser, line);
        if (r < 0)
                return r;
        if (parser->key && parser->key->list)
                parser->empty_list_line = parser->load->line;
        value = separator + 1;
        return set_value(parser, value + strspn(value, " \t"));
}

static int continue_key(struct parser *parser, char *line) {
        if (!parser->in_key)
                return conf_fail(parser->load,
                                 "indented line without a key above it; write each key at the start of a line");
        if (parser->key && !parser->key->list)
                return conf_fail(parser->load, "%s: value continued on the next line; write one value on one line",
                                 parser->key->name);
        return set_value(parser, line);
}

static int parse_line(struct parser *parser, char *line, size_t n) {
        bool indented = n > 0 && is_blank(line[0]);
        int r;

        if (n > 0 && line[n - 1] == '\r')
                n--;
        while (n > 0 && is_blank(line[n - 1]))
                n--;
        line[n] = '\0';
        for (; is_blank(*line); line++)
                n--;
        if (n == 0 || *line == '#' || *line == ';')
                return 0;
        r = check_characters(parser->load, line, n);
        if (r < 0)
                return r;
        /* There is no NUL in it. */
        if (indented)
                return continue_key(parser, line);
        r = check_list_ended(parser);
        if (r < 0)
                return r;
        return *line == '[' ? begin_section(parser, line) : begin_key(parser, line);
}

int conf_parse(struct conf_load *load, char *text, size_t n) {
        static const char byte_order_mark[] = "\xef\xbb\xbf"; /* of UTF-8 */
        struct parser parser = {.load = load};
        char *end = text + n, *line_end;
        int r = 0;

        if (n >= 3 && memcmp(text, byte_order_mark, 3) == 0)
                text += 3;
        load->line = 0;
        for (; r >= 0 && text < end; text = line_end + 1) {
                line_end = memchr(text, '\n', (size_t)(end - text));
                if (!line_end)
                        line_end = end;
                load->line++;
                r = parse_line(&parser, text, (size_t)(line_end - text));
        }
        return r < 0 ? r : check_list_ended(&parser);
}
