/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a file becomes a configuration:
 *
 * 1. `next_line` takes it apart into lines, and refuses what libinih would pass over or take for something else.
 * 2. `next_piece` hands the lines to libinih. Its line buffer may be as small as 200 bytes, so a longer line goes in
 *    pieces, each after the first with a blank before it: to libinih that is a continuation.
 * 3. `take_piece` gets the pieces' values back from libinih and joins them, so that `set_value` sees a line's value as
 *    it stood in the file, with that line's number.
 *
 * libinih reports an error only at the end, and with its own count of lines. But it passes each line that it
 * understands to its handler at once: a line for which no call came is the one at fault.
 */
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/config_internal.h"

#define SECTION "Agent"

enum { SECTION_MAX = 49 }; /* libinih cuts a longer name */

/* The values */

/*
 * What an administrator writes who takes the list for one of patterns (sshd), of quoted or comma-separated words, for
 * sudo's or a netgroup's notation, or the line for a key of its own, is an exact name of nobody: a deny list that lets
 * everybody pass. None of it can stand in a name at that place.
 */
static int check_name(struct load *load, const char *word) {
        if (strlen(word) > CONFIG_NAME_MAX)
                return config_fail(load, "the name %.32s... is too long; at most %d bytes", word, CONFIG_NAME_MAX);
        if (strchr("!'#%+@&", word[0]) || strpbrk(word, "*?,\"=:;[]/"))
                return config_fail(load,
                                   "%.64s is not a name; list exact names with blanks between them, without patterns "
                                   "or quotes, and begin each key at the start of a line",
                                   word);
        return 0;
}

static int check_path(struct load *load, const char *word) {
        if (word[0] != '/' || strlen(word) >= PATH_MAX || strpbrk(word, "*?[\"'"))
                return config_fail(load,
                                   "%.64s is not an absolute path; name each file in full, without patterns or quotes",
                                   word);
        return 0;
}

static int set_words(struct load *load, char *value, struct strv *words, int (*check)(struct load *, const char *)) {
        char *save, *word;

        for (word = strtok_r(value, " \t", &save); word; word = strtok_r(NULL, " \t", &save)) {
                if (check(load, word) < 0)
                        return -EINVAL;
                if (strv_add(words, word) < 0)
                        return config_fail(load, "out of memory");
                load->empty_line = 0;
        }
        return 0;
}

static int set_names(struct load *load, const struct key *key, char *value, void *target) {
        (void)key;
        return set_words(load, value, target, check_name);
}

static int set_paths(struct load *load, const struct key *key, char *value, void *target) {
        (void)key;
        return set_words(load, value, target, check_path);
}

struct key {
        const char *name;
        int (*set)(struct load *load, const struct key *key, char *value, void *target);
        size_t offset; /* of the target in struct config */
        uint32_t min, max;
};

static int set_number(struct load *load, const struct key *key, char *value, void *target) {
        uint64_t number = 0;
        size_t digits = strspn(value, "0123456789");

        for (size_t i = 0; i < digits && number <= UINT32_MAX; i++)
                number = number * 10 + (uint64_t)(value[i] - '0');
        if (digits == 0 || value[digits] != '\0' || number < key->min || number > key->max)
                return config_fail(load, "%s=%.64s is not a number from %u to %u", key->name, value, key->min,
                                   key->max);
        *(uint32_t *)target = (uint32_t)number;
        return 0;
}

static int set_default_ttl(struct load *load, const struct key *key, char *value, void *target) {
        char *file;

        if (set_number(load, key, value, target) < 0)
                return -EINVAL;
        /* It is held against MaxTtl when all files are read. */
        file = strdup(load->file);
        if (!file)
                return config_fail(load, "out of memory");
        free(load->default_ttl_file);
        load->default_ttl_file = file;
        load->default_ttl_line = load->line;
        return 0;
}

static int set_instance_id(struct load *load, const struct key *key, char *value, void *target) {
        size_t n = strlen(value);
        bool good = n > 0 && n <= CONFIG_INSTANCE_ID_MAX;

        for (size_t i = 0; good && i < n; i++)
                good = value[i] > ' ' && value[i] <= '~';
        if (!good)
                return config_fail(load, "%s is not 1 to %d printable ASCII characters without blanks", key->name,
                                   CONFIG_INSTANCE_ID_MAX);
        memcpy(target, value, n + 1);
        return 0;
}

static int set_trust(struct load *load, const struct key *key, char *value, void *target) {
        enum trust *trust = target;

        if (strcmp(value, "signed") == 0)
                *trust = TRUST_SIGNED;
        else if (strcmp(value, "channel") == 0)
                *trust = TRUST_CHANNEL;
        else
                return config_fail(load, "%s=%.64s is not known; write signed or channel", key->name, value);
        return 0;
}

