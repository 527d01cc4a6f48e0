/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "cli/output.h"
#include "cli/value.h"
#include "cloud/admin/command.h"
#include "cloud/api/name.h"
#include "wire/refusal.h"

enum {
        DAY_S = 24 * 60 * 60,
        EXPIRES_DEFAULT_S = 30 * DAY_S,
        EXPIRES_DAYS_MAX = 3650,
};

static const struct option long_options[] = {
        {"help", no_argument, NULL, OPTION_HELP},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"json", no_argument, NULL, OPTION_JSON},
        {"database", required_argument, NULL, OPTION_DATABASE},
        {"user", required_argument, NULL, OPTION_USER},
        {"expires-in", required_argument, NULL, OPTION_EXPIRES_IN},
        {"host", required_argument, NULL, OPTION_HOST},
        {"name", required_argument, NULL, OPTION_NAME},
        {"default-user", required_argument, NULL, OPTION_DEFAULT_USER},
        {"public-ipv4", required_argument, NULL, OPTION_PUBLIC_IPV4},
        {"private-ipv4", required_argument, NULL, OPTION_PRIVATE_IPV4},
        {"ipv6", required_argument, NULL, OPTION_IPV6},
        {"port", required_argument, NULL, OPTION_PORT},
        {"keypair", required_argument, NULL, OPTION_KEYPAIR},
        {"tunnel", no_argument, NULL, OPTION_TUNNEL},
        {"accept", no_argument, NULL, OPTION_ACCEPT},
        {"audit", required_argument, NULL, OPTION_AUDIT},
        {"signer-log", required_argument, NULL, OPTION_SIGNER_LOG},
        {"no-signer-log", no_argument, NULL, OPTION_NO_SIGNER_LOG},
        {"policy", required_argument, NULL, OPTION_POLICY},
        {NULL, 0, NULL, 0},
};

const char *option_name(int bits) {
        for (const struct option *at = long_options; at->name; at++)
                if (at->val & bits)
                        return at->name;
        return NULL;
}

/* A number, and perhaps s, m, h or d behind it. */
static bool take_duration(const char *text, int64_t *ret) {
        static const struct {
                char letter;
                int seconds;
        } units[] = {{'s', 1}, {'m', 60}, {'h', 60 * 60}, {'d', DAY_S}};
        size_t n = strlen(text);
        int64_t seconds = 1;
        char digits[16];
        int value;

        if (n == 0 || n >= sizeof(digits))
                return false;
        memcpy(digits, text, n + 1);
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
                if (text[n - 1] == units[i].letter) {
                        seconds = units[i].seconds;
                        digits[n - 1] = '\0';
                        break;
                }
        if (!value_number(digits, 1, 100000000, &value) || value * seconds > (int64_t)EXPIRES_DAYS_MAX * DAY_S)
                return false;
        *ret = value * seconds;
        return true;
}

/* Addresses are kept in one form, as POST and PUT of the API keep them. */
static bool take_address(int option, int family, char ret[static STORE_ADDRESS_MAX]) {
        struct in6_addr address; /* the larger of the two */

        if (inet_pton(family, optarg, &address) != 1 || (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address))) {
                complain("--%s: %s is not an %s address", option_name(option), optarg,
                         family == AF_INET ? "IPv4" : "IPv6");
                return false;
        }
        (void)inet_ntop(family, &address, ret, STORE_ADDRESS_MAX);
        return true;
}

/* ACCOUNT/NAME */
static bool take_keypair(struct store_instance *ret) {
        const char *slash = strchr(optarg, '/');
        size_t n = slash ? (size_t)(slash - optarg) : 0;

        if (slash && n < sizeof(ret->keypair_account) && name_plain_valid(slash + 1)) {
                memcpy(ret->keypair_account, optarg, n);
                ret->keypair_account[n] = '\0';
                (void)snprintf(ret->keypair, sizeof(ret->keypair), "%s", slash + 1);
                if (name_account_valid(ret->keypair_account))
                        return true;
        }
        complain("--keypair: %s is not ACCOUNT/NAME", optarg);
        return false;
}

