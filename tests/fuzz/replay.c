/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over inputs that are kept, without a fuzzer: every file of the directories given as arguments, each
 * directory one test. A target that finds something wrong ends the program. A directory without a file fails, for it would
 * prove nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 16 * 1024 * 1024 };

static int replay_fd(int fd) {
        struct stat st;
        uint8_t *data;
        size_t size, used = 0;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || st.st_size > INPUT_MAX)
                return -EINVAL;

        /* Memory of exactly the input's size, so that the sanitizer sees a read past its end. */
        size = (size_t)st.st_size;
        data = malloc(size > 0 ? size : 1);
        if (!data)
                return -ENOMEM;
        while (used < size) {
                ssize_t n = read(fd, data + used, size - used);

                if (n <= 0) {
                        int error = n < 0 ? -errno : -EIO;

                        free(data);
                        return error;
                }
                used += (size_t)n;
        }
        (void)LLVMFuzzerTestOneInput(data, size);
        free(data);
        return 0;
}

static int replay_directory(const char *path, unsigned *ret_inputs) {
        DIR *directory = opendir(path);
        struct dirent *entry;
        unsigned inputs = 0;
        int r = 0;

        if (!directory)
                return -errno;
        while (r == 0 && (errno = 0, entry = readdir(directory))) {
                int fd;

                if (entry->d_name[0] == '.')
                        continue;
                /* Said before it runs: the last line names the input that ended the program. */
                printf("# %s\n", entry->d_name);
                (void)fflush(stdout);
                fd = openat(dirfd(directory), entry->d_name, O_RDONLY | O_CLOEXEC);
                if (fd < 0) {
                        r = -errno;
                        break;
                }
                r = replay_fd(fd);
                (void)close(fd);
                inputs++;
        }
        if (r == 0 && errno != 0)
                r = -errno;
        (void)closedir(directory);
        if (r == 0 && inputs == 0)
                r = -ENODATA;
        *ret_inputs = inputs;
        return r;
}

int main(int argc, char **argv) {
        int status = EXIT_SUCCESS;

        if (argc < 2) {
                fprintf(stderr, "Usage: %s DIRECTORY...\n", argv[0]);
                return EXIT_FAILURE;
        }
        printf("1..%d\n", argc - 1);
        for (int i = 1; i < argc; i++) {
                unsigned inputs = 0;
                int r = replay_directory(argv[i], &inputs);

                if (r < 0)
                        status = EXIT_FAILURE;
                printf("%s %d - the target takes the %u inputs of %s%s%s\n", r < 0 ? "not ok" : "ok", i, inputs,
                       argv[i], r < 0 ? ": " : "", r < 0 ? strerror(-r) : "");
        }
        return status;
}
