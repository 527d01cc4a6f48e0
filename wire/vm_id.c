/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/vm_id.h"

#include <string.h>

bool vm_id_valid(const char *text) {
        static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
        static const char all[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
        size_t n = strlen(text);

        return n > 0 && n < VM_ID_MAX && strchr(first, text[0]) && strspn(text, all) == n &&
               strcmp(text, "connect") != 0;
}
