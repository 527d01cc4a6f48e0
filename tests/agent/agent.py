# SPDX-License-Identifier: Apache-2.0
"""An agent for one test: its store, configuration, sockets and journal, and a client."""

import base64
import contextlib
import hashlib
import json
import os
import pathlib
import pwd
import re
import signal
import socket
import struct
import subprocess
import threading
import time
import uuid

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from identity import effective_user

INTERFACE = "in.excloud.InstanceConnect"
MESSAGE_MAX = 16384
WAIT_S = 100  # for events that must happen; far more than they take
WORLD = pathlib.Path("/mnt/world")
TREE = pathlib.Path(__file__).parents[2]
NAME_SERVICE = WORLD / "bin/name_service.so"
CONFINED = WORLD / "bin/confined.so"
KILL_AT = WORLD / "bin/kill_at.so"
# What the agent says of the layer that is not there (tests/lib/world.sh).
LACKS = {"landlock": "confinement: files, by Landlock: ", "seccomp": "confinement: system calls, by seccomp: "}.get(
    os.environ.get("EXC_WITHOUT"), "confinement: nothing")
CLOCK = WORLD / "bin/preload.so"  # TEST_CLOCK, TEST_WALL_STEP, TEST_CLOCK_SET
HELPER = WORLD / "bin/exc-authorized-keys"
INSTANCE = "i-0123"
AGENT_USER = pwd.getpwnam("exc-instance-connect")
HELPER_USER = pwd.getpwnam("exc-authorized-keys")
RELAY_USER = pwd.getpwnam("exc-instance-connect-relay")
METADATA_USER = pwd.getpwnam("exc-instance-connect-metadata")

# One connection of sshd: it runs the helper twice, and lives longer than both.
LOGIN = '"$@"; echo; "$@"; exit 0'

# Executes the agent in the same process, with sockets as systemd passes them (sd_listen_fds(3)), and with the journal's
# socket if there is one. The arguments are descriptors, then --, then the command.
START = r"""
if [[ $JOURNAL ]]; then mount --bind "$JOURNAL" /run/systemd/journal; fi
n=3
while [[ $1 != -- ]]; do
    eval "exec $n<&$1"
    n=$((n + 1))
    shift
done
shift
if ((n > 3)); then export LISTEN_PID=$$ LISTEN_FDS=$((n - 3)); fi
exec setpriv --reuid=exc-instance-connect --regid=exc-instance-connect --clear-groups -- "$@"
"""

started = []


class Closed(Exception):
    """The agent has closed the connection."""


class Refused(Exception):
    def __init__(self, error, parameters):
        super().__init__(error, parameters)
        self.error = error.removeprefix(INTERFACE + ".")
        self.parameters = parameters


class Connection:
    """A connection to a socket of the agent, as some user."""

    def __init__(self, path, user=0):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(WAIT_S)
        self.received = b""
        with effective_user(user):
            self.socket.connect(str(path))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_call(self, method, parameters=None, **members):
        self.send(message(method, parameters, **members))

    def message(self):
        """The next message. Raises Closed when there is none."""
        while b"\0" not in self.received:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Closed(self.received)
            self.received += data
        text, self.received = self.received.split(b"\0", 1)
        assert len(text) < MESSAGE_MAX, len(text)
        return json.loads(text)

    def reply(self):
        """The parameters of the next message, which must be the last reply to its call."""
        answer = self.message()
        if "error" in answer:
            assert answer.keys() == {"error", "parameters"}, answer
            raise Refused(answer["error"], answer["parameters"])
        assert answer.keys() == {"parameters"}, answer
        return answer["parameters"]

    def call(self, method, parameters=None):
        self.send_call(method, parameters)
        return self.reply()

    def is_closed(self):
        """Whether the agent closes the connection without a message."""
        try:
            unexpected = self.message()
        except Closed as closed:
            return closed.args[0] == b""
        print("message before the end:", unexpected)
        return False


def message(method, parameters=None, **members):
    if "." not in method:
        method = f"{INTERFACE}.{method}"
    call = {"method": method, **({} if parameters is None else {"parameters": parameters}), **members}
    return json.dumps(call).encode() + b"\0"


