/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/sshd/keys_command.h"
#include "admin/sshd/systemd.h"
#include "admin/sshd/text_file.h"
#include "conf/conf_files.h"

/* What may stand before a program's path. */
#define PREFIXES "-@:+!|"
#define BLANKS " \t\r"

/* Where units are looked for, the first of one name counts. */
static const char *const directories[] = {
        "/etc/systemd/system.control",   "/run/systemd/system.control",  "/run/systemd/transient",
        "/run/systemd/generator.early",  "/etc/systemd/system",          "/etc/systemd/system.attached",
        "/run/systemd/system",           "/run/systemd/system.attached", "/run/systemd/generator",
        "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",      "/lib/systemd/system",
        "/run/systemd/generator.late",
};
enum { N_DIRECTORIES = sizeof(directories) / sizeof(directories[0]) };

/* A unit while its files are read. */
struct reading {
        const char *name;
        struct strv files;           /* its own file, and its drop-ins in the order in which they count */
        struct strv lines;           /* of ExecStart= */
        struct strv set, from_files; /* NAME=VALUE, of Environment= and EnvironmentFile=; the last of one name counts */
        struct strv environment_files;
};

static bool has_suffix(const char *name, const char *suffix) {
        size_t n = strlen(name), m = strlen(suffix);

        return n > m && strcmp(name + n - m, suffix) == 0;
}

bool unit_is_template(const char *name) {
        return has_suffix(name, "@" UNIT_SUFFIX);
}

/* --- which files make it up --- */

/* The first file of that name: `drop_in` of one of the units, or the unit's own where that is NULL. */
static bool find_path(const char *const names[static 2], const char *drop_in, char ret[static PATH_MAX]) {
        for (size_t i = 0; i < 2 * N_DIRECTORIES; i++)
                if (names[i % 2] &&
                    snprintf(ret, PATH_MAX, "%s/%s%s%s", directories[i / 2], names[i % 2], drop_in ? ".d/" : "",
                             drop_in ? drop_in : "") < PATH_MAX &&
                    access(ret, F_OK) == 0)
                        return true;
        return false;
}

/* The names of the unit's drop-ins in one of the directories. */
static int add_names(const char *directory, const char *unit, struct strv *ret) {
        struct strv names = {.n = 0};
        char path[PATH_MAX];
        int fd, r;

        (void)snprintf(path, sizeof(path), "%s/%s.d", directory, unit);
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return 0;
        r = conf_files_list(fd, ".conf", &names);
        (void)close(fd);
        for (size_t i = 0; i < names.n && r >= 0; i++)
                r = strv_add(ret, names.item[i]);
        strv_clear(&names);
        return r;
}

/* Without systemd. `names`: the unit's, and its template's where it is an instance. */
static int look_for_files(const char *const names[static 2], struct strv *ret) {
        struct strv drop_ins = {.n = 0};
        char path[PATH_MAX];
        int r;

        if (!find_path(names, NULL, path))
                return -ENOENT;
        r = strv_add(ret, path);
        for (size_t i = 0; i < 2 * N_DIRECTORIES && r >= 0; i++)
                if (names[i % 2])
                        r = add_names(directories[i / 2], names[i % 2], &drop_ins);
        strv_sort(&drop_ins);
        for (size_t i = 0; i < drop_ins.n && r >= 0; i++)
                if ((i == 0 || strcmp(drop_ins.item[i], drop_ins.item[i - 1]) != 0) &&
                    find_path(names, drop_ins.item[i], path))
                        r = strv_add(ret, path);
        strv_clear(&drop_ins);
        return r;
}

