/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <string.h>

#include "admin/command.h"
#include "cli/output.h"
#include "cli/value.h"
#include "common/source.h"
#include "wire/refusal.h"

enum {
        TTL_MAX = 24 * 60 * 60, /* s */
        USER_MAX = 256,         /* bytes */
};

static const struct option long_options[] = {
        {"help", no_argument, NULL, OPTION_HELP},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"json", no_argument, NULL, OPTION_JSON},
        {"socket", required_argument, NULL, OPTION_SOCKET},
        {"user", required_argument, NULL, OPTION_USER},
        {"key", required_argument, NULL, OPTION_KEY},
        {"ttl", required_argument, NULL, OPTION_TTL},
        {"connections", required_argument, NULL, OPTION_CONNECTIONS},
        {"source", required_argument, NULL, OPTION_SOURCE},
        {"restrict", no_argument, NULL, OPTION_RESTRICT},
        {"principal", required_argument, NULL, OPTION_PRINCIPAL},
        {"request-id", required_argument, NULL, OPTION_REQUEST_ID},
        {"fingerprint", required_argument, NULL, OPTION_FINGERPRINT},
        {"all", no_argument, NULL, OPTION_ALL},
        {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
        {"since", required_argument, NULL, OPTION_SINCE},
        {"follow", no_argument, NULL, OPTION_FOLLOW},
        {NULL, 0, NULL, 0},
};

const char *option_name(int bits) {
        for (const struct option *at = long_options; at->name; at++)
                if (at->val & bits)
                        return at->name;
        return NULL;
}

static bool add(const char **list, size_t *n, size_t most, const char *what) {
        if (*n == most) {
                complain("--%s: at most %zu of them", what, most);
                return false;
        }
        list[(*n)++] = optarg;
        return true;
}

/* "SHA256:" and 32 bytes in base64 without its padding. */
static bool fingerprint(const char *text) {
        static const char prefix[] = "SHA256:",
                          base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        size_t n = strlen(prefix);

        return strncmp(text, prefix, n) == 0 && strlen(text + n) == 43 && strspn(text + n, base64) == 43;
}

static bool take_value(struct options *ret, int option) {
        struct source source;

        switch (option) {
        case OPTION_SOCKET:
                ret->socket = optarg;
                break;
        case OPTION_USER:
                if (!*optarg || strlen(optarg) > USER_MAX) {
                        complain("--user: a login name has 1 to %d bytes", USER_MAX);
                        return false;
                }
                ret->user = optarg;
                break;
        case OPTION_KEY:
                return add(ret->key_files, &ret->n_key_files, KEY_LIST_MAX, "key");
        case OPTION_TTL:
                if (!value_number(optarg, 1, TTL_MAX, &ret->ttl)) {
                        complain("--ttl: %s is no number of seconds from 1 to %d", optarg, TTL_MAX);
                        return false;
                }
                break;
        case OPTION_CONNECTIONS:
                if (!value_number(optarg, 0, GRANT_CONNECTIONS_MAX, &ret->connections)) {
                        complain("--connections: %s is no number from 0 to %d", optarg, GRANT_CONNECTIONS_MAX);
                        return false;
                }
                break;
        case OPTION_SOURCE:
                if (!source_from_text(optarg, &source)) {
                        complain("--source: %s is no address, and no range without host bits as in 192.0.2.0/24",
                                 optarg);
                        return false;
                }
                return add(ret->sources, &ret->n_sources, GRANT_SOURCES_MAX, "source");
        case OPTION_PRINCIPAL:
                ret->principal = optarg;
                break;
        case OPTION_REQUEST_ID:
                ret->request_id = optarg;
                break;
        case OPTION_SINCE:
                ret->since = optarg;
                break;
        case OPTION_FINGERPRINT:
                if (!fingerprint(optarg)) {
                        complain("--fingerprint: %s is not SHA256: and 43 characters, as ssh-keygen -l prints it",
                                 optarg);
                        return false;
                }
                ret->fingerprint = optarg;
                break;
        }
        return true;
}

static bool take_word(struct options *ret, const char *word) {
        if (ret->command) {
                complain("%s: one argument too many", word);
                return false;
        }
        ret->command = word;
        return true;
}

static bool parse(int argc, char **argv, struct options *ret) {
        int c;

        /* '-': words are handed out where they stand, whatever POSIXLY_CORRECT is: options may stand on both sides. */
        while ((c = getopt_long(argc, argv, "-h", long_options, NULL)) >= 0) {
                if (c == '?')
                        return false;
                if (c == 1) {
                        if (!take_word(ret, optarg))
                                return false;
                        continue;
                }
                if (c == 'h')
                        c = OPTION_HELP;
                if (optarg && (ret->given & c & ~(OPTION_KEY | OPTION_SOURCE))) {
                        complain("--%s is given twice", option_name(c));
                        return false;
                }
                if (optarg && !value_utf8(optarg)) {
                        complain("--%s: %s is not valid UTF-8", option_name(c), optarg);
                        return false;
                }
                ret->given |= c;
                if (!take_value(ret, c))
                        return false;
        }
        for (; optind < argc; optind++) /* behind "--" */
                if (!take_word(ret, argv[optind]))
                        return false;
        return true;
}

int options_parse(int argc, char **argv, struct options *ret) {
        struct options options = {.socket = ADMIN_SOCKET};

        if (!parse(argc, argv, &options)) {
                complain("see: exc-instance-connect --help");
                return EXIT_USAGE;
        }
        *ret = options;
        return EXIT_DONE;
}
