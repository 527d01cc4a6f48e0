/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preloaded NAME=VALUE PROGRAM ARGUMENT...: runs it with that variable and with preload.c, whose path is LIBRARY. sshd
 * clears the environment of its command, so the command itself must set them.
 */
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char *argv[]) {
        if (argc < 3 || setenv("LD_PRELOAD", LIBRARY, 1) < 0 || putenv(argv[1]) != 0)
                return EXIT_FAILURE;
        execv(argv[2], argv + 2);
        return EXIT_FAILURE;
}
