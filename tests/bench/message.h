/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to the agent, or to a program in its place, one request at a time. */
#ifndef EXC_BENCH_MESSAGE_H
#define EXC_BENCH_MESSAGE_H

#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base64.h"
#include "tests/bench/bench.h"
#include "wire/refusal.h"

enum { MESSAGE_MAX = 16 * 1024, KEY_TEXT_MAX = 128 };

struct message {
        size_t length; /* with the NUL */
        char text[MESSAGE_MAX];
};

static inline struct sockaddr_un address_of(const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        if (strlen(path) >= sizeof(address.sun_path))
                die("%s is too long for a socket", path);
        strcpy(address.sun_path, path);
        return address;
}

static inline int connect_to(const struct sockaddr_un *address) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
                die("cannot connect to %s", address->sun_path);
        return fd;
}

/* Reads up to the NUL. */
static inline size_t receive(int fd, char to[static MESSAGE_MAX]) {
        size_t used = 0;

        do {
                ssize_t n = read(fd, to + used, MESSAGE_MAX - used);

                if (n <= 0)
                        die("no answer");
                used += (size_t)n;
        } while (to[used - 1] != '\0');
        return used;
}

static inline void send_all(int fd, const char *text, size_t length) {
        if (write(fd, text, length) != (ssize_t)length)
                die("cannot write");
}

/* One question with its answer, from connect() to close(). */
static inline int64_t ask(const struct sockaddr_un *address, const char *question, size_t length, struct message *ret) {
        int64_t start = now_ns();
        int fd = connect_to(address);

        send_all(fd, question, length);
        ret->length = receive(fd, ret->text);
        (void)close(fd);
        return now_ns() - start;
}

static inline void must_be_done(const char *answer) {
        if (strstr(answer, "\"error\""))
                die("refused: %s", answer);
}

/* A key that nobody has the secret of, with quotes. */
static inline void write_key(char ret[static KEY_TEXT_MAX]) {
        uint8_t blob[51] = "\0\0\0\013ssh-ed25519\0\0\0\040";
        char text[BASE64_LENGTH(51) + 1];

        if (getrandom(blob + 19, 32, 0) != 32)
                die("no random bytes");
        base64_encode(blob, sizeof(blob), text);
        (void)snprintf(ret, KEY_TEXT_MAX, "\"ssh-ed25519 %s\"", text);
}

#endif
