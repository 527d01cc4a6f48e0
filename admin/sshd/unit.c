/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "admin/sshd/text_file.h"
#include "admin/sshd/unit_files.h"
#include "admin/sshd/unit_words.h"

enum {
        VARIABLES_MAX = 64,
        LINES_MAX = 8, /* of ExecStart= */
};

/* What may stand before a program's path. */
#define PREFIXES "-@:+!|"

struct variable {
        char *assignment; /* NAME=VALUE */
        char file[PATH_MAX];
};

/* What the files of a unit add up to. */
struct load {
        const char *name;
        struct {
                char *text;
                char file[PATH_MAX];
        } lines[LINES_MAX];
        size_t n_lines;
        struct variable set[VARIABLES_MAX], from_files[VARIABLES_MAX];
        size_t n_set, n_from_files;
};

static int put_variable(struct variable *list, size_t *n, const char *assignment, const char *file) {
        size_t name_length = strcspn(assignment, "=");
        struct variable *to = NULL;
        char *copy;

        if (assignment[name_length] != '=' || name_length == 0)
                return 0;
        for (size_t i = 0; i < *n; i++)
                if (strncmp(list[i].assignment, assignment, name_length + 1) == 0)
                        to = list + i;
        if (!to && *n == VARIABLES_MAX)
                return -E2BIG;
        copy = strdup(assignment);
        if (!copy)
                return -ENOMEM;
        if (to)
                free(to->assignment);
        else {
                to = list + (*n)++;
        }
        to->assignment = copy; /* transferred */
        (void)snprintf(to->file, sizeof(to->file), "%s", file);
        return 0;
}

static void clear_variables(struct variable *list, size_t *n) {
        for (size_t i = 0; i < *n; i++)
                free(list[i].assignment);
        *n = 0;
}

static const struct variable *find_variable(const struct load *load, const char *name, size_t length) {
        const struct {
                const struct variable *list;
                size_t n;
        } lists[] = {{load->from_files, load->n_from_files}, {load->set, load->n_set}};

        for (size_t k = 0; k < 2; k++)
                for (size_t i = 0; i < lists[k].n; i++)
                        if (strncmp(lists[k].list[i].assignment, name, length) == 0 &&
                            lists[k].list[i].assignment[length] == '=')
                                return lists[k].list + i;
        return NULL;
}

/* Lines as systemd reads them: a backslash at the end goes on with the next line. NULL at the end, or without memory. */
static char *joined_line(const char **at) {
        char *line = NULL;

        while (**at) {
                size_t length = strcspn(*at, "\n"), used = line ? strlen(line) : 0;
                bool more = length > 0 && (*at)[length - 1] == '\\';
                const char *first = *at + strspn(*at, " \t");
                char *longer;

                /* A comment among lines that are continued is passed over. */
                if (line && (*first == '#' || *first == ';')) {
                        *at += length + ((*at)[length] == '\n');
                        continue;
                }
                longer = realloc(line, used + length + 1);
                if (!longer)
                        break;
                line = longer;
                memcpy(line + used, *at, length);
                if (more)
                        line[used + length - 1] = ' ';
                line[used + length] = '\0';
                *at += length + ((*at)[length] == '\n');
                if (!more)
                        break;
        }
        return line;
}

/* The file of an EnvironmentFile=: an assignment to a line, and its value in quotes or not. */
static int read_environment_file(struct load *load, const char *value) {
        char *text = NULL, *path = NULL, *line;
        const char *at;
        int r;

        r = unit_expand_specifiers(*value == '-' ? value + 1 : value, load->name, &path);
        if (r < 0)
                return r;
        if (text_file_read(path, &text, NULL) < 0) {
                free(path);
                return 0; /* with "-" nothing is amiss, and without it the service does not start */
        }
        at = text;
        while (r >= 0 && (line = joined_line(&at))) {
                char *name = line + strspn(line, " \t"), *equals = strchr(name, '='), *assignment = NULL;

                if (*name != '#' && *name != ';' && equals) {
                        char *from = equals + 1 + strspn(equals + 1, " \t"), quote = '\0';
                        size_t n = 0;

                        for (char *c = from; *c; c++) {
                                if (quote == '\0' ? *c == '"' || *c == '\'' : *c == quote) {
                                        quote = quote == '\0' ? *c : '\0';
                                        continue;
                                }
                                if (*c == '\\' && quote != '\'' && c[1] != '\0')
                                        c++;
                                from[n++] = *c;
                        }
                        while (n > 0 && strchr(" \t\r", from[n - 1]))
                                n--;
                        if (asprintf(&assignment, "%.*s=%.*s", (int)strcspn(name, " \t="), name, (int)n, from) < 0) {
                                assignment = NULL;
                                r = -ENOMEM;
                        } else
                                r = put_variable(load->from_files, &load->n_from_files, assignment, path);
                }
                free(assignment);
                free(line);
        }
        free(text);
        free(path);
        return r;
}

