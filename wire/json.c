/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* An allocation failed in this thread. */
static _Thread_local bool no_memory;

static void *allocate(size_t size) {
        void *at = malloc(size);

        no_memory = no_memory || !at;
        return at;
}

void json_free_with(void (*release)(void *at)) {
        json_set_alloc_funcs(allocate, release);
}

/* Before anything is allocated. */
__attribute__((constructor)) static void watch_allocations(void) {
        json_free_with(free);
}

/* Checked before the parser, which recurses. */
static bool flat_enough(const char *text, size_t length, unsigned depth_max) {
        unsigned depth = 0;
        bool quoted = false;

        for (size_t i = 0; i < length; i++) {
                if (quoted) {
                        if (text[i] == '\\')
                                i++;
                        else if (text[i] == '"')
                                quoted = false;
                } else if (text[i] == '"')
                        quoted = true;
                else if (text[i] == '{' || text[i] == '[') {
                        if (++depth > depth_max)
                                return false;
                } else if ((text[i] == '}' || text[i] == ']') && depth > 0)
                        depth--;
        }
        return true;
}

/*
 * jansson reads a NUL after a number, true, false or null as the end of the text. JSON has no NUL.
 *
 * Where the buffer of a string or a number cannot grow, jansson (2.14, lex_save()) drops the character and goes on: the
 * result is another text than the one that was signed, or a Deny of something else.
 */
json_t *json_read(const char *text, size_t length, unsigned depth_max) {
        json_t *read;

        if (memchr(text, '\0', length) || !flat_enough(text, length, depth_max))
                return NULL;
        no_memory = false;
        read = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
        if (!no_memory)
                return read;
        json_decref(read);
        return NULL;
}
