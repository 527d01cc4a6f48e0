/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/drop_in.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/sshd/keys_command.h"
#include "admin/sshd/text_file.h"

/* Not *.conf: an Include of the whole directory must not read these. */
#define CHAIN(number) SSHD_DROP_IN_DIR "/" DROP_IN_BASE ".chain-" number

const char *const drop_in_paths[DROP_IN_FILES] = {
        SSHD_DROP_IN_PATHS, CHAIN("1"), CHAIN("2"), CHAIN("3"), CHAIN("4"),
        CHAIN("5"),         CHAIN("6"), CHAIN("7"), CHAIN("8"),
};

/* What a version of this program writes, later ones must know for their own: a change here needs both texts. */
static const char
        alone[] = "# \"exc-instance-connect enable\" wrote this: sshd asks exc-authorized-keys(8) which keys may\n"
                  "# log in now. To undo it: exc-instance-connect disable. See exc-instance-connect(8).\n",
        chained[] = "# \"exc-instance-connect enable\" wrote this: sshd asks exc-authorized-keys(8) which keys may\n"
                    "# log in now. Behind \"--\" is the command that was there before; it is asked about all others.\n"
                    "# To undo it: exc-instance-connect disable. See exc-instance-connect(8).\n",
        old_sshd[] = "# Without --expiry-time: sshd is older than 9.1.\n",
        principals[] =
                "# OpenSSH before 9.4 ignores an AuthorizedPrincipalsCommand that comes after this file, so here is a\n"
                "# copy of it. When the original changes, run: exc-instance-connect enable\n";

#define TOKENS "%u %f %t %k"

int drop_in_chain(const char *command, char **ret) {
        const char *end = command + strspn(command, " \t");
        struct keys_command words;
        size_t first, used = 0;
        char *line, *word;

        command = end;
        if (!keys_command_split(command, &words))
                return -EINVAL;
        if (sshd_word_next(&end, false, &word) <= 0)
                return -ENOMEM;
        free(word);
        first = (size_t)(end - command);
        line = malloc(2 * first + strlen(command + first) + sizeof(" %u"));
        if (!line)
                return -ENOMEM;
        for (size_t i = 0; i < first; i++) {
                line[used++] = command[i];
                if (command[i] == '%')
                        line[used++] = '%';
        }
        memcpy(line + used, command + first, strlen(command + first) + 1);
        if (command[first + strspn(command + first, " \t")] == '\0')
                memcpy(line + used, " %u", sizeof(" %u"));
        *ret = line; /* transferred */
        return 0;
}

/* A word that sshd reads back as it is. */
static char *quoted(const char *word) {
        size_t used = 0;
        char *text;

        if (*word != '\0' && !strpbrk(word, " \t\"'\\#"))
                return strdup(word);
        text = malloc(2 * strlen(word) + 3);
        if (!text)
                return NULL;
        text[used++] = '"';
        for (; *word; word++) {
                if (strchr("\"'\\", *word))
                        text[used++] = '\\';
                text[used++] = *word;
        }
        text[used++] = '"';
        text[used] = '\0';
        return text;
}

/* `chain_program`: what is run where there is another command. */
static int make_settings(const struct drop_in *drop_in, const char *chain_program, char **ret_command,
                         char **ret_user) {
        bool other_user = drop_in->command && strcmp(drop_in->user, "root") != 0;
        char *command = NULL, *word, *user;
        int n;

        word = quoted(other_user ? drop_in->user : "");
        user = strdup(drop_in->command ? "root" : HELPER_USER);
        if (!word || !user) {
                free(word);
                free(user);
                return -ENOMEM;
        }
        n = asprintf(&command, "%s%s%s%s %s%s%s", drop_in->command ? chain_program : HELPER_PROGRAM,
                     drop_in->expiry_time ? " --expiry-time" : "", other_user ? " --chain-user " : "",
                     other_user ? word : "", TOKENS, drop_in->command ? " -- " : "",
                     drop_in->command ? drop_in->command : "");
        free(word);
        if (n < 0) {
                free(user);
                return -ENOMEM;
        }
        *ret_command = command; /* transferred */
        *ret_user = user;       /* transferred */
        return 0;
}

int drop_in_settings(const struct drop_in *drop_in, char **ret_command, char **ret_user) {
        return make_settings(drop_in, CHAIN_PROGRAM, ret_command, ret_user);
}

