/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a stored grant: what is taken is the one encoding of it, and has a line for sshd. */
#include "common/grant.h"

#include <stdlib.h>
#include <string.h>

#include "authkeys-helper/lookup.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void require(bool holds) {
        if (!holds)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
        uint8_t again[GRANT_FILE_MAX];
        char line[LOOKUP_LINE_MAX];
        struct grant grant;
        struct instant now;
        size_t length;

        if (!grant_decode(input, size, &grant))
                return 0;
        require(grant_encode(&grant, again, sizeof(again)) == size && memcmp(again, input, size) == 0);

        now = grant.life.received;
        length = lookup_line(&grant, &now, false, line);
        require((length > 0) == (lifetime_left_ns(&grant.life, &now) > 0));
        require(length == 0 || (strlen(line) == length && strcspn(line, "\r\n") == length - 1));
        /* One whose end no clock can show has none here. */
        length = lookup_line(&grant, &now, true, line);
        require(length == 0 || (strlen(line) == length && strcspn(line, "\r\n") == length - 1));
        return 0;
}