static int take_environment(struct load *load, const char *value, const char *file) {
        char *expanded = NULL, *word;
        const char *at;
        bool open;
        int r;

        r = unit_expand_specifiers(value, load->name, &expanded);
        if (r < 0)
                return r;
        at = expanded;
        while (r >= 0 && unit_next_word(&at, &word, &open)) {
                r = put_variable(load->set, &load->n_set, word, file);
                free(word);
        }
        free(expanded);
        return r;
}

static void clear_lines(struct load *load) {
        for (size_t i = 0; i < load->n_lines; i++)
                free(load->lines[i].text);
        load->n_lines = 0;
}

static int take_setting(struct load *load, const char *name, const char *value, const char *file) {
        bool reset = *value == '\0';

        if (strcmp(name, "ExecStart") == 0) {
                if (reset) {
                        clear_lines(load);
                        return 0;
                }
                if (load->n_lines == LINES_MAX)
                        return -E2BIG;
                load->lines[load->n_lines].text = strdup(value);
                if (!load->lines[load->n_lines].text)
                        return -ENOMEM;
                (void)snprintf(load->lines[load->n_lines++].file, PATH_MAX, "%s", file);
                return 0;
        }
        if (strcmp(name, "Environment") == 0) {
                if (!reset)
                        return take_environment(load, value, file);
                clear_variables(load->set, &load->n_set);
        }
        if (strcmp(name, "EnvironmentFile") == 0) {
                if (!reset)
                        return read_environment_file(load, value);
                clear_variables(load->from_files, &load->n_from_files);
        }
        return 0;
}

static int read_fragment(struct load *load, const char *path) {
        bool in_service = false;
        char *text = NULL, *line;
        const char *at;
        int r;

        r = text_file_read(path, &text, NULL);
        if (r == -EBADF)
                return 0; /* /dev/null: a drop-in that is masked */
        if (r < 0)
                return r;
        at = text;
        while (r >= 0 && (line = joined_line(&at))) {
                char *name = line + strspn(line, " \t"), *equals;
                size_t n = strlen(line);

                while (n > 0 && strchr(" \t\r", line[n - 1]))
                        line[--n] = '\0';
                if (*name == '[')
                        in_service = strcmp(name, "[Service]") == 0;
                else if (in_service && *name != '#' && *name != ';' && (equals = strchr(name, '='))) {
                        char *value = equals + 1 + strspn(equals + 1, " \t");

                        while (equals > name && strchr(" \t", equals[-1]))
                                equals--;
                        *equals = '\0';
                        r = take_setting(load, name, value, path);
                }
                free(line);
        }
        free(text);
        return r;
}

static void load_clear(struct load *load) {
        clear_lines(load);
        clear_variables(load->set, &load->n_set);
        clear_variables(load->from_files, &load->n_from_files);
        free(load);
}

static int load_unit(const char *name, struct load **ret) {
        struct load *load = calloc(1, sizeof(*load));
        struct unit_paths paths;
        int r;

        if (!load)
                return -ENOMEM;
        load->name = name;
        r = unit_paths_find(name, &paths);
        if (r >= 0) {
                for (size_t i = 0; i < paths.n && r >= 0; i++)
                        r = read_fragment(load, paths.path[i]);
                unit_paths_clear(&paths);
        }
        if (r < 0) {
                load_clear(load);
                return r;
        }
        *ret = load; /* transferred */
        return 0;
}

static int put_word(struct unit *unit, char *text, size_t from, size_t to, const char *variable) {
        char *name = NULL;

        if (unit->n_words == UNIT_WORDS_MAX)
                return -E2BIG;
        if (variable) {
                name = strdup(variable);
                if (!name)
                        return -ENOMEM;
        }
        unit->words[unit->n_words++] = (struct unit_word){.text = text, .from = from, .to = to, .variable = name};
        return 0;
}

/* "$NAME" alone is as many words as its value has. */
static int put_variable_words(const struct load *load, struct unit *unit, const char *name, size_t from, size_t to) {
        const struct variable *found = find_variable(load, name, strlen(name));
        const char *at;
        char *word;
        bool open;
        int r = 0;

        if (!found)
                return 0;
        at = found->assignment + strlen(name) + 1;
        while (r >= 0 && unit_next_word(&at, &word, &open)) {
                r = put_word(unit, word, from, to, name);
                if (r < 0)
                        free(word);
        }
        return r < 0 || !open ? r : -EBADMSG;
}

