/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves bytes between a virtio-serial port and the agent's host socket. It parses nothing.
 *
 * 1. The port is a byte stream that outlives the host's processes: they attach and leave, one at a time.
 * 2. The host's first byte opens a connection to the socket. When the host has left for RELAY_LEFT_MS, what it wrote is passed on and
 *    the connection is closed: half a message ends with it, and the next process of the host begins with another one.
 *    Not at once, for the kernel hears of the host's bytes and of its coming in two queues: bytes may be there, read and
 *    answered, before the port is told that somebody attached.
 * 3. When the agent closes the connection, the next byte opens another. The host then says Hello again.
 * 4. What the agent answers to a host that has left is dropped.
 * 5. Nothing is read that cannot be passed on: whoever does not read makes the other one wait.
 * 6. While no host is attached the kernel reports the port as ready without end. So it is watched for changes alone
 *    (EPOLLET), and each change is followed until nothing can be moved.
 *
 * A host process that leaves and another that attaches soon look like one. The frames' NULs and Hello.sync are there for
 * that (in.excloud.InstanceConnect.varlink).
 */
#ifndef EXC_RELAY_H
#define EXC_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        RELAY_BUFFER_SIZE = 16 * 1024, /* bytes, each way */
        RELAY_RETRY_MS = 1000,         /* between two tries to reach the agent's socket */
        RELAY_LEFT_MS = 1000,          /* without a host, before its connection is closed */
};

struct relay_bytes {
        size_t from, to;
        char at[RELAY_BUFFER_SIZE];
};

struct relay {
        const char *socket_path;
        int port_fd;  /* the caller's */
        int agent_fd; /* -EBADF: no connection */
        int epoll_fd;
        int64_t away_ms;  /* since when the port has no host (CLOCK_MONOTONIC), while that matters; 0: it has one */
        bool host_left;   /* for good, and what it wrote is not all passed on yet */
        bool agent_ended; /* it closed, and what it wrote is not all passed on yet */
        int refused;      /* negative errno of the latest try to connect, or 0 */
        struct relay_bytes to_agent, to_host;
};

/* `port_fd`: non-blocking, readable and writable. Negative errno. `ret` must be closed when that is 0. */
int relay_open(struct relay *ret, int port_fd, const char *socket_path);

/*
 * Waits for something to happen, `timeout_ms` at most (-1: without end), and moves what can be moved. 0, or negative errno where the port
 * cannot be used any more: -ENODEV when it was unplugged.
 */
int relay_step(struct relay *relay, int timeout_ms);

void relay_close(struct relay *relay);

#endif
