/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/sshd_remedy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/sshd/unit.h"

#define AGAIN "Then run: exc-instance-connect enable\n"
#define UNIT_DROP_IN "zz-sshd-options.conf"

/* Ends what open_memstream(3) began. */
static char *finished(FILE *to, char **text) {
        if (fclose(to) != 0) {
                free(*text);
                return NULL;
        }
        return *text;
}

static const char *keyword_of(const struct config_place *place) {
        return place->word == CONFIG_COMMAND ? "AuthorizedKeysCommand" : "AuthorizedKeysCommandUser";
}

static bool reads_own(const struct sshd_config *config) {
        for (int i = 0; i < DROP_IN_FILES; i++)
                if (config->reads_own[i])
                        return true;
        return false;
}

char *remedy_top(const struct sshd_config *config, const struct config_place *before, const char *include) {
        char *text = NULL;
        size_t size;
        FILE *to = open_memstream(&text, &size);

        if (!to)
                return NULL;
        if (before)
                (void)fprintf(to, "%s line %u sets %s before a file of ours is read.\n", before->file, before->line,
                              keyword_of(before));
        else if (reads_own(config))
                (void)fprintf(to, "%s includes the files in %s, and would run a command that it does not run now.\n",
                              config->root, SSHD_DROP_IN_FOLDER);
        else
                (void)fprintf(to, "%s does not include the files in %s.\n", config->root, SSHD_DROP_IN_FOLDER);
        (void)fprintf(to, "Put this line at the top of %s:\n\n    Include %s\n\n" AGAIN, config->root, include);
        return finished(to, &text);
}

/* Above the first of the two, and so below an AuthorizedPrincipalsCommand that this sshd might else ignore. */
static void print_where(FILE *to, const struct config_place *place, const struct config_block *block) {
        if (place->file && block->file && strcmp(place->file, block->file) == 0)
                (void)fprintf(to, "Put this line into %s, right above line %u, which is %s", place->file, place->line,
                              keyword_of(place));
        else
                (void)fprintf(to, "Put this line into %s, right below line %u, which is \"Match %s\"", block->file,
                              block->line, block->condition);
}

char *remedy_block(const struct sshd_config *config, const struct config_place *place, const char *include) {
        const struct config_block *block = config->block + place->block;
        char *text = NULL;
        size_t size;
        FILE *to = open_memstream(&text, &size);

        if (!to)
                return NULL;
        (void)fprintf(to, "%s line %u sets %s for \"Match %s\".\n", place->file, place->line, keyword_of(place),
                      block->condition);
        print_where(to, place, block);
        (void)fprintf(to, ":\n\n    Include %s\n\n" AGAIN, include);
        return finished(to, &text);
}

#define IGNORES "This sshd ignores an AuthorizedPrincipalsCommand that comes after an AuthorizedKeysCommand.\n"

char *remedy_principals(const struct sshd_config *config, const char *found, const char *principals_command,
                        const char *principals_user, const char *include) {
        char *text = NULL;

        if (asprintf(&text,
                     "%s.\n" IGNORES "Put these lines at the top of %s:\n\n"
                     "    AuthorizedPrincipalsCommand %s\n"
                     "    AuthorizedPrincipalsCommandUser %s\n%s%s%s\n" AGAIN,
                     found, config->root, principals_command, principals_user, include ? "    Include " : "",
                     include ? include : "", include ? "\n" : "") < 0)
                return NULL;
        return text;
}

char *remedy_block_principals(const struct sshd_config *config, const char *found) {
        char *text = NULL;
        bool any = false;
        size_t size;
        FILE *to = open_memstream(&text, &size);

        if (!to)
                return NULL;
        (void)fprintf(to, "%s.\n" IGNORES, found);
        for (size_t i = 0; i < config->n_places; i++) {
                const struct config_place *place = config->place + i;

                if (place->word != CONFIG_OWN_INCLUDE || place->block < 0)
                        continue;
                any = true;
                (void)fprintf(to,
                              "%s line %u includes %s.\n"
                              "Move that line below AuthorizedPrincipalsCommand in \"Match %s\".\n",
                              place->file, place->line, drop_in_paths[place->own],
                              config->block[place->block].condition);
        }
        if (!any)
                (void)fputs("In the Match block, move AuthorizedPrincipalsCommand above AuthorizedKeysCommand.\n", to);
        (void)fputs(AGAIN, to);
        return finished(to, &text);
}

