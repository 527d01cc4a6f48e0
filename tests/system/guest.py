# SPDX-License-Identifier: Apache-2.0
"""guest.py FUNCTION [ARGUMENT]: what tests do inside a virtual machine."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

RUN = "/run/exc-instance-connect/"
PORT = "/dev/virtio-ports/in.excloud.InstanceConnect"
AGENT = "exc-instance-connect.service"
HELLO = b'{"method":"in.excloud.InstanceConnect.Hello","parameters":{}}\0'


def vsock(cid):
    """b"" when the connection is closed without an answer."""
    with socket.socket(socket.AF_VSOCK) as to:
        to.settimeout(100)
        # Where nothing listens, this fails, and the test with it.
        to.connect((cid, 842))
        try:
            to.sendall(HELLO)
            return to.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            return b""


def refused(what, function, *arguments):
    try:
        function(*arguments)
    except PermissionError:
        print(f"{what}: permission denied")
        return
    sys.exit(f"{what}: user {os.getuid()} is not refused")


def connect(path):
    with socket.socket(socket.AF_UNIX) as to:
        to.connect(path)


def tries_everything():
    """As a user without privileges."""
    refused("the administrator's socket", connect, RUN + "admin.sock")
    refused("the host's socket", connect, RUN + "host.sock")
    refused("the serial port", os.open, PORT, os.O_RDWR)
    refused("the serial port, to read", os.open, PORT, os.O_RDONLY)
    for directory in "keys", "claims", "state":
        refused(directory, os.listdir, RUN + directory)
    refused("the store", os.mkdir, RUN + "mine")
    with open("/dev/vsock", "rb") as device:
        import fcntl
        own = int.from_bytes(fcntl.ioctl(device, 0x7B9, b"\0" * 4), "little")  # IOCTL_VM_SOCKETS_GET_LOCAL_CID
    for cid in 1, own:
        answer = vsock(cid)
        if answer:
            sys.exit(f"vsock, CID {cid}: answered {answer!r}")
        print(f"vsock, CID {cid}: closed")
    with socket.socket(socket.AF_VSOCK) as squat:
        refused("another listener on the port", squat.bind, (0xFFFFFFFF, 842))


def floods(seconds):
    closed = answered = 0
    until = time.monotonic() + float(seconds)

    def end(*_):
        print(f"{closed} were closed, {answered} answered", flush=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    while time.monotonic() < until:
        several = []
        for _ in range(20):
            one = socket.socket(socket.AF_VSOCK)
            one.settimeout(100)
            try:
                one.connect((1, 842))
                several.append(one)
            except OSError:  # the queue is full, or nothing listens
                one.close()
        for one in several:
            try:
                one.sendall(HELLO)
                if one.recv(1):
                    answered += 1
                else:
                    closed += 1
            except socket.timeout:
                pass
            except OSError:  # of those that were connected
                closed += 1
            one.close()
    end()


class Agent:
    """The agent, asked on the administrator's socket."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(RUN + "admin.sock")
        self.received = b""

    def call(self, method, **parameters):
        message = {"method": "in.excloud.InstanceConnect." + method, "parameters": parameters}
        self.socket.sendall(json.dumps(message).encode() + b"\0")
        while b"\0" not in self.received:
            part = self.socket.recv(65536)
            if not part:
                sys.exit("the agent closed the connection")
            self.received += part
        answer, self.received = self.received.split(b"\0", 1)
        return json.loads(answer)


def ed25519(number):
    """A key that nobody has; of small numbers some would be points of low order, which the agent refuses."""
    import base64
    import hashlib
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + hashlib.sha256(number.to_bytes(32, "little")).digest()
    return "ssh-ed25519 " + base64.b64encode(blob).decode()


def fills():
    """4096 keys, and not one more: a limit for each user, and one for all."""
    users = [f"many{i}" for i in range(129)]
    with open("/etc/passwd", "a", encoding="ascii") as passwd:
        for i, user in enumerate(users):
            passwd.write(f"{user}:x:{20000 + i}:{20000 + i}::/:/bin/sh\n")
    agent, number, refusals = Agent(), 0, {}
    agent.call("RevokeLocal")
    for user in users:
        for _ in range(5):
            keys = [ed25519(number + i) for i in range(8)]
            number += 8
            answer = agent.call("PushLocal", user=user, keys=keys, ttl=3600)
            if "error" in answer:
                name = answer["error"].rsplit(".", 1)[1]
                refusals[name] = refusals.get(name, 0) + 1
                if name != "StoreFull":
                    sys.exit(f"{user}: {answer}")
                agent.socket.close()
                agent = Agent()
                break
    keys = agent.call("Status")["parameters"]["keys"]
    print(f"{keys} keys, refusals: {refusals}")
    if keys != 4096:
        sys.exit("the store does not hold 4096 keys")
    print(agent.call("RevokeLocal"))


def cgroup():
    path = subprocess.run(["systemctl", "show", "--value", "-p", "ControlGroup", AGENT], capture_output=True, text=True,
                          check=True).stdout.strip()
    return "/sys/fs/cgroup" + path


def in_cgroup(function):
    """The exit status of a child that runs it as one of the agent's."""
    agent = Agent()
    agent.call("Status")
    child = os.fork()
    if child == 0:
        with open(cgroup() + "/cgroup.procs", "w", encoding="ascii") as procs:
            procs.write(str(os.getpid()))
        function()
        os._exit(0)
    return os.waitpid(child, 0)[1]


def takes_memory():
    pieces = []
    for _ in range(400):
        pieces.append(b"x" * (1 << 20))


def takes_processes():
    for _ in range(400):
        try:
            if os.fork() == 0:
                time.sleep(2)
                os._exit(0)
        except BlockingIOError:
            os._exit(42)


def limits():
    status = in_cgroup(takes_processes)
    if os.waitstatus_to_exitcode(status) != 42:
        sys.exit(f"TasksMax does not hold: status {status}")
    print("TasksMax holds")
    time.sleep(3)
    status = in_cgroup(takes_memory)
    if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
        sys.exit(f"MemoryMax does not hold: status {status}")
    print("MemoryMax holds")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