static const struct key keys[] = {
        {"AllowUsers", set_names, offsetof(struct config, allow_users), 0, 0},
        {"DenyUsers", set_names, offsetof(struct config, deny_users), 0, 0},
        {"AllowGroups", set_names, offsetof(struct config, allow_groups), 0, 0},
        {"DenyGroups", set_names, offsetof(struct config, deny_groups), 0, 0},
        {"HostKeyFiles", set_paths, offsetof(struct config, host_key_files), 0, 0},
        {"MinUid", set_number, offsetof(struct config, min_uid), 0, UINT32_MAX - 1},
        {"MaxTtl", set_number, offsetof(struct config, max_ttl_s), 1, CONFIG_TTL_MAX},
        {"DefaultTtl", set_default_ttl, offsetof(struct config, default_ttl_s), 1, CONFIG_TTL_MAX},
        {"RateLimit", set_number, offsetof(struct config, rate_limit), 0, CONFIG_RATE_MAX},
        {"Trust", set_trust, offsetof(struct config, trust), 0, 0},
        {"InstanceId", set_instance_id, offsetof(struct config, instance_id), 0, 0},
};

static bool is_list(const struct key *key) {
        return key->set == set_names || key->set == set_paths;
}

/* The lines */

static bool blank(uint8_t c) {
        return c == ' ' || c == '\t';
}

/* AllowUsers= without a name would mean everybody to one reader and nobody to another. */
static int check_not_empty(struct load *load) {
        if (load->empty_line == 0)
                return 0;
        load->line = load->empty_line;
        return config_fail(load, "this list is empty; name somebody or something, or remove the line");
}

/* Puts the file's next line that is not blank and no comment into `rest`. False at the end, or when it is refused. */
static bool next_line(struct load *load) {
        struct bytes line, skipped;

        for (;;) {
                const uint8_t *end;
                size_t n, indent = 0;

                if (load->left.left == 0)
                        return false;
                end = memchr(load->left.at, '\n', load->left.left);
                n = end ? (size_t)(end - load->left.at) : load->left.left;
                (void)bytes_slice(&load->left, n, &line);
                if (end)
                        (void)bytes_slice(&load->left, 1, &skipped);
                load->line++;

                if (line.left > 0 && line.at[line.left - 1] == '\r')
                        line.left--;
                while (line.left > 0 && blank(line.at[line.left - 1]))
                        line.left--;
                while (indent < line.left && blank(line.at[indent]))
                        indent++;
                load->continued = indent > 0;
                (void)bytes_slice(&line, indent, &skipped);
                if (line.left > 0 && line.at[0] != '#' && line.at[0] != ';')
                        break;
        }

        for (size_t i = 0; i < line.left; i++) {
                if ((line.at[i] < ' ' && line.at[i] != '\t') || line.at[i] == 0x7f) {
                        (void)config_fail(load, "a control character in this line; write plain text");
                        return false;
                }
                /* libinih cuts the value at one of these and leaves the other in it. */
                if (i > 0 && (line.at[i] == '#' || line.at[i] == ';') && blank(line.at[i - 1])) {
                        (void)config_fail(load, "a comment behind something; give it a line of its own");
                        return false;
                }
        }
        load->section = !load->continued && line.at[0] == '[';
        if (load->continued && !load->in_key) {
                (void)config_fail(load,
                                  "an indented line without a key above it; begin each key at the start of a line");
                return false;
        }
        load->rest = line;
        return true;
}

/* libinih passes over what stands behind "]", and cuts long names. */
static bool check_section(struct load *load) {
        char name[SECTION_MAX + 1];
        struct bytes line = load->rest, inner = {NULL, 0}, skipped;

        if (line.at[line.left - 1] == ']') {
                line.left--;
                (void)bytes_slice(&line, 1, &skipped);
                (void)bytes_slice(&line, line.left, &inner);
        }
        if (inner.left == 0 || memchr(inner.at, ']', inner.left) || blank(inner.at[0]) ||
            blank(inner.at[inner.left - 1])) {
                (void)config_fail(load, "not a section; write [" SECTION "] on a line of its own");
                return false;
        }
        if (!bytes_to_text(inner, name, sizeof(name))) {
                (void)config_fail(load, "the name of this section is too long; at most %d bytes", SECTION_MAX);
                return false;
        }
        if (strcmp(name, SECTION) != 0) {
                if (strcasecmp(name, SECTION) == 0) {
                        (void)config_fail(load, "[%s] is written [" SECTION "]", name);
                        return false;
                }
                config_warn(load, "the section [%s] is not known and passed over", name);
        }
        load->in_key = false;
        return true;
}

/* Bytes of a line that belong together in its first piece: the key, and the = with it. */
static size_t key_length(struct bytes line) {
        for (size_t i = 0; i < line.left; i++)
                if (line.at[i] == '=' || line.at[i] == ':')
                        return i + 1;
        return 1;
}

/*
 * How many bytes of `line` to give to libinih when it has room for `room`, fewer than the line has: `least` or more,
 * best up to a blank, else anywhere but before what begins a comment, to be joined again. 0: it cannot be done.
 */
