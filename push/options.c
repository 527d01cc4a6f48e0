/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/output.h"
#include "cli/value.h"
#include "libpush/guest.h"
#include "push/command.h"
#include "wire/fingerprint.h"
#include "wire/refusal.h"

enum {
        FIRST = 1 << 8, /* above any character: getopt_long(3) returns option_id values */
        TIMEOUT_MAX_S = 60,
        WAIT_MAX_S = 3600,
};

static const struct option long_options[] = {
        {"help", no_argument, NULL, FIRST + OPTION_HELP},
        {"version", no_argument, NULL, FIRST + OPTION_VERSION},
        {"json", no_argument, NULL, FIRST + OPTION_JSON},
        {"to", required_argument, NULL, FIRST + OPTION_TO},
        {"timeout", required_argument, NULL, FIRST + OPTION_TIMEOUT},
        {"wait", required_argument, NULL, FIRST + OPTION_WAIT},
        {"known-hosts", required_argument, NULL, FIRST + OPTION_KNOWN_HOSTS},
        {"signing-key", required_argument, NULL, FIRST + OPTION_SIGNING_KEY},
        {"sign-command", required_argument, NULL, FIRST + OPTION_SIGN_COMMAND},
        {"unsigned", no_argument, NULL, FIRST + OPTION_UNSIGNED},
        {"envelope", required_argument, NULL, FIRST + OPTION_ENVELOPE},
        {"instance", required_argument, NULL, FIRST + OPTION_INSTANCE},
        {"valid-for", required_argument, NULL, FIRST + OPTION_VALID_FOR},
        {"no-challenge", no_argument, NULL, FIRST + OPTION_NO_CHALLENGE},
        {"user", required_argument, NULL, FIRST + OPTION_USER},
        {"key", required_argument, NULL, FIRST + OPTION_KEY},
        {"generate", no_argument, NULL, FIRST + OPTION_GENERATE},
        {"ttl", required_argument, NULL, FIRST + OPTION_TTL},
        {"connections", required_argument, NULL, FIRST + OPTION_CONNECTIONS},
        {"source", required_argument, NULL, FIRST + OPTION_SOURCE},
        {"restrict", no_argument, NULL, FIRST + OPTION_RESTRICT},
        {"principal", required_argument, NULL, FIRST + OPTION_PRINCIPAL},
        {"request-id", required_argument, NULL, FIRST + OPTION_REQUEST_ID},
        {"fingerprint", required_argument, NULL, FIRST + OPTION_FINGERPRINT},
        {"all", no_argument, NULL, FIRST + OPTION_ALL},
        {NULL, 0, NULL, 0},
};

const char *option_name(uint32_t bits) {
        for (const struct option *at = long_options; at->name; at++)
                if (bits & OPTION_BIT(at->val - FIRST))
                        return at->name;
        return ""; /* OPTION_COMMAND: "--" itself */
}

static void see_help(const struct options *options) {
        complain("see: exc-push %s%s--help", options->command ? options->command : "", options->command ? " " : "");
}

int usage(const struct options *options, const char *format, ...) {
        char line[512];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(line, sizeof(line), format, arguments);
        va_end(arguments);
        complain("%s", line);
        see_help(options);
        return EXIT_USAGE;
}

static bool seconds(const char *name, int most, int *ret) {
        if (value_number(optarg, 1, most, ret))
                return true;
        complain("--%s: invalid value '%s': expected 1..%d seconds", name, optarg, most);
        return false;
}

static bool take_to(struct options *ret) {
        const char *fault = address_from_text(optarg, &ret->address);

        if (fault)
                complain("--to: %s: %s", optarg, fault);
        ret->to = optarg;
        return !fault;
}

static bool take_source(struct options *ret) {
        if (ret->n_sources == PUSH_MADE_SOURCES_MAX) {
                complain("--source: more than %d addresses", PUSH_MADE_SOURCES_MAX);
                return false;
        }
        if (!source_from_text(optarg, &ret->sources[ret->n_sources])) {
                complain("--source: invalid value '%s': expected an address, or a range without host bits as "
                         "192.0.2.0/24",
                         optarg);
                return false;
        }
        ret->n_sources++;
        return true;
}

static bool take_key(struct options *ret) {
        if (ret->n_key_files == KEY_LIST_MAX) {
                complain("--key: more than %d files", KEY_LIST_MAX);
                return false;
        }
        ret->key_files[ret->n_key_files++] = optarg;
        return true;
}

