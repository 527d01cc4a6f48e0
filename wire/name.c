/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/name.h"

#include <stddef.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

enum { USER_MAX = 256, NAME_MAX_LENGTH = 64 };

bool name_user_valid(const char *user) {
        size_t n = strlen(user);

        if (n < 1 || n > USER_MAX || user[0] == '-')
                return false;
        for (size_t i = 0; i < n; i++) {
                unsigned char c = (unsigned char)user[i], next = (unsigned char)user[i + 1];

                /* C0, DEL, and C1 as UTF-8 has it. */
                if (c < ' ' || c == 0x7f || (c == 0xc2 && next >= 0x80 && next <= 0x9f))
                        return false;
        }
        return true;
}

static bool is_name(const char *text, const char *rest) {
        size_t n = strlen(text);

        return n >= 1 && n <= NAME_MAX_LENGTH && strspn(text, LETTERS) > 0 && strspn(text, rest) == n;
}

bool name_plain_valid(const char *name) {
        return is_name(name, LETTERS "._-");
}

bool name_account_valid(const char *name) {
        return is_name(name, LETTERS "._-@");
}
