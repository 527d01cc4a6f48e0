# SPDX-License-Identifier: Apache-2.0
"""
The control plane for one test: exc-signer, exc-host, exc-compute-api, and real agents as guests; or services of the test in
place of host or signer, which lie or hang.
"""

import base64
import contextlib
import hashlib
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

import agent
import api
from agent import WORLD, wait_until
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

BUILD = api.BUILD
HOST = "in.excloud.Host"
SIGNER = "in.excloud.Signer"
PUSH_TYPE = "application/vnd.excloud.instance-connect.push.v1+json"
CONNECT = "compute:instance:connect"

ADMIN = BUILD / "exc-compute-admin"

started = []
numbers = itertools.count()


class Guest:
    """A real agent, whose host socket is for exc-host. `settings` are lines of agent.conf."""

    def __init__(self, vm_id, anchor, settings="RateLimit=0", clock="synchronised", **more):
        self.id = vm_id
        self.agent = agent.Agent(settings, preload=f"{agent.NAME_SERVICE}:{agent.CLOCK}", journal=True, TEST_CLOCK=clock,
                                 **more)
        directory = self.agent.config.parent / "trust.d"
        directory.mkdir()
        (directory / "cloud.pem").write_bytes(anchor)
        (self.agent.config.parent / "instance-id").write_text(vm_id + "\n")
        self.agent.activate()

    @property
    def address(self):
        return f"unix:{self.agent.path('host')}"

    def listed(self):
        return self.agent.listed()

    def fingerprints(self):
        return {row["fingerprint"] for row in self.listed()}

    def show_host_key(self, path):
        """Another host key from now on, in a directory that the agent may read since its start."""
        own = self.agent.config.parent / "host_key.pub"
        own.write_text(pathlib.Path(path).read_text(encoding="utf-8"))
        text = self.agent.config.read_text()
        self.agent.config.write_text(re.sub("HostKeyFiles=.*", f"HostKeyFiles={own}", text))


