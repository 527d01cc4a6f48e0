# SPDX-License-Identifier: Apache-2.0
"""exc-host for one test: its configuration, its socket, callers, and guests that are no agents."""

import base64
import json
import os
import secrets
import signal
import socket
import subprocess
import threading

import agent
from agent import Closed, RELAY_USER, WAIT_S, WORLD, Refused, Signer, key, wait_until

INTERFACE = "in.excloud.Host"
GUEST = "in.excloud.InstanceConnect"
# For calls that must not end because the machine is slow, the longest that there is.
PATIENT_MS = 60000

started = []
guests = []


class Caller:
    """A connection of the control plane."""

    def __init__(self, path, user=0):
        self.connection = agent.Connection(path, user)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def send(self, method, parameters=None, **members):
        self.connection.send(agent.message(f"{INTERFACE}.{method}", parameters or {}, **members))

    def call(self, method, parameters=None):
        self.send(method, parameters)
        return self.reply()

    def reply(self):
        try:
            return self.connection.reply()
        except Refused as refused:
            refused.error = refused.error.removeprefix(INTERFACE + ".")
            raise


class Host:
    """`settings` are lines of host.conf. VMs are added before start() or reload()."""

    def __init__(self, settings="", **vms):
        self.dir = WORLD / "tests" / f"host.{os.getpid()}.{len(started)}"
        self.config = self.dir / "etc"
        (self.config / "vm.d").mkdir(parents=True)
        (self.dir / "run").mkdir()
        os.chown(self.dir / "run", RELAY_USER.pw_uid, RELAY_USER.pw_gid)
        self.socket = self.dir / "run/host.sock"
        self.log_path = self.dir / "log"
        self.configure(settings)
        for name, channel in vms.items():
            self.add(name.strip("_"), channel)
        self.process = None
        started.append(self)
        self.start()

    def configure(self, settings):
        (self.config / "host.conf").write_text(f"[Host]\nName=h1\nApiUser=nobody\n{settings}\n")

    def add(self, name, channel):
        (self.config / f"vm.d/{name}.conf").write_text(f"[Instance]\nId={name}\nChannel={channel}\n")

    def remove(self, name):
        (self.config / f"vm.d/{name}.conf").unlink()

    def start(self, **environment):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [WORLD / "bin/exc-host", "--config-dir", self.config, "--socket", self.socket],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=RELAY_USER.pw_uid, group=RELAY_USER.pw_gid,
                extra_groups=[], env={"LC_ALL": "C", "TSAN_OPTIONS": "halt_on_error=1", **environment})
        wait_until(self.answers, "exc-host answers")

    def answers(self):
        assert self.process.poll() is None, self.log()
        try:
            with self.caller() as caller:
                caller.call("Status")
            return True
        except (OSError, Closed):
            return False

    def reload(self, count=None):
        """Until it has read the configuration again, and has `count` VMs."""
        before = self.log().count(" VMs\n") + self.log().count("stays in force")
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.log().count(" VMs\n") + self.log().count("stays in force") > before, "it is read")
        if count is not None:
            assert self.ask("Status")["instances"] == count, self.log()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(WAIT_S)
        self.process = None
        assert status == 0, f"exc-host ended with {status}"
        for line in self.log().splitlines():
            assert "Sanitizer" not in line and "runtime error" not in line, line

    def log(self):
        return self.log_path.read_text(errors="replace")

    def caller(self, user=0):
        return Caller(self.socket, user)

    def ask(self, method, parameters=None):
        with self.caller() as caller:
            return caller.call(method, parameters)

    def hello(self, name, timeout_ms=PATIENT_MS):
        return self.ask("Hello", {"instance": name, "timeoutMs": timeout_ms})

    def deliver(self, name, envelope, **more):
        return self.ask("Deliver", delivery(name, envelope, **more))

    def states(self):
        return {row["id"]: row["state"] for row in self.ask("Report")["instances"]}


def delivery(name, envelope, call_id=None, timeout_ms=PATIENT_MS, **more):
    return {"instance": name, "callId": call_id or secrets.token_urlsafe(16), "envelope": envelope,
            "timeoutMs": timeout_ms, **more}


