/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands where an arm64 program would, and becomes the emulator that runs it: FOLDER holds the program under the same
 * name, or, for one that was called by a relative path, under that path.
 *
 * The kernel does the same with binfmt_misc, but what it is told there holds for the whole machine. This is linked
 * statically, because LD_PRELOAD names libraries for the program that is emulated. It is no script, because sshd runs
 * the helper as a user who must not be able to read it.
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
        if (!words || snprintf(path, sizeof(path), "%s/%s", FOLDER, name) >= (int)sizeof(path))
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