/* "" where there are none; NULL without memory. */
static char *principals_lines(const struct drop_in *drop_in) {
        char *text = NULL, *user;

        if (!drop_in->principals_command)
                return strdup("");
        user = quoted(drop_in->principals_user);
        if (!user || asprintf(&text, "%sAuthorizedPrincipalsCommand %s\nAuthorizedPrincipalsCommandUser %s\n",
                              principals, drop_in->principals_command, user) < 0)
                text = NULL;
        free(user);
        return text;
}

static char *render(const struct drop_in *drop_in, const char *chain_program) {
        char *text = NULL, *command, *user, *before;

        before = principals_lines(drop_in);
        if (!before || make_settings(drop_in, chain_program, &command, &user) < 0) {
                free(before);
                return NULL;
        }
        if (asprintf(&text, "%s%s%sAuthorizedKeysCommand %s\nAuthorizedKeysCommandUser %s\n",
                     drop_in->command ? chained : alone, drop_in->expiry_time ? "" : old_sshd, before, command,
                     user) < 0)
                text = NULL;
        free(before);
        free(command);
        free(user);
        return text;
}

char *drop_in_render(const struct drop_in *drop_in) {
        return render(drop_in, CHAIN_PROGRAM);
}

/* What stands in the first line that begins with `keyword` and a blank. To be freed; NULL where there is none. */
static char *line_of(const char *text, const char *keyword) {
        size_t n = strlen(keyword);

        while (*text) {
                char *line = text_line(&text);

                if (line && strncmp(line, keyword, n) == 0 && line[n] == ' ') {
                        memmove(line, line + n + 1, strlen(line + n + 1) + 1);
                        return line;
                }
                free(line);
        }
        return NULL;
}

/* Theirs, as it was given to render(). */
static void find_chained(char *line, const struct keys_command *words, struct drop_in *ret) {
        static const char separator[] = " " TOKENS " -- ";
        static char root[] = "root";
        char *behind = strstr(line, separator);

        if (!behind)
                return;
        ret->command = behind + strlen(separator);
        ret->user = root;
        for (int i = 1; i + 1 < words->n && strcmp(words->word[i], "--") != 0; i++)
                if (strcmp(words->word[i], "--chain-user") == 0)
                        ret->user = words->word[i + 1];
}

bool drop_in_unedited(const char *text) {
        char *line = line_of(text, "AuthorizedKeysCommand"), *again = NULL,
             *principals_command = line_of(text, "AuthorizedPrincipalsCommand"),
             *principals_user = line_of(text, "AuthorizedPrincipalsCommandUser");
        struct drop_in drop_in = {.expiry_time = !strstr(text, old_sshd)};
        struct keys_command words, user_words;
        bool unedited;

        if (principals_command && principals_user && keys_command_split(principals_user, &user_words)) {
                drop_in.principals_command = principals_command;
                drop_in.principals_user = user_words.word[0];
        }
        /*
         * The text is made again from what is in it, and differs where somebody has changed it. In earlier versions
         * exc-authorized-keys ran the other command.
         */
        if (line && keys_command_split(line, &words)) {
                find_chained(line, &words, &drop_in);
                again = render(&drop_in, strcmp(words.word[0], HELPER_PROGRAM) == 0 ? HELPER_PROGRAM : CHAIN_PROGRAM);
        }
        unedited = again && strcmp(again, text) == 0;
        free(line);
        free(principals_command);
        free(principals_user);
        free(again);
        return unedited;
}

bool keys_command_is_ours(const char *path) {
        return strcmp(path, HELPER_PROGRAM) == 0 || strcmp(path, CHAIN_PROGRAM) == 0;
}

enum keys_command_kind keys_command_kind(const char *command, const char *user) {
        struct keys_command words;
        bool chain_user = false;

        if (!command || strcasecmp(command, "none") == 0)
                return KEYS_COMMAND_NONE;
        if (!keys_command_split(command, &words) || !keys_command_is_ours(words.word[0]))
                return KEYS_COMMAND_THEIRS;
        for (int i = 1; i < words.n && strcmp(words.word[i], "--") != 0; i++)
                if (strcmp(words.word[i], "--chain-user") == 0)
                        chain_user = true;
        if (user && (strcmp(user, "root") == 0 || (strcmp(user, HELPER_USER) == 0 && !chain_user)))
                return KEYS_COMMAND_OURS;
        return KEYS_COMMAND_OURS_WRONG_USER;
}
