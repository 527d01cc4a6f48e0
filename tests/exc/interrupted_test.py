# SPDX-License-Identifier: Apache-2.0
"""exc compute connect and exec when somebody or something stops in the middle."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading

import agent
import client
from client import TOKEN
from vm import OWN_HOME, Terminal, User, Vm

CONNECT = ("compute", "connect")
EXEC = ("compute", "exec")


def _child(pid, name):
    """The process of that name below another."""
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            before, _, after = path.read_text().rpartition(") ")
            if int(after.split()[1]) == pid and before.endswith(f"({name}"):
                return int(path.parent.name)
    return None


def _started(vm):
    process = vm.exc.start(*EXEC, "42", "--command", "echo started; exec sleep 1000")
    assert process.stdout.readline() == b"started\n"
    return process, _child(process.pid, "ssh")


def _outer(user):
    terminal = Terminal(user, "bash", "--norc", "-i")
    terminal.type(b"PS1='outer''> '\n")
    return terminal, terminal.read_until(b"outer> ")


def stop_key_stops_exec_and_fg_goes_on():
    vm = Vm()
    terminal, at = _outer(vm.exc)
    terminal.type(f"{client.PROGRAM} compute exec 42 --command 'echo sta''rted; read x; echo go''ne $x'\n".encode())
    at = terminal.read_until(b"started", at)
    terminal.type(b"\x1a")
    at = terminal.read_until(b"Stopped", at)
    at = terminal.read_until(b"outer> ", at)
    terminal.type(b"fg\non\n")
    at = terminal.read_until(b"gone on", at)
    at = terminal.read_until(b"outer> ", at)
    terminal.type(b"echo status $?; exit\n")
    terminal.read_until(b"status 0", at)
    assert terminal.status() == 0
    vm.exc.left_nothing()


def interrupt_key_ends_exec():
    vm = Vm()
    terminal, at = _outer(vm.exc)
    terminal.type(f"{client.PROGRAM} compute exec 42 --command 'echo sta''rted; sleep 1000'\n".encode())
    at = terminal.read_until(b"started", at)
    terminal.type(b"\x03")
    at = terminal.read_until(b"outer> ", at)
    terminal.type(b"echo status $?; exit\n")
    terminal.read_until(b"status 130", at)
    assert terminal.status() == 0
    vm.exc.left_nothing()


def terminal_is_as_before_when_exc_is_ended():
    vm = Vm()
    terminal, at = _outer(vm.exc)
    terminal.type(b"stty -a >before; echo $$ >pid\n")
    terminal.type(f"{client.PROGRAM} compute connect 42\n".encode())
    at = terminal.read_until(b"$ ", at)
    terminal.type(b"PS1='inner''> '\n")
    at = terminal.read_until(b"inner> ", at)
    shell = int((vm.exc.home / "pid").read_text())
    os.kill(_child(shell, "exc"), signal.SIGTERM)
    at = terminal.read_until(b"outer> ", at)
    terminal.type(b"echo status $?; stty -a | cmp - before && echo sa''me; exit\n")
    at = terminal.read_until(b"status 143", at)
    terminal.read_until(b"same", at)
    assert terminal.status() == 0
    vm.exc.left_nothing()


def signal_before_ssh_runs_leaves_nothing():
    silent = socket.create_server(("127.0.0.1", 0))
    user = User(f"http://127.0.0.1:{silent.getsockname()[1]}", EXC_TOKEN=TOKEN)
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        process = user.start(*CONNECT, "42")
        peer, _ = silent.accept()
        with peer:
            assert b"POST" in peer.recv(65536)
            process.send_signal(number)
            assert process.wait(timeout=agent.WAIT_S) in (-number, 128 + number)
        user.left_nothing()


def ssh_that_is_killed_is_255():
    vm = Vm()
    process, ssh = _started(vm)
    os.kill(ssh, signal.SIGKILL)
    assert process.wait(timeout=agent.WAIT_S) == 255
    vm.exc.left_nothing()


def time_out_ends_an_ssh_that_is_stopped():
    vm = Vm()
    # The time counts from the start of ssh, and how long a login takes depends on the machine.
    for seconds in 5, 25, 125:
        process = vm.exc.start(*EXEC, "42", "--timeout", f"{seconds}", "--command", "echo started; exec sleep 1000")
        ssh = _child(process.pid, "ssh") if process.stdout.readline() == b"started\n" else None
        if ssh:
            os.kill(ssh, signal.SIGSTOP)
        assert process.wait(timeout=seconds + agent.WAIT_S) == 124
        if ssh:
            break
    assert ssh
    assert not pathlib.Path(f"/proc/{ssh}").exists()
    vm.exc.left_nothing()


def reader_that_ends_ends_the_command():
    vm = Vm()
    script = f'{client.PROGRAM} compute exec 42 --command "yes; echo over >&2" | head -n 1'
    done = subprocess.run([*OWN_HOME, "bash", "-c", script], env=vm.exc.environment, cwd=vm.exc.home, timeout=agent.WAIT_S,
                          check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert done.stdout == "y\n"
    vm.exc.left_nothing()


def input_without_an_end_does_not_hold_a_command():
    vm = Vm()
    with open("/dev/zero", "rb") as zeros:
        done = subprocess.run([*OWN_HOME, client.PROGRAM, *EXEC, "42", "--command", "echo done; exit 6"], stdin=zeros,
                              env=vm.exc.environment, cwd=vm.exc.home, timeout=agent.WAIT_S, check=False,
                              stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (6, b"done\n"), done


def ssh_that_is_missing_is_named():
    vm = Vm()
    tools = vm.exc.home / "tools"
    tools.mkdir()
    for tool in "unshare", "mount", "sh":
        (tools / tool).symlink_to(shutil.which(tool))
    done = vm.exc.run(*EXEC, "42", "--command", "true", PATH=str(tools))
    assert done.status == 127 and "ssh" in done.err, done


def proxy_that_hangs_does_not_hold_connect():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        user = User("https://compute.example", EXC_TOKEN=TOKEN, HTTPS_PROXY=f"http://127.0.0.1:{silent.getsockname()[1]}")
        user.good("compute", "ssh-config", "--write", "--user", "alice")
        done = [None, None]

        def plain():
            done[1] = subprocess.run([*OWN_HOME, "ssh", "exc-42", "true"], env=user.environment, cwd=user.home, check=False,
                                     stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=agent.WAIT_S)

        thread = threading.Thread(target=plain)
        thread.start()
        done[0] = user.fails(3, *CONNECT, "42", says=["no answer in time", "--no-proxy"])
        thread.join()
        assert done[1].returncode == 255 and "no answer in time" in done[1].stderr, done
        user.left_nothing()


proxy_that_hangs_does_not_hold_connect.slow = True
