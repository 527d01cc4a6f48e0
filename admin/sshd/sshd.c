/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/sshd.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/program.h"
#include "admin/sshd/match_line.h"
#include "admin/sshd/sshd_memory.h"

enum {
        SSHD_TIMEOUT_MS = 15 * 1000,
        KEYGEN_TIMEOUT_MS = 15 * 1000,
        WORDS_MAX = SSHD_ARGUMENTS_MAX + 16,
        TRIES_MAX = 4,
        USER_MAX = 256, /* bytes of a login name */
};

#define PRIVSEP_DIR "/run/sshd"
#define KEYGEN_PROGRAM "/usr/bin/ssh-keygen"

/* sshd wants one host key at least. Where there is none yet, as in an image that is being built, it gets one of ours. */
struct throw_away_key {
        char directory[32]; /* "" where none was made */
        char path[40];
};

/* A text of several lines in one. */
static void one_line(const char *text, char ret[static SSHD_WHY_MAX]) {
        size_t n = 0;

        for (; *text && n + 3 < SSHD_WHY_MAX; text++) {
                if (*text != '\n' && *text != '\r') {
                        ret[n++] = *text;
                        continue;
                }
                text += strspn(text, "\r\n") - 1;
                if (n > 0 && text[1] != '\0') {
                        ret[n++] = ';';
                        ret[n++] = ' ';
                }
        }
        ret[n] = '\0';
}

static void throw_away(struct throw_away_key *key) {
        char public[sizeof(key->path) + 4];

        if (key->directory[0] == '\0')
                return;
        (void)snprintf(public, sizeof(public), "%s.pub", key->path);
        (void)unlink(public);
        (void)unlink(key->path);
        (void)rmdir(key->directory);
        key->directory[0] = '\0';
}

static int make_throw_away_key(struct throw_away_key *ret) {
        static char program[] = KEYGEN_PROGRAM, quiet[] = "-q", type[] = "-t", ed25519[] = "ed25519", phrase[] = "-N",
                    none[] = "", file[] = "-f";
        char *argv[] = {program, quiet, type, ed25519, phrase, none, file, ret->path, NULL};
        struct program_result result = {.output = NULL};
        int r;

        (void)snprintf(ret->directory, sizeof(ret->directory), "/run/exc-host-key-XXXXXX");
        if (!mkdtemp(ret->directory)) {
                (void)snprintf(ret->directory, sizeof(ret->directory), "/tmp/exc-host-key-XXXXXX");
                if (!mkdtemp(ret->directory)) {
                        r = -errno;
                        ret->directory[0] = '\0';
                        return r;
                }
        }
        (void)snprintf(ret->path, sizeof(ret->path), "%s/key", ret->directory);
        r = program_run(argv, NULL, KEYGEN_TIMEOUT_MS, &result);
        if (r >= 0 && !program_succeeded(&result))
                r = -EIO;
        program_result_clear(&result);
        if (r < 0)
                throw_away(ret);
        return r;
}

/* `first` is -t or -T; `second` and `third` may be NULL. */
static int run_sshd(const char *const first[static 3], char *const arguments[], const struct throw_away_key *key,
                    struct program_result *ret) {
        const char *argv[WORDS_MAX] = {SSHD_PROGRAM};
        size_t n = 1;

        for (size_t i = 0; arguments && arguments[i]; i++) {
                if (n == SSHD_ARGUMENTS_MAX + 1)
                        return -E2BIG;
                argv[n++] = arguments[i];
        }
        for (size_t i = 0; i < 3 && first[i]; i++)
                argv[n++] = first[i];
        if (key->directory[0] != '\0') {
                argv[n++] = "-h";
                argv[n++] = key->path;
        }
        argv[n] = NULL;
        /* execve(2) takes words that are not const, and does not change them. */
        return program_run((char *const *)(uintptr_t)argv, NULL, SSHD_TIMEOUT_MS, ret);
}

/* The line of sshd -T that names it: the next time it has another name, and nothing else has changed. */
static void leave_out_key(char *output, const struct throw_away_key *key) {
        char *at = key->directory[0] != '\0' ? strstr(output, key->path) : NULL, *end;

        if (!at)
                return;
        end = at + strcspn(at, "\n");
        end += *end == '\n';
        while (at > output && at[-1] != '\n')
                at--;
        memmove(at, end, strlen(end) + 1);
}

