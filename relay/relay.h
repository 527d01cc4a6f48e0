/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies bytes between a virtio-serial port and the agent's host socket. It parses nothing.
 *
 * 1. The port is a byte stream that outlives the processes of the host: they attach and detach, one at a time.
 * 2. The host's first byte opens a connection to the socket. When the host has been detached for RELAY_DETACH_MS, the
 *    relay sends the agent what is left and closes the connection: a half message ends with the process that wrote it.
 *    It does not close at once, because the kernel learns of the host's bytes and of its attaching through two queues:
 *    bytes may be read and answered before the port reports a host.
 * 3. When the agent closes the connection, the host's next byte opens another. The host then has to say Hello again.
 * 4. Answers to a host that has detached are dropped.
 * 5. The relay reads nothing that it cannot buffer: a peer that does not read makes the other one wait.
 * 6. While no host is attached, poll(2) reports the port as ready all the time. So epoll watches for changes only
 *    (EPOLLET), and after each change the relay copies until nothing is left to copy.
 *
 * A host process that detaches shortly before another attaches cannot be told from one process. The NUL between messages
 * and Hello.sync exist for that (in.excloud.InstanceConnect.varlink).
 */
#ifndef EXC_RELAY_H
#define EXC_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        RELAY_BUFFER_SIZE = 16 * 1024, /* bytes, in each direction */
        RELAY_RETRY_MS = 1000,         /* between two attempts to connect to the agent */
        RELAY_DETACH_MS = 1000,        /* without a host, before its connection is closed */
};

struct relay_buffer {
        size_t start, end; /* of the bytes that are buffered */
        char data[RELAY_BUFFER_SIZE];
};

struct relay {
        const char *socket_path;
        int port_fd;  /* owned by the caller */
        int agent_fd; /* -EBADF: not connected */
        int epoll_fd;
        int64_t detached_ms; /* CLOCK_MONOTONIC since when the port has no host, 0: it has one or nothing is pending */
        bool host_gone;      /* detached for RELAY_DETACH_MS, and to_agent is not empty yet */
        bool agent_closed;   /* and to_host may not be empty yet */
        int connect_error;   /* negative errno of the latest attempt to connect, or 0 */
        uint64_t n_sent, n_received; /* bytes to and from the agent on this connection, for log_stage */
        struct relay_buffer to_agent, to_host;
        /* NULL, or called with one line for each stage, without a newline and without any byte that was copied. */
        void (*log_stage)(const char *text);
};

/*
 * `port_fd`: non-blocking, readable and writable. `socket_path` must outlive `ret`. 0, -ENAMETOOLONG where the path does
 * not fit a unix socket's address, or another negative errno. After 0 the caller calls relay_close().
 */
int relay_open(struct relay *ret, int port_fd, const char *socket_path);

/*
 * Waits `timeout_ms` at most (-1: no limit) until a descriptor changes, and copies what can be copied. 0, or the negative
 * errno that makes the port unusable: -ENODEV when it was unplugged.
 */
int relay_step(struct relay *relay, int timeout_ms);

void relay_close(struct relay *relay);

#endif
