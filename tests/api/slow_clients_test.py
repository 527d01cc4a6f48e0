# SPDX-License-Identifier: Apache-2.0
"""Clients that are slow, idle or without end, and many of them: others are served meanwhile."""

import contextlib
import os
import resource
import socket
import time

from api import WAIT_S, server

SHORT = bool(os.environ.get("EXC_SHORT"))
BODY = b"POST /iam/account HTTP/1.1\r\nHost: x\r\n"
# What each kind of client sends first, and then again and again.
DRIPS = {
    "target": (b"GET /", b"a"),
    "fields": (b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n"),
    "value": (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ", b"a"),
    "body": (BODY + b"Content-Length: 60000\r\n\r\n", b"a"),
    "chunks": (BODY + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "extension": (BODY + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a"),
}
# HTTP_RECEIVE_MS and HTTP_IDLE_MS of the API, in seconds; it looks once a second.
RECEIVE_S, IDLE_S = 30, 120


def _connect(api):
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(api.path))  # with a time-out it would not wait for room in the queue
    client.settimeout(WAIT_S)
    return client


class Slow:
    def __init__(self, api, kind):
        self.kind, self.begin, self.seconds = kind, time.monotonic(), None
        self.client = _connect(api)
        first, self.more = DRIPS[kind]
        self.client.sendall(first)
        self.client.setblocking(False)

    def drip(self):
        """Sends a little more, until the connection has ended."""
        if self.seconds is not None:
            return
        try:
            self.client.send(self.more)
            ended = self.client.recv(4096) == b""
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            ended = True
        if ended:
            self.seconds = time.monotonic() - self.begin
            self.client.close()


def _descriptors(most):
    """Raises the limit, which the server inherits. How many there are."""
    n = min(most, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))
    return n


def _served(api, times=1):
    """The longest time that a request of somebody else took."""
    longest = 0
    for _ in range(times):
        begin = time.monotonic()
        assert api.get("/compute/instance").status == 200
        longest = max(longest, time.monotonic() - begin)
    return longest


def slow_clients_keep_nobody_out_and_end():
    """A byte now and then keeps no connection: the whole request has a limit."""
    with server() as api:
        clients = [Slow(api, kind) for kind in DRIPS for _ in range(10 if SHORT else 100)]
        begin, longest = time.monotonic(), 0
        # The clients whose request line never ends have the longest limit.
        left = [client for client in clients if not SHORT or client.kind != "target"]
        while left and time.monotonic() < begin + IDLE_S + WAIT_S:
            for client in clients:
                client.drip()
            longest = max(longest, _served(api))
            left = [client for client in left if client.seconds is None]
            time.sleep(0.5)
        assert not left, {client.kind for client in left}
        for client in clients:
            limit = IDLE_S if client.kind == "target" else RECEIVE_S
            assert client.seconds is None or limit - 5 < client.seconds, (client.kind, client.seconds)
        print(f"# {len(clients)} slow clients; the slowest request of others took {longest:.2f} s")
        assert longest < RECEIVE_S


slow_clients_keep_nobody_out_and_end.slow = True


def _flood(client, more):
    """Sends until the connection has ended, or nothing is taken any more. Whether it has ended."""
    client.settimeout(1)
    try:
        for _ in range(10000):
            client.sendall(more * 1024)
        raise AssertionError(f"{10000 * 1024 * len(more)} bytes were read")
    except TimeoutError:
        return False
    except (BrokenPipeError, ConnectionResetError):
        return True


def heads_without_end_keep_nobody_out_and_end():
    with server() as api:
        for kind in "target", "fields", "value", "extension":
            begin = time.monotonic()
            with _connect(api) as client:
                client.sendall(DRIPS[kind][0])
                ended = _flood(client, DRIPS[kind][1])
                longest = _served(api, 20)
                while not ended and time.monotonic() < begin + WAIT_S:
                    ended = _flood(client, DRIPS[kind][1])
                assert ended, kind
            print(f"# {kind}: {time.monotonic() - begin:.0f} s; the slowest request of others took {longest:.2f} s")


heads_without_end_keep_nobody_out_and_end.slow = True


def answers_that_nobody_reads_keep_nobody_out():
    with server() as api:
        clients = [_connect(api) for _ in range(50)]
        for client in clients:
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                for _ in range(200):
                    client.send(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
        longest = _served(api, 20)
        for client in clients:
            client.close()
        print(f"# the slowest request of others took {longest:.2f} s")
        _served(api)


def _idle(api, n):
    clients = []
    try:
        for _ in range(n):
            clients.append(_connect(api))
        for number, client in enumerate(clients):
            # Some have begun a request, or a body.
            client.sendall([b"", b"GET /hea", b"GET /healthz HTTP/1.1\r\nHost:", DRIPS["body"][0] + b"{"][number % 4])
        longest = _served(api, 20)
        # They are still there.
        for client in clients[1::4]:
            client.sendall(b"lthz HTTP/1.1\r\nHost: x\r\n\r\n")
        for client in clients[1::4]:
            assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
        print(f"# {n} connections; the slowest request of others took {longest:.2f} s")
    finally:
        for client in clients:
            client.close()
    assert api.get("/healthz").status == 200


def thousand_idle_connections_keep_nobody_out():
    with server() as api:
        _idle(api, 1000)


def ten_thousand_idle_connections_keep_nobody_out():
    n = min(10000, _descriptors(16384) - 1500)
    with server() as api:
        _idle(api, n)


ten_thousand_idle_connections_keep_nobody_out.slow = True
ten_thousand_idle_connections_keep_nobody_out.short = "no"


def connections_above_the_limit_wait():
    with server("MaxConnections=16") as api:
        first = [api.connect() for _ in range(16)]
        for connection in first:
            assert api.get("/healthz", connection=connection).status == 200
        with socket.socket(socket.AF_UNIX) as waiting:
            waiting.settimeout(WAIT_S)
            waiting.connect(str(api.path))
            waiting.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            waiting.settimeout(1)
            try:
                raise AssertionError(waiting.recv(100))
            except TimeoutError:
                pass
            first.pop().close()
            waiting.settimeout(WAIT_S)
            assert waiting.recv(4096).startswith(b"HTTP/1.1 200 ")
        for connection in first:
            connection.close()
