/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/unit_files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/sshd/text_file.h"

enum { FOLDERS_MAX = 24 }; /* names with .d that one unit can have */

/* Where units are looked for, the first of one name counts. */
static const char *const folders[] = {
        "/etc/systemd/system.control",   "/run/systemd/system.control",  "/run/systemd/transient",
        "/run/systemd/generator.early",  "/etc/systemd/system",          "/etc/systemd/system.attached",
        "/run/systemd/system",           "/run/systemd/system.attached", "/run/systemd/generator",
        "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",      "/lib/systemd/system",
        "/run/systemd/generator.late",
};
enum { N_FOLDERS = sizeof(folders) / sizeof(folders[0]) };

#define SUFFIX ".service"

static bool has_suffix(const char *name, const char *suffix) {
        size_t n = strlen(name), m = strlen(suffix);

        return n > m && strcmp(name + n - m, suffix) == 0;
}

bool unit_template_of(const char *name, char ret_template[static UNIT_NAME_MAX],
                      char ret_instance[static UNIT_NAME_MAX]) {
        const char *at = strchr(name, '@');
        size_t n = strlen(name) - strlen(SUFFIX);

        if (!at || at + 1 >= name + n)
                return false;
        (void)snprintf(ret_template, UNIT_NAME_MAX, "%.*s@%s", (int)(at - name), name, SUFFIX);
        (void)snprintf(ret_instance, UNIT_NAME_MAX, "%.*s", (int)(name + n - at - 1), at + 1);
        return true;
}

static bool join(char ret[static PATH_MAX], const char *folder, const char *name) {
        int n = snprintf(ret, PATH_MAX, "%s/%s", folder, name);

        return n > 0 && n < PATH_MAX;
}

/* Where `name` leads to another unit, that one's name is written to `ret`. */
static bool is_alias(const char *path, const char *name, char ret[static UNIT_NAME_MAX]) {
        char target[PATH_MAX];
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        const char *last;

        if (n < 0)
                return false;
        target[n] = '\0';
        last = strrchr(target, '/');
        last = last ? last + 1 : target;
        if (!has_suffix(last, SUFFIX) || strcmp(last, name) == 0 || strlen(last) >= UNIT_NAME_MAX)
                return false;
        memcpy(ret, last, strlen(last) + 1);
        return true;
}

/* Empty, or a link to /dev/null. */
static bool is_masked(const char *path) {
        struct stat st;

        return stat(path, &st) == 0 && (!S_ISREG(st.st_mode) || st.st_size == 0);
}

/* The unit's own file. */
static int find_fragment(const char *name, char ret[static PATH_MAX]) {
        char template[UNIT_NAME_MAX], instance[UNIT_NAME_MAX];
        struct stat st;

        for (size_t i = 0; i < N_FOLDERS; i++)
                if (join(ret, folders[i], name) && lstat(ret, &st) == 0)
                        return is_masked(ret) ? -ENOENT : 0;
        return unit_template_of(name, template, instance) ? find_fragment(template, ret) : -ENOENT;
}

/* Names of folders with drop-ins of this unit. */
struct folder_names {
        char name[FOLDERS_MAX][UNIT_NAME_MAX + 2];
        size_t n;
};

static void add_folder_name(struct folder_names *names, const char *unit) {
        char name[UNIT_NAME_MAX + 2];

        (void)snprintf(name, sizeof(name), "%s.d", unit);
        for (size_t i = 0; i < names->n; i++)
                if (strcmp(names->name[i], name) == 0)
                        return;
        if (names->n < FOLDERS_MAX)
                memcpy(names->name[names->n++], name, sizeof(name));
}

static void add_aliases(struct folder_names *names, const char *unit) {
        for (size_t i = 0; i < N_FOLDERS; i++) {
                DIR *folder = opendir(folders[i]);
                struct dirent *entry;

                while (folder && (entry = readdir(folder))) {
                        char path[PATH_MAX], target[UNIT_NAME_MAX];

                        if ((entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN) &&
                            has_suffix(entry->d_name, SUFFIX) && strlen(entry->d_name) < UNIT_NAME_MAX &&
                            join(path, folders[i], entry->d_name) && is_alias(path, entry->d_name, target) &&
                            strcmp(target, unit) == 0)
                                add_folder_name(names, entry->d_name);
                }
                if (folder)
                        (void)closedir(folder);
        }
}

static void folder_names_of(const char *unit, struct folder_names *ret) {
        char template[UNIT_NAME_MAX], instance[UNIT_NAME_MAX], part[UNIT_NAME_MAX];

        ret->n = 0;
        add_folder_name(ret, unit);
        add_aliases(ret, unit);
        if (unit_template_of(unit, template, instance)) {
                add_folder_name(ret, template);
                add_aliases(ret, template);
        }
        (void)snprintf(part, sizeof(part), "%s", unit);
        for (char *dash; (dash = strrchr(part, '-'));) {
                char name[UNIT_NAME_MAX + sizeof(SUFFIX)];

                dash[1] = '\0';
                (void)snprintf(name, sizeof(name), "%s%s", part, SUFFIX);
                add_folder_name(ret, name);
                dash[0] = '\0';
        }
        add_folder_name(ret, &SUFFIX[1]);
}

