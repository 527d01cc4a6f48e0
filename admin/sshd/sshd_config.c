/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/sshd_config.h"

#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/sshd/keys_command.h"
#include "admin/sshd/text_file.h"
#include "common/debug.h"

#define SSHD_DIR "/etc/ssh"
#define BLANKS " \t\r\n"

/* Where reading is. */
struct reading {
        struct sshd_config *config;
        const struct own_files *own;
        size_t n_files;
        char *why; /* SSHD_WHY_MAX */

        const char *copies; /* the directory for copies; NULL: none are made */
        unsigned n_copies;
        bool without_ours; /* in the copies */

        const char *keyword; /* of the line that is looked for; NULL: none is */
        bool (*accept)(const char *value);
        struct sshd_line *line;
        bool found;
};

/* What a line is read in. A file that is included has one of its own, and leaves its Match blocks behind at its end. */
struct context {
        const char *file; /* NULL: the command line */
        unsigned line;
        int own;
        int block;
        bool always;      /* as in struct config_place */
        bool conditional; /* included in a block that is not for all: no "Match all" makes up for that */
        int depth;
        FILE *copy; /* of the file; NULL: none */
};

static int fail(struct reading *reading, int error, const char *file, unsigned line, const char *what) {
        if (line > 0)
                (void)snprintf(reading->why, SSHD_WHY_MAX, "%s line %u: %s", file, line, what);
        else
                (void)snprintf(reading->why, SSHD_WHY_MAX, "%s: %s", file ? file : "the command line", what);
        return error;
}

static char *copy_or_null(const char *text) {
        return text ? strdup(text) : NULL;
}

static int add_place(struct reading *reading, const struct context *context, enum config_word word, const char *value,
                     int own) {
        struct sshd_config *config = reading->config;
        struct config_place *place = config->place + config->n_places;

        if (config->n_places == CONFIG_PLACES_MAX)
                return fail(reading, -E2BIG, context->file, context->line,
                            "too many lines that set AuthorizedKeysCommand");
        *place = (struct config_place){
                .word = word,
                .value = copy_or_null(value),
                .file = copy_or_null(context->file),
                .line = context->line,
                .block = context->block,
                .always = context->always,
                .own = own,
        };
        config->n_places++;
        if ((value && !place->value) || (context->file && !place->file))
                return fail(reading, -ENOMEM, context->file, context->line, "out of memory");
        return 0;
}