/* "${NAME}" within a word, and "$$". */
static int expand_variables(const struct load *load, const char *text, char **ret) {
        size_t size = 0;
        FILE *to;
        char *expanded = NULL;

        to = open_memstream(&expanded, &size);
        if (!to)
                return -ENOMEM;
        for (; *text; text++) {
                const char *end = text[0] == '$' && text[1] == '{' ? strchr(text, '}') : NULL;
                const struct variable *found;

                if (end) {
                        size_t n = (size_t)(end - text) - 2;

                        found = find_variable(load, text + 2, n);
                        if (found)
                                (void)fputs(found->assignment + n + 1, to);
                        text = end;
                        continue;
                }
                if (text[0] == '$' && text[1] == '$')
                        text++;
                (void)fputc(*text, to);
        }
        if (fclose(to) != 0) {
                free(expanded);
                return -ENOMEM;
        }
        *ret = expanded; /* transferred */
        return 0;
}

static int split_line(const struct load *load, const char *line, struct unit *unit) {
        const char *at = line;
        char *raw, *word;
        bool open = false;
        int r = 0;

        for (;;) {
                size_t from = (size_t)(at - line) + strspn(at, " \t"), to;
                char *specified = NULL;

                if (r < 0 || !unit_next_word(&at, &raw, &open))
                        break;
                to = (size_t)(at - line);
                if (strcmp(raw, ";") == 0) {
                        free(raw);
                        break; /* another command */
                }
                if (raw[0] == '$' && raw[1] != '{' && raw[1] != '$' && raw[1] != '\0')
                        r = put_variable_words(load, unit, raw + 1, from, to);
                else {
                        r = unit_expand_specifiers(raw, load->name, &specified);
                        if (r >= 0)
                                r = expand_variables(load, specified, &word);
                        if (r >= 0) {
                                r = put_word(unit, word, from, to, NULL);
                                if (r < 0)
                                        free(word);
                        }
                        free(specified);
                }
                free(raw);
        }
        return r < 0 || !open ? r : -EBADMSG;
}

/* The same file, whatever links lead there. */
static bool same_program(const char *a, const char *b) {
        struct stat a_st, b_st;

        return strcmp(a, b) == 0 ||
               (stat(a, &a_st) == 0 && stat(b, &b_st) == 0 && a_st.st_dev == b_st.st_dev && a_st.st_ino == b_st.st_ino);
}

static void clear_words(struct unit *unit) {
        for (size_t i = 0; i < unit->n_words; i++) {
                free(unit->words[i].text);
                free(unit->words[i].variable);
        }
        unit->n_words = 0;
}

/* With "@" the second word is the name that the program is given, argv[0]. */
static void drop_given_name(struct unit *unit) {
        const char *first = unit->words[0].text;

        if (!memchr(first, '@', strspn(first, PREFIXES)) || unit->n_words < 2)
                return;
        free(unit->words[1].text);
        free(unit->words[1].variable);
        unit->n_words--;
        memmove(unit->words + 1, unit->words + 2, (unit->n_words - 1) * sizeof(unit->words[0]));
}

int unit_read(const char *name, const char *program, struct unit *ret) {
        struct unit unit = {.exec_start = NULL};
        struct load *load;
        int r;

        r = load_unit(name, &load);
        if (r < 0)
                return r;
        r = -ENOENT;
        for (size_t i = 0; i < load->n_lines; i++) {
                r = split_line(load, load->lines[i].text, &unit);
                if (r < 0)
                        break;
                if (unit.n_words > 0 &&
                    same_program(unit.words[0].text + strspn(unit.words[0].text, PREFIXES), program)) {
                        drop_given_name(&unit);
                        unit.exec_start = load->lines[i].text; /* transferred */
                        load->lines[i].text = NULL;
                        (void)snprintf(unit.exec_file, sizeof(unit.exec_file), "%s", load->lines[i].file);
                        (void)snprintf(unit.name, sizeof(unit.name), "%s", name);
                        break;
                }
                clear_words(&unit);
                r = -ENOENT;
        }
        load_clear(load);
        if (r < 0) {
                clear_words(&unit);
                return r;
        }
        *ret = unit; /* transferred */
        return 0;
}

void unit_clear(struct unit *unit) {
        clear_words(unit);
        free(unit->exec_start);
        unit->exec_start = NULL;
}

int unit_variable_file(const char *name, const char *variable, char ret[static PATH_MAX]) {
        const struct variable *found;
        struct load *load;
        int r;

        r = load_unit(name, &load);
        if (r < 0)
                return r;
        found = find_variable(load, variable, strlen(variable));
        (void)snprintf(ret, PATH_MAX, "%s", found ? found->file : "");
        load_clear(load);
        return 0;
}
