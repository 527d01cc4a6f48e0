# SPDX-License-Identifier: Apache-2.0
"""
The figures of tests/bench/exc: a command of exc beside the same by ssh's own program with an authorized key, by turns, so that
the load of the machine is the same for both. Files are in memory.
"""

import os
import pathlib
import re
import select
import shutil
import statistics
import subprocess
import sys
import threading
import time

import client
from agent import WORLD
from vm import HOST_KEY, OWN_HOME, Vm

ROUNDS = 40
LONG_ROUNDS = 11
SIZE = 256 * 1024 * 1024

rows = []  # printed at the end, below what sshd prints
pattern = re.compile(sys.argv[1] if len(sys.argv) > 1 else ".")


def row(name, value, unit, reach="", note=""):
    rows.append(f"{name:<58} {value:>8.3f} {unit:<7} {reach:<10} {note}".rstrip())


def seconds(command, vm):
    start = time.monotonic()
    # Both begin in the same way.
    subprocess.run([*OWN_HOME, *command], env=vm.exc.environment, cwd=vm.exc.home, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def compare(name, vm, own, plain, reach="", n=LONG_ROUNDS, before=lambda: None):
    """Medians of each, which are returned; the reach is for the median of each round's own ratio."""
    rounds = []
    for number in range(n):
        # A VM keeps 32 keys of a user for a minute. Revoked by the VM's root, which is no revocation of the control plane's:
        # after one of those a connect takes a round trip more.
        vm.guest.agent.ask("RevokeLocal")
        both = (own, plain) if number % 2 else (plain, own)
        took = {}
        for command in both:
            before()
            took[id(command)] = seconds(command, vm)
        rounds.append((took[id(own)], took[id(plain)]))
    ours, theirs = (statistics.median(one[i] for one in rounds) for i in (0, 1))
    ratio = statistics.median(one[0] / one[1] for one in rounds)
    row(f"{name}: ratio to plain", ratio, "", reach, f"medians {ours:.3f} and {theirs:.3f} s, {n} rounds")
    return ours, theirs


def authorize(vm):
    """The options of ssh for a key that alice has authorized."""
    public, text = vm.exc.key()
    authorized = WORLD / "home/alice/.ssh/authorized_keys"
    authorized.write_text(text + "\n")
    shutil.chown(authorized, "alice", "alice")
    known_hosts = vm.exc.home / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{vm.sshd.port} {pathlib.Path(f'{HOST_KEY}.pub').read_text()}")
    return [f"-oIdentityFile={str(public).removesuffix('.pub')}", "-oIdentitiesOnly=yes", f"-oUserKnownHostsFile={known_hosts}",
            f"-oPort={vm.sshd.port}"]


def start_at_connections(guest):
    """From now on the next connection starts the agent where it does not run, as systemd does, and at once."""
    def wait():
        while True:
            select.select(guest.listeners, [], [])
            with guest.lock:
                if not guest.process:
                    guest.start()
            time.sleep(0.005)  # until it has taken the connection

    threading.Thread(target=wait, daemon=True).start()


def connect():
    vm = Vm()
    options = authorize(vm)
    own = [client.PROGRAM, "compute", "connect", "--vm-id", "42", "--", "true"]
    plain = ["ssh", *options, "alice@127.0.0.1", "true"]
    compare("connect, true", vm, own, plain, "<= 1.15", ROUNDS)
    start_at_connections(vm.guest.agent)
    compare("connect, true, and the agent does not run", vm, own, plain, "", ROUNDS, vm.guest.agent.stop)


def ssh_config():
    vm = Vm()
    options = authorize(vm)
    vm.exc.good("compute", "ssh-config", "--write", "--user", "alice")
    ten = ["sh", "-ec", 'for _ in 1 2 3 4 5 6 7 8 9 10; do "$@" true; done', "-"]
    compare("ten times true through ssh-config", vm, [*ten, "ssh", "exc-42"], [*ten, "ssh", *options, "alice@127.0.0.1"])


def scp():
    """
    Of the whole command, and of copying alone: less what a byte takes. The destination is a new file each time: what is there,
    exc replaces, and scp overwrites in place, which spares the file system new pages.
    """
    files = WORLD / "tests/files"
    files.mkdir()
    shutil.chown(files, "alice", "alice")
    source, byte = files / "source", files / "byte"
    source.write_bytes(os.urandom(SIZE))
    byte.write_bytes(b"x")
    for way in "to", "from":
        vm = Vm()
        options = authorize(vm)
        took = []
        for path, size in (byte, "1 byte"), (source, "256 MB"):
            own = [client.PROGRAM, "compute", "scp", "--vm-id", "42", "--src", path, "--dst", files / way]
            plain = ["scp", *options, path, f"alice@127.0.0.1:{files}/to"]
            if way == "from":
                own.append("--download")
                plain = ["scp", *options, f"alice@127.0.0.1:{path}", files / "from"]
            took.append(compare(f"scp of {size} {way} the VM", vm, own, plain, "<= 1.02" if path == source else "",
                                before=lambda: (files / way).unlink(missing_ok=True)))  # pylint: disable=cell-var-from-loop
        ours, theirs = (took[1][i] - took[0][i] for i in (0, 1))
        row(f"scp of 256 MB {way} the VM: ratio of copying alone", ours / theirs, "", "<= 1.02")


def main():
    print(f"This machine may be shared (load {' '.join(pathlib.Path('/proc/loadavg').read_text().split()[:3])}, "
          f"{os.cpu_count()} cores).", flush=True)
    for part in (connect, ssh_config, scp):
        if pattern.search(part.__name__):
            part()
    client.after_test()
    print("\n".join(rows))


try:
    main()
except BaseException:
    client.after_failure()
    raise
