/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/enable/sshd_remedy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define AGAIN "Then run: exc-instance-connect enable\n"

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
                              config->root, SSHD_DROP_IN_DIR);
        else
                (void)fprintf(to, "%s does not include the files in %s.\n", config->root, SSHD_DROP_IN_DIR);
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

static void print_value(FILE *to, const struct config_place *place) {
        if (place)
                (void)fprintf(to, "    %s %s\n", keyword_of(place), place->value);
}

/* An -o that sets one of the two. */
static bool sets_keys_command(const char *option) {
        option += strspn(option, " \t\"");
        return strncasecmp(option, "AuthorizedKeysCommand", strlen("AuthorizedKeysCommand")) == 0;
}

char *remedy_option(const struct sshd_service *service, const struct sshd_config *config,
                    const struct config_pair *pair, const char *include) {
        const char *file = service->keys_command_file ? service->keys_command_file : "its unit";
        char *text = NULL;
        size_t size;
        FILE *to = open_memstream(&text, &size);

        if (!to)
                return NULL;
        (void)fprintf(to,
                      "%s starts sshd with -o AuthorizedKeysCommand (%s), which counts before every file.\n"
                      "Move it into a file. Put these lines at the top of %s:\n\n    Include %s\n",
                      service->name, file, config->root, include);
        print_value(to, pair->command);
        print_value(to, pair->user);
        (void)fprintf(to, "\nIn %s, take out of the command line:\n\n", file);
        for (size_t i = 0; service->arguments[i] && service->arguments[i + 1]; i += 2)
                if (strcmp(service->arguments[i], "-o") == 0 && sets_keys_command(service->arguments[i + 1]))
                        (void)fprintf(to, "    -o %s\n", service->arguments[i + 1]);
        (void)fputs("\nThen run: systemctl daemon-reload\n", to);
        if (!service->per_connection)
                (void)fprintf(to, "Then run: systemctl try-restart %s\n", service->name);
        (void)fputs(AGAIN, to);
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
