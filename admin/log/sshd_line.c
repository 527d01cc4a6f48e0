/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/log/sshd_line.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MESSAGE_MAX = 1024 };

/* Cut where it does not fit. */
static void copy(char *dst, size_t size, const char *src) {
        size_t n = strnlen(src, size - 1);

        memcpy(dst, src, n);
        dst[n] = '\0';
}

/* What follows `prefix`, or NULL. */
static char *after(char *text, const char *prefix) {
        size_t n = strlen(prefix);

        return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

/* The last occurrence of `needle`. */
static char *last(char *text, const char *needle) {
        char *found = NULL;

        for (char *at = strstr(text, needle); at; at = strstr(at + 1, needle))
                found = at;
        return found;
}

/* False where it does not end so. */
static bool drop_suffix(char *text, const char *suffix) {
        size_t n = strlen(text), m = strlen(suffix);

        if (n < m || strcmp(text + n - m, suffix) != 0)
                return false;
        text[n - m] = '\0';
        return true;
}

/* "SHA256:" and 43 characters of base64; in any other form (FingerprintHash md5) it could not be joined with anything. */
static void take_fingerprint(const char *text, struct sshd_line *ret) {
        static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        size_t n;

        if (strncmp(text, "SHA256:", 7) != 0)
                return;
        n = strspn(text + 7, base64);
        if (n == 43 && (text[50] == '\0' || text[50] == ' '))
                copy(ret->fingerprint, sizeof(ret->fingerprint), text);
}

/*
 * Cuts "ADDRESS port N" off the end, and the blank before it. sshd writes the address itself, without blanks. What is left
 * may be a user name, which the client chose.
 */
static bool take_address(char *text, struct sshd_line *ret) {
        char *at = last(text, " port "), *address;
        unsigned long port;

        if (!at || at[6] == '\0' || at[6 + strspn(at + 6, "0123456789")] != '\0')
                return false;
        port = strtoul(at + 6, NULL, 10);
        if (port > 65535)
                return false;
        *at = '\0';
        ret->port = (unsigned)port;
        address = strrchr(text, ' ');
        copy(ret->address, sizeof(ret->address), address ? address + 1 : text);
        *(address ? address : text) = '\0';
        return true;
}

static bool take_address_alone(char *text, struct sshd_line *ret) {
        return take_address(text, ret) && *text == '\0';
}

/* "USER from ADDRESS port N" */
static bool take_user_and_address(char *text, struct sshd_line *ret) {
        if (!take_address(text, ret) || !drop_suffix(text, " from"))
                return false;
        copy(ret->user, sizeof(ret->user), text);
        return true;
}

/* Cuts `mark` off, and what follows, which it returns; NULL where there is none. */
static char *cut_at(char *text, const char *mark) {
        char *at = strstr(text, mark);

        if (!at)
                return NULL;
        *at = '\0';
        return at + strlen(mark);
}

/*
 * What is behind the connection. sshd has cut a user name at its first colon before it does anything with it
 * (input_userauth_request() in auth2.c), so the first ": " is sshd's own.
 */
static char *cut_detail(char *text) {
        return cut_at(text, ": ");
}

static char *take_unknown_user(char *text, struct sshd_line *ret) {
        char *name = after(text, "invalid user ");

        ret->unknown_user = name != NULL;
        return name ? name : text;
}

/* "METHOD for USER from ADDRESS port N ssh2[: TYPE FINGERPRINT …]" (auth_log() in auth.c). */
static bool parse_attempt(enum sshd_said said, char *text, struct sshd_line *ret) {
        char *key = cut_detail(text), *name = strstr(text, " for ");

        if (!name || !drop_suffix(name, " ssh2"))
                return false;
        *name = '\0';
        copy(ret->method, sizeof(ret->method), text);
        name = take_unknown_user(name + 5, ret);
        if (key && strcmp(ret->method, "publickey") == 0) {
                size_t type = strcspn(key, " ");

                ret->certificate = type > 5 && strncmp(key + type - 5, "-CERT", 5) == 0;
                if (key[type])
                        take_fingerprint(key + type + 1, ret);
        }
        ret->said = said;
        return take_user_and_address(name, ret);
}

static bool parse_refused_user(char *text, struct sshd_line *ret) {
        static const char because[] = " not allowed because ";
        char *why = strstr(text, because), *from;

        if (!why)
                return false;
        *why = '\0';
        copy(ret->detail, sizeof(ret->detail), why + strlen(because));
        from = last(text, " from ");
        if (from) {
                *from = '\0';
                copy(ret->address, sizeof(ret->address), from + 6);
        }
        copy(ret->user, sizeof(ret->user), text);
        ret->said = SSHD_SAID_USER_REFUSED;
        return true;
}

/*
 * "FILE:LINE: Authentication tried for USER with correct key but not from a permitted host (host=…, ip=…, required=…)."
 * (auth_authorise_keyopts()). The owner of the file chooses what is required, which is a list without blanks.
 */
static bool parse_wrong_source(char *text, struct sshd_line *ret) {
        static const char tried[] = ": Authentication tried for ";
        static const char host[] = " with correct key but not from a permitted host (host=";
        char *user = strstr(text, tried), *line = user, *with, *ip, *required;

        while (line && line > text && line[-1] >= '0' && line[-1] <= '9')
                line--;
        if (!user || line == user || line == text || line[-1] != ':')
                return false;
        user += strlen(tried);
        with = strstr(user, host);
        ip = with ? strstr(with, ", ip=") : NULL;
        required = ip ? strstr(ip, ", required=") : NULL;
        if (!required)
                return false;
        *with = *required = '\0';
        required += 11;
        (void)drop_suffix(required, ").");
        required[strcspn(required, " ")] = '\0';
        copy(ret->user, sizeof(ret->user), user);
        copy(ret->address, sizeof(ret->address), ip + 5);
        copy(ret->detail, sizeof(ret->detail), required);
        ret->said = SSHD_SAID_WRONG_SOURCE;
        return true;
}

/* "[authenticating user U |invalid user U |user U ]ADDRESS port N[: WHY]" (sshpkt_fmt_connection_id()) */
static bool parse_end(char *text, struct sshd_line *ret) {
        char *user = after(text, "user "), *why = cut_detail(text);

        ret->said = user ? SSHD_SAID_LEFT : SSHD_SAID_ENDED;
        if (!user)
                user = after(text, "authenticating user ");
        if (!user) {
                user = take_unknown_user(text, ret);
                if (!ret->unknown_user)
                        user = NULL;
        }
        ret->before_login |= ret->said == SSHD_SAID_ENDED && user;
        if (why) {
                /* In brackets are the client's words. */
                (void)cut_at(why, ": (");
                copy(ret->detail, sizeof(ret->detail), why);
        }
        if (!user)
                return take_address_alone(text, ret);
        if (!take_address(user, ret))
                return false;
        copy(ret->user, sizeof(ret->user), user);
        return true;
}

static bool parse_timeout(char *text, struct sshd_line *ret) {
        char *from = after(text, "connection from "), *pid = cut_at(text, ", pid = ");

        ret->said = SSHD_SAID_TIMEOUT;
        if (!from)
                return take_address_alone(text, ret);
        if (pid)
                ret->pid = strtoull(pid, NULL, 10);
        (void)cut_at(from, " to ");
        copy(ret->address, sizeof(ret->address), from);
        return true;
}

/* "pam_NAME(sshd:TYPE): TEXT" */
static bool parse_pam(char *text, struct sshd_line *ret) {
        char *type = strstr(text, "(sshd:"), *said = type ? strstr(type, "): ") : NULL, *name;

        if (!said || strcspn(text, " (") != (size_t)(type - text))
                return false;
        *said = '\0';
        said += 3;
        if (strcmp(type, "(sshd:account") == 0) {
                copy(ret->detail, sizeof(ret->detail), said);
                ret->said = SSHD_SAID_ACCOUNT_NOTE;
                return true;
        }
        /* Other modules also write of sessions that open and close; one is enough. */
        if (!after(text, "pam_unix(") || strcmp(type, "(sshd:session") != 0)
                return false;
        if ((name = after(said, "session opened for user ")))
                ret->said = SSHD_SAID_SESSION_OPENED;
        else if ((name = after(said, "session closed for user ")))
                ret->said = SSHD_SAID_SESSION_CLOSED;
        else
                return false;
        (void)cut_at(name, " by ");
        (void)cut_at(name, "(uid=");
        copy(ret->user, sizeof(ret->user), name);
        return true;
}

/*
 * "refusing TYPE key: WHY" (RequiredRSASize), "Refusing RSA key because WHY", and "userauth_pubkey: signature algorithm NAME
 * not in PubkeyAcceptedAlgorithms" (userauth_pubkey()). Types and algorithms are names that sshd knows.
 */
static bool parse_key_refused(char *text, struct sshd_line *ret) {
        char *name = after(text, "userauth_pubkey: ");

        ret->said = SSHD_SAID_KEY_REFUSED;
        if (!name) {
                name = strstr(text, "efusing ") + strlen("efusing ");
                copy(ret->detail, sizeof(ret->detail), name);
                return strstr(name, " key: ") || strstr(name, " key because ");
        }
        copy(ret->detail, sizeof(ret->detail), name);
        name = after(name, "signature algorithm ");
        return name && drop_suffix(name, " not in PubkeyAcceptedAlgorithms") && !strchr(name, ' ');
}

/*
 * "AuthorizedKeysCommand PROGRAM ARGUMENT… failed, status N", or "… exited on signal N" (exited_cleanly()); the arguments,
 * which may be a key, are left out. Others name a file: 'Unsafe AuthorizedKeysCommand "FILE": WHY' (subprocess()).
 */
static bool parse_command_failed(char *text, struct sshd_line *ret) {
        char *program = after(text, "AuthorizedKeysCommand "), *how;

        ret->said = SSHD_SAID_COMMAND_FAILED;
        if (!program || *program != '/') {
                copy(ret->detail, sizeof(ret->detail), text);
                return strstr(text, "AuthorizedKeysCommand") != NULL;
        }
        how = last(program, " failed, status ");
        if (!how)
                how = last(program, " exited on signal ");
        if (!how || how[strlen(how) - 1] < '0' || how[strlen(how) - 1] > '9')
                return false;
        copy(ret->detail, sizeof(ret->detail), text);
        ret->detail[(size_t)(program - text) + strcspn(program, " ")] = '\0';
        copy(ret->detail + strlen(ret->detail), sizeof(ret->detail) - strlen(ret->detail), how);
        return true;
}

static const char *const by_startups = "too many others had not logged in (MaxStartups)";
static const char *const by_penalty = "their addresses have penalties (PerSourcePenalties)";

/* "drop connection #N from [ADDRESS]:PORT on [ADDRESS]:PORT WHY" (drop_connection() in sshd.c) */
static bool parse_drop(char *text, struct sshd_line *ret) {
        char *address = cut_at(text, " from ["), *rest = address ? cut_at(address, "]:") : NULL;
        char *why = rest ? cut_at(rest, " on [") : NULL, *penalty;
        unsigned long port;

        why = why ? cut_at(why, "]:") : NULL;
        why = why ? strchr(why, ' ') : NULL;
        if (!why || rest[strspn(rest, "0123456789")] != '\0')
                return false;
        port = strtoul(rest, NULL, 10);
        if (port > 65535)
                return false;
        ret->said = SSHD_SAID_DROPPED;
        ret->port = (unsigned)port;
        copy(ret->address, sizeof(ret->address), address);
        why++;
        penalty = after(why, "penalty: ");
        if (penalty)
                (void)snprintf(ret->detail, sizeof(ret->detail), "%s (PerSourcePenalties)", penalty);
        else if (strcasecmp(why, "past MaxStartups") == 0 || strcasecmp(why, "MaxStartups") == 0)
                (void)snprintf(ret->detail, sizeof(ret->detail), "%s", by_startups);
        else
                copy(ret->detail, sizeof(ret->detail), why);
        return true;
}

/* "00:01:02", "3d04h05m", "2w3d04h" (fmt_timeframe() of misc.c). */
static unsigned seconds_of(const char *text) {
        unsigned a, b, c;

        if (sscanf(text, "%4u:%2u:%2u", &a, &b, &c) == 3)
                return (a * 60 + b) * 60 + c;
        if (sscanf(text, "%4ud%2uh%2um", &a, &b, &c) == 3)
                return ((a * 24 + b) * 60 + c) * 60;
        if (sscanf(text, "%4uw%2ud%2uh", &a, &b, &c) == 3)
                return ((a * 7 + b) * 24 + c) * 3600;
        return 0;
}

/*
 * "exited MaxStartups throttling after SPAN, N connections dropped", and "in MaxStartups throttling for", up to 9.7, which
 * has a line for most of them with LogLevel VERBOSE alone; later "REASON logging rate-limited: additional N connections
 * dropped", which have none (drop_connection()).
 */
static bool parse_drops(char *text, struct sshd_line *ret) {
        char *span = after(text, "exited MaxStartups throttling after "), *n;
        bool penalty = after(text, "PerSourcePenalties ") != NULL;
        unsigned long number;

        if (!span)
                span = after(text, "in MaxStartups throttling for ");
        n = span ? cut_at(span, ", ") : cut_at(text, " logging rate-limited: additional ");
        if (!n || !drop_suffix(n, " connections dropped") || *n == '\0' || n[strspn(n, "0123456789")] != '\0')
                return false;
        number = strtoul(n, NULL, 10);
        ret->said = SSHD_SAID_DROPS;
        ret->n = number > UINT_MAX ? UINT_MAX : (unsigned)number;
        ret->unlogged = !span;
        ret->span_s = span ? seconds_of(span) : 0;
        (void)snprintf(ret->detail, sizeof(ret->detail), "%s", penalty ? by_penalty : by_startups);
        return ret->n > 0;
}

/* "refused connect from NAME (ADDRESS)": libwrap's, by /etc/hosts.deny. The name is the client's. */
static bool parse_refused_connect(char *text, struct sshd_line *ret) {
        char *address = last(text, " (");

        if (!address || !drop_suffix(address, ")"))
                return false;
        ret->said = SSHD_SAID_DROPPED;
        copy(ret->address, sizeof(ret->address), address + 2);
        copy(ret->detail, sizeof(ret->detail), "the address may not connect (hosts.deny)");
        return !strchr(ret->address, ' ');
}

static bool parse_name_and(char *text, const char *suffix, enum sshd_said said, struct sshd_line *ret) {
        if (!drop_suffix(text, suffix))
                return false;
        copy(ret->user, sizeof(ret->user), text);
        ret->said = said;
        return true;
}

static bool parse(char *text, struct sshd_line *ret) {
        char *rest;

        if ((rest = after(text, "Accepted ")))
                return parse_attempt(SSHD_SAID_ACCEPTED, rest, ret);
        if ((rest = after(text, "Partial ")))
                return parse_attempt(SSHD_SAID_PARTIAL, rest, ret);
        if ((rest = after(text, "Failed ")))
                return parse_attempt(SSHD_SAID_FAILED, rest, ret);
        if ((rest = after(text, "Connection closed by ")) || (rest = after(text, "Connection reset by ")) ||
            (rest = after(text, "Disconnected from ")) || (rest = after(text, "Disconnecting ")))
                return parse_end(rest, ret);
        if ((rest = after(text, "pam_")))
                return parse_pam(text, ret);
        if ((rest = after(text, "User ")))
                return parse_refused_user(rest, ret);
        if ((rest = after(text, "Invalid user "))) {
                ret->said = SSHD_SAID_NO_SUCH_USER;
                return take_user_and_address(rest, ret);
        }
        if ((rest = after(text, "Access denied for user ")))
                return parse_name_and(rest, " by PAM account configuration", SSHD_SAID_ACCOUNT_REFUSED, ret);
        if ((rest = after(text, "maximum authentication attempts exceeded for "))) {
                rest = take_unknown_user(rest, ret);
                ret->said = SSHD_SAID_TOO_MANY;
                return drop_suffix(rest, " ssh2") && take_user_and_address(rest, ret);
        }
        if ((rest = after(text, "Timeout before authentication for ")))
                return parse_timeout(rest, ret);
        if ((rest = after(text, "ROOT LOGIN REFUSED FROM "))) {
                copy(ret->user, sizeof(ret->user), "root");
                copy(ret->detail, sizeof(ret->detail), "PermitRootLogin");
                ret->said = SSHD_SAID_USER_REFUSED;
                return take_address_alone(rest, ret);
        }
        if ((rest = after(text, "Account "))) {
                copy(ret->detail, sizeof(ret->detail), "the account has expired");
                return parse_name_and(rest, " has expired", SSHD_SAID_USER_REFUSED, ret);
        }
        if ((rest = after(text, "Connection from "))) {
                ret->said = SSHD_SAID_CONNECTION;
                return cut_at(rest, " on ") && take_address_alone(rest, ret);
        }
        if (after(text, "refusing ") || after(text, "Refusing ") || after(text, "userauth_pubkey: "))
                return parse_key_refused(text, ret);
        if (after(text, "AuthorizedKeysCommand") || after(text, "Could not stat AuthorizedKeysCommand") ||
            after(text, "Unsafe AuthorizedKeysCommand"))
                return parse_command_failed(text, ret);
        if ((rest = after(text, "drop connection #")))
                return parse_drop(rest, ret);
        if (after(text, "exited MaxStartups ") || after(text, "in MaxStartups ") || after(text, "Maxstartups ") ||
            after(text, "PerSourcePenalties "))
                return parse_drops(text, ret);
        if ((rest = after(text, "refused connect from ")))
                return parse_refused_connect(rest, ret);
        /* The file that the key is from, or sshd's whole AuthorizedKeysCommand. */
        if (*text == '/')
                return parse_wrong_source(text, ret);
        return false;
}

bool sshd_line_parse(const char *message, struct sshd_line *ret) {
        char text[MESSAGE_MAX], *rest;
        bool fatal, before_login;

        *ret = (struct sshd_line){0};
        copy(text, sizeof(text), message);
        before_login = drop_suffix(text, " [preauth]");
        ret->before_login = before_login;
        rest = after(text, "fatal: ");
        fatal = rest != NULL;
        if (!rest)
                rest = after(text, "error: ");
        if (!rest)
                rest = text;
        if (parse(rest, ret))
                return true;
        if (!fatal)
                return false;
        /* sshd leaves with such a line, whatever it says. What was cut off above is of no use to anybody. */
        *ret = (struct sshd_line){.said = SSHD_SAID_ENDED, .before_login = before_login};
        copy(text, sizeof(text), message);
        (void)drop_suffix(text, " [preauth]");
        copy(ret->detail, sizeof(ret->detail), text + strlen("fatal: "));
        return true;
}
