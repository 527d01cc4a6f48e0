/* SPDX-License-Identifier: Apache-2.0 */
/* Lines for ssh's known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT), so that ssh does not ask about the host key. */
#ifndef EXC_KNOWN_HOSTS_H
#define EXC_KNOWN_HOSTS_H

#include <stdbool.h>

#include "common/ssh_key.h"

enum {
        KNOWN_HOSTS_NAME_MAX = 255 + 8 + 1, /* a name, "[]:65535" and a NUL */
        KNOWN_HOSTS_LINE_MAX = KNOWN_HOSTS_NAME_MAX + 1 + SSH_KEY_TEXT_MAX,
};

/*
 * Takes the name of one host, "host" or "[host]:port", as ssh looks it up: a name, an alias (HostKeyAlias) or an
 * address, of letters, digits and ".-_:%", beginning with a letter, a digit or a colon. So it is one field of the line,
 * no pattern, no list, no marker and no comment. Port 22 is left out, because ssh leaves it out. False for anything
 * else.
 */
bool known_hosts_name(const char *text, char ret[static KNOWN_HOSTS_NAME_MAX]);

/* "name type base64" and a NUL, without a newline. */
void known_hosts_line(const char *name, const struct ssh_key *key, char ret[static KNOWN_HOSTS_LINE_MAX]);

#endif
