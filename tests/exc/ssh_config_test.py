# SPDX-License-Identifier: Apache-2.0
"""exc compute ssh-config: plain ssh, and what uses it, with keys that are good for one connection."""

import os
import pathlib
import select
import shutil
import signal
import socket
import stat
import subprocess
import threading

import agent
import client
from agent import WORLD, wait_until
from vm import HOME, OWN_HOME, Terminal, Vm

SSH_CONFIG = ("compute", "ssh-config")
PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - copy: {src: one, dest: "{{ to }}/one"}
    - command: cp "{{ to }}/one" "{{ to }}/two"
    - file: {path: "{{ to }}/two", mode: "0600"}
"""


def _prepared(**more):
    vm = Vm(**more)
    vm.exc.good(*SSH_CONFIG, "--write", "--user", "alice")
    return vm


def _run(vm, *command, stdin="", check=True, **environment):
    done = subprocess.run([*OWN_HOME, *map(str, command)], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env={**vm.exc.environment, **environment}, cwd=vm.exc.home, timeout=client.COMMAND_S,
                          check=False)
    assert not check or done.returncode == 0, (command, done)
    return done


def _holders(vm):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text() == "exc-key-holder\n" and str(vm.exc.runtime) in path.with_name("environ").read_text():
                found.append(int(path.parent.name))
        except OSError:
            pass
    return found


def plain_ssh_reaches_the_vm():
    vm = _prepared()
    assert _run(vm, "ssh", "exc-42", "id", "-un").stdout == "alice\n"
    assert _run(vm, "ssh", "exc-web", "id -un; cat", stdin="input").stdout == "alice\ninput"
    assert _run(vm, "ssh", "bob@exc-42", "id", "-un").stdout == "bob\n"
    assert _run(vm, "ssh", "-p", "2222", "exc-42", "id", "-un").stdout == "alice\n"
    assert vm.sshd.logins() == 4 and {row["connections"] for row in vm.guest.listed()} == {1}
    assert len(_holders(vm)) == 1
    assert _run(vm, "ssh", "exc-42", "exit 7", check=False).returncode == 7


def nothing_is_pushed_before_there_is_a_connection():
    vm = _prepared()
    done = _run(vm, "ssh", "-G", "exc-42")
    assert "identityagent " in done.stdout and "proxyusefdpass yes" in done.stdout, done
    assert vm.signed() == [] and _holders(vm) == []
    other = _run(vm, "ssh", "-G", "other.example").stdout
    assert "proxycommand" not in other and "exc-vm" not in other, other


def connections_at_once_have_keys_of_their_own():
    vm = _prepared()
    runs = [subprocess.Popen([*OWN_HOME, "ssh", "exc-42", f"echo {i}; cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             env=vm.exc.environment, text=True, cwd=vm.exc.home) for i in range(4)]
    # All are logged in at the same time.
    for i, run in enumerate(runs):
        assert run.stdout.readline() == f"{i}\n"
    for i, run in enumerate(runs):
        assert run.communicate(f"end {i}")[0] == f"end {i}" and run.returncode == 0
    assert vm.sshd.logins() == 4 and len(_holders(vm)) == 1
    assert len(vm.guest.fingerprints()) == 4


def more_connections_than_the_api_takes_at_once():
    vm = _prepared(lines=["MaxStartups 100"])
    vm.api.stop()
    vm.api.lines = [line.replace("InstanceLimit=0", "InstanceLimit=60") for line in vm.api.lines]
    vm.api.start()
    runs = [subprocess.Popen([*OWN_HOME, "ssh", "exc-42", "echo in; cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=vm.exc.environment, text=True, cwd=vm.exc.home) for _ in range(24)]
    for run in runs:
        out, err = run.communicate("", timeout=agent.WAIT_S)
        assert (run.returncode, out) == (0, "in\n"), err
    assert vm.sshd.logins() == 24 and len(_holders(vm)) == 1
    # Some were refused at first.
    assert 429 in [line["outcome"]["status"] for line in vm.api.audit() if line["kind"] == "outcome"]


def key_of_another_process_is_not_shown():
    vm = _prepared()
    run = subprocess.Popen([*OWN_HOME, "ssh", "exc-42", "echo in; cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           env=vm.exc.environment, text=True, cwd=vm.exc.home)
    assert run.stdout.readline() == "in\n"
    done = _run(vm, "ssh-add", "-l", check=False, SSH_AUTH_SOCK=str(vm.exc.runtime / "exc/agent.sock"))
    assert done.returncode != 0 and "SHA256" not in done.stdout, done
    run.communicate("")
    assert stat.S_IMODE((vm.exc.runtime / "exc").stat().st_mode) == 0o700


def clients_with_connections_of_their_own_work():
    vm = _prepared()
    exc = vm.exc
    (exc.home / "a file").write_text("content\n")
    _run(vm, "scp", "-q", "a file", "exc-42:b file")
    _run(vm, "sftp", "-b", "-", "exc-42", stdin='get "b file" "c file"\n')
    assert (exc.home / "c file").read_text() == "content\n"
    remote = WORLD / "home/alice/repository"
    _run(vm, "ssh", "exc-42", "git init -q --bare repository")
    _run(vm, "git", "init", "-q", "local")
    git = ("git", "-C", "local", "-c", "user.name=a", "-c", "user.email=a@example")
    _run(vm, *git, "commit", "-q", "--allow-empty", "-m", "first")
    _run(vm, *git, "push", "-q", "exc-42:repository", "HEAD:main")
    assert (remote / "refs/heads/main").exists()
    tree = exc.home / "tree"
    tree.mkdir()
    for i in range(20):
        (tree / f"file {i}").write_text(str(i))
    _run(vm, "rsync", "-a", "tree/", "exc-42:tree/")
    assert len(list((WORLD / "home/alice/tree").iterdir())) == 20
    # A connection through another one.
    hop = ("ssh", "-J", "exc-42", "-p", vm.sshd.port, "-o", f"UserKnownHostsFile={exc.runtime}/exc/known_hosts/exc-42",
           "-o", "HostKeyAlias=exc-vm", "-o", f"IdentityAgent={exc.runtime}/exc/agent.sock", "alice@127.0.0.1", "id -un")
    logins = vm.sshd.logins()
    assert _run(vm, *hop, check=False).returncode == 255 and vm.sshd.logins() == logins + 1


def ansible_with_connections_of_its_own():
    vm = _prepared()
    to = WORLD / "home/alice/ansible"
    _run(vm, "ssh", "exc-42", "mkdir ansible")
    (vm.exc.home / "one").write_text("content\n")
    (vm.exc.home / "play.yml").write_text(PLAYBOOK)
    done = _run(vm, "ansible-playbook", "-i", "exc-42,", "-e", f"to={to} ansible_python_interpreter=/usr/bin/python3", "play.yml",
                ANSIBLE_SSH_ARGS="-o ControlMaster=no -o ControlPersist=no", ANSIBLE_NOCOLOR="1")
    assert "ok=3 " in done.stdout and "failed=0" in done.stdout, done
    assert (to / "two").read_text() == "content\n" and stat.S_IMODE((to / "two").stat().st_mode) == 0o600
    # Each task takes several.
    assert vm.sshd.logins() == vm.sshd.connections() > 6


ansible_with_connections_of_its_own.short = "no"


def connection_is_shared_where_the_user_shares_connections():
    vm = Vm()
    vm.exc.ssh_config(f"Host *\n    ControlMaster auto\n    ControlPath {HOME}/control-%C\n    ControlPersist 600\n")
    vm.exc.good(*SSH_CONFIG, "--write", "--user", "alice")
    shared = ('for i in 1 2 3; do ssh exc-42 id -un || exit; done; ssh -O check exc-42 && ssh -O exit exc-42')
    done = _run(vm, "sh", "-c", shared)
    assert done.stdout == "alice\n" * 3 and "Master running" in done.stderr, done
    assert vm.sshd.logins() == 1 and vm.keys_left() == 1


def other_options_of_the_user_do_no_harm():
    vm = Vm()
    for i in range(7):
        vm.exc.key(f"id_{i}")
    before = "Host *\n" + "\n".join([
        *[f"    IdentityFile {HOME}/id_{i}" for i in range(7)], "    IdentitiesOnly yes", "    IdentityAgent none",
        "    StrictHostKeyChecking ask", "    ProxyJump nowhere.invalid", "    User bob", "    Port 1",
        "    PubkeyAcceptedAlgorithms rsa-sha2-512", "    UserKnownHostsFile /nowhere"]) + "\n"
    vm.exc.ssh_config(before)
    vm.exc.good(*SSH_CONFIG, "--write", "--user", "alice")
    assert _run(vm, "ssh", "exc-42", "id", "-un").stdout == "alice\n"
    assert "Failed publickey" not in vm.sshd.log()


def users_file_is_kept():
    vm = Vm(guests=("42",))
    config = vm.exc.home / ".ssh/config"
    # There is none.
    vm.exc.good(*SSH_CONFIG, "--write")
    assert config.read_text() == "Include exc.conf\n" and stat.S_IMODE(config.stat().st_mode) == 0o600
    vm.exc.good(*SSH_CONFIG, "--write")
    assert config.read_text() == "Include exc.conf\n"
    # There is one, with a mode of its own and no newline at its end.
    for text in "Host a\n  User b", "# comment\n\nInclude other.conf\nMatch all\n  Include exc.conf\n":
        config.write_text(text)
        config.chmod(0o640)
        for _ in range(2):
            vm.exc.good(*SSH_CONFIG, "--write")
            assert config.read_text() == "Include exc.conf\n\n" + text
            assert stat.S_IMODE(config.stat().st_mode) == 0o640
    # Where the line stands already, before any Host.
    text = "# mine\nInclude exc.conf\nHost a\n"
    config.write_text(text)
    vm.exc.good(*SSH_CONFIG, "--write")
    assert config.read_text() == text
    # A link stays one.
    real = vm.exc.home / "dotfiles"
    real.write_text("Host c\n")
    config.unlink()
    config.symlink_to(f"{HOME}/dotfiles")
    vm.exc.good(*SSH_CONFIG, "--write")
    assert config.is_symlink() and real.read_text() == "Include exc.conf\n\nHost c\n"
    # What is printed is what is written.
    block = vm.exc.good(*SSH_CONFIG).out
    assert (vm.exc.home / ".ssh/exc.conf").read_text() == block
    assert sorted(path.name for path in (vm.exc.home / ".ssh").iterdir()) == ["config", "exc.conf"]
    # Where nothing changes, nothing is written.
    done = vm.exc.run(*SSH_CONFIG, "--write", program=("sh", "-c", f'mount -o remount,ro,bind {HOME}; exec "$@"', "-"))
    assert done.status == 0, done
    done = vm.exc.run(*SSH_CONFIG, "--write", "--user", "bob", program=("sh", "-c", f'mount -o remount,ro,bind {HOME}; exec "$@"', "-"))
    assert done.status == 1 and "cannot write it" in done.err, done
    assert (vm.exc.home / ".ssh/exc.conf").read_text() == block
    # What cannot be kept as it is stays as it is.
    real.write_bytes(b"Host c\n\0\n")
    vm.exc.fails(1, *SSH_CONFIG, "--write", says="it is not a text file")
    assert real.read_bytes() == b"Host c\n\0\n"
    real.unlink()
    vm.exc.fails(1, *SSH_CONFIG, "--write", says="config: cannot read it")
    assert config.is_symlink()
    own = vm.exc.home / ".ssh/exc.conf"
    own.write_text("# my own\n")
    vm.exc.fails(1, *SSH_CONFIG, "--write", says="was not written by exc compute ssh-config")
    assert own.read_text() == "# my own\n"


def options_of_the_command_are_in_what_is_written():
    vm = Vm()
    exc = vm.exc
    # With the user of exc's configuration; from any directory.
    ca_file = exc.home / "it's 100%.pem"
    ca_file.write_text("")
    del exc.environment["EXC_ENDPOINT"]
    exc.good(*SSH_CONFIG, "--write", "--endpoint", f"unix:{vm.api.path}", "--no-proxy", "--ca-file", ca_file.name,
             EXC_USER="bob")
    assert _run(vm, "sh", "-c", "cd / && exec ssh exc-42 id -un").stdout == "bob\n"
    assert "it'\\''s 100%%.pem'" in (exc.home / ".ssh/exc.conf").read_text()
    for user in 'a"b', "a'b", "a%b", "a$b", "a\\b":
        exc.fails(2, *SSH_CONFIG, "--user", user, says="cannot have that login name")
    exc.fails(2, *SSH_CONFIG, "--endpoint", "https://a\nHost *", says="expected")
    exc.fails(2, *SSH_CONFIG, "--ca-file", "absent.pem", says="absent.pem: No such file")
    (exc.home / "a\nb").write_text("")
    exc.fails(2, *SSH_CONFIG, "--ca-file", "a\nb", says="control characters")
    # Names that a shell or a path would take for more.
    for host in "exc-$(touch owned)", "exc-42;touch owned", "exc-../../owned", "exc-'42'":
        done = _run(vm, "ssh", host, "true", check=False)
        assert done.returncode == 255, done
    assert not list(exc.home.rglob("owned*"))


def failures_say_why():
    vm = _prepared()
    done = _run(vm, "ssh", "exc-43", "true", check=False)
    assert done.returncode == 255 and "43" in done.stderr, done
    done = _run(vm, "ssh", "nosuch@exc-42", "true", check=False)
    assert done.returncode == 255 and "nosuch" in done.stderr, done
    vm.register("42", name="web", default_user="alice", addresses={"public_ipv4": "127.0.0.1", "port": 1})
    done = _run(vm, "ssh", "exc-42", "true", check=False)
    assert done.returncode == 255 and "no connection to 127.0.0.1 port 1" in done.stderr, done
    vm.exc.fails(2, "compute", "proxy-command", "--directory", "/tmp/x", "exc-42", "alice", says="ssh runs this")
    # The keys that were not used are gone at once where nothing was pushed.
    (vm.exc.runtime / "exc").chmod(0o755)
    done = _run(vm, "ssh", "exc-42", "true", check=False)
    assert "only you can enter" in done.stderr, done


def impostor_is_refused():
    vm = _prepared()
    assert _run(vm, "ssh", "exc-42", "id", "-un").stdout == "alice\n"
    other = vm.sshd.directory / "other_host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    vm.guest.show_host_key(f"{other}.pub")
    vm.guest.agent.stop()
    vm.guest.agent.start()
    done = _run(vm, "ssh", "exc-42", "true", check=False)
    assert done.returncode == 255 and "accept-host-keys" in done.stderr, done
    vm.exc.good("compute", "instance", "accept-host-keys", "42")
    # Now sshd is another than the VM's agent says.
    done = _run(vm, "ssh", "-o", "StrictHostKeyChecking=ask", "exc-42", "true", check=False)
    assert done.returncode == 255 and "Host key verification failed" in done.stderr, done
    assert vm.sshd.logins() == 1


def without_a_runtime_directory_there_is_another():
    vm = Vm()
    # The world's /tmp is the machine's; this one is the test's.
    program = vm.exc.home / "exc"
    shutil.copy(client.PROGRAM, program)
    vm.exc.environment["XDG_RUNTIME_DIR"] = ""
    _run(vm, f"{HOME}/exc", *SSH_CONFIG, "--write", "--user", "alice")
    assert "IdentityAgent /tmp/exc-0/agent.sock" in (vm.exc.home / ".ssh/exc.conf").read_text()
    script = """mount -t tmpfs -o mode=1777 tmp /tmp && ssh exc-42 id -un && ssh exc-42 id -un && stat -c %a /tmp/exc-0
        mv /tmp/exc-0 /tmp/mine && mkdir -m 777 /tmp/exc-0; ssh exc-42 true; echo $?"""
    done = _run(vm, "unshare", "--mount", "sh", "-c", script)
    assert done.stdout == "alice\nalice\n700\n255\n" and "only you can enter" in done.stderr, done
    # Neither is of use.
    done = _run(vm, "unshare", "--mount", "sh", "-c", f"mount -t tmpfs -o mode=0777 tmp /tmp && exec {HOME}/exc compute ssh-config",
                check=False)
    assert done.returncode == 1 and "set XDG_RUNTIME_DIR" in done.stderr, done


def _extension(name, *parts):
    body = b"\x1b" + b"".join(len(part).to_bytes(4, "big") + part for part in [name]) + b"".join(parts)
    return len(body).to_bytes(4, "big") + body


def _ask(peer, message):
    peer.sendall(message)
    length = int.from_bytes(peer.recv(4, socket.MSG_WAITALL), "big")
    return peer.recv(length, socket.MSG_WAITALL)


def _make(peer, owner):
    return _ask(peer, _extension(b"make@exc.excloud.in", owner.to_bytes(4, "big")))


def hostile_peers_of_the_holder():
    vm = _prepared()
    assert _run(vm, "ssh", "exc-42", "id", "-un").stdout == "alice\n"
    path = str(vm.exc.runtime / "exc/agent.sock")
    (holder,) = _holders(vm)

    def connect():
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(path)
        peer.settimeout(agent.WAIT_S)
        return peer

    string = lambda data: len(data).to_bytes(4, "big") + data  # noqa: E731
    with connect() as peer:
        # Answered with a failure, and nothing is kept.
        for message in [
            _extension(b"make@exc.excloud.in"), _extension(b"make@exc.excloud.in", bytes(4)),
            _extension(b"make@exc.excloud.in", b"\xff" * 4), _extension(b"make@exc.excloud.in", bytes(5)),
            _extension(b"keep@exc.excloud.in"), _extension(b"keep@exc.excloud.in", string(b"no key"), bytes(4)),
            _extension(b"keep@exc.excloud.in", b"\xff" * 8), _extension(b"session-bind@openssh.com", bytes(4)),
            b"\0\0\0\1\x1b", b"\0\0\0\3\x1b\0\0", b"\0\0\0\1\x0b", b"\0\0\0\1\x0d",
        ]:
            assert _ask(peer, message)[:1] == b"\x05", message
        # What is no message ends the connection.
        peer.sendall(b"\xff" * 4)
        assert peer.recv(1) == b""
    # Keys of processes that have ended make room, those of others do not.
    with connect() as peer:
        ended = subprocess.Popen(["true"])
        ended.wait()
        for _ in range(600):
            assert _make(peer, ended.pid)[:1] == b"\x06"
        made = sum(_make(peer, os.getpid())[:1] == b"\x06" for _ in range(300))
        assert made == 256, made
        # This process gets the last of its own, and signs with no other.
        listed = _ask(peer, b"\0\0\0\1\x0b")
        assert listed[:5] == b"\x0c\0\0\0\1", listed
    done = _run(vm, "ssh", "exc-42", "true", check=False)
    assert done.returncode == 255 and "the key holder has 256 keys" in done.stderr, done
    # Peers that say nothing, and one that does not read.
    silent = [connect() for _ in range(60)]
    silent[0].setblocking(False)
    for _ in range(10000):
        try:
            silent[0].send(b"\0\0\0\1\x0b" * 100)
        except BlockingIOError:
            break
    assert _holders(vm) == [holder]
    for peer in silent:
        peer.close()
    os.kill(holder, signal.SIGKILL)
    assert _run(vm, "ssh", "exc-42", "id", "-un").stdout == "alice\n"


def holder_that_ends_meanwhile_is_replaced():
    vm = _prepared()
    directory = vm.exc.runtime / "exc"
    directory.mkdir(mode=0o700)

    def end(listener, accepts):
        assert select.select([listener], [], [], agent.WAIT_S)[0]
        peer = listener.accept()[0] if accepts else None
        listener.close()
        if peer:
            assert select.select([peer], [], [], agent.WAIT_S)[0]
            peer.close()

    for accepts in False, True:
        path = directory / "agent.sock"
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(8)
        thread = threading.Thread(target=end, args=(listener, accepts))
        thread.start()
        assert _run(vm, "ssh", "exc-42", "id", "-un").stdout == "alice\n", accepts
        thread.join()
        (holder,) = _holders(vm)
        os.kill(holder, signal.SIGKILL)
        wait_until(lambda: not _holders(vm), "the holder is gone")


def holder_that_hangs_is_named():
    vm = _prepared()
    directory = vm.exc.runtime / "exc"
    directory.mkdir(mode=0o700)
    for answer in b"", b"\0\0\0\1\x06", b"\0\0\0\5\x06\0\0\0\xff", b"\xff" * 8, None:
        path = directory / "agent.sock"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen(8)
            if answer is not None:
                threading.Thread(target=_answer, args=(listener, answer), daemon=True).start()
            done = _run(vm, "ssh", "exc-42", "true", check=False)
            assert done.returncode == 255 and "the key holder does not answer" in done.stderr, (answer, done)
            listener.shutdown(socket.SHUT_RDWR)
    assert vm.sshd.connections() == 0 and vm.signed() == []


holder_that_hangs_is_named.slow = True


def _answer(listener, answer):
    try:
        while True:
            peer, _ = listener.accept()
            with peer:
                peer.recv(4096)
                peer.sendall(answer)
    except OSError:
        pass


def holder_ends_when_there_is_nothing_to_hold():
    vm = _prepared(signer_lines=["MaxTtl=20"])
    assert _run(vm, "ssh", "exc-42", "id", "-un").stdout == "alice\n"
    (holder,) = _holders(vm)
    os.kill(holder, signal.SIGKILL)
    # One that was killed is replaced.
    assert _run(vm, "ssh", "exc-42", "id", "-un").stdout == "alice\n"
    (second,) = _holders(vm)
    assert second != holder
    # It holds nothing of who has started it.
    assert sorted(os.readlink(path) for path in pathlib.Path(f"/proc/{second}/fd").iterdir())[:3] == ["/dev/null"] * 3
    assert len(list(pathlib.Path(f"/proc/{second}/fd").iterdir())) == 4
    assert os.readlink(f"/proc/{second}/cwd") == "/"
    wait_until(lambda: _holders(vm) == [], "the holder has ended")
    # The VM's agent, whose keys have expired too, has nothing to do any more and ends; here no systemd starts it again.
    vm.guest.agent.stop()
    vm.guest.agent.start()
    assert _run(vm, "ssh", "exc-42", "id", "-un").stdout == "alice\n"


holder_ends_when_there_is_nothing_to_hold.slow = True


def terminal_of_plain_ssh():
    vm = _prepared()
    terminal = Terminal(vm.exc, "ssh", "exc-42")
    terminal.type(b"stty size; exit 4\n")
    terminal.read_until(b"33 77")
    assert terminal.status() == 4
