/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for an arm64 program and executes the emulator with it. DIRECTORY holds the program under the same name, or,
 * for a program that was called by a relative path, under that path.
 *
 * binfmt_misc would do the same, but registers the emulator for the whole machine. This program is linked statically,
 * because LD_PRELOAD names libraries for the emulated program. It is no script, because sshd runs the helper as a user who
 * must not be able to read it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char *argv[]) {
        const char *name = argc > 0 ? argv[0] : "";
        char path[4096];
        char **words;

        if (name[0] == '/')
                name = strrchr(name, '/') + 1;
        words = calloc((size_t)argc + 4, sizeof(char *));
        if (!words || snprintf(path, sizeof(path), "%s/%s", DIRECTORY, name) >= (int)sizeof(path))
                return 126;
        words[0] = (char[]){EMULATOR};
        words[1] = (char[]){"-0"};
        words[2] = argv[0];
        words[3] = path;
        for (int i = 1; i < argc; i++)
                words[3 + i] = argv[i];
        execv(EMULATOR, words);
        perror(EMULATOR);
        return 126;
}