static int find_files(const char *name, struct strv *ret) {
        const char *at = strchr(name, '@'), *names[2] = {name, NULL};
        char template[NAME_MAX + 1], *fragment;
        int r;

        if (systemd_runs() && !unit_is_template(name)) {
                r = systemd_get_string(name, "FragmentPath", &fragment);
                if (r < 0)
                        return r == -EINVAL ? -ENOENT
                                            : r; /* no name of a unit, as of a copy that somebody left there */
                r = *fragment ? strv_add(ret, fragment) : -ENOENT;
                free(fragment);
                return r < 0 ? r : systemd_get_strings(name, "DropInPaths", ret);
        }
        if (at && !unit_is_template(name)) {
                (void)snprintf(template, sizeof(template), "%.*s@" UNIT_SUFFIX, (int)(at - name), name);
                names[1] = template;
        }
        return look_for_files(names, ret);
}

/* --- what they say --- */

/* The value of a variable, or NULL. */
static const char *variable(const struct reading *unit, const char *name, size_t length) {
        const struct strv *const lists[] = {&unit->from_files, &unit->set};

        for (size_t k = 0; k < 2; k++)
                for (size_t i = lists[k]->n; i > 0; i--)
                        if (strncmp(lists[k]->item[i - 1], name, length) == 0 && lists[k]->item[i - 1][length] == '=')
                                return lists[k]->item[i - 1] + length + 1;
        return NULL;
}

/* Specifiers, and where `variables` "${NAME}" and "$$". Other specifiers are no part of an sshd's command line, and stay. */
static int expand(const struct reading *unit, const char *text, bool variables, char **ret) {
        const char *instance = strchr(unit->name, '@'), *end, *value;
        char *expanded = NULL;
        size_t size;
        FILE *to = open_memstream(&expanded, &size);

        if (!to)
                return -ENOMEM;
        for (; *text; text++) {
                if (text[0] == '%' && text[1] && strchr("%iIn", text[1])) {
                        text++;
                        if (*text == '%')
                                (void)fputc('%', to);
                        else if (*text == 'n')
                                (void)fputs(unit->name, to);
                        else if (instance)
                                (void)fprintf(to, "%.*s", (int)(strlen(instance + 1) - strlen(UNIT_SUFFIX)),
                                              instance + 1);
                } else if (variables && text[0] == '$' && text[1] == '{' && (end = strchr(text, '}'))) {
                        value = variable(unit, text + 2, (size_t)(end - text) - 2);
                        (void)fputs(value ? value : "", to);
                        text = end;
                } else {
                        text += variables && text[0] == '$' && text[1] == '$';
                        (void)fputc(*text, to);
                }
        }
        if (fclose(to) != 0) {
                free(expanded);
                return -ENOMEM;
        }
        *ret = expanded; /* transferred */
        return 0;
}

/* The next line, cut off, without blanks around it. A backslash at its end goes on with the next line. NULL at the end. */
static char *cut_line(char **text) {
        char *line = *text + strspn(*text, BLANKS), *end = strchrnul(line, '\n');
        bool comment = *line == '#' || *line == ';';

        if (**text == '\0')
                return NULL;
        while (*end && end > line && end[-1] == '\\' && !comment) {
                end[-1] = end[0] = ' ';
                end = strchrnul(end, '\n');
        }
        *text = end + (*end != '\0');
        while (end > line && strchr(BLANKS, end[-1]))
                end--;
        *end = '\0';
        return line;
}

/* Cuts NAME off a line "NAME=VALUE", and gives the value. NULL for a comment, and where there is none. */
static char *cut_name(char *line) {
        char *equals = strchr(line, '='), *value;

        if (*line == '#' || *line == ';' || !equals)
                return NULL;
        value = equals + 1 + strspn(equals + 1, BLANKS);
        while (equals > line && strchr(BLANKS, equals[-1]))
                equals--;
        *equals = '\0';
        return value;
}

/* A value in quotes or not. */
static int add_assignment(struct reading *unit, const char *name, const char *value) {
        char *assignment = NULL, *word;
        const char *between = "=";
        size_t size;
        FILE *to = open_memstream(&assignment, &size);
        int r;

        if (!to)
                return -ENOMEM;
        (void)fputs(name, to);
        while ((r = sshd_word_next(&value, false, &word)) > 0) {
                (void)fprintf(to, "%s%s", between, word);
                between = " ";
                free(word);
        }
        /* Where a quote is not closed, the rest as it is. */
        if (r == -EBADMSG)
                (void)fprintf(to, "%s%s", between, value);
        else if (*between == '=')
                (void)fputs(between, to);
        if (fclose(to) != 0 || r == -ENOMEM)
                r = -ENOMEM;
        else
                r = strv_add(&unit->from_files, assignment);
        free(assignment);
        return r;
}

