/* SPDX-License-Identifier: Apache-2.0 */
#include "libpush/known_hosts.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

enum { HOST_MAX = 255, PORT_MAX = 65535 };

static bool host_valid(const char *text, size_t n) {
        return n > 0 && n <= HOST_MAX && strspn(text, LETTERS DIGITS ":") > 0 &&
               strspn(text, LETTERS DIGITS ".-_:%") >= n;
}

/* 1 to 65535 without leading zeros; 0 for anything else. */
static unsigned port_from_text(const char *text) {
        unsigned port = 0;

        if (*text == '0')
                return 0;
        for (; *text; text++) {
                if (*text < '0' || *text > '9')
                        return 0;
                port = port * 10 + (unsigned)(*text - '0');
                if (port > PORT_MAX)
                        return 0;
        }
        return port;
}

bool known_hosts_name(const char *text, char ret[static KNOWN_HOSTS_NAME_MAX]) {
        const char *end;
        unsigned port;

        if (*text != '[') {
                if (!host_valid(text, strlen(text)))
                        return false;
                (void)snprintf(ret, KNOWN_HOSTS_NAME_MAX, "%s", text);
                return true;
        }
        text++;
        end = strchr(text, ']');
        if (!end || !host_valid(text, (size_t)(end - text)) || end[1] != ':')
                return false;
        port = port_from_text(end + 2);
        if (port == 0)
                return false;
        if (port == 22)
                (void)snprintf(ret, KNOWN_HOSTS_NAME_MAX, "%.*s", (int)(end - text), text);
        else
                (void)snprintf(ret, KNOWN_HOSTS_NAME_MAX, "[%.*s]:%u", (int)(end - text), text, port);
        return true;
}

void known_hosts_line(const char *name, const struct ssh_key *key, char ret[static KNOWN_HOSTS_LINE_MAX]) {
        char text[SSH_KEY_TEXT_MAX];

        ssh_key_to_text(key, text);
        (void)snprintf(ret, KNOWN_HOSTS_LINE_MAX, "%s %s", name, text);
}
