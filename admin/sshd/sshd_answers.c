/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/sshd_answers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "admin/sshd/own_files.h"
#include "common/clock.h"

enum {
        ALWAYS_ASKED = 3, /* connections, however slowly sshd answers */
        ASKING_MS = 6000, /* and again for each comparison: less than 20 in all */
};

/* --- asking --- */

int sshd_answers_ask(char *const arguments[], const struct sshd_specs *specs, const struct sshd_answers *like,
                     struct sshd_answers *ret, char ret_why[static SSHD_WHY_MAX]) {
        struct sshd_answers answers = {.text = {NULL}};
        int64_t end_ms = clock_ms(CLOCK_MONOTONIC) + ASKING_MS;

        for (size_t i = 0; i <= specs->text.n; i++) {
                int r;

                if (like ? !like->text[i] : i > ALWAYS_ASKED && clock_ms(CLOCK_MONOTONIC) >= end_ms)
                        continue;
                r = sshd_effective_for(arguments, i == 0 ? NULL : specs->text.item[i - 1], &answers.text[i], ret_why);
                /* sshd does not take the configuration at all. */
                if (!like && i == 0 && r == -EIO)
                        break;
                /* There is no answer about this one. */
                if (!like && i > 0 && r == -EIO)
                        continue;
                /* A name service hangs that a Match block needs. */
                if (!like && i > 0 && r == -ETIMEDOUT)
                        break;
                if (r < 0) {
                        sshd_answers_clear(&answers);
                        return r;
                }
        }
        *ret = answers; /* transferred */
        return 0;
}

/* A configuration of ours, in a directory that only root can open. */
struct copy {
        char directory[32];
        struct config_copy files;
        char *arguments[SSHD_ARGUMENTS_MAX + 1]; /* not its own */
};

static void copy_remove(struct copy *copy) {
        char path[64];

        for (unsigned i = 0; i < copy->files.n; i++) {
                (void)snprintf(path, sizeof(path), "%s/%u", copy->directory, i);
                (void)unlink(path);
        }
        (void)rmdir(copy->directory);
}

static int copy_make(char *const arguments[], const struct own_files *own, bool without_ours, struct copy *ret,
                     char why[static SSHD_WHY_MAX]) {
        static char flag[] = "-f";
        size_t n = 0;
        int r;

        *ret = (struct copy){.directory = "/run/exc-sshd-XXXXXX"};
        if (!mkdtemp(ret->directory)) {
                (void)snprintf(ret->directory, sizeof(ret->directory), "/tmp/exc-sshd-XXXXXX");
                if (!mkdtemp(ret->directory)) {
                        r = -errno;
                        (void)snprintf(why, SSHD_WHY_MAX, "%s: %s", ret->directory, strerror(-r));
                        return r;
                }
        }
        r = sshd_config_copy(arguments, own, without_ours, ret->directory, &ret->files, why);
        if (r < 0) {
                copy_remove(ret);
                return r;
        }
        for (size_t i = 0; arguments && arguments[i] && arguments[i + 1]; i += 2)
                if (strcmp(arguments[i], flag) != 0) {
                        ret->arguments[n++] = arguments[i];
                        ret->arguments[n++] = arguments[i + 1];
                }
        ret->arguments[n++] = flag;
        ret->arguments[n] = ret->files.root;
        return 0;
}

int sshd_answers_ask_with(char *const arguments[], const struct own_files *own, const struct sshd_specs *specs,
                          const struct sshd_answers *like, struct sshd_answers *ret,
                          char ret_why[static SSHD_WHY_MAX]) {
        struct copy copy;
        int r = copy_make(arguments, own, false, &copy, ret_why);

        if (r < 0)
                return r;
        r = sshd_answers_ask(copy.arguments, specs, like, ret, ret_why);
        copy_remove(&copy);
        return r;
}

int sshd_answers_ask_without(char *const arguments[], const struct own_files *own, const struct sshd_specs *specs,
                             struct sshd_answers *ret, char ret_why[static SSHD_WHY_MAX]) {
        struct own_files edited = *own; /* borrowed */
        struct copy copy;
        int r;

        for (int i = 0; i < DROP_IN_FILES; i++)
                if (edited.text[i] && drop_in_unedited(edited.text[i]))
                        edited.text[i] = NULL;
        r = copy_make(arguments, &edited, true, &copy, ret_why);
        if (r < 0)
                return r;
        r = sshd_answers_ask(copy.arguments, specs, NULL, ret, ret_why);
        copy_remove(&copy);
        return r;
}

