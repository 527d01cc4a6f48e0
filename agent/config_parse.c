/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config_parse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SECTION "Agent"

enum { SECTION_NAME_MAX = 49 }; /* bytes */

/* --- errors and warnings ---------------------------------------------------------------------------------------- */

/* They are printed on terminals and go into the journal and JSON: one line of printable ASCII. */
static void make_printable(char *text) {
        for (; *text; text++)
                if (*text < ' ' || *text > '~')
                        *text = '?';
}

int config_fail(struct config_load *load, const char *format, ...) {
        struct config *config = load->config;
        char text[CONFIG_ERROR_MAX / 2], line[16] = "";
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        if (load->line > 0)
                (void)snprintf(line, sizeof(line), ":%u", load->line);
        /* A long path is cut, so that the cause still fits. */
        (void)snprintf(config->error_text, sizeof(config->error_text), "%.230s%s: %s", load->file, line, text);
        make_printable(config->error_text);
        config->error = config->error_text;
        return -EINVAL;
}

__attribute__((format(printf, 2, 3))) static void warn(const struct config_load *load, const char *format, ...) {
        char text[CONFIG_ERROR_MAX];
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

struct key {
        const char *name;
        /*
         * Parses `value` into `target`. The number of list items added, which may be 0, or -EINVAL after config_fail().
         */
        int (*set)(struct config_load *load, const struct key *key, char *value, void *target);
        size_t offset; /* of the target in struct config */
        uint32_t min, max;
        const char *unit; /* of a number, with a blank before it */
};

/*
 * The list names accounts exactly. What other programs write there (sshd's patterns, quotes, commas, sudo's and
 * netgroups' prefixes, a key on an indented line) would be an account that does not exist: a deny list that denies
 * nobody.
 */
static int check_name(struct config_load *load, const struct key *key, const char *word) {
        if (strlen(word) > CONFIG_NAME_MAX)
                return config_fail(load, "%s: name '%.32s...' is too long: expected at most %d bytes", key->name, word,
                                   CONFIG_NAME_MAX);
        if (strchr("!'#%+@&", word[0]) || strpbrk(word, "*?,\"=:;[]/"))
                return config_fail(load,
                                   "%s: invalid name '%.64s': write exact names separated by blanks, without patterns "
                                   "or quotes, and each key at the start of a line",
                                   key->name, word);
        return 0;
}

static int check_path(struct config_load *load, const struct key *key, const char *word) {
        if (word[0] != '/' || strlen(word) >= PATH_MAX || strpbrk(word, "*?[\"'"))
                return config_fail(load,
                                   "%s: invalid path '%.64s': write absolute paths separated by blanks, without "
                                   "patterns or quotes",
                                   key->name, word);
        return 0;
}

static int set_list(struct config_load *load, const struct key *key, char *value, struct strv *list,
                    int (*check)(struct config_load *, const struct key *, const char *)) {
        char *save, *word;
        int n = 0;

        for (word = strtok_r(value, " \t", &save); word; word = strtok_r(NULL, " \t", &save), n++) {
                if (check(load, key, word) < 0)
                        return -EINVAL;
                if (strv_add(list, word) < 0)
                        return config_fail(load, "out of memory");
        }
        return n;
}

static int set_names(struct config_load *load, const struct key *key, char *value, void *target) {
        return set_list(load, key, value, target, check_name);
}

static int set_paths(struct config_load *load, const struct key *key, char *value, void *target) {
        return set_list(load, key, value, target, check_path);
}

static int set_number(struct config_load *load, const struct key *key, char *value, void *target) {
        size_t digits = strspn(value, "0123456789");
        uint64_t number = 0;

        for (size_t i = 0; i < digits && number <= UINT32_MAX; i++)
                number = number * 10 + (uint64_t)(value[i] - '0');
        if (digits == 0 || value[digits] != '\0' || number < key->min || number > key->max)
                return config_fail(load, "%s: invalid value '%.64s': expected %u..%u%s", key->name, value, key->min,
                                   key->max, key->unit);
        *(uint32_t *)target = (uint32_t)number;
        return 0;
}

static int set_default_ttl(struct config_load *load, const struct key *key, char *value, void *target) {
        if (set_number(load, key, value, target) < 0)
                return -EINVAL;
        memcpy(load->default_ttl_file, load->file, sizeof(load->default_ttl_file));
        load->default_ttl_line = load->line;
        return 0;
}

static int set_instance_id(struct config_load *load, const struct key *key, char *value, void *target) {
        size_t n = strlen(value);
        bool valid = n > 0 && n <= CONFIG_INSTANCE_ID_MAX;

        for (size_t i = 0; valid && i < n; i++)
                valid = value[i] > ' ' && value[i] <= '~';
        if (!valid)
                return config_fail(load,
                                   "%s: invalid value '%.64s': expected 1..%d printable ASCII characters without "
                                   "blanks",
                                   key->name, value, CONFIG_INSTANCE_ID_MAX);
        memcpy(target, value, n + 1);
        return 0;
}

static int set_trust(struct config_load *load, const struct key *key, char *value, void *target) {
        enum config_trust *trust = target;

        if (strcmp(value, "signed") == 0)
                *trust = CONFIG_TRUST_SIGNED;
        else if (strcmp(value, "channel") == 0)
                *trust = CONFIG_TRUST_CHANNEL;
        else
                return config_fail(load, "%s: invalid value '%.64s': expected signed or channel", key->name, value);
        return 0;
}

static const struct key keys[] = {
        {"AllowUsers", set_names, offsetof(struct config, allow_users), 0, 0, NULL},
        {"DenyUsers", set_names, offsetof(struct config, deny_users), 0, 0, NULL},
        {"AllowGroups", set_names, offsetof(struct config, allow_groups), 0, 0, NULL},
        {"DenyGroups", set_names, offsetof(struct config, deny_groups), 0, 0, NULL},
        {"HostKeyFiles", set_paths, offsetof(struct config, host_key_files), 0, 0, NULL},
        {"MinUid", set_number, offsetof(struct config, min_uid), 0, UINT32_MAX - 1, ""},
        {"MaxTtl", set_number, offsetof(struct config, max_ttl_s), 1, CONFIG_TTL_MAX, " seconds"},
        {"DefaultTtl", set_default_ttl, offsetof(struct config, default_ttl_s), 1, CONFIG_TTL_MAX, " seconds"},
        {"RateLimit", set_number, offsetof(struct config, rate_limit), 0, CONFIG_RATE_MAX, " pushes a second"},
        {"Trust", set_trust, offsetof(struct config, trust), 0, 0, NULL},
        {"InstanceId", set_instance_id, offsetof(struct config, instance_id), 0, 0, NULL},
};

static bool is_list(const struct key *key) {
        return key->set == set_names || key->set == set_paths;
}

/* --- lines ------------------------------------------------------------------------------------------------------ */

struct parser {
        struct config_load *load;
        enum { SECTION_NONE, SECTION_AGENT, SECTION_UNKNOWN } section;
        bool in_key;              /* a key of this section came before */
        const struct key *key;    /* it; NULL: it is unknown, or of another section, and ignored */
        unsigned empty_list_line; /* where the list at `key` began, as long as nothing is in it; else 0 */
};

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

/* `AllowUsers=` alone could mean everybody or nobody. */
static int check_list_ended(struct parser *parser) {
        if (parser->empty_list_line == 0)
                return 0;
        parser->load->line = parser->empty_list_line;
        return config_fail(parser->load, "%s: the list is empty; add an item or remove the line", parser->key->name);
}

static int check_characters(struct config_load *load, const char *line, size_t n) {
        for (size_t i = 0; i < n; i++) {
                if (((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f)
                        return config_fail(load, "invalid control character; write plain text");
                /* Other INI readers end the value here. */
                if (i > 0 && (line[i] == '#' || line[i] == ';') && is_blank(line[i - 1]))
                        return config_fail(load, "comment after other text; put it on a line of its own");
        }
        return 0;
}

static int begin_section(struct parser *parser, char *line) {
        struct config_load *load = parser->load;
        char *name = line + 1;
        size_t n = strlen(name);

        if (n < 2 || name[n - 1] != ']' || strcspn(name, "]") != n - 1 || is_blank(name[0]) || is_blank(name[n - 2]))
                return config_fail(load, "invalid section; write [" SECTION "] on a line of its own");
        name[n - 1] = '\0';
        if (n - 1 > SECTION_NAME_MAX)
                return config_fail(load, "section name is too long: expected at most %d bytes", SECTION_NAME_MAX);
        parser->in_key = false;
        parser->key = NULL;
        parser->section = strcmp(name, SECTION) == 0 ? SECTION_AGENT : SECTION_UNKNOWN;
        if (parser->section == SECTION_AGENT)
                return 0;
        if (strcasecmp(name, SECTION) == 0)
                return config_fail(load, "invalid section [%s]; write [" SECTION "]", name);
        warn(load, "unknown section [%s] is ignored", name);
        return 0;
}

/* Finds the key of `name` in the section, or sets it to NULL where it is ignored. */
static int find_key(struct parser *parser, const char *name) {
        struct config_load *load = parser->load;

        parser->in_key = true;
        parser->key = NULL;
        if (parser->section == SECTION_NONE)
                return config_fail(load, "%.64s: key outside a section; write [" SECTION "] above it", name);
        if (name[0] == '\0')
                return config_fail(load, "no key before '='; write Key=value");
        if (parser->section == SECTION_UNKNOWN)
                return 0;
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                if (strcasecmp(keys[i].name, name) != 0)
                        continue;
                if (strcmp(keys[i].name, name) != 0)
                        return config_fail(load, "%s: invalid key; write %s", name, keys[i].name);
                parser->key = &keys[i];
                return 0;
        }
        warn(load, "unknown key %s in section [" SECTION "] is ignored", name);
        return 0;
}

static int set_value(struct parser *parser, char *value) {
        const struct key *key = parser->key;
        int n;

        if (!key)
                return 0;
        n = key->set(parser->load, key, value, (char *)parser->load->config + key->offset);
        if (n > 0)
                parser->empty_list_line = 0;
        return n < 0 ? n : 0;
}

static int begin_key(struct parser *parser, char *line) {
        char *separator = strpbrk(line, "=:"), *end, *value;
        int r;

        if (!separator)
                return config_fail(parser->load, "no '=' in this line; write Key=value, or # before a comment");
        for (end = separator; end > line && is_blank(end[-1]); end--)
                ;
        *end = '\0';
        r = find_key(parser, line);
        if (r < 0)
                return r;
        if (parser->key && is_list(parser->key))
                parser->empty_list_line = parser->load->line;
        value = separator + 1;
        return set_value(parser, value + strspn(value, " \t"));
}

static int continue_key(struct parser *parser, char *line) {
        if (!parser->in_key)
                return config_fail(parser->load,
                                   "indented line without a key above it; write each key at the start of a line");
        if (parser->key && !is_list(parser->key))
                return config_fail(parser->load, "%s: value continued on the next line; write one value on one line",
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

int config_parse(struct config_load *load, char *text, size_t n) {
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
