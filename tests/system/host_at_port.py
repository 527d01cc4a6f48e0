# SPDX-License-Identifier: Apache-2.0
"""host_at_port.py SOCKET MODE [ARGUMENT]: a process of the host, at the socket of the guest's virtio-serial port."""

import json
import secrets
import socket
import sys
import time

NAME = "in.excloud.InstanceConnect."
LIMIT_S = 500  # for an answer that must come


class Port:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.received = b""

    def send(self, data):
        self.socket.sendall(data)

    def message(self, limit_s):
        """One message, or None when none comes in that time."""
        until = time.monotonic() + limit_s
        while b"\0" not in self.received:
            left = until - time.monotonic()
            if left <= 0:
                return None
            self.socket.settimeout(left)
            try:
                part = self.socket.recv(65536)
            except socket.timeout:
                return None
            if not part:
                sys.exit("the port's socket was closed")
            self.received += part
        message, self.received = self.received.split(b"\0", 1)
        return message

    def answered(self, sync, limit_s):
        """Whether the answer to this Hello comes; others are ignored."""
        while True:
            message = self.message(limit_s)
            if message is None:
                return False
            try:
                if json.loads(message)["parameters"].get("sync") == sync:
                    return True
            except (ValueError, KeyError, AttributeError):
                pass


def call(method, **parameters):
    return json.dumps({"method": NAME + method, "parameters": parameters}).encode() + b"\0"


def hello(path):
    greet(Port(path), "hello answered")


def greet(port, said):
    sync = secrets.token_hex(8)
    port.send(b"\0" + call("Hello", sync=sync))
    if not port.answered(sync, LIMIT_S):
        sys.exit(f"no answer: {said}")
    print(said, flush=True)


HALF, REST = b'{"method":"in.excloud.InstanceConnect.Hello","parameters":{"sync":"joi', b'ned"}}\0'


def half(path):
    Port(path).send(HALF)


def rest(path):
    """A process that ends the half message of another gets no answer to the whole."""
    port = Port(path)
    port.send(REST)
    if port.answered("joined", 5):
        sys.exit("half a message of one host process became part of the next one's")
    greet(port, "hello answered")


def leaves_at_once(path):
    Port(path).send(b"\0" + call("Push", envelope={"payloadType": "none", "payload": "", "signatures": []}))


def never_reads(path):
    port = Port(path)
    port.socket.setblocking(False)
    # Enough answers to fill all buffers towards the host, then enough calls to fill those towards the agent. These are few
    # and long, because each takes an emulated guest a while. QEMU 7.2 buffers little; QEMU 10 may buffer megabytes.
    long_call = call("HostKeys")[:-2] + b" " * 30000 + b"}\0"
    calls, sent, latest = call("HostKeys") * 1500 + long_call * 100, 0, time.monotonic()
    while time.monotonic() < latest + 5:
        if sent == len(calls):
            print(f"# all {sent} bytes of calls were accepted: this QEMU buffers the answers")
            return
        try:
            sent += port.socket.send(calls[sent:sent + 65536])
            latest = time.monotonic()
        except BlockingIOError:
            time.sleep(0.05)
    print(f"# {sent} bytes of calls were accepted, and none for 5 s")


def hello_before_and_after(path):
    port = Port(path)
    greet(port, "first hello answered")
    sys.stdin.readline()
    # The agent may have exited before it read the bytes: then the host says Hello again, as the interface requires.
    greet_again(port, "second hello answered")


def greet_again(port, said):
    """As a host does that gets no answer."""
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        sync = secrets.token_hex(8)
        port.send(b"\0" + call("Hello", sync=sync))
        if port.answered(sync, 10):
            print(said, flush=True)
            return
    sys.exit(f"no answer: {said}")


def holds(path):
    port = Port(path)
    greet(port, "hello answered")
    sys.stdin.readline()


def too_long(path):
    port = Port(path)
    port.send(b"\0" + b"x" * 40000 + b"\0")
    greet(port, "hello answered")


if __name__ == "__main__":
    globals()[sys.argv[2]](sys.argv[1], *sys.argv[3:])