/* A label for people: 1 to 256 bytes without control characters, and not blank. */
static bool take_name(struct store_instance *ret) {
        size_t n = strlen(optarg);
        bool plain = n >= 1 && n < sizeof(ret->name) && strspn(optarg, " ") < n;

        for (size_t i = 0; i < n; i++)
                plain = plain && (unsigned char)optarg[i] >= ' ' && optarg[i] != 0x7f;
        if (!plain) {
                complain("--name: a name has 1 to 256 bytes and no control characters");
                return false;
        }
        memcpy(ret->name, optarg, n + 1);
        return true;
}

static bool take_value(struct options *ret, int option) {
        int port;

        switch (option) {
        case OPTION_DATABASE:
                ret->database = optarg;
                break;
        case OPTION_USER:
                ret->user = optarg;
                break;
        case OPTION_AUDIT:
                ret->audit = optarg;
                break;
        case OPTION_SIGNER_LOG:
                ret->signer_log = optarg;
                break;
        case OPTION_POLICY:
                ret->policy = optarg;
                break;
        case OPTION_EXPIRES_IN:
                if (!take_duration(optarg, &ret->expires_in)) {
                        complain("--expires-in: %s is not a time as in 90d, 12h, 30m or 600s, at most %dd", optarg,
                                 EXPIRES_DAYS_MAX);
                        return false;
                }
                break;
        case OPTION_HOST:
                if (!name_plain_valid(optarg)) {
                        complain("--host: %s is not the name of a host: 1 to 64 letters, digits, '.', '_' and '-', the "
                                 "first a letter or a digit",
                                 optarg);
                        return false;
                }
                (void)snprintf(ret->instance.host, sizeof(ret->instance.host), "%s", optarg);
                break;
        case OPTION_NAME:
                return take_name(&ret->instance);
        case OPTION_DEFAULT_USER:
                if (!name_user_valid(optarg)) {
                        complain("--default-user: a login name has 1 to 256 bytes, does not begin with '-', and has no "
                                 "control characters");
                        return false;
                }
                (void)snprintf(ret->instance.default_user, sizeof(ret->instance.default_user), "%s", optarg);
                break;
        case OPTION_PUBLIC_IPV4:
                return take_address(option, AF_INET, ret->instance.addresses.public_ipv4);
        case OPTION_PRIVATE_IPV4:
                return take_address(option, AF_INET, ret->instance.addresses.private_ipv4);
        case OPTION_IPV6:
                return take_address(option, AF_INET6, ret->instance.addresses.ipv6);
        case OPTION_PORT:
                if (!value_number(optarg, 1, 65535, &port)) {
                        complain("--port: %s is not a number from 1 to 65535", optarg);
                        return false;
                }
                ret->instance.addresses.port = port;
                break;
        case OPTION_KEYPAIR:
                return take_keypair(&ret->instance);
        case OPTION_TUNNEL:
                ret->instance.tunnel = true;
                break;
        }
        return true;
}

static bool take_word(struct options *ret, const char *word) {
        if (ret->n_words == sizeof(ret->words) / sizeof(ret->words[0])) {
                complain("%s: one argument too many", word);
                return false;
        }
        if (!value_utf8(word)) {
                complain("%s: not valid UTF-8", word);
                return false;
        }
        ret->words[ret->n_words++] = word;
        return true;
}

static bool parse(int argc, char **argv, struct options *ret) {
        int c;

        /* '-': words are returned in their order, whatever POSIXLY_CORRECT is: options may stand on both sides. */
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
                if (optarg && (ret->given & c)) {
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
        *ret = (struct options){
                .database = COMPUTE_DATABASE,
                .audit = COMPUTE_AUDIT,
                .signer_log = COMPUTE_SIGNER_LOG,
                .user = COMPUTE_USER,
                .expires_in = EXPIRES_DEFAULT_S,
        };
        if (parse(argc, argv, ret))
                return EXIT_DONE;
        complain("see: exc-compute-admin --help");
        return EXIT_USAGE;
}
