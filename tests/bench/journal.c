/* SPDX-License-Identifier: Apache-2.0 */
/* What the journal is to those who write to it: journal SOCKET takes datagrams, and drops them. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/message.h"

int main(int argc, char *argv[]) {
        static char entry[64 * 1024];
        struct sockaddr_un address;
        int fd;

        if (argc != 2)
                die("usage: journal SOCKET");
        address = address_of(argv[1]);
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || chmod(argv[1], 0666) < 0)
                die("cannot take %s", argv[1]);
        while (recv(fd, entry, sizeof(entry), 0) >= 0)
                ;
        die("cannot receive");
}