/*
 * Runs sshd, and supplies for that time what a machine lacks where no sshd has been started yet: a host key, its directory
 * in /run. Negative errno, also where sshd does not end with 0; then `ret_why` is set, and otherwise `ret`.
 */
static int ask_sshd(const char *const first[static 3], char *const arguments[], struct program_result *ret,
                    char ret_why[static SSHD_WHY_MAX]) {
        struct program_result result = {.output = NULL};
        struct throw_away_key key = {.directory = ""};
        bool made_directory = false;
        int r = -EIO;

        for (int i = 0; i < TRIES_MAX; i++) {
                program_result_clear(&result);
                r = run_sshd(first, arguments, &key, &result);
                if (r < 0) {
                        if (r == -ENOENT)
                                (void)snprintf(ret_why, SSHD_WHY_MAX, "%s is not installed", SSHD_PROGRAM);
                        else if (r == -ETIMEDOUT)
                                (void)snprintf(ret_why, SSHD_WHY_MAX, "%s %s did not end within %d seconds",
                                               SSHD_PROGRAM, first[0], SSHD_TIMEOUT_MS / 1000);
                        else
                                (void)snprintf(ret_why, SSHD_WHY_MAX, "%s cannot be run: %s", SSHD_PROGRAM,
                                               strerror(-r));
                        break;
                }
                if (program_succeeded(&result)) {
                        leave_out_key(result.output, &key);
                        *ret = result; /* transferred */
                        result = (struct program_result){.output = NULL};
                        break;
                }
                r = -EIO;
                one_line(result.complaint, ret_why);
                if (ret_why[0] == '\0')
                        (void)snprintf(ret_why, SSHD_WHY_MAX, "%s %s failed and said nothing", SSHD_PROGRAM, first[0]);
                /* The unit's RuntimeDirectory=. Two of us at a time may take it away from each other: hence the tries. */
                if (strcasestr(result.complaint, "Missing privilege separation directory: " PRIVSEP_DIR)) {
                        if (mkdir(PRIVSEP_DIR, 0755) == 0)
                                made_directory = true;
                        else if (errno != EEXIST)
                                break;
                } else if (strcasestr(result.complaint, "no hostkeys available") && key.directory[0] == '\0') {
                        if (make_throw_away_key(&key) < 0)
                                break;
                } else
                        break;
        }
        program_result_clear(&result);
        throw_away(&key);
        /*
         * Where systemd runs, an sshd that starts meanwhile has seen that it is there, and would end without it, or refuse
         * everybody. So it stays, empty: systemd makes it for each sshd anyhow, and uses one that is there.
         */
        if (made_directory && access("/run/systemd/system", F_OK) < 0)
                (void)rmdir(PRIVSEP_DIR);
        return r;
}

bool sshd_setting(const char *effective, const char *name, size_t nth, char *ret, size_t size) {
        size_t n = strlen(name);

        for (const char *line = effective; line && *line;) {
                size_t length = strcspn(line, "\n");

                if (length > n && line[n] == ' ' && strncasecmp(line, name, n) == 0 && nth-- == 0) {
                        if (length - n - 1 >= size)
                                return false;
                        memcpy(ret, line + n + 1, length - n - 1);
                        ret[length - n - 1] = '\0';
                        return true;
                }
                line += length + (line[length] == '\n');
        }
        return false;
}

bool sshd_setting_is(const char *effective, const char *name, const char *value) {
        char found[256];

        for (size_t i = 0; sshd_setting(effective, name, i, found, sizeof(found)); i++)
                if (strcasecmp(found, value) == 0)
                        return true;
        return false;
}

/* The value of a line "name value", or NULL. "none" is what sshd prints where there is no value. */
static int take_value(const char *line, size_t length, const char *name, char **value) {
        size_t n = strlen(name);

        if (*value || length <= n || strncasecmp(line, name, n) != 0 || line[n] != ' ')
                return 0;
        line += n + 1;
        length -= n + 1;
        if (length == strlen("none") && strncasecmp(line, "none", length) == 0)
                return 0;
        *value = strndup(line, length);
        return *value ? 0 : -ENOMEM;
}