bool sshd_config_earlier(const struct timespec *a, const struct timespec *b) {
        return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* To be called before it is read. A link is changed also where what it points to is not. */
static int note_change(struct reading *reading, const char *path) {
        struct sshd_config *config = reading->config;
        struct stat st, target;
        char *copy;

        if (lstat(path, &st) < 0)
                return 0;
        if (stat(path, &target) == 0 && sshd_config_earlier(&st.st_ctim, &target.st_ctim))
                st = target;
        if (config->newest && !sshd_config_earlier(&config->newest_at, &st.st_ctim))
                return 0;
        copy = strdup(path);
        if (!copy)
                return fail(reading, -ENOMEM, path, 0, "out of memory");
        free(config->newest);
        config->newest = copy;
        config->newest_at = st.st_ctim;
        return 0;
}

/* All that match; where none does, those above it, whose change would show that it came or went. */
static int note_matches(struct reading *reading, const char *pattern, size_t length) {
        char *part = strndup(pattern, length), *slash;
        glob_t found = {.gl_pathc = 0};
        int r = 0;

        if (!part)
                return fail(reading, -ENOMEM, NULL, 0, "out of memory");
        while (glob(part, 0, NULL, &found) != 0 && (slash = strrchr(part, '/')))
                *slash = '\0';
        for (size_t i = 0; i < found.gl_pathc && r >= 0; i++)
                r = note_change(reading, found.gl_pathv[i]);
        globfree(&found);
        free(part);
        return r;
}

/*
 * The directories that are listed for an Include: their change time is another one when a file came or went. A name without
 * a wildcard shows that itself, while the file is there.
 */
static int note_directories(struct reading *reading, const char *pattern, bool there) {
        size_t literal = strcspn(pattern, "*?[\\");
        const char *next;
        int r = 0;

        if (pattern[literal] == '\0' && there)
                return 0;
        for (const char *slash = strchr(pattern + 1, '/'); slash && r >= 0; slash = next) {
                next = strchr(slash + 1, '/');
                if ((next ? (size_t)(next - pattern) : strlen(pattern)) >= literal)
                        r = note_matches(reading, pattern, (size_t)(slash - pattern));
        }
        return r;
}

static int read_lines(struct reading *reading, struct context *context, const char *text);

static int read_file(struct reading *reading, const struct context *from, const char *path) {
        struct context context = *from;
        char *text = NULL;
        struct stat st;
        int r;

        if (++reading->n_files > SSHD_CONFIG_FILES_MAX)
                return fail(reading, -E2BIG, path, 0, "too many files are included");
        if (++context.depth > CONFIG_DEPTH_MAX)
                return fail(reading, -ELOOP, path, 0, "files are included too deep");
        context.file = path;
        context.line = 0;
        r = note_change(reading, path);
        if (r < 0)
                return r;
        r = text_file_read(path, &text, &st);
        debug_line("sshd's configuration: %s: %s", path, r < 0 ? strerror(-r) : "read");
        if (r < 0)
                return fail(reading, r, path, 0, r == -EBADF ? "is no file" : strerror(-r));
        /* sshd puts what is before and behind a NUL together: it is left to it. */
        if (strlen(text) != (size_t)st.st_size)
                r = fail(reading, -EBADMSG, path, 0, "has a NUL in it");
        else
                r = read_lines(reading, &context, text);
        free(text);
        return r;
}

static int read_own(struct reading *reading, const struct context *from, int own) {
        struct context context = *from;

        context.file = drop_in_paths[own];
        context.line = 0;
        context.own = own;
        context.depth++;
        reading->config->reads_own[own] = true;
        return read_lines(reading, &context, reading->own->text[own]);
}

static int own_of(const struct reading *reading, const char *path) {
        for (int i = 0; i < DROP_IN_FILES && reading->own; i++)
                if (strcmp(path, drop_in_paths[i]) == 0)
                        return i;
        return -1;
}

static int by_bytes(const void *a, const void *b) {
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The files of one pattern, in sshd's order: those on disk that are not ours, and ours as they would be. */
static int include(struct reading *reading, const struct context *context, const char *pattern) {
        const char *paths[SSHD_CONFIG_FILES_MAX + DROP_IN_FILES];
        size_t n = 0;
        glob_t found = {.gl_pathc = 0};
        int r = glob(pattern, 0, NULL, &found);

        if (r == GLOB_NOSPACE)
                return fail(reading, -ENOMEM, context->file, context->line, "out of memory");
        if (r != 0 && r != GLOB_NOMATCH)
                return fail(reading, -EIO, context->file, context->line, "its Include cannot be read");
        r = note_directories(reading, pattern, found.gl_pathc > 0);
        for (size_t i = 0; i < found.gl_pathc && r >= 0; i++) {
                if (own_of(reading, found.gl_pathv[i]) >= 0)
                        continue;
                if (n == SSHD_CONFIG_FILES_MAX) {
                        r = fail(reading, -E2BIG, context->file, context->line, "includes too many files");
                        break;
                }
                paths[n++] = found.gl_pathv[i];
        }
        for (int i = 0; i < DROP_IN_FILES && reading->own && r >= 0; i++) {
                if (fnmatch(pattern, drop_in_paths[i], FNM_PATHNAME | FNM_PERIOD) != 0)
                        continue;
                if (reading->own->text[i])
                        paths[n++] = drop_in_paths[i];
                /* Named, and not only met by a pattern. */
                if (i >= DROP_IN_NAMES && strcmp(pattern, drop_in_paths[i]) == 0)
                        r = add_place(reading, context, CONFIG_OWN_INCLUDE, NULL, i);
        }
        qsort(paths, n, sizeof(paths[0]), by_bytes);
        for (size_t i = 0; i < n && r >= 0; i++) {
                int own = own_of(reading, paths[i]);

                if (context->copy)
                        (void)fprintf(context->copy, " %s/%u", reading->copies, reading->n_copies);
                r = own >= 0 ? read_own(reading, context, own) : read_file(reading, context, paths[i]);
        }
        globfree(&found);
        return r;
}

static int take_include(struct reading *reading, const struct context *from, const char *rest) {
        struct context context = *from;
        char *word;
        int r;

        /* A block that is for all lets what it includes count for all; any other does not. */
        context.conditional = !context.always;
        /* Never without a name, which would be a fault. */
        if (context.copy)
                (void)fprintf(context.copy, "Include %s/none", reading->copies);
        while ((r = sshd_word_next(&rest, true, &word)) > 0) {
                char *pattern = NULL;

                if (asprintf(&pattern, "%s%s", *word == '/' || *word == '~' ? "" : SSHD_DIR "/", word) < 0)
                        r = fail(reading, -ENOMEM, context.file, context.line, "out of memory");
                else
                        r = include(reading, &context, pattern);
                free(pattern);
                free(word);
                if (r < 0)
                        return r;
        }
        /* With a quote that is not closed, sshd does not take it either. */
        return r == -ENOMEM ? fail(reading, r, context.file, context.line, "out of memory") : 0;
}

static int take_match(struct reading *reading, struct context *context, const char *rest) {
        struct sshd_config *config = reading->config;
        struct config_block *block = config->block + config->n_blocks;
        char *first = NULL, *second = NULL;
        const char *at = rest;
        int r;

        if (config->n_blocks == CONFIG_BLOCKS_MAX)
                return fail(reading, -E2BIG, context->file, context->line, "too many Match blocks");
        r = sshd_word_next(&at, true, &first);
        if (r > 0)
                r = sshd_word_next(&at, true, &second);
        *block = (struct config_block){.condition = strdup(rest),
                                       .file = copy_or_null(context->file),
                                       .line = context->line,
                                       .conditional = context->conditional};
        config->n_blocks++;
        context->block = (int)config->n_blocks - 1;
        context->always = !context->conditional && first && strcasecmp(first, "all") == 0 && !second;
        free(first);
        free(second);
        if (r == -ENOMEM || !block->condition || (context->file && !block->file))
                return fail(reading, -ENOMEM, context->file, context->line, "out of memory");
        return 0;
}

static bool names_ours(const char *command) {
        enum keys_command_kind kind = keys_command_kind(command, NULL);

        return kind == KEYS_COMMAND_OURS || kind == KEYS_COMMAND_OURS_WRONG_USER;
}

/*
 * Cuts the keyword off, as strdelim() in OpenSSH's misc.c does it: it ends at a blank or one '=', and may stand in quotes.
 * NULL where a quote is not closed.
 */
static char *cut_keyword(char **line) {
        char *keyword = *line, *end = strpbrk(keyword, BLANKS "\"="), *rest;
        bool equals;

        if (!end) {
                *line = keyword + strlen(keyword);
                return keyword;
        }
        if (*end == '"') {
                memmove(end, end + 1, strlen(end + 1) + 1);
                end = strchr(end, '"');
                if (!end)
                        return NULL;
                *end = '\0';
                *line = end + 1 + strspn(end + 1, BLANKS);
                return keyword;
        }
        equals = *end == '=';
        *end = '\0';
        rest = end + 1 + strspn(end + 1, BLANKS);
        if (*rest == '=' && !equals)
                rest += 1 + strspn(rest + 1, BLANKS);
        *line = rest;
        return keyword;
}

/* Whether it is the one that is looked for. */
static void look_at(struct reading *reading, const struct context *context, const char *keyword, const char *value) {
        value += strspn(value, BLANKS "=");
        if (!reading->keyword || reading->found || !context->file || strcasecmp(keyword, reading->keyword) != 0 ||
            !reading->accept(value))
                return;
        reading->found = true;
        reading->line->number = context->line;
        (void)snprintf(reading->line->file, sizeof(reading->line->file), "%s", context->file);
}

/* One line, which is changed. `ret_copied`: whether it stands as it is in a copy. */
static int read_line(struct reading *reading, struct context *context, char *line, bool *ret_copied) {
        size_t n = strlen(line);
        char *rest = line, *keyword, *word;
        const char *at;
        int r;

        while (n > 0 && strchr(BLANKS "\f", line[n - 1]))
                line[--n] = '\0';
        rest += strspn(rest, BLANKS);
        keyword = cut_keyword(&rest);
        /* sshd passes over a line with a quote in its keyword that is not closed. */
        if (!keyword || *keyword == '\0' || *keyword == '#')
                return 0;
        look_at(reading, context, keyword, rest);
        if (strcasecmp(keyword, "Include") == 0) {
                *ret_copied = false;
                return take_include(reading, context, rest);
        }
        if (strcasecmp(keyword, "Match") == 0)
                return take_match(reading, context, rest);
        if (strcasecmp(keyword, "AuthorizedKeysCommand") == 0) {
                rest += strspn(rest, BLANKS);
                *ret_copied = !reading->without_ours || !names_ours(rest);
                return add_place(reading, context, CONFIG_COMMAND, rest, context->own);
        }
        if (strcasecmp(keyword, "AuthorizedKeysCommandUser") != 0)
                return 0;
        at = rest;
        r = sshd_word_next(&at, true, &word);
        if (r == -ENOMEM)
                return fail(reading, r, context->file, context->line, "out of memory");
        if (r <= 0)
                return 0;
        r = add_place(reading, context, CONFIG_USER, word, context->own);
        free(word);
        return r;
}

static int open_copy(struct reading *reading, struct context *context) {
        char path[PATH_MAX];

        if (!reading->copies)
                return 0;
        (void)snprintf(path, sizeof(path), "%s/%u", reading->copies, reading->n_copies++);
        context->copy = fopen(path, "wxe");
        return context->copy ? 0 : fail(reading, -errno, reading->copies, 0, strerror(errno));
}

static int close_copy(struct reading *reading, const struct context *context) {
        bool failed;

        if (!context->copy)
                return 0;
        failed = ferror(context->copy);
        failed |= fclose(context->copy) != 0;
        return failed ? fail(reading, -EIO, reading->copies, 0, "cannot be written") : 0;
}

static int read_lines(struct reading *reading, struct context *context, const char *text) {
        int r = open_copy(reading, context), closed;

        if (r < 0)
                return r;
        while (*text && r >= 0) {
                const char *whole = text;
                char *line = text_line(&text);
                bool copied = true;

                context->line++;
                r = line ? read_line(reading, context, line, &copied)
                         : fail(reading, -ENOMEM, context->file, context->line, "out of memory");
                free(line);
                /* Lines keep their numbers, which sshd's complaints have. */
                if (context->copy)
                        (void)fprintf(context->copy, "%.*s\n", copied ? (int)strcspn(whole, "\n") : 0, whole);
        }
        closed = close_copy(reading, context);
        return r < 0 ? r : closed;
}

static int read_arguments(struct reading *reading, char *const arguments[], const char **root) {
        for (size_t i = 0; arguments && arguments[i] && arguments[i + 1]; i += 2) {
                struct context context = {.own = -1, .block = -1, .always = true};
                bool ignored;
                char *line;
                int r;

                if (strcmp(arguments[i], "-f") == 0)
                        *root = arguments[i + 1];
                if (strcmp(arguments[i], "-o") != 0)
                        continue;
                line = strdup(arguments[i + 1]);
                if (!line)
                        return fail(reading, -ENOMEM, NULL, 0, "out of memory");
                r = read_line(reading, &context, line, &ignored);
                free(line);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* On failure nothing is left to be freed. */
static int read_all(struct reading *reading, char *const arguments[], unsigned *ret_root_copy) {
        const struct context top = {.own = -1, .block = -1, .always = true};
        const char *root = SSHD_CONFIG;
        int r;

        reading->config = calloc(1, sizeof(*reading->config));
        if (!reading->config)
                return fail(reading, -ENOMEM, SSHD_CONFIG, 0, "out of memory");
        r = read_arguments(reading, arguments, &root);
        if (r >= 0) {
                *ret_root_copy = reading->n_copies;
                reading->config->root = strdup(root);
                r = reading->config->root ? read_file(reading, &top, root)
                                          : fail(reading, -ENOMEM, root, 0, "out of memory");
        }
        if (r < 0)
                sshd_config_free(reading->config);
        return r;
}

int sshd_config_read(char *const arguments[], const struct own_files *own, struct sshd_config **ret,
                     char ret_why[static SSHD_WHY_MAX]) {
        struct reading reading = {.own = own, .why = ret_why};
        unsigned ignored;
        int r = read_all(&reading, arguments, &ignored);

        if (r >= 0)
                *ret = reading.config; /* transferred */
        return r;
}

bool sshd_config_find(char *const arguments[], const char *keyword, bool (*accept)(const char *value),
                      struct sshd_line *ret) {
        char why[SSHD_WHY_MAX];
        struct reading reading = {.why = why, .keyword = keyword, .accept = accept, .line = ret};
        unsigned ignored;

        if (read_all(&reading, arguments, &ignored) < 0)
                return false;
        sshd_config_free(reading.config);
        return reading.found;
}

int sshd_config_copy(char *const arguments[], const struct own_files *own, bool without_ours, const char *directory,
                     struct config_copy *ret, char ret_why[static SSHD_WHY_MAX]) {
        struct reading reading = {.own = own, .why = ret_why, .copies = directory, .without_ours = without_ours};
        unsigned root;
        int r = read_all(&reading, arguments, &root);

        *ret = (struct config_copy){.n = reading.n_copies};
        if (r < 0)
                return r;
        (void)snprintf(ret->root, sizeof(ret->root), "%s/%u", directory, root);
        sshd_config_free(reading.config);
        return 0;
}

void sshd_config_free(struct sshd_config *config) {
        if (!config)
                return;
        for (size_t i = 0; i < config->n_places; i++) {
                free(config->place[i].value);
                free(config->place[i].file);
        }
        for (size_t i = 0; i < config->n_blocks; i++) {
                free(config->block[i].condition);
                free(config->block[i].file);
        }
        free(config->newest);
        free(config->root);
        free(config);
}

static void take_first(struct config_pair *pair, const struct config_place *place) {
        if (place->word == CONFIG_COMMAND && !pair->command)
                pair->command = place;
        if (place->word == CONFIG_USER && !pair->user)
                pair->user = place;
}

static void take_rest(struct config_pair *pair, struct config_pair rest) {
        pair->command = pair->command ? pair->command : rest.command;
        pair->user = pair->user ? pair->user : rest.user;
}

static bool counts(const struct config_place *place, bool theirs) {
        return place->word != CONFIG_OWN_INCLUDE && (!theirs || place->own < 0);
}

struct config_pair sshd_config_pair(const struct sshd_config *config, int block, bool theirs) {
        struct config_pair pair = {.command = NULL};

        for (size_t i = 0; i < config->n_places; i++) {
                const struct config_place *place = config->place + i;

                if (counts(place, theirs) && (block < 0 ? place->always : place->block == block))
                        take_first(&pair, place);
        }
        /* A block leaves what it does not set to what holds for all. */
        if (block >= 0)
                take_rest(&pair, sshd_config_plain(config, theirs));
        return pair;
}

struct config_pair sshd_config_plain(const struct sshd_config *config, bool theirs) {
        struct config_pair pair = {.command = NULL};

        for (size_t i = 0; i < config->n_places; i++) {
                const struct config_place *place = config->place + i;

                if (counts(place, theirs) && place->always && place->block >= 0)
                        take_first(&pair, place);
        }
        take_rest(&pair, sshd_config_pair(config, -1, theirs));
        return pair;
}
