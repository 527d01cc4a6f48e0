/* SPDX-License-Identifier: Apache-2.0 */
/* A journal of the test's own at the journal's path, in a mount namespace of its own, that reads when the test does. */
#ifndef EXC_JOURNAL_SOCKET_H
#define EXC_JOURNAL_SOCKET_H

#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/journal.h"
#include "tests/unit/scratch.h"

static int journal_socket = -EBADF;
static char journal_datagram[65536];

/* Once, at the start of the program. */
static inline void journal_socket_prepare(void) {
        scratch_mount_namespace();
        if (mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0 || mkdir("/run/systemd", 0755) < 0 ||
            mkdir("/run/systemd/journal", 0755) < 0)
                abort();
}

/* The next two are a test's setup and teardown. A second journal_socket_listen() replaces the socket. */
static inline int journal_socket_listen(void **state) {
        static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};

        (void)state;
        (void)unlink(JOURNAL_SOCKET);
        if (journal_socket >= 0)
                (void)close(journal_socket);
        journal_socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        return journal_socket < 0 ? -1 : bind(journal_socket, (const struct sockaddr *)&address, sizeof(address));
}

static inline int journal_socket_stop(void **state) {
        (void)state;
        (void)unlink(JOURNAL_SOCKET);
        if (journal_socket >= 0)
                (void)close(journal_socket);
        journal_socket = -EBADF;
        return 0;
}

/* Fills its queue, as another process may. Returns how many datagrams that took. */
static inline size_t journal_socket_fill(void) {
        static const uint8_t noise[] = "MESSAGE=noise\n";
        int fd = journal_connect();
        size_t n = 0;

        while (journal_put(fd, noise, sizeof(noise) - 1) == 0)
                n++;
        (void)close(fd);
        return n;
}

/* The next datagram, in journal_datagram. Its length; -1: there is none. */
static inline ssize_t journal_socket_read(void) {
        return recv(journal_socket, journal_datagram, sizeof(journal_datagram), 0);
}

/* The next field of a datagram in the protocol's binary form. False at its end. */
static inline bool journal_socket_field(struct bytes *from, struct bytes *ret_name, struct bytes *ret_value) {
        const uint8_t *newline = from->left > 0 ? memchr(from->at, '\n', from->left) : NULL;
        uint64_t length = 0;
        uint8_t byte;

        if (!newline || !bytes_slice(from, (size_t)(newline - from->at), ret_name) || !bytes_u8(from, &byte))
                return false;
        for (unsigned shift = 0; shift < 64; shift += 8) {
                if (!bytes_u8(from, &byte))
                        return false;
                length |= (uint64_t)byte << shift;
        }
        return bytes_slice(from, (size_t)length, ret_value) && bytes_u8(from, &byte) && byte == '\n';
}

#endif
