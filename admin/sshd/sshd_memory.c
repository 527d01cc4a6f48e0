/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/sshd_memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "admin/sshd/sshd.h"

enum {
        MEMORY_BYTES = 1024 * 1024,
        QUESTION_MAX = 4096,
};

/* Texts that end with a NUL, by turns a question and its answer. */
struct memory {
        size_t used;
        char text[MEMORY_BYTES];
};

static struct memory *memory; /* shared with children; NULL: none */

void sshd_memory_start(void) {
        void *at;

        if (memory)
                return;
        at = mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (at != MAP_FAILED)
                memory = at;
}

void sshd_memory_forget(void) {
        if (memory)
                (void)munmap(memory, sizeof(*memory));
        memory = NULL;
}

/* One text for these words; false where it is too long. */
static bool make_question(char *const arguments[], const char *specification, char ret[static QUESTION_MAX]) {
        size_t n = 0;

        for (size_t i = 0; arguments && arguments[i] && n < QUESTION_MAX; i++)
                n += (size_t)snprintf(ret + n, QUESTION_MAX - n, "%s\n", arguments[i]);
        if (n < QUESTION_MAX)
                n += (size_t)snprintf(ret + n, QUESTION_MAX - n, "%s%s", specification ? "-C\n" : "",
                                      specification ? specification : "");
        return n < QUESTION_MAX;
}

/* The text behind `text`; NULL at the end. */
static const char *next(const char *text) {
        const char *end = memory->text + memory->used;

        text = memchr(text, '\0', (size_t)(end - text));
        return text && text + 1 < end ? text + 1 : NULL;
}

char *sshd_memory_find(char *const arguments[], const char *specification) {
        char question[QUESTION_MAX];
        const char *text;

        if (!memory || memory->used == 0 || !make_question(arguments, specification, question))
                return NULL;
        for (text = memory->text; text;) {
                const char *answer = next(text);

                if (answer && strcmp(text, question) == 0)
                        return strdup(answer);
                text = answer ? next(answer) : NULL;
        }
        return NULL;
}

void sshd_memory_add(char *const arguments[], const char *specification, const char *answer) {
        char question[QUESTION_MAX];
        size_t asked, answered;

        if (!memory || !make_question(arguments, specification, question))
                return;
        asked = strlen(question) + 1;
        answered = strlen(answer) + 1;
        if (answered > MEMORY_BYTES || asked + answered > MEMORY_BYTES - memory->used)
                return;
        memcpy(memory->text + memory->used, question, asked);
        memcpy(memory->text + memory->used + asked, answer, answered);
        /* Last: a check that is killed before has added nothing. */
        __atomic_store_n(&memory->used, memory->used + asked + answered, __ATOMIC_RELEASE);
}