class Agent:
    """
    `settings` are lines of agent.conf. `sockets` are the names that systemd would pass. `journal`: whether there is
    one; "deaf": it reads nothing before hear(). `ready`: whether the store has the directories that the agent expects.
    `mounts_claims`: whether claim files have a tmpfs of their own, as where systemd can mount one. `preload`: a library,
    or several with colons between them; `environment` and start() set variables for them. `options` are more arguments of
    the agent, and `wrapper` is a command that runs it. `refuses`: a system call may be refused to it.
    """

    def __init__(self, settings="RateLimit=0", sockets=("admin", "host"), journal=False, preload=None, ready=True,
                 mounts_claims=False, options=(), wrapper=(), refuses=False, **environment):
        self.dir = WORLD / "tests" / f"agent.{os.getpid()}.{len(started)}"
        self.dir.mkdir()
        self.store = self.dir / "store"
        self.config = self.dir / "etc/agent.conf"
        self.log_path = self.dir / "log"
        self.names = sockets
        self.mounts_claims = mounts_claims
        self.preload = preload
        self.options = options
        self.wrapper = wrapper
        self.refuses = refuses
        self.environment = environment
        self.process = None
        self.lock = threading.RLock()  # of the process
        self.ended = []
        self.store.mkdir()
        if ready:
            self.make_store()
        self.config.parent.mkdir()
        self.configure(settings)
        self.listeners = []
        for name in sockets:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(self.dir / name))
            # systemd lets only some users connect. The agent's own check shows only where all others can connect too.
            os.chmod(self.dir / name, 0o666)
            listener.listen(4096)
            self.listeners.append(listener)
        self.journal = None
        self.events = []
        if journal:
            (self.dir / "journal").mkdir()
            self.journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.journal.bind(str(self.dir / "journal/socket"))
            os.chmod(self.dir / "journal/socket", 0o666)
            if journal != "deaf":
                self.hear()
        started.append(self)
        self.start()

    # The store

    def make_store(self):
        # As in systemd/: for 4096 keys; tmpfs uses a page for each file that is not empty.
        options = "mode=0755,size=48M,nr_inodes=40000"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "store", self.store], check=True)
        for name, mode in ("keys", 0o2750), ("claims", 0o2750):
            (self.store / name).mkdir()
            if name == "claims" and self.mounts_claims:
                options = "mode=0700,size=20M,nr_inodes=10000"
                subprocess.run(["mount", "-t", "tmpfs", "-o", options, "claims", self.store / name], check=True)
            os.chown(self.store / name, AGENT_USER.pw_uid, HELPER_USER.pw_gid)
            os.chmod(self.store / name, mode)
        (self.store / "state").mkdir(mode=0o700)
        os.chown(self.store / "state", AGENT_USER.pw_uid, AGENT_USER.pw_gid)
        self.remember_since(0)

    def remember_since(self, seconds):
        """
        An empty memory of signed calls that begins that many seconds after the boot. The agent creates it when it
        starts, and accepts no call whose timestamps are older.
        """
        path = self.store / "state/pushes"
        path.write_bytes((b"EXCPUSH2" + struct.pack(">Q", seconds * 10**9)).ljust(128 * 257, b"\0"))
        os.chown(path, AGENT_USER.pw_uid, AGENT_USER.pw_gid)
        path.chmod(0o600)

    def make_memory(self):
        """As the store's unit does: the memory of signed calls exists before the agent starts."""
        subprocess.run(
            ["setpriv", "--reuid=exc-instance-connect", "--regid=exc-instance-connect", "--clear-groups", "--",
             WORLD / "bin/exc-instance-connect-agent", "--runtime-dir", self.store, "--make-memory"], check=True)

    def stored(self):
        """All paths of keys in the store, without its three directories and the memory of signed calls."""
        found = set()
        for root, directories, files in os.walk(self.store):
            found |= {os.path.relpath(os.path.join(root, name), self.store) for name in directories + files}
        return found - {"keys", "claims", "state", "state/pushes", "state/revocations", "state/lost",
                        "state/metadata-instance-id"}

    def keys(self):
        """(user, fingerprint, id) of each key file."""
        return self.parts("keys/[^/]+/[^/]+/[0-9a-f]{64}")

    def claims(self):
        """(user, id) of each claim file."""
        return self.parts("claims/[^/]+/[0-9a-f]{64}")

    def parts(self, pattern):
        return {tuple(path.split("/")[1:]) for path in self.stored() if re.fullmatch(pattern, path)}

    # The process

    def configure(self, settings):
        self.config.write_text(f"[Agent]\nHostKeyFiles={WORLD}/ssh/host_key.pub\n{settings}\n")

    def trust(self, signer, name="cloud"):
        directory = self.config.parent / "trust.d"
        directory.mkdir(exist_ok=True)
        (directory / f"{name}.pem").write_bytes(signer.anchor())
        (self.config.parent / "instance-id").write_text(INSTANCE + "\n")

    def start(self, **more):
        """`more`: environment variables."""
        environment = {
            **self.environment,
            **more,
            "PATH": os.environ["PATH"],
            "LC_ALL": "C",
            "LISTEN_FDNAMES": ":".join(self.names),
            "JOURNAL": str(self.dir / "journal") if self.journal else "",
            # For a build with sanitizers: little memory for freed blocks, and the preloaded library may come first.
            "ASAN_OPTIONS": "quarantine_size_mb=1:verify_asan_link_order=0",
            "UBSAN_OPTIONS": "print_stacktrace=1",
        }
        fds = [listener.fileno() for listener in self.listeners]
        command = [
            *(["unshare", "--mount"] if self.journal else []), "bash", "-c", START, "start", *map(str, fds), "--",
            *self.wrapper, *(["/usr/bin/env", f"LD_PRELOAD={self.preload}"] if self.preload else []),
            WORLD / "bin/exc-instance-connect-agent", "--runtime-dir", self.store, "--config-dir", self.config.parent,
            *self.options,
        ]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command, pass_fds=fds, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait(self):
        """Its exit status, when it has exited by itself."""
        status = self.process.wait(WAIT_S)
        self.process = None
        self.check_log()
        return status

    def activate(self):
        """From now on it is started again when it has left by itself, as systemd would for the next connection."""
        def start_again():
            while True:
                time.sleep(0.1)
                with self.lock:
                    if self.process and self.process.poll() == 0:
                        self.start()

        threading.Thread(target=start_again, daemon=True).start()

    def stop(self):
        with self.lock:
            if not self.process:
                return
            with contextlib.suppress(Closed, OSError):
                # When it answers, it handles signals.
                self.ask("Status")
            self.process.send_signal(signal.SIGTERM)
            status = self.wait()
            assert status == 0, f"the agent ended with {status}"

    def kill(self):
        with self.lock:
            self.process.kill()
            self.process.wait()
            self.process = None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def check_log(self):
        for line in [*self.log().splitlines(), *(fields.get("MESSAGE", "") for fields in self.events)]:
            assert not re.search("Sanitizer|runtime error|Assertion", line), line
            assert self.refuses or LACKS in line or "confinement: " not in line, line
            assert self.refuses or not line.startswith("system call "), line
            assert self.refuses or "the system call " not in line, line

    def memory_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^RssAnon:\s*(\d+) kB$", status, re.MULTILINE).group(1))

    def lives(self):
        return self.process.poll() is None

    # The client

    def path(self, name="admin"):
        return self.dir / name

    def connect(self, name="admin", user=None):
        own = {"host": RELAY_USER.pw_uid, "metadata": METADATA_USER.pw_uid}
        return Connection(self.path(name), user if user is not None else own.get(name, 0))

    def ask(self, method, parameters=None):
        with self.connect() as connection:
            return connection.call(method, parameters)

    def push(self, keys=None, user="alice", **parameters):
        return self.ask("PushLocal", {"user": user, "keys": [key()] if keys is None else keys, **parameters})

    def send(self, method, envelope):
        """Push or Revoke, from the host."""
        with self.connect("host") as connection:
            return connection.call(method, {"envelope": envelope})

    def configure_metadata(self, *lines):
        (self.config.parent / "metadata.conf").write_text("\n".join(["[Metadata]", *lines, ""]))

    def launch(self, chosen):
        """The metadata service has these keys."""
        with self.connect("metadata") as connection:
            return connection.call("SetLaunchKeys", {"keys": chosen})

    def listed(self, **parameters):
        with self.connect() as connection:
            return list_all(connection, **parameters)

    def hear(self):
        """From now on the journal reads."""
        threading.Thread(target=self.read_journal, daemon=True).start()

    def read_journal(self):
        while True:
            self.events.append(journal_fields(self.journal.recv(65536)))

    def events_of(self, message_id, n=1):
        """The fields of all messages in the journal with that id, as soon as there are `n`."""
        def found():
            return [fields for fields in self.events if fields.get("MESSAGE_ID") == message_id]

        wait_until(lambda: len(found()) >= n, "the journal has it")
        return found()