int sshd_effective_for(char *const arguments[], const char *specification, char **ret,
                       char ret_why[static SSHD_WHY_MAX]) {
        const char *words[3] = {"-T", specification ? "-C" : NULL, specification};
        struct program_result result = {.output = NULL};
        int r;

        *ret = sshd_memory_find(arguments, specification);
        if (*ret)
                return 0;
        r = ask_sshd(words, arguments, &result, ret_why);
        /* Where there is a "Match LocalPort", sshd 9.2 wants to know this one, and nothing else. */
        if (r == -EIO && !specification && strstr(ret_why, "'lport' not in connection test specification")) {
                words[1] = "-C";
                words[2] = "lport=1";
                r = ask_sshd(words, arguments, &result, ret_why);
        }
        if (r < 0)
                return r;
        *ret = result.output; /* transferred */
        result.output = NULL;
        program_result_clear(&result);
        sshd_memory_add(arguments, specification, *ret);
        return 0;
}

int sshd_effective(char *const arguments[], const char *user, char **ret, char ret_why[static SSHD_WHY_MAX]) {
        const char *const values[MATCH_ATTRIBUTES] = {[MATCH_USER] = user};
        char *specification;
        int r;

        if (!user)
                return sshd_effective_for(arguments, NULL, ret, ret_why);
        if (strchr(user, ',') || strlen(user) > USER_MAX) {
                (void)snprintf(ret_why, SSHD_WHY_MAX, "this login name cannot be asked about");
                return -EINVAL;
        }
        specification = match_specification(values);
        if (!specification) {
                (void)snprintf(ret_why, SSHD_WHY_MAX, "out of memory");
                return -ENOMEM;
        }
        r = sshd_effective_for(arguments, specification, ret, ret_why);
        free(specification);
        return r;
}

bool sshd_keys_command_of(const char *effective, struct sshd_keys_command *ret) {
        struct sshd_keys_command found = {.command = NULL};
        int r = 0;

        for (const char *line = effective; *line && r >= 0;) {
                size_t length = strcspn(line, "\n");

                r = take_value(line, length, "authorizedkeyscommand", &found.command);
                if (r >= 0)
                        r = take_value(line, length, "authorizedkeyscommanduser", &found.user);
                line += length + (line[length] == '\n');
        }
        if (r < 0) {
                sshd_keys_command_clear(&found);
                return false;
        }
        *ret = found; /* transferred */
        return true;
}

int sshd_keys_command(char *const arguments[], const char *user, struct sshd_keys_command *ret,
                      char ret_why[static SSHD_WHY_MAX]) {
        char *text;
        bool found;
        int r;

        r = sshd_effective(arguments, user, &text, ret_why);
        if (r < 0)
                return r;
        found = sshd_keys_command_of(text, ret);
        free(text);
        if (found)
                return 0;
        (void)snprintf(ret_why, SSHD_WHY_MAX, "out of memory");
        return -ENOMEM;
}

void sshd_keys_command_clear(struct sshd_keys_command *command) {
        free(command->command);
        free(command->user);
        *command = (struct sshd_keys_command){.command = NULL};
}

int sshd_test(char *const arguments[], char ret_why[static SSHD_WHY_MAX]) {
        struct program_result result = {.output = NULL};
        int r = ask_sshd((const char *const[3]){"-t"}, arguments, &result, ret_why);

        program_result_clear(&result);
        return r;
}

/* Of the number behind `text`, and what follows it. */
static int take_number(const char **text) {
        int value = 0;

        if (!isdigit((unsigned char)**text))
                return -1;
        for (; isdigit((unsigned char)**text); (*text)++) {
                value = 10 * value + (**text - '0');
                if (value > 99)
                        return -1;
        }
        return value;
}

int sshd_version(void) {
        static char program[] = SSHD_PROGRAM, option[] = "-V";
        char *argv[] = {program, option, NULL};
        struct program_result result = {.output = NULL};
        int r, major, minor;

        /* Before 9.2 this is no option, and the complaint about it begins with the version. */
        r = program_run(argv, NULL, SSHD_TIMEOUT_MS, &result);
        if (r < 0)
                return r;
        r = -EBADMSG;
        for (int i = 0; i < 2; i++) {
                static const char name[] = "OpenSSH_";
                const char *at = strstr(i == 0 ? result.complaint : result.output, name);

                if (!at)
                        continue;
                at += sizeof(name) - 1;
                major = take_number(&at);
                if (major < 0 || *at++ != '.')
                        continue;
                minor = take_number(&at);
                if (minor >= 0) {
                        r = major * 100 + minor;
                        break;
                }
        }
        program_result_clear(&result);
        return r;
}
