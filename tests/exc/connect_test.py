# SPDX-License-Identifier: Apache-2.0
"""exc compute connect and exec, into a real sshd."""

import contextlib
import fcntl
import json
import os
import pathlib
import shlex
import signal
import stat
import struct
import subprocess
import termios

import agent
import client
from agent import WORLD, wait_until
from vm import Sshd, Terminal, User, Vm

CONNECT = ("compute", "connect")
EXEC = ("compute", "exec")


def _wait_for_process(*command):
    wanted = "\0".join(command).encode() + b"\0"

    def runs():
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if path.read_bytes() == wanted:
                    return True
        return False

    wait_until(runs, command)


def shell_on_a_vm():
    vm = Vm()
    done = vm.exc.good(*CONNECT, "--vm_id", "42", "--user", "alice", "--", "id", "-un")
    assert done.out == "alice\n", done
    # By id and by name, with the VM's own user, with the shell's input.
    assert vm.exc.good(*CONNECT, "--vm-id=42", "--", "id -un").out == "alice\n"
    assert vm.exc.good(*CONNECT, "alice@web", stdin="id -un; echo $SSH_CONNECTION | wc -w\n").out == "alice\n4\n"
    assert vm.sshd.logins() == 3 and vm.keys_left() == 3
    # One connection each: what is stored opens no other.
    assert {row["connections"] for row in vm.guest.listed()} == {1}


def status_is_that_of_the_remote_command():
    vm = Vm()
    for status in 0, 1, 7, 254:
        vm.exc.fails(status, *EXEC, "42", "--command", f"exit {status}")
    # ssh's own, and a remote shell that a signal ended.
    vm.exc.fails(255, *EXEC, "42", "--command", "kill -9 $$")
    vm.exc.fails(255, *CONNECT, "42", "--", "-o", "NoSuchOption=1", says="Bad configuration option")


def server_key_is_served_from_the_agent():
    vm = Vm()
    assert vm.exc.good(*CONNECT, "42", "--server-key", "--", "id", "-un").out == "alice\n"
    done = vm.exc.good(*CONNECT, "42", "--server-key", "--", "-v", "true")
    assert "agent" in done.err and "PRIVATE" not in done.err, done
    names = [path for path in vm.exc.home.rglob("*") if path.is_file()]
    assert names == [], names


def arguments_of_ssh_come_before_the_command():
    vm = Vm()
    done = vm.exc.good(*CONNECT, "42", "--", "-o", "SetEnv=X=1", "-vT", "echo", "-n", "a  b", "; echo -- -c")
    assert done.out == "a b-- -c\n" and "Sending command" in done.err, done
    port = vm.sshd.port
    # A forwarding through the connection.
    done = vm.exc.good(*CONNECT, "42", "--", "-W", f"127.0.0.1:{port}", stdin="")
    assert done.out.startswith("SSH-2.0-"), done