class Pending:
    """A call in a thread of its own, whose result is awaited later."""

    def __init__(self, function, *arguments, **named):
        self.answer = self.refused = None
        self.thread = threading.Thread(target=self.run, args=(function, arguments, named), daemon=True)
        self.thread.start()

    def run(self, function, arguments, named):
        try:
            self.answer = function(*arguments, **named)
        except Refused as refused:
            self.refused = refused

    def runs(self):
        return self.thread.is_alive()

    def result(self):
        """The answer's parameters, or the name of the error."""
        self.thread.join(WAIT_S)
        assert not self.runs(), "no answer"
        return self.refused.error if self.refused else self.answer


class Guest:
    """
    Listens in place of an agent. `behave` is called with this, the connection and each call, and returns bytes to send,
    or None to close; the default answers as an agent does.
    """

    def __init__(self, behave=None, greet=b""):
        self.path = WORLD / "tests" / f"guest.{os.getpid()}.{len(guests)}"
        self.behave = behave or (lambda guest, connection, call: guest.usual(call))
        self.greet = greet
        self.calls = []
        self.lock = threading.Lock()
        self.busy = self.most_busy = 0
        self.connections = self.ended = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        os.chmod(self.path, 0o666)
        self.listener.listen(64)
        guests.append(self)
        threading.Thread(target=self.serve, daemon=True).start()

    @property
    def channel(self):
        return f"unix:{self.path}"

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.accept(connection)

    def accept(self, connection):
        threading.Thread(target=self.converse, args=(connection,), daemon=True).start()

    def converse(self, connection):
        try:
            with connection:
                connection.sendall(self.greet)
                received = b""
                while True:
                    part = connection.recv(65536)
                    if not part:
                        break
                    received += part
                    while b"\0" in received:
                        message, received = received.split(b"\0", 1)
                        if message and not self.take(connection, json.loads(message)):
                            return
        except OSError:  # the host did not want to hear the rest
            pass
        finally:
            self.ended += 1

    def take(self, connection, call):
        with self.lock:
            self.busy += 1
            self.most_busy = max(self.busy, self.most_busy)
            self.calls.append(call)
        try:
            answer = self.behave(self, connection, call)
        finally:
            with self.lock:
                self.busy -= 1
        if answer is None:
            return False
        connection.sendall(answer)
        return True

    def usual(self, call):
        method, parameters = call["method"].removeprefix(GUEST + "."), call["parameters"]
        if method == "Hello":
            return reply({
                "sync": parameters["sync"], "version": "0.9", "instance": "i-1", "challenge": secrets.token_urlsafe(16),
                "bootId": "0123abcd-0123-0123-0123-0123456789ab", "clock": {"unix": 1700000000, "synchronized": True},
                "limits": {"messageBytes": 16384, "maxTtl": 300, "keysPerPush": 8, "keysPerUser": 32, "keys": 4096}})
        if method == "Revoke":
            return reply({"revoked": 2})
        payload = json.loads(base64.b64decode(parameters["envelope"]["payload"]))
        return reply({"user": payload["user"], "fingerprints": [agent.fingerprint(text) for text in payload["keys"]],
                      "expiresIn": 59, "duplicate": False, "hostKeys": []})

    def count(self, method):
        with self.lock:
            return sum(call["method"] == f"{GUEST}.{method}" for call in self.calls)

    def close(self):
        # The thread that waits in accept() would keep it open for one more connection.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def reply(parameters, **members):
    return json.dumps({"parameters": parameters, **members}).encode() + b"\0"


def refusal_of_guest(name, **parameters):
    return reply({"message": "because", **parameters}, error=f"{GUEST}.{name}")


def hang(guest, connection, call):
    """Until the host closes the connection."""
    while connection.recv(65536):
        pass


class Slow:
    """Answers when it may."""

    def __init__(self):
        self.may = threading.Event()

    def __call__(self, guest, connection, call):
        assert self.may.wait(WAIT_S)
        return guest.usual(call)


signer = Signer()


def push(**more):
    return signer.push([key()], **more)


def real_agent(**more):
    """An agent that trusts `signer` and whose clock is synchronised."""
    made = agent.Agent(preload=f"{agent.NAME_SERVICE}:{agent.CLOCK}", TEST_CLOCK="synchronised", **more)
    made.trust(signer)
    return made


def after_test():
    for host in started:
        host.stop()
    agent.after_test()


def after_failure():
    for host in started:
        print("the end of exc-host's log:", *host.log().splitlines()[-20:], sep="\n")
    agent.after_failure()
