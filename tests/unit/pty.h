/* SPDX-License-Identifier: Apache-2.0 */
/* A terminal, of which a test reads what arrives. */
#ifndef EXC_TEST_PTY_H
#define EXC_TEST_PTY_H

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* `ret_ends`: where it is read, and the terminal. Newlines arrive as they are printed. */
static void pty_open(unsigned short columns, int ret_ends[static 2]) {
        struct winsize size = {.ws_row = 24, .ws_col = columns};
        struct termios raw;

        ret_ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_true(ret_ends[0] >= 0 && grantpt(ret_ends[0]) == 0 && unlockpt(ret_ends[0]) == 0);
        ret_ends[1] = open(ptsname(ret_ends[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
        assert_true(ret_ends[1] >= 0 && tcgetattr(ret_ends[1], &raw) == 0);
        cfmakeraw(&raw);
        assert_int_equal(tcsetattr(ret_ends[1], TCSANOW, &raw), 0);
        assert_int_equal(ioctl(ret_ends[1], TIOCSWINSZ, &size), 0);
}

/* All that has been written to it, or to a pipe, as text. Closes both ends, of which the second is the last of its kind. */
static void pty_read(const int ends[static 2], char *ret, size_t size) {
        size_t used = 0;
        ssize_t n;

        assert_int_equal(close(ends[1]), 0);
        while ((n = read(ends[0], ret + used, size - 1 - used)) > 0)
                used += (size_t)n;
        ret[used] = '\0';
        assert_int_equal(close(ends[0]), 0);
}

#endif