/* Words [from, to) of a command line are an -o that sets one of the two. */
struct cut {
        size_t from, to;
};

static bool sets_keys_command(const char *option) {
        static const char name[] = "AuthorizedKeysCommand";

        option += strspn(option, " \t\"");
        return strncasecmp(option, name, sizeof(name) - 1) == 0;
}

static size_t find_cuts(const struct unit *unit, struct cut ret[static UNIT_WORDS_MAX]) {
        size_t n = 0;

        for (size_t i = 1; i < unit->n_words; i++) {
                const char *word = unit->words[i].text;

                if (strcmp(word, "-o") == 0 && i + 1 < unit->n_words && sets_keys_command(unit->words[i + 1].text)) {
                        ret[n++] = (struct cut){i, i + 2};
                        i++;
                } else if (strncmp(word, "-o", 2) == 0 && sets_keys_command(word + 2))
                        ret[n++] = (struct cut){i, i + 1};
        }
        return n;
}

static bool is_cut(const struct cut *cuts, size_t n, size_t word) {
        for (size_t i = 0; i < n; i++)
                if (word >= cuts[i].from && word < cuts[i].to)
                        return true;
        return false;
}

/* The line as it is in its file, without those words. */
static void print_exec_start(FILE *to, const struct unit *unit, const struct cut *cuts, size_t n) {
        size_t at = 0;

        for (size_t i = 0; i < unit->n_words; i++) {
                const struct unit_word *word = unit->words + i;

                if (word->variable || !is_cut(cuts, n, i))
                        continue;
                (void)fprintf(to, "%.*s", (int)(word->from - at), unit->exec_start + at);
                at = word->to + strspn(unit->exec_start + word->to, " \t");
        }
        (void)fputs(unit->exec_start + at, to);
}

static bool is_kept(const struct unit *unit, const struct cut *cuts, size_t n, size_t word, const char *variable) {
        return unit->words[word].variable && strcmp(unit->words[word].variable, variable) == 0 &&
               !is_cut(cuts, n, word);
}

/* What is left would need quotes within quotes, for systemd's two readers of it. */
static bool needs_more_quotes(const struct unit *unit, const struct cut *cuts, size_t n, const char *variable) {
        for (size_t i = 0; i < unit->n_words; i++)
                if (is_kept(unit, cuts, n, i, variable) && strpbrk(unit->words[i].text, "\"'\\\n"))
                        return true;
        return false;
}

/* What is to go out of the variable. */
static void print_cuts(FILE *to, const struct unit *unit, const struct cut *cuts, size_t n, const char *variable) {
        for (size_t i = 0; i < n; i++) {
                const char *first = unit->words[cuts[i].from].variable;

                if (!first || strcmp(first, variable) != 0)
                        continue;
                (void)fputs("   ", to);
                for (size_t k = cuts[i].from; k < cuts[i].to; k++)
                        (void)fprintf(to, " %s", unit->words[k].text);
                (void)fputc('\n', to);
        }
}

/* An assignment for an EnvironmentFile=, with what is left of the variable. */
static void print_variable(FILE *to, const struct unit *unit, const struct cut *cuts, size_t n, const char *variable) {
        const char *blank = "";

        (void)fprintf(to, "    %s=\"", variable);
        for (size_t i = 0; i < unit->n_words; i++) {
                const struct unit_word *word = unit->words + i;
                bool quote;

                if (!is_kept(unit, cuts, n, i, variable))
                        continue;
                quote = strpbrk(word->text, " \t") || *word->text == '\0';
                (void)fprintf(to, "%s%s%s%s", blank, quote ? "'" : "", word->text, quote ? "'" : "");
                blank = " ";
        }
        (void)fputs("\"\n", to);
}

