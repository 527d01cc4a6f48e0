/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud/api/key_line.h"

#include <stdio.h>
#include <string.h>

#define BLANKS " \t"

const char *key_line_parse(const char *text, struct ssh_key *ret) {
        const char *type = text + strspn(text, BLANKS), *end = type + strcspn(type, "\r\n");
        size_t n_type = strcspn(type, BLANKS "\r\n"), n_base64;
        const char *base64 = type + n_type + strspn(type + n_type, BLANKS);
        char line[SSH_KEY_TEXT_MAX];
        enum ssh_key_fault fault;

        if (end[strspn(end, "\r\n")] != '\0')
                return "more than one line; send one key";
        n_base64 = strcspn(base64, BLANKS "\r\n");
        if (n_type + 1 + n_base64 >= sizeof(line))
                return ssh_key_fault_text(SSH_KEY_FAULT_SIZE);
        (void)snprintf(line, sizeof(line), "%.*s %.*s", (int)n_type, type, (int)n_base64, base64);
        fault = ssh_key_from_text(line, strlen(line), ret);
        return fault == SSH_KEY_OK ? NULL : ssh_key_fault_text(fault);
}
