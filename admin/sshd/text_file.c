/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/sshd/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int text_file_read(const char *path, char **ret, struct stat *ret_st) {
        /* Not stopped by a FIFO, and nothing is set off by opening a device. */
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), r = 0;
        size_t used = 0, size = 0;
        char *text = NULL;
        struct stat st;

        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                r = -errno;
        else if (!S_ISREG(st.st_mode))
                r = -EBADF;
        while (r >= 0) {
                ssize_t n;

                if (used + 1 >= size) {
                        char *larger = realloc(text, size = 2 * size + 4096);

                        if (!larger) {
                                r = -ENOMEM;
                                break;
                        }
                        text = larger;
                }
                n = read(fd, text + used, size - used - 1);
                if (n == 0)
                        break;
                if (n < 0) {
                        if (errno != EINTR)
                                r = -errno;
                        continue;
                }
                used += (size_t)n;
                if (used > TEXT_FILE_MAX)
                        r = -EFBIG;
        }
        (void)close(fd);
        if (r < 0) {
                free(text);
                return r;
        }
        text[used] = '\0';
        *ret = text; /* transferred */
        if (ret_st)
                *ret_st = st;
        return 0;
}

char *text_line(const char **at) {
        size_t length = strcspn(*at, "\n");
        char *line = strndup(*at, length);

        *at += length + ((*at)[length] == '\n');
        return line;
}
