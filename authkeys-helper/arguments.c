/* SPDX-License-Identifier: Apache-2.0 */
#include "authkeys-helper/arguments.h"

#include <string.h>

#include "common/store.h"

/* Everything before "--" is ours. Returns how many arguments that is, the program's name included. */
static int split_chain(int argc, char *const argv[], char *const **ret_chain) {
        for (int i = 1; i < argc; i++)
                if (strcmp(argv[i], "--") == 0) {
                        if (i + 1 < argc)
                                *ret_chain = argv + i + 1;
                        return i;
                }
        return argc;
}

static enum arguments_result parse_options(int argc, char *const argv[], int *at, struct arguments *ret,
                                           const char **ret_why) {
        for (; *at < argc && argv[*at][0] == '-'; (*at)++) {
                const char *option = argv[*at];
                const char **value = NULL;

                /* These stand last; with more behind it, it may be a login name. */
                if (strcmp(option, "--help") == 0 && *at + 1 == argc)
                        return ARGUMENTS_HELP;
                if (strcmp(option, "--version") == 0 && *at + 1 == argc)
                        return ARGUMENTS_VERSION;
                if (strcmp(option, "--expiry-time") == 0) {
                        ret->expiry_time = true;
                        continue;
                }
                if (strcmp(option, "--runtime-dir") == 0)
                        value = &ret->runtime_dir;
                else if (strcmp(option, "--chain-user") == 0 && !ret->chain_user)
                        value = &ret->chain_user;
                if (!value) {
                        *ret_why = "an option is not known";
                        return ARGUMENTS_WRONG;
                }
                if (++*at >= argc || argv[*at][0] == '\0') {
                        *ret_why = "an option has no value";
                        return ARGUMENTS_WRONG;
                }
                if (value == &ret->runtime_dir && argv[*at][0] != '/') {
                        *ret_why = "--runtime-dir takes an absolute path";
                        return ARGUMENTS_WRONG;
                }
                *value = argv[*at];
        }
        return ARGUMENTS_RUN;
}

/*
 * TYPE and KEY are sshd's %t and %k. A certificate's blob, or a type that this project does not know, is no fault of the
 * command line: it is a key that is not ours.
 */
static void parse_key(const char *type, const char *text, struct arguments *ret) {
        uint8_t blob[SSH_KEY_BLOB_MAX];
        size_t length;

        ret->has_key = base64_decode(text, strlen(text), blob, sizeof(blob), &length) &&
                       ssh_key_from_blob(blob, length, &ret->key) == SSH_KEY_OK &&
                       strcmp(ssh_key_type_name(ret->key.type), type) == 0;
        ret->foreign_key = !ret->has_key;
}

static enum arguments_result parse_ours(int argc, char *const argv[], struct arguments *ret, const char **ret_why) {
        enum arguments_result result;
        int at = 1;

        result = parse_options(argc, argv, &at, ret, ret_why);
        if (result != ARGUMENTS_RUN)
                return result;
        if (ret->chain_user && !ret->chain) {
                *ret_why = "--chain-user goes with a command after --";
                return ARGUMENTS_WRONG;
        }
        if (argc - at != 1 && argc - at != 2 && argc - at != 4) {
                *ret_why = "USER, USER FINGERPRINT or USER FINGERPRINT TYPE KEY is expected";
                return ARGUMENTS_WRONG;
        }
        /* None of sshd's begins like that: an option stands behind USER, where none is looked for. */
        for (int i = at + 1; i < argc; i++)
                if (argv[i][0] == '-') {
                        *ret_why = "options come before USER";
                        return ARGUMENTS_WRONG;
                }
        ret->user = argv[at];
        if (argc - at >= 2)
                ret->fingerprint = argv[at + 1];
        if (argc - at == 4)
                parse_key(argv[at + 2], argv[at + 3], ret);
        return ARGUMENTS_RUN;
}

/*
 * Whose rights the other command is to have, where parsing did not come that far: it is run all the same, and must not be
 * run as root for a slip of the pen before this option. Without a name it is "", which nobody has: then it is not run.
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
        enum arguments_result result;
        int ours;

        *ret = (struct arguments){.runtime_dir = STORE_RUNTIME_DIR};
        ours = split_chain(argc, argv, &ret->chain);
        if (ours < argc && !ret->chain) {
                *ret_why = "no command stands after --";
                return ARGUMENTS_WRONG;
        }
        result = parse_ours(ours, argv, ret, ret_why);
        if (result == ARGUMENTS_WRONG && !ret->chain_user)
                ret->chain_user = find_chain_user(ours, argv);
        return result;
}