class Varlink:
    """A service of the test: answer(method, parameters) is a reply, an Error, or None to close the connection."""

    class Error(Exception):
        def __init__(self, error, /, **parameters):
            super().__init__(error)
            self.error, self.parameters = error, {"message": "no", **parameters}

    def __init__(self, path, answer):
        self.answer = answer
        self.calls = []
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self.listener.bind(str(path))
        self.listener.listen(256)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.converse, args=(connection,), daemon=True).start()

    def converse(self, connection):
        received = b""
        with connection, contextlib.suppress(OSError):
            while part := connection.recv(65536):
                received += part
                while b"\0" in received:
                    message, received = received.split(b"\0", 1)
                    call = json.loads(message)
                    method = call["method"].split(".")[-1]
                    with self.lock:
                        self.calls.append((method, call["parameters"]))
                    try:
                        replies = self.answer(method, call["parameters"])
                    except Varlink.Error as error:
                        replies = {"error": error.error, "parameters": error.parameters}
                    else:
                        if replies is None:
                            return
                        replies = {"parameters": replies}
                    if call.get("more") and "error" not in replies:
                        replies["continues"] = True
                    connection.sendall(json.dumps(replies).encode() + b"\0")

    def methods(self):
        with self.lock:
            return [method for method, _ in self.calls]

    def payloads(self, method="Deliver"):
        """What was delivered."""
        with self.lock:
            return [json.loads(base64.b64decode(parameters["envelope"]["payload"]))
                    for name, parameters in self.calls if name == method]

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def fingerprint(text):
    digest = hashlib.sha256(base64.b64decode(text.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAWzR4F0I2NQhnP/bZcixwskk+h2bh5uHuKUoZfIOieN"


class Liar:
    """In place of exc-host: takes every push as an honest host with an honest guest would. Tests replace its methods."""

    def __init__(self):
        self.clock = 0  # seconds that the guest's is ahead
        self.instance = None  # the guest's id; None: the one asked for
        self.reports = []

    def hello(self, parameters):
        return {"handle": "h", "guestInstance": self.instance or parameters["instance"],
                "bootId": "0123abcd-0123-0123-0123-0123456789ab", "challenge": "abcdefghijklmnopqrst-_",
                "clock": {"unix": int(time.time()) + self.clock, "synchronized": True}, "version": "1"}

    def push(self, payload, parameters):  # pylint: disable=unused-argument
        return {"user": payload["user"], "fingerprints": [fingerprint(key) for key in payload["keys"]],
                "expiresIn": payload.get("ttl", payload["exp"] - payload["iat"]), "duplicate": False,
                "hostKeys": [{"type": HOST_KEY.split()[0], "key": HOST_KEY.split()[1],
                              "fingerprint": fingerprint(HOST_KEY)}], "revoked": None}

    def revoke(self, payload):  # pylint: disable=unused-argument
        return {"revoked": 1}

    def answer(self, method, parameters):
        if method == "Hello":
            return self.hello(parameters)
        if method == "Report":
            return {"instances": self.reports}
        payload = json.loads(base64.b64decode(parameters["envelope"]["payload"]))
        if parameters["envelope"]["payloadType"] == PUSH_TYPE:
            return self.push(payload, parameters)
        return self.revoke(payload)


class Program:
    """A program of the control plane, which ends with the test."""

    def __init__(self, name, log, *command, user=None, group=None):
        self.name, self.log, self.command, self.user, self.group = name, log, command, user, group
        self.process = None

    def start(self):
        become = ["setpriv", f"--reuid={self.user}", f"--regid={self.group}", "--clear-groups", "--"] if self.user else []
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([*become, *self.command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            status = self.process.wait(timeout=agent.WAIT_S)
            self.process = None
            log = pathlib.Path(self.log).read_text(errors="replace")
            assert status == 0 and "Sanitizer" not in log and "runtime error" not in log, (self.name, status, log[-3000:])

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None


class Cloud:
    """
    `guests`: ids of VMs with real agents, or their settings by id. `liar`: a Liar in place of exc-host. `signer_lines` and
    `lines` are of the configurations of exc-signer and exc-compute-api.
    """

    def __init__(self, guests=("42",), liar=None, signer_lines=(), lines=(), audit_size=None, **more):
        self.directory = WORLD / "tests" / f"cloud.{os.getpid()}.{next(numbers)}"
        self.directory.mkdir(mode=0o755)
        self.key = ed25519.Ed25519PrivateKey.generate()
        self.anchor = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.guests = {}
        self.liar = liar
        self.host_path = self.directory / "run/host.sock"
        self.host_path.parent.mkdir()
        self.make_signer(signer_lines)
        if liar:
            self.host = Varlink(self.host_path, liar.answer)
        else:
            self.make_host()
        home = self.directory / "api"
        home.mkdir()
        if audit_size:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"mode=0755,size={audit_size}", "audit", home], check=True)
        self.api = api.Server(home, [f"Host=hv1 unix:{self.host_path}", "InstanceLimit=0", "CallerLimit=0",
                                     "AddressLimit=0", "Workers=64", *lines])
        self.api.lines = [line for line in self.api.lines if not line.startswith("Signer=")]
        self.api.lines.append(f"Signer=unix:{self.directory}/signer.sock")
        for vm_id in guests:
            self.add_guest(vm_id, **more)
        started.append(self)
        self.start()
        for vm_id in guests:
            self.register(vm_id)
        if liar and not guests:
            self.register("42")

    # The parts

    def make_signer(self, lines):
        home = self.directory / "signer"
        (home / "log").mkdir(parents=True)
        (home / "key.pem").write_bytes(self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        (home / "key.pem").chmod(0o600)
        self.signer_config = home / "signer.conf"
        self.signer_config.write_text("\n".join(["[Signer]", f"Key={home}/key.pem", "ApiUser=root", f"Log={home}/log",
                                                 "PushRate=0", "RevokeRate=0", *lines]) + "\n")
        self.signer_config.chmod(0o644)
        self.signer = Program("exc-signer", home / "output", BUILD / "exc-signer", "--config", self.signer_config,
                              "--socket", self.directory / "signer.sock")

    def make_host(self):
        home = self.directory / "host"
        (home / "vm.d").mkdir(parents=True)
        (home / "host.conf").write_text(f"[Host]\nName=hv1\nVmDirectory={home}/vm.d\nApiUser=root\n")
        # The agent's host socket takes the relay alone, so exc-host is that user; the API, without capabilities, connects by
        # the socket's group.
        os.chown(self.host_path.parent, agent.RELAY_USER.pw_uid, -1)
        self.host = Program("exc-host", home / "output", BUILD / "exc-host", "--config-dir", home, "--socket",
                            self.host_path, user="exc-instance-connect-relay", group="root")

    def add_guest(self, vm_id, **more):
        self.guests[vm_id] = guest = Guest(vm_id, self.anchor, **more)
        if not self.liar:
            path = self.directory / f"host/vm.d/{vm_id}.conf"
            path.write_text(f"[Instance]\nId={vm_id}\nChannel={guest.address}\n")
        return guest

    def register(self, vm_id, **more):
        answer = self.api.put(f"/compute/instance/{vm_id}", {"host": "hv1", **more})
        assert answer.status in (200, 201), answer

    def start(self):
        self.signer.start()
        wait_until(lambda: listens(self.directory / "signer.sock"), "the signer listens")
        if not self.liar:
            self.host.start()
            wait_until(lambda: listens(self.host_path), "the host listens")
        self.api.start()

    def stop(self):
        if self.api.process:
            status = self.api.stop()
            log = self.api.log.read_text()
            assert status == 0 and "Sanitizer" not in log and "runtime error" not in log, (status, log[-3000:])
        if self.signer.process:
            self.signer.stop()
        if self.liar:
            self.host.close()
        elif self.host.process:
            self.host.stop()

    # What callers do

    @property
    def guest(self):
        return self.guests["42"]

    def ask_host_again(self):
        """The API starts again, so that it has the host's reports of now."""
        self.host.close()
        assert self.api.stop() == 0
        self.host = Varlink(self.host_path, self.liar.answer)
        self.api.start()

    def connect(self, vm_id="42", user="alice", token="", **members):
        body = {"vm_id": vm_id, **({"user": user} if user is not None else {}), **members}
        return self.api.post("/compute/instance/connect", body, token=token)

    def revoke(self, vm_id="42", token="", **what):
        return self.api.post(f"/compute/instance/{vm_id}/revoke", what, token=token)

    # What is recorded

    def lines(self, request_id=None):
        return [line for line in self.api.audit() if request_id in (None, line.get("request_id"))]

    def notes(self):
        return [line for line in self.api.audit() if line["kind"] == "note"]

    def signed(self):
        """The signer's log."""
        lines = []
        for path in sorted((self.directory / "signer/log").glob("*.jsonl")):
            lines += [json.loads(line) for line in path.read_text().splitlines()]
        return lines


    def verify(self):
        """The report of exc-compute-admin on the audit log beside the signer's."""
        done = subprocess.run([ADMIN, "audit", "verify", "--json", "--user", "nobody", "--audit", self.api.audit_directory,
                               "--signer-log", self.directory / "signer/log"], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=agent.WAIT_S, check=False)
        assert done.returncode == 0, done.stdout
        return json.loads(done.stdout.splitlines()[-1])


def listens(path):
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True


def in_threads(*calls):
    """The results of calls that are made at once."""
    results = [None] * len(calls)

    def run(i, call):
        results[i] = call()

    threads = [threading.Thread(target=run, args=(i, call)) for i, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def assert_error(answer, status, error, **members):
    assert (answer.status, answer.error) == (status, error), answer
    for name, value in members.items():
        assert answer.json.get(name) == value, (name, answer)
    return answer


def after_test():
    for cloud in started:
        cloud.stop()
        cloud.verify()
    agent.after_test()


def after_failure():
    for cloud in started:
        for log in cloud.api.log, cloud.directory / "signer/output", cloud.directory / "host/output":
            if log.exists():
                print(f"the end of {log}:", log.read_text(errors="replace")[-3000:], sep="\n")
    agent.after_failure()