static int read_environment_file(struct reading *unit, const char *value) {
        char *text = NULL, *path = NULL, *at, *line;
        int r;

        r = expand(unit, *value == '-' ? value + 1 : value, false, &path);
        if (r < 0)
                return r;
        /* With "-" it may be missing, and without that the service does not start. */
        if (text_file_read(path, &text, NULL) >= 0) {
                at = text;
                r = strv_add(&unit->environment_files, path);
                while (r >= 0 && (line = cut_line(&at))) {
                        value = cut_name(line);
                        if (value)
                                r = add_assignment(unit, line, value);
                }
        }
        free(text);
        free(path);
        return r;
}

static int take_environment(struct reading *unit, const char *value) {
        char *expanded, *word;
        const char *at;
        int r, added = 0;

        r = expand(unit, value, false, &expanded);
        if (r < 0)
                return r;
        at = expanded;
        while (added >= 0 && (r = sshd_word_next(&at, false, &word)) > 0) {
                added = strv_add(&unit->set, word);
                free(word);
        }
        free(expanded);
        /* systemd leaves out what it cannot split. */
        return added < 0 || r == -ENOMEM ? -ENOMEM : 0;
}

static int take_setting(struct reading *unit, const char *name, const char *value) {
        if (strcmp(name, "ExecStart") == 0) {
                if (*value)
                        return strv_add(&unit->lines, value);
                strv_clear(&unit->lines);
        } else if (strcmp(name, "Environment") == 0) {
                if (*value)
                        return take_environment(unit, value);
                strv_clear(&unit->set);
        } else if (strcmp(name, "EnvironmentFile") == 0) {
                if (*value)
                        return read_environment_file(unit, value);
                strv_clear(&unit->from_files);
                strv_clear(&unit->environment_files);
        }
        return 0;
}

static int read_file(struct reading *unit, const char *path) {
        char *text = NULL, *at, *line;
        bool in_service = false;
        int r;

        r = text_file_read(path, &text, NULL);
        if (r == -EBADF)
                return 0; /* /dev/null: it is masked */
        if (r < 0)
                return r;
        at = text;
        while (r >= 0 && (line = cut_line(&at))) {
                const char *value;

                if (*line == '[')
                        in_service = strcmp(line, "[Service]") == 0;
                else if (in_service && (value = cut_name(line)))
                        r = take_setting(unit, line, value);
        }
        free(text);
        return r;
}

/* --- how it starts sshd --- */

/* "$NAME" alone is as many words as its value has. */
static int add_word(const struct reading *unit, const char *raw, struct strv *ret) {
        char *word;
        int r, added = 0;

        if (raw[0] == '$' && raw[1] != '\0' && !strchr("{$", raw[1])) {
                const char *at = variable(unit, raw + 1, strlen(raw + 1));

                while (at && added >= 0 && (r = sshd_word_next(&at, false, &word)) > 0) {
                        added = strv_add(ret, word);
                        free(word);
                }
                return !at || added < 0 ? added : r;
        }
        r = expand(unit, raw, true, &word);
        if (r < 0)
                return r;
        r = strv_add(ret, word);
        free(word);
        return r;
}

static int split_line(const struct reading *unit, const char *line, struct strv *ret) {
        char *raw;
        int r, added = 0;

        while (added >= 0 && (r = sshd_word_next(&line, false, &raw)) > 0) {
                bool end = strcmp(raw, ";") == 0; /* another command follows */

                added = end ? 0 : add_word(unit, raw, ret);
                free(raw);
                if (end)
                        return 0;
        }
        return added < 0 ? added : r;
}