def list_all(connection, **parameters):
    connection.send_call("List", parameters, more=True)
    rows = []
    while True:
        answer = connection.message()
        rows += answer["parameters"]["keys"]
        if not answer.get("continues"):
            return rows


def journal_fields(datagram):
    """https://systemd.io/JOURNAL_NATIVE_PROTOCOL; the one field that may be repeated has all values with blanks between."""
    fields = {}
    while datagram:
        name, _, datagram = datagram.partition(b"\n")
        if b"=" in name:
            name, _, value = name.partition(b"=")
        else:
            (length,) = struct.unpack_from("<Q", datagram)
            value, datagram = datagram[8:8 + length], datagram[9 + length:]
        name, value = name.decode(), value.decode()
        assert name not in fields or name == "EXC_SSHD_PID", name
        fields[name] = f"{fields[name]} {value}" if name in fields else value
    return fields


def fill(agent, users, **parameters):
    """Stores as many keys as `users` may have, over one connection. Returns one of them."""
    with agent.connect() as connection:
        for user in users:
            for chosen in [keys(8) for _ in range(4)]:
                connection.call("PushLocal", {"user": user, "keys": chosen, "connections": 0, "ttl": 300, **parameters})
    return chosen[0]


class Signer:
    """A signing key of the hosts."""

    def __init__(self):
        self.key = ed25519.Ed25519PrivateKey.generate()

    def anchor(self):
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def private(self):
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    def push(self, chosen, user="alice", life_s=60, **more):
        return self.envelope("push", {"user": user, "keys": chosen}, life_s, more)

    def revoke(self, life_s=60, **what):
        return self.envelope("revoke", {}, life_s, what)

    def envelope(self, kind, payload, life_s, more):
        """With timestamps of the clock. `more` are members of the payload, and replace others."""
        now = int(time.time())
        payload = {"aud": f"exc:compute:instance/{INSTANCE}", "iat": now, "exp": now + life_s, "jti": str(uuid.uuid4()),
                   **payload, **more}
        return self.sign(f"application/vnd.excloud.instance-connect.{kind}.v1+json", json.dumps(payload).encode())

    def sign(self, kind, payload):
        """`payload`: bytes."""
        signature = self.key.sign(b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload))
        return {"payloadType": kind, "payload": base64.b64encode(payload).decode(),
                "signatures": [{"sig": base64.b64encode(signature).decode()}]}


