/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/log/sshd_line.h"

#include <stdlib.h>
#include <string.h>

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

/* The last place where `needle` is. */
static char *last(char *text, const char *needle) {
        char *found = NULL;

        for (char *at = strstr(text, needle); at; at = strstr(at + 1, needle))
                found = at;
        return found;
}

static void drop_suffix(char *text, const char *suffix) {
        size_t n = strlen(text), m = strlen(suffix);

        if (n >= m && strcmp(text + n - m, suffix) == 0)
                text[n - m] = '\0';
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

/* Cuts " port N" off, with all behind it, and returns what was behind the number. */
static const char *take_port(char *text, struct sshd_line *ret) {
        char *at = last(text, " port "), *end;
        unsigned long port;

        if (!at)
                return "";
        port = strtoul(at + 6, &end, 10);
        if (end == at + 6 || port > 65535)
                return "";
        *at = '\0';
        ret->port = (unsigned)port;
        return end;
}

/* "alice from 192.0.2.1 port 2", and what is behind it is cut off. */
static bool take_user_and_address(char *text, struct sshd_line *ret) {
        char *from;

        (void)take_port(text, ret);
        from = last(text, " from ");
        if (!from)
                return false;
        *from = '\0';
        copy(ret->user, sizeof(ret->user), text);
        copy(ret->address, sizeof(ret->address), from + 6);
        return true;
}

static char *take_unknown_user(char *text, struct sshd_line *ret) {
        char *name = after(text, "invalid user ");

        ret->unknown_user = name != NULL;
        return name ? name : text;
}

/* "METHOD for USER from ADDRESS port N ssh2[: TYPE FINGERPRINT …]" (auth_log() in auth.c). */
static bool parse_attempt(enum sshd_said said, char *text, struct sshd_line *ret) {
        char *name = strstr(text, " for "), *tail, *key;

        if (!name)
                return false;
        *name = '\0';
        copy(ret->method, sizeof(ret->method), text);
        name = take_unknown_user(name + 5, ret);
        /* A name that does not exist is the client's own words, and so is a certificate's id behind the key. */
        tail = ret->unknown_user ? last(name, " ssh2") : strstr(name, " ssh2");
        if (!tail)
                return false;
        *tail = '\0';
        key = after(tail + 5, ": ");
        key = key ? strchr(key, ' ') : NULL;
        if (key)
                take_fingerprint(key + 1, ret);
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

/* "USER with correct key but not from a permitted host (host=…, ip=…, required=…)." (auth_authorise_keyopts()) */
static bool parse_wrong_source(char *text, struct sshd_line *ret) {
        char *with = strstr(text, " with correct key but not from a permitted host (host="), *ip, *required, *end;

        if (!with)
                return false;
        *with = '\0';
        copy(ret->user, sizeof(ret->user), text);
        ip = last(with + 1, ", ip=");
        required = last(with + 1, ", required=");
        if (required) {
                *required = '\0';
                required += 11;
                end = strrchr(required, ')');
                if (end)
                        *end = '\0';
                copy(ret->detail, sizeof(ret->detail), required);
        }
        if (ip)
                copy(ret->address, sizeof(ret->address), ip + 5);
        ret->said = SSHD_SAID_WRONG_SOURCE;
        return true;
}

/* "[authenticating user U |invalid user U |user U ]ADDRESS port N[: WHY]" (sshpkt_fmt_connection_id()) */
static bool parse_end(char *text, struct sshd_line *ret) {
        char *rest = after(text, "user "), *address;
        const char *tail;

        ret->said = rest ? SSHD_SAID_LEFT : SSHD_SAID_ENDED;
        if (!rest)
                rest = after(text, "authenticating user ");
        if (!rest) {
                rest = take_unknown_user(text, ret);
                if (!ret->unknown_user)
                        rest = NULL;
        }
        tail = take_port(text, ret);
        if (strncmp(tail, ": ", 2) == 0)
                copy(ret->detail, sizeof(ret->detail), tail + 2);
        address = strrchr(text, ' ');
        if (rest && address && address >= rest) {
                *address = '\0';
                copy(ret->user, sizeof(ret->user), rest);
        }
        copy(ret->address, sizeof(ret->address), address ? address + 1 : text);
        return true;
}

static bool parse_timeout(char *text, struct sshd_line *ret) {
        char *from = after(text, "connection from "), *pid = last(text, ", pid = "), *to;

        ret->said = SSHD_SAID_TIMEOUT;
        if (!from) {
                (void)take_port(text, ret);
                copy(ret->address, sizeof(ret->address), text);
                return true;
        }
        if (pid)
                ret->pid = strtoull(pid + 8, NULL, 10);
        to = strstr(from, " to ");
        if (to)
                *to = '\0';
        copy(ret->address, sizeof(ret->address), from);
        return true;
}

/* "pam_NAME(sshd:TYPE): TEXT" */
static bool parse_pam(char *text, struct sshd_line *ret) {
        char *type = strstr(text, "(sshd:"), *said = type ? strstr(type, "): ") : NULL, *name, *end;

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
        end = strstr(name, " by ");
        if (end)
                *end = '\0';
        end = strstr(name, "(uid=");
        if (end)
                *end = '\0';
        copy(ret->user, sizeof(ret->user), name);
        return true;
}

static bool parse_name_and(char *text, const char *suffix, enum sshd_said said, struct sshd_line *ret) {
        char *end = strstr(text, suffix);

        if (!end)
                return false;
        *end = '\0';
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
                return take_user_and_address(rest, ret);
        }
        if ((rest = after(text, "Timeout before authentication for ")))
                return parse_timeout(rest, ret);
        if ((rest = after(text, "ROOT LOGIN REFUSED FROM "))) {
                (void)take_port(rest, ret);
                copy(ret->user, sizeof(ret->user), "root");
                copy(ret->address, sizeof(ret->address), rest);
                copy(ret->detail, sizeof(ret->detail), "PermitRootLogin");
                ret->said = SSHD_SAID_USER_REFUSED;
                return true;
        }
        if ((rest = after(text, "Account "))) {
                copy(ret->detail, sizeof(ret->detail), "the account has expired");
                return parse_name_and(rest, " has expired", SSHD_SAID_USER_REFUSED, ret);
        }
        if ((rest = after(text, "Connection from "))) {
                char *on = strstr(rest, " on ");

                if (on)
                        *on = '\0';
                (void)take_port(rest, ret);
                copy(ret->address, sizeof(ret->address), rest);
                ret->said = SSHD_SAID_CONNECTION;
                return true;
        }
        /* Before it stands where the key is from: COMMAND:LINE. */
        if ((rest = strstr(text, ": Authentication tried for ")))
                return parse_wrong_source(rest + 27, ret);
        return false;
}

bool sshd_line_parse(const char *message, struct sshd_line *ret) {
        char text[MESSAGE_MAX], *rest;
        bool fatal;

        *ret = (struct sshd_line){0};
        copy(text, sizeof(text), message);
        drop_suffix(text, " [preauth]");
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
        *ret = (struct sshd_line){.said = SSHD_SAID_ENDED};
        copy(text, sizeof(text), message);
        drop_suffix(text, " [preauth]");
        copy(ret->detail, sizeof(ret->detail), text + strlen("fatal: "));
        return true;
}
