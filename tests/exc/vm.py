# SPDX-License-Identifier: Apache-2.0
"""A VM to log in to: a real agent and a real sshd behind the control plane; and exc as a user with files of their own."""

import contextlib
import json
import os
import pathlib
import pty
import select
import signal
import socket
import subprocess
import time

import agent
import client
from agent import WORLD, wait_until
from cloud import Cloud

HOST_KEY = WORLD / "ssh/host_key"
HELPER = WORLD / "bin/exc-authorized-keys"
# ssh finds ~ in the name service: root's home is the test's own here.
HOME = WORLD / "home/root"
OWN_HOME = ("unshare", "--mount", "sh", "-c", f'mount --bind "$HOME" {HOME} && exec "$@"', "-")

sshds = []

# As on a terminal: where it is ignored, all programs inherit that.
signal.signal(signal.SIGTSTP, signal.SIG_DFL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Sshd:
    """Answers to the store of an agent."""

    def __init__(self, store, lines=(), address="127.0.0.1"):
        self.address, self.port = address, free_port()
        self.directory = WORLD / "tests" / f"sshd.{os.getpid()}.{len(sshds)}"
        self.directory.mkdir()
        self.log_path = self.directory / "log"
        config = self.directory / "config"
        settings = (WORLD / "etc/sshd_config").read_text()
        settings = settings.replace(f"AuthorizedKeysCommand {HELPER}", f"AuthorizedKeysCommand {HELPER} --runtime-dir {store}")
        settings = settings.replace("ListenAddress 127.0.0.1", f"ListenAddress {address}")
        if any(line.startswith("Subsystem") for line in lines):
            settings = "".join(line for line in settings.splitlines(True) if not line.startswith("Subsystem"))
        config.write_text("\n".join([*lines, f"Port {self.port}", settings]))
        self.command = ["/usr/sbin/sshd", "-D", "-f", config, "-E", self.log_path]
        sshds.append(self)
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL)
        wait_until(self.listens, "sshd listens")

    def kill_connections(self):
        """As a VM that is switched off, but for the connection: the kernel closes that."""
        parents = {}
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = path.read_text().rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
        below = [self.process.pid]
        for pid in below:
            below += parents.get(pid, [])
        for pid in below[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def listens(self):
        with socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET) as probe:
            try:
                probe.bind((self.address, self.port))
            except OSError:
                return True
        return False

    def log(self):
        return self.log_path.read_text(errors="replace")

    def logins(self):
        return self.log().count("Accepted publickey")

    def connections(self):
        return self.log().count("Connection from ")


class Vm(Cloud):
    """The control plane with one VM, 42, and its sshd."""

    def __init__(self, lines=(), address="127.0.0.1", addresses=None, **more):
        super().__init__(**more)
        self.sshd = Sshd(self.guest.agent.store, lines, address)
        kind = "ipv6" if ":" in address else "public_ipv4"
        self.register("42", name="web", default_user="alice",
                      addresses={kind: address, "port": self.sshd.port, **(addresses or {})})
        self.exc = User(self)

    def keys_left(self):
        return len(self.guest.listed())


class User(client.Exc):
    """A user whose ~/.ssh is that of this test."""

    def __init__(self, to=None, **environment):
        super().__init__(to, **environment)
        (self.home / ".ssh").mkdir(mode=0o700)
        self.runtime = self.home / "run"
        self.runtime.mkdir(mode=0o700)
        self.environment["XDG_RUNTIME_DIR"] = str(self.runtime)

    def ssh_config(self, text):
        path = self.home / ".ssh/config"
        path.write_text(text)
        path.chmod(0o600)

    def run(self, *arguments, program=(), **more):
        done = super().run(*arguments, program=(*OWN_HOME, *program), **more)
        self.left_nothing()
        return done

    def left_nothing(self):
        """No file, no socket and no key of a session is left."""
        assert not list(self.runtime.glob("exc-*")), list(self.runtime.iterdir())

    def start(self, *arguments, **more):
        """In the background, in a process group of its own."""
        more = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        return subprocess.Popen([*OWN_HOME, client.PROGRAM, *arguments], env=self.environment, cwd=self.home,
                                start_new_session=True, **more)


class Terminal:
    """A program on a terminal of its own, as its session's leader."""

    def __init__(self, user, *command, size=(33, 77)):
        self.seen = b""
        pid, self.fd = pty.fork()
        if pid == 0:
            os.chdir(user.home)
            subprocess.run(["stty", "rows", str(size[0]), "columns", str(size[1])], check=False)
            os.execvpe(OWN_HOME[0], [*OWN_HOME, *map(str, command)], user.environment)
        self.pid = pid

    def type(self, data):
        os.write(self.fd, data)

    def read_until(self, text, since=0):
        end = time.monotonic() + agent.WAIT_S
        while text not in self.seen[since:] and time.monotonic() < end:
            if select.select([self.fd], [], [], 1)[0]:
                try:
                    self.seen += os.read(self.fd, 65536)
                except OSError:
                    break
        assert text in self.seen[since:], self.seen
        return self.seen.index(text, since) + len(text)

    def status(self):
        end = time.monotonic() + agent.WAIT_S
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    self.seen += os.read(self.fd, 65536)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
        os.kill(self.pid, signal.SIGKILL)
        raise AssertionError(self.seen)


def after_failure():
    for sshd in sshds:
        print("sshd:", sshd.log()[-3000:])


__all__ = ["Sshd", "Terminal", "User", "Vm", "json", "pathlib"]