def unsigned(envelope):
    return {**envelope, "signatures": []}


def log_in(store, user, text, *helper):
    """A client offers this key to sshd. `helper` is the command to run in place of the helper."""
    asked = [user, fingerprint(text), *text.split()]
    return subprocess.Popen(
        ["/bin/sh", "-c", LOGIN, "sshd", *(helper or [HELPER]), "--runtime-dir", store, *asked],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={},
        user=HELPER_USER.pw_uid, group=HELPER_USER.pw_gid, extra_groups=[])


def given(connection, text):
    """How often the helper printed the key."""
    said = connection.communicate()[0].decode()
    assert "Sanitizer" not in said and "runtime error" not in said, said
    return said.splitlines().count(text)


def after_test():
    for agent in started:
        agent.stop()
        with contextlib.suppress(OSError):
            subprocess.run(["umount", "--lazy", agent.store], check=False)


def after_failure():
    for agent in started:
        print("the end of the agent's log:", *[line[:300] for line in agent.log().splitlines()[-20:]], sep="\n")


def wait_until(condition, what):
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, f"timeout waiting until {what}"
        time.sleep(0.02)


def refusal(call, *arguments, **named):
    """The refusal that a call ends with."""
    try:
        answer = call(*arguments, **named)
    except Refused as refused:
        return refused
    raise AssertionError(f"not refused: {answer}")


# Keys

made = 0


def key():
    """An Ed25519 key without a private half, as text; any 32 bytes are one."""
    global made
    made += 1
    public = hashlib.sha256(f"{os.getpid()} {made} {time.monotonic_ns()}".encode()).digest()
    blob = b"".join(struct.pack(">I", len(part)) + part for part in (b"ssh-ed25519", public))
    return "ssh-ed25519 " + base64.b64encode(blob).decode()


def keys(n):
    return [key() for _ in range(n)]


def fingerprint(text):
    """As sshd prints it."""
    digest = hashlib.sha256(base64.b64decode(text.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def fingerprint_name(text):
    """As the store names it."""
    return fingerprint(text).removeprefix("SHA256:").replace("+", "-").replace("/", "_")