static void print_value(FILE *to, const struct config_place *place) {
        if (place)
                (void)fprintf(to, "    %s %s\n", keyword_of(place), place->value);
}

static const char *last_part(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* How to start it without: in the unit, in the file of a variable, or both. */
static void print_units_part(FILE *to, const struct unit *unit, const struct cut *cuts, size_t n) {
        const char *variable = NULL, *name = last_part(unit->exec_file);
        bool in_line = false, sorts_before;

        for (size_t i = 0; i < n; i++)
                if (unit->words[cuts[i].from].variable)
                        variable = unit->words[cuts[i].from].variable;
                else
                        in_line = true;
        if (variable) {
                char path[PATH_MAX];

                if (unit_variable_file(unit->name, variable, path) < 0)
                        path[0] = '\0';
                if (needs_more_quotes(unit, cuts, n, variable)) {
                        (void)fprintf(to, "In %s, take out of %s:\n\n", path, variable);
                        print_cuts(to, unit, cuts, n, variable);
                } else {
                        (void)fprintf(to, "In %s, change %s to:\n\n", path, variable);
                        print_variable(to, unit, cuts, n, variable);
                }
                (void)fputc('\n', to);
        }
        if (!in_line)
                return;
        /* A unit's own file counts before all drop-ins; of those, names decide. */
        sorts_before = !strstr(unit->exec_file, ".d/") || strcmp(name, UNIT_DROP_IN) < 0;
        if (sorts_before)
                (void)fprintf(to,
                              "Write this to /etc/systemd/system/%s.d/" UNIT_DROP_IN
                              ":\n\n    [Service]\n    ExecStart=\n",
                              unit->name);
        else
                (void)fprintf(to, "In %s, change ExecStart to:\n\n", unit->exec_file);
        (void)fputs("    ExecStart=", to);
        print_exec_start(to, unit, cuts, n);
        (void)fputs("\n\n", to);
}

char *remedy_option(const struct sshd_service *service, const struct sshd_config *config,
                    const struct config_pair *pair, const char *include) {
        struct cut cuts[UNIT_WORDS_MAX];
        char *text = NULL;
        size_t size, n;
        struct unit unit;
        FILE *to;

        if (unit_read(service->name, SSHD_PROGRAM, &unit) < 0)
                return NULL;
        to = open_memstream(&text, &size);
        if (!to) {
                unit_clear(&unit);
                return NULL;
        }
        n = find_cuts(&unit, cuts);
        (void)fprintf(to,
                      "%s starts sshd with -o AuthorizedKeysCommand (%s), which counts before every file.\n"
                      "Move it into a file. Put these lines at the top of %s:\n\n    Include %s\n",
                      service->name, unit.exec_file, config->root, include);
        print_value(to, pair->command);
        print_value(to, pair->user);
        (void)fputc('\n', to);
        if (n > 0)
                print_units_part(to, &unit, cuts, n);
        else
                (void)fprintf(to, "Take -o AuthorizedKeysCommand out of ExecStart in %s.\n", unit.exec_file);
        if (service->per_connection)
                (void)fputs("Then run: systemctl daemon-reload\n" AGAIN, to);
        else
                (void)fprintf(to, "Then run: systemctl daemon-reload\nThen run: systemctl try-restart %s\n" AGAIN,
                              service->name);
        unit_clear(&unit);
        return finished(to, &text);
}

char *remedy_restart(const struct sshd_service *service) {
        char *text = NULL;

        if (asprintf(&text,
                     "%s runs with an AuthorizedKeysCommand on its command line that its unit does not have.\n"
                     "Then run: systemctl try-restart %s\n" AGAIN,
                     service->name, service->name) < 0)
                return NULL;
        return text;
}