static const char *last_part(const char *path) {
        return strrchr(path, '/') + 1;
}

static int add_path(struct unit_paths *paths, const char *path) {
        for (size_t i = 0; i < paths->n; i++)
                if (strcmp(last_part(paths->path[i]), last_part(path)) == 0)
                        return 0;
        if (paths->n == UNIT_PATHS_MAX)
                return -E2BIG;
        paths->path[paths->n] = strdup(path);
        if (!paths->path[paths->n])
                return -ENOMEM;
        paths->n++;
        return 0;
}

void unit_paths_clear(struct unit_paths *paths) {
        for (size_t i = 0; i < paths->n; i++)
                free(paths->path[i]);
        paths->n = 0;
}

static int by_name(const void *a, const void *b) {
        return strcmp(last_part(*(char *const *)a), last_part(*(char *const *)b));
}

/* In the order in which they count, wherever they lie; of one name, the first folder's. */
static int find_drop_ins(const char *unit, struct unit_paths *ret) {
        struct folder_names names;
        int r = 0;

        folder_names_of(unit, &names);
        for (size_t i = 0; i < N_FOLDERS && r >= 0; i++)
                for (size_t k = 0; k < names.n && r >= 0; k++) {
                        char folder_path[PATH_MAX], path[PATH_MAX];
                        struct dirent *entry;
                        DIR *folder;

                        if (!join(folder_path, folders[i], names.name[k]))
                                continue;
                        folder = opendir(folder_path);
                        while (folder && r >= 0 && (entry = readdir(folder)))
                                if (entry->d_name[0] != '.' && has_suffix(entry->d_name, ".conf") &&
                                    join(path, folder_path, entry->d_name))
                                        r = add_path(ret, path);
                        if (folder)
                                (void)closedir(folder);
                }
        if (r >= 0)
                qsort(ret->path, ret->n, sizeof(ret->path[0]), by_name);
        return r;
}

int unit_paths_find(const char *unit, struct unit_paths *ret) {
        struct unit_paths paths = {.n = 0}, drop_ins = {.n = 0};
        char path[PATH_MAX];
        int r;

        r = strlen(unit) < UNIT_NAME_MAX && has_suffix(unit, SUFFIX) ? find_fragment(unit, path) : -ENOENT;
        if (r < 0)
                return r;
        r = add_path(&paths, path);
        if (r >= 0)
                r = find_drop_ins(unit, &drop_ins);
        for (size_t i = 0; i < drop_ins.n && r >= 0; i++) {
                if (paths.n == UNIT_PATHS_MAX) {
                        r = -E2BIG;
                        break;
                }
                paths.path[paths.n++] = drop_ins.path[i]; /* transferred */
                drop_ins.path[i] = NULL;
        }
        unit_paths_clear(&drop_ins);
        if (r < 0) {
                unit_paths_clear(&paths);
                return r;
        }
        *ret = paths; /* transferred */
        return 0;
}

static bool file_has(const char *path, const char *word) {
        char *text = NULL;
        bool has = text_file_read(path, &text, NULL) >= 0 && strstr(text, word);

        free(text);
        return has;
}

/* Whether the unit, or one of its drop-ins, speaks of `word`. */
static bool speaks_of(const char *name, const char *path, const char *word) {
        struct unit_paths drop_ins = {.n = 0};
        bool has = file_has(path, word);

        if (!has && find_drop_ins(name, &drop_ins) >= 0)
                for (size_t i = 0; i < drop_ins.n && !has; i++)
                        has = file_has(drop_ins.path[i], word);
        unit_paths_clear(&drop_ins);
        return has;
}

int unit_names(const char *word, char ret[static UNIT_NAMES_MAX][UNIT_NAME_MAX]) {
        int n = 0;

        for (size_t i = 0; i < N_FOLDERS; i++) {
                DIR *folder = opendir(folders[i]);
                struct dirent *entry;

                while (folder && (entry = readdir(folder))) {
                        char path[PATH_MAX], target[UNIT_NAME_MAX];
                        const char *name = entry->d_name;
                        bool known = false;

                        if (!has_suffix(name, SUFFIX) || strlen(name) >= UNIT_NAME_MAX ||
                            !join(path, folders[i], name) || is_alias(path, name, target))
                                continue;
                        for (int k = 0; k < n && !known; k++)
                                known = strcmp(ret[k], name) == 0;
                        if (known || !speaks_of(name, path, word))
                                continue;
                        if (n == UNIT_NAMES_MAX) {
                                (void)closedir(folder);
                                return -E2BIG;
                        }
                        memcpy(ret[n++], name, strlen(name) + 1);
                }
                if (folder)
                        (void)closedir(folder);
        }
        return n;
}