void sshd_answers_clear(struct sshd_answers *answers) {
        for (size_t i = 0; i <= SPECS_MAX; i++)
                free(answers->text[i]);
        *answers = (struct sshd_answers){.text = {NULL}};
}

/* --- comparing --- */

/* A line of sshd -T: "name value". */
struct line {
        const char *at;
        size_t length, name;
};

static bool is_named(const struct line *line, const char *name, size_t length) {
        return line->name == length && strncasecmp(line->at, name, length) == 0;
}

/* In lower case up to 10.3, in mixed case since. */
static bool is_ours(const struct line *line) {
        return is_named(line, "AuthorizedKeysCommand", strlen("AuthorizedKeysCommand")) ||
               is_named(line, "AuthorizedKeysCommandUser", strlen("AuthorizedKeysCommandUser"));
}

/* False at the end. */
static bool take_line(const char **text, struct line *ret) {
        if (**text == '\0')
                return false;
        *ret = (struct line){.at = *text, .length = strcspn(*text, "\n")};
        ret->name = strcspn(*text, " \n");
        *text += ret->length + ((*text)[ret->length] == '\n');
        return true;
}

static bool take_other_line(const char **text, struct line *ret) {
        while (take_line(text, ret))
                if (!is_ours(ret))
                        return true;
        return false;
}

static char *values(const char *text, const char *name, size_t length) {
        const char *between = "";
        char *found = NULL;
        struct line line;
        size_t size;
        FILE *to = open_memstream(&found, &size);

        if (!to)
                return NULL;
        while (take_line(&text, &line)) {
                if (!is_named(&line, name, length))
                        continue;
                (void)fputs(between, to);
                if (line.length > line.name)
                        (void)fwrite(line.at + line.name + 1, 1, line.length - line.name - 1, to);
                between = ", ";
        }
        if (fclose(to) != 0) {
                free(found);
                return NULL;
        }
        return found;
}

char *sshd_answer_value(const char *text, const char *name) {
        return values(text, name, strlen(name));
}

/* Where one of them has a line that the other has not. */
static bool find_line(const char *without, const char *with, struct line *ret, struct line *ret_other) {
        bool one, other;

        do {
                one = take_other_line(&without, ret);
                other = take_other_line(&with, ret_other);
        } while (one && other && ret->length == ret_other->length && memcmp(ret->at, ret_other->at, ret->length) == 0);
        if (!one)
                *ret = *ret_other;
        if (!other)
                *ret_other = *ret;
        return one || other;
}

int sshd_change_find(const char *without, const char *with, struct sshd_change *ret) {
        struct sshd_change change = {.name = NULL};
        struct line line[2];

        if (!find_line(without, with, &line[0], &line[1]))
                return 0;
        /* A line more or less puts two different settings side by side, of which one may be the same. */
        for (int i = 0; i < 2; i++) {
                sshd_change_clear(&change);
                change.name = strndup(line[i].at, line[i].name);
                change.without = values(without, line[i].at, line[i].name);
                change.with = values(with, line[i].at, line[i].name);
                if (!change.name || !change.without || !change.with) {
                        sshd_change_clear(&change);
                        return -ENOMEM;
                }
                if (strcmp(change.without, change.with) != 0)
                        break;
        }
        *ret = change; /* transferred */
        return 1;
}

int sshd_answers_compare(const struct sshd_answers *without, const struct sshd_answers *with,
                         const struct sshd_specs *specs, struct sshd_change *ret) {
        for (size_t i = 0; i <= specs->text.n; i++) {
                int r = 0;

                if (without->text[i] && with->text[i])
                        r = sshd_change_find(without->text[i], with->text[i], ret);
                if (r > 0)
                        ret->about = i == 0 ? NULL : specs->about.item[i - 1];
                if (r != 0)
                        return r;
        }
        return 0;
}

void sshd_change_clear(struct sshd_change *change) {
        free(change->name);
        free(change->without);
        free(change->with);
        *change = (struct sshd_change){.name = NULL};
}

void sshd_change_say(const char *sshd, const struct sshd_change *change, char ret[static SSHD_WHY_MAX]) {
        (void)snprintf(ret, SSHD_WHY_MAX, "%s%s%s: %s is \"%.150s\" with exc-instance-connect, and \"%.150s\" without",
                       sshd, change->about ? ", " : "", change->about ? change->about : "", change->name, change->with,
                       change->without);
}