/* The same file, whatever links lead there. */
static bool same_program(const char *a, const char *b) {
        struct stat a_st, b_st;

        return strcmp(a, b) == 0 ||
               (stat(a, &a_st) == 0 && stat(b, &b_st) == 0 && a_st.st_dev == b_st.st_dev && a_st.st_ino == b_st.st_ino);
}

/* The last of the files that has `word`, in any case; `ret` stays NULL where there is none. */
static int find_file_with(const struct reading *unit, const char *word, char **ret) {
        const struct strv *const lists[] = {&unit->environment_files, &unit->files};

        for (size_t k = 0; k < 2; k++)
                for (size_t i = lists[k]->n; i > 0; i--) {
                        char *text = NULL;
                        bool has = text_file_read(lists[k]->item[i - 1], &text, NULL) >= 0 && strcasestr(text, word);

                        free(text);
                        if (!has)
                                continue;
                        *ret = strdup(lists[k]->item[i - 1]);
                        return *ret ? 0 : -ENOMEM;
                }
        return 0;
}

static void reading_clear(struct reading *unit) {
        strv_clear(&unit->files);
        strv_clear(&unit->lines);
        strv_clear(&unit->set);
        strv_clear(&unit->from_files);
        strv_clear(&unit->environment_files);
}

int unit_read(const char *name, const char *program, const char *word, struct unit *ret) {
        struct reading reading = {.name = name};
        struct unit unit = {.words = {.n = 0}};
        const char *path = NULL;
        int r;

        r = find_files(name, &reading.files);
        for (size_t i = 0; i < reading.files.n && r >= 0; i++) {
                r = read_file(&reading, reading.files.item[i]);
                /* A drop-in that was removed, of which systemd does not know yet. */
                if (r == -ENOENT && i > 0)
                        r = 0;
        }
        for (size_t i = 0; i < reading.lines.n && r >= 0 && !path; i++) {
                strv_clear(&unit.words);
                r = split_line(&reading, reading.lines.item[i], &unit.words);
                if (r >= 0 && unit.words.n > 0 &&
                    same_program(unit.words.item[0] + strspn(unit.words.item[0], PREFIXES), program))
                        path = unit.words.item[0];
        }
        if (r >= 0 && !path)
                r = -ENOENT;
        if (r >= 0)
                r = find_file_with(&reading, word, &unit.file_with);
        reading_clear(&reading);
        if (r < 0) {
                unit_clear(&unit);
                return r;
        }
        /* With "@" the second word is the name that the program is given, argv[0]. */
        unit.first = memchr(path, '@', strspn(path, PREFIXES)) ? 2 : 1;
        *ret = unit; /* transferred */
        return 0;
}

void unit_clear(struct unit *unit) {
        strv_clear(&unit->words);
        free(unit->file_with);
        unit->file_with = NULL;
}

/* A link to a unit of another name. */
static bool is_alias(const char *path, const char *name) {
        char target[PATH_MAX], *last;
        ssize_t n = readlink(path, target, sizeof(target) - 1);

        if (n < 0)
                return false;
        target[n] = '\0';
        last = strrchr(target, '/');
        last = last ? last + 1 : target;
        return has_suffix(last, UNIT_SUFFIX) && strcmp(last, name) != 0;
}

int unit_names(const char *word, struct strv *ret) {
        int r = 0;

        for (size_t i = 0; i < N_DIRECTORIES && r >= 0; i++) {
                DIR *directory = opendir(directories[i]);
                struct dirent *entry;

                while (directory && r >= 0 && (entry = readdir(directory))) {
                        char path[PATH_MAX], *text = NULL;

                        (void)snprintf(path, sizeof(path), "%s/%s", directories[i], entry->d_name);
                        if (has_suffix(entry->d_name, UNIT_SUFFIX) && !is_alias(path, entry->d_name) &&
                            text_file_read(path, &text, NULL) >= 0 && strstr(text, word))
                                r = strv_add(ret, entry->d_name);
                        free(text);
                }
                if (directory)
                        (void)closedir(directory);
        }
        strv_sort(ret);
        return r;
}
