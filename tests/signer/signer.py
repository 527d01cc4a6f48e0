# SPDX-License-Identifier: Apache-2.0
"""An exc-signer for one test: its key, configuration, socket, log and journal, and a client."""

import base64
import contextlib
import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import tempfile
import time

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from identity import effective_user

INTERFACE = "in.excloud.Signer"
PROGRAM = pathlib.Path(os.environ["EXC_BUILD"]) / "exc-signer"
WAIT_S = 300  # for events that must happen; far more than they take
USER = 60010  # of the signer: a number, so that it need not exist
API_USER, API_UID = "nobody", 65534
FOREIGN_UID = 60011
PUSH_TYPE = "application/vnd.excloud.instance-connect.push.v1+json"
REVOKE_TYPE = "application/vnd.excloud.instance-connect.revoke.v1+json"
HEAD = hashlib.sha256(b"an audit line").hexdigest()
ALARM = re.search(r'SIGNER_EVENT_ALARM "([0-9a-f]{32})"',
                  (pathlib.Path(__file__).parents[2] / "cloud/signer/signer_journal.h").read_text())[1]

# In a mount namespace of its own, with the test's journal. The arguments: descriptor of a socket or -, then the command.
START = r"""
mount --bind "$JOURNAL" /run/systemd/journal
if [[ $1 != - ]]; then
    exec 3<&"$1"
    export LISTEN_PID=$$ LISTEN_FDS=1
fi
shift
exec setpriv --reuid="$SIGNER_USER" --regid="$SIGNER_USER" --clear-groups -- "$@"
"""


class Refused(Exception):
    def __init__(self, error, parameters):
        super().__init__(error, parameters)
        self.error = error.removeprefix(INTERFACE + ".")
        self.parameters = parameters


class Closed(Exception):
    pass


def public_line(key):
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def push(**members):
    return {"instance": "42", "user": "alice", "publicKeys": [public_line(ed25519.Ed25519PrivateKey.generate())],
            "principal": "operator", "requestId": "req-1", "auditHead": HEAD} | members


def revocation(**members):
    return {"instance": "42", "principal": "operator", "requestId": "req-2", "auditHead": HEAD} | members


def refusal(function, *arguments):
    try:
        answer = function(*arguments)
    except Refused as refused:
        return refused
    raise AssertionError(f"not refused: {answer}")


class Connection:
    def __init__(self, path, user=API_UID):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(WAIT_S)
        self.received = b""
        with effective_user(user):
            self.socket.connect(str(path))

    def send(self, method, parameters):
        # A signer that has closed may have said why before.
        with contextlib.suppress(BrokenPipeError):
            self.socket.sendall(json.dumps({"method": method, "parameters": parameters}).encode() + b"\0")

    def reply(self):
        while b"\0" not in self.received:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Closed(self.received)
            self.received += data
        text, self.received = self.received.split(b"\0", 1)
        answer = json.loads(text)
        if "error" in answer:
            raise Refused(answer["error"], answer["parameters"])
        return answer["parameters"]

    def call(self, name, parameters=None):
        self.send(f"{INTERFACE}.{name}", parameters or {})
        return self.reply()


class Signer:
    """Directories of it: etc (root's), log and run (its own), journal."""

    def __init__(self, configuration="", key=None, key_lines=None, socket_activated=False):
        self.directory = pathlib.Path(tempfile.mkdtemp(dir="/mnt/tests"))
        self.directory.chmod(0o755)
        for name, owner in ("etc", 0), ("log", USER), ("run", USER), ("journal", 0):
            (self.directory / name).mkdir(mode=0o755)
            os.chown(self.directory / name, owner, owner)
        self.log = self.directory / "log"
        self.path = self.directory / "run/signer.sock"
        self.key = key or ed25519.Ed25519PrivateKey.generate()
        self.key_file = self.directory / "etc/key.pem"
        self.key_file.write_bytes(self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        os.chown(self.key_file, USER, USER)
        self.key_file.chmod(0o400)
        self.configuration = self.directory / "etc/signer.conf"
        self.configuration.write_text(
            f"[Signer]\n{key_lines or f'Key={self.key_file}'}\nApiUser={API_USER}\nLog={self.log}\n{configuration}\n")
        self.journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.journal.bind(str(self.directory / "journal/socket"))
        os.chmod(self.directory / "journal/socket", 0o666)
        self.process = None
        self.socket_activated = socket_activated

    def start(self):
        descriptors, arguments = [], ["--socket", str(self.path)]
        if self.socket_activated:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(self.path))
            listener.listen()
            descriptors, arguments = [listener.fileno()], []
        environment = os.environ | {"JOURNAL": str(self.directory / "journal"), "SIGNER_USER": str(USER)}
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--", "bash", "-euc", START, "bash", str(descriptors[0]) if descriptors else "-",
             str(PROGRAM), "--config", str(self.configuration), *arguments],
            env=environment, pass_fds=descriptors, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + WAIT_S
        while not self.path.exists():
            assert self.process.poll() is None, self.process.returncode
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        return self.process.wait(WAIT_S)

    def connect(self, user=API_UID):
        # Between the bind and the listen of the signer a connect is refused. Who may use it, the signer decides itself.
        deadline = time.monotonic() + WAIT_S
        while True:
            self.path.chmod(0o666)
            try:
                return Connection(self.path, user)
            except (ConnectionRefusedError, PermissionError):
                assert self.process.poll() is None and time.monotonic() < deadline
                time.sleep(0.01)

    def call(self, name, parameters=None):
        return self.connect().call(name, parameters)

    def lines(self):
        """The lines of the log, oldest first. The chain must hold."""
        lines, prev = [], "0" * 64
        for file in sorted(self.log.glob("signer-*.jsonl")):
            for text in file.read_bytes().split(b"\n")[:-1]:
                line = json.loads(text)
                assert line["prev"] == prev, line
                assert line["seq"] == len(lines) + 1, line
                prev = hashlib.sha256(text).hexdigest()
                lines.append(line)
        return lines

    def verify(self, envelope):
        """The payload, if the signature is that of the key."""
        payload = base64.b64decode(envelope["payload"], validate=True)
        kind = envelope["payloadType"].encode()
        pae = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
        # Of a command whose key is not known, 64 bytes are added in two forms, that of Ed25519 first.
        signature = envelope["signatures"][0]
        raw = base64.b64decode(signature["sig"], validate=True)
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            self.key.public_key().verify(raw, pae)
        else:
            self.key.public_key().verify(raw, pae, ec.ECDSA(hashes.SHA256()))
        return json.loads(payload), hashlib.sha256(pae).hexdigest()

    def events(self):
        """The entries that have arrived in the journal."""
        entries = []
        self.journal.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                entries.append(fields(self.journal.recv(65536)))
        return entries

    def event(self):
        """The next entry."""
        self.journal.setblocking(True)
        self.journal.settimeout(WAIT_S)
        return fields(self.journal.recv(65536))


def fields(raw):
    """systemd.io/JOURNAL_NATIVE_PROTOCOL"""
    found = {}
    while raw:
        name, raw = raw.split(b"\n", 1)
        if b"=" in name:
            name, value = name.split(b"=", 1)
        else:
            (n,) = struct.unpack("<Q", raw[:8])
            value, raw = raw[8:8 + n], raw[8 + n + 1:]
        found[name.decode()] = value.decode()
    return found


def kill(signer):
    signer.process.send_signal(signal.SIGKILL)
    signer.process.wait()
