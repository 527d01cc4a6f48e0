/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes, split at NULs, as the arguments of the helper: what is accepted is consistent. */
#include "authkeys-helper/arguments.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "authkeys-helper/lookup.h"
#include "common/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

static void require(bool holds) {
        if (!holds)
                abort();
}

/* The line for the offered key has that key. */
static void require_line(const struct arguments *asked, const char *type, const char *text) {
        struct grant grant = {.key = asked->key, .life = {.boot_end_ns = 2, .wall_end_ns = INT64_MAX}};
        const struct instant now = {1, 1};
        char line[LOOKUP_LINE_MAX];
        size_t length = lookup_line(&grant, &now, false, line), n = strlen(type);

        require(length == n + 1 + strlen(text) + 1 && line[length - 1] == '\n' && line[n] == ' ');
        require(memcmp(line, type, n) == 0 && memcmp(line + n + 1, text, strlen(text)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size) {
        char *copy = malloc(size + 1), *argv[64], name[STORE_FINGERPRINT_NAME_MAX];
        enum arguments_result result;
        struct arguments asked;
        const char *why = NULL;
        int argc = 0, own = 0;

        require(copy);
        if (size > 0)
                memcpy(copy, input, size);
        copy[size] = '\0';
        for (size_t at = 0; at <= size && argc < 63; at += strlen(copy + at) + 1)
                argv[argc++] = copy + at;
        argv[argc] = NULL;
        while (own < argc && (own == 0 || strcmp(argv[own], "--") != 0))
                own++;

        result = arguments_parse(argc, argv, &asked, &why);
        require(asked.chain == (own + 1 < argc ? argv + own + 1 : NULL));
        require((result == ARGUMENTS_WRONG) == (why != NULL));
        if (result == ARGUMENTS_RUN) {
                require(asked.user && asked.runtime_dir[0] == '/' && (!asked.chain_user || asked.chain));
                require(!asked.has_key || (asked.fingerprint && !asked.foreign_key));
                if (asked.fingerprint)
                        (void)store_fingerprint_name(asked.fingerprint, name);
                if (asked.has_key)
                        require_line(&asked, argv[own - 2], argv[own - 1]);
        }
        free(copy);
        return 0;
}