def configuration_of_the_user_does_no_harm():
    vm = Vm()
    exc = vm.exc
    keys = []
    for i in range(7):
        exc.key(f"id_{i}")
        keys.append(exc.home / f"id_{i}")
    foreign = exc.home / "foreign_known_hosts"
    foreign.write_text("exc-vm-42 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKj9Ne19cX0N0GriPChvaudeZoS7d4sWrB72aqPpTape\n")
    exc.ssh_config("Host *\n" + "\n".join([
        *[f"IdentityFile {key}" for key in keys],
        "IdentitiesOnly yes", "IdentityAgent none", "ControlMaster auto", f"ControlPath {exc.home}/control-%C",
        "ControlPersist 600", "RequestTTY force", "RemoteCommand echo hijacked", "ProxyJump nowhere.invalid",
        "CanonicalizeHostname always", "UpdateHostKeys yes", "ForwardAgent yes", "PubkeyAuthentication no",
        "PreferredAuthentications password", "HostKeyAlias other", f"UserKnownHostsFile {foreign}",
        "StrictHostKeyChecking ask", "User bob", "Port 1", "HostName nowhere.invalid", "PubkeyAcceptedAlgorithms rsa-sha2-512",
        "KnownHostsCommand /bin/false", "StdinNull yes", "SessionType none", "ForkAfterAuthentication yes",
        "AddressFamily inet6", "NoHostAuthenticationForLocalhost yes", "VerifyHostKeyDNS yes", "PermitLocalCommand yes",
        f"LocalCommand touch {exc.home}/local", "PKCS11Provider /nowhere.so"]) + "\n")
    for _ in range(2):
        done = exc.good(*CONNECT, "42", "--", "id -un; ssh-add -l 2>&1 | tail -1; cat", stdin="input")
        assert done.out.splitlines()[0] == "alice" and "input" in done.out and "SHA256" not in done.out, done
        done = exc.good(*EXEC, "42", "--command", "id -un; tty; cat", stdin="a\r\nb")
        assert done.out == "alice\nnot a tty\na\nb" or done.out == "alice\nnot a tty\na\r\nb", done
    assert vm.sshd.logins() == 4 and "Failed publickey" not in vm.sshd.log()
    assert not list(exc.home.glob("control-*"))
    # Of the user's own agent with seven keys none is offered.
    agent_path = exc.home / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", agent_path], stdout=subprocess.DEVNULL) as other:
        wait_until(agent_path.exists, "the agent listens")
        subprocess.run(["ssh-add", "-q", *keys], check=True, env={**os.environ, "SSH_AUTH_SOCK": str(agent_path)})
        exc.ssh_config("Host *\nAddKeysToAgent yes\n")
        assert exc.good(*CONNECT, "42", "--", "id", "-un", SSH_AUTH_SOCK=str(agent_path)).out == "alice\n"
        other.terminate()
    assert "Failed publickey" not in vm.sshd.log()


def options_of_the_user_are_obeyed():
    vm = Vm()
    vm.exc.ssh_config("Host *\nSetEnv FROM_CONFIG=1\nCompression yes\n")
    done = vm.exc.good(*CONNECT, "42", "--", "-v", "true")
    assert "Enabling compression" in done.err or "compression" in done.err.lower(), done
    # Another way to the VM: the pins do not stand in its way.
    done = vm.exc.run(*CONNECT, "42", "--", "-o", f"ProxyCommand=nc.nowhere {vm.sshd.port}", "true")
    assert done.status == 255 and "nc.nowhere" in done.err, done


def other_host_key_is_refused_without_a_question():
    vm = Vm()
    other = vm.exc.home / "other_host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    impostor = Sshd(vm.guest.agent.store, [f"HostKey {other}"])
    # The first HostKey line counts for its type.
    settings = (impostor.directory / "config").read_text().replace(f"HostKey {WORLD}/ssh/host_key\n", "")
    (impostor.directory / "config").write_text(settings)
    impostor.process.terminate()
    impostor.process.wait()
    impostor.start()
    vm.register("42", default_user="alice", addresses={"public_ipv4": "127.0.0.1", "port": impostor.port})
    done = vm.exc.fails(255, *CONNECT, "42", "--", "true", says="Host key verification failed")
    assert "(yes/no" not in done.err and impostor.logins() == 0, done


def changed_host_keys_need_to_be_accepted():
    vm = Vm()
    vm.exc.good(*EXEC, "42", "--command", "true")
    other = vm.sshd.directory / "other_host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    vm.guest.show_host_key(f"{other}.pub")
    vm.guest.agent.stop()
    vm.guest.agent.start()
    vm.exc.fails(12, *EXEC, "42", "--command", "true", says="accept-host-keys")
    assert vm.sshd.logins() == 1
    vm.exc.good("compute", "instance", "accept-host-keys", "42")
    vm.exc.fails(255, *EXEC, "42", "--command", "true", says="Host key verification failed")