static bool take_text(const char *name, const char **ret) {
        *ret = optarg;
        if (!*optarg)
                complain("--%s: the value is empty", name);
        return *optarg;
}

static bool take_value(struct options *ret, enum option_id option) {
        switch (option) {
        case OPTION_TO:
                return take_to(ret);
        case OPTION_TIMEOUT:
                if (!seconds("timeout", TIMEOUT_MAX_S, &ret->timeout_ms))
                        return false;
                ret->timeout_ms *= 1000;
                return true;
        case OPTION_WAIT:
                return seconds("wait", WAIT_MAX_S, &ret->wait);
        case OPTION_KNOWN_HOSTS:
                if (known_hosts_name(optarg, ret->known_hosts))
                        return true;
                complain("--known-hosts: invalid value '%s': expected the name of one host, or [host]:port", optarg);
                return false;
        case OPTION_SIGNING_KEY:
                return take_text("signing-key", &ret->signing_key);
        case OPTION_SIGN_COMMAND:
                return take_text("sign-command", &ret->sign_command);
        case OPTION_ENVELOPE:
                return take_text("envelope", &ret->envelope);
        case OPTION_INSTANCE:
                return take_text("instance", &ret->instance);
        case OPTION_VALID_FOR:
                return seconds("valid-for", VALID_CHALLENGE_MAX_S, &ret->valid_for);
        case OPTION_USER:
                return take_text("user", &ret->user);
        case OPTION_KEY:
                return take_key(ret);
        case OPTION_TTL:
                return seconds("ttl", VALID_CHALLENGE_MAX_S, &ret->ttl);
        case OPTION_CONNECTIONS:
                if (value_number(optarg, 0, PUSH_MADE_CONNECTIONS_MAX, &ret->connections))
                        return true;
                complain("--connections: invalid value '%s': expected 0..%d", optarg, PUSH_MADE_CONNECTIONS_MAX);
                return false;
        case OPTION_SOURCE:
                return take_source(ret);
        case OPTION_PRINCIPAL:
                return take_text("principal", &ret->principal);
        case OPTION_REQUEST_ID:
                return take_text("request-id", &ret->request_id);
        case OPTION_FINGERPRINT:
                ret->fingerprint = optarg;
                if (fingerprint_valid(optarg))
                        return true;
                complain("--fingerprint: invalid value '%s': expected SHA256: and 43 characters, as ssh-keygen -l "
                         "prints it",
                         optarg);
                return false;
        default: /* they have no value */
                return true;
        }
}

static bool take_word(struct options *ret, const char *word) {
        if (!ret->command)
                ret->command = word;
        else if (strcmp(ret->command, "sign") == 0 && !ret->subject)
                ret->subject = word;
        else {
                complain("%s: unexpected argument; a command to run follows --", word);
                return false;
        }
        return true;
}

static bool take_option(struct options *ret, enum option_id option) {
        static const uint32_t repeatable = OPTION_BIT(OPTION_KEY) | OPTION_BIT(OPTION_SOURCE);
        uint32_t bit = OPTION_BIT(option);

        if (optarg && (ret->given & bit & ~repeatable)) {
                complain("--%s is given twice", option_name(bit));
                return false;
        }
        if (optarg && !value_utf8(optarg)) {
                complain("--%s: %s is not valid UTF-8", option_name(bit), optarg);
                return false;
        }
        ret->given |= bit;
        return take_value(ret, option);
}

static bool parse(int argc, char **argv, struct options *ret) {
        int c;

        /* '-': arguments are returned in their order, whatever POSIXLY_CORRECT is: options may follow them. */
        while ((c = getopt_long(argc, argv, "-h", long_options, NULL)) >= 0) {
                bool ok;

                if (c == '?')
                        ok = false;
                else if (c == 1)
                        ok = take_word(ret, optarg);
                else
                        ok = take_option(ret, c == 'h' ? OPTION_HELP : (enum option_id)(c - FIRST));
                if (!ok)
                        return false;
        }
        if (optind < argc) { /* only "--" ends it before the last word */
                ret->given |= OPTION_BIT(OPTION_COMMAND);
                ret->argv = argv + optind;
        }
        return true;
}

int options_parse(int argc, char **argv, struct options *ret) {
        struct options options = {.timeout_ms = GUEST_TIMEOUT_MS};

        if (!parse(argc, argv, &options)) {
                see_help(&options);
                return EXIT_USAGE;
        }
        *ret = options;
        return EXIT_DONE;
}