static size_t split(struct bytes line, size_t least, size_t room, bool *ret_glue) {
        size_t n;

        *ret_glue = false;
        for (n = room; n >= least; n--)
                if (blank(line.at[n]))
                        return n;
        *ret_glue = true;
        for (n = room; n >= least; n--)
                if (line.at[n] != '#' && line.at[n] != ';')
                        return n;
        return 0;
}

/* Works like fgets(3) for libinih. */
static char *next_piece(char *dst, int size, void *stream) {
        struct load *load = stream;
        struct bytes piece = {NULL, 0}, skipped;
        size_t room, n, used = 0;

        if (load->config->error || load->unanswered)
                return NULL;
        load->first = load->rest.left == 0;
        if (load->first && (!next_line(load) || (load->section && !check_section(load))))
                return NULL;
        load->glued = load->glue_next;
        load->glue_next = false;
        /* One byte for the blank in front, one for the newline and one for the NUL. */
        room = (size_t)size - 3;
        n = load->rest.left;
        if (n > room) {
                n = split(load->rest, load->first && !load->continued ? key_length(load->rest) : 1, room,
                          &load->glue_next);
                if (n == 0) {
                        (void)config_fail(load, "a word that is too long; break the line and shorten it");
                        return NULL;
                }
        }
        if (load->continued || !load->first)
                dst[used++] = ' ';
        (void)bytes_slice(&load->rest, n, &piece);
        memcpy(dst + used, piece.at, n);
        used += n;
        dst[used++] = '\n';
        dst[used] = '\0';
        while (load->rest.left > 0 && blank(load->rest.at[0]))
                (void)bytes_slice(&load->rest, 1, &skipped);
        load->unanswered = !load->section;
        return dst;
}

static int find_key(struct load *load, const char *section, const char *name) {
        load->key = NULL;
        load->in_key = true;
        if (check_not_empty(load) < 0)
                return -EINVAL;
        if (section[0] == '\0')
                return config_fail(load, "%.64s stands before any section; write [" SECTION "] above it", name);
        if (name[0] == '\0')
                return config_fail(load, "no key before the =; write Key=value");
        if (strcmp(section, SECTION) != 0)
                return 0;
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                if (strcasecmp(keys[i].name, name) != 0)
                        continue;
                if (strcmp(keys[i].name, name) != 0)
                        return config_fail(load, "%s is written %s", name, keys[i].name);
                load->key = &keys[i];
                return 0;
        }
        config_warn(load, "the key %s in [" SECTION "] is not known and passed over", name);
        return 0;
}

static int set_value(struct load *load) {
        const struct key *key = load->key;

        if (!key)
                return 0;
        if (is_list(key)) {
                if (!load->continued)
                        load->empty_line = load->line;
        } else if (load->continued)
                return config_fail(load, "%s has one value; begin each key at the start of a line", key->name);
        return key->set(load, key, (char *)load->value.data, (char *)load->config + key->offset);
}

/* libinih's handler. */
static int take_piece(void *user, const char *section, const char *name, const char *value) {
        struct load *load = user;
        struct writer *to = &load->value;

        /* A libinih built to take them calls for a section, and for a line without =, which stays unanswered. */
        if (!name || !value)
                return 1;
        load->unanswered = false;
        if (load->first) {
                *to = (struct writer){.data = to->data, .size = to->size};
                /* Of a continuation's key libinih has only the first 49 bytes; whose line it is was settled before. */
                if (!load->continued && find_key(load, section, name) < 0)
                        return 0;
        } else if (!load->glued && to->used > 0)
                writer_put(to, " ", 1);
        writer_put(to, value, strlen(value));
        if (load->rest.left > 0)
                return 1;
        writer_u8(to, '\0');
        return set_value(load) >= 0;
}

int config_parse(struct load *load, const uint8_t *text, size_t n) {
        static const uint8_t mark[] = {0xef, 0xbb, 0xbf}; /* UTF-8's byte order mark */
        struct bytes left = {text, n}, start;
        int r;

        if (bytes_slice(&left, sizeof(mark), &start) && !bytes_equal(start, mark, sizeof(mark)))
                left = (struct bytes){text, n};

        /* The joined pieces of a line are never longer than the line, which may end without a newline, and a NUL. */
        *load = (struct load){
                .config = load->config,
                .warning = load->warning,
                .context = load->context,
                .default_ttl_file = load->default_ttl_file,
                .default_ttl_line = load->default_ttl_line,
                .file = load->file,
                .left = left,
                .value = {.size = n + 2},
        };
        load->value.data = malloc(load->value.size);
        if (!load->value.data)
                return config_fail(load, "out of memory");
        r = ini_parse_stream(next_piece, load, take_piece, load);
        if (!load->config->error && (r != 0 || load->unanswered))
                (void)config_fail(load, "no = in this line; write Key=value, and # before a comment");
        free(load->value.data);
        if (load->config->error)
                return -EINVAL;
        return check_not_empty(load);
}