def next_address_is_tried_and_costs_no_key():
    vm = Vm(address="127.0.0.1", addresses={"private_ipv4": "127.0.0.1", "public_ipv4": "127.9.9.9"})
    assert vm.exc.good(*EXEC, "42", "--command", "id -un").out == "alice\n"
    assert vm.sshd.connections() == 1
    assert vm.exc.good(*EXEC, "42", "--address", "private", "--command", "id -un").out == "alice\n"
    assert vm.exc.good(*EXEC, "42", "--address", "127.0.0.1", "--command", "id -un").out == "alice\n"
    vm.exc.fails(255, *EXEC, "42", "--address", "public", "--command", "id -un", says=["Connection refused", "--address"])
    vm.exc.fails(9, *EXEC, "42", "--address", "ipv6", "--command", "id -un", says="no ipv6 address")
    vm.exc.fails(2, *EXEC, "42", "--address", "vm.example", "--command", "id", says="expected public, private, ipv6")
    vm.register("42", default_user="alice", addresses={"public_ipv4": "127.9.9.9", "private_ipv4": "127.9.9.8", "port": 1})
    vm.exc.fails(255, *EXEC, "42", "--command", "id -un", says="VM 42: no connection to 127.9.9.8 port 1")
    vm.register("42", default_user="alice", addresses={})
    vm.exc.fails(9, *EXEC, "42", "--command", "id -un", says="it has no address in the register")


def ipv6_address_is_reached():
    vm = Vm(address="::1")
    assert vm.exc.good(*EXEC, "42", "--command", "id -un").out == "alice\n"


def printed_command_works_once():
    vm = Vm()
    public, _ = vm.exc.key()
    done = vm.exc.good(*CONNECT, "alice@42", "--print-command", "--public-key", public, "--", "id", "-un")
    command = shlex.split(done.out)
    assert command[0] == "ssh" and "within a minute" in done.err, done
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=vm.exc.environment)
    assert run.stdout == "alice\n"
    again = subprocess.run([*command[:1], "-o", "BatchMode=yes", *command[1:]], check=False, env=vm.exc.environment)
    assert again.returncode == 255
    key = vm.exc.home / "server key"
    done = vm.exc.good(*CONNECT, "42", "--print-command", "--server-key", "--file", key, "-o", "json", "--", "id", "-un")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    got = done.json
    assert (got["vm_id"], got["user"], got["port"]) == ("42", "alice", vm.sshd.port)
    run = subprocess.run(got["command"], stdout=subprocess.PIPE, text=True, check=True, env=vm.exc.environment)
    assert run.stdout == "alice\n"
    vm.exc.fails(2, *CONNECT, "42", "--print-command", says="--public-key FILE, or --server-key")
    vm.exc.fails(2, *CONNECT, "42", "--print-command", "--server-key", says="needs --file")
    vm.exc.fails(2, *CONNECT, "42", "-o", "json", says="--print-command")


def terminal_has_its_size_and_keys():
    vm = Vm()
    terminal = Terminal(vm.exc, client.PROGRAM, *CONNECT, "42", size=(33, 77))
    terminal.type(b"PS1='ready''> '; stty size\n")
    terminal.read_until(b"33 77")
    # Ctrl-C is the remote command's.
    at = terminal.read_until(b"ready> ")
    terminal.type(b"sleep 1000; echo status $?\n")
    terminal.read_until(b"status $?", at)
    _wait_for_process("sleep", "1000")
    terminal.type(b"\x03")
    at = terminal.read_until(b"ready> ", at)
    # Ctrl-Z as well.
    terminal.type(b"sleep 1001\n")
    _wait_for_process("sleep", "1001")
    terminal.type(b"\x1a")
    at = terminal.read_until(b"Stopped", at)
    # The window changes.
    fcntl.ioctl(terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 99, 0, 0))
    terminal.type(b"stty size\n")
    at = terminal.read_until(b"44 99", at)
    # Where the shell still has the job, it leaves the second time that it is told.
    terminal.type(b"kill -9 %1; exit 5\nexit 5\n")
    assert terminal.status() == 5
    vm.exc.left_nothing()


