# SPDX-License-Identifier: Apache-2.0
"""A server for one test: its configuration, database, audit log and socket, and a client."""

import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

BUILD = pathlib.Path(os.environ["EXC_BUILD"])
PROGRAM = BUILD / "exc-compute-api"
SEED = BUILD / "tests/api/seed"
PUBLIC_URL = "https://compute.example.org"
WAIT_S = 100  # for what must happen; far more than it takes

# Executes the program in the same process, with sockets as systemd passes them (sd_listen_fds(3)).
START = 'export LISTEN_PID=$$ LISTEN_FDS=$1; shift; exec "$@"'

started = []


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=WAIT_S)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(WAIT_S)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read()
        self.json = json.loads(self.text) if self.text else None

    def __repr__(self):
        return f"{self.status} {self.text[:2000]!r}"

    @property
    def error(self):
        return self.json["error"] if self.json and self.status >= 400 else None


class Server:
    def __init__(self, directory, lines=(), public_url=PUBLIC_URL):
        self.directory = pathlib.Path(directory)
        self.path = self.directory / "api.sock"
        self.database = self.directory / "compute.db"
        self.audit_directory = self.directory / "audit"
        self.log = self.directory / "log"
        self.process = None
        self.audit_directory.mkdir(mode=0o700)
        self.lines = ["[Api]", f"Database={self.database}", f"Audit={self.audit_directory}", "Node=test",
                      f"DocsDirectory={BUILD}/docs-page", f"Signer=unix:{self.directory}/signer.sock", *lines]
        if public_url:
            self.lines.append(f"PublicUrl={public_url}")
        self.token = self.seed("admin", policy="Admin")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(1024)

    def seed(self, account, seconds=3600, policy=None):
        """A token of the account."""
        arguments = [SEED, self.database, account, str(seconds)] + ([policy] if policy else [])
        return subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True, timeout=WAIT_S).stdout.strip()

    def start(self, wait=True):
        config = self.directory / "api.conf"
        config.write_text("\n".join(self.lines) + "\n")
        config.chmod(0o644)
        fd = self.listener.fileno()
        # The socket has to be 3.
        script = f"exec 3<&{fd}; " + START if fd != 3 else START
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(["bash", "-c", script, "bash", "1", PROGRAM, "--config", config], stderr=log,
                                            pass_fds=[fd])
        started.append(self)
        if wait:
            answer = self.get("/healthz", token=None)
            assert answer.status == 200, answer
        return self

    def stop(self):
        """Ends it as systemd does. Its exit status."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=WAIT_S)
        self.process = None
        return status

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def connect(self):
        return Unix(self.path)

    def call(self, method, path, body=None, token="", headers=None, connection=None):
        """token: "" for the administrator's, None for none. body: bytes, or what becomes JSON."""
        headers = dict(headers or {})
        if token is not None:
            headers.setdefault("Authorization", "Bearer " + (token or self.token))
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        own = connection or self.connect()
        try:
            own.request(method, path, body, headers)
            return Answer(own.getresponse())
        finally:
            if not connection:
                own.close()

    def get(self, path, **more):
        return self.call("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.call("POST", path, body if body is not None else {}, **more)

    def put(self, path, body=None, **more):
        return self.call("PUT", path, body if body is not None else {}, **more)

    def delete(self, path, **more):
        return self.call("DELETE", path, **more)

    def raw(self, data, end=True):
        """All bytes of the answers to some bytes, up to the end of the connection, or to the end of one answer."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(WAIT_S)
            client.connect(str(self.path))
            client.sendall(data)
            if end:
                client.shutdown(socket.SHUT_WR)
            return read_all(client)

    def account(self, name, *statements, seconds=3600):
        """An account with one policy, and a token of it."""
        token = self.seed(name, seconds)
        if statements:
            answer = self.post("/iam/policy", {"name": name, "document": document(*statements)})
            assert answer.status == 201, answer
            answer = self.put(f"/iam/account/{name}/policy/{name}")
            assert answer.status == 201, answer
        return token

    def audit(self):
        """The lines of the audit log."""
        lines = []
        for path in sorted(self.audit_directory.glob("*.jsonl")):
            lines += [json.loads(line) for line in path.read_text().splitlines()]
        return lines


def read_all(client):
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65536):
            data += part
    return data


def document(*statements):
    return {"Version": "2024-03-05", "Statements": list(statements)}


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action, resource="*", **more):
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


@contextlib.contextmanager
def server(*lines, start=True, **more):
    with tempfile.TemporaryDirectory() as directory:
        own = Server(directory, lines, **more)
        try:
            yield own.start() if start else own
            status = own.stop()
            log = own.log.read_text() if own.log.exists() else ""
            assert status == 0 and "Sanitizer" not in log, f"{status}\n{log}"
        finally:
            if own.process:
                own.process.kill()
                own.process.wait()


def eventually(condition, what):
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"not in {WAIT_S} s: {what}")


def after_failure():
    for own in started:
        if own.log.exists():
            print(own.log.read_text()[-5000:])
