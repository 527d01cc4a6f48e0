/* SPDX-License-Identifier: Apache-2.0 */
#include "authkeys-helper/arguments.h"

#include <string.h>

#include "common/store.h"

int arguments_separator(int argc, char *const argv[]) {
        for (int i = 1; i < argc; i++)
                if (strcmp(argv[i], "--") == 0)
                        return i;
        return argc;
}

static enum arguments_result wrong(const char **ret_why, const char *why) {
        *ret_why = why;
        return ARGUMENTS_WRONG;
}

/* An option's value, at argv[at]. */
static enum arguments_result parse_value(const char *option, const char *value, struct arguments *ret,
                                         const char **ret_why) {
        if (!value || value[0] == '\0')
                return wrong(ret_why, "an option has no value");
        if (strcmp(option, "--chain-user") == 0) {
                ret->chain_user = value;
                return ARGUMENTS_RUN;
        }
        if (strcmp(option, "--connection") == 0) {
                ret->has_caller = caller_from_text(value, &ret->caller);
                return ret->has_caller ? ARGUMENTS_RUN : wrong(ret_why, "--connection takes PID:START or errno:NUMBER");
        }
        ret->runtime_dir = value;
        return value[0] == '/' ? ARGUMENTS_RUN : wrong(ret_why, "--runtime-dir takes an absolute path");
}

static bool takes_value(const char *option, const struct arguments *so_far) {
        return strcmp(option, "--runtime-dir") == 0 || (strcmp(option, "--chain-user") == 0 && !so_far->chain_user) ||
               (strcmp(option, "--connection") == 0 && !so_far->has_caller);
}

static enum arguments_result parse_options(int argc, char *const argv[], int *at, struct arguments *ret,
                                           const char **ret_why) {
        for (; *at < argc && argv[*at][0] == '-'; (*at)++) {
                const char *option = argv[*at];
                enum arguments_result result;

                /* Only as the last word: otherwise it may be a login name. */
                if (strcmp(option, "--help") == 0 && *at + 1 == argc)
                        return ARGUMENTS_HELP;
                if (strcmp(option, "--version") == 0 && *at + 1 == argc)
                        return ARGUMENTS_VERSION;
                if (strcmp(option, "--expiry-time") == 0) {
                        ret->expiry_time = true;
                        continue;
                }
                if (strcmp(option, "--verbose") == 0) {
                        ret->verbose = true;
                        continue;
                }
                if (!takes_value(option, ret))
                        return wrong(ret_why, "an option is not known");
                ++*at;
                result = parse_value(option, *at < argc ? argv[*at] : NULL, ret, ret_why);
                if (result != ARGUMENTS_RUN)
                        return result;
        }
        return ARGUMENTS_RUN;
}

/* A certificate's blob, or a type that this project does not know, is a key of somebody else, not a usage error. */
static void parse_key(struct arguments *ret) {
        uint8_t blob[SSH_KEY_BLOB_MAX];
        size_t length;

        ret->has_key = base64_decode(ret->key_text, strlen(ret->key_text), blob, sizeof(blob), &length) &&
                       ssh_key_from_blob(blob, length, &ret->key) == SSH_KEY_OK &&
                       strcmp(ssh_key_type_name(ret->key.type), ret->type) == 0;
        ret->foreign_key = !ret->has_key;
}

/* The words before "--". */
static enum arguments_result parse_own(int argc, char *const argv[], struct arguments *ret, const char **ret_why) {
        enum arguments_result result;
        int at = 1;

        result = parse_options(argc, argv, &at, ret, ret_why);
        if (result != ARGUMENTS_RUN)
                return result;
        if (ret->chain_user && !ret->chain)
                return wrong(ret_why, "--chain-user goes with a command after --");
        if (ret->has_caller && ret->chain)
                return wrong(ret_why, "--connection does not go with a command after --");
        if (argc - at != 1 && argc - at != 2 && argc - at != 4)
                return wrong(ret_why, "USER, USER FINGERPRINT or USER FINGERPRINT TYPE KEY is expected");
        /* None of sshd's values begins with a dash: this is an option behind USER, where options are not read. */
        for (int i = at + 1; i < argc; i++)
                if (argv[i][0] == '-')
                        return wrong(ret_why, "options come before USER");
        ret->user = argv[at];
        if (argc - at >= 2)
                ret->fingerprint = argv[at + 1];
        if (argc - at == 4) {
                ret->type = argv[at + 2];
                ret->key_text = argv[at + 3];
                parse_key(ret);
        }
        return ARGUMENTS_RUN;
}

/*
 * The user of the other command, where parsing failed before that option: the command is run all the same, and a typing
 * error before the option must not make it run as root. Without a name it is "", which no user has: then it is not run.
 */
static const char *find_chain_user(int argc, char *const argv[]) {
        static const char option[] = "--chain-user";
        const size_t n = sizeof(option) - 1;

        for (int i = 1; i < argc; i++) {
                if (strncmp(argv[i], option, n) != 0)
                        continue;
                if (argv[i][n] == '\0')
                        return i + 1 < argc ? argv[i + 1] : "";
                if (argv[i][n] == '=')
                        return argv[i] + n + 1;
        }
        return NULL;
}

enum arguments_result arguments_parse(int argc, char *const argv[], struct arguments *ret, const char **ret_why) {
        int own = arguments_separator(argc, argv);
        enum arguments_result result;

        *ret = (struct arguments){.runtime_dir = STORE_RUNTIME_DIR};
        if (own + 1 < argc)
                ret->chain = argv + own + 1;
        else if (own < argc)
                return wrong(ret_why, "no command stands after --");
        result = parse_own(own, argv, ret, ret_why);
        if (result == ARGUMENTS_WRONG && !ret->chain_user)
                ret->chain_user = find_chain_user(own, argv);
        return result;
}