def stop_key_of_ssh_gives_the_terminal_back():
    vm = Vm()
    terminal = Terminal(vm.exc, "bash", "--norc", "-i")
    terminal.type(b"PS1='outer''> '\n")
    terminal.read_until(b"outer> ")
    terminal.type(f"{client.PROGRAM} compute connect 42\n".encode())
    terminal.read_until(b"$ ")
    terminal.type(b"PS1='inner''> '\n")
    at = terminal.read_until(b"inner> ")
    terminal.type(b"\r~\x1a")
    at = terminal.read_until(b"outer> ", at)
    terminal.type(b"fg\n")
    terminal.type(b"\n")
    at = terminal.read_until(b"inner> ", at)
    terminal.type(b"exit 3\n")
    at = terminal.read_until(b"outer> ", at)
    terminal.type(b"echo status $?; exit\n")
    terminal.read_until(b"status 3", at)
    assert terminal.status() == 0
    vm.exc.left_nothing()


def signals_end_it_with_their_status():
    vm = Vm()
    for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
        process = vm.exc.start(*EXEC, "42", "--command", "echo started; sleep 1000")
        assert process.stdout.readline() == b"started\n"
        process.send_signal(number)
        assert process.wait(timeout=agent.WAIT_S) == 128 + number, number
        vm.exc.left_nothing()
    # The terminal's interrupt is for the whole process group.
    process = vm.exc.start(*EXEC, "42", "--command", "echo started; sleep 1000")
    assert process.stdout.readline() == b"started\n"
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=agent.WAIT_S) == 130
    vm.exc.left_nothing()


def closed_streams_are_no_harm():
    vm = Vm()
    done = vm.exc.run(*EXEC, "42", "--command", "cat; echo done", program=("sh", "-c", 'exec "$@" <&-', "-"))
    assert (done.status, done.out) == (0, "done\n"), done
    done = vm.exc.run(*EXEC, "42", "--command", "echo done", program=("sh", "-c", 'exec "$@" >&-', "-"))
    assert done.status in (0, 255), done
    done = vm.exc.run(*EXEC, "42", "--command", "echo done", program=("setsid", "-w"))
    assert (done.status, done.out) == (0, "done\n"), done


def home_and_runtime_directory_may_be_missing():
    vm = Vm()
    # Its directory in /tmp goes; other tests may have theirs there meanwhile.
    before = set(pathlib.Path("/tmp").glob("exc-*"))
    done = vm.exc.run(*EXEC, "42", "--command", "id -un", XDG_RUNTIME_DIR="")
    assert done.out == "alice\n", done
    wait_until(lambda: not set(pathlib.Path("/tmp").glob("exc-*")) - before, "the directory in /tmp goes")
    done = vm.exc.run(*EXEC, "42", "--command", "id -un",
                      program=("sh", "-c", f'mount -o remount,ro,bind {WORLD}/home/root; HOME={WORLD}/home/root exec "$@"', "-"))
    assert done.out == "alice\n", done


def user_of_another_vm_learns_why():
    vm = Vm()
    ann = User(vm)
    ann.environment["EXC_TOKEN"] = vm.api.seed("ann")
    ann.fails(7, *CONNECT, "42", "--", "true", says="compute:instance:connect")
    vm.exc.fails(8, *CONNECT, "nosuch@42", "--", "true", says="nosuch")
    vm.exc.fails(4, *CONNECT, "no-such-vm", "--", "true", says="no-such-vm")
    assert vm.sshd.connections() == 0


def vm_that_ends_in_the_middle_does_not_hang():
    vm = Vm()
    process = vm.exc.start(*EXEC, "42", "--command", "echo started; sleep 1000")
    assert process.stdout.readline() == b"started\n"
    vm.sshd.kill_connections()
    assert process.wait(timeout=agent.WAIT_S) == 255
    vm.exc.left_nothing()


def verbose_says_the_steps_and_no_secret():
    vm = Vm()
    done = vm.exc.good(*EXEC, "42", "--verbose", "--command", "true")
    assert "asking for a connection" in done.err and f"port {vm.sshd.port}" in done.err, done
    assert vm.api.token not in done.err and "PRIVATE" not in done.err
    assert json.loads(json.dumps(done.out)) == ""
